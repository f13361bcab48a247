"""Stacked bars: power by term and by component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import (
    Entry,
    grid,
    heading,
    late_points,
    legend,
    mark_entries,
    note,
    set_panel_title,
    unfit_points,
)
from foldsim.plotting.rows import (
    SYSTEM,
    FloatArray,
    Panel,
    Series,
    chosen_chunks,
    chunk_sizes,
    designs,
    equal_to,
    numbers,
    panels,
    texts,
)
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POWER_TERMS = ("power_compute_mw", "power_onchip_mw", "power_dram_mw", "power_static_mw")
MAX_BARS = 24  # in one panel, so that there is space for labels

# Height of one part of a bar, for a series and a chunk size.
Height = Callable[[Series, float], float]
Part = tuple[str, Height, int]  # label, height, index of colour and hatch


def power_breakdown(results: Results) -> Figure:
    """The figure ``power-breakdown``: one bar per chunk size and folding, stacked by energy term."""
    parts = [(columns()[name].label, column_height(name), i) for i, name in enumerate(POWER_TERMS)]
    return _stacked_figure("Average power by term", panels(designs(results)), parts)


def power_by_component(results: Results) -> Figure:
    """The figure ``power-by-component``: one bar per chunk size and folding, stacked by component."""
    names = list(dict.fromkeys(texts(results, "component")))
    parts = [
        (f"{name} (idle and waking)" if name == SYSTEM else name, _component_power(name), i)
        for i, name in enumerate(names)
    ]
    return _stacked_figure("Average power by component", panels(results, "component"), parts)


def column_height(name: str, scale: float = 1.0) -> Height:
    """Height of a bar from a column, divided by ``scale``."""

    def height(series: Series, chunk: float) -> float:
        return float(np.nansum(numbers(series.rows, name)[numbers(series.rows, "chunk_ms") == chunk])) / scale

    return height


def _component_power(component: str) -> Height:
    def height(series: Series, chunk: float) -> float:
        mask = (numbers(series.rows, "chunk_ms") == chunk) & equal_to(series.rows, "component", component)
        return float(np.nansum(numbers(series.rows, "power_mw")[mask]))

    return height


def _stacked_figure(title: str, found: Sequence[Panel], parts: Sequence[Part]) -> Figure:
    figure, every = grid(len(found), heading(title, found), 2.85)
    for axes, panel in zip(every, found, strict=True):
        stacked_bars(axes, panel, parts)
        axes.set_ylabel(style.axis_label("power_mw"))
        set_panel_title(axes, panel, found)
    legend(figure, [*part_entries(parts), *mark_entries(found, realtime="not in real time")])
    return figure


def stacked_bars(axes: Axes, panel: Panel, parts: Sequence[Part]) -> None:
    """Stacked bars: a group per chunk size, a bar per folding with N below and the total above."""
    chunks = chosen_chunks(chunk_sizes(panel.rows), max(1, min(6, MAX_BARS // max(1, len(panel.series)))))
    width = 0.86 / len(panel.series)
    tops: list[tuple[float, float, str, str]] = []
    for order, series in enumerate(panel.series):
        own = [c for c in chunks if c in numbers(series.rows, "chunk_ms")]
        x = np.array([chunks.index(c) + (order - (len(panel.series) - 1) / 2) * width for c in own])
        base: FloatArray = np.zeros(len(own))
        for label, height, index in parts:
            values = np.array([height(series, c) for c in own])
            name = style.safe(f"{label}, {series.label}")
            axes.bar(x, values, width * 0.88, bottom=base, label=name, zorder=2, **style.part_look(index))
            base = base + values
        marks = [_mark(panel, series, c) for c in own]
        tops += [(a, b, mark, series.short) for a, b, mark in zip(x.tolist(), base.tolist(), marks, strict=True)]
    _bar_labels(axes, tops)
    axes.set_xticks(range(len(chunks)), [f"{c:g}" for c in chunks])
    axes.tick_params(axis="x", length=0, pad=11)
    axes.set_xlim(-0.6, len(chunks) - 0.4)
    axes.set_xlabel(f"{style.axis_label('chunk_ms')}; small: folding factor N")


def _mark(panel: Panel, series: Series, chunk: float) -> str:
    """○ if the design is not in real time, × if it does not fit but others of the panel do."""
    mask = numbers(series.rows, "chunk_ms") == chunk
    unfit = unfit_points(series.rows)[mask].any() and not unfit_points(panel.rows).all()
    return ("○" if late_points(series.rows)[mask].any() else "") + ("×" if unfit else "")


def _bar_labels(axes: Axes, tops: Sequence[tuple[float, float, str, str]]) -> None:
    """Marks and, if there is space, the total above each bar, N below; ignored by the layout."""
    look: dict[str, Any] = {"ha": "center", "annotation_clip": False}
    for x, top, mark, below in tops:
        above = [*mark, *([style.short_number(top)] if len(tops) <= 14 else [])]
        if above:
            text = note(axes, "\n".join(above), (x, top), (0, 1.5), va="bottom", linespacing=0.9, **look)
            text.set_in_layout(False)
        note(axes, below, (x, 0), (0, -2), va="top", color=style.GREY, **look).set_in_layout(False)
    highest = max((top for _, top, _, _ in tops), default=0.0)
    axes.set_ylim(0, 1.16 * highest or 1.0)


def part_entries(parts: Sequence[Part]) -> list[Entry]:
    """Legend entries of the parts of stacked bars."""
    from matplotlib.patches import Patch

    return [(Patch(**style.part_look(index)), style.wrapped(label, 40)) for label, _, index in parts]
