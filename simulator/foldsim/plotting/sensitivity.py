"""Tornado diagrams: influence of uncertain coefficients on power and on the saving."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, category_rows, columns_for, grid, heading, legend, note, set_panel_title
from foldsim.plotting.rows import Panel, reference_panels
from foldsim.plotting.terms import term_values, with_detail
from foldsim.sweeps.results import Results
from foldsim.units import PERCENT_PER_UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_CAUSES = 8
LOW_LOOK, HIGH_LOOK = 1, 2
Swing = tuple[str, float, float]  # cause, value at its low end, value at its high end
Powers = dict[str, tuple[float, float, float]]  # cause -> nominal, low, high [mW]


def powers_by_cause(rows: Results) -> Powers:
    """Nominal, low and high power of the terms of each cause, which vary together [mW]."""
    ends = [term_values(rows, name) for name in ("power_mw", "power_low_mw", "power_high_mw")]
    causes = dict(zip(rows["term"].tolist(), rows["cause"].tolist(), strict=True))
    powers: Powers = {}
    for term in ends[0]:
        cause = str(causes[term])
        nominal, low, high = powers.get(cause, (0.0, 0.0, 0.0))
        powers[cause] = (nominal + ends[0][term], low + ends[1][term], high + ends[2][term])
    return powers


def power_swings(powers: Powers) -> tuple[float, list[Swing]]:
    """Nominal power and, largest first, the power with one cause at its ends and all others nominal [mW]."""
    total = sum(nominal for nominal, _, _ in powers.values())
    swings = [(cause, total - nominal + low, total - nominal + high) for cause, (nominal, low, high) in powers.items()]
    return total, _ranked(swings)


def saving_swings(base: Powers, folded: Powers) -> tuple[float, list[Swing]]:
    """Nominal saving and, largest first, the saving with one cause at its ends in both designs [%]."""
    before, after = (sum(nominal for nominal, _, _ in powers.values()) for powers in (base, folded))
    none = (0.0, 0.0, 0.0)
    swings = []
    for cause in base | folded:
        old, new = base.get(cause, none), folded.get(cause, none)
        ends = [_saving(before - old[0] + old[i], after - new[0] + new[i]) for i in (1, 2)]
        swings.append((cause, ends[0], ends[1]))
    return _saving(before, after), _ranked(swings)


def _saving(before: float, after: float) -> float:
    return (1.0 - after / before) * PERCENT_PER_UNIT if before else 0.0


def _ranked(swings: list[Swing]) -> list[Swing]:
    return sorted(swings, key=lambda swing: -abs(swing[2] - swing[1]))[:MAX_CAUSES]


def sensitivity(results: Results) -> Figure:
    """The figure ``sensitivity``: per profile, the power of the first design and the saving of every folded one."""
    from matplotlib.patches import Patch

    chunk, found = reference_panels(results, "term")
    drawn: list[tuple[Panel, float, list[Swing], str]] = []
    for panel in found:
        first, *others = panel.series
        powers = powers_by_cause(first.rows)
        drawn.append((with_detail(panel, f"power, {first.label}"), *power_swings(powers), style.axis_label("power_mw")))
        for series in others if first.is_baseline else ():
            detail = with_detail(panel, f"saving, {series.label}")
            drawn.append((detail, *saving_swings(powers, powers_by_cause(series.rows)), "Power saving [%]"))
    width = columns_for(max(len(panel.series) if panel.series[0].is_baseline else 1 for panel in found))
    title = heading(f"Sensitivity to the profile's ranges, chunk {chunk:g} ms", found)
    figure, every = grid(len(drawn), title, 2.35, columns=width)
    for axes, (panel, nominal, swings, label) in zip(every, drawn, strict=True):
        _draw_panel(axes, nominal, swings)
        axes.set_xlabel(label)
        set_panel_title(axes, panel, found, room=0)
    entries: list[Entry] = [
        (Patch(**style.part_look(LOW_LOOK)), "coefficient at its low end"),
        (Patch(**style.part_look(HIGH_LOOK)), "at its high end"),
    ]
    legend(figure, entries)
    return figure


def _draw_panel(axes: Axes, nominal: float, swings: list[Swing]) -> None:
    for index, name, end in ((LOW_LOOK, "low end", 1), (HIGH_LOOK, "high end", 2)):
        widths = np.array([swing[end] for swing in swings]) - nominal
        axes.barh(range(len(swings)), widths, 0.7, left=nominal, label=name, zorder=2, **style.part_look(index))
    axes.axvline(nominal, color="#404040", linewidth=0.8, zorder=3)
    edges = [nominal, *(value for _, low, high in swings for value in (low, high))]
    least, most = min(edges), max(edges)
    span = (most - least) or 1.0
    decimals = int(np.clip(1 - np.floor(np.log10(span)), 1, 6))
    for row, (_, low, high) in enumerate(swings):
        if low != high:
            for value, right in ((low, low > high), (high, high > low)):
                text = f"{value:.{decimals}f}".replace("-", "−")
                side = "left" if right else "right"
                note(axes, text, (value, row), (2 if right else -2, 0), va="center", ha=side)
    axes.set_xlim(least - 0.23 * span, most + 0.23 * span)
    axes.locator_params(axis="x", nbins=5)
    category_rows(axes, [style.wrapped(cause, 30, 1) for cause, _, _ in swings])
