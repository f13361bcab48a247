"""Calibration: what was put in comes out, what the rows do not determine is refused, and the file written says it
all."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldsim.api import simulate
from foldsim.cli.calibrate import calibration_text, record_text
from foldsim.errors import UserError
from foldsim.evidence.calibration import calibrate
from foldsim.evidence.calibration_parameters import CalibrationError, parameter_names, parameters
from foldsim.evidence.calibration_profile import calibrated_profile
from foldsim.evidence.measurements import QUANTITIES, read_measurements
from foldsim.hardware.numbers import numbers_by_name
from foldsim.hardware.profile import load_profile as load
from foldsim.schema import InputError

CHUNKS_MS = (40, 160, 640, 1280)
BUSY = "busy_ms"
HEADER = "row,workload,chunk_ms,fold_factor,{quantities},uncertainty_ratio"


def node_at(data, path):
    for key in path:
        data = data[key]
    return data


def measured(workload, profile, quantities, chunk_ms=CHUNKS_MS, fold=(1,), uncertainty=""):
    """CSV of what foldsim itself says of a profile, by the interface for Python."""
    lines = [HEADER.format(quantities=",".join(quantities))]
    for number, (chunk, factor) in enumerate(itertools.product(chunk_ms, fold)):
        result = simulate(workload.fold(factor=factor) if factor > 1 else workload, profile, chunk)
        busy = [
            e for e, c in zip(result.ops["energy_per_chunk_uj"], result.ops["component"], strict=True) if c != "system"
        ]
        told = {
            "latency_ms": result.totals["latency_ms"],
            "busy_ms": result.totals["busy_ms_per_chunk"],
            "energy_uj": result.totals["energy_per_chunk_uj"],
            "energy_busy_uj": sum(busy),
            "power_mw": result.totals["power_mw"],
        }
        cells = [f"r{number}", workload.name, chunk, factor, *(repr(float(told[q])) for q in quantities), uncertainty]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


@pytest.fixture
def fit(tmp_path):
    """Fit a profile to CSV text."""

    def run(profile, text, names=None, rows=()):
        path = tmp_path / "measured.csv"
        path.write_text(text)
        return calibrate(profile, read_measurements(path, profile), names, rows)

    return run


@pytest.fixture
def with_numbers(changed):
    """A profile with other nominal numbers, by name."""

    def change(profile, values):
        known = numbers_by_name(profile.spec)

        def edit(data):
            for name, value in values.items():
                number = node_at(data, known[name][0])
                number["value"] = value
                number["low"], number["high"] = min(number["low"], value), max(number["high"], value)
                number.pop("rule", None)

        return changed(profile, edit)

    return change


# ---- synthetic recovery -------------------------------------------------------------------------------------


def test_single_numbers_come_back(emformer, load_profile, with_numbers, fit):
    profile = load_profile("pixel5-cpu")
    truth = {
        "memory_levels.dram.bandwidth_efficiency_ratio": 0.52,
        "compute_units.a76.dispatch_s": 7.0e-6,
        "compute_units.a76.overlap_ratio": 0.21,
    }
    known = numbers_by_name(profile.spec)
    unit = profile.spec.compute_units[0].name
    truth = {name.replace("a76", unit): value for name, value in truth.items()}
    for name in truth:  # inside the range of the profile, away from its value
        q = known[name][1]
        truth[name] = q.low + 0.3 * (q.high - q.low)
    text = measured(emformer, with_numbers(profile, truth), ["latency_ms"], fold=(1, 2), uncertainty="0.001")
    found = fit(profile, text, ["bandwidth_efficiency", "dispatch", f"overlap.{unit}"])
    for fitted, expected in zip(found.fitted, truth.values(), strict=True):
        assert fitted.value == pytest.approx(expected, rel=1e-4)
        assert fitted.low <= fitted.value <= fitted.high
    for row in found.rows:
        assert row.after == pytest.approx(row.measured, rel=1e-6)
        assert row.left_out == pytest.approx(row.measured, rel=1e-4)


def test_factors_come_back(emformer, load_profile, with_numbers, fit):
    profile = load_profile("phone-npu")
    known = numbers_by_name(profile.spec)
    speed, energy = 0.7, 1.8
    values = {}
    for name, (_, quantity) in known.items():
        key = name.split(".")[-1]
        if key in ("efficiency_ratio", "bandwidth_efficiency_ratio") or (".vector." in name and "per_cycle" in key):
            values[name] = quantity.value * speed
        elif key == "dispatch_s":
            values[name] = quantity.value / speed
        elif key.endswith(("_pj", "_pj_per_mac", "_pj_per_byte")):
            values[name] = quantity.value * energy
    text = measured(emformer, with_numbers(profile, values), ["busy_ms", "energy_busy_uj"])
    found = fit(profile, text)  # the default: one constant for time and one for energy
    assert [f.parameter.name for f in found.fitted] == ["latency_efficiency", "energy_overhead"]
    assert [f.value for f in found.fitted] == pytest.approx([speed, energy], rel=1e-6)
    # All busy time scales alike, so what is measured before is off by just the factor.
    for row in found.rows[::2]:
        assert row.before / row.measured == pytest.approx(speed, rel=1e-9)


def test_powers_come_back(emformer, load_profile, with_numbers, fit):
    profile = load_profile("phone-npu")
    truth = {"system.idle_mw": 9.0, "system.busy_mw": 140.0, "compute_units.npu.static_mw": 22.0}
    text = measured(emformer, with_numbers(profile, truth), ["power_mw", "energy_uj"], fold=(1, 4))
    found = fit(profile, text, ["idle_power", "busy_power"])
    with pytest.raises(CalibrationError, match=r"busy_power and static_power|static_power and busy_power"):
        fit(profile, text, ["busy_power", "static_power"])  # both stand as long as the chip is busy
    # 22 instead of 30 mW of the unit, which is fitted as 8 mW less of the system.
    assert [f.value for f in found.fitted] == pytest.approx([9.0, 132.0], rel=1e-6)


def test_any_number_may_be_named(emformer, load_profile, with_numbers, fit):
    profile = load_profile("gap9")
    name = "memory_levels.emram.read_pj_per_byte"
    text = measured(
        emformer, with_numbers(profile, {name: 1.1 * numbers_by_name(profile.spec)[name][1].value}), ["energy_uj"]
    )
    (fitted,) = fit(profile, text, [name]).fitted
    assert fitted.value == pytest.approx(1.1 * fitted.parameter.value, rel=1e-6)


# ---- by hand ------------------------------------------------------------------------------------------------


def test_one_factor_is_the_weighted_mean_of_logarithms(emformer, load_profile, fit):
    """Busy time is inversely proportional to the factor, so that all of the fit can be reckoned by hand."""
    profile = load_profile("phone-npu")
    predicted = [simulate(emformer, profile, c).totals["busy_ms_per_chunk"] for c in CHUNKS_MS[:3]]
    off = np.array([1.3, 1.1, 1.5])
    uncertainty = np.array([0.05, 0.1, 0.2])
    lines = [HEADER.format(quantities=BUSY)]
    for i, chunk in enumerate(CHUNKS_MS[:3]):
        lines.append(f"r{i},{emformer.name},{chunk},1,{float(predicted[i] * off[i])!r},{uncertainty[i]}")
    found = fit(profile, "\n".join(lines))
    weight = 1 / np.log1p(uncertainty) ** 2
    mean = (weight * np.log(off)).sum() / weight.sum()
    (fitted,) = found.fitted
    assert fitted.value == pytest.approx(np.exp(-mean), rel=1e-6)
    scale = max(1.0, (weight * (np.log(off) - mean) ** 2).sum() / 2)  # wider where the residuals are
    error = np.sqrt(scale / weight.sum())
    assert fitted.standard_error == pytest.approx(fitted.value * error, rel=1e-4)
    assert np.log(fitted.high / fitted.value) == pytest.approx(2 * error, rel=1e-4)
    for i, row in enumerate(found.rows):
        others = np.arange(3) != i
        alone = (weight * np.log(off))[others].sum() / weight[others].sum()
        assert row.left_out == pytest.approx(predicted[i] * np.exp(alone), rel=1e-6)
        assert row.after == pytest.approx(predicted[i] * np.exp(mean), rel=1e-6)
        assert row.before == pytest.approx(predicted[i], rel=1e-9)


def test_one_row_takes_its_error_from_the_stated_uncertainty(emformer, load_profile, fit):
    profile = load_profile("phone-npu")
    text = measured(emformer, profile, [BUSY], chunk_ms=(160,), uncertainty="0.25")
    found = fit(profile, text)
    (fitted,) = found.fitted
    assert fitted.value == pytest.approx(1.0, rel=1e-6)
    assert fitted.high == pytest.approx(1.25**2, rel=1e-3) or fitted.high == pytest.approx(fitted.parameter.high)
    assert fitted.low == pytest.approx(1.25**-2, rel=1e-3)
    assert found.rows[0].left_out is None
    assert "no row can be left out" in calibration_text(found)


def test_rows_not_taken_are_predicted(emformer, load_profile, with_numbers, fit):
    profile = load_profile("phone-npu")
    text = measured(emformer, with_numbers(profile, {"compute_units.npu.overlap_ratio": 0.7}), [BUSY])
    found = fit(profile, text, ["latency_efficiency"], rows=["r1"])
    assert [row.used for row in found.rows] == [False, True, False, False]
    assert found.rows[1].after == pytest.approx(found.rows[1].measured, rel=1e-6)
    assert found.rows[3].after != pytest.approx(found.rows[3].measured, rel=1e-3)
    assert "only predicted" in calibration_text(found)
    with pytest.raises(CalibrationError, match=r"--rows r9: no such row \(there: r0, r1"):
        fit(profile, text, rows=["r9"])


@settings(max_examples=8)
@given(
    st.lists(st.floats(0.2, 5.0), min_size=4, max_size=4),
    st.sampled_from(
        [["latency_efficiency"], ["bandwidth_efficiency", "dispatch"], ["overlap"], ["compute_efficiency"]]
    ),
)
def test_a_fit_is_never_worse_than_before(tmp_path_factory, emformer, load_profile, off, names):
    profile = load_profile("pixel5-cpu")
    lines = [HEADER.format(quantities=BUSY)]
    for i, chunk in enumerate(CHUNKS_MS):
        busy = simulate(emformer, profile, chunk).totals["busy_ms_per_chunk"]
        lines.append(f"r{i},{emformer.name},{chunk},1,{busy * off[i]!r},0.1")
    path = tmp_path_factory.mktemp("fit") / "m.csv"
    path.write_text("\n".join(lines))
    try:
        found = calibrate(profile, read_measurements(path, profile), names)
    except CalibrationError:
        return  # told that the rows do not determine it

    def cost(of):
        return sum(np.log(getattr(row, of) / row.measured) ** 2 for row in found.rows)

    assert cost("after") <= cost("before") * (1 + 1e-9)
    for f in found.fitted:
        assert f.parameter.low <= f.low <= f.value <= f.high <= f.parameter.high


# ---- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "quantities", "chunks", "told"),
    [
        (["dispatch", "overlap"], [BUSY], (160,), r"2 parameters \(dispatch, overlap\) cannot be fitted to 1 measured"),
        (["energy_overhead"], ["latency_ms"], (40, 160), "energy_overhead cannot be fitted: it changes no prediction"),
        (["idle_power"], [BUSY, "energy_busy_uj"], (40, 160), "idle_power cannot be fitted: it changes no prediction"),
        (
            ["bandwidth_efficiency.dram", "memory_levels.dram.bandwidth_gb_per_s"],
            [BUSY],
            CHUNKS_MS,
            r"bandwidth_efficiency.dram and memory_levels.dram.bandwidth_gb_per_s cannot be fitted together",
        ),
        (["dispatch", "busy_power"], [BUSY, "energy_uj"], (160,), None),
        (["energy_overhead", "idle_power"], ["busy_ms", "energy_busy_uj"], (160,), "idle_power cannot be fitted"),
        (["energy_overhead", "memory_levels.dram.read_pj_per_byte"], ["energy_uj"], (40,), "both move"),
        (["bandwith_efficiency"], [BUSY], (40,), "did you mean 'bandwidth_efficiency'"),
        (["memory_levels.dram.capacity_bytes"], [BUSY], (40,), "describes the structure of the chip"),
        (["compute_units.npu.clock_hz"], [BUSY], (40,), "describes the structure of the chip"),
        (["memory_levels.dram.static_mw"], ["energy_uj"], (40,), "is zero and has no range"),
    ],
)
def test_refusals_name_the_parameter_and_why(emformer, load_profile, fit, names, quantities, chunks, told):
    profile = load_profile("phone-npu")
    if told is None:
        assert fit(profile, measured(emformer, profile, quantities, chunk_ms=chunks, uncertainty="0.001"), names).fitted
        return
    with pytest.raises(CalibrationError, match=told):
        fit(profile, measured(emformer, profile, quantities, chunk_ms=chunks, uncertainty="0.001"), names)


def test_what_the_rows_barely_tell_is_refused(emformer, load_profile, fit):
    """Busy power is little beside the memory traffic of two alike designs: any value would do."""
    profile = load_profile("phone-npu")
    text = measured(emformer, profile, ["energy_busy_uj"], chunk_ms=(160,), fold=(1, 2), uncertainty="0.05")
    with pytest.raises(CalibrationError, match=r"constrain it less than the bounds|in the same proportion"):
        fit(profile, text, ["busy_power", "energy_overhead"])


def test_quantities_that_no_parameter_moves_are_only_predicted(emformer, load_profile, fit):
    profile = load_profile("phone-npu")
    found = fit(profile, measured(emformer, profile, [BUSY, "energy_busy_uj"]), ["energy_overhead"])
    assert [row.used for row in found.rows] == [False, True] * len(CHUNKS_MS)


def test_every_spoken_name_means_a_number(shipped_profile):
    known = numbers_by_name(shipped_profile.spec)
    for name in parameter_names(shipped_profile):
        try:
            (parameter,) = parameters(shipped_profile, [name])
        except CalibrationError as error:
            assert "is zero and has no range" in str(error)  # noqa: PT017
            continue
        assert set(parameter.numbers) <= set(known)
        assert parameter.low <= parameter.value <= parameter.high


def test_without_scipy_it_says_what_to_install(emformer, load_profile, fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    profile = load_profile("phone-npu")
    with pytest.raises(CalibrationError, match=r"foldsim\[calibrate\]"):
        fit(profile, measured(emformer, profile, [BUSY], chunk_ms=(160,)))


# ---- the profile that is written ----------------------------------------------------------------------------


@pytest.mark.parametrize("names", [None, ["bandwidth_efficiency", "dispatch", "busy_power"]])
def test_the_written_profile_predicts_what_the_fit_says(emformer, load_profile, with_numbers, fit, tmp_path, names):
    profile = load_profile("phone-npu")
    truth = {"memory_levels.dram.bandwidth_efficiency_ratio": 0.6, "compute_units.npu.dispatch_s": 2e-6}
    text = measured(emformer, with_numbers(profile, truth), ["latency_ms", "energy_uj"], uncertainty="0.001")
    found = fit(profile, text, names)
    path = tmp_path / "mine.yaml"
    written, made = calibrated_profile(found, path)
    path.write_text(written)
    again = load(path)
    assert again.spec == made.spec
    moved = {name for fitted in found.fitted for name in fitted.parameter.numbers}
    before, after = numbers_by_name(profile.spec), numbers_by_name(again.spec)
    for name, (_, quantity) in after.items():
        if name in moved:
            assert quantity.source == "calibration-mine"
            assert again.spec.sources[quantity.source].kind == "derived"
        else:
            assert quantity == before[name][1]
    for row, chunk in zip(found.rows[::2], CHUNKS_MS, strict=True):
        assert simulate(emformer, again, chunk).totals["latency_ms"] == pytest.approx(row.after, rel=1e-5)
    record = again.spec.calibration
    assert record is not None
    assert [f.name for f in record.fitted] == [f.parameter.name for f in found.fitted]
    assert [r.row for r in record.rows] == [r.row for r in found.rows]
    assert "latency_ms" in record_text(record)
    for fitted in record.fitted:
        if names:
            quantity = after[fitted.numbers[0]][1]
            assert (quantity.low, quantity.value, quantity.high) == (fitted.low, fitted.value, fitted.high)


def test_a_calibrated_profile_can_be_calibrated_again(emformer, load_profile, fit, tmp_path):
    profile = load_profile("phone-npu")
    text = measured(emformer, profile, [BUSY, "energy_uj"])
    (tmp_path / "first.yaml").write_text(
        calibrated_profile(fit(profile, text, ["dispatch"]), tmp_path / "first.yaml")[0]
    )
    first = load(tmp_path / "first.yaml")
    below = tmp_path / "below"
    below.mkdir()
    second, _ = calibrated_profile(fit(first, text, ["busy_power"]), below / "second.yaml")
    (below / "second.yaml").write_text(second)
    assert "extends: ../first.yaml" in second
    numbers = numbers_by_name(load(below / "second.yaml").spec)
    assert numbers["compute_units.npu.dispatch_s"][1].source == "calibration-first"
    assert numbers["system.busy_mw"][1].source == "calibration-second"


@pytest.mark.parametrize("name", ["Mine.yaml", "mine.txt", "phone-npu.yaml"])
def test_a_profile_is_called_like_its_file(emformer, load_profile, fit, tmp_path, name):
    profile = load_profile("phone-npu")
    found = fit(profile, measured(emformer, profile, [BUSY], chunk_ms=(160,)))
    with pytest.raises(UserError, match=r"called like its file|give the new one another name"):
        calibrated_profile(found, tmp_path / name)


def test_a_record_that_does_not_fit_the_profile_is_told(emformer, load_profile, fit, tmp_path):
    profile = load_profile("phone-npu")
    text, _ = calibrated_profile(
        fit(profile, measured(emformer, profile, [BUSY], chunk_ms=(160,))), tmp_path / "x.yaml"
    )
    broken = text.replace("compute_units.npu.dispatch_s", "compute_units.npu.dispatch_ms")
    broken = broken.replace("correlation:\n  - [1.0]", "correlation:\n  - [1.0, 0.5]")
    (tmp_path / "x.yaml").write_text(broken)
    with pytest.raises(InputError) as caught:
        load(tmp_path / "x.yaml")
    told = str(caught.value)
    assert "value 'compute_units.npu.dispatch_ms' not found" in told
    assert "the correlation must have one row and one column per fitted parameter" in told


# ---- the file of measurements -------------------------------------------------------------------------------


def test_quantities_are_those_of_the_columns(emformer, load_profile, fit):
    """What is measured is what simulate says of the same design, and idle time is not in the inference window."""
    profile = load_profile("phone-npu")
    text = measured(emformer, profile, list(QUANTITIES), fold=(1, 2))
    for row in fit(profile, text).rows:
        assert row.before == pytest.approx(row.measured, rel=1e-9), (row.row, row.quantity)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", {(1, 1): "no rows"}),
        ("row,workload,busy_ms\n", {(1, 1): "no row"}),
        ("row,wrkload,busy_ms\na,b,1\n", {(1, 5): "unknown column 'wrkload'", (1, 1): "'workload' is missing"}),
        ("row,workload\na,emformer-rnnt-base\n", {(1, 1): "a measured quantity"}),
        ("row,row,workload,busy_ms\n", {(1, 5): "there twice"}),
        (
            "row,workload,busy_ms\na,emformer-rnnt-bas,1\na,emformer-rnnt-base,-3\nb,emformer-rnnt-base,\nc,x\n"
            'd,"emformer,1\n',
            {
                (2, 3): "no workload is called",
                (3, 1): "already on line 2",
                (3, 22): "busy_ms is '-3'",
                (4, 1): "nothing was measured",
                (5, 3): "has 2 cells, the header has 3",
                (6, 3): "does not end",
            },
        ),
        (
            "# a comment\n\nrow, workload, chunk_ms, fold_factor, operating_point, power_mw, uncertainty_ratio\n"
            "a, emformer-rnnt-base, 45, 1, , 3, 0.1\nb, emformer-rnnt-base, 160, 3, , 3, 0.1\n"
            'c, emformer-rnnt-base, 160, 1.5, fast, "3", 99\nd, "emformer-rnnt-base", 160, 1, fast, nan, \n'
            "e, emformer-rnnt-base, 160, 1, fast, 3,\n",
            {
                (4, 24): "not a multiple of the 40 ms token",
                (5, 29): "N = 3",
                (6, 29): "fold_factor is '1.5'",
                (6, 45): "uncertainty_ratio is '99'",
                (7, 40): "power_mw is 'nan'",
                (8, 32): "'fast' is neither a policy nor an operating point",
            },
        ),
    ],
)
def test_mistakes_are_told_at_their_place_all_at_once(load_profile, tmp_path, text, places):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_measurements(path, load_profile("phone-npu"))
    found = {(f.line, f.column): f.message for f in caught.value.findings}
    for place, message in places.items():
        assert message in found.get(place, ""), (place, found)
    assert len(found) == len(places), found


def test_a_workload_may_be_a_file_beside_the_measurements(load_profile, tmp_path, emformer):
    (tmp_path / "mine.yaml").write_text(emformer.document.text.replace("name: emformer-rnnt-base", "name: mine", 1))
    path = tmp_path / "m.csv"
    path.write_text("row,workload,busy_ms,policy\na,mine.yaml,4,slowest-real-time\nb,none.yaml,4,\n")
    with pytest.raises(InputError) as caught:
        read_measurements(path, load_profile("phone-npu"))
    (finding,) = caught.value.findings
    assert finding.line == 3 or "none.yaml" in finding.file
