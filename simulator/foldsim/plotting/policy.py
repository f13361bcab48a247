"""Operating-point policies compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import (
    MAX_CHUNK_TICKS,
    Entry,
    chunk_axis,
    grid,
    heading,
    late_points,
    legend,
    level_axis,
    mark_entries,
    note,
    series_entries,
    set_panel_title,
    strips_below,
    text_entry,
)
from foldsim.plotting.kinds import POLICY
from foldsim.plotting.rows import Panel, Series, chosen_chunks, chunk_sizes, designs, equal_to, numbers, panels, texts
from foldsim.sweeps.results import Results
from foldsim.units import PERCENT_PER_UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5)))


def policy_comparison(results: Results) -> Figure:
    """The figure ``policy-comparison``: power and, below, latency under every policy."""
    from matplotlib.lines import Line2D

    found = panels(designs(results), over=("policy", POLICY))
    policies = list(dict.fromkeys(texts(results, "policy")))
    figure, every = grid(len(found), heading("Operating-point policies", found), 3.6)
    strips = strips_below(figure, every)
    for axes, strip, panel in zip(every, strips, found, strict=True):
        chunk_axis(axes, chunk_sizes(panel.rows))
        _lines(axes, panel, policies, "power_mw")
        _lines(strip, panel, policies, "latency_ms", few=True)
        _points(axes, panel, policies)
        axes.set_xlabel("")
        axes.set_ylabel(style.axis_label("power_mw"))
        strip.set_ylabel("Latency [ms]")
        strip.set_xlabel(style.axis_label("chunk_ms"))
        set_panel_title(axes, panel, found)
        strip.set_label(axes.get_label())
    entries: list[Entry] = series_entries(found, joined=False)
    for index, policy in enumerate(policies):
        text = style.wrapped(policy, 40) + ("" if index else " (upper row of points)")
        entries.append((Line2D([], [], color=style.GREY, linestyle=LINES[index % len(LINES)]), text))
    entries.append(text_entry(f"%: power against {style.wrapped(policies[0], 30, 1)}"))
    legend(figure, [*entries, *mark_entries(found)])
    return figure


def _of(series: Series, policy: str) -> Results:
    return series.rows.where(equal_to(series.rows, "policy", policy))


def _lines(axes: Axes, panel: Panel, policies: list[str], name: str, few: bool = False) -> None:
    seen = []
    for series in panel.series:
        for index, policy in enumerate(policies):
            rows = _of(series, policy)
            if not len(rows):
                continue
            x, y, late = numbers(rows, "chunk_ms"), numbers(rows, name), late_points(rows)
            look: dict[str, Any] = {
                "color": style.series_colour(series.index),
                "marker": style.series_marker(series.index),
                "markersize": 3.5,
            }
            label = style.safe(f"{policy}, {series.label}")
            axes.plot(x, y, linestyle=LINES[index % len(LINES)], zorder=3, label=label, **look)
            if late.any():
                axes.plot(x[late], y[late], linestyle="none", markerfacecolor="white", zorder=4, **look)
            seen.append(y)
    level_axis(axes.yaxis, seen, few=few)


def _points(axes: Axes, panel: Panel, policies: list[str]) -> None:
    """Above the lines, for the first design: operating points where they change, and changes of power in per cent."""
    low, high = axes.get_ylim()
    room = 0.075 * (2 * len(policies) - 1) + 0.02
    log = axes.get_yscale() == "log"
    axes.set_ylim(low, high * (high / low) ** room if log else high + room * (high - low))
    before = _power_by_chunk(_of(panel.series[0], policies[0]))
    row = 0
    for index, policy in enumerate(policies):
        rows = _of(panel.series[0], policy)
        _write_points(axes, rows, row)
        row += 1
        if index:
            _write_changes(axes, before, _power_by_chunk(rows), row)
            row += 1


def _power_by_chunk(rows: Results) -> dict[float, float]:
    return dict(zip(numbers(rows, "chunk_ms").tolist(), numbers(rows, "power_mw").tolist(), strict=True))


def _write_points(axes: Axes, rows: Results, row: int) -> None:
    """Operating points at the chunk sizes where they change, if there is space."""
    last, end = "", 0.0
    for chunk, point in zip(numbers(rows, "chunk_ms").tolist(), texts(rows, "operating_point"), strict=True):
        if point != last and chunk > 1.3 * end:
            _write(axes, chunk, row, style.wrapped(point, 11, 1), -8, ha="left", fontstyle="italic")
            last, end = point, chunk


def _write_changes(axes: Axes, before: dict[float, float], power: dict[float, float], row: int) -> None:
    """Changes of power against the first policy at some chunk sizes."""
    for chunk in chosen_chunks(list(power), MAX_CHUNK_TICKS):
        change = (power[chunk] / before[chunk] - 1.0) * PERCENT_PER_UNIT if before.get(chunk) else np.nan
        if np.isfinite(change):
            text = f"{change:+.0f} %".replace("-", "−") if abs(change) >= 0.5 else "0 %"
            _write(axes, chunk, row, text, 0, ha="center")


def _write(axes: Axes, chunk: float, row: int, text: str, shift: float, **look: Any) -> None:
    look |= {"xycoords": ("data", "axes fraction"), "va": "top", "color": "#333333", "annotation_clip": False}
    note(axes, text, (chunk, 1.0), (shift, -1 - 8 * row), **look)
