"""Tipping points of ``foldsim tipping-point``: numbers of keys at which a variant starts or stops to save, by chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, chunk_axis, grid, legend, level_axis
from foldsim.plotting.maps import DOWN, UP
from foldsim.plotting.rows import MAX_PANELS, FloatArray, PlotError, chunk_sizes, clean, equal_to, numbers, texts
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORDS = {"macs": "multiply-accumulates", "energy": "energy", "latency": "latency", "memory": "memory"}
_WHERE = ("workload", "variant", "against", "profile", "policy", "placement")
_LINES: dict[str, Any] = {"stops": "-", "starts": "--"}
_ARROWS = {"always": UP, "never": DOWN}
ARROW_STEP = 1.22  # ratio between rows of arrows outside the searched range


def break_even(results: Results) -> Figure:
    """The figure ``break-even``: one panel per variant and profile, one line per metric."""
    rows = results.where(equal_to(results, "over", "left_context"))
    if not len(rows):
        raise PlotError("break-even: these rows contain no search over the left context")
    keys = list(zip(*(texts(rows, name) for name in _WHERE), strict=True))
    panels = list(dict.fromkeys(keys))
    if len(panels) > MAX_PANELS:
        raise PlotError(f"break-even: these rows contain {len(panels)} panels; at most {MAX_PANELS} are drawn")
    figure, every = grid(len(panels), _heading(panels), 2.85)
    metrics = [metric for metric in _WORDS if metric in texts(rows, "metric")]
    seen: set[str] = set()
    for axes, panel in zip(every, panels, strict=True):
        own = rows.where(np.array([key == panel for key in keys]))
        seen |= _draw_panel(axes, own, metrics)
        title = _title(panel, panels)
        axes.set_title("\n".join(style.wrapped(line, 40, 2) for line in title))
        axes.set_label(clean(", ".join(title)))
    legend(figure, _entries(metrics, seen))
    return figure


def _heading(panels: Sequence[tuple[str, ...]]) -> str:
    """Title of the figure, with the values that all panels share."""
    title = "Tipping points of a variant"
    for at, form in ((0, ": {}"), (1, ", {}"), (2, " against {}")):
        if len({panel[at] for panel in panels}) == 1:
            title += form.format(panels[0][at])
    return title


def _title(panel: tuple[str, ...], panels: Sequence[tuple[str, ...]]) -> list[str]:
    """Profile and the values that distinguish the panel from others."""
    words = dict(zip(_WHERE, panel, strict=True))
    lines = [words["profile"]]
    varied = [name for i, name in enumerate(_WHERE) if len({p[i] for p in panels}) > 1 and name != "profile"]
    lines += [f"against {words[name]}" if name == "against" else words[name] for name in varied]
    return lines


def _draw_panel(axes: Axes, rows: Results, metrics: Sequence[str]) -> set[str]:
    """Lines, bands and arrows of one panel; returns the verdicts drawn."""
    chunk_axis(axes, chunk_sizes(rows))
    limit = float(numbers(rows, "keys_limit_tokens").max())
    own = rows.where(np.unique(numbers(rows, "chunk_ms"), return_index=True)[1])
    fewest = numbers(own, "own_keys_tokens")
    axes.plot(numbers(own, "chunk_ms"), fewest, ":", color=style.GREY, linewidth=1.0, label="own keys", zorder=1)
    crossed = np.isin(np.array(texts(rows, "verdict")), list(_LINES))
    values = [numbers(rows, "keys_tokens")[crossed], fewest]
    seen: set[str] = set()
    for rank, metric in enumerate(metrics):
        own_rows = rows.where(equal_to(rows, "metric", metric))
        look: dict[str, Any] = {"color": style.series_colour(rank), "marker": style.series_marker(rank)}
        seen |= _draw_lines(axes, own_rows, metric, look)
        if metric == "energy":
            values += _draw_band(axes, own_rows, look["color"], limit)
    keys = np.concatenate(values)
    bottom, top = float(keys[keys > 0].min()), float(keys.max())
    if "always" in texts(rows, "verdict"):
        top = limit
    level_axis(axes.yaxis, [np.array([bottom, top])], 1.0)
    steps = _draw_arrows(axes, rows, metrics, (bottom, top))
    axes.set_ylim(bottom / ARROW_STEP ** (steps["never"] + 1), top * ARROW_STEP ** (steps["always"] + 1))
    axes.set_ylabel(style.axis_label("keys_tokens"))
    return seen | {verdict for verdict, count in steps.items() if count}


def _draw_lines(axes: Axes, rows: Results, metric: str, look: dict[str, Any]) -> set[str]:
    """First crossings as lines with gaps at chunk sizes without one, later crossings as hollow marks."""
    seen: set[str] = set()
    chunk, keys, verdicts = numbers(rows, "chunk_ms"), numbers(rows, "keys_tokens"), np.array(texts(rows, "verdict"))
    every, first = np.unique(chunk, return_index=True)
    for verdict, dashes in _LINES.items():
        y = np.where(verdicts[first] == verdict, keys[first], np.nan)
        if np.isfinite(y).any():
            label = style.safe(f"{_WORDS[metric]}, {verdict}")
            axes.plot(every, y, linestyle=dashes, label=label, zorder=3, **look)
            seen.add(verdict)
    later = np.setdiff1d(np.arange(len(chunk)), first)
    if len(later):
        label = style.safe(f"{_WORDS[metric]}, again")
        axes.plot(chunk[later], keys[later], linestyle="none", markerfacecolor="white", zorder=4, label=label, **look)
        seen.add("again")
    return seen


def _draw_band(axes: Axes, rows: Results, colour: str, limit: float) -> list[FloatArray]:
    """Range of the first crossing of energy over the ranges of the profile's coefficients."""
    chunk, at = np.unique(numbers(rows, "chunk_ms"), return_index=True)
    low, high = numbers(rows, "keys_low_tokens")[at], numbers(rows, "keys_high_tokens")[at]
    moves = high > low
    if not moves.any():
        return []
    least = np.where(low > 0, low, np.nan)
    bottom = np.where(moves, np.fmax(least, 1.0), np.nan)
    top = np.where(moves, np.minimum(high, limit), np.nan)
    axes.fill_between(chunk, bottom, top, color=colour, alpha=0.15, linewidth=0, zorder=1)
    for end, name in ((np.where(moves, least, np.nan), "low"), (top, "high")):
        axes.plot(chunk, end, color=colour, linewidth=0.5, alpha=0.5, zorder=1, label=f"energy, {name}")
    return [v[np.isfinite(v) & moves] for v in (least, top)]


