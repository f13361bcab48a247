"""`profile diff`: what differs, and the effect of each difference alone."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from foldsim.answers.profile_diff import profile_diff, reference_workload
from foldsim.designs.changes import change
from foldsim.hardware.profile import from_document
from foldsim.schema.quantity import Quantity
from foldsim.sweeps.engine import run
from foldsim.sweeps.space import DesignSpace


def mean_power(workload, profile):
    return float(np.mean(run(DesignSpace([workload], [profile]))["power_mw"]))


def by_path(found):
    return {difference.path: difference for difference in found.differences}


def edited(profile, edit):
    data = copy.deepcopy(profile.document.data)
    edit(data)
    return from_document(replace(profile.document, data=data))


def test_equal_profiles_do_not_differ(emformer, load_profile):
    found = profile_diff(load_profile("gap9"), load_profile("gap9"), emformer)
    assert found.differences == []
    assert found.first_mw == found.second_mw == pytest.approx(mean_power(emformer, load_profile("gap9")))
    assert found.designs == 12


def test_one_changed_number_has_the_whole_effect(emformer, load_profile):
    phone = load_profile("phone-npu")
    changed = change(phone, "profile.memory_levels.dram.read_pj_per_byte", 40.0)
    found = profile_diff(phone, changed, emformer)
    (only,) = found.differences
    assert only.path == "memory_levels.dram.read_pj_per_byte"
    assert (only.first.value, only.second.value, only.ratio) == (80, 40, 0.5)
    assert only.effect_ratio == pytest.approx(found.second_mw / found.first_mw - 1.0, rel=1e-12)
    assert only.effect_ratio == pytest.approx(mean_power(emformer, changed) / mean_power(emformer, phone) - 1.0)


def test_each_effect_is_that_of_a_set(emformer, load_profile):
    phone, watch = load_profile("phone-npu"), load_profile("watch-npu")
    found = by_path(profile_diff(phone, watch, emformer))
    before = mean_power(emformer, phone)
    for path in ("system.busy_mw", "compute_units.npu.overlap_ratio", "memory_levels.dram.bandwidth_gb_per_s"):
        variant = change(phone, f"profile.{path}", found[path].second.value)
        assert found[path].effect_ratio == pytest.approx(mean_power(emformer, variant) / before - 1.0), path


def test_effects_are_sorted_by_size(emformer, load_profile):
    found = profile_diff(load_profile("phone-npu"), load_profile("watch-npu"), emformer)
    sizes = [abs(difference.effect_ratio or 0.0) for difference in found.differences]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0.1


def test_every_number_that_differs_is_there(emformer, load_profile):
    """Those of items that both have, and the items that one has alone."""
    phone, watch = load_profile("phone-npu"), load_profile("watch-npu")
    found = by_path(profile_diff(phone, watch, emformer))
    assert found["memory_levels.vtcm"].second is None
    assert found["memory_levels.shram"].first is None
    assert not any(path.startswith(("memory_levels.vtcm.", "memory_levels.shram.")) for path in found)
    assert isinstance(found["compute_units.npu.precisions.int8.energy_pj_per_mac"].first, Quantity)
    assert (found["device_class"].first, found["device_class"].second) == ("phone", "wearable")
    assert found["compute_units.npu.dataflow"].effect_ratio is None, "an array needs what its dataflow asks for"
    assert "name" not in found
    assert "compute_units.npu.precisions.int4.macs_per_cycle" in found


def test_the_one_that_is_left_of_a_list_is_compared(emformer, load_profile):
    found = by_path(profile_diff(load_profile("pixel5-cpu"), load_profile("phone-npu"), emformer))
    assert found["compute_units.a76-prime.clock_hz"].second.value == 8e8


def test_plain_values_have_effects_too(emformer, load_profile):
    gap = load_profile("gap9")
    slow = edited(gap, lambda data: data.update(policy="240mhz"))
    found = profile_diff(gap, slow, emformer)
    (only,) = found.differences
    assert (only.path, only.first, only.second) == ("policy", "race-to-idle", "240mhz")
    assert only.effect_ratio == pytest.approx(found.second_mw / found.first_mw - 1.0)


def test_the_clock_changes_at_both_its_places(emformer, load_profile):
    """The reference operating point says it again; alone neither may change."""
    watch = load_profile("watch-npu")

    def faster(data):
        for place in (data["compute_units"][0]["clock_hz"], data["operating_points"][1]["frequency_hz"]):
            place.update(value=500000000, low=500000000, high=500000000)

    found = profile_diff(watch, edited(watch, faster), emformer)
    paths = by_path(found)
    assert paths["operating_points.nominal.frequency_hz"].effect_ratio is None
    assert paths["compute_units.npu.clock_hz"].effect_ratio == pytest.approx(found.second_mw / found.first_mw - 1.0)


def test_what_follows_from_a_type_of_dram_is_told_where_it_acts(emformer, tmp_path, load_profile):
    number = "{value: 64, low: 64, high: 64, source: lpddr5x}"
    text = "extends: phone-npu\nname: mine\ntitle: T\nsummary: S\nmemory_levels:\n  - name: dram\n"
    text += "    dram: {type: lpddr5, "
    text += f"width_bits: {number}, data_rate_mt_per_s: {number.replace('64', '6400')}, charged_ratio: "
    text += number.replace("64", "1") + "}\n"
    (tmp_path / "mine.yaml").write_text(text)
    found = by_path(profile_diff(load_profile("phone-npu"), load_profile(tmp_path / "mine.yaml"), emformer))
    assert found["memory_levels.dram.dram.type"].effect_ratio is None
    assert found["memory_levels.dram.read_pj_per_byte"].effect_ratio > 0
    assert found["memory_levels.dram.bandwidth_gb_per_s"].effect_ratio > 0


def test_what_cannot_be_evaluated_is_compared_all_the_same(emformer, load_profile):
    fp32 = change(emformer, "workload.precision.activations", "fp32")
    found = profile_diff(load_profile("phone-npu"), load_profile("watch-npu"), fp32)
    assert (found.first_mw, found.second_mw, found.designs) == (None, None, 0)
    assert "does not compute in fp32" in found.problem
    assert len(found.differences) > 40
    assert {difference.effect_ratio for difference in found.differences} == {None}


def test_the_reference_workload_is_one_that_fits(load_profile):
    """76.7 MB of transducer fit a phone's DRAM, but not 2 MB of flash."""
    assert reference_workload([load_profile("phone-npu"), load_profile("watch-npu")]).name == "emformer-rnnt-base"
    assert reference_workload([load_profile("phone-npu"), load_profile("stm32u575")]).name == "mlperf-tiny-sww"
