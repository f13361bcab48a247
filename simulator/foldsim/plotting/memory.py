"""Memory by content and by place, beside what the chips hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foldsim.plotting import style
from foldsim.plotting.bars import column_height, part_entries, stacked_bars
from foldsim.plotting.canvas import grid, heading, homeless_points, legend
from foldsim.plotting.roofs import capacities_of
from foldsim.plotting.rows import Panel, designs, numbers, panels, reference_chunk
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results
from foldsim.units import BYTES_PER_MB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONTENTS = ("weights_bytes", "state_bytes", "activation_peak_bytes")
BYTES_PER_KB = 1000
# Looks: on-chip and off-chip memory as in the breakdown of power, contents in colours of their own.
ON_CHIP, OFF_CHIP, FIRST_CONTENT = 1, 2, 4
CAPACITY_LOOK: dict[str, Any] = {"color": "black", "linestyle": (0, (3, 2)), "linewidth": 0.8}
CLOSE = 0.055  # of the axis: capacities closer than this share a name


def memory_vs_chunk(results: Results) -> Figure:
    """How much memory does each design need, what fills it, and how much of it is on the chip?

    Left: weights, state and peak activations. Middle: the same without weights. Right: all memory (with the runtime's
    fixed part) by place, per profile, at one chunk size.
    """
    from matplotlib.lines import Line2D

    found = panels(designs(results))
    lines = False
    groups = _same_contents(found)
    figure, every = grid(3 * len(groups), heading("Memory", found), 2.85)
    reference = reference_chunk(results)
    whole = [(columns()[n].label, column_height(n, BYTES_PER_MB), FIRST_CONTENT + i) for i, n in enumerate(CONTENTS)]
    small = [(columns()[n].label, column_height(n, BYTES_PER_KB), FIRST_CONTENT + i) for i, n in enumerate(CONTENTS)][
        1:
    ]
    places = [
        ("on chip", column_height("onchip_bytes"), ON_CHIP),
        ("elsewhere (×: no room)", column_height("onchip_bytes"), OFF_CHIP),
    ]
    for row, members in enumerate(groups):
        left, middle, right = every[3 * row : 3 * row + 3]
        levels = {panel.profile: capacities_of(results, panel) for panel in members}
        lines = lines or any(levels.values())
        stacked_bars(left, members[0], whole)
        left.set_ylabel("Memory without runtime [MB]")
        stacked_bars(middle, members[0], small)
        middle.set_ylabel("State and activations [kB]")
        subject = f"{members[0].workload}: w" if len(groups) > 1 else "W"
        left.set_title(style.wrapped(f"{subject}hat fills it", 38))
        middle.set_title("Without weights, enlarged")
        if len(levels) == 1:
            (own,) = levels.values()
            _capacities(left, {name: size / BYTES_PER_MB for name, size in own.items()})
            _capacities(middle, {name: size / BYTES_PER_KB for name, size in own.items()})
        _places(right, members, reference, levels)
        right.set_title(f"Where it is, with runtime ({reference:g} ms)")
    entries = part_entries([*whole, *places])
    if lines:
        entries.append((Line2D([], [], **CAPACITY_LOOK), "usable capacity on the chip"))
    legend(figure, entries)
    return figure


def _capacities(axes: Axes, sizes: dict[str, float]) -> None:
    """Dashed lines at capacities within sight; lines too close for a name each share one."""
    bottom, top = axes.get_ylim()
    inside = sorted((size, name) for name, size in sizes.items() if size < 0.97 * top)
    shared: list[tuple[float, list[str]]] = []
    for size, name in inside:
        axes.axhline(size, **CAPACITY_LOOK, zorder=4)
        if shared and size - shared[-1][0] < CLOSE * (top - bottom):
            shared[-1][1].append(name)
        else:
            shared.append((size, [name]))
    for size, names in shared:
        axes.annotate(
            style.wrapped(", ".join(names), 9, 2), (1, size), (2, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", fontsize=6, va="center", annotation_clip=False,
        )  # fmt: skip


def _same_contents(found: Sequence[Panel]) -> list[list[Panel]]:
    """Panels whose weights, state and activations are equal, as they are on every profile."""
    groups: dict[tuple[object, ...], list[Panel]] = {}
    for panel in found:
        shape = tuple(
            tuple(numbers(series.rows, name).tolist()) for series in panel.series for name in ("chunk_ms", *CONTENTS)
        )
        groups.setdefault((panel.workload, shape), []).append(panel)
    return list(groups.values())


def _places(axes: Axes, members: Sequence[Panel], chunk: float, levels: dict[str, dict[str, float]]) -> None:
    """Horizontal bars of memory on and off the chip, with a line where each on-chip level is full."""
    position, ticks, names, spots, shorts = 0.0, [], [], [], []
    for panel in members:
        start = position
        for series in panel.series:
            mine = numbers(series.rows, "chunk_ms") == chunk
            if not mine.any():
                continue
            total = float(numbers(series.rows, "memory_bytes")[mine][0]) / BYTES_PER_MB
            inside = float(numbers(series.rows, "onchip_bytes")[mine][0]) / BYTES_PER_MB
            axes.barh(
                position,
                inside,
                0.8,
                label=style.safe(f"on chip, {panel.profile}, {series.label}"),
                zorder=2,
                **style.part_look(ON_CHIP),
            )
            axes.barh(
                position,
                total - inside,
                0.8,
                left=inside,
                label=style.safe(f"elsewhere, {panel.profile}, {series.label}"),
                zorder=2,
                **style.part_look(OFF_CHIP),
            )
            homeless = homeless_points(series.rows)[mine].any()
            text = f"{'× ' if homeless else ''}{style.short_number(total)}"
            axes.annotate(text, (total, position), (2, 0), textcoords="offset points", va="center", fontsize=6)
            spots.append(position)
            shorts.append(series.short)
            position += 1
        filled = 0.0
        for size in levels.get(panel.profile, {}).values():
            filled += size / BYTES_PER_MB
            axes.plot([filled, filled], [start - 0.55, position - 0.45], **CAPACITY_LOOK, zorder=4)
        ticks.append((start + position - 1) / 2)
        names.append("\n".join([style.wrapped(panel.profile, 18), *(style.wrapped(d, 24, 1) for d in panel.details)]))
        position += 0.7
    axes.set_yticks(ticks, names)
    axes.set_yticks(spots, shorts, minor=True)
    axes.tick_params(axis="y", which="minor", length=0, pad=1.5, labelsize=6, labelcolor=style.GREY)
    axes.tick_params(axis="y", which="major", length=0, pad=11)
    axes.yaxis.remove_overlapping_locs = False
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.margins(x=0.14)
    axes.set_xlabel(style.axis_label("memory_bytes", "MB"))
