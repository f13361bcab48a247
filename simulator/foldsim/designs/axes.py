"""The axes of a design: one table of names, options, meanings and result columns; problems that name an axis."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from foldsim.errors import UserError
from foldsim.schema.findings import Path, Problem

SETS = "sets"
_COMPRESS = (
    "COMPONENT[.CLASS]=METHOD[+METHOD], separated by commas, such as joiner=int4-g32,encoder.feedforward=2:4; or none."
    " CLASS: attention, feedforward, convolution, recurrent, embedding, linear. METHOD: int2..int8[-gN[-sB]], qsq,"
    " codebook-gN-bB, prune-0.5, 2:4, lowrank-R, drop-everyK, drop-1-3"
)


@dataclass(frozen=True)
class Axis:
    """One axis of a design, or one option of its evaluation.

    Attributes
    ----------
    name : argument in Python and key in design files.
    option, short : option of the command line, and its short form if there is one.
    metavar : placeholder of its value in help texts.
    meaning : what it sets, with the values that are allowed.
    default : what a sweep takes if it is not given.
    column : result column that carries its value; None if there is none.
    words : values that the shell completes; others may be allowed too.
    """

    name: str
    option: str
    metavar: str
    meaning: str
    default: str
    column: str | None = None
    short: str = ""
    words: tuple[str, ...] = ()


AXES = {
    axis.name: axis
    for axis in (
        Axis("workloads", "--workload", "NAME|FILE", "Workload: shipped name or file; repeatable", "emformer-rnnt-base",
             "workload", "-w"),
        Axis("profiles", "--profile", "NAME|FILE", "Hardware profile: shipped name or file; repeatable",
             "one of each class of device", "profile", "-p"),
        Axis("chunk_ms", "--chunk-ms", "LIST", "Chunk sizes in ms: 40,80,160 or first:last:step, 40:1280:40",
             "the workload's published sizes, else 40,80,160,320,640,1280", "chunk_ms"),
        Axis("fold", "--fold", "LIST", "Folding factors N; 1 is the unfolded baseline", "1,2", "fold_factor"),
        Axis("fold_layers", "--fold-layers", "LAYERS",
             "Layers to fold, counted from 1: all, 1-10, 1,4,7 or every:2", "the workload's own, else all",
             "fold_layers"),
        Axis("fold_scope", "--fold-scope", "SCOPE", "Folded parts: attention, or attention+feedforward",
             "the workload's own, else attention", "fold_scope", words=("attention", "attention+feedforward")),
        Axis("fold_heads", "--fold-heads", "RULE",
             "Heads of folded layers: keep_head_dim (their number is divided by N) or keep_heads", "keep_head_dim",
             "fold_heads", words=("keep_head_dim", "keep_heads")),
        Axis("compress", "--compress", "RULES", f"Weight compression; repeatable, one design each: {_COMPRESS}",
             "none, and the workload's own", "compression"),
        Axis("policy", "--policy", "POLICY", "race-to-idle, slowest-real-time, or the name of an operating point",
             "the profile's own", "policy", words=("race-to-idle", "slowest-real-time")),
        Axis("placement", "--placement", "PLACEMENT",
             "Where weights and state are stored: auto, dram, or pinned:COMPONENT", "auto", "placement",
             words=("auto", "dram", "pinned:")),
        Axis(SETS, "--set", "PATH=VALUE",
             "Change a value of the workload or profile: workload.precision.weights=int4 or"
             " profile.memory_levels.dram.read_pj_per_byte=60; repeatable. The value then has no range; a path that"
             " ends in .value keeps the range. foldsim sweep also takes several values: 60,80 or 0:100:20", ""),
        Axis("by", "--by", "LEVEL", "Rows per design: total, component, op, term, level or tensor", "total",
             words=("total", "component", "op", "term", "level", "tensor")),
        Axis("sample", "--sample", "N",
             "Draw N joint samples of all ranges, and report the 5 to 95 % band of latency, energy, power and saving",
             ""),
        Axis("method", "--method", "METHOD", "How samples are drawn: lhs, sobol (needs SciPy) or random", "lhs",
             words=("lhs", "sobol", "random")),
        Axis("seed", "--seed", "SEED", "Seed of the samples; the same seed draws the same samples", "0"),
    )
}  # fmt: skip
DESIGN_COLUMNS = tuple(axis.column for axis in AXES.values() if axis.column)
"""Result columns that identify a design; in addition each changed value has a column named by its path."""


class DesignError(UserError):
    """A design, or a space of designs, that cannot be evaluated.

    ``problems`` has every reason as a record whose path starts with the name of an axis. As text the problems name
    arguments of Python; the command line words them as its options with ``as_options``.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(_worded(problem, _argument) for problem in self.problems))

    def as_options(self) -> list[str]:
        """One line per problem, in terms of the command line."""
        return [_worded(problem, _option) for problem in self.problems]


