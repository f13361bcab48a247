"""Predictions beside published or measured numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, grid, legend, level_axis
from foldsim.plotting.rows import FloatArray, clean, numbers, texts
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results
from foldsim.units import PERCENT_PER_UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DECADE = 10.0
MAX_ROWS = 40
MOSTLY = 0.5
MARGIN = 1.6  # of the axes of a scatter beyond the outermost number
# Quantities with a panel of their own, and how their axis is labelled.
QUANTITIES = {"latency": "Latency [ms]", "energy": "Energy [uJ]", "power": "Power [mW]"}
GROUPED = 8  # groups that have a colour and a marker of their own


def predicted_vs_measured(results: Results) -> Figure:
    """Do predictions lie where others measured?

    One panel per target, one row per prediction; logarithmic only where the values span more than a decade.
    """
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


def mostly_numbers(results: Results) -> bool:
    """Whether most rows are measured latencies, energies and powers rather than published ranges."""
    if "quantity" not in results.columns:
        return False
    numeric = numbers(results, "measured_low") == numbers(results, "measured_high")
    return bool(np.mean(numeric & np.isin(texts(results, "quantity"), list(QUANTITIES))) > MOSTLY)


def predicted_against_measured(results: Results) -> Figure:
    """Every measured number against its prediction, on logarithmic axes: a panel each for latency, energy and power.

    Published ranges and other quantities are left out.
    """
    from matplotlib.lines import Line2D

    known = (numbers(results, "measured_low") == numbers(results, "measured_high")) & (
        numbers(results, "predicted") > 0
    )
    rows = results.where(known)
    names = np.array(texts(rows, "quantity"), dtype=object)
    kinds = [kind for kind in QUANTITIES if (names == kind).any()]
    figure, every = grid(len(kinds), "Predictions against measurements", 3.3)
    groups = list(dict.fromkeys(texts(rows.where(np.isin(names, kinds)), "group")))
    for axes, kind in zip(every, kinds, strict=True):
        part = rows.where(names == kind)
        _draw_scatter(axes, part, groups)
        axes.set_xlabel(f"measured {QUANTITIES[kind][0].lower()}{QUANTITIES[kind][1:]}")
        axes.set_ylabel(f"predicted {QUANTITIES[kind][0].lower()}{QUANTITIES[kind][1:]}")
        axes.set_title(QUANTITIES[kind].split(" [")[0])
        axes.set_label(kind)
    entries: list[Entry] = [
        (
            Line2D(
                [],
                [],
                linestyle="none",
                marker=_marker(i),
                color=style.colour(style.SERIES_COLOURS[i % GROUPED]),
                markersize=4.5,
            ),
            group,
        )
        for i, group in enumerate(groups)
    ]
    entries += [
        (Line2D([], [], color=style.GREY, linewidth=0.8), "prediction = measurement"),
        (Line2D([], [], marker="o", linestyle="none", color="black", markerfacecolor="white"), "measured outside"),
    ]
    legend(figure, entries)
    return figure


def _marker(index: int) -> str:
    """Marker of a group: when colours come round again, they meet other markers."""
    return style.SERIES_MARKERS[(index + index // GROUPED) % GROUPED]


def _draw_scatter(axes: Axes, part: Results, groups: list[str]) -> None:
    measured, predicted = numbers(part, "measured_low"), numbers(part, "predicted")
    low, high = numbers(part, "predicted_low"), numbers(part, "predicted_high")
    inside = np.array([str(value).lower() == "true" for value in part["inside"].tolist()])
    owners = np.array(texts(part, "group"), dtype=object)
    least = float(np.nanmin([measured, predicted, np.where(low > 0, low, predicted)])) / MARGIN
    most = float(np.nanmax([measured, predicted, high])) * MARGIN
    axes.plot([least, most], [least, most], color=style.GREY, linewidth=0.8, zorder=1, label="equal")
    for i, group in enumerate(groups):
        mine = owners == group
        if not mine.any():
            continue
        ink = style.colour(style.SERIES_COLOURS[i % GROUPED])
        axes.vlines(
            measured[mine], np.maximum(low[mine], least), high[mine], color=ink, linewidth=1.0, alpha=0.6, zorder=2
        )
        for chosen, face in ((mine & inside, ink), (mine & ~inside, "white")):
            axes.plot(
                measured[chosen],
                predicted[chosen],
                linestyle="none",
                marker=_marker(i),
                markersize=4.2,
                color=ink,
                markerfacecolor=face,
                zorder=3,
                label=group if face != "white" else "",
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(least, most)
    axes.set_ylim(least, most)
    axes.grid(visible=True, axis="both")


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
