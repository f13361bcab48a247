"""The shipped library: which chips there are, that their sources hold, and that published points are all carried."""

from __future__ import annotations

import csv
import re
import statistics

import pytest

from foldsim import simulate, sweep
from foldsim.cli.sweep import DEFAULT_PROFILES
from foldsim.data import shipped
from foldsim.hardware.profile import profile_findings
from foldsim.schema.quantity import quantities

LIBRARY = {
    "phone CPU": "pixel5-cpu pixel6-cpu pixel6-x1-cpu pixel7-cpu pixel8-cpu pixel9-cpu snapdragon-865-cpu"
    " snapdragon-888-cpu",
    "phone NPU": "phone-npu snapdragon-8-gen1-npu snapdragon-8-gen2-npu snapdragon-8-gen3-npu snapdragon-8-elite-npu"
    " apple-a15-ane apple-a17-pro-ane dimensity-9300-npu exynos-2400-npu",
    "wearable": "watch-npu glasses-npu",
    "edge": "coral-edge-tpu ethos-u65 ethos-u85 raspberry-pi-4 raspberry-pi-5",
    "GPU": "jetson-xavier-nx jetson-agx-xavier jetson-orin-nano jetson-agx-orin",
    "microcontroller": "gap9 ndp120 ethos-u55 alif-e7 stm32u385 stm32u575 stm32l4r5 stm32h7a3",
}
NAMES = [name for names in LIBRARY.values() for name in names.split()]


def test_these_chips_ship():
    assert sorted(NAMES) == sorted(shipped("hw_profiles"))


def test_the_main_job_takes_one_of_each_class():
    """The library would bury the answer; what the command prints stays what it was."""
    assert DEFAULT_PROFILES == ("phone-npu", "pixel5-cpu", "watch-npu", "coral-edge-tpu", "gap9")


def test_strict_validation_finds_nothing(shipped_profile):
    """No unsourced number, no unused source, nothing that cannot be looked up, no energy on an assumption alone."""
    assert profile_findings(shipped_profile.document, strict=True)[1] == []


def test_bad_grades_say_what_is_not_known(shipped_profile):
    """C and D: the summary names what is assumed or representative."""
    if shipped_profile.spec.grade in "CD":
        assert re.search(r"[Aa]ssumed|[Rr]epresentative", shipped_profile.spec.summary)


def test_good_grades_rest_on_measurements_or_data_sheets(shipped_profile):
    """A: the law of the busy chip, or its energy per MAC, is measured or from a data sheet."""
    spec = shipped_profile.spec
    if spec.grade == "A":
        law = spec.compute_units[0].power_law
        assert law is not None
        rests_on = [law.static_mw, law.dynamic_uw_per_mhz_v2, *(p.measured_mw for p in spec.operating_points)]
        assert {spec.sources[q.source].kind for q in rests_on if q is not None} <= {"measured", "datasheet"}


def test_at_most_one_energy_and_one_efficiency_rest_on_a_validation_row(shipped_profile):
    """Numbers known only from a row that validation uses name it, so that the row is not taken for a check.

    A number fitted on a row of another chip and carried over says so in the name of its source.
    """
    rows: dict[str, list[str]] = {"energy": [], "time": [], "carried": []}
    for path, quantity in quantities(shipped_profile.spec):
        source = shipped_profile.spec.sources[quantity.source]
        if re.search(r"\(row \w", source.title):
            own = "energy" if re.search("_pj|_mw|_uw|activity", str(path[-1])) else "time"
            kind = "carried" if source.title.endswith(", another chip)") else own
            rows[kind].append(".".join(map(str, path)))
    assert len(rows["energy"]) <= 1, rows
    assert len(rows["time"]) <= 1, rows
    assert len(rows["carried"]) <= 2, rows


# ---- operating points -----------------------------------------------------------------------------------------------

# MHz, and volts where they are published.
POINTS = {
    "stm32u385": {96: None},
    "stm32u575": {160: None, 60: None},
    "stm32l4r5": {120: None, 70: None},
    "stm32h7a3": {280: None, 40: None},
    "ndp120": {30.7: 0.9, 49.2: 1.0, 98.7: 1.1},
    "gap9": {240: 0.65, 370: 0.8},
    "jetson-xavier-nx": {752.25: None},
    "jetson-agx-xavier": {1032.75: None},
    "jetson-orin-nano": {625: None, 1020: None},
}


@pytest.mark.parametrize("name", POINTS)
def test_every_published_point_is_there(load_profile, name):
    there = {p.frequency_hz.value / 1e6: p.voltage_v.value for p in load_profile(name).spec.operating_points}
    for mhz, volts in POINTS[name].items():
        assert mhz in there
        assert volts in (None, there[mhz])


