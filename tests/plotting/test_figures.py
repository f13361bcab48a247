"""Figures show the values of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from foldsim.api import sweep
from foldsim.plotting import KINDS, draw
from foldsim.plotting.roofs import roofs_of
from foldsim.plotting.rows import designs, panels
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results

BASELINE, FOLDED = "baseline", "folded, N = 2"


def row(rows, profile, factor, chunk=None):
    mask = (rows["profile"] == profile) & (rows["fold_factor"] == factor)
    return rows.where(mask if chunk is None else mask & (rows["chunk_ms"] == chunk))


def axes_of(figure, profile):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(profile))


def line(axes, label):
    return next(found for found in axes.get_lines() if found.get_label() == label)


def scatter(axes, label):
    return next(found for found in axes.collections if found.get_label() == label)


def bars(axes):
    """Height (or width) of every bar by (part and series label, position in its series)."""
    return {found.get_label(): [p.get_height() for p in found] for found in axes.containers}


@pytest.mark.parametrize("kind", KINDS)
def test_titles_and_questions(kind, rows_for):
    figure = draw(rows_for(kind), kind)
    assert figure.get_suptitle().replace("\n", " ").startswith(KINDS[kind].title.split(",")[0])
    assert ("emformer-rnnt-base" if KINDS[kind].by != "validation" else "folding paper") in figure.get_suptitle()
    assert KINDS[kind].question.endswith("?")
    assert KINDS[kind].reading.endswith(".")
    assert set(KINDS[kind].needs) <= set(columns())


@pytest.mark.parametrize(("kind", "column"), [("power-vs-chunk", "power_mw"), ("latency-vs-chunk", "latency_ms")])
def test_lines_are_the_column(kind, column, totals):
    figure = draw(totals, kind)
    assert len(figure.axes) == (4 if kind == "latency-vs-chunk" else 2)
    for profile in ("phone-npu", "gap9"):
        axes = axes_of(figure, profile)
        for label, factor in ((BASELINE, 1), (FOLDED, 2)):
            own = row(totals, profile, factor)
            assert line(axes, label).get_xdata().tolist() == [40.0, 160.0, 640.0]
            assert line(axes, label).get_ydata().tolist() == own[column].tolist()
        assert axes.get_ylabel() == columns()[column].axis_label
        if kind != "latency-vs-chunk":  # whose strip below carries it
            assert axes.get_xlabel() == columns()["chunk_ms"].axis_label
            assert [t.get_text() for t in axes.get_xticklabels()] == ["40", "160", "640"]


def test_power_band_and_savings_are_written(totals):
    axes = axes_of(draw(totals, "power-vs-chunk"), "phone-npu")
    own = row(totals, "phone-npu", 2)
    drawn = [found.get_ydata().tolist() for found in axes.get_lines()]
    assert own["power_low_mw"].tolist() in drawn
    assert own["power_high_mw"].tolist() in drawn
    bottom, top = axes.get_ylim()
    assert bottom < totals["power_low_mw"][totals["profile"] == "phone-npu"].min()
    assert top > totals["power_high_mw"][totals["profile"] == "phone-npu"].max()
    written = [text.get_text() for text in axes.texts]
    assert written == ["N = 2 saves", *(f"{100 * s:.0f} %" for s in own["power_saving_ratio"])]


def test_points_that_are_not_real_time_are_hollow(totals):
    figure = draw(totals, "power-vs-chunk")
    for profile in ("phone-npu", "gap9"):
        hollow = [f for f in axes_of(figure, profile).get_lines() if f.get_markerfacecolor() == "white"]
        own = totals.where(totals["profile"] == profile)
        late = own.where(~own["realtime"])
        shown = sorted(zip(*[np.concatenate([[], *v]) for v in (
            [f.get_xdata() for f in hollow], [f.get_ydata() for f in hollow])], strict=True))  # fmt: skip
        assert shown == sorted(zip(late["chunk_ms"], late["power_mw"], strict=True))
    assert "hollow: not in real time" in [t.get_text() for t in figure.legends[0].get_texts()]


def test_designs_that_do_not_fit_are_marked(totals):
    figure = draw(totals, "power-vs-chunk")
    assert axes_of(figure, "gap9").get_title(loc="right") == "× does not fit its memory"
    assert axes_of(figure, "phone-npu").get_title(loc="right") == ""
    only_folded = Results({**totals.columns, "fits": totals["fold_factor"] > 1})
    axes = axes_of(draw(only_folded, "power-vs-chunk"), "phone-npu")
    assert axes.get_title(loc="right") == ""
    (crosses,) = [found for found in axes.get_lines() if found.get_marker() == "x"]
    assert crosses.get_ydata().tolist() == row(totals, "phone-npu", 1)["power_mw"].tolist()


def test_limit_of_latency_is_the_chunk(totals):
    axes = axes_of(draw(totals, "latency-vs-chunk"), "gap9")
    (limit,) = [found for found in axes.get_lines() if found.get_linestyle() == "--"]
    assert limit.get_xdata().tolist() == limit.get_ydata().tolist()


def test_strips_show_the_real_time_factor(totals):
    strips = [axes for axes in draw(totals, "latency-vs-chunk").axes if axes.get_ylabel() == "RTF [ratio]"]
    for strip, profile in zip(strips, ("phone-npu", "gap9"), strict=True):
        assert strip.get_label() == profile
        assert strip.get_xlabel() == columns()["chunk_ms"].axis_label
        for label, factor in ((BASELINE, 1), (FOLDED, 2)):
            assert line(strip, label).get_ydata().tolist() == row(totals, profile, factor)["rtf"].tolist()
        (limit,) = [found for found in strip.get_lines() if found.get_linestyle() == "--"]
        assert list(limit.get_ydata()) == [1.0, 1.0]


def test_capacities_are_the_profiles(make_rows, totals):
    """phone-npu: 8,388,608 bytes of VTCM of which 0.85 may be used, 8,388,608 of system cache of which half."""
    left, _, right = draw(make_rows(profiles=["phone-npu"]), "memory-vs-chunk").axes
    levels = sorted(found.get_ydata()[0] for found in left.get_lines())
    np.testing.assert_allclose(levels, [0.5 * 8.388608, 0.85 * 8.388608])
    filled = [found.get_xdata()[0] for found in right.get_lines()]
    np.testing.assert_allclose(filled, np.cumsum([0.85 * 8.388608, 0.5 * 8.388608]))
    assert not draw(Results({**totals.columns}, {"inputs": "?"}), "memory-vs-chunk").axes[0].get_lines()


def test_savings_in_percent_on_one_scale(totals):
    figure = draw(totals, "saving-vs-chunk")
    for profile in ("phone-npu", "gap9"):
        own, axes = row(totals, profile, 2), axes_of(figure, profile)
        np.testing.assert_allclose(line(axes, FOLDED).get_ydata(), 100 * own["power_saving_ratio"])
        np.testing.assert_allclose(line(axes, f"memory, {FOLDED}").get_ydata(), 100 * own["memory_saving_ratio"])
        assert BASELINE not in [found.get_label() for found in axes.get_lines()]
        (band,) = axes.collections
        corners = {(round(x), round(y, 6)) for x, y in band.get_paths()[0].vertices}
        for name in ("power_saving_low_ratio", "power_saving_high_ratio"):
            assert corners >= {(round(x), round(100 * y, 6)) for x, y in zip(own["chunk_ms"], own[name], strict=True)}
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_power_terms_stack_up_to_the_power(totals):
    axes = axes_of(draw(totals, "power-breakdown"), "phone-npu")
    for label, factor in ((BASELINE, 1), (FOLDED, 2)):
        own = row(totals, "phone-npu", factor)
        for column in ("power_compute_mw", "power_onchip_mw", "power_dram_mw", "power_static_mw"):
            np.testing.assert_allclose(bars(axes)[f"{columns()[column].label}, {label}"], own[column])
        np.testing.assert_allclose(
            sum(np.array(h) for n, h in bars(axes).items() if n.endswith(label)), own["power_mw"]
        )
    assert [t.get_text() for t in axes.get_xticklabels()] == ["40", "160", "640"]
    below = [text.get_text() for text in axes.texts if text.get_verticalalignment() == "top"]
    assert below == ["1"] * 3 + ["2"] * 3


def test_components_stack_up_to_the_power(by_component, totals):
    axes = axes_of(draw(by_component, "power-by-component"), "phone-npu")
    names = list(dict.fromkeys(by_component["component"].tolist()))
    assert names[-1] == "system"
    for name in names:
        shown = "system (idle and waking)" if name == "system" else name
        own = row(by_component, "phone-npu", 2)
        own = own.where(own["component"] == name)
        np.testing.assert_allclose(bars(axes)[f"{shown}, {FOLDED}"], own["power_mw"])
    drawn = sum(np.array(heights) for label, heights in bars(axes).items() if label.endswith(FOLDED))
    np.testing.assert_allclose(drawn, row(totals, "phone-npu", 2)["power_mw"])


def test_memory_by_content_and_by_place(totals):
    left, middle, right = draw(totals, "memory-vs-chunk").axes
    for label, factor in ((BASELINE, 1), (FOLDED, 2)):
        own = row(totals, "phone-npu", factor)
        np.testing.assert_allclose(bars(left)[f"Weights, {label}"], own["weights_bytes"] / 1e6)
        np.testing.assert_allclose(bars(middle)[f"State, {label}"], own["state_bytes"] / 1e3)
        np.testing.assert_allclose(bars(middle)[f"Peak activations, {label}"], own["activation_peak_bytes"] / 1e3)
        for profile in ("phone-npu", "gap9"):
            one = row(totals, profile, factor, 160.0)
            place = {found.get_label(): found[0] for found in right.containers}
            inside, outside = place[f"on chip, {profile}, {label}"], place[f"off chip, {profile}, {label}"]
            assert inside.get_width() == pytest.approx(one["onchip_bytes"][0] / 1e6)
            assert outside.get_x() + outside.get_width() == pytest.approx(one["memory_bytes"][0] / 1e6)
    assert [t.get_text().split()[0] for t in right.texts] == ["87", "72", "×", "×"]


def test_trade_off_shows_every_design_and_joins_the_best(totals):
    figure = draw(totals, "trade-off")
    axes = axes_of(figure, "phone-npu")
    for label, factor in ((BASELINE, 1), (FOLDED, 2)):
        own = row(totals, "phone-npu", factor)
        points = scatter(axes, label)
        np.testing.assert_allclose(points.get_offsets().T, [own["user_perceived_latency_ms"], own["power_mw"]])
        assert (np.diff(points.get_sizes()) * np.diff(own["memory_bytes"]) >= 0).all()
    assert scatter(axes, BASELINE).get_sizes().min() > scatter(axes, FOLDED).get_sizes().max()
    # Folding lowers power and latency at every chunk size, and larger chunks cost delay: the front is folded.
    front = next(found for found in axes.get_lines() if found.get_drawstyle() == "steps-post")
    assert front.get_ydata().tolist() == row(totals, "phone-npu", 2)["power_mw"].tolist()
    # Nothing fits gap9's memory, so nothing is worth choosing there.
    assert not [f for f in axes_of(figure, "gap9").get_lines() if f.get_drawstyle() == "steps-post"]


def test_trade_off_takes_any_number_of_set_values(make_rows):
    path = "profile.memory_levels.dram.read_pj_per_byte"
    rows = make_rows(profiles=["phone-npu"], sets=[(path, tuple(float(v) for v in range(40, 70)))])
    (axes,) = draw(rows, "trade-off").axes
    assert len(scatter(axes, BASELINE).get_offsets()) == 90


def test_roofline_points(by_op):
    """MAC/byte and MAC/s of every product that multiplies, from the rows' columns."""
    axes = axes_of(draw(by_op, "roofline"), "phone-npu")
    for label, factor in ((BASELINE, 1), (FOLDED, 2)):
        own = row(by_op, "phone-npu", factor, 160.0)
        own = own.where((own["component"] == "encoder") & (own["macs_per_chunk"] > 0))
        (points,) = [found for found in axes.collections if found.get_label() == f"encoder, {label}"]
        x, y = np.asarray(points.get_offsets()).T
        moved = own["dram_bytes_per_chunk"] > 0
        assert moved.sum() >= 6
        np.testing.assert_allclose(x[moved], (own["macs_per_chunk"][moved] / own["dram_bytes_per_chunk"][moved]))
        np.testing.assert_allclose(y, own["macs_per_chunk"] / (own["busy_ms_per_chunk"] * 1e-3) / 1e9)
        assert (len(points.get_facecolor()) == 0) is (factor > 1)  # filled: baseline, hollow: folded


