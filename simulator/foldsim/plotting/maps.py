"""Figures over chunk size and left context: the saving and its break-even."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import (
    Entry,
    chunk_axis,
    columns_for,
    grid,
    halo,
    heading,
    legend,
    note,
    series_entries,
    set_panel_title,
    text_entry,
)
from foldsim.plotting.kinds import LEFT_CONTEXT
from foldsim.plotting.rows import FloatArray, Series, all_series, chunk_sizes, designs, numbers, panels
from foldsim.plotting.terms import baseline_pairs, with_detail
from foldsim.sweeps.results import Results
from foldsim.units import PERCENT_PER_UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT = "left_context_tokens"
MAX_NUMBERS = 72  # cells of a panel up to which their values are written
MAX_TICKS = 10
STEP = 0.06  # between rows of arrows, as a share of the swept range
UP, DOWN = r"$\uparrow$", r"$\downarrow$"
# Quantities compared: column, label, line style.
COSTS: tuple[tuple[str, str, Any], ...] = (("macs_per_chunk", "work", (0, (4, 2))), ("power_mw", "power", "-"))


def saving_map(results: Results) -> Figure:
    """The figure ``saving-map``: one panel per profile and folded design, one colour scale centred on 0."""
    found = panels(designs(results), over=(LEFT_CONTEXT,))
    folded = [[series for series in panel.series if not series.is_baseline] for panel in found]
    drawn = [(panel, series) for panel, own in zip(found, folded, strict=True) for series in own]
    title = heading("Power saving by chunk and left context", found)
    figure, every = grid(len(drawn), title, 2.75, columns=columns_for(max(map(len, folded))))
    tables = [grid_of(series, "power_saving_ratio") for _, series in drawn]
    most = max(float(np.nanmax(np.abs(values))) for _, _, values in tables) * PERCENT_PER_UNIT or 1.0
    many = sum(not series.is_baseline for series in all_series(found)) > 1
    for axes, (panel, series), (chunks, lefts, values) in zip(every, drawn, tables, strict=True):
        _cells(axes, chunks, lefts, values * PERCENT_PER_UNIT, most)
        axes.set_xlabel(style.axis_label("chunk_ms"))
        axes.set_ylabel(style.axis_label(LEFT))
        set_panel_title(axes, with_detail(panel, series.label) if many else panel, found)
    legend(figure, _map_entries(most, [values for _, _, values in tables]))
    return figure


def grid_of(series: Series, name: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Chunk sizes [ms], left contexts [tokens], and a column (left contexts, chunk sizes); NaN without a row."""
    chunk, left, column = (numbers(series.rows, n) for n in ("chunk_ms", LEFT, name))
    chunks, at_chunk = np.unique(chunk, return_inverse=True)
    lefts, at_left = np.unique(left, return_inverse=True)
    values = np.full((len(lefts), len(chunks)), np.nan)
    values[at_left, at_chunk] = column
    return chunks, lefts, values


def _cells(axes: Axes, chunks: FloatArray, lefts: FloatArray, values: FloatArray, most: float) -> None:
    from matplotlib.patches import Rectangle

    edges = (np.arange(len(chunks) + 1) - 0.5, np.arange(len(lefts) + 1) - 0.5)
    axes.pcolormesh(*edges, values, cmap=_diverging(), vmin=-most, vmax=most, label="power saving [%]")
    for i, j in np.argwhere(values < 0).tolist():
        hatch: dict[str, Any] = {"hatch": "////", "edgecolor": "#8C8C8C", "linewidth": 0, "zorder": 2}
        axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, **hatch))
    if np.nanmin(values) < 0 < np.nanmax(values) and min(values.shape) > 1:
        # Extended by half a cell on every side, so that the line reaches the edges of the map.
        x, y = (np.array([-0.5, *range(count), count - 0.5]) for count in values.shape[::-1])
        axes.contour(x, y, np.pad(values, 1, "edge"), levels=[0.0], colors="black", linewidths=1.6, zorder=3)
    if values.size <= MAX_NUMBERS:
        for i, j in np.ndindex(*values.shape):
            if np.isfinite(values[i, j]):
                _number(axes, j, i, float(values[i, j]), most)
    _ticks(axes, chunks, lefts)


def _number(axes: Axes, x: int, y: int, value: float, most: float) -> None:
    shade = _diverging()(0.5 + value / most / 2)
    dark = float(np.dot(shade[:3], (0.3, 0.59, 0.11))) < 0.5
    look = {"path_effects": halo(shade) if value < 0 else [], "color": "white" if dark else "black"}
    text = f"{value:.{0 if abs(value) >= 9.95 else 1}f}".replace("-", "−")
    note(axes, text, (x, y), (0, 0), ha="center", va="center", zorder=4, **look)