MEASURED = {  # chip and runs of the table, first core of the cluster, steps left out on purpose [MHz]
    "pixel7-cpu": ("gs201", ["main"], "4", ()),
    "pixel8-cpu": ("zuma", ["main"], "4", ()),
    "pixel9-cpu": ("zumapro", ["main"], "4", (1795,)),
    "snapdragon-865-cpu": ("sm8250", ["main", "k30s"], "4", ()),
    "snapdragon-888-cpu": ("sm8350", ["main", "second", "third", "fourth", "fifth"], "4", ()),
}


@pytest.mark.parametrize("name", MEASURED)
def test_chips_without_voltages_carry_every_measured_power(load_profile, data_dir, name):
    """Value: the first run, or the median of many; the range holds them all."""
    chip, runs, core, left_out = MEASURED[name]
    powers: dict[int, dict[str, float]] = {}
    with (data_dir / "cpu_dvfs_power.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (row["soc"], row["cpu_id"]) == (chip, core) and row["run"] in runs:
                by_run = powers.setdefault(int(row["freq_kHz"]) * 1000, {})
                by_run[row["run"]] = float(row["measured_mW_single_core_CoreMark"])
    points = load_profile(name).spec.operating_points
    wanted = [hz for hz in powers if round(hz / 1e6) not in left_out]
    assert [p.frequency_hz.value for p in points] == wanted
    for point, hz in zip(points, wanted, strict=True):
        found = powers[hz].values()
        value = statistics.median(found) if len(runs) > 2 else powers[hz][runs[0]]
        assert point.measured_mw.value == pytest.approx(value, rel=5e-3)
        assert point.measured_mw.low <= min(found) * 1.005
        assert point.measured_mw.high >= max(found) * 0.995


def test_the_law_of_the_u575_meets_its_data_sheet(load_profile):
    """DS13737 Rev 8: 7.15, 4.40, 3.05, 2.80 mA and 2.20 mA at 3 V in ranges 1, 2, 2, 2 and 3, within 1.2 %."""
    law = load_profile("stm32u575").spec.compute_units[0].power_law
    hz, volts = [160e6, 110e6, 72e6, 64e6, 55e6], [1.2, 1.1, 1.1, 1.1, 1.0]
    sheet_mw = [3.0 * ma for ma in (7.15, 4.40, 3.05, 2.80, 2.20)]
    static, slope = law.static_mw.value, law.dynamic_uw_per_mhz_v2.value
    law_mw = [static + slope * 1e-9 * f * v**2 for f, v in zip(hz, volts, strict=True)]  # uW per MHz = 1e-9 mW per Hz
    assert law_mw == pytest.approx(sheet_mw, rel=0.0125)


@pytest.mark.parametrize("name", ["stm32u575", "stm32l4r5", "stm32h7a3", "ndp120"])
def test_small_chips_take_the_same_cycles_at_every_clock(load_profile, name):
    """As measured on STM32s within 0.3 %: latency goes with the clock."""
    cycles = []
    for point in load_profile(name).spec.operating_points:
        result = simulate("mlperf-tiny-sww", name, policy=point.name)
        cycles.append(result.totals["busy_ms_per_chunk"] * point.frequency_hz.value)
    assert cycles == pytest.approx([cycles[0]] * len(cycles), rel=1e-9)


def test_a_low_clock_that_keeps_up_beats_a_race(load_profile):
    """Power rises faster than speed at the top of every phone's curve: 634 mW at 2.35 GHz, 182 mW at 1.49 GHz."""
    for name in LIBRARY["phone CPU"].split()[3:]:
        race, slow = (
            simulate("emformer-rnnt-base", name, chunk_ms=640, policy=policy).totals
            for policy in ("race-to-idle", "slowest-real-time")
        )
        assert slow["power_compute_mw"] < race["power_compute_mw"], name
        assert slow["realtime"]


# ---- what they predict ----------------------------------------------------------------------------------------------


def test_chips_with_memory_for_it_recognise_in_real_time(shipped_profile, emformer):
    """The 77 MB transducer at 640 ms, on everything that has DRAM."""
    if shipped_profile.spec.memory_levels[-1].kind == "dram":
        table = sweep(emformer, shipped_profile, [640.0], [1, 2])
        assert table["fits"].all()
        assert table["realtime"].all() or shipped_profile.name == "coral-edge-tpu"
        assert (table["power_low_mw"] < table["power_mw"]).all()
        assert (table["power_mw"] < table["power_high_mw"]).all()


@pytest.mark.parametrize("name", ["jetson-xavier-nx", "jetson-agx-xavier", "jetson-orin-nano"])
def test_serial_steps_pay_a_launch_each_on_a_gpu(load_profile, name):
    """MLPerf RNN-T, 1.2 s: 40 steps of two layers and 20 of three; each at least a launch."""
    ops = sweep("mlperf-rnnt", name, [1200.0], [1], by="op")
    steps = ops[(ops["component"] == "encoder") & (ops["op"] == "recurrent_gates")]
    launches = 2 * 40 + 3 * 20
    dispatch_ms = 1e3 * load_profile(name).spec.compute_units[0].dispatch_s.value
    assert steps["busy_ms_per_chunk"].sum() >= launches * dispatch_ms