def _draw_arrows(axes: Axes, rows: Results, metrics: Sequence[str], ends: tuple[float, float]) -> dict[str, int]:
    """Arrows above the searched range if a metric always saves, below if never; returns the rows of arrows of each."""
    bottom, top = ends
    steps = dict.fromkeys(_ARROWS, 0)
    for verdict, mark in _ARROWS.items():
        for rank, metric in enumerate(metrics):
            chunk = numbers(rows, "chunk_ms")[equal_to(rows, "metric", metric) & equal_to(rows, "verdict", verdict)]
            if not len(chunk):
                continue
            steps[verdict] += 1
            factor = ARROW_STEP ** steps[verdict]
            level = top * factor if verdict == "always" else bottom / factor
            label = style.safe(f"{_WORDS[metric]}, {verdict}")
            look: dict[str, Any] = {"linestyle": "none", "marker": mark, "markersize": 5.0}
            axes.plot(chunk, np.full(chunk.shape, level), color=style.series_colour(rank), label=label, **look)
    return steps


def _entries(metrics: Sequence[str], seen: set[str]) -> list[Entry]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Entry] = []
    for rank, metric in enumerate(metrics):
        look: dict[str, Any] = {"color": style.series_colour(rank), "marker": style.series_marker(rank)}
        entries.append((Line2D([], [], linestyle="none", **look), _WORDS[metric]))
    words = {"stops": "saves below", "starts": "saves above"}
    entries += [(Line2D([], [], color=style.GREY, linestyle=_LINES[v]), words[v]) for v in _LINES if v in seen]
    arrows = {"always": "always saves", "never": "never saves"}
    entries += [
        (Line2D([], [], linestyle="none", marker=_ARROWS[v], color=style.GREY), words)
        for v, words in arrows.items()
        if v in seen
    ]
    if "again" in seen:
        hollow = Line2D([], [], linestyle="none", marker="o", markerfacecolor="white", color=style.GREY)
        entries.append((hollow, "later crossings"))
    if "energy" in metrics:
        entries.append((Patch(facecolor=style.GREY, alpha=0.3), "energy: ranges of the profile's coefficients"))
    return [*entries, (Line2D([], [], color=style.GREY, linestyle=":"), "keys of the workload")]