def _ticks(axes: Axes, chunks: FloatArray, lefts: FloatArray) -> None:
    for axis, values in ((axes.xaxis, chunks), (axes.yaxis, lefts)):
        step = -(-len(values) // MAX_TICKS)
        axis.set_ticks(range(0, len(values), step), [f"{v:g}" for v in values[::step]])
    axes.tick_params(axis="both", length=0)
    axes.grid(visible=False)


def _diverging() -> Any:
    """Orange for a loss, white at 0, blue for a saving; greys in print, where losses are hatched."""
    from matplotlib.colors import LinearSegmentedColormap

    cost, save = ("#BDBDBD", "#4D4D4D") if style.printing() else ("#B35806", "#0B5394")
    return LinearSegmentedColormap.from_list("saving", [cost, "#FFFFFF", save])


def _map_entries(most: float, tables: list[FloatArray]) -> list[Entry]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    shades = _diverging()
    negative = any(np.nanmin(values) < 0 for values in tables)
    shares = (-1.0, -0.5, 0.0, 0.5, 1.0) if negative else (0.0, 0.5, 1.0)
    entries: list[Entry] = [
        (
            Patch(facecolor=shades(0.5 + share / 2), edgecolor=style.GREY, hatch="////" if share < 0 else None),
            f"{share * most:.0f} %".replace("-", "−"),
        )
        for share in shares
    ]
    if negative:
        entries.append((Line2D([], [], color="black", linewidth=1.6), "break-even"))
    return [*entries, text_entry("power saved against the baseline")]


def crossing(left: FloatArray, extra: FloatArray) -> float:
    """Left context at which the extra cost of a folded design reaches 0; -inf: above from the start, inf: never.

    >>> crossing(np.array([0.0, 100.0, 200.0]), np.array([-2.0, -1.0, 1.0]))
    150.0
    """
    order = np.argsort(left)
    left, extra = left[order], extra[order]
    kept = np.isfinite(extra)
    left, extra = left[kept], extra[kept]
    above = np.flatnonzero(extra >= 0)
    if not len(above):
        return float("inf")
    i = int(above[0])
    if i == 0:
        return float("-inf") if extra[0] > 0 else float(left[0])
    share = -extra[i - 1] / (extra[i] - extra[i - 1])
    return float(left[i - 1] + share * (left[i] - left[i - 1]))


def tipping_points_of(base: Series, folded: Series, name: str) -> tuple[FloatArray, FloatArray]:
    """Chunk sizes [ms], and the left context [tokens] at which the folded design's cost reaches the baseline's."""
    base_chunks, base_lefts, before = grid_of(base, name)
    folded_chunks, folded_lefts, after = grid_of(folded, name)
    chunks, base_columns, folded_columns = np.intersect1d(base_chunks, folded_chunks, return_indices=True)
    lefts, base_rows, folded_rows = np.intersect1d(base_lefts, folded_lefts, return_indices=True)
    extra = after[np.ix_(folded_rows, folded_columns)] - before[np.ix_(base_rows, base_columns)]
    return chunks, np.array([crossing(lefts, column) for column in extra.T])


def tipping_points(results: Results) -> Figure:
    """The figure ``tipping-points``: break-even left context of work (dashed) and power (solid), arrows if outside."""
    from matplotlib.lines import Line2D

    found = panels(designs(results), over=(LEFT_CONTEXT,))
    figure, every = grid(len(found), heading("Left context up to which folding saves", found), 2.75)
    outside: set[str] = set()
    for axes, panel in zip(every, found, strict=True):
        chunk_axis(axes, chunk_sizes(panel.rows))
        swept = numbers(panel.rows, LEFT)
        low, high = float(np.nanmin(swept)), float(np.nanmax(swept))
        beyond: set[str] = set()
        pairs = baseline_pairs(panel, "tipping-points", chunk_sizes(panel.rows)[0])
        for order, (base, series) in enumerate(pairs):
            for rank, (name, what, line) in enumerate(COSTS):
                chunks, points = tipping_points_of(base, series, name)
                look = (what, line, len(COSTS) * order + rank)
                beyond |= _draw_line(axes, series, (chunks, points), (low, high), look)
        axes.axhline(high, color=style.GREY, linewidth=0.6, linestyle=":", zorder=1)
        rows = len(COSTS) * len(pairs) + 0.5
        step = STEP * ((high - low) or 1.0)
        axes.set_ylim(low - step * rows * (DOWN in beyond), high + step * rows)
        outside |= beyond
        axes.set_ylabel(style.axis_label(LEFT))
        set_panel_title(axes, panel, found)
    entries = [entry for entry in series_entries(found, joined=False) if entry[1] != "baseline"]
    for _, what, line in COSTS:
        handle = Line2D([], [], color=style.GREY, linestyle=line)
        entries.append((handle, "multiply-accumulates" if what == "work" else what))
    for mark, text in ((UP, "saves in the whole sweep"), (DOWN, "saves nowhere in the sweep")):
        if mark in outside:
            entries.append((Line2D([], [], linestyle="none", marker=mark, color=style.GREY), text))
    legend(figure, entries)
    return figure


def _draw_line(
    axes: Axes,
    series: Series,
    line: tuple[FloatArray, FloatArray],
    swept: tuple[float, float],
    look: tuple[str, Any, int],
) -> set[str]:
    """One line of tipping points; returns the marks of those outside the sweep."""
    (x, y), (low, high), (what, dashes, row) = line, swept, look
    inside = np.isfinite(y)
    label = style.safe(f"{what}, {series.label}")
    common: dict[str, Any] = {"color": style.series_colour(series.index), "markersize": 4.0, "zorder": 3}
    marker = style.series_marker(series.index)
    axes.plot(x, np.where(inside, y, np.nan), linestyle=dashes, marker=marker, label=label, **common)
    marks = set()
    step = STEP * ((high - low) or 1.0) * (row + 1)
    for mark, beyond, level in ((UP, y == np.inf, high + step), (DOWN, y == -np.inf, low - step)):
        if beyond.any():
            places = np.full(int(beyond.sum()), level)
            axes.plot(x[beyond], places, linestyle="none", marker=mark, **common)
            if len(x) <= MAX_TICKS:
                note(axes, what, (float(x[beyond][0]), level), (5, 0), va="center", color="#333333")
            marks.add(mark)
    return marks
