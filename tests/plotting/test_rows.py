"""Rows arranged for figures: whole designs summed from parts, panels, series, chunk sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldsim.plotting import PlotError
from foldsim.plotting.rows import chosen_chunks, designs, flags, merged, numbers, panels, reference_chunk
from foldsim.plotting.tradeoff import pareto_front
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results


@pytest.mark.parametrize("level", ["by_component", "by_op"])
def test_parts_add_up_to_the_designs_they_are_parts_of(level, totals, request):
    added = designs(request.getfixturevalue(level))
    assert set(added.columns) == set(totals.columns) - {"bottleneck"} | {"bottleneck"}
    for name, values in totals.columns.items():
        if name == "bottleneck":  # of a part, not of the design
            continue
        if values.dtype.kind == "f" and columns()[name].additive:
            np.testing.assert_allclose(numbers(added, name), values, rtol=1e-9, err_msg=name)
        else:
            assert added[name].tolist() == values.tolist(), name


def test_some_parts_of_a_design_are_refused_as_the_design(by_component):
    encoder = by_component.where(by_component["component"] == "encoder")
    with pytest.raises(PlotError, match="only some of the components"):
        designs(encoder)
    without_joiner = by_component.where(by_component["component"] != "joiner")
    with pytest.raises(PlotError, match="only some of the components"):
        designs(without_joiner)


def test_panels_and_series(make_rows):
    rows = make_rows(fold=(4, 1, 2))
    found = panels(rows)
    assert [panel.profile for panel in found] == ["phone-npu", "gap9"]
    assert [series.label for series in found[0].series] == ["baseline", "folded, N = 2", "folded, N = 4"]
    assert [series.is_baseline for series in found[0].series] == [True, False, False]
    for panel in found:
        for series in panel.series:
            assert series.rows["chunk_ms"].tolist() == [40.0, 160.0, 640.0]


def test_order_of_rows_does_not_matter(totals):
    shuffled = totals.where(np.random.default_rng(1).permutation(len(totals)))
    one, other = ({p.profile: p for p in panels(rows)} for rows in (totals, shuffled))
    for name, panel in one.items():
        for a, b in zip(panel.series, other[name].series, strict=True):
            assert a.rows["power_mw"].tolist() == b.rows["power_mw"].tolist()


def test_folded_designs_keep_their_look_without_a_baseline(make_rows):
    (panel,) = panels(make_rows(profiles=["phone-npu"], fold=(2,)))
    assert [series.index for series in panel.series] == [1]


def test_every_set_value_is_a_panel_that_says_so(make_rows):
    path = "profile.memory_levels.dram.read_pj_per_byte"
    rows = make_rows(profiles=["phone-npu"], sets=[(path, (40.0, 80.0))])
    assert [panel.details for panel in panels(rows)] == [
        ("dram.read_pj_per_byte = 40",),
        ("dram.read_pj_per_byte = 80",),
    ]
    assert len(merged(rows)) == 1


def test_two_rows_for_one_design_are_refused(totals):
    twice = Results({name: np.concatenate([v, v]) for name, v in totals.columns.items()})
    with pytest.raises(PlotError, match=r"two rows describe one design .*phone-npu, baseline, chunk 40 ms"):
        panels(twice)


def test_reference_chunk(totals):
    assert reference_chunk(totals) == 160.0
    assert reference_chunk(totals.where(totals["chunk_ms"] != 160.0)) == 40.0


def test_values_that_are_no_numbers_or_verdicts_are_named(totals):
    broken = Results({**totals.columns, "power_mw": np.array(["much"] * len(totals), dtype=object)})
    with pytest.raises(PlotError, match="power_mw must contain numbers, but contains 'much'"):
        numbers(broken, "power_mw")
    broken = Results({**totals.columns, "fits": np.array(["maybe"] * len(totals), dtype=object)})
    with pytest.raises(PlotError, match="fits must contain true or false, but contains 'maybe'"):
        flags(broken, "fits")


def test_what_is_not_finite_is_left_out():
    rows = Results({"power_mw": np.array([1.0, np.inf, np.nan, -np.inf])})
    assert np.isnan(numbers(rows, "power_mw")).tolist() == [False, True, True, True]


@given(st.lists(st.floats(1.0, 1e5), min_size=1, max_size=60, unique=True), st.integers(1, 10))
def test_chosen_chunks_are_some_of_the_sizes_rising_and_few(sizes, limit):
    chosen = chosen_chunks(sorted(sizes), limit)
    assert 1 <= len(chosen) <= limit
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(sizes)
    assert chosen[0] == min(sizes)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_pareto_front_against_all_pairs(points):
    """By definition: a point is dominated if another is no worse in both and better in one; ordered by the first."""
    kept = [points[i] for i in pareto_front(np.array(points, dtype=float))]
    dominated = {p for p in points for q in points if q[0] <= p[0] and q[1] <= p[1] and q != p}
    assert kept == sorted(set(points) - dominated)


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=30))
def test_front_of_three_against_all_pairs(points):
    """By definition, as above; of equal points one is kept."""
    kept = [points[i] for i in pareto_front(np.array(points, dtype=float))]
    dominated = {p for p in points for q in points if all(b <= a for a, b in zip(p, q, strict=True)) and q != p}
    assert kept == sorted(set(points) - dominated)
