"""Whether a kind of figure can be drawn from some rows, and the command that makes what it needs."""

from __future__ import annotations

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
    "validation": "predictions beside published numbers",
    "tipping": "tipping points",
}
# Rows of other commands than foldsim sweep, and the command.
_COMMANDS: dict[Level | None, str] = {"validation": "foldsim validate", "tipping": "foldsim tipping-point"}


def problem_of(results: Results, kind: PlotKind) -> str | None:
    """Why a kind cannot be drawn from these rows, and the command that makes what it needs; None if it can."""
    if not len(results):
        return f"{kind.name}: there are no rows to draw"
    level = level_of(results)
    if level not in _ENOUGH.get(kind.by, (kind.by,)):
        needed = {None: "rows of whole designs", **{by: f"the rows of {name}" for by, name in _COMMANDS.items()}}
        wanted = needed.get(kind.by, f"rows made with --by {kind.by}")
        made = command_for(results, kind.by, **({"sets": kind.varied[1]} if kind.varied else {}))
        return f"{kind.name} needs {wanted}; these rows are {_SHOWN[level]}. Make them with: {made}"
    common = () if kind.by in _COMMANDS else _DESIGN
    missing = missing_columns(results, (*common, *kind.needs))
    if missing:
        what = f"column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        made = command_for(results, kind.by)
        return f"{kind.name} needs the {what}, which these rows lack. Make them with: {made}"
    try:
        for name in (*common, *kind.needs, "realtime", "fits"):
            column_problem(results, name)
        if kind.by in _COMMANDS:
            return None
        if not (numbers(results, "chunk_ms") > 0).all():
            return f"{kind.name}: the column chunk_ms must hold numbers above 0"
        lack = _designs_problem(results, kind)
        if lack:
            return lack
        # The sums and series of the figure itself; what is wrong with them is found here, before anything is drawn.
        rows = results if kind.by else designs(results)
        if kind.many:
            merged(rows)
        else:
            panels(rows, kind.by or "total", kind.over)
    except PlotError as error:
        return f"{kind.name}: {error}"
    return None


def _designs_problem(results: Results, kind: PlotKind) -> str | None:
    """Which designs the kind would compare and the rows lack."""
    factors = numbers(results, "fold_factor")
    if kind.folded and not (factors > 1).any():
        made = command_for(results, kind.by, fold="1,2")
        return f"{kind.name} needs folded designs, and these rows are all unfolded. Make them with: {made}"
    if kind.paired and not (factors == 1).any():
        asked = ",".join(f"{factor:g}" for factor in np.unique([1.0, *factors.tolist()]))
        made = command_for(results, kind.by, fold=asked)
        return f"{kind.name} needs the unfolded designs too, and these rows are all folded. Make them with: {made}"
    if kind.varied and len(set(texts(results, kind.varied[0]))) < 2:
        name, values = kind.varied
        made = command_for(results, kind.by, sets=values)
        return f"{kind.name} compares several values of {name}, and these rows have one. Make them with: {made}"
    return None


def command_for(results: Results, by: Level | None, **changed: str) -> str:
    """A command that makes rows like these at another ``--by`` level, with some axes changed."""
    if by in _COMMANDS:
        return f"{_COMMANDS[by]} -o results.csv"
    return command_of(results, by=by or "", **changed)
