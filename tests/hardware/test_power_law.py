"""The power law: fits of the measured curves reproduce the published table; measured points reach the model.

`cpu_dvfs_power.csv` holds kdrag0n/freqbench@9eb16adc, single-core CoreMark with the phone's baseline taken off;
`cpu_dvfs_fit.csv` the fits that the facts of this project state. Both were made without this code.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace

import numpy as np
import pytest

from foldsim import simulate
from foldsim.model.energy import Activity, Supply, busy_terms

POINT = 0.01  # a percentage point of error
# Clusters of the table as the curves call them: chip, run, first core of the cluster.
CLUSTERS = {
    "SD765G/new A55": ("sm7250ab", "new", "1"),
    "SD765G/new A76 gold": ("sm7250ab", "new", "6"),
    "SD765G/new A76 prime": ("sm7250ab", "new", "7"),
    "SD765G/main A55": ("sm7250ab", "main", "1"),
    "SD765G/main A76 gold": ("sm7250ab", "main", "6"),
    "SD765G/main A76 prime": ("sm7250ab", "main", "7"),
    "gs101 A55": ("gs101", "main", "1"),
    "gs101 A76": ("gs101", "main", "4"),
    "gs101 X1": ("gs101", "main", "6"),
    "sm8150/main cpu1": ("sm8150", "main", "1"),
    "sm8150/main cpu4": ("sm8150", "main", "4"),
    "sm8150/main cpu7": ("sm8150", "main", "7"),
    "sm8150ac/main cpu1": ("sm8150ac", "main", "1"),
    "sm8150ac/main cpu4": ("sm8150ac", "main", "4"),
    "sm8150ac/main cpu7": ("sm8150ac", "main", "7"),
}


@dataclass(frozen=True)
class PowerLawFit:
    """P = s + k f V^2 with s in mW and k in uW/MHz/V^2; mean and largest relative error over the points."""

    static_mw: float
    dynamic_uw_per_mhz_v2: float
    mean_error_ratio: float
    max_error_ratio: float


def fit_power_law(frequency_hz, voltage_v, measured_mw, static_from_zero=False):
    """Fit the law to points (N,) by least squares of the relative error, so that every point counts alike.

    ``static_from_zero`` fits the slope alone through the origin where the free fit has a static power below zero.
    """
    slope = 1e-9 * frequency_hz * np.square(voltage_v)  # mW of 1 uW per MHz and V^2
    rows = np.stack([1.0 / measured_mw, slope / measured_mw], axis=1)
    (static, dynamic), *_ = np.linalg.lstsq(rows, np.ones_like(measured_mw), rcond=None)
    if static < 0 and static_from_zero:
        static, dynamic = 0.0, float(rows[:, 1].sum() / np.square(rows[:, 1]).sum())
    errors = np.abs(rows @ np.array([static, dynamic]) - 1.0)
    return PowerLawFit(float(static), float(dynamic), float(errors.mean()), float(errors.max()))


@pytest.fixture(scope="module")
def curves(data_dir):
    """Points with a voltage by (chip, run, core): Hz, V, mW. The last step of one X1 has none and is left out."""
    found = {}
    with (data_dir / "cpu_dvfs_power.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            points = found.setdefault((row["soc"], row["run"], row["cpu_id"]), [])
            if row["volt_V"]:
                power = float(row["measured_mW_single_core_CoreMark"])
                points.append((1e3 * float(row["freq_kHz"]), float(row["volt_V"]), power))
    return {key: np.array(points).T for key, points in found.items()}


@pytest.fixture(scope="module")
def table(data_dir):
    """Published fits by cluster."""
    with (data_dir / "cpu_dvfs_fit.csv").open(encoding="utf-8") as file:
        return {row["cluster"]: row for row in csv.DictReader(file)}


def test_every_cluster_of_the_table_is_fitted(table):
    assert set(table) == set(CLUSTERS)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_fits_reproduce_the_table(curves, table, cluster):
    """Mean and greatest error within a point; s and k to the digit that the table prints."""
    curve, row = curves[CLUSTERS[cluster]], table[cluster]
    fit = fit_power_law(*curve)
    assert curve.shape[1] == int(row["n_opp"])
    assert fit.mean_error_ratio == pytest.approx(float(row["mean_err_pct"]) / 100, abs=POINT)
    assert fit.max_error_ratio == pytest.approx(float(row["max_err_pct"]) / 100, abs=POINT)
    assert fit.static_mw == pytest.approx(float(row["static_mW"]), abs=0.06)
    assert fit.dynamic_uw_per_mhz_v2 == pytest.approx(float(row["k_uW_per_MHz_V2"]), abs=0.06)


@pytest.mark.parametrize(
    ("name", "curve"),
    [
        ("pixel5-cpu", ("sm7250ab", "new", "7")),
        ("pixel6-cpu", ("gs101", "main", "4")),
        ("pixel6-x1-cpu", ("gs101", "main", "6")),
    ],
)
def test_laws_of_the_library_are_the_fits(load_profile, curves, name, curve):
    """Each to three digits, with the operating points of the curve."""
    spec, (hz, volts, powers) = load_profile(name).spec, curves[curve]
    law, fit = spec.compute_units[0].power_law, fit_power_law(hz, volts, powers, static_from_zero=True)
    assert law.static_mw.value == pytest.approx(fit.static_mw, abs=0.06)
    assert law.dynamic_uw_per_mhz_v2.value == pytest.approx(fit.dynamic_uw_per_mhz_v2, rel=5e-3)
    points = [p for p in spec.operating_points if p.measured_mw is None]
    assert [p.frequency_hz.value for p in points] == pytest.approx(hz.tolist(), rel=1e-9)
    assert [p.voltage_v.value for p in points] == pytest.approx(volts.tolist(), rel=1e-9)


def test_a_law_comes_back_from_its_own_points():
    """100 mW and 300 uW/MHz/V^2 at 0.6 V, 800 MHz and 0.9 V, 2 GHz: 100 + 86.4 and 100 + 486 mW."""
    fit = fit_power_law(np.array([8e8, 2e9]), np.array([0.6, 0.9]), np.array([186.4, 586.0]))
    assert (fit.static_mw, fit.dynamic_uw_per_mhz_v2) == pytest.approx((100.0, 300.0))
    assert fit.max_error_ratio == pytest.approx(0.0, abs=1e-12)


def test_every_point_counts_alike():
    """The slope alone, through the origin: k minimises the sum of (k x / P - 1)^2, so k = sum(x/P) / sum((x/P)^2).

    x = 1 and 10 mW, P = 90 and 1100 mW: x/P = 1/90 and 1/110, k = (1/90 + 1/110) / (1/90^2 + 1/110^2) = 98.02.
    """
    hz = np.array([1e9, 1e10])
    free = fit_power_law(hz, 1.0, np.array([90.0, 1100.0]))
    assert free.static_mw < 0  # 90 - 1010 / 9
    fit = fit_power_law(hz, 1.0, np.array([90.0, 1100.0]), static_from_zero=True)
    assert fit.static_mw == 0.0
    assert fit.dynamic_uw_per_mhz_v2 == pytest.approx((1 / 90 + 1 / 110) / (1 / 90**2 + 1 / 110**2), rel=1e-12)
    assert fit.dynamic_uw_per_mhz_v2 == pytest.approx(98.02, abs=0.01)


# ---- measured points ------------------------------------------------------------------------------------------------

MEASURED = """
    extends: pixel5-cpu
    removes: [operating_points, compute_units.a76-prime.power_law.dynamic_uw_per_mhz_v2]
    name: measured
    title: Points without voltages
    summary: Made up for this test.
    sources: {here: {title: Made up, kind: assumption, note: A test.}}
    compute_units:
      - name: a76-prime
        clock_hz: {value: 2.0e+9, low: 2.0e+9, high: 2.0e+9, source: here}
        power_law:
          static_mw: {value: 100, low: 50, high: 150, source: here}
          activity_ratio: {value: 1.2, low: 1.0, high: 1.5, source: here}
          stalled_ratio: {value: 0.5, low: 0.5, high: 0.5, source: here}
    operating_points:
      - name: slow
        frequency_hz: {value: 1.0e+9, low: 1.0e+9, high: 1.0e+9, source: here}
        voltage_v: {value: 0.6, low: 0.6, high: 0.6, source: here}
        measured_mw: {value: 300, low: 270, high: 330, source: here}
        idle_mw: {value: 7, low: 6, high: 8, source: here}
      - name: fast
        frequency_hz: {value: 2.0e+9, low: 2.0e+9, high: 2.0e+9, source: here}
        voltage_v: {value: 0.8, low: 0.8, high: 0.8, source: here}
        measured_mw: {value: 900, low: 800, high: 1000, source: here}
    reference_operating_point: fast
