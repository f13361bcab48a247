"""Every shipped profile: valid, sourced, ordered, and translated to the model's records number by number."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from foldsim.designs.changes import SetError, change
from foldsim.hardware.profile import profile_findings
from foldsim.model.records import Hardware, LevelParams, PointParams, PowerLawParams, SystemParams, UnitParams
from foldsim.schema import InputError
from foldsim.schema.quantity import quantities

# Fields of the model's records that hold energies or powers; every other number sets time, size or the operating point.
ENERGY_FIELDS = {
    UnitParams: {"energy_pj_per_mac", "vector_pj", "static_mw", "idle_mw"},
    PowerLawParams: {"static_mw", "dynamic_uw_per_mhz_v2", "activity_ratio", "stalled_ratio"},
    LevelParams: {"read_pj_per_byte", "write_pj_per_byte", "static_mw", "retention_mw", "background_active_mw",
                  "background_idle_mw"},
    SystemParams: {"idle_mw", "busy_mw", "wake_uj"},
    PointParams: {"static_mw", "law_dynamic_mw", "idle_mw"},
    Hardware: set(),
}  # fmt: skip


def records_of(hardware):
    """Every record of a chip."""
    laws = [unit.power_law for unit in hardware.units if unit.power_law]
    return [*hardware.units, *laws, *hardware.levels, hardware.system, *hardware.points]


def precisions(profile):
    common = set(profile.spec.compute_units[0].precisions)
    for unit in profile.spec.compute_units[1:]:
        common &= set(unit.precisions)
    return sorted(common)


# ---- validity -----------------------------------------------------------------------------------------------


def test_it_is_valid_without_a_warning(shipped_profile):
    spec, findings = profile_findings(shipped_profile.document)
    assert findings == []
    assert spec == shipped_profile.spec


def test_it_is_named_as_its_file(shipped_profile):
    assert Path(shipped_profile.document.file).stem == shipped_profile.name


def test_every_number_names_a_source_and_every_source_is_used(shipped_profile):
    used = {quantity.source for _, quantity in quantities(shipped_profile.spec)}
    assert used == set(shipped_profile.spec.sources)


def test_sources_can_be_looked_up(shipped_profile):
    """Measured numbers, data sheets and papers say where; assumptions say why."""
    for key, source in shipped_profile.spec.sources.items():
        if source.kind in ("measured", "datasheet", "paper"):
            assert source.url or source.doi, key
        if source.kind == "assumption":
            assert source.note, key


def test_bands_hold_their_value(shipped_profile):
    for path, quantity in quantities(shipped_profile.spec):
        assert quantity.low <= quantity.value <= quantity.high, path


def test_derived_numbers_say_from_what(shipped_profile):
    """A `rule` in words needs the number it was applied to; named rules ask for what they need."""
    for path, quantity in quantities(shipped_profile.spec):
        assert not isinstance(quantity.rule, str) or quantity.origin is not None, path


# ---- physics ------------------------------------------------------------------------------------------------


def inner_and_outer(profile):
    levels = profile.spec.memory_levels
    return list(pairwise(levels))


def test_energy_per_byte_falls_inward(shipped_profile):
    for inner, outer in inner_and_outer(shipped_profile):
        assert inner.read_pj_per_byte.value < outer.read_pj_per_byte.value
        assert inner.write_pj_per_byte.value < outer.write_pj_per_byte.value


def test_bandwidth_rises_inward(shipped_profile):
    for inner, outer in inner_and_outer(shipped_profile):
        assert inner.bandwidth_gb_per_s.value > outer.bandwidth_gb_per_s.value
        reached = [x.bandwidth_gb_per_s.value * x.bandwidth_efficiency_ratio.value for x in (inner, outer)]
        assert reached[0] > reached[1]


def test_capacity_falls_inward(shipped_profile):
    """Of what keeps data; registers of many cores may be larger than the cache they share."""
    for inner, outer in inner_and_outer(shipped_profile):
        assert not inner.keeps_data or inner.capacity_bytes.value <= outer.capacity_bytes.value


def test_dram_is_off_chip_and_deeper_sleep_takes_less(shipped_profile):
    for level in shipped_profile.spec.memory_levels:
        assert level.on_chip == (level.kind != "dram")
        if level.background:
            states = level.background
            powers = [x.value for x in (states.self_refresh_mw, states.power_down_mw, states.active_standby_mw)]
            assert powers == sorted(powers)
            assert states.idle_state != "active_standby"


def test_faster_points_need_no_less_voltage(shipped_profile):
    points = sorted(shipped_profile.spec.operating_points, key=lambda p: p.frequency_hz.value)
    assert all(np.diff([p.voltage_v.value for p in points]) >= 0)
    static = [p.static_mw.value for p in points if p.static_mw]
    assert static == sorted(static)


def test_the_reference_point_runs_at_the_clock_of_the_first_unit(shipped_profile):
    """Energies, clocks and bandwidths hold there."""
    spec = shipped_profile.spec
    reference = next(p for p in spec.operating_points if p.name == spec.reference_operating_point)
    assert spec.compute_units[0].clock_hz.value == reference.frequency_hz.value


def test_the_chip_takes_less_asleep_than_at_work(shipped_profile):
    """Units, levels, DRAM background and the rest together, at every end of the ranges."""
    bands = shipped_profile.bands("int8")
    for hardware in (bands.low, bands.nominal, bands.high):
        units, levels, system = hardware.units, hardware.levels, hardware.system
        asleep = (
            system.idle_mw + sum(x.idle_mw for x in units) + sum(x.retention_mw + x.background_idle_mw for x in levels)
        )
        busy = system.busy_mw + sum(x.static_mw + (x.power_law.static_mw if x.power_law else 0.0) for x in units)
        busy += sum(x.static_mw + x.background_active_mw for x in levels)
        # A core that sleeps with its clocks running takes more than what is static, but less than one that waits.
        point, first = hardware.points[hardware.reference], units[0]
        if law := first.power_law:
            law_mw = law.dynamic_uw_per_mhz_v2 * point.frequency_hz / 1e6 * point.voltage_v**2 / 1e3
            waiting = law_mw if np.isnan(point.law_dynamic_mw) else point.law_dynamic_mw
            busy += first.cores_count * waiting * law.stalled_ratio
        assert asleep < busy


def test_peak_rate_agrees_with_the_array(shipped_profile):
    """int8: cores x k x n x m products per cycle are what the profile states as the peak."""
    for unit in shipped_profile.spec.compute_units:
        shape = unit.unroll_m_count.value * unit.unroll_k_count.value * unit.unroll_n_count.value
        assert unit.precisions["int8"].macs_per_cycle.value == shape


def test_wider_formats_cost_more(shipped_profile):
    """Energy per MAC rises and rate falls with the width of the operands."""
    for unit in shipped_profile.spec.compute_units:
        by_width = [unit.precisions[p] for p in ("int4", "int8", "int16") if p in unit.precisions]
        energies = [rate.energy_pj_per_mac.value for rate in by_width if rate.energy_pj_per_mac]
        assert energies == sorted(energies)
        rates = [rate.macs_per_cycle.value for rate in by_width]
        assert rates == sorted(rates, reverse=True)


# ---- translation --------------------------------------------------------------------------------------------


def test_low_and_high_differ_from_nominal_in_energies_only(shipped_profile):
    """Timing, sizes and operating points are the nominal ones at both ends."""
    for precision in precisions(shipped_profile):
        bands = shipped_profile.bands(precision)
        for end in (bands.low, bands.high):
            assert end.point_names == bands.nominal.point_names
            assert end.reference == bands.nominal.reference
            for record, nominal in zip(records_of(end), records_of(bands.nominal), strict=True):
                for field in fields(record):
                    if field.name not in ENERGY_FIELDS[type(record)] | {"power_law"}:  # compared as its own record
                        assert getattr(record, field.name) == getattr(nominal, field.name), field.name


def test_the_two_ends_lie_around_nominal(shipped_profile):
    """And really differ: half of the energies at the least."""
    for precision in precisions(shipped_profile):
        bands = shipped_profile.bands(precision)
        differ, every = 0, 0
        for low, mid, high in zip(*(records_of(h) for h in (bands.low, bands.nominal, bands.high)), strict=True):
            for name in ENERGY_FIELDS[type(mid)]:
                ends = [np.atleast_1d(getattr(record, name)) for record in (low, mid, high)]
                if np.isnan(ends[1]).any():
                    assert np.isnan(ends[0]).all()
                    assert np.isnan(ends[2]).all()
                    continue
                assert (ends[0] <= ends[1]).all(), name
                assert (ends[1] <= ends[2]).all(), name
                if ends[1].any():
                    differ += int((ends[0] < ends[2]).any())
                    every += 1
        assert differ > every / 2


def test_every_energy_of_the_yaml_reaches_the_model(shipped_profile, changed):
    """Raising any one energy, power or share of the file moves some number of the model's record."""
    plain = shipped_profile.bands("int8").nominal
    spec = shipped_profile.spec
    suffixes = ("_pj", "_pj_per_byte", "_pj_per_mac", "_mw", "_uj", "_uw_per_mhz_v2")
    unused = {"power_down_mw", "self_refresh_mw", "active_standby_mw"}  # DRAM states other than the ones in use
    for path, quantity in quantities(spec):
        name = str(path[-1])
        if not name.endswith(suffixes) or ("precisions" in path and "int8" not in path):
            continue
        if name in unused and name not in (
            "active_standby_mw",
            f"{spec.memory_levels[path[1]].background.idle_state}_mw",
        ):
            continue

        def raise_it(data, path=path, quantity=quantity):
            for key in path:
                data = data[key]
            data.update(value=quantity.value + 1, high=quantity.high + 1)

        moved = changed(shipped_profile, raise_it).bands("int8").nominal
        assert not same(records_of(moved), records_of(plain)), path