def problem(axis: str, message: str, allowed: str | None = None, suggestion: str | None = None) -> Problem:
    """A problem of one axis."""
    return Problem((axis,), message, allowed, suggestion)


def _worded(problem: Problem, label: Callable[[Path], str]) -> str:
    start = f"{label(problem.path)}: " if problem.path else ""
    hint = f"; did you mean {problem.suggestion!r}?" if problem.suggestion else ""
    return start + problem.message + hint + (f" (allowed: {problem.allowed})" if problem.allowed else "")


def _argument(path: Path) -> str:
    name, *rest = map(str, path)
    return f"{name} {'.'.join(rest)}" if rest else name


def _option(path: Path) -> str:
    name, *rest = map(str, path)
    option = AXES[name].option if name in AXES else f"--{name.replace('_', '-')}"
    return f"{option} {'.'.join(rest)}" if rest else option


def parse_numbers(text: str, axis: str, whole: bool = False, zero: bool = False) -> list[float]:
    """Read ``40:1280:40`` or ``40,80,160`` (or a mix) as numbers.

    Parameters
    ----------
    axis : name of the axis that the text was given for, or path of the changed value.
    whole, zero : whether numbers must be whole, and may be zero.

    Raises
    ------
    DesignError
        With what was found and what is allowed.

    >>> parse_numbers("40:160:40,320", "chunk_ms")
    [40.0, 80.0, 120.0, 160.0, 320.0]
    """
    path: Path = (axis,) if axis in AXES or "." not in axis else (SETS, axis)
    allowed = "whole numbers" if whole else "numbers"
    example = "1,2,4" if whole else "40:1280:40 (first:last:step) or 40,80,160"
    values: list[float] = []
    for part in text.split(","):
        try:
            values += _range(part.strip(), whole)
        except ValueError as error:
            message = str(error) or f"cannot read {part.strip()!r}; give {allowed} above zero such as {example}"
            raise DesignError([Problem(path, message)]) from None
    if any(v <= 0 for v in values) and not zero:
        raise DesignError([Problem(path, f"numbers must be above zero; give {allowed} such as {example}")])
    return list(dict.fromkeys(values))


MOST_VALUES = 1_000_000  # of one range


def _range(item: str, whole: bool) -> list[float]:
    """The numbers of one item of a list; a ValueError says why there are none."""
    number = r"\d{1,9}" if whole else r"\d{1,9}(?:\.\d{1,9})?"
    if re.fullmatch(number, item):
        return [float(item)]
    found = re.fullmatch(rf"({number}):({number})(?::({number}))?", item)
    if not found:
        raise ValueError
    first, last = float(found[1]), float(found[2])
    if not (found[3] or whole):
        raise ValueError(f"the range {item!r} has no step; give first:last:step such as 40:1280:40")
    step = float(found[3]) if found[3] else 1.0
    if step <= 0 or last < first:
        raise ValueError(f"the range {item!r} is empty; give first:last:step with a step above zero")
    count = int((last - first) / step + 1e-9) + 1
    if count > MOST_VALUES:
        raise ValueError(f"the range {item!r} has {count:,} values; at most {MOST_VALUES:,}")
    return [round(first + i * step, 9) for i in range(count)]
