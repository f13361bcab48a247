"""Figures over chunk size and left context, and of policies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldsim.plotting import draw
from foldsim.plotting.maps import crossing, grid_of, tipping_points_of
from foldsim.plotting.rows import panels
from foldsim.sweeps.results import Results

PATH = "workload.streaming.left_context_tokens"


def panel(figure, label):
    return next(axes for axes in figure.axes if axes.get_label() == label)


def mesh(axes):
    return next(c for c in axes.collections if c.get_label() == "power saving [%]")


def test_map_is_the_saving(by_left):
    axes = panel(draw(by_left, "saving-map"), "phone-npu, folded, N = 2")
    values = np.asarray(mesh(axes).get_array()).reshape(4, 3)
    for i, left in enumerate((0, 128, 512, 1024)):
        for j, chunk in enumerate((40.0, 160.0, 640.0)):
            own = by_left.where(
                (by_left["profile"] == "phone-npu") & (by_left["fold_factor"] == 2)
                & (by_left["left_context_tokens"] == left) & (by_left["chunk_ms"] == chunk)
            )  # fmt: skip
            assert values[i, j] == pytest.approx(100 * own["power_saving_ratio"][0])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["40", "160", "640"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["0", "128", "512", "1024"]


def test_colours_are_centred_on_zero_and_shared(by_left):
    limits = {mesh(axes).get_clim() for axes in draw(by_left, "saving-map").axes}
    ((low, high),) = limits
    assert low == -high
    assert high == pytest.approx(100 * np.abs(by_left["power_saving_ratio"]).max())


def test_break_even_is_drawn_where_there_is_one(by_left):
    def contours(rows):
        return [c for axes in draw(rows, "saving-map").axes for c in axes.collections if c is not mesh(axes)]

    phone = by_left.where((by_left["profile"] == "phone-npu") & (by_left["fold_factor"] < 4))
    assert phone["power_saving_ratio"].min() >= 0
    assert not contours(phone)
    moved = Results({**phone.columns, "power_saving_ratio": phone["power_saving_ratio"] - 0.15})
    (line,) = contours(moved)
    assert sum(len(path.vertices) for path in line.get_paths()) > 1


def test_work_breaks_even_at_the_closed_form(by_left):
    """Attention alone: projections shrink from 4 q D^2 to 4 q D^2 / N, scores grow from 2 q K D to 2 N q K D, so
    K = 2 D / N keys. Here D = 512: 512 keys for N = 2 and 256 for N = 4, with K = left context + chunk + 1.
    Extra work is linear in the left context, so interpolation is exact."""
    found = panels(by_left, over=(PATH,))
    for one in found:
        base, two, four = one.series
        for series, keys in ((two, 512), (four, 256)):
            chunks, points = tipping_points_of(base, series, "macs_per_chunk")
            np.testing.assert_allclose(points, keys - 1 - chunks / 40, rtol=1e-9)


def test_tipping_points_beyond_the_sweep_are_marked(by_left):
    axes = panel(draw(by_left, "tipping-points"), "phone-npu")
    (work,) = [found for found in axes.get_lines() if found.get_label() == "work, folded, N = 2"]
    assert work.get_ydata().tolist() == pytest.approx([510.0, 507.0, 495.0])
    (power,) = [found for found in axes.get_lines() if found.get_label() == "power, folded, N = 2"]
    assert np.isnan(power.get_ydata()).all()  # phone-npu saves power over the whole sweep
    arrows = [found for found in axes.get_lines() if "arrow" in str(found.get_marker())]
    assert arrows[0].get_xdata().tolist() == [40.0, 160.0, 640.0]
    assert min(arrows[0].get_ydata()) > 1024


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8), st.randoms())
def test_crossing_lies_between_the_last_saving_and_the_first_cost(extra, random):
    left = np.arange(len(extra)) * 10.0
    order = list(range(len(extra)))
    random.shuffle(order)
    point = crossing(left[order], np.array(extra)[order])
    first = next((i for i, value in enumerate(extra) if value >= 0), None)
    if first is None:
        assert point == np.inf
    elif first == 0:
        assert point == (-np.inf if extra[0] > 0 else 0.0)
    else:
        assert left[first - 1] <= point <= left[first]


def test_gaps_in_a_sweep_stay_empty(by_left):
    some = by_left.where((by_left["chunk_ms"] != 160) | (by_left["left_context_tokens"] != 128))
    (one, _) = panels(some, over=(PATH,))
    values = grid_of(one.series[1], "power_saving_ratio")[2]
    assert np.isnan(values).sum() == 1
    draw(some, "saving-map")
    draw(some, "tipping-points")


def test_policies_are_lines_of_the_rows(by_policy):
    figure = draw(by_policy, "policy-comparison")
    axes, strip = (a for a in figure.axes if a.get_label() == "gap9")
    for policy in ("race-to-idle", "slowest-real-time"):
        own = by_policy.where(
            (by_policy["profile"] == "gap9") & (by_policy["policy"] == policy) & (by_policy["fold_factor"] == 1)
        )
        for where, column in ((axes, "power_mw"), (strip, "latency_ms")):
            (found,) = [one for one in where.get_lines() if one.get_label() == f"{policy}, baseline"]
            assert found.get_ydata().tolist() == own[column].tolist()
    written = [t.get_text() for t in axes.texts]
    # gap9 slows down at chunk sizes that leave time for it, which saves power; the last text is at the longest chunk.
    assert written[:3] == ["370mhz", "370mhz", "240mhz"]
    longest = by_policy.where(
        (by_policy["profile"] == "gap9")
        & (by_policy["fold_factor"] == 1)
        & (by_policy["chunk_ms"] == by_policy["chunk_ms"].max())
    )
    power = dict(zip(longest["policy"], longest["power_mw"], strict=True))
    saved = 100.0 * (1.0 - power["slowest-real-time"] / power["race-to-idle"])
    assert saved > 10
    assert written[-1] == f"−{saved:.0f} %"
