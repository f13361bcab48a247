"""Predictions against published or measured values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, category_rows, grid, legend, level_axis
from foldsim.plotting.rows import BoolArray, FloatArray, clean, equal_to, numbers, texts
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results
from foldsim.units import PERCENT_PER_UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DECADE = 10.0
MAX_ROWS = 40
LEAST_MEASURED_SHARE = 0.5  # of rows, above which the figure is a scatter
MARGIN = 1.6  # ratio of the limits of a scatter to its outermost values
# Quantities with their own panel, and their axis labels.
QUANTITIES = {"latency": "Latency [ms]", "energy": "Energy [uJ]", "power": "Power [mW]"}


def predicted_vs_measured(results: Results) -> Figure:
    """The figure ``predicted-vs-measured``: one panel per target, or a scatter if most rows are measurements."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if mostly_numbers(results):
        return predicted_against_measured(results)
    groups = texts(results, "group") if "group" in results.columns else [""] * len(results)
    keys = list(zip(groups, texts(results, "target"), strict=True))
    targets = list(dict.fromkeys(keys))
    several = len({group for group, _ in targets}) > 1
    parts = [results.where(np.array([key == target for key in keys])) for target in targets]
    rows = max(min(len(part), MAX_ROWS) for part in parts)
    title = "Predictions against published values" + ("" if several or not targets[0][0] else f": {targets[0][0]}")
    figure, every = grid(len(targets), title, 1.2 + 0.17 * rows)
    for axes, (group, target), part in zip(every, targets, parts, strict=True):
        _draw_panel(axes, part.where(np.arange(len(part)) < MAX_ROWS))
        name = f"{group}: {target}" if several and group else target
        axes.set_title(style.wrapped(name, 40))
        axes.set_label(clean(name))
    ink: dict[str, Any] = {"marker": "o", "color": style.colour(style.BLUE), "linewidth": 1.2}
    entries: list[Entry] = [
        (Patch(facecolor=style.LIGHT), "published or measured"),
        (Line2D([], [], **ink), "predicted, with the ranges of the profile's coefficients"),
        (Line2D([], [], markerfacecolor="white", **ink), "nominal prediction outside the published range"),
    ]
    legend(figure, entries)
    return figure


def mostly_numbers(results: Results) -> bool:
    """Whether most rows are single measured latencies, energies or powers rather than published ranges."""
    if "quantity" not in results.columns:
        return False
    numeric = numbers(results, "measured_low") == numbers(results, "measured_high")
    return bool(np.mean(numeric & np.isin(texts(results, "quantity"), list(QUANTITIES))) > LEAST_MEASURED_SHARE)


def predicted_against_measured(results: Results) -> Figure:
    """Measured values against predictions, one logarithmic panel each for latency, energy and power.

    Published ranges and other quantities are omitted.
    """
    from matplotlib.lines import Line2D

    exact = numbers(results, "measured_low") == numbers(results, "measured_high")
    rows = results.where(exact & (numbers(results, "predicted") > 0))
    names = np.array(texts(rows, "quantity"), dtype=object)
    kinds = [kind for kind in QUANTITIES if (names == kind).any()]
    figure, every = grid(len(kinds), "Predictions against measurements", 3.3)
    groups = list(dict.fromkeys(texts(rows.where(np.isin(names, kinds)), "group")))
    for axes, kind in zip(every, kinds, strict=True):
        part = rows.where(names == kind)
        _draw_scatter(axes, part, groups)
        name, _, unit = QUANTITIES[kind].partition(" ")
        axes.set_xlabel(f"measured {name.lower()} {unit}")
        axes.set_ylabel(f"predicted {name.lower()} {unit}")
        axes.set_title(name)
        axes.set_label(kind)
    entries: list[Entry] = []
    for i, group in enumerate(groups):
        look: dict[str, Any] = {"linestyle": "none", "marker": _marker(i), "markersize": 4.5}
        entries.append((Line2D([], [], color=_colour(i), **look), group))
    entries += [
        (Line2D([], [], color=style.GREY, linewidth=0.8), "prediction = measurement"),
        (
            Line2D([], [], marker="o", linestyle="none", color="black", markerfacecolor="white"),
            "measurement outside the predicted range",
        ),
    ]
    legend(figure, entries)
    return figure


