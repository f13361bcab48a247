"""Figures of a grid of panels: axes, titles, chunk axes, marks and legends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.rows import BoolArray, FloatArray, Panel, Series, chosen_chunks, clean, flags
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Entry = tuple["Artist", str]  # legend handle and its text

MAX_CHUNK_TICKS = 8
LINE_IN = 0.175  # height of a line of a title or legend
PRINT_HEIGHT_RATIO = 0.82  # panels in print are that much lower
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
    found: list[Axes] = []
    for i in range(count):
        shared = found[0] if share_y and found else None
        axes = figure.add_subplot(cells[i // width, i % width], sharey=shared)
        axes.grid(axis="y")
        _ticks(axes)
        found.append(axes)
    figure.suptitle(head, x=0.008, ha="left")
    return figure, found


def columns_for(count: int) -> int:
    """Panels side by side, so that the ``count`` panels of a profile stand in one row if they can."""
    return count if 1 < count <= style.MAX_COLUMNS else style.MAX_COLUMNS


def strips_below(figure: Figure, every: Sequence[Axes]) -> list[Axes]:
    """A lower strip under every panel, with the panel's horizontal axis."""
    found = []
    for axes in every:
        cell = axes.get_subplotspec()
        assert cell is not None
        halves = cell.subgridspec(2, 1, height_ratios=[1, STRIP_RATIO], hspace=0.02)
        axes.set_subplotspec(halves[0])
        strip = figure.add_subplot(halves[1], sharex=axes)
        strip.grid(axis="y")
        _ticks(strip)
        axes.tick_params(axis="x", which="both", labelbottom=False)
        found.append(strip)
    return found


def _ticks(axes: Axes) -> None:
    # Set here, and not only in the style sheet, because ticks are made when the figure is saved.
    size = 6.5 if style.printing() else 7.5
    axes.tick_params(which="both", length=3, width=0.6, labelsize=size, color=style.GREY, labelcolor="#333333")


def lay_out(figure: Figure) -> None:
    """Place everything, once; a layout engine left in the figure would draw it twice whenever it is saved."""
    import warnings

    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        warnings.filterwarnings("ignore", message="constrained_layout not applied")  # more text than room
        ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05, hspace=0.04, wspace=0.02).execute(figure)


def heading(title: str, panels: Sequence[Panel]) -> str:
    """Title of a figure: it names the workload where there is only one."""
    workloads = list(dict.fromkeys(panel.workload for panel in panels))
    return f"{title}: {workloads[0]}" if len(workloads) == 1 else title


def set_panel_title(axes: Axes, panel: Panel, panels: Sequence[Panel], pad: float = 5.0, room: int = 14) -> None:
    """Title of a panel: profile, workload where they differ, what else tells it from its neighbours, and a warning.

    Parameters
    ----------
    room : characters of the last line beside which the warning still has room.
    """
    parts = [panel.profile]
    if len({p.workload for p in panels}) > 1:
        parts.append(panel.workload)
    lines = [style.wrapped(part, 38, 2) for part in (*parts, *panel.details)]
    axes.set_label(clean(", ".join((*parts, *panel.details))))
    homeless = homeless_points(panel.rows)
    warning = "× does not fit its memory" if len(homeless) and homeless.all() else ""
    if warning and len(lines[-1]) > room:
        lines.append(warning)
        warning = ""
    axes.set_title("\n".join(lines), pad=pad)
    if warning:
        axes.set_title(
            warning, loc="right", pad=pad, fontsize=7.5, fontweight="normal", color=style.colour(style.VERMILLION)
        )


def chunk_axis(axes: Axes, sizes: Sequence[float]) -> list[float]:
    """Logarithmic chunk axis whose ticks are actual chunk sizes; returns the ticks."""
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
    """Logarithmic axis with plain numbers if the values span enough, else linear from zero; True if logarithmic.

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
    """Two to four round numbers of a logarithmic axis: decades, else 1-2-5, each thinned."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        ticks = [
            step * 10.0**power for power in powers for step in steps if low / 1.05 <= step * 10.0**power <= high * 1.05
        ]
        if len(ticks) > 1:
            return ticks[:: -(-len(ticks) // 4)]
    return [low, high]


def draw_series(axes: Axes, panel: Panel, series: Series, x: FloatArray, y: FloatArray, line: Any = None) -> None:
    """A line with the series' look; hollow where the design is not real-time, × where it does not fit.

    Where no design of the panel fits, the panel's title says so instead.
    """
    look: dict[str, Any] = {"color": style.series_colour(series.index), "marker": style.series_marker(series.index)}
    look["markersize"] = (4.5 if len(x) <= 12 else 3.0) * (0.8 if style.printing() else 1.0)
    line = style.series_line(series.index) if line is None else line
    axes.plot(x, y, linestyle=line, label=style.safe(series.label), zorder=3, **look)
    late, homeless = late_points(series.rows), homeless_points(series.rows)
    if late.any():
        axes.plot(x[late], y[late], linestyle="none", markerfacecolor="white", zorder=4, **look)
    if homeless.any() and not homeless_points(panel.rows).all():
        cross: dict[str, Any] = {"marker": "x", "markersize": 7, "color": style.colour(style.VERMILLION)}
        axes.plot(x[homeless], y[homeless], linestyle="none", zorder=5, **cross)


def late_points(rows: Results) -> BoolArray:
    """Which designs are not real-time."""
    return ~flags(rows, "realtime") if "realtime" in rows.columns else np.zeros(len(rows), dtype=np.bool_)


def homeless_points(rows: Results) -> BoolArray:
    """Which designs do not fit their memory."""
    return ~flags(rows, "fits") if "fits" in rows.columns else np.zeros(len(rows), dtype=np.bool_)


def series_entries(panels: Sequence[Panel], joined: bool = True) -> list[Entry]:
    """Legend entries of every folding in the figure."""
    from matplotlib.lines import Line2D

    every = {s.index: s for panel in panels for s in panel.series}
    found: list[Entry] = []
    for i in sorted(every):
        look: dict[str, Any] = {"color": style.series_colour(i), "marker": style.series_marker(i)}
        handle = Line2D([], [], linestyle=style.series_line(i) if joined else "none", **look)
        found.append((handle, style.wrapped(every[i].label, 40)))
    return found


def mark_entries(panels: Sequence[Panel], realtime: str = "hollow: not in real time") -> list[Entry]:
    """Legend entries that explain the marks, as far as they occur."""
    from matplotlib.lines import Line2D

    entries: list[Entry] = []
    if any(late_points(panel.rows).any() for panel in panels):
        hollow = Line2D([], [], linestyle="none", marker="o", markerfacecolor="white", color=style.GREY)
        entries.append((hollow, realtime))
    partly = [homeless_points(panel.rows) for panel in panels]
    if any(p.any() and not p.all() for p in partly):
        cross = Line2D([], [], linestyle="none", marker="x", markersize=7, color=style.colour(style.VERMILLION))
        entries.append((cross, "does not fit the memory"))
    return entries


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
    """About how wide a legend of that many columns is: entries fill one column after the other."""
    lengths = [max(len(line) for line in text.split("\n")) for _, text in entries]
    rows, longer = divmod(len(lengths), columns)
    total, at = 0.2, 0
    for column in range(columns):
        size = rows + (column < longer)
        total += 0.5 + 0.064 * max(lengths[at : at + size], default=0)
        at += size
    return total
