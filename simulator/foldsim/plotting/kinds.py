"""The kinds of figure: the question each answers, what it needs, and how to get that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from foldsim.explore.results import Results
from foldsim.plotting.rows import (
    Level,
    PlotError,
    column_problem,
    designs,
    level_of,
    merged,
    missing_columns,
    numbers,
    panels,
    texts,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEVELS: tuple[Level, ...] = ("total", "component", "op")
_DESIGN = ("workload", "profile", "fold_factor", "chunk_ms")


@dataclass(frozen=True)
class PlotKind:
    """One kind of figure.

    Attributes
    ----------
    name : as ``foldsim plot -k`` takes it.
    title : of the figure.
    question : what a reader gets to know from it.
    reading : how to read it.
    needs : columns it needs.
    by : the ``--by`` level its rows must have at least; None: any.
    folded : whether it needs folded designs.
    many : whether it takes any number of ``--set`` combinations.
    draw : makes the figure from checked rows.
    """

    name: str
    title: str
    question: str
    reading: str
    needs: tuple[str, ...]
    by: Level | None
    draw: Callable[[Results], Figure]
    folded: bool = False
    many: bool = False


def _drawn_by(module: str, function: str) -> Callable[[Results], Figure]:
    """The drawing function, imported when it is called: matplotlib loads only to draw."""

    def draw(results: Results) -> Figure:
        figure: Figure = getattr(import_module(f"foldsim.plotting.{module}"), function)(results)
        return figure

    return draw


_ALL = (
    PlotKind(
        "power-vs-chunk",
        "Average power against chunk size",
        "What average power does each design draw at each chunk size, and how much does folding save?",
        "Lines are nominal power. A band runs from all energy and power coefficients of the profile at their "
        "low ends to all at their high ends. The numbers above are savings against the baseline. The scale is "
        "logarithmic, so equal ratios look equal. Hollow points are not in real time: no device runs at that "
        "power.",
        ("power_mw", "power_low_mw", "power_high_mw"),
        None,
        _drawn_by("lines", "power_vs_chunk"),
    ),
    PlotKind(
        "power-breakdown",
        "Average power by term",
        "Where does the power go: computing, moving bytes on the chip, moving bytes off the chip, or waiting?",
        "One bar per chunk size and folding factor N (small numbers), total above. Off-chip memory includes "
        "the background power of the DRAM; static and idle includes leakage, sleeping and waking.",
        ("power_compute_mw", "power_onchip_mw", "power_dram_mw", "power_static_mw"),
        None,
        _drawn_by("bars", "power_breakdown"),
    ),
    PlotKind(
        "power-by-component",
        "Average power by component",
        "Which component costs the power: front end, encoder, predictor, joiner, or the sleeping system?",
        "One bar per chunk size and folding factor N (small numbers), total above. What belongs to no "
        "component (idle time and waking) is the system's.",
        ("component", "power_mw"),
        "component",
        _drawn_by("bars", "power_by_component"),
    ),
    PlotKind(
        "saving-vs-chunk",
        "What folding saves against chunk size",
        "What share of power and of memory does folding save, and at which chunk sizes is it worth it?",
        "Solid lines with markers are power, dotted lines memory, both against the same design unfolded; below "
        "zero, folding costs. Bands hold every saving that the ranges of the profile allow, with each coefficient "
        "the same in both designs. All panels share one scale.",
        ("power_saving_ratio", "memory_saving_ratio"),
        None,
        _drawn_by("lines", "saving_vs_chunk"),
        folded=True,
    ),
    PlotKind(
        "memory-vs-chunk",
        "Memory",
        "How much memory does each design need, what fills it, and how much of it is on the chip?",
        "Left: weights, state and peak activations by chunk size and folding factor N (small numbers). "
        "Middle: the same without weights. Right: all memory, with the fixed part of the runtime, by place on "
        "every profile.",
        ("weights_bytes", "state_bytes", "activation_peak_bytes", "memory_bytes", "onchip_bytes"),
        None,
        _drawn_by("bars", "memory_vs_chunk"),
    ),
    PlotKind(
        "latency-vs-chunk",
        "Compute latency against chunk size",
        "How long does the work of a chunk take, and is it done before the next chunk is complete?",
        "Above the dashed line (shaded) the work of a chunk ends after the next chunk is complete. Hollow "
        "points are not in real time.",
        ("latency_ms",),
        None,
        _drawn_by("lines", "latency_vs_chunk"),
    ),
    PlotKind(
        "trade-off",
        "Average power against delay",
        "Which designs are worth choosing: how much power must be paid for how short a delay?",
        "One point per design, chunk sizes [ms] beside them. The stepped line joins the designs that are in "
        "real time, fit, and are beaten by no other in both; what lies above it is worse.",
        ("user_perceived_latency_ms", "power_mw"),
        None,
        _drawn_by("lines", "trade_off"),
        many=True,
    ),
    PlotKind(
        "roofline",
        "Roofline of every matrix product",
        "What limits each matrix product: the MAC array's rate, the off-chip bandwidth, or neither?",
        "One point per matrix product at one chunk size, filled for the baseline; its area is its share of "
        "the time. Points on the slope wait for off-chip memory. Points far below both roofs lose time to "
        "small shapes, on-chip transfers or dispatch. Products without off-chip traffic stand right of the "
        "dotted line.",
        ("component", "layer", "op", "macs_per_chunk", "dram_bytes_per_chunk", "busy_ms_per_chunk"),
        "op",
        _drawn_by("roofline", "roofline"),
    ),
    PlotKind(
        "top-ops",
        "Power of the costliest operations",
        "Which operations cost the power, and which of them does folding shrink?",
        "The ten operations of the baseline that cost most at one chunk size, and the same operations folded. "
        "Operations of equal layers are added up.",
        ("component", "layer", "op", "power_mw"),
        "op",
        _drawn_by("ops", "top_ops"),
    ),
)
KINDS: dict[str, PlotKind] = {kind.name: kind for kind in _ALL}


def problem_of(results: Results, kind: PlotKind) -> str | None:
    """Why a kind cannot be drawn from these rows, and the command that makes what it needs; None if it can."""
    if not len(results):
        return f"{kind.name}: there are no rows to draw"
    level = level_of(results)
    if kind.by and _LEVELS.index(level) < _LEVELS.index(kind.by):
        shown = {"total": "whole designs", "component": "one component each", "op": "one op each"}[level]
        return (
            f"{kind.name} needs rows made with --by {kind.by}; these rows are {shown}. "
            f"Make them with: {command_for(results, kind.by)}"
        )
    missing = missing_columns(results, (*_DESIGN, *kind.needs))
    if missing:
        what = f"column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        made = command_for(results, kind.by)
        return f"{kind.name} needs the {what}, which these rows lack. Make them with: {made}"
    try:
        for name in (*_DESIGN, *kind.needs, "realtime", "fits"):
            column_problem(results, name)
        if not (numbers(results, "chunk_ms") > 0).all():
            return f"{kind.name}: the column chunk_ms must hold numbers above 0"
        if kind.folded and not (numbers(results, "fold_factor") > 1).any():
            made = command_for(results, kind.by, "--fold 1,2")
            return f"{kind.name} needs folded designs, and these rows are all unfolded. Make them with: {made}"
        # The sums and series of the figure itself; what is wrong with them is found here, before anything is drawn.
        rows = results if kind.by else designs(results)
        if kind.many:
            merged(rows)
        else:
            panels(rows, kind.by or "total")
    except PlotError as error:
        return f"{kind.name}: {error}"
    return None


_REPLACED = ("-o", "--output", "--by", "--format")


def command_for(results: Results, by: Level | None, extra: str = "") -> str:
    """A command that makes rows like these at another ``--by`` level: from the recorded arguments, else from names."""
    import shlex

    arguments = results.provenance.get("arguments")
    words = [str(word) for word in arguments] if isinstance(arguments, list) else []
    if words[:1] == ["sweep"]:
        kept = _without(words, _REPLACED)
    else:
        kept = ["sweep"]
        for option, name in (("-w", "workload"), ("-p", "profile")):
            found = list(dict.fromkeys(texts(results, name))) if name in results.columns else []
            kept += [word for value in found[:5] for word in (option, value)] if len(found) <= 5 else []
    ending = [f"--by {by}"] if by else []
    return " ".join(["foldsim", shlex.join(kept), *([extra] if extra else []), *ending, "-o results.csv"])


def _without(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """Arguments without some options and their values."""
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in options:
            skip = True
        elif not word.startswith(tuple(f"{option}=" for option in options)):
            kept.append(word)
    return kept
