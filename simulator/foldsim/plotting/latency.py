"""Compute latency and real-time factor against chunk size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import (
    chunk_axis,
    draw_series,
    grid,
    heading,
    legend,
    level_axis,
    mark_entries,
    series_entries,
    set_panel_title,
    strips_below,
)
from foldsim.plotting.rows import Panel, chunk_sizes, designs, numbers, panels
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def latency_vs_chunk(results: Results) -> Figure:
    """The figure ``latency-vs-chunk``: latency with the limit latency = chunk; below, the real-time factor."""
    from matplotlib.lines import Line2D

    found = panels(designs(results))
    figure, every = grid(len(found), heading("Compute latency against chunk size", found), 3.5)
    strips = strips_below(figure, every)
    look: dict[str, Any] = {"linestyle": (0, (4, 2)), "color": style.colour(style.VERMILLION), "linewidth": 1.1}
    for axes, strip, panel in zip(every, strips, found, strict=True):
        _latency(axes, panel, look)
        _factor(strip, panel, look)
        axes.set_xlabel("")
        set_panel_title(axes, panel, found)
        strip.set_label(axes.get_label())
    limit = Line2D([], [], **look)
    entries = [*series_entries(found), (limit, "real-time limit: latency = chunk, factor = 1"), *mark_entries(found)]
    legend(figure, entries)
    return figure


def _latency(axes: Axes, panel: Panel, look: dict[str, Any]) -> None:
    sizes = chunk_sizes(panel.rows)
    chunk_axis(axes, sizes)
    seen = [np.array([1.6 * sizes[0]])]  # so that the limit is visible even if all designs are far below it
    for series in panel.series:
        x, y = numbers(series.rows, "chunk_ms"), numbers(series.rows, "latency_ms")
        draw_series(axes, panel, series, x, y)
        seen.append(y)
    level_axis(axes.yaxis, seen)
    edge = np.array(axes.get_xlim())
    axes.plot(edge, edge, zorder=2, scalex=False, scaley=False, **look)
    top = axes.get_ylim()[1]
    axes.fill_between(edge, edge, np.maximum(edge, top), color=look["color"], alpha=0.07, linewidth=0, zorder=0)
    axes.set_ylim(top=top)
    axes.set_xlim(*edge)
    axes.set_ylabel(style.axis_label("latency_ms"))


def _factor(axes: Axes, panel: Panel, look: dict[str, Any]) -> None:
    seen = [np.array([1.0])]
    for series in panel.series:
        x, y = numbers(series.rows, "chunk_ms"), numbers(series.rows, "rtf")
        draw_series(axes, panel, series, x, y)
        seen.append(y)
    level_axis(axes.yaxis, seen, few=True)
    low, high = axes.get_ylim()
    axes.axhline(1.0, zorder=2, **look)
    axes.axhspan(1.0, high, color=look["color"], alpha=0.07, linewidth=0, zorder=0)
    axes.set_ylim(low, high)
    axes.set_ylabel("RTF [ratio]")
    axes.set_xlabel(style.axis_label("chunk_ms"))
