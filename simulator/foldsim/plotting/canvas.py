"""Figures of a grid of panels: axes, titles, chunk axes, marks and legends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.rows import BoolArray, FloatArray, Panel, Series, chosen_chunks, flags
from foldsim.sweep.results import Results

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Entry = tuple["Artist", str]  # legend handle and its text

NOT_REALTIME = "hollow: not in real time"
NOT_FITTING = "×: does not fit the memory"
MAX_CHUNK_TICKS = 8
LINE_IN = 0.175  # height of a line of a title or legend


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

    width = min(count, columns)
    height = -(-count // width)
    head = style.wrapped(title, 42 * width - 3, 3)
    size = (style.PANEL_WIDTH_IN * width, height_in * height + 0.1 + LINE_IN * len(head.split("\n")))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.06, h_pad=0.05, hspace=0.04, wspace=0.02)
    cells = figure.add_gridspec(height, width)
    found: list[Axes] = []
    for i in range(count):
        shared = found[0] if share_y and found else None
        axes = figure.add_subplot(cells[i // width, i % width], sharey=shared)
        axes.grid(axis="y")
        # Set here, and not only in the style sheet, because ticks are made when the figure is saved.
        axes.tick_params(which="both", length=3, width=0.6, labelsize=7.5, color=style.GREY, labelcolor="#333333")
        found.append(axes)
    figure.suptitle(head, x=0.008, ha="left")
    return figure, found


def heading(title: str, panels: Sequence[Panel]) -> str:
    """Title of a figure: it names the workload where there is only one."""
    workloads = list(dict.fromkeys(panel.workload for panel in panels))
    return f"{title}: {workloads[0]}" if len(workloads) == 1 else title


def set_panel_title(axes: Axes, panel: Panel, panels: Sequence[Panel], pad: float = 5.0) -> None:
    """Title of a panel: profile, workload where they differ, what else tells it from its neighbours, and a warning."""
    parts = [panel.profile]
    if len({p.workload for p in panels}) > 1:
        parts.append(panel.workload)
    lines = [style.wrapped(part, 38, 2) for part in (*parts, *panel.details)]
    homeless = homeless_points(panel.rows)
    warning = "× does not fit its memory" if len(homeless) and homeless.all() else ""
    if warning and len(lines[-1]) > 14:
        lines.append(warning)
        warning = ""
    axes.set_title("\n".join(lines), pad=pad)
    if warning:
        axes.set_title(warning, loc="right", pad=pad, fontsize=7.5, fontweight="normal", color=style.VERMILLION)


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


def level_axis(axis: Axis, values: Iterable[FloatArray]) -> bool:
    """Logarithmic axis with plain numbers if the values allow it, else linear from zero; True if logarithmic."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    every = np.concatenate([np.asarray(v, dtype=np.float64).ravel() for v in values])
    every = every[np.isfinite(every)]
    axes: Any = axis.axes
    name = axis.axis_name  # type: ignore[attr-defined]
    if not len(every) or every.min() <= 0 or every.max() / every.min() < 2.5:
        if len(every):
            bounds = {"x": axes.set_xlim, "y": axes.set_ylim}[name]
            low, high = min(0.0, float(every.min())), max(0.0, float(every.max()))
            bounds(low - 0.05 * (low < 0) * (high - low), high + 0.12 * ((high - low) or 1.0))
        return False
    {"x": axes.set_xscale, "y": axes.set_yscale}[name]("log")
    decades = float(np.log10(every.max() / every.min()))
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.6 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace(",", "\u2009")))
    axis.set_minor_locator(NullLocator() if decades < 2.6 else LogLocator(subs=(2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())
    return True


def draw_series(axes: Axes, series: Series, x: FloatArray, y: FloatArray, line: str = "-") -> None:
    """A line with the series' look; hollow where the design is not real-time, × where it does not fit."""
    colour, marker = style.series_colour(series.index), style.series_marker(series.index)
    axes.plot(x, y, line, color=colour, marker=marker, label=style.safe(series.label), zorder=3)
    mark_points(axes, series, x, y, marker)


def mark_points(axes: Axes, series: Series, x: FloatArray, y: FloatArray, marker: str) -> None:
    """Overdraw the points that are not real-time (hollow) and those that do not fit (×), where only some do not."""
    colour = style.series_colour(series.index)
    late = late_points(series.rows)
    if late.any():
        axes.plot(x[late], y[late], linestyle="none", marker=marker, markerfacecolor="white", color=colour, zorder=4)
    homeless = homeless_points(series.rows)
    if homeless.any() and not homeless.all():
        axes.plot(
            x[homeless], y[homeless], linestyle="none", marker="x", markersize=7, color=style.VERMILLION, zorder=5
        )


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
        handle = Line2D([], [], linestyle="-" if joined else "none", **look)
        found.append((handle, style.wrapped(every[i].label, 40)))
    return found


def mark_entries(panels: Sequence[Panel]) -> list[Entry]:
    """Legend entries that explain the marks, as far as they occur."""
    from matplotlib.lines import Line2D

    entries: list[Entry] = []
    if any(late_points(panel.rows).any() for panel in panels):
        hollow = Line2D([], [], linestyle="none", marker="o", markerfacecolor="white", color=style.GREY)
        entries.append((hollow, NOT_REALTIME))
    partly = [homeless_points(panel.rows) for panel in panels]
    if any(p.any() and not p.all() for p in partly):
        cross = Line2D([], [], linestyle="none", marker="x", markersize=7, color=style.VERMILLION)
        entries.append((cross, NOT_FITTING))
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
