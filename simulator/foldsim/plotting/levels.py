"""The hierarchical roofline: matrix products against the bandwidth of every memory level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, grid, halo, heading, legend, level_axis, note, set_panel_title, text_entry
from foldsim.plotting.roofline import ALONG_SLOPE
from foldsim.plotting.roofs import MACS_PER_GMAC, roofs_of
from foldsim.plotting.rows import FloatArray, Panel, Series, equal_to, numbers, reference_panels, texts
from foldsim.sweeps.results import Results
from foldsim.units import BYTES_PER_GB, MS_PER_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_SHARE = 0.002  # of the busy time; smaller products are left out
MAX_NAMES = 3  # products named per panel
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
    """Work per byte of a level and achieved rate of the products with traffic at the level."""
    own = rows.where(equal_to(rows, "level", level))
    macs, busy, moved = (numbers(own, n) for n in ("macs_per_chunk", "busy_ms_per_chunk", "level_bytes_per_chunk"))
    share = busy / float(np.nansum(busy) or 1.0)
    kept = np.flatnonzero((macs > 0) & (busy > 0) & (moved > 0) & (share >= LEAST_SHARE))
    ops, layers, owners = (texts(own, name) for name in ("op", "layer", "component"))
    names = [(owners[i], layers[i] if ops[i] == "linear" else ops[i]) for i in kept]
    rate = macs[kept] / (busy[kept] / MS_PER_S) / MACS_PER_GMAC
    return LevelPoints(names, macs[kept] / moved[kept], rate, share[kept])


def slopes(rows: Results) -> dict[str, float]:
    """Bandwidth reached at every level [GB/s], from its largest transfer."""
    found = {}
    for level in dict.fromkeys(texts(rows, "level")):
        own = rows.where(equal_to(rows, "level", level))
        moved, spent = (numbers(own, name) for name in ("level_bytes_per_chunk", "level_ms_per_chunk"))
        used = (moved > 0) & (spent > 0)
        if used.any():
            largest = int(np.argmax(np.where(used, moved, 0.0)))
            found[level] = float(moved[largest] / (spent[largest] / MS_PER_S) / BYTES_PER_GB)
    return found


def roofline_levels(results: Results) -> Figure:
    """The figure ``roofline-levels``: a point per product and level; products under 0.2 % of time are omitted."""
    chunk, found = reference_panels(results, "level")
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
    return [*entries, text_entry("area: share of time")]


def _draw_panel(axes: Axes, panel: Panel, peaks: dict[str, float]) -> None:
    roofs = slopes(panel.rows)
    drawn = [(series, {level: level_points(series.rows, level) for level in roofs}) for series in panel.series]
    every = [points for _, by_level in drawn for points in by_level.values() if len(points.op)]
    x, y = (np.concatenate([getattr(points, n) for points in every] or [[1.0]]) for n in ("intensity", "gmacs_per_s"))
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
        for series, by_level in drawn:
            _scatter(axes, rank, level, series, by_level[level])
    if every:
        _name_largest(axes, drawn[0][1])
    axes.set_xlabel("Work per byte of the level [MAC/byte]")
    axes.set_ylabel("Achieved rate [GMAC/s]")


def _scatter(axes: Axes, rank: int, level: str, series: Series, points: LevelPoints) -> None:
    colour = style.colour(COLOURS[rank % len(COLOURS)])
    if len(points.op):
        axes.scatter(
            points.intensity, points.gmacs_per_s, s=7 + 110 * points.busy_share, linewidths=0.9,
            marker=MARKERS[rank % len(MARKERS)], edgecolors=colour, zorder=3 + series.index,
            facecolors=colour if series.is_baseline else "none", alpha=0.9,
            label=style.safe(f"{level}, {series.label}"),
        )  # fmt: skip


def _note(axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], **look: Any) -> None:
    note(axes, text, at, offset, path_effects=halo(), zorder=9, **look)


def _roof(axes: Axes, rank: int, level: str, slope: float, span: tuple[float, float], top: float) -> None:
    """The bandwidth of a level as a line, with its name near the upper end."""
    colour = style.colour(COLOURS[rank % len(COLOURS)])
    bottom = axes.get_ylim()[0]
    start, end = max(span[0], bottom / slope), min(span[1], top / slope)
    if end <= start:
        return
    axes.plot([start, end], [slope * start, slope * end], color=colour, linewidth=1.1, zorder=2,
              label=style.safe(f"{level} bandwidth"))  # fmt: skip
    at = float(start**0.1 * end**0.9)
    text = f"{style.wrapped(level, 14, 1)} {style.short_number(slope)} GB/s"
    _note(axes, text, (at, slope * at), (-2, 2), ha="right", va="bottom", color="#333333", **ALONG_SLOPE)


def _name_largest(axes: Axes, by_level: dict[str, LevelPoints]) -> None:
    """Name the products with the largest busy time, to the right of their points."""
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
