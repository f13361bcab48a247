"""Targets of validation: the format's refusals, errors and summaries by hand, and no measurement forgotten."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from foldsim.evidence import validation
from foldsim.evidence.validation import FOLDING_PAPER, Row, leave_one_out, rows_of, summary
from foldsim.evidence.validation_predict import SAMPLES, fitted_in, outcome, predict
from foldsim.evidence.validation_targets import TargetDesign, group_from, group_names, load_group
from foldsim.evidence.validation_tiling import exhaustive_bytes, tiling_ratios
from foldsim.hardware.calibration_record import CalibrationRecord
from foldsim.hardware.profile import load_profile
from foldsim.schema import InputError, parse_yaml

HERE = Path(__file__).parent
GROUP = """\
name: fake
title: Two chips, four numbers
summary: Made up.
scope: chip rail
sources:
  paper: {title: A paper, kind: paper}
tolerance_ratio: {latency_ms: 0.4}
defaults: {workload: mlperf-tiny-kws, profile: gap9, operating_point: 240mhz, chunk_ms: 1000, mode: busy}
targets:
  - id: one
    device: GAP9
    conditions: none
    source: paper
    measured:
      - {quantity: latency_ms, value: 1.0}
"""


def row(predicted: float, measured: float = 100.0, low: float = 50.0, high: float = 200.0, **more: object) -> Row:
    """A row whose band is 50 to 200."""
    given: dict[str, object] = {
        "group": "fake",
        "target": "t",
        "quantity": "latency",
        "device": "d",
        "scope": "chip rail",
        "unit": "ms",
        "workload": "w",
        "profile": "p",
        "operating_point": "",
        "fold_factor": 1,
        "fold_layers": "none",
        "chunk_ms": 10.0,
        "measured_row": "",
        "measured_low": measured,
        "measured_high": measured,
        "predicted": predicted,
        "predicted_low": low,
        "predicted_high": high,
        "tolerance": (0.6, 1.4),
    }
    return Row(**{**given, **more})  # type: ignore[arg-type]


def refused(text: str) -> str:
    with pytest.raises(InputError) as caught:
        group_from(parse_yaml(text, "fake.yaml"))
    return "\n".join(f"{f.line}:{f.column} {f.message} {f.suggestion or ''}" for f in caught.value.findings)


# ---- the format ----------------------------------------------------------------------------------------------------


def test_a_group_is_read():
    group = group_from(parse_yaml(GROUP, "fake.yaml"))
    assert group.targets[0].over(group.defaults).profile == "gap9"
    assert group.tolerance_of(group.targets[0].measured[0]) == (0.6, 1.4)


@pytest.mark.parametrize(
    ("old", "new", "place", "told"),
    [
        ("source: paper", "source: papre", "13:13", "no source called 'papre' paper"),
        ("value: 1.0}", "low: 1.0}", "15:9", "give value, or low and high"),
        ("value: 1.0}", "low: 2.0, high: 1.0}", "15:", "low 2 is above high 1"),
        ("value: 1.0}", "value: 1.0, form: ratio}", "15:", "a ratio needs `against`"),
        ("value: 1.0}", "value: 1.0, level: sram}", "15:", "need the level they count at"),
        ("quantity: latency_ms, value: 1.0", "quantity: latency, value: 1.0", "15:", "latency_ms"),
        ("workload: mlperf-tiny-kws, ", "", "10:", "say the workload"),
        ("scope: chip rail\n", "", "9:", "say the scope"),
        ("    device: GAP9\n", "", "10:", "device"),
        ("conditions: none", "conditions: none\n    speed: 3", "13:5", "speed"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(old: str, new: str, place: str, told: str):
    assert old in GROUP
    found = refused(GROUP.replace(old, new))
    assert told in found
    assert place in found


def test_all_errors_are_told_at_once():
    found = refused(GROUP.replace("source: paper", "source: papre").replace("value: 1.0}", "low: 1.0}"))
    assert len(found.splitlines()) == 2


def test_repeated_ids_are_refused():
    again = GROUP[GROUP.index("  - id: one") :]
    assert "the id 'one' is used twice" in refused(GROUP + again)


def test_changes_of_a_target_add_to_those_of_the_group():
    merged = TargetDesign(sets=["a=1"], chunk_ms=5.0).over(TargetDesign(sets=["b=2"], chunk_ms=6.0, mode="busy"))
    assert (merged.sets, merged.chunk_ms, merged.mode) == (["b=2", "a=1"], 5.0, "busy")


# ---- errors and summaries, by hand ---------------------------------------------------------------------------------


def test_error_and_band_of_a_number():
    assert row(130.0).error_ratio == pytest.approx(0.3)
    assert row(130.0).within is True
    assert row(150.0).within is False
    assert row(130.0).inside is True  # 50 <= 100 <= 200
    assert row(130.0, measured=250.0).inside is False
    assert row(130.0, fitted="x").within is None


def test_a_factor_holds_either_way():
    """Within 2x is half to double: 40 % too low is in, 60 % too low is out, though 100 % too high is in."""
    group = group_from(
        parse_yaml(GROUP.replace("tolerance_ratio: {latency_ms: 0.4}", "tolerance_factor: {latency_ms: 2}"), "f")
    )
    tolerance = group.tolerance_of(group.targets[0].measured[0])
    assert tolerance == (0.5, 2.0)
    assert [row(x, tolerance=tolerance).within for x in (40.0, 60.0, 190.0, 210.0)] == [False, True, True, False]


def test_error_of_a_published_range():
    """To its nearest end; a percentage is compared at its two digits."""
    claim = {"measured_low": 0.12, "measured_high": 0.24, "unit": "ratio", "tolerance": None}
    assert row(0.244, **claim).inside is True
    assert row(0.30, **claim).error_ratio == pytest.approx(0.30 / 0.24 - 1)
    assert row(0.06, **claim).error_ratio == pytest.approx(-0.5)
    assert row(0.06, **claim).within is None


def test_without_a_band_the_tolerance_decides():
    assert row(101.0, low=101.0, high=101.0).inside is True
    assert row(150.0, low=150.0, high=150.0).inside is False


def test_summary_by_hand():
    """Errors +30, -20, +100 %; the fitted row counts in none."""
    rows = [row(130.0), row(80.0), row(200.0, high=220.0), row(70.0, low=110.0, fitted="efficiency")]
    s = summary("fake", rows)
    assert (s.rows_count, s.fitted_count, s.tested_count, s.missed_count) == (4, 1, 3, 1)
    assert s.median_error_ratio == pytest.approx(0.3)
    assert s.worst_error_ratio == pytest.approx(1.0)
    assert s.bias_ratio == pytest.approx((1.3 * 0.8 * 2.0) ** (1 / 3) - 1)
    assert (s.covered_count, s.banded_count) == (3, 3)


def test_one_left_out_scales_by_the_other_rows_of_the_chip():
    """Predictions 2x, 2x and 4x too high: each is scaled by the geometric mean of the two others."""
    rows = [row(200.0), row(200.0), row(400.0), row(50.0, profile="alone")]
    errors = [error for _, error in leave_one_out(rows)]
    assert errors == pytest.approx([2 / math.sqrt(8) - 1, 2 / math.sqrt(8) - 1, 4 / 2 - 1])


def test_a_missing_profile_is_no_crash():
    (found,) = rows_of(group_from(parse_yaml(GROUP.replace("profile: gap9", "profile: gap99"), "fake.yaml")), HERE)
    assert "no profile named 'gap99'" in found.problem
    assert found.within is False
    assert summary("fake", [found]).missed_count == 1


# ---- predictions ---------------------------------------------------------------------------------------------------


def test_busy_numbers_leave_sleep_out():
    design = TargetDesign(workload="mlperf-tiny-sww", profile="stm32u575", operating_point="160mhz", chunk_ms=32.0)
    busy = outcome(HERE, design.model_copy(update={"mode": "busy"}))
    streaming = outcome(HERE, design.model_copy(update={"mode": "streaming"}))
    assert busy.busy_s == pytest.approx(streaming.busy_s)
    assert streaming.period_s == pytest.approx(0.032)
    assert (busy.energy_pj < streaming.energy_pj).all()
    assert len(busy.busy_s) == 1 + SAMPLES.count


def test_energy_of_a_level_that_the_meter_does_not_see():
    design = TargetDesign(
        workload="emformer-rnnt-base", profile="phone-npu", chunk_ms=160.0, placement="dram", mode="busy"
    )
    whole = outcome(HERE, design)
    seen = outcome(HERE, design.model_copy(update={"excludes": ["dram"]}))
    assert seen.energy_pj == pytest.approx(whole.energy_pj - whole.offchip_pj)


def test_a_meter_read_less_idle_loses_idle_power_times_the_time_of_the_work():
    design = TargetDesign(workload="emformer-rnnt-base", profile="jetson-orin-nano", chunk_ms=160.0, mode="busy")
    whole, less = (outcome(HERE, design.model_copy(update={"excludes": gone})) for gone in (None, ["idle"]))
    assert whole.energy_pj[0] - less.energy_pj[0] == pytest.approx(515 * whole.busy_s[0] * 1e9)  # 515 mW


def test_time_outside_the_model_adds_to_the_latency_alone():
    text = GROUP.replace(
        "    measured:\n", "    outside_ms: {value: 2, low: 1, high: 4, source: paper}\n    measured:\n"
    )
    text += "      - {quantity: energy_uj, value: 1.0}\n"
    group = group_from(parse_yaml(text, "fake.yaml"))
    (target,) = group.targets
    alone = target.model_copy(update={"outside_ms": None})
    for measured, more in zip(target.measured, (2.0, 0.0), strict=True):
        with_it, without = (predict(t, group, HERE, measured) for t in (target, alone))
        assert with_it.value - without.value == pytest.approx(more)
        assert (with_it.high - with_it.low > without.high - without.low) is (more > 0)


def test_time_outside_the_model_names_a_source_of_the_group():
    text = GROUP.replace(
        "    measured:\n", "    outside_ms: {value: 2, low: 1, high: 4, source: papers}\n    measured:\n"
    )
    with pytest.raises(InputError, match="no source called 'papers'"):
        group_from(parse_yaml(text, "fake.yaml"))


def test_numbers_per_invocation_of_a_component():
    design = TargetDesign(workload="emformer-rnnt-base", profile="phone-npu", chunk_ms=160.0, components=["joiner"])
    whole, each = (outcome(HERE, design.model_copy(update={"per": per})) for per in ("chunk", "joiner"))
    assert whole.busy_s[0] / each.busy_s[0] == pytest.approx(4 + 0.64)  # nominal; the symbol rate has a range


def test_the_profile_says_what_was_fitted_on_a_number():
    """By row, or by the target's own name, and by what was measured."""
    group = group_from(parse_yaml(GROUP, "fake.yaml"))
    target, measured = group.targets[0], group.targets[0].measured[0]
    spec = load_profile("gap9").spec
    entry = {"row": "one", "quantity": "busy_ms", "measured": 1.0, "fitted": True}
    entry |= {"error_before_ratio": 0.1, "error_after_ratio": 0.0}

    def with_row(**changes: object):
        record = CalibrationRecord.model_validate(
            {
                "base": "gap9",
                "measurements": "m.csv",
                "measurements_sha256": "0",
                "fitted": [{"name": "time_factor", "value": 1.1, "low": 1.0, "high": 1.2, "numbers": ["x"]}],
                "correlation": [[1.0]],
                "rows": [{**entry, **changes}],
            }
        )
        return spec.model_copy(update={"calibration": record})

    assert fitted_in(spec, target, measured) == ""
    assert fitted_in(with_row(), target, measured) == "time_factor"
    assert fitted_in(with_row(row="two"), target, measured) == ""
    assert fitted_in(with_row(fitted=False), target, measured) == ""
    assert fitted_in(with_row(quantity="energy_busy_uj"), target, measured) == ""