def _colour(index: int) -> str:
    return style.colour(style.SERIES_COLOURS[index % len(style.SERIES_COLOURS)])


def _marker(index: int) -> str:
    """Marker of a group, shifted by one each time the colours repeat."""
    return style.series_marker(index + index // len(style.SERIES_COLOURS))


def _inside(part: Results) -> BoolArray:
    """Mask of the rows that are inside; rows without a range are not."""
    return np.array([value.lower() == "true" for value in texts(part, "inside")], dtype=np.bool_)


def _draw_scatter(axes: Axes, part: Results, groups: list[str]) -> None:
    measured, predicted = numbers(part, "measured_low"), numbers(part, "predicted")
    low, high = numbers(part, "predicted_low"), numbers(part, "predicted_high")
    inside = _inside(part)
    least = float(np.nanmin([measured, predicted, np.where(low > 0, low, predicted)])) / MARGIN
    most = float(np.nanmax([measured, predicted, high])) * MARGIN
    axes.plot([least, most], [least, most], color=style.GREY, linewidth=0.8, zorder=1, label="equal")
    for i, group in enumerate(groups):
        own, ink = equal_to(part, "group", group), _colour(i)
        if not own.any():
            continue
        bottom = np.maximum(low[own], least)
        axes.vlines(measured[own], bottom, high[own], color=ink, linewidth=1.0, alpha=0.6, zorder=2)
        look: dict[str, Any] = {"linestyle": "none", "marker": _marker(i), "markersize": 4.2, "color": ink, "zorder": 3}
        for chosen, face, label in ((own & inside, ink, group), (own & ~inside, "white", "")):
            axes.plot(measured[chosen], predicted[chosen], markerfacecolor=face, label=label, **look)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(least, most)
    axes.set_ylim(least, most)
    axes.grid(visible=True, axis="both")


def row_names(part: Results) -> list[str]:
    """Values that distinguish the rows: those of design columns that vary, or the profile."""
    in_design = [name for name in part.columns if name in columns() and columns()[name].group == "design"]
    varied = [name for name in in_design if len(set(texts(part, name))) > 1]
    if not varied and "profile" in part.columns:
        varied = ["profile"]
    cells = [[_shown(name, value) for value in texts(part, name)] for name in varied]
    return [", ".join(row) for row in zip(*cells, strict=True)] or [""] * len(part)


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
    ranged = np.isfinite(least) & np.isfinite(most)
    level_axis(axes.xaxis, [predicted, low, high, measured, least, most], DECADE)
    axes.barh(y[ranged], (most - least)[ranged], 1.0, left=least[ranged], color=style.LIGHT, zorder=1, label="measured")
    if np.isfinite(measured).any():
        axes.plot(measured, y, linestyle="none", marker="|", markersize=9, color="black", label="measured, nominal")
    inside = _inside(part) if "inside" in part.columns else (predicted >= least) & (predicted <= most)
    outside = ranged & ~inside
    ink = style.colour(style.BLUE)
    banded = np.isfinite(low) & np.isfinite(high)
    bar: dict[str, Any] = {"color": ink, "alpha": 0.75, "zorder": 2}
    axes.barh(y[banded], (high - low)[banded], 0.14, left=low[banded], label="predicted range", **bar)
    look: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4.5, "color": ink}
    axes.plot(predicted, y, zorder=3, label="predicted", **look)
    axes.plot(predicted[outside], y[outside], zorder=4, markerfacecolor="white", **look)
    category_rows(axes, [style.wrapped(name, 32, 1) for name in row_names(part)])
    axes.set_ylim(len(part) - 0.5, -0.5)
    axes.set_xlabel(f"{style.wrapped(texts(part, 'target')[0], 34, 1)} [{'%' if percent else unit or 'ratio'}]")
