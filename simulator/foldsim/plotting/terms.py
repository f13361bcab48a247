"""Waterfall of energy terms, from the power of the baseline to that of the folded design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.bars import POWER_TERMS
from foldsim.plotting.canvas import Entry, category_rows, columns_for, grid, heading, legend, note, set_panel_title
from foldsim.plotting.rows import Panel, PlotError, Series, numbers, reference_panels, texts
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_TERMS = 8  # shown individually
OTHER = "all other terms"
PARTS = tuple(name.removeprefix("power_").removesuffix("_mw") for name in POWER_TERMS)


def term_values(rows: Results, name: str = "power_mw") -> dict[str, float]:
    """A column by energy term [mW]."""
    return dict(zip(texts(rows, "term"), np.nan_to_num(numbers(rows, name)).tolist(), strict=True))


def power_waterfall(results: Results) -> Figure:
    """The figure ``power-waterfall``: one panel per profile and folded design at one chunk size."""
    chunk, found = reference_panels(results, "term")
    pairs = [
        (panel, base, series) for panel in found for base, series in baseline_pairs(panel, "power-waterfall", chunk)
    ]
    title = heading(f"Power from baseline to folded, chunk {chunk:g} ms", found)
    most = max(len(panel.series) - 1 for panel in found)
    figure, every = grid(len(pairs), title, 2.9, columns=columns_for(most))
    seen: set[str] = set()
    for axes, (panel, base, series) in zip(every, pairs, strict=True):
        seen |= _draw_panel(axes, base, series)
        named = with_detail(panel, series.label) if len(panel.series) > 2 else panel
        set_panel_title(axes, named, found, room=6)
    legend(figure, _entries(seen))
    return figure


def baseline_pairs(panel: Panel, kind: str, chunk: float) -> list[tuple[Series, Series]]:
    """Pairs of the baseline and each folded series of a panel."""
    base = next((series for series in panel.series if series.is_baseline), None)
    folded = [series for series in panel.series if not series.is_baseline]
    if base is None or not folded:
        lacking = "baseline" if base is None else "folded design"
        raise PlotError(f"{kind}: there is no {lacking} of {panel.workload} on {panel.profile} at {chunk:g} ms")
    return [(base, series) for series in folded]


def with_detail(panel: Panel, *details: str) -> Panel:
    """The panel with more details in its title."""
    return Panel(panel.workload, panel.profile, (*details, *panel.details), panel.rows, panel.series)


def steps(base: Series, series: Series) -> list[tuple[str, str, float]]:
    """Name, part and change [mW] of the largest changes, savings first; then the sum of the others."""
    before, after = term_values(base.rows), term_values(series.rows)
    part = dict(zip(texts(base.rows, "term"), texts(base.rows, "part"), strict=True))
    part |= dict(zip(texts(series.rows, "term"), texts(series.rows, "part"), strict=True))
    change = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in (before | after)}
    ranked = sorted(change, key=lambda name: -abs(change[name]))
    least = 1e-3 * max(sum(before.values()), sum(after.values()))
    shown = [name for name in ranked[:MAX_TERMS] if abs(change[name]) > least]
    rest = sum(change[name] for name in change if name not in shown)
    shown.sort(key=lambda name: change[name])
    return [*((name, part[name], change[name]) for name in shown), (OTHER, "", rest)]


def _draw_panel(axes: Axes, base: Series, series: Series) -> set[str]:
    """Draw a waterfall; returns its parts."""
    start, end = (sum(term_values(s.rows).values()) for s in (base, series))
    bars = [("baseline", "whole", 0.0, start)]
    level = start
    for name, part, change in steps(base, series):
        bars.append((name, part, level, change))
        level += change
    bars.append((series.label, "whole", 0.0, end))
    most = max(start, end) or 1.0
    for row, (name, part, left, width) in enumerate(bars):
        axes.barh(row, width, 0.72, left=left, label=style.safe(name), zorder=2, **_look(part))
        whole = part == "whole"
        text = style.short_number(width, 3) if whole else f"{width:+.{_decimals(most)}f}".replace("-", "−")
        note(axes, text, (max(left, left + width), row), (2, 0), va="center")
        if row + 1 < len(bars):
            axes.plot([left + width] * 2, [row, row + 1], color=style.GREY, linewidth=0.5, zorder=1)
    category_rows(axes, [style.wrapped(name, 30, 1) for name, _, _, _ in bars])
    axes.set_xlim(0, 1.16 * most)
    axes.set_xlabel(style.axis_label("power_mw"))
    return {part for _, part, _, _ in bars}


def _decimals(most: float) -> int:
    """Decimals that resolve a thousandth of the power."""
    return int(np.clip(3 - np.floor(np.log10(most)), 0, 6))


def _look(part: str) -> dict[str, Any]:
    if part in PARTS:
        return style.part_look(PARTS.index(part))
    if part == "whole":
        return {"facecolor": style.colour(style.GREY), "edgecolor": "#404040"}
    return {"facecolor": "white", "edgecolor": "#404040"}


def _entries(seen: set[str]) -> list[Entry]:
    from matplotlib.patches import Patch

    names: Sequence[tuple[str, str]] = [
        ("whole", "whole design"),
        *((part, columns()[name].label) for part, name in zip(PARTS, POWER_TERMS, strict=True)),
        ("", OTHER),
    ]
    return [(Patch(**_look(part)), label) for part, label in names if part in seen]
