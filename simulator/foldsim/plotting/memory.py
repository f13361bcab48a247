"""Memory by content and by location, with the capacities on the chip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foldsim.plotting import style
from foldsim.plotting.bars import Part, column_height, part_entries, stacked_bars
from foldsim.plotting.canvas import grid, heading, legend, note, unfit_points
from foldsim.plotting.roofs import capacities_of
from foldsim.plotting.rows import Panel, designs, numbers, panels, reference_chunk
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results
from foldsim.units import BYTES_PER_KB, BYTES_PER_MB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONTENTS = ("weights_bytes", "state_bytes", "activation_peak_bytes")
# Indices of colours: on-chip and off-chip memory as in the power breakdown, contents in others.
ON_CHIP, OFF_CHIP, FIRST_CONTENT = 1, 2, 4
CAPACITY_LOOK: dict[str, Any] = {"color": "black", "linestyle": (0, (3, 2)), "linewidth": 0.8}
CLOSE = 0.055  # of the axis; capacities closer than this share a label


def memory_vs_chunk(results: Results) -> Figure:
    """The figure ``memory-vs-chunk``: memory by content, also without weights, and by location."""
    from matplotlib.lines import Line2D

    found = panels(designs(results))
    groups = _same_contents(found)
    figure, every = grid(3 * len(groups), heading("Memory", found), 2.85)
    reference = reference_chunk(results)
    contents = _contents(BYTES_PER_MB)
    lines = False
    for row, members in enumerate(groups):
        left, middle, right = every[3 * row : 3 * row + 3]
        levels = {panel.profile: capacities_of(results, panel) for panel in members}
        lines = lines or any(levels.values())
        stacked_bars(left, members[0], contents)
        left.set_ylabel("Memory without runtime [MB]")
        stacked_bars(middle, members[0], _contents(BYTES_PER_KB)[1:])
        middle.set_ylabel("State and activations [kB]")
        subject = f"{members[0].workload}: m" if len(groups) > 1 else "M"
        left.set_title(style.wrapped(f"{subject}emory by content", 38))
        middle.set_title("Without weights, enlarged")
        if len(levels) == 1:
            (own,) = levels.values()
            _capacities(left, {name: size / BYTES_PER_MB for name, size in own.items()})
            _capacities(middle, {name: size / BYTES_PER_KB for name, size in own.items()})
        _locations(right, members, reference, levels)
        right.set_title(f"By location, with runtime ({reference:g} ms)")
    locations = [
        ("on chip", column_height("onchip_bytes"), ON_CHIP),
        ("off chip (×: does not fit)", column_height("onchip_bytes"), OFF_CHIP),
    ]
    entries = part_entries([*contents, *locations])
    if lines:
        entries.append((Line2D([], [], **CAPACITY_LOOK), "usable capacity on the chip"))
    legend(figure, entries)
    return figure


def _contents(scale: float) -> list[Part]:
    """Weights, state and activations as parts of bars, in ``scale`` bytes."""
    return [(columns()[n].label, column_height(n, scale), FIRST_CONTENT + i) for i, n in enumerate(CONTENTS)]


def _capacities(axes: Axes, sizes: dict[str, float]) -> None:
    """Dashed lines at visible capacities; lines that are close together share a label."""
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
        text, where = style.wrapped(", ".join(names), 9, 2), ("axes fraction", "data")
        note(axes, text, (1, size), (2, 0), xycoords=where, va="center", annotation_clip=False)


def _same_contents(found: Sequence[Panel]) -> list[list[Panel]]:
    """Panels grouped by equal weights, state and activations, which do not depend on the profile."""
    groups: dict[tuple[object, ...], list[Panel]] = {}
    for panel in found:
        shape = tuple(
            tuple(numbers(series.rows, name).tolist()) for series in panel.series for name in ("chunk_ms", *CONTENTS)
        )
        groups.setdefault((panel.workload, shape), []).append(panel)
    return list(groups.values())


def _locations(axes: Axes, members: Sequence[Panel], chunk: float, levels: dict[str, dict[str, float]]) -> None:
    """Horizontal bars of memory on and off the chip, with a line at the end of each on-chip level."""
    position, ticks, names, spots, shorts = 0.0, [], [], [], []
    for panel in members:
        start = position
        for series in panel.series:
            rows = series.rows.where(numbers(series.rows, "chunk_ms") == chunk)
            if not len(rows):
                continue
            total, inside = (float(numbers(rows, name)[0]) / BYTES_PER_MB for name in ("memory_bytes", "onchip_bytes"))
            for label, left, width, index in (
                ("on chip", 0.0, inside, ON_CHIP),
                ("off chip", inside, total - inside, OFF_CHIP),
            ):
                name = style.safe(f"{label}, {panel.profile}, {series.label}")
                axes.barh(position, width, 0.8, left=left, label=name, zorder=2, **style.part_look(index))
            text = f"{'× ' if unfit_points(rows).any() else ''}{style.short_number(total)}"
            note(axes, text, (total, position), (2, 0), va="center")
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