def test_exhaustive_search_by_hand():
    """4 x 8 x 16 in int8: 32 + 128 + 64 bytes where all fits; with room for single elements every step loads both."""
    assert exhaustive_bytes(4, 8, 16, 1.0e6, (1.0, 1.0, 1.0)) == 224.0
    assert exhaustive_bytes(4, 8, 16, 6.0, (1.0, 1.0, 1.0)) == pytest.approx(64 + 512 + 512)
    ratios = tiling_ratios(50, 48, 3)
    assert ratios.min() > 1 - 1e-9
    assert ratios.max() < 1.02


# ---- what ships ----------------------------------------------------------------------------------------------------


def test_no_measurement_is_forgotten(data_dir):
    """Every row of the collection is a target, or stands with the reason why not; and nothing else is named."""
    with (data_dir / "measured.csv").open(encoding="utf-8") as file:
        known = {entry["id"] for entry in csv.DictReader(file)}
    groups = [load_group(name) for name in group_names()]
    predicted = {t.row for g in groups for t in g.targets if t.row} | {"relative_lp5_folding"}
    omitted = {o.row for g in groups for o in g.omitted}
    assert predicted | omitted == known
    assert not predicted & omitted


def test_measured_numbers_are_those_of_the_collection(data_dir):
    """Latency, power and energy of a target are those of its row."""
    with (data_dir / "measured.csv").open(encoding="utf-8") as file:
        known = {entry["id"]: entry for entry in csv.DictReader(file)}
    columns = {
        "latency_ms": ("latency_ms", 1.0),
        "power_mw": ("power_mW", 1.0),
        "energy_uj": ("energy_mJ_per_inf", 1e3),
    }
    columns["throughput_per_s"] = ("throughput_per_s", 1.0)
    compared = 0
    for name in group_names():
        for target in load_group(name).targets:
            for m in target.measured:
                if target.row and m.form == "value" and m.quantity in columns and m.value:
                    column, scale = columns[m.quantity]
                    assert m.value == pytest.approx(scale * float(known[target.row][column]), rel=2e-3), target.id
                    compared += 1
    assert compared > 60


def test_peers_job_is_the_one_of_the_worked_example(data_dir):
    folder = load_folder()
    for kind, file in (("workloads", "matched_job_workload"), ("hw_profiles", "matched_job_profile")):
        assert (folder / kind / "matched-job.yaml").read_text() == (data_dir / f"{file}.yaml").read_text()


def load_folder():
    from foldsim.data import data_dir as folder_of

    return folder_of("validation")


def test_groups_are_named_like_their_files():
    for name in group_names():
        assert load_group(name).name == name
    assert validation.all_groups()[0] == FOLDING_PAPER
