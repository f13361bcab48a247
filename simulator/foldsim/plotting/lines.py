"""Figures of lines against chunk size: power and saving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import (
    Entry,
    chunk_axis,
    draw_series,
    grid,
    heading,
    legend,
    level_axis,
    mark_entries,
    note,
    series_entries,
    set_panel_title,
)
from foldsim.plotting.rows import (
    FloatArray,
    Panel,
    Series,
    chunk_sizes,
    designs,
    missing_columns,
    numbers,
    panels,
)
from foldsim.sweeps.results import Results
from foldsim.units import PERCENT_PER_UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SAVING_BAND = ("power_saving_low_ratio", "power_saving_high_ratio")


def power_vs_chunk(results: Results) -> Figure:
    """The figure ``power-vs-chunk``: nominal power with the band of the profile's ranges, savings written above."""
    from matplotlib.patches import Patch

    found = panels(designs(results))
    figure, every = grid(len(found), heading("Average power against chunk size", found), 2.85)
    for axes, panel in zip(every, found, strict=True):
        ticks = chunk_axis(axes, chunk_sizes(panel.rows))
        seen: list[FloatArray] = []
        for series in panel.series:
            x, y = numbers(series.rows, "chunk_ms"), numbers(series.rows, "power_mw")
            low, high = numbers(series.rows, "power_low_mw"), numbers(series.rows, "power_high_mw")
            colour = style.series_colour(series.index)
            axes.fill_between(x, low, high, color=colour, alpha=0.22 / len(panel.series), linewidth=0, zorder=1)
            for end, name in ((low, "low"), (high, "high")):
                # A band over a single chunk size is invisible, so its ends are bars.
                look: dict[str, Any] = {"marker": "_" if len(x) == 1 else None, "markersize": 14, "alpha": 0.5}
                label = style.safe(f"{name}, {series.label}")
                axes.plot(x, end, color=colour, linewidth=0.6, zorder=1, label=label, **look)
            draw_series(axes, panel, series, x, y)
            seen += [y, low, high]
        level_axis(axes.yaxis, seen)
        axes.set_ylabel(style.axis_label("power_mw"))
        rows = _savings_above(axes, panel, ticks)
        set_panel_title(axes, panel, found, pad=5 + 8.5 * rows)
    entries = series_entries(found)
    entries.append((Patch(facecolor=style.GREY, alpha=0.3), "band: all coefficients low to all high"))
    legend(figure, [*entries, *mark_entries(found)])
    return figure


def _savings_above(axes: Axes, panel: Panel, ticks: Sequence[float]) -> int:
    """Write the power savings of folded series above their chunk sizes; returns the number of rows written."""
    if "power_saving_ratio" not in panel.rows.columns:
        return 0
    folded = [series for series in panel.series if not series.is_baseline]
    for row, series in enumerate(reversed(folded)):
        colour = style.series_colour(series.index)
        look: dict[str, Any] = {"fontsize": 6.5, "color": colour, "va": "bottom", "annotation_clip": False}
        up = 3 + 8.5 * row
        note(axes, f"N = {series.short} saves", (0, 1), (-4, up), xycoords="axes fraction", ha="right", **look)
        saving = dict(zip(numbers(series.rows, "chunk_ms"), numbers(series.rows, "power_saving_ratio"), strict=True))
        for tick in ticks:
            if np.isfinite(saving.get(tick, np.nan)):
                text = f"{saving[tick] * PERCENT_PER_UNIT:.0f} %".replace("-", "−")
                note(axes, text, (tick, 1), (0, up), xycoords=("data", "axes fraction"), ha="center", **look)
    return len(folded)


def saving_vs_chunk(results: Results) -> Figure:
    """The figure ``saving-vs-chunk``: savings of power (solid, with band) and memory (dotted) on one scale.

    With compressed weights: savings of folding and compression together, against the design without either.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found = [panel for panel in map(without_baseline, panels(designs(results))) if panel.series]
    subject = "folding and compression" if any(map(compressed, found)) else "folding"
    figure, every = grid(len(found), heading(f"Saving from {subject} against chunk size", found), share_y=True)
    banded = not missing_columns(results, SAVING_BAND)
    seen: list[FloatArray] = []
    for axes, panel in zip(every, found, strict=True):
        chunk_axis(axes, chunk_sizes(panel.rows))
        for series in panel.series:
            seen += _draw_savings(axes, panel, series, banded)
        axes.axhline(0, color=style.GREY, linewidth=0.8, zorder=1)
        axes.set_ylabel("Saving against the baseline [%]")
        set_panel_title(axes, panel, found)
    values = np.concatenate(seen)
    least, most = min(0.0, float(np.nanmin(values))), max(1.0, float(np.nanmax(values)))
    every[0].set_ylim(least - 0.06 * (least < 0) * (most - least), most + 0.08 * (most - least))
    solid, dotted = Line2D([], [], color=style.GREY), Line2D([], [], color=style.GREY, linestyle=":")
    entries: list[Entry] = [*series_entries(found, joined=False), (solid, "power"), (dotted, "memory")]
    if banded:
        entries.append((Patch(facecolor=style.GREY, alpha=0.3), "band: ranges of the profile's coefficients"))
    legend(figure, [*entries, *mark_entries(found)])
    return figure


def _draw_savings(axes: Axes, panel: Panel, series: Series, banded: bool) -> list[FloatArray]:
    """Savings of a series over chunk size; returns every value drawn [%]."""
    x = numbers(series.rows, "chunk_ms")
    power, memory, *band = (
        numbers(series.rows, name) * PERCENT_PER_UNIT
        for name in ("power_saving_ratio", "memory_saving_ratio", *(SAVING_BAND if banded else ()))
    )
    draw_series(axes, panel, series, x, power, "-")
    look: dict[str, Any] = {"color": style.series_colour(series.index), "marker": "_" if len(x) == 1 else None}
    label = style.safe(f"memory, {series.label}")
    axes.plot(x, memory, ":", label=label, markersize=14, zorder=2, **look)
    if banded:
        low, high = band
        axes.fill_between(x, low, high, color=look["color"], alpha=0.15, linewidth=0, zorder=1)
        for end, name in ((low, "low"), (high, "high")):
            label = style.safe(f"{name}, {series.label}")
            axes.plot(x, end, alpha=0.4, linewidth=0.4, zorder=1, label=label, **look)
        if len(x) == 1:
            axes.vlines(x, low, high, color=look["color"], alpha=0.5, linewidth=1.0, zorder=1)
    return [power, memory, *band]


def compressed(panel: Panel) -> bool:
    """Whether the panel's designs have compressed weights, so that the unfolded one has savings too."""
    return "compression" in panel.rows.columns and str(panel.rows["compression"][0]) != "none"


def without_baseline(panel: Panel) -> Panel:
    """The panel without the reference of its savings, the design neither folded nor compressed."""
    if compressed(panel):
        return panel
    series = tuple(s for s in panel.series if not s.is_baseline)
    mask = numbers(panel.rows, "fold_factor") != 1
    return Panel(panel.workload, panel.profile, panel.details, panel.rows.where(mask), series)
