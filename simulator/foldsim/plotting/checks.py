"""Checks whether a kind of figure can be drawn from given rows, with the command that creates the rows it needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foldsim.plotting.kinds import PlotKind
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
from foldsim.sweeps.commands import command_of
from foldsim.sweeps.results import Results

_DESIGN = ("workload", "profile", "fold_factor", "chunk_ms")
_ENOUGH: dict[Level | None, tuple[Level, ...]] = {
    None: ("total", "component", "op"),
    "component": ("component", "op"),
}
_SHOWN: dict[Level, str] = {
    "total": "whole designs",
    "component": "one component each",
    "op": "one op each",
    "term": "one energy term each",
    "level": "one op at one memory level each",
    "tensor": "one group of tensors in one memory level each",
    "validation": "predictions against published values",
    "tipping": "tipping points",
}
# Commands other than foldsim sweep, by the level of their rows.
_COMMANDS: dict[Level | None, str] = {"validation": "foldsim validate", "tipping": "foldsim tipping-point"}


def problem_of(results: Results, kind: PlotKind) -> str | None:
    """Why a kind cannot be drawn from these rows, and the command that creates suitable ones; None if it can."""
    if not len(results):
        return f"{kind.name}: there are no rows to draw"
    common = () if kind.by in _COMMANDS else _DESIGN
    problem = _level_problem(results, kind) or _columns_problem(results, kind, (*common, *kind.needs))
    if problem:
        return problem
    try:
        for name in (*common, *kind.needs, "realtime", "fits"):
            column_problem(results, name)
        if kind.by in _COMMANDS:
            return None
        problem = _designs_problem(results, kind)
        if not problem:
            _check_panels(results, kind)
    except PlotError as error:
        return f"{kind.name}: {error}"
    return problem


def _level_problem(results: Results, kind: PlotKind) -> str | None:
    """Rows of a ``--by`` level that the kind does not use."""
    level = level_of(results)
    if level in _ENOUGH.get(kind.by, (kind.by,)):
        return None
    needed = {None: "rows of whole designs", **{by: f"the rows of {name}" for by, name in _COMMANDS.items()}}
    wanted = needed.get(kind.by, f"rows made with --by {kind.by}")
    command = command_for(results, kind.by, **({"sets": kind.varied[1]} if kind.varied else {}))
    return f"{kind.name} needs {wanted}; these rows are {_SHOWN[level]}. Make them with: {command}"


def _columns_problem(results: Results, kind: PlotKind, names: Sequence[str]) -> str | None:
    """Missing columns."""
    missing = missing_columns(results, names)
    if not missing:
        return None
    what = f"column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    command = command_for(results, kind.by)
    return f"{kind.name} needs the {what}, which these rows lack. Make them with: {command}"


def _check_panels(results: Results, kind: PlotKind) -> None:
    """Raise :class:`PlotError` for rows that cannot be arranged as the figure will arrange them."""
    rows = results if kind.by else designs(results)
    if kind.many:
        merged(rows)
    else:
        panels(rows, kind.by or "total", kind.over)


def _designs_problem(results: Results, kind: PlotKind) -> str | None:
    """Chunk sizes that are not durations, and designs to compare that are missing."""
    if not (numbers(results, "chunk_ms") > 0).all():
        return f"{kind.name}: the column chunk_ms must contain numbers above 0"
    factors = numbers(results, "fold_factor")
    if kind.folded and not (factors > 1).any():
        command = command_for(results, kind.by, fold="1,2")
        return f"{kind.name} needs folded designs, but these rows are all unfolded. Make them with: {command}"
    if kind.paired and not (factors == 1).any():
        asked = ",".join(f"{factor:g}" for factor in np.unique([1.0, *factors.tolist()]))
        command = command_for(results, kind.by, fold=asked)
        return f"{kind.name} needs the unfolded designs too, but these rows are all folded. Make them with: {command}"
    if kind.varied and len(set(texts(results, kind.varied[0]))) < 2:
        name, values = kind.varied
        command = command_for(results, kind.by, sets=values)
        return f"{kind.name} compares several values of {name}, but these rows have one. Make them with: {command}"
    return None


def command_for(results: Results, by: Level | None, **changed: str) -> str:
    """A command that creates rows like these at another ``--by`` level, with some axes changed."""
    if by in _COMMANDS:
        return f"{_COMMANDS[by]} -o results.csv"
    return command_of(results, by=by or "", **changed)
