"""Tipping points of ``foldsim tipping-point``: keys at which a variant starts or stops paying, by chunk size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.plotting import style
from foldsim.plotting.canvas import Entry, chunk_axis, grid, legend, level_axis
from foldsim.plotting.maps import DOWN, UP
from foldsim.plotting.rows import MAX_PANELS, FloatArray, PlotError, chunk_sizes, clean, numbers, texts
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORDS = {"macs": "multiply-accumulates", "energy": "energy", "latency": "latency", "memory": "memory"}
_WHERE = ("workload", "variant", "against", "profile", "policy", "placement")
_LINES: dict[str, Any] = {"stops": "-", "starts": "--"}
_ARROWS = {"always": UP, "never": DOWN}
ARROW_STEP = 1.22  # distance of the rows of arrows beyond the points searched, as a factor


def break_even(results: Results) -> Figure:
    """Up to how many keys does a variant pay, in work, energy, latency and memory, at each chunk size?

    One panel per variant and profile, a line per metric: below a solid line the variant pays, above a dashed one.
    """
    rows = results.where(np.array(texts(results, "over")) == "left_context")
    if not len(rows):
        raise PlotError("break-even: these rows hold no search over the left context")
    keys = list(zip(*(texts(rows, name) for name in _WHERE), strict=True))
    panels = list(dict.fromkeys(keys))
    if len(panels) > MAX_PANELS:
        raise PlotError(f"break-even: these rows hold {len(panels)} panels; at most {MAX_PANELS} can be read")
    figure, every = grid(len(panels), _heading(panels), 2.85)
    metrics = [metric for metric in _WORDS if metric in texts(rows, "metric")]
    seen: set[str] = set()
    for axes, panel in zip(every, panels, strict=True):
        mine = rows.where(np.array([key == panel for key in keys]))
        seen |= _draw_panel(axes, mine, metrics)
        title = _title(panel, panels)
        axes.set_title("\n".join(style.wrapped(line, 40, 2) for line in title))
        axes.set_label(clean(", ".join(title)))
    legend(figure, _entries(metrics, seen))
    return figure


def _heading(panels: Sequence[tuple[str, ...]]) -> str:
    """Title of the figure: what is the same in all panels."""
    title = "Keys at which a variant starts and stops paying"
    for at, form in ((0, ": {}"), (1, ", {}"), (2, " against {}")):
        if len({panel[at] for panel in panels}) == 1:
            title += form.format(panels[0][at])
    return title


def _title(panel: tuple[str, ...], panels: Sequence[tuple[str, ...]]) -> list[str]:
    """Profile, and what tells the panel from others."""
    words = dict(zip(_WHERE, panel, strict=True))
    lines = [words["profile"]]
    varied = [name for i, name in enumerate(_WHERE) if len({p[i] for p in panels}) > 1 and name != "profile"]
    lines += [f"against {words[name]}" if name == "against" else words[name] for name in varied]
    return lines


def _draw_panel(axes: Axes, rows: Results, metrics: Sequence[str]) -> set[str]:
    """Lines, bands and arrows of one panel; what of them occurs."""
    chunk_axis(axes, chunk_sizes(rows))
    limit = float(numbers(rows, "keys_limit_tokens").max())
    own = rows.where(np.unique(numbers(rows, "chunk_ms"), return_index=True)[1])
    fewest = numbers(own, "own_keys_tokens")
    axes.plot(numbers(own, "chunk_ms"), fewest, ":", color=style.GREY, linewidth=1.0, label="own keys", zorder=1)
    crossed = np.isin(np.array(texts(rows, "verdict")), list(_LINES))
    values = [numbers(rows, "keys_tokens")[crossed], fewest]
    seen: set[str] = set()
    for rank, metric in enumerate(metrics):
        mine = rows.where(np.array(texts(rows, "metric")) == metric)
        verdicts = np.array(texts(mine, "verdict"))
        look: dict[str, Any] = {"color": style.series_colour(rank), "marker": style.series_marker(rank)}
        seen |= _draw_lines(axes, mine, verdicts, metric, look)
        if metric == "energy":
            values += _draw_band(axes, mine, look["color"], limit)
    known = np.concatenate(values)
    bottom, top = float(known[known > 0].min()), float(known.max())
    if "always" in texts(rows, "verdict"):
        top = limit
    level_axis(axes.yaxis, [np.array([bottom, top])], 1.0)
    steps = _draw_arrows(axes, rows, metrics, (bottom, top))
    axes.set_ylim(bottom / ARROW_STEP ** (steps["never"] + 1), top * ARROW_STEP ** (steps["always"] + 1))
    axes.set_ylabel(style.axis_label("keys_tokens"))
    return seen | {verdict for verdict, count in steps.items() if count}


def _draw_lines(axes: Axes, mine: Results, verdicts: np.ndarray, metric: str, look: dict[str, Any]) -> set[str]:
    """First crossings as lines with gaps where there is none, further ones as hollow marks."""
    seen: set[str] = set()
    chunk, keys = numbers(mine, "chunk_ms"), numbers(mine, "keys_tokens")
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


def _draw_band(axes: Axes, mine: Results, colour: str, limit: float) -> list[FloatArray]:
    """What the profile's ranges make of the first crossing of energy."""
    chunk, at = np.unique(numbers(mine, "chunk_ms"), return_index=True)
    low, high = numbers(mine, "keys_low_tokens")[at], numbers(mine, "keys_high_tokens")[at]
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
    """Arrows above the search where a metric always pays, below where it never does; how many rows of each."""
    bottom, top = ends
    steps = dict.fromkeys(_ARROWS, 0)
    for verdict, mark in _ARROWS.items():
        for rank, metric in enumerate(metrics):
            here = (np.array(texts(rows, "metric")) == metric) & (np.array(texts(rows, "verdict")) == verdict)
            chunk = numbers(rows, "chunk_ms")[here]
            if not len(chunk):
                continue
            steps[verdict] += 1
            factor = ARROW_STEP ** steps[verdict]
            level = top * factor if verdict == "always" else bottom / factor
            label = style.safe(f"{_WORDS[metric]}, {verdict}")
            axes.plot(
                chunk,
                np.full(chunk.shape, level),
                linestyle="none",
                marker=mark,
                markersize=5.0,
                color=style.series_colour(rank),
                label=label,
            )
    return steps


def _entries(metrics: Sequence[str], seen: set[str]) -> list[Entry]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Entry] = []
    for rank, metric in enumerate(metrics):
        look: dict[str, Any] = {"color": style.series_colour(rank), "marker": style.series_marker(rank)}
        entries.append((Line2D([], [], linestyle="none", **look), _WORDS[metric]))
    words = {"stops": "pays below", "starts": "pays above"}
    entries += [(Line2D([], [], color=style.GREY, linestyle=_LINES[v]), words[v]) for v in _LINES if v in seen]
    arrows = {"always": "always pays", "never": "never pays"}
    entries += [
        (Line2D([], [], linestyle="none", marker=_ARROWS[v], color=style.GREY), words)
        for v, words in arrows.items()
        if v in seen
    ]
    if "again" in seen:
        hollow = Line2D([], [], linestyle="none", marker="o", markerfacecolor="white", color=style.GREY)
        entries.append((hollow, "starts or stops again"))
    if "energy" in metrics:
        entries.append((Patch(facecolor=style.GREY, alpha=0.3), "energy: what the profile's ranges allow"))
    return [*entries, (Line2D([], [], color=style.GREY, linestyle=":"), "the workload's own keys")]