def test_roofs_come_from_the_profile(by_op):
    """phone-npu.yaml: 4 arrays x 4096 int8 MAC/cycle x 0.8 GHz = 13,107.2 GMAC/s; 67.2 GB/s x 0.45 = 30.24 GB/s."""
    first = panels(by_op, "op")[0]
    roofs = roofs_of(by_op, first)
    assert roofs.peaks == {"npu, int8": pytest.approx(13_107.2)}
    assert roofs.slopes == {"dram": pytest.approx(30.24)}
    assert roofs_of(by_op, panels(by_op, "op")[1]).slopes == {}  # gap9 has no level off the chip


def test_roofs_follow_set_values(make_rows):
    rows = make_rows("op", ["phone-npu"], sets=[("profile.memory_levels.dram.bandwidth_gb_per_s", (10.0, 20.0))])
    slopes = [roofs_of(rows, panel).slopes["dram"] for panel in panels(rows, "op")]
    assert slopes == [pytest.approx(4.5), pytest.approx(9.0)]


def test_roofline_without_a_profile_says_so(by_op):
    renamed = np.where(by_op["profile"] == "gap9", "no-such-chip", by_op["profile"]).astype(object)
    figure = draw(Results({**by_op.columns, "profile": renamed}, {}), "roofline")
    entries = [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]
    assert "no-such-chip without roofs: the result does not say which profile no-such-chip is" in entries
    assert not axes_of(figure, "no-such-chip").get_lines()[1:]


