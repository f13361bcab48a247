"""Power against delay and memory, with the Pareto-optimal designs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import (
    Entry,
    grid,
    heading,
    late_points,
    legend,
    level_axis,
    mark_entries,
    note,
    series_entries,
    set_panel_title,
    text_entry,
    unfit_points,
)
from foldsim.plotting.rows import FloatArray, Panel, chosen_chunks, chunk_sizes, designs, merged, numbers
from foldsim.sweeps.results import Results
from foldsim.units import BYTES_PER_MB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DELAY, POWER, MEMORY = "user_perceived_latency_ms", "power_mw", "memory_bytes"
LEAST_AREA, MOST_AREA = 11.0, 60.0
TWO_LABEL, THREE_LABEL = "Pareto-optimal in power and delay", "Pareto-optimal in power, delay and memory"


def trade_off(results: Results) -> Figure:
    """The figure ``trade-off``: a point per design, its area the memory, with the Pareto front among usable designs."""
    from matplotlib.lines import Line2D

    rows = designs(results)
    found = merged(rows)
    figure, every = grid(len(found), heading("Average power against delay", found))
    memory = numbers(rows, MEMORY)
    span = (float(np.nanmin(memory)), float(np.nanmax(memory)))
    for axes, panel in zip(every, found, strict=True):
        level_axis(axes.xaxis, [numbers(panel.rows, DELAY)])
        level_axis(axes.yaxis, [numbers(panel.rows, POWER)])
        _points(axes, panel, span)
        _fronts(axes, panel, span)
        _name_chunks(axes, panel)
        axes.set_xlabel(style.axis_label(DELAY))
        axes.set_ylabel(style.axis_label(POWER))
        set_panel_title(axes, panel, found)
    ink = style.colour(style.ORANGE)
    ring = Line2D([], [], linestyle="none", marker="o", markersize=8, color=ink, markerfacecolor="none")
    low, high = (style.short_number(value / BYTES_PER_MB) for value in span)
    entries: list[Entry] = [
        *series_entries(found, joined=False),
        (Line2D([], [], color=ink, linewidth=1.2), TWO_LABEL),
        (ring, THREE_LABEL),
        text_entry(f"area: memory, {low} to {high} MB"),
    ]
    legend(figure, [*entries, *mark_entries(found)])
    return figure


def _area(memory: FloatArray, span: tuple[float, float]) -> FloatArray:
    """Areas of points, linear from the least memory of the figure to the most [points²]."""
    low, high = span
    return LEAST_AREA + (MOST_AREA - LEAST_AREA) * (np.nan_to_num(memory, nan=low) - low) / ((high - low) or 1.0)


def _points(axes: Axes, panel: Panel, span: tuple[float, float]) -> None:
    partly = not unfit_points(panel.rows).all()
    for series in panel.series:
        x, y = numbers(series.rows, DELAY), numbers(series.rows, POWER)
        area, colour = _area(numbers(series.rows, MEMORY), span), style.series_colour(series.index)
        late, unfit = late_points(series.rows), unfit_points(series.rows) & partly
        faces = np.where(late, "white", colour).tolist()
        axes.scatter(
            x, y, s=area, marker=style.series_marker(series.index), edgecolors=colour, facecolors=faces,
            linewidths=1.0, zorder=3, label=style.safe(series.label),
        )  # fmt: skip
        if unfit.any():
            cross = style.colour(style.VERMILLION)
            axes.scatter(x[unfit], y[unfit], s=46, marker="x", color=cross, zorder=5)


def pareto_front(values: FloatArray) -> list[int]:
    """Indices of the rows that no other row dominates, by increasing first column; of equal rows the first.

    Parameters
    ----------
    values : (designs, objectives), all to be minimised.

    >>> pareto_front(np.array([[1.0, 9.0, 5.0], [1.0, 9.0, 4.0], [2.0, 5.0, 9.0], [3.0, 6.0, 9.0]]))
    [1, 2]
    """
    kept: list[int] = []
    for i in np.lexsort(values.T[::-1]).tolist():
        # A row that dominates another comes before it in this order.
        if not (values[kept] <= values[i]).all(axis=1).any():
            kept.append(i)
    return kept


def _fronts(axes: Axes, panel: Panel, span: tuple[float, float]) -> None:
    usable = panel.rows.where(~late_points(panel.rows) & ~unfit_points(panel.rows))
    values = np.stack([numbers(usable, name) for name in (DELAY, POWER, MEMORY)], axis=1)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return
    ink = style.colour(style.ORANGE)
    x, y, memory = values.T
    kept = pareto_front(values[:, :2])
    axes.plot(x[kept], y[kept], color=ink, linewidth=1.2, drawstyle="steps-post", zorder=2, label=TWO_LABEL)
    three = sorted(pareto_front(values))
    area = (np.sqrt(_area(memory[three], span)) + 4.5) ** 2
    axes.scatter(
        x[three], y[three], s=area, facecolors="none", edgecolors=ink, linewidths=0.9, zorder=4,
        label=THREE_LABEL,
    )  # fmt: skip


def _name_chunks(axes: Axes, panel: Panel) -> None:
    """Write some chunk sizes next to the highest point of each."""
    chunks, power, delay = (numbers(panel.rows, name) for name in ("chunk_ms", POWER, DELAY))
    for size in chosen_chunks(chunk_sizes(panel.rows), 6):
        own = np.flatnonzero((chunks == size) & np.isfinite(power))
        if len(own):
            top = own[np.argmax(power[own])]
            note(axes, f"{size:g}", (delay[top], power[top]), (4, 4), fontsize=6.5, color=style.GREY)