def same(some, others):
    return all(
        np.array_equal(
            np.atleast_1d(getattr(a, f.name)), np.atleast_1d(getattr(b, f.name)), equal_nan=nan_able(a, f.name)
        )
        for a, b in zip(some, others, strict=True)
        for f in fields(a)
    )


def nan_able(record, name):
    return np.asarray(getattr(record, name)).dtype.kind == "f"


def test_units_of_the_yaml_become_units_of_the_model(load_profile):
    """67.2 GB/s, 1 ms of waking, half of 45 and of 2.6 mW of DRAM background, and one unit after another."""
    hardware = load_profile("phone-npu").bands("int8").nominal
    dram = hardware.levels[2]
    assert dram.bandwidth_bytes_per_s == 67.2e9
    assert dram.background_active_mw == 22.5
    assert dram.background_idle_mw == 1.3
    assert hardware.system.wake_s == 1e-3
    assert hardware.system.wake_uj == 100
    assert [lv.name for lv in hardware.levels] == ["vtcm", "slc", "dram"]
    assert [lv.is_cache for lv in hardware.levels] == [False, True, False]
    assert [lv.core_clock for lv in hardware.levels] == [True, False, False]
    assert hardware.point_names[hardware.reference] == "nominal"
    (unit,) = hardware.units
    assert (unit.macs_per_cycle, unit.energy_pj_per_mac) == (4096, 0.30)
    assert unit.vector_pj == (28, 15, 1.9, 0.6)
    assert unit.vector_per_cycle == (4, 4, 64, 64)
    half = load_profile("phone-npu").bands("fp16").nominal.units[0]
    assert (half.macs_per_cycle, half.energy_pj_per_mac) == (2048, 0.93)