def test_roofline_with_a_changed_profile_says_so(by_op):
    inputs = [{**entry, "sha256": "0" * 64} for entry in by_op.provenance["inputs"]]
    changed = Results(by_op.columns, {**by_op.provenance, "inputs": inputs})
    roofs = roofs_of(changed, panels(changed, "op")[0])
    assert "phone-npu without roofs: profile phone-npu as the sweep used it (sha256 000000000000" in roofs.missing


def test_ops_without_off_chip_traffic_are_in_a_strip(by_op):
    figure = draw(by_op, "roofline")
    assert axes_of(figure, "gap9").get_xlabel() == "No off-chip traffic"
    axes = axes_of(figure, "phone-npu")
    edge = next(f.get_xdata()[0] for f in axes.get_lines() if f.get_linestyle() == ":")
    (joiner,) = [found for found in axes.collections if found.get_label() == f"joiner, {BASELINE}"]
    assert row(by_op, "phone-npu", 1, 160.0)["component"].tolist().count("joiner") > 0
    assert np.asarray(joiner.get_offsets())[0, 0] > edge


def test_top_ops_are_the_costliest(by_op):
    axes = axes_of(draw(by_op, "top-ops"), "phone-npu")
    own = row(by_op, "phone-npu", 1, 160.0)
    widths = {found.get_label(): [p.get_width() for p in found] for found in axes.containers}
    np.testing.assert_allclose(widths[BASELINE], sorted(own["power_mw"], reverse=True)[:10])
    assert axes.get_yticklabels()[0].get_text().replace("\n", " ") == "encoder: emformer feedforward_1"
    assert widths[FOLDED][3] < 0.5 * widths[BASELINE][3]  # key_value: a quarter of the weights


def test_rows_by_op_can_be_drawn_as_whole_designs(by_op, totals):
    one, other = (axes_of(draw(rows, "power-vs-chunk"), "gap9") for rows in (by_op, totals))
    np.testing.assert_allclose(line(one, FOLDED).get_ydata(), line(other, FOLDED).get_ydata())
    assert len(designs(by_op)) == len(totals)


def test_data_frame_of_a_sweep(totals):
    frame = sweep("emformer-rnnt-base", "phone-npu", [40, 160, 640])
    axes = axes_of(draw(frame, "power-vs-chunk"), "phone-npu")
    np.testing.assert_allclose(line(axes, FOLDED).get_ydata(), row(totals, "phone-npu", 2)["power_mw"])


def test_rows_without_saving_bands_are_drawn_without(totals):
    older = {name: values for name, values in totals.columns.items() if not name.startswith("power_saving_l")}
    assert not draw(Results(older), "saving-vs-chunk").axes[0].collections
