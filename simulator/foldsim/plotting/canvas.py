"""Grids of panels: axes, titles, chunk axes, notes, marks and legends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.rows import BoolArray, FloatArray, Panel, Series, all_series, chosen_chunks, clean, flags
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

Entry = tuple["Artist", str]  # legend handle and its text

MAX_CHUNK_TICKS = 8
LINE_IN = 0.175  # height of a line of a title or legend
PRINT_HEIGHT_RATIO = 0.82  # of panels in the print style
STRIP_RATIO = 0.42  # height of a strip below its panel


def grid(
    count: int,
    title: str,
    height_in: float = style.PANEL_HEIGHT_IN,
    columns: int = style.MAX_COLUMNS,
    share_y: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` panels, at most ``columns`` side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if style.printing():
        columns, height_in = 1, PRINT_HEIGHT_RATIO * height_in
    width = min(count, columns)
    height = -(-count // width)
    head = style.wrapped(title, 42 * width - 3, 3)
    size = (style.PANEL_WIDTH_IN * width, height_in * height + 0.1 + LINE_IN * len(head.split("\n")))
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    cells = figure.add_gridspec(height, width)
    every: list[Axes] = []
    for i in range(count):
        shared = every[0] if share_y and every else None
        axes = figure.add_subplot(cells[i // width, i % width], sharey=shared)
        axes.grid(axis="y")
        _ticks(axes)
        every.append(axes)
    figure.suptitle(head, x=0.008, ha="left")
    return figure, every


def columns_for(count: int) -> int:
    """Panels per row: the ``count`` panels of a profile share a row if they fit."""
    return count if 1 < count <= style.MAX_COLUMNS else style.MAX_COLUMNS


def strips_below(figure: Figure, every: Sequence[Axes]) -> list[Axes]:
    """A strip below every panel that shares its horizontal axis."""
    strips = []
    for axes in every:
        cell = axes.get_subplotspec()
        assert cell is not None
        halves = cell.subgridspec(2, 1, height_ratios=[1, STRIP_RATIO], hspace=0.02)
        axes.set_subplotspec(halves[0])
        strip = figure.add_subplot(halves[1], sharex=axes)
        strip.grid(axis="y")
        _ticks(strip)
        axes.tick_params(axis="x", which="both", labelbottom=False)
        strips.append(strip)
    return strips


def _ticks(axes: Axes) -> None:
    # Not in the style sheet alone: ticks are created when the figure is saved, outside the style's context.
    size = 6.5 if style.printing() else 7.5
    axes.tick_params(which="both", length=3, width=0.6, labelsize=size, color=style.GREY, labelcolor="#333333")


def lay_out(figure: Figure) -> None:
    """Lay the figure out once; a layout engine that stays attached would draw it twice at every save."""
    import warnings

    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        warnings.filterwarnings("ignore", message="constrained_layout not applied")  # more text than room
        ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05, hspace=0.04, wspace=0.02).execute(figure)


def heading(title: str, panels: Sequence[Panel]) -> str:
    """Title of a figure, with the workload if all panels share one."""
    workloads = list(dict.fromkeys(panel.workload for panel in panels))
    return f"{title}: {workloads[0]}" if len(workloads) == 1 else title


def set_panel_title(axes: Axes, panel: Panel, panels: Sequence[Panel], pad: float = 5.0, room: int = 14) -> None:
    """Title of a panel: profile, workload if several, other details, and a warning if nothing fits.

    Parameters
    ----------
    room : longest last line, in characters, that leaves space for the warning next to it.
    """
    parts = [panel.profile]
    if len({p.workload for p in panels}) > 1:
        parts.append(panel.workload)
    lines = [style.wrapped(part, 38, 2) for part in (*parts, *panel.details)]
    axes.set_label(clean(", ".join((*parts, *panel.details))))
    unfit = unfit_points(panel.rows)
    warning = "× does not fit its memory" if len(unfit) and unfit.all() else ""
    if warning and len(lines[-1]) > room:
        lines.append(warning)
        warning = ""
    axes.set_title("\n".join(lines), pad=pad)
    if warning:
        axes.set_title(
            warning, loc="right", pad=pad, fontsize=7.5, fontweight="normal", color=style.colour(style.VERMILLION)
        )


def chunk_axis(axes: Axes, sizes: Sequence[float]) -> list[float]:
    """Logarithmic axis with ticks at swept chunk sizes; returns the ticks [ms]."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    ticks = chosen_chunks(sizes, MAX_CHUNK_TICKS)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{t:g}" for t in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    margin = 2 ** (0.07 * max(1.0, float(np.log2(sizes[-1] / sizes[0]))))
    axes.set_xlim(sizes[0] / margin, sizes[-1] * margin)
    axes.set_xlabel(style.axis_label("chunk_ms"))
    return ticks