"""


def test_measured_points_go_before_the_slope(files):
    """900 mW of which 100 are static: 800 mW of dynamic power, 960 with the activity; ends 700 and 900 mW."""
    bands = files.load("measured.yaml", MEASURED).bands("int8")
    assert [p.law_dynamic_mw for p in bands.nominal.points] == [200.0, 800.0]
    assert [p.law_dynamic_mw for p in bands.low.points] == [170.0, 700.0]
    assert [p.law_dynamic_mw for p in bands.high.points] == [230.0, 900.0]
    assert [p.idle_mw for p in bands.nominal.points] == pytest.approx([7.0, np.nan], nan_ok=True)


@pytest.mark.parametrize(("point", "dynamic_mw", "idle_mw"), [("slow", 200.0, 7.0), ("fast", 800.0, 1.0)])
def test_a_busy_core_draws_what_was_measured(files, emformer, point, dynamic_mw, idle_mw):
    """Computing takes 1.2 x dynamic, waiting half of that; asleep it takes the point's own power, else the unit's."""
    result = simulate(emformer, files.load("measured.yaml", MEASURED), chunk_ms=160, policy=point)
    terms = {term.name: term.power_mw for term in result.power_terms}
    busy, chunk_ms = result.totals["busy_ms_per_chunk"], 160.0
    computing = terms["power law, computing"] / (1.2 * dynamic_mw) * chunk_ms
    waiting = terms["power law, waiting for memory"] / (0.6 * dynamic_mw) * chunk_ms
    assert computing + waiting == pytest.approx(busy, rel=1e-9)
    assert terms["power law, static"] == pytest.approx(100.0 * busy / chunk_ms, rel=1e-9)
    asleep_ms = chunk_ms - result.totals["latency_ms"]
    assert terms["compute idle"] == pytest.approx(idle_mw * asleep_ms / chunk_ms, rel=1e-9)


def test_only_the_first_unit_takes_measured_power(files):
    """A second law follows its own slope: 300 uW/MHz/V^2 x 1000 MHz x 0.8^2 = 192 mW."""
    hardware = files.load("measured.yaml", MEASURED).bands("int8").nominal
    first = hardware.units[0]
    law = replace(first.power_law, dynamic_uw_per_mhz_v2=300.0, activity_ratio=1.0)
    second = replace(first, name="second", clock_hz=1e9, power_law=law)
    one, none = np.ones(1), np.zeros(1)
    work = Activity((none, none), ((none,) * 4,) * 2, (one, one), (one, one), (none,) * 4, (none,) * 4, one)
    supply = Supply(1.0, 0.8, 1.0, np.array([np.nan]), np.array([800.0]))
    terms = {t.name: t.energy_pj[0] / 1e9 for t in busy_terms(work, replace(hardware, units=(first, second)), supply)}
    assert terms["a76-prime power law, computing"] == pytest.approx(960.0)
    assert terms["second power law, computing"] == pytest.approx(192.0)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("measured_mw: {value: 300, low: 270,", "measured_mw: {value: 90, low: 70,", "not above the static power"),
        ("measured_mw: {value: 300, low: 270, high: 330, source: here}", "", "or give every operating point"),
    ],
)
def test_what_measured_points_need(files, old, new, told):
    findings = files.findings("measured.yaml", MEASURED.replace(old, new))
    assert [told in f.message for f in findings] == [True]
    assert all(f.file.endswith("measured.yaml") for f in findings)


def test_measured_power_needs_a_law(files):
    text = MEASURED.replace("extends: pixel5-cpu", "extends: phone-npu").replace("a76-prime", "npu")
    law = text[text.index("        power_law:") : text.index("    operating_points:")]
    text = text.replace(law, "").replace(", compute_units.npu.power_law.dynamic_uw_per_mhz_v2", "")
    findings = files.findings("measured.yaml", text)
    assert sum("measured_mw needs a power_law of 'npu'" in f.message for f in findings) == 2
