"""Figures of terms, levels and tensors show the values of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.plotting import PlotError, draw
from foldsim.plotting.levels import level_points, slopes
from foldsim.plotting.residency import table_of
from foldsim.plotting.sensitivity import powers_by_cause, saving_swings
from foldsim.sweeps.results import Results

PHONE = ("phone-npu", 160.0)


def design(rows, factor, profile="phone-npu", chunk=160.0):
    return rows.where((rows["profile"] == profile) & (rows["fold_factor"] == factor) & (rows["chunk_ms"] == chunk))


def panel(figure, label):
    return next(axes for axes in figure.axes if axes.get_label() == label)


def by_label(axes):
    return {container.get_label(): container for container in axes.containers}


def test_waterfall_goes_from_the_baseline_to_the_folded_design(by_term, totals):
    axes = panel(draw(by_term, "power-waterfall"), "phone-npu")
    bars = [c.patches[0] for c in axes.containers]
    first, *steps, last = bars
    whole = [design(totals, factor)["power_mw"][0] for factor in (1, 2)]
    assert [first.get_width(), last.get_width()] == pytest.approx(whole)
    level = whole[0]
    for bar in steps:  # each begins where the one above it ends
        assert bar.get_x() == pytest.approx(level)
        level += bar.get_width()
    assert level == pytest.approx(whole[1])
    change = dict(
        zip(design(by_term, 1)["term"], design(by_term, 2)["power_mw"] - design(by_term, 1)["power_mw"], strict=True)
    )
    assert by_label(axes)["dram reads"].patches[0].get_width() == pytest.approx(change["dram reads"])


def test_waterfall_takes_a_panel_per_folded_design(make_rows):
    rows = make_rows("term", profiles=["phone-npu"], fold=(1, 2, 4))
    found = [axes.get_label() for axes in draw(rows, "power-waterfall").axes]
    assert found == ["phone-npu, folded, N = 2", "phone-npu, folded, N = 4"]


def test_causes_are_those_of_the_model(by_term):
    """The names that the figure joins are names the model gives, and those that share a cause there share it here."""
    causes = dict(zip(by_term["term"].tolist(), by_term["cause"].tolist(), strict=True))
    assert causes["vtcm static"] == causes["vtcm retention"] == "vtcm leakage"
    assert causes["compute static"] == causes["compute idle"] == "compute leakage"
    assert causes["dram background, busy"] == causes["dram background, idle"] == "dram background"
    assert causes["system while busy"] == causes["system idle"] == "system"
    assert causes["dram reads"] == "dram reads"


def test_tornado_takes_one_coefficient_at_a_time(by_term):
    axes = panel(draw(by_term, "sensitivity"), "phone-npu, power, baseline")
    own = design(by_term, 1)
    total = own["power_mw"].sum()
    names = [t.get_text() for t in axes.get_yticklabels()]
    for label, column in (("low end", "power_low_mw"), ("high end", "power_high_mw")):
        ends = [bar.get_x() + bar.get_width() for bar in by_label(axes)[label].patches]
        for name, end in zip(names, ends, strict=True):
            of_cause = own["cause"] == name
            assert end == pytest.approx(total + (own[column] - own["power_mw"])[of_cause].sum())
    swings = [
        abs(b.get_width() - a.get_width())
        for a, b in zip(*(by_label(axes)[x].patches for x in ("low end", "high end")), strict=True)
    ]
    assert swings == sorted(swings, reverse=True)


def test_savings_of_the_tornado_lie_within_the_savings_that_all_ranges_allow(by_term):
    """One coefficient at an end cannot save more than all of them at the ends that save most."""
    for profile in ("phone-npu", "gap9"):
        base, folded = (design(by_term, factor, profile) for factor in (1, 2))
        nominal, swings = saving_swings(powers_by_cause(base), powers_by_cause(folded))
        assert nominal == pytest.approx(100 * folded["power_saving_ratio"][0])
        low, high = (100 * folded[f"power_saving_{end}_ratio"][0] for end in ("low", "high"))
        for _, *ends in swings:
            assert low - 1e-9 <= min(ends) <= max(ends) <= high + 1e-9


def test_level_roofline_points_and_slopes(by_level):
    """phone-npu.yaml: VTCM 512 GB/s x 0.64, DRAM 67.2 GB/s x 0.45 (also checked with the other roofline)."""
    axes = panel(draw(by_level, "roofline-levels"), "phone-npu")
    own = design(by_level, 1)
    found = slopes(own)
    assert list(found) == ["vtcm", "slc", "dram"]
    assert found["dram"] == pytest.approx(30.24)
    for level in found:
        points = level_points(own, level)
        (drawn,) = [c for c in axes.collections if c.get_label() == f"{level}, baseline"]
        np.testing.assert_allclose(drawn.get_offsets().T, [points.intensity, points.gmacs_per_s])
        # Nothing is faster than its level.
        assert (points.gmacs_per_s <= points.intensity * found[level] * (1 + 1e-9)).all()
    query = own.where((own["op"] == "query") & (own["level"] == "dram"))
    rate = query["macs_per_chunk"][0] / (query["busy_ms_per_chunk"][0] * 1e-3) / 1e9
    assert rate == pytest.approx(
        level_points(own, "dram").gmacs_per_s[level_points(own, "dram").op.index(("encoder", "query"))]
    )


def test_residency_is_a_table_of_the_rows(by_tensor):
    axes = panel(draw(by_tensor, "residency"), "phone-npu, baseline")
    own = design(by_tensor, 1)
    tensors, levels, served = table_of(own, "served_ratio")
    np.testing.assert_allclose(np.asarray(axes.collections[0].get_array()).reshape(served.shape), served)
    np.testing.assert_allclose(served.sum(axis=1), 1.0)
    assert [t.get_text() for t in axes.get_xticklabels()] == levels == ["vtcm", "slc", "dram"]
    assert [t.get_text().split("\n")[0] for t in axes.get_yticklabels()] == tensors
    written = [t.get_text() for t in axes.texts]
    assert "62.2 MB\n98 %" in written  # the encoder's weights in DRAM
    vtcm = own["level"] == "vtcm"
    share = own["stored_bytes"][vtcm].sum() / own["level_capacity_bytes"][vtcm][0]
    assert f"{100 * share:.0f} % of\n7.13 MB" in written


def test_levels_that_hold_too_much_are_marked(by_tensor):
    written = [t.get_text() for t in panel(draw(by_tensor, "residency"), "gap9, baseline").texts]
    assert "× 4040 % of\n1.89 MB" in written


def test_predictions_beside_ranges(validation):
    figure = draw(validation, "predicted-vs-measured")
    assert [axes.get_label() for axes in figure.axes] == ["size saving", "power saving", "power saving / size saving"]
    axes = figure.axes[1]
    own = validation.where(validation["target"] == "power saving")
    (predicted,) = [found for found in axes.get_lines() if found.get_label() == "predicted"]
    np.testing.assert_allclose(predicted.get_xdata(), 100 * own["predicted"])
    bars = by_label(axes)
    assert [b.get_x() for b in bars["measured"].patches] == pytest.approx((100 * own["measured_low"]).tolist())
    ends = [b.get_x() + b.get_width() for b in bars["predicted range"].patches]
    assert ends == pytest.approx((100 * own["predicted_high"]).tolist())
    hollow = [found for found in axes.get_lines() if found.get_markerfacecolor() == "white"]
    assert sum(len(found.get_xdata()) for found in hollow) == (~own["inside"].astype(bool)).sum()
    assert axes.get_xscale() == "linear"


def test_values_over_more_than_a_decade_are_logarithmic():
    columns = {
        "target": ["energy", "energy"], "unit": ["uJ", "uJ"], "measured": [1.0, np.nan], "measured_low": [np.nan, 90.0],
        "measured_high": [np.nan, 110.0], "predicted": [1.1, 100.0],
    }  # fmt: skip
    rows = Results(
        {name: np.array(v, dtype=object if name in ("target", "unit") else None) for name, v in columns.items()}
    )
    (axes,) = draw(rows, "predicted-vs-measured").axes
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "energy [uJ]"
    with pytest.raises(PlotError, match="needs the column measured_low"):
        draw(Results({k: v for k, v in rows.columns.items() if k != "measured_low"}), "predicted-vs-measured")
