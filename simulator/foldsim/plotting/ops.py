"""The operations with the highest power."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import category_rows, grid, heading, legend, note, set_panel_title
from foldsim.plotting.rows import Panel, all_series, numbers, reference_panels, texts
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 10


def top_ops(results: Results) -> Figure:
    """The figure ``top-ops``: power of the costliest ops of each panel's first design, in every folding."""
    from matplotlib.patches import Patch

    chunk, found = reference_panels(results, "op")
    figure, every = grid(len(found), heading(f"Power of the costliest operations, chunk {chunk:g} ms", found), 3.3)
    for axes, panel in zip(every, found, strict=True):
        _draw_panel(axes, panel)
        set_panel_title(axes, panel, found)
    looks = [(Patch(facecolor=style.series_colour(s.index)), style.wrapped(s.label, 40)) for s in all_series(found)]
    legend(figure, looks)
    return figure


def op_power(rows: Results) -> dict[tuple[str, str, str], float]:
    """Power by (component, layer, op) [mW]."""
    powers: dict[tuple[str, str, str], float] = {}
    keys = zip(texts(rows, "component"), texts(rows, "layer"), texts(rows, "op"), strict=True)
    for key, power in zip(keys, numbers(rows, "power_mw").tolist(), strict=True):
        powers[key] = powers.get(key, 0.0) + (0.0 if np.isnan(power) else power)
    return powers


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
                note(axes, style.short_number(value, 3), (value, at), (2, 0), va="center")
    category_rows(axes, [_name(*key) for key in keys])
    axes.set_xlim(0, 1.12 * highest or 1.0)
    axes.set_xlabel(style.axis_label("power_mw"))


def _name(component: str, layer: str, op: str) -> str:
    name = f"{component}: {op if layer in (op, component) else f'{layer} {op}'}"
    return style.wrapped(name, 32, 1) if style.printing() else style.wrapped(name, 24)
