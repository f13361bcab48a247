"""The figure of tipping points shows the rows of ``foldsim tipping-point``."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.plotting import PlotError, draw, plotted_points
from foldsim.sweeps.results import Results

WORDS = {"macs": "multiply-accumulates", "energy": "energy", "latency": "latency", "memory": "memory"}


def axes_of(figure, profile, variant):
    return next(axes for axes in figure.axes if axes.get_label() == f"{profile}, {variant}")


def rows_of(rows, profile, variant, metric, over="left_context"):
    mask = (rows["profile"] == profile) & (rows["variant"] == variant) & (rows["metric"] == metric)
    return rows.where(mask & (rows["over"] == over))


@pytest.mark.parametrize("profile", ["phone-npu", "gap9"])
@pytest.mark.parametrize(("variant", "verdict"), [("fold=2", "stops"), ("attention=favor", "starts")])
def test_lines_are_the_first_crossings(tipping, profile, variant, verdict):
    axes = axes_of(draw(tipping, "break-even"), profile, variant)
    drawn = {line.get_label(): line for line in axes.get_lines()}
    for metric, words in WORDS.items():
        own = rows_of(tipping, profile, variant, metric)
        chunk, first = np.unique(own["chunk_ms"], return_index=True)
        crossed = own["verdict"][first] == verdict
        if not crossed.any():
            assert f"{words}, {verdict}" not in drawn
            continue
        line = drawn[f"{words}, {verdict}"]
        assert line.get_linestyle() == ("-" if verdict == "stops" else "--")
        assert line.get_xdata().tolist() == chunk.tolist()
        found = np.asarray(line.get_ydata())
        assert found[crossed].tolist() == own["keys_tokens"][first][crossed].tolist()
        assert np.isnan(found[~crossed]).all()


def test_what_never_crosses_is_an_arrow(tipping):
    axes = axes_of(draw(tipping, "break-even"), "phone-npu", "fold=2")
    own = rows_of(tipping, "phone-npu", "fold=2", "memory")
    always = own["chunk_ms"][own["verdict"] == "always"]
    (arrows,) = [line for line in axes.get_lines() if line.get_label() == "memory, always"]
    assert arrows.get_xdata().tolist() == always.tolist()
    assert min(arrows.get_ydata()) > own["keys_limit_tokens"].max()


def test_band_is_the_range_of_energy(tipping):
    axes = axes_of(draw(tipping, "break-even"), "gap9", "attention=favor")
    own = rows_of(tipping, "gap9", "attention=favor", "energy")
    drawn = {line.get_label(): np.asarray(line.get_ydata()).tolist() for line in axes.get_lines()}
    assert drawn["energy, low"] == own["keys_low_tokens"].tolist()
    assert drawn["energy, high"] == own["keys_high_tokens"].tolist()


def test_later_crossings_are_hollow(tipping):
    own = rows_of(tipping, "phone-npu", "fold=2", "energy")
    assert own["crossings_count"].max() > 1  # phone-npu at 40 ms stops, starts and stops again
    axes = axes_of(draw(tipping, "break-even"), "phone-npu", "fold=2")
    (hollow,) = [line for line in axes.get_lines() if line.get_label() == "energy, again"]
    assert hollow.get_markerfacecolor() == "white"
    assert hollow.get_ydata().tolist() == own["keys_tokens"][1:3].tolist()


def test_own_keys_are_drawn_and_points_are_listed(tipping):
    figure = draw(tipping, "break-even")
    axes = axes_of(figure, "phone-npu", "fold=2")
    (own,) = [line for line in axes.get_lines() if line.get_label() == "own keys"]
    assert own.get_ydata().tolist() == [32.0, 35.0, 47.0]  # 30 + T + 1 tokens at T = 1, 4, 16
    points = plotted_points(figure, "break-even", tipping)
    assert {"own keys", "multiply-accumulates, stops", "energy, low"} <= set(points["series"].tolist())


def test_panels_are_named_by_what_varies(tipping):
    one = tipping.where((tipping["profile"] == "phone-npu") & (tipping["variant"] == "fold=2"))
    figure = draw(one, "break-even")
    assert figure.get_suptitle().replace("\n", " ").endswith("emformer-rnnt-base, fold=2 against baseline")
    assert [axes.get_label() for axes in figure.axes] == ["phone-npu"]


def test_rows_without_a_search_over_left_contexts_are_refused(tipping):
    with pytest.raises(PlotError, match="no search over the left context"):
        draw(tipping.where(tipping["over"] == "chunk"), "break-even")
    with pytest.raises(PlotError, match="rows of whole designs; these rows are tipping points"):
        draw(tipping, "power-vs-chunk")


def test_too_many_panels_are_refused(tipping):
    many = Results({**tipping.columns, "variant": np.array([f"v{i}" for i in range(len(tipping))], dtype=object)})
    with pytest.raises(PlotError, match="at most 24"):
        draw(many, "break-even")