def level_axis(axis: Axis, values: Iterable[FloatArray], least_ratio: float = 2.5, few: bool = False) -> bool:
    """Logarithmic axis with plain numbers if the values span ``least_ratio``, else linear from 0; True if logarithmic.

    Parameters
    ----------
    few : at most four ticks, for strips.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    every = np.concatenate([np.asarray(v, dtype=np.float64).ravel() for v in values])
    every = every[np.isfinite(every)]
    axes: Any = axis.axes
    across = axis.axis_name == "x"  # type: ignore[attr-defined]
    scale, limit = (axes.set_xscale, axes.set_xlim) if across else (axes.set_yscale, axes.set_ylim)
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    if low <= 0 or high / low < least_ratio:
        low, high = min(0.0, low), max(0.0, high)
        limit(low - 0.05 * (low < 0) * (high - low), high + 0.12 * ((high - low) or 1.0))
        if few:
            axis.set_major_locator(MaxNLocator(3))
        return False
    decades = float(np.log10(high / low))
    scale("log")
    limit(low / 10 ** (0.06 * decades + 0.03), high * 10 ** (0.06 * decades + 0.03))
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.6 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace(",", "\u2009")))
    axis.set_minor_locator(NullLocator() if decades < 2.6 else LogLocator(subs=(2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())
    if few:
        axis.set_major_locator(FixedLocator(_few_ticks(low, high)))
        axis.set_minor_locator(NullLocator())
    return True


def _few_ticks(low: float, high: float) -> list[float]:
    """Two to four round numbers on a logarithmic axis: decades, else 1-2-5."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        ticks = [
            step * 10.0**power for power in powers for step in steps if low / 1.05 <= step * 10.0**power <= high * 1.05
        ]
        if len(ticks) > 1:
            return ticks[:: -(-len(ticks) // 4)]
    return [low, high]


def draw_series(axes: Axes, panel: Panel, series: Series, x: FloatArray, y: FloatArray, line: Any = None) -> None:
    """A line in the series' style; hollow points are not in real time, × does not fit.

    If no design of the panel fits, the panel's title says so instead.
    """
    look: dict[str, Any] = {"color": style.series_colour(series.index), "marker": style.series_marker(series.index)}
    look["markersize"] = (4.5 if len(x) <= 12 else 3.0) * (0.8 if style.printing() else 1.0)
    line = style.series_line(series.index) if line is None else line
    axes.plot(x, y, linestyle=line, label=style.safe(series.label), zorder=3, **look)
    late, unfit = late_points(series.rows), unfit_points(series.rows)
    if late.any():
        axes.plot(x[late], y[late], linestyle="none", markerfacecolor="white", zorder=4, **look)
    if unfit.any() and not unfit_points(panel.rows).all():
        cross: dict[str, Any] = {"marker": "x", "markersize": 7, "color": style.colour(style.VERMILLION)}
        axes.plot(x[unfit], y[unfit], linestyle="none", zorder=5, **cross)


def late_points(rows: Results) -> BoolArray:
    """Mask of designs that are not in real time."""
    return _negated(rows, "realtime")


def unfit_points(rows: Results) -> BoolArray:
    """Mask of designs that do not fit in memory."""
    return _negated(rows, "fits")


def _negated(rows: Results, name: str) -> BoolArray:
    return ~flags(rows, name) if name in rows.columns else np.zeros(len(rows), dtype=np.bool_)


def series_entries(panels: Sequence[Panel], joined: bool = True) -> list[Entry]:
    """One legend entry per folding."""
    from matplotlib.lines import Line2D

    entries: list[Entry] = []
    for series in all_series(panels):
        i = series.index
        look: dict[str, Any] = {"color": style.series_colour(i), "marker": style.series_marker(i)}
        handle = Line2D([], [], linestyle=style.series_line(i) if joined else "none", **look)
        entries.append((handle, style.wrapped(series.label, 40)))
    return entries


def text_entry(text: str) -> Entry:
    """Legend entry without a symbol."""
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="none"), text


def mark_entries(panels: Sequence[Panel], realtime: str = "hollow: not in real time") -> list[Entry]:
    """Legend entries for the marks that occur."""
    from matplotlib.lines import Line2D

    entries: list[Entry] = []
    if any(late_points(panel.rows).any() for panel in panels):
        hollow = Line2D([], [], linestyle="none", marker="o", markerfacecolor="white", color=style.GREY)
        entries.append((hollow, realtime))
    partly = [unfit_points(panel.rows) for panel in panels]
    if any(p.any() and not p.all() for p in partly):
        cross = Line2D([], [], linestyle="none", marker="x", markersize=7, color=style.colour(style.VERMILLION))
        entries.append((cross, "does not fit in memory"))
    return entries


def note(axes: Axes, text: str, at: tuple[Any, Any], offset: tuple[float, float], **look: Any) -> Annotation:
    """Write small text at a point of the axes, shifted by ``offset`` [points]."""
    return axes.annotate(text, at, offset, textcoords="offset points", **{"fontsize": 6, **look})


def halo(colour: str = "white") -> list[Any]:
    """Path effects that keep text readable over lines."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2, foreground=colour)]


def category_rows(axes: Axes, names: Sequence[str]) -> None:
    """One named row per category, the first on top, with vertical grid lines only."""
    axes.set_yticks(range(len(names)), names, fontsize=6.5)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")


def legend(figure: Figure, entries: Sequence[Entry]) -> None:
    """One legend below all panels."""
    if not entries:
        return
    columns = next((n for n in range(len(entries), 1, -1) if _legend_width_in(entries, n) < figure.get_figwidth()), 1)
    rows = -(-len(entries) // columns)
    figure.set_figheight(figure.get_figheight() + LINE_IN * rows)
    figure.legend(
        [handle for handle, _ in entries],
        [text for _, text in entries],
        loc="outside lower left",
        ncols=columns,
        columnspacing=1.4,
    )


def _legend_width_in(entries: Sequence[Entry], columns: int) -> float:
    """Approximate width of a legend with that many columns, which entries fill one after the other."""
    lengths = [max(len(line) for line in text.split("\n")) for _, text in entries]
    rows, longer = divmod(len(lengths), columns)
    total, at = 0.2, 0
    for column in range(columns):
        size = rows + (column < longer)
        total += 0.5 + 0.064 * max(lengths[at : at + size], default=0)
        at += size
    return total
