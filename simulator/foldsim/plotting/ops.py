"""The ops that cost most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, grid, heading, legend, set_panel_title
from foldsim.plotting.rows import Panel, numbers, panels, reference_chunk, texts
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 10


def top_ops(results: Results) -> Figure:
    """Which operations cost the power, and which of them does folding shrink?

    The ten costliest ops of the first design of each panel (the baseline where there is one) at one chunk size, with
    their power in every folding.
    """
    chunk = reference_chunk(results)
    found = panels(results.where(numbers(results, "chunk_ms") == chunk), "op")
    figure, every = grid(len(found), heading(f"Power of the costliest operations, chunk {chunk:g} ms", found), 3.3)
    for axes, panel in zip(every, found, strict=True):
        _draw_panel(axes, panel)
        set_panel_title(axes, panel, found)
    legend(figure, _entries(found))
    return figure


def _entries(found: list[Panel]) -> list[Entry]:
    from matplotlib.patches import Patch

    every = {s.index: s for panel in found for s in panel.series}
    return [(Patch(facecolor=style.series_colour(i)), style.wrapped(every[i].label, 40)) for i in sorted(every)]


def op_power(rows: Results) -> dict[tuple[str, str, str], float]:
    """Power by (component, layer, op) [mW]."""
    found: dict[tuple[str, str, str], float] = {}
    keys = zip(texts(rows, "component"), texts(rows, "layer"), texts(rows, "op"), strict=True)
    for key, power in zip(keys, numbers(rows, "power_mw").tolist(), strict=True):
        found[key] = found.get(key, 0.0) + (0.0 if np.isnan(power) else power)
    return found


def _draw_panel(axes: Axes, panel: Panel) -> None:
    first = op_power(panel.series[0].rows)
    keys = sorted(first, key=lambda key: -first[key])[:MOST]
    height = 0.8 / len(panel.series)
    highest = 0.0
    for order, series in enumerate(panel.series):
        power = op_power(series.rows)
        values = np.array([power.get(key, 0.0) for key in keys])
        y = np.arange(len(keys)) + (order - (len(panel.series) - 1) / 2) * height
        colour = style.series_colour(series.index)
        axes.barh(y, values, height * 0.9, color=colour, label=style.safe(series.label), zorder=2)
        highest = max(highest, float(values.max()))
        if len(panel.series) <= 2:
            for at, value in zip(y, values, strict=True):
                axes.annotate(
                    style.short_number(value, 3),
                    (value, at),
                    (2, 0),
                    textcoords="offset points",
                    fontsize=6,
                    va="center",
                )
    axes.set_yticks(range(len(keys)), [_name(*key) for key in keys], fontsize=6.5)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlim(0, 1.12 * highest or 1.0)
    axes.set_xlabel(style.axis_label("power_mw"))


def _name(component: str, layer: str, op: str) -> str:
    name = f"{component}: {op if layer in (op, component) else f'{layer} {op}'}"
    return style.wrapped(name, 32, 1) if style.printing() else style.wrapped(name, 24)
