"""Predictions beside published or measured numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.explore.columns import columns
from foldsim.explore.results import Results
from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, grid, legend, level_axis
from foldsim.plotting.rows import FloatArray, clean, numbers, texts
from foldsim.units import PERCENT_PER_UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DECADE = 10.0
MAX_ROWS = 40


def predicted_vs_measured(results: Results) -> Figure:
    """Do predictions lie where others measured?

    One panel per target, one row per prediction; logarithmic only where the values span more than a decade.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    groups = texts(results, "group") if "group" in results.columns else [""] * len(results)
    keys = list(zip(groups, texts(results, "target"), strict=True))
    targets = list(dict.fromkeys(keys))
    several = len({group for group, _ in targets}) > 1
    parts = [results.where(np.array([key == target for key in keys])) for target in targets]
    rows = max(min(len(part), MAX_ROWS) for part in parts)
    title = "Predictions beside published numbers" + ("" if several or not targets[0][0] else f": {targets[0][0]}")
    figure, every = grid(len(targets), title, 1.2 + 0.17 * rows)
    for axes, (group, target), part in zip(every, targets, parts, strict=True):
        _draw_panel(axes, part.where(np.arange(len(part)) < MAX_ROWS))
        name = f"{group}: {target}" if several and group else target
        axes.set_title(style.wrapped(name, 40))
        axes.set_label(clean(name))
    ink: dict[str, Any] = {"marker": "o", "color": style.colour(style.BLUE), "linewidth": 1.2}
    entries: list[Entry] = [
        (Patch(facecolor=style.LIGHT), "published or measured"),
        (Line2D([], [], **ink), "predicted, with what the profile's ranges allow"),
        (Line2D([], [], markerfacecolor="white", **ink), "nominal prediction outside"),
    ]
    legend(figure, entries)
    return figure


def row_names(part: Results) -> list[str]:
    """What tells the rows apart: values of the design columns that vary."""
    known = columns()
    varied = [
        name
        for name in part.columns
        if name in known and known[name].group == "design" and len(set(texts(part, name))) > 1
    ]
    if not varied:
        varied = [name for name in ("profile",) if name in part.columns]
    cells = [texts(part, name) for name in varied]
    return [", ".join(_shown(n, v) for n, v in zip(varied, row, strict=True)) for row in zip(*cells, strict=True)] or [
        ""
    ] * len(part)


def _shown(name: str, value: str) -> str:
    words = {"fold_factor": "N = {}", "fold_layers": "{} layers", "chunk_ms": "{} ms"}
    return words.get(name, "{}").format(value)


def _draw_panel(axes: Axes, part: Results) -> None:
    unit = texts(part, "unit")[0] if "unit" in part.columns else ""
    percent = unit == "ratio" and "/" not in texts(part, "target")[0]
    scale = PERCENT_PER_UNIT if percent else 1.0

    def column(name: str, otherwise: FloatArray | None = None) -> FloatArray:
        if name in part.columns:
            return numbers(part, name) * scale
        return np.full(len(part), np.nan) if otherwise is None else otherwise

    predicted = column("predicted")
    low, high = column("predicted_low", predicted), column("predicted_high", predicted)
    measured = column("measured")
    least, most = column("measured_low", measured), column("measured_high", measured)
    y = np.arange(len(part))
    known = np.isfinite(least) & np.isfinite(most)
    level_axis(axes.xaxis, [predicted, low, high, measured, least, most], DECADE)
    axes.barh(y[known], (most - least)[known], 1.0, left=least[known], color=style.LIGHT, zorder=1, label="measured")
    if np.isfinite(measured).any():
        axes.plot(measured, y, linestyle="none", marker="|", markersize=9, color="black", label="measured, nominal")
    outside = known & ~((predicted >= least) & (predicted <= most))
    if "inside" in part.columns:
        outside = known & np.array([value.lower() != "true" for value in texts(part, "inside")])
    ink = style.colour(style.BLUE)
    banded = np.isfinite(low) & np.isfinite(high)
    axes.barh(
        y[banded],
        (high - low)[banded],
        0.14,
        left=low[banded],
        color=ink,
        alpha=0.75,
        zorder=2,
        label="predicted range",
    )
    axes.plot(predicted, y, linestyle="none", marker="o", markersize=4.5, color=ink, zorder=3, label="predicted")
    axes.plot(
        predicted[outside], y[outside], linestyle="none", marker="o", markersize=4.5, color=ink, zorder=4,
        markerfacecolor="white",
    )  # fmt: skip
    axes.set_yticks(y, [style.wrapped(name, 32, 1) for name in row_names(part)], fontsize=6.5)
    axes.set_ylim(len(part) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(f"{style.wrapped(texts(part, 'target')[0], 34, 1)} [{'%' if percent else unit or 'ratio'}]")
