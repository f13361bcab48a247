"""The hierarchical roofline: every matrix product against every memory level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, grid, heading, legend, level_axis, set_panel_title
from foldsim.plotting.roofs import MACS_PER_GMAC, roofs_of
from foldsim.plotting.rows import FloatArray, Panel, numbers, panels, reference_chunk, texts
from foldsim.sweeps.results import Results
from foldsim.units import BYTES_PER_GB, MS_PER_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_SHARE = 0.002  # of the busy time; smaller products are left out
MAX_NAMES = 3
COLOURS = (style.PURPLE, style.GREEN, style.ORANGE, style.SKY, style.BLUE)
MARKERS = ("v", "^", "D", "o", "s")


@dataclass(frozen=True)
class LevelPoints:
    """The products of a design at one memory level, one array element each."""

    op: list[tuple[str, str]]  # component and name
    intensity: FloatArray  # MAC per byte of the level
    gmacs_per_s: FloatArray
    busy_share: FloatArray


def level_points(rows: Results, level: str) -> LevelPoints:
    """Work per byte of a level and achieved rate of the products that the level serves."""
    mine = rows.where(np.array(texts(rows, "level")) == level)
    macs, busy, moved = (numbers(mine, n) for n in ("macs_per_chunk", "busy_ms_per_chunk", "level_bytes_per_chunk"))
    share = busy / float(np.nansum(busy) or 1.0)
    kept = np.flatnonzero((macs > 0) & (busy > 0) & (moved > 0) & (share >= LEAST_SHARE))
    ops = texts(mine, "op")
    layers = texts(mine, "layer")
    owners = texts(mine, "component")
    names = [(owners[i], layers[i] if ops[i] == "linear" else ops[i]) for i in kept]
    rate = macs[kept] / (busy[kept] / MS_PER_S) / MACS_PER_GMAC
    return LevelPoints(names, macs[kept] / moved[kept], rate, share[kept])


def slopes(rows: Results) -> dict[str, float]:
    """Bandwidth that every level reaches [GB/s], from its bytes and their times."""
    levels = list(dict.fromkeys(texts(rows, "level")))
    found = {}
    for level in levels:
        mine = np.array(texts(rows, "level")) == level
        moved, spent = (numbers(rows, name)[mine] for name in ("level_bytes_per_chunk", "level_ms_per_chunk"))
        used = (moved > 0) & (spent > 0)
        if used.any():
            largest = int(np.argmax(np.where(used, moved, 0.0)))
            found[level] = float(moved[largest] / (spent[largest] / MS_PER_S) / BYTES_PER_GB)
    return found


def roofline_levels(results: Results) -> Figure:
    """Which memory level holds each matrix product back?

    Every product stands once per level, at one height; products of less than 0.2 % of the busy time are left out.
    """
    chunk = reference_chunk(results)
    found = panels(results.where(numbers(results, "chunk_ms") == chunk), "level")
    figure, every = grid(len(found), heading(f"Hierarchical roofline, chunk {chunk:g} ms", found), 3.2)
    for axes, panel in zip(every, found, strict=True):
        _draw_panel(axes, panel, roofs_of(results, panel).peaks)
        set_panel_title(axes, panel, found)
    legend(figure, _entries(found))
    return figure


def _entries(found: list[Panel]) -> list[Entry]:
    from matplotlib.lines import Line2D

    entries: list[Entry] = []
    for rank in range(max(len(slopes(panel.rows)) for panel in found)):
        colour = style.colour(COLOURS[rank % len(COLOURS)])
        handle = Line2D([], [], marker=MARKERS[rank % len(MARKERS)], color=colour, linewidth=1.2)
        name = "innermost level" if rank == 0 else f"level {rank + 1}"
        entries.append((handle, name))
    plain: dict[str, Any] = {"linestyle": "none", "marker": "o", "color": style.GREY}
    if any(series.is_baseline for panel in found for series in panel.series):
        entries.append((Line2D([], [], **plain), "filled: baseline"))
    if any(not series.is_baseline for panel in found for series in panel.series):
        entries.append((Line2D([], [], markerfacecolor="none", **plain), "hollow: folded"))
    return [*entries, (Line2D([], [], linestyle="none"), "area: share of time")]


def _draw_panel(axes: Axes, panel: Panel, peaks: dict[str, float]) -> None:
    roofs = slopes(panel.rows)
    drawn = [(series, {level: level_points(series.rows, level) for level in roofs}) for series in panel.series]
    every = [points for _, by_level in drawn for points in by_level.values() if len(points.op)]
    x = np.concatenate([points.intensity for points in every]) if every else np.array([1.0])
    y = np.concatenate([points.gmacs_per_s for points in every]) if every else np.array([1.0])
    top = max([float(y.max()), *peaks.values()])
    low, high = float(x.min()) / 3, max(float(x.max()) * 3, *(top / slope for slope in roofs.values()))
    axes.set_xscale("log")
    level_axis(axes.xaxis, [np.array([low, high])])
    level_axis(axes.yaxis, [np.array([float(y.min()) / 2, 2 * top])])
    axes.set_xlim(low, high)
    for name, peak in peaks.items():
        axes.plot([low, high], [peak, peak], color=style.GREY, linewidth=1.2, zorder=2, label=style.safe(name))
        text = f"{style.wrapped(name, 24, 1)}: {style.short_number(peak)} GMAC/s"
        _note(axes, text, (high, peak), (-2, 2), ha="right", va="bottom", color=style.GREY)
    ceiling = max(peaks.values(), default=top)
    for rank, (level, slope) in enumerate(roofs.items()):
        _roof(axes, rank, level, slope, (low, high), ceiling)
        colour = style.colour(COLOURS[rank % len(COLOURS)])
        for series, by_level in drawn:
            points = by_level[level]
            if len(points.op):
                axes.scatter(
                    points.intensity, points.gmacs_per_s, s=7 + 110 * points.busy_share, linewidths=0.9,
                    marker=MARKERS[rank % len(MARKERS)], edgecolors=colour, zorder=3 + series.index,
                    facecolors=colour if series.is_baseline else "none", alpha=0.9,
                    label=style.safe(f"{level}, {series.label}"),
                )  # fmt: skip
    if every:
        _name_largest(axes, drawn[0][1])
    axes.set_xlabel("Work per byte of the level [MAC/byte]")
    axes.set_ylabel("Achieved rate [GMAC/s]")


def _note(axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], **look: Any) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2, foreground="white")]
    axes.annotate(text, at, offset, textcoords="offset points", fontsize=6, path_effects=halo, zorder=9, **look)


def _roof(axes: Axes, rank: int, level: str, slope: float, span: tuple[float, float], top: float) -> None:
    """The slope of a level, with its name where it leaves the picture below or at the left."""
    colour = style.colour(COLOURS[rank % len(COLOURS)])
    bottom = axes.get_ylim()[0]
    start, end = max(span[0], bottom / slope), min(span[1], top / slope)
    if end <= start:
        return
    axes.plot([start, end], [slope * start, slope * end], color=colour, linewidth=1.1, zorder=2,
              label=style.safe(f"{level} bandwidth"))  # fmt: skip
    at = float(start**0.1 * end**0.9)
    _note(
        axes, f"{style.wrapped(level, 14, 1)} {style.short_number(slope)} GB/s", (at, slope * at), (-2, 2), ha="right",
        va="bottom", rotation=45, rotation_mode="anchor", transform_rotates_text=True, color="#333333",
    )  # fmt: skip


def _name_largest(axes: Axes, by_level: dict[str, LevelPoints]) -> None:
    """Names of the products that take most time, at the right of their row of points."""
    last: dict[tuple[str, str], tuple[float, float, float]] = {}
    for points in by_level.values():
        values = zip(points.op, points.intensity, points.gmacs_per_s, points.busy_share, strict=True)
        for op, x, y, share in values:
            last[op] = (max(float(x), last.get(op, (0.0,))[0]), float(y), float(share))
    taken: list[float] = []
    for op in sorted(last, key=lambda name: -last[name][2]):
        x, y, share = last[op]
        height = float(np.log10(y))
        if share < 0.03 or len(taken) == MAX_NAMES:
            return
        if any(abs(height - other) < 0.12 for other in taken):
            continue
        taken.append(height)
        _note(axes, style.wrapped(op[1], 20, 1), (x, y), (6, -1), ha="left", va="center", color="#333333")
