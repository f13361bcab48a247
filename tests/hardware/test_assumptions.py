"""Which share of the power rests on assumptions: what is missing without them, told in every result."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from foldsim import simulate
from foldsim.data import shipped_dram
from foldsim.hardware.memory.dram import read_dram, sourced_ratio
from foldsim.hardware.profile import from_document
from foldsim.schema.quantity import quantities
from foldsim.sweeps.engine import run
from foldsim.sweeps.space import DesignSpace

HEAD = "extends: phone-npu\nname: mine\ntitle: T\nsummary: S\n"
ENERGIES = ("_pj", "_pj_per_byte", "_pj_per_mac", "_mw", "_uj", "_uw_per_mhz_v2")


def ratio_of(profile, **options):
    return simulate("emformer-rnnt-base", profile, chunk_ms=160, **options).totals["power_assumption_ratio"]


def changed_sources(profile, kind):
    """The profile with every source of one kind."""
    data = copy.deepcopy(profile.document.data)
    for source in data["sources"].values():
        source["kind"] = kind
    return from_document(replace(profile.document, data=data))


def test_without_assumptions_none_and_with_nothing_else_all(shipped_profile):
    """But for DRAM by type, whose parts have sources of their own."""
    least, ratio, most = (
        ratio_of(changed)
        for changed in (
            changed_sources(shipped_profile, "measured"),
            shipped_profile,
            changed_sources(shipped_profile, "assumption"),
        )
    )
    assert 0 <= least <= ratio <= most <= 1
    if not any(level.dram for level in shipped_profile.spec.memory_levels):
        assert (least, most) == (pytest.approx(0.0, abs=1e-12), pytest.approx(1.0))


@pytest.mark.parametrize("name", ["phone-npu", "watch-npu", "gap9"])
def test_it_is_the_power_that_doubling_the_assumed_adds(load_profile, name):
    """Power is linear: twice every assumed coefficient adds what rests on them. A share of background counts once."""
    profile = load_profile(name)
    data = copy.deepcopy(profile.document.data)
    for path, quantity in quantities(profile.spec):
        assumed = profile.spec.sources[quantity.source].kind == "assumption"
        if assumed and (str(path[-1]).endswith(ENERGIES) or path[-1] == "charged_ratio"):
            node = data
            for key in path:
                node = node[key]
            if path[-1] == "charged_ratio":  # a share cannot double: the powers that it multiplies do instead
                for state in ("active_standby_mw", "power_down_mw", "self_refresh_mw"):
                    power = data["memory_levels"][path[1]]["background"][state]
                    power.update({end: 2 * power[end] for end in ("value", "low", "high")})
            else:
                node.update({end: 2 * node[end] for end in ("value", "low", "high")})
    doubled = from_document(replace(profile.document, data=data))
    before = simulate("emformer-rnnt-base", profile, chunk_ms=160).totals
    after = simulate("emformer-rnnt-base", doubled, chunk_ms=160).totals
    added = after["power_mw"] / before["power_mw"] - 1.0
    assert before["power_assumption_ratio"] == pytest.approx(added, rel=1e-9)


def test_a_power_law_with_an_assumed_factor_is_assumed(load_profile):
    """The activity of the phone CPU is an assumption, its law is not: static yes, dynamic no."""
    job = simulate("emformer-rnnt-base", "pixel5-cpu", chunk_ms=160)
    terms = {term.name: term.power_mw for term in job.power_terms}
    measured = terms["power law, static"] + sum(
        terms[f"{lv} {way}"] for lv in ("l2", "l3", "dram") for way in ("reads", "writes")
    )
    assert 1.0 - measured / job.totals["power_mw"] == pytest.approx(job.totals["power_assumption_ratio"])


def test_parts_of_a_dram_record_count_by_themselves():
    """LPDDR4X: core and I/O are derived, controller and rows (their use) assumed; standby powers are derived."""
    record = read_dram(shipped_dram()["lpddr4x"])[0]
    known = record.core_read_pj_per_byte.value + record.io_read_pj_per_byte.value
    whole = known + 40 + record.activate_pj.value / (2048 * 0.5)
    assert sourced_ratio(record, "read_pj_per_byte") == pytest.approx(known / whole)
    assert sourced_ratio(record, "self_refresh_mw") == 1.0
    assert sourced_ratio(read_dram(shipped_dram()["lpddr5"])[0], "active_standby_mw") == 0.0


def test_a_filled_level_counts_its_parts(files):
    number = "{value: 64, low: 64, high: 64, source: lpddr5x}"
    use = f"{{type: lpddr4x, width_bits: {number}, data_rate_mt_per_s: {number.replace('64', '4266')}, "
    use += "charged_ratio: {value: 1, low: 1, high: 1, source: lpddr5x}}"
    profile = files.load("mine.yaml", HEAD + f"memory_levels:\n  - name: dram\n    dram: {use}\n")
    bands = profile.bands("int8")
    nominal, known = bands.nominal.levels[2], bands.sourced.levels[2]
    record = read_dram(shipped_dram()["lpddr4x"])[0]
    assert known.read_pj_per_byte == pytest.approx(nominal.read_pj_per_byte * sourced_ratio(record, "read_pj_per_byte"))
    assert known.background_idle_mw == nominal.background_idle_mw
    assert known.bandwidth_bytes_per_s == nominal.bandwidth_bytes_per_s


def test_what_is_set_is_an_assumption(emformer, load_profile):
    axes = {"profile.memory_levels.dram.read_pj_per_byte": (80.0,)}
    phone = load_profile("phone-npu")
    plain, changed = (
        run(DesignSpace([emformer], [phone], (160.0,), (1,), sets=sets))["power_assumption_ratio"][0]
        for sets in ({}, axes)
    )
    assert changed > plain + 0.4


@pytest.mark.parametrize("by", ["total", "component", "op"])
def test_sweeps_tell_it(emformer, load_profile, by):
    table = run(DesignSpace([emformer], [load_profile("gap9")], (80.0, 160.0), (1, 2), by=by))
    assert ((table["power_assumption_ratio"] > 0) & (table["power_assumption_ratio"] < 1)).all()
    assert len(np.unique(table["power_assumption_ratio"])) == 4