def test_background_states_are_charged_by_share(load_profile, changed):
    """Low and high ends multiply: 0.1 x 34 and 1.0 x 58 mW; power-down instead of self-refresh."""

    def power_down(data):
        data["memory_levels"][2]["background"]["idle_state"] = "power_down"

    bands = changed(load_profile("phone-npu"), power_down).bands("int8")
    assert bands.low.levels[2].background_active_mw == pytest.approx(3.4, rel=1e-12)
    assert bands.high.levels[2].background_active_mw == pytest.approx(58, rel=1e-12)
    assert bands.nominal.levels[2].background_idle_mw == pytest.approx(1.8, rel=1e-12)


def test_a_format_the_chip_lacks_is_told_with_those_it_has(load_profile):
    with pytest.raises(InputError, match="does not compute in fp32") as caught:
        load_profile("phone-npu").bands("fp32")
    assert caught.value.findings[0].allowed == "int4, int8, int16, fp16"


def test_a_second_unit_runs_the_components_it_names(load_profile, changed):
    """A DSP beside the NPU takes the predictor; everything else stays."""

    def add_dsp(data):
        dsp = {**data["compute_units"][0], "name": "dsp", "runs": ["predictor"]}
        data["compute_units"].append(dsp)

    both = changed(load_profile("phone-npu"), add_dsp)
    assert both.unit_of(["front_end", "encoder", "predictor", "joiner"]).tolist() == [0, 0, 1, 0]
    assert load_profile("phone-npu").unit_of(["encoder", "predictor"]).tolist() == [0, 0]


