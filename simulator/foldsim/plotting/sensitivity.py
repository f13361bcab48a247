"""The tornado: which uncertain coefficients decide the power, and which the saving."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, columns_for, grid, heading, legend, set_panel_title
from foldsim.plotting.rows import Panel, numbers, panels, reference_chunk
from foldsim.plotting.terms import term_values, with_detail
from foldsim.sweeps.results import Results
from foldsim.units import PERCENT_PER_UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 8  # causes shown
LOW_LOOK, HIGH_LOOK = 1, 2
Swing = tuple[str, float, float]  # cause, value at its low end, value at its high end
Powers = dict[str, tuple[float, float, float]]  # cause -> nominal, low, high [mW]


def powers_by_cause(rows: Results) -> Powers:
    """Nominal, low and high power of everything that is uncertain together [mW]."""
    ends = [term_values(rows, name) for name in ("power_mw", "power_low_mw", "power_high_mw")]
    causes = dict(zip(rows["term"].tolist(), rows["cause"].tolist(), strict=True))
    found: Powers = {}
    for term in ends[0]:
        cause = str(causes[term])
        before = found.get(cause, (0.0, 0.0, 0.0))
        found[cause] = (before[0] + ends[0][term], before[1] + ends[1][term], before[2] + ends[2][term])
    return found


def power_swings(powers: Powers) -> tuple[float, list[Swing]]:
    """Nominal power and, largest first, the power with each cause at its ends and all others nominal [mW]."""
    total = sum(nominal for nominal, _, _ in powers.values())
    swings = [(cause, total - nominal + low, total - nominal + high) for cause, (nominal, low, high) in powers.items()]
    return total, _ranked(swings)


def saving_swings(base: Powers, folded: Powers) -> tuple[float, list[Swing]]:
    """Nominal saving and, largest first, the saving with each cause at its ends in both designs [%]."""
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
    return sorted(swings, key=lambda swing: -abs(swing[2] - swing[1]))[:MOST]


def sensitivity(results: Results) -> Figure:
    """Which uncertain coefficients decide the power, and which the saving?

    Per profile: the power of the first design (the baseline where there is one), and the saving of every folded one.
    """
    from matplotlib.patches import Patch

    chunk = reference_chunk(results)
    found = panels(results.where(numbers(results, "chunk_ms") == chunk), "term")
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
    rows = np.arange(len(swings))
    ends = (
        (LOW_LOOK, "low end", [low for _, low, _ in swings]),
        (HIGH_LOOK, "high end", [high for _, _, high in swings]),
    )
    for index, name, values in ends:
        widths = np.array(values) - nominal
        axes.barh(rows, widths, 0.7, left=nominal, label=name, zorder=2, **style.part_look(index))
    axes.axvline(nominal, color="#404040", linewidth=0.8, zorder=3)
    edges = [nominal, *(value for _, low, high in swings for value in (low, high))]
    least, most = min(edges), max(edges)
    room = 0.23 * ((most - least) or 1.0)
    decimals = int(np.clip(1 - np.floor(np.log10((most - least) or 1.0)), 1, 6))
    for row, (_, low, high) in enumerate(swings):
        for value, other in ((low, high), (high, low)):
            if low == high and value == other:
                continue
            right = value > other or (value == other and value == high)
            axes.annotate(
                f"{value:.{decimals}f}".replace("-", "−"), (value, row), (2 if right else -2, 0),
                textcoords="offset points", fontsize=6, va="center", ha="left" if right else "right",
            )  # fmt: skip
    axes.set_xlim(least - room, most + room)
    axes.locator_params(axis="x", nbins=5)
    axes.set_yticks(rows, [style.wrapped(cause, 30, 1) for cause, _, _ in swings], fontsize=6.5)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
