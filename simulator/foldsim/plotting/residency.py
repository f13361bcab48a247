"""Placement of tensors in memory levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import columns_for, grid, heading, note, set_panel_title
from foldsim.plotting.rows import FloatArray, Series, numbers, reference_panels, texts
from foldsim.plotting.terms import with_detail
from foldsim.sweeps.results import Results
from foldsim.units import BYTES_PER_KB, BYTES_PER_MB, PERCENT_PER_UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def residency(results: Results) -> Figure:
    """The figure ``residency``: tensors by memory level, one panel per profile and design at one chunk size."""
    chunk, found = reference_panels(results, "tensor")
    drawn = [(panel, series) for panel in found for series in panel.series]
    most = max(len(panel.series) for panel in found)
    title = heading(f"Placement of tensors in memory levels, chunk {chunk:g} ms", found)
    figure, every = grid(len(drawn), title, 2.75, columns=columns_for(most))
    for axes, (panel, series) in zip(every, drawn, strict=True):
        _draw_panel(axes, series)
        named = with_detail(panel, series.label) if most > 1 else panel
        set_panel_title(axes, named, found)
    return figure


def table_of(rows: Results, name: str) -> tuple[list[str], list[str], FloatArray]:
    """Tensors, levels, and a column as an array of tensors x levels."""
    tensors, levels = (list(dict.fromkeys(texts(rows, column))) for column in ("tensors", "level"))
    values = np.full((len(tensors), len(levels)), np.nan)
    for tensor, level, value in zip(texts(rows, "tensors"), texts(rows, "level"), numbers(rows, name), strict=True):
        values[tensors.index(tensor), levels.index(level)] = value
    return tensors, levels, values


def size_text(size_bytes: float) -> str:
    """A size in B, kB or MB.

    >>> [size_text(b) for b in (800.0, 614400.0, 63605760.0)]
    ['800 B', '614 kB', '63.6 MB']
    """
    if size_bytes < BYTES_PER_KB:
        return f"{size_bytes:.0f} B"
    if size_bytes < BYTES_PER_MB:
        return f"{style.short_number(size_bytes / BYTES_PER_KB, 3)} kB"
    return f"{style.short_number(size_bytes / BYTES_PER_MB, 3)} MB"


def _draw_panel(axes: Axes, series: Series) -> None:
    tensors, levels, stored = table_of(series.rows, "stored_bytes")
    served, uses, room = (table_of(series.rows, n)[2] for n in ("served_ratio", "uses_per_s", "level_capacity_bytes"))
    axes.pcolormesh(
        np.arange(len(levels) + 1) - 0.5, np.arange(len(tensors) + 1) - 0.5, served, cmap=_shades(), vmin=0, vmax=1,
        edgecolors="white", linewidth=1.0, label="share of the reads",
    )  # fmt: skip
    for i, j in np.ndindex(*stored.shape):
        if stored[i, j] > 0:
            ink = "white" if served[i, j] > 0.75 else "black"
            partly = f"\n{served[i, j] * PERCENT_PER_UNIT:.2g} %" if served[i, j] < 0.9995 else ""
            text = size_text(float(stored[i, j])) + partly
            note(axes, text, (j, i), (0, 0), color=ink, ha="center", va="center", linespacing=0.95)
    whole = np.nansum(stored, axis=1)
    rates = np.nanmax(uses, axis=1)
    rows = [
        f"{style.wrapped(name, 24, 1)}\n{size_text(float(size))}, {rate:.3g}/s"
        for name, size, rate in zip(tensors, whole, rates, strict=True)
    ]
    axes.set_yticks(range(len(tensors)), rows, fontsize=6.2, linespacing=0.95)
    axes.set_xticks(range(len(levels)), [style.wrapped(level, 13, 1) for level in levels])
    axes.tick_params(axis="both", length=0)
    axes.grid(visible=False)
    for j in range(len(levels)):
        _fullness(axes, j, float(np.nansum(stored[:, j])), float(np.nanmax(room[:, j])))
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_ylim(len(tensors) - 0.5, -0.5)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlabel("Memory level, with the share of it used", labelpad=20)


def _fullness(axes: Axes, column: int, taken: float, room: float) -> None:
    """Share of a level's capacity that is used, below its name; × if more than all of it."""
    share = taken / room * PERCENT_PER_UNIT if room else 0.0
    over = share > PERCENT_PER_UNIT * 1.0005
    shown = f"{'× ' if over else ''}{share:.0f} % of\n{size_text(room)}"
    look = {"color": style.colour(style.VERMILLION), "fontweight": "bold"} if over else {"color": style.GREY}
    where = ("data", "axes fraction")
    note(axes, shown, (column, 0), (0, -14), xycoords=where, ha="center", va="top", annotation_clip=False, **look)


def _shades() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    dark = style.colour(style.BLUE)
    return LinearSegmentedColormap.from_list("share", ["#F4F4F4", "#BFD4E3" if dark == style.BLUE else "#C4C4C4", dark])