def test_products_with_weights_may_run_in_another_format(load_profile):
    """A GPU that keeps fp32 but for int8 products with weights: 2,048 and 128 multiply-adds per cycle and SM."""
    spec = load_profile("jetson-orin-nano")
    plain = spec.bands("fp32").nominal.units[0]
    mixed = change(spec, "profile.compute_units.gpu.precisions.fp32.kernels.linear_format", "int8")
    unit = mixed.bands("fp32").nominal.units[0]
    assert (plain.macs_per_cycle, plain.attention) == (128.0, None)
    assert (unit.macs_per_cycle, unit.attention.macs_per_cycle) == (2048.0, 128.0)
    assert unit.energy_pj_per_mac == spec.bands("int8").nominal.units[0].energy_pj_per_mac
    assert unit.attention.efficiency == plain.efficiency


def test_a_format_that_products_name_must_be_there(load_profile):
    path = "profile.compute_units.gpu.precisions.fp32.kernels.linear_format"
    with pytest.raises(SetError, match="unit 'gpu' has no format 'int16'"):
        change(load_profile("jetson-orin-nano"), path, "int16")


# Power of one busy core [mW], single-core CoreMark: freqbench, Snapdragon 765G prime core, run "new".
FREQBENCH_MW = {
    "806mhz": 213.97, "1094mhz": 288.04, "1402mhz": 382.86, "1766mhz": 539.97,
    "1997mhz": 647.82, "2189mhz": 728.33, "2304mhz": 789.35, "2400mhz": 830.43,
}  # fmt: skip


def test_the_power_law_of_the_phone_cpu_meets_its_measurements(load_profile):
    """The fit's own errors: 3.6 % on average, 6.3 % at worst."""
    spec = load_profile("pixel5-cpu").spec
    law = spec.compute_units[0].power_law
    errors = []
    for point in spec.operating_points:
        mhz, volts = point.frequency_hz.value / 1e6, point.voltage_v.value
        power_mw = law.static_mw.value + law.dynamic_uw_per_mhz_v2.value * mhz * volts**2 / 1000
        errors.append(abs(power_mw / FREQBENCH_MW[point.name] - 1))
    assert np.mean(errors) == pytest.approx(0.036, abs=5e-4)
    assert max(errors) == pytest.approx(0.063, abs=5e-4)
