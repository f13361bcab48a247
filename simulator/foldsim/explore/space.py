"""What to sweep: parsed and checked design axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from foldsim.errors import UserError
from foldsim.explore.sampling import Sampling
from foldsim.explore.variants import SetAxis
from foldsim.hardware.profile import Profile
from foldsim.hardware.spec import POLICIES
from foldsim.schema import Problem
from foldsim.workload.compression import Compression
from foldsim.workload.compression_check import told_problems
from foldsim.workload.compression_text import describe_compression
from foldsim.workload.folding import FoldHeads, FoldScope
from foldsim.workload.spec import FoldingSpec, WorkloadSpec, fold_problems
from foldsim.workload.workload import Workload

DEFAULT_CHUNK_MS = (40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
DEFAULT_FOLD = (1, 2)
PLACEMENTS = ("auto", "dram")
BY = ("total", "component", "op", "term", "level", "tensor")
MAX_POINTS = 50_000_000
MAX_CHUNK_MS = 1.0e8  # more than a day


class SpaceError(UserError):
    """The design space cannot be swept; ``problems`` lists every reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class FoldOptions:
    """Which layers ``--fold`` folds, and how; None takes the workload's own folding, else the default."""

    layers: str | None = None
    scope: str | None = None
    heads: str | None = None

    def spec(self, workload: WorkloadSpec, factor: int) -> FoldingSpec:
        """The folding of a workload by ``factor``."""
        own = workload.folding
        chosen: dict[str, Any] = own.model_dump() if own else {}
        chosen.update({k: v for k, v in vars(self).items() if v is not None})
        return FoldingSpec.model_validate({**chosen, "factor": factor})

    def problems(self) -> list[str]:
        """Policies that do not exist."""
        known = (("scope", self.scope, get_args(FoldScope)), ("heads", self.heads, get_args(FoldHeads)))
        return [
            f"--fold-{key} {value!r} is not known; allowed: {', '.join(allowed)}"
            for key, value, allowed in known
            if value is not None and value not in allowed
        ]


@dataclass(frozen=True)
class DesignSpace:
    """Axes of a sweep; the points are their product."""

    workloads: Sequence[Workload]
    profiles: Sequence[Profile]
    chunk_ms: Sequence[float] | None = None  # None: each workload's own (see chunks)
    fold: Sequence[int] | None = None
    fold_options: FoldOptions = field(default_factory=FoldOptions)
    policy: str | None = None  # None: each profile's own
    placement: str = "auto"  # auto | dram | pinned:NAME,...
    sets: Sequence[SetAxis] = ()
    by: str = "total"
    compress: Sequence[Sequence[Compression]] | None = None  # None: each workload's own (see compressions)
    sampling: Sampling | None = None  # None: no bands from joint samples

    def fold_factors(self, workload: WorkloadSpec) -> tuple[int, ...]:
        """Factors swept for a workload: as asked, or the baseline and the workload's own factor (else 2, if it can)."""
        if self.fold:
            return tuple(dict.fromkeys(self.fold))
        if workload.folding:
            return tuple(dict.fromkeys((1, workload.folding.factor)))
        asked = self.fold_options != FoldOptions()  # then what cannot be done is an error
        able = asked or not any(
            list(fold_problems(workload, self.fold_options.spec(workload, n), ())) for n in DEFAULT_FOLD if n > 1
        )
        return DEFAULT_FOLD if able else (1,)

    def chunks(self, workload: WorkloadSpec) -> tuple[float, ...]:
        """Chunk sizes swept for a workload [ms], ascending: as asked; else those it is published for; else those of the
        usual ones that hold whole tokens; else multiples of its own."""
        if self.chunk_ms is not None:
            return tuple(sorted(set(self.chunk_ms)))
        published = workload.streaming.chunk_tokens_published
        if published:
            return tuple(tokens * workload.token_ms for tokens in sorted(set(published)))
        usual = tuple(c for c in DEFAULT_CHUNK_MS if chunk_problem(c, workload) is None)
        own = workload.streaming.chunk_tokens * workload.token_ms
        return usual or tuple(n * own for n in (1, 2, 4))

    def compressions(self, workload: WorkloadSpec) -> tuple[tuple[Compression, ...], ...]:
        """Compressions swept for a workload, () is none: as asked, or none and the workload's own."""
        asked = [(), tuple(workload.compression)] if self.compress is None else [tuple(c) for c in self.compress]
        return tuple({describe_compression(entries): entries for entries in asked}.values())

    def pinned(self, workload: WorkloadSpec) -> tuple[str, ...]:
        """Names of pinned components."""
        placement = str(self.placement)
        if not placement.startswith("pinned:"):
            return ()
        return tuple(name.strip() for name in placement.removeprefix("pinned:").split(",") if name.strip())

    def sets_of(self, target: str) -> list[SetAxis]:
        """The ``--set`` axes of a target."""
        return [axis for axis in self.sets if axis.target == target]

    def point_count(self) -> int:
        """Design points, before a baseline that nobody asked for."""
        per_set = 1
        for axis in self.sets:
            per_set *= len(axis.values)
        return (
            sum(
                len(self.fold_factors(w.spec)) * len(self.chunks(w.spec)) * len(self.compressions(w.spec))
                for w in self.workloads
            )
            * len(self.profiles)
            * per_set
        )

    def check(self) -> None:
        """Raise :class:`SpaceError` with everything that is wrong."""
        problems = self.fold_options.problems()
        if not self.workloads or not self.profiles:
            problems.append("give at least one workload and one profile")
        for kind, items in (("workload", self.workloads), ("profile", self.profiles)):
            names = [item.name for item in items]
            problems += [
                f"two {kind}s are called {name!r}; results tell them apart by name, so rename one"
                for name in sorted({n for n in names if names.count(n) > 1})
            ]
        if self.chunk_ms is not None and not self.chunk_ms:
            problems.append("give at least one chunk size")
        problems += [f"--fold {n}: N is at least 1 (1 is the unfolded baseline)" for n in self.fold or () if n < 1]
        problems += [
            f"chunk of {c} ms: a chunk is a number above zero and at most {MAX_CHUNK_MS:g} ms"
            for c in self.chunk_ms or ()
            if not 0 < c <= MAX_CHUNK_MS
        ]
        if not problems:
            for workload in self.workloads:
                problems += _workload_problems(self, workload)
        for profile in self.profiles:
            points = [point.name for point in profile.spec.operating_points]
            if self.policy and self.policy not in (*POLICIES, *points):
                problems.append(
                    f"profile {profile.name} has no policy or operating point {self.policy!r}; "
                    f"allowed: {', '.join((*POLICIES, *points))}"
                )
            for workload in self.workloads:
                names = [component.name for component in workload.spec.components]
                precision = workload.spec.precision.activations
                problems += [
                    f"no compute unit of {profile.name} runs the component {name!r} of {workload.name};"
                    " name it (or 'all') under runs"
                    for name in profile.unassigned(names)
                ]
                if all(axis.path != "workload.precision.activations" for axis in self.sets):  # else checked once set
                    problems += [
                        f"{workload.name} on {profile.name}: {_told(p)}"
                        for p in profile.precision_problems(precision, names)
                    ]
        pins = isinstance(self.placement, str) and re.fullmatch(r"pinned:\s*[^\s,].*", self.placement)
        if not pins and self.placement not in PLACEMENTS:
            problems.append(f"placement {self.placement!r} is not known; allowed: auto, dram, pinned:COMPONENT,...")
        if self.by not in BY:
            problems.append(f"--by {self.by!r} is not known; allowed: {', '.join(BY)}")
        if self.sampling is not None:
            problems += self.sampling.problems()
            if self.by != "total":
                problems.append(f"--sample gives bands of whole designs; leave out --by {self.by}")
            if self.point_count() * self.sampling.count > MAX_POINTS:
                problems.append(
                    f"{self.point_count():,} design points x {self.sampling.count:,} samples; at most {MAX_POINTS:,}"
                )
        for axis in self.sets:
            if axis.target not in ("workload", "profile"):
                problems.append(f"--set {axis.path}: paths start with workload. or profile.")
            elif axis.path == "workload.streaming.chunk_tokens":
                problems.append(f"--set {axis.path}: chunk sizes are swept with --chunk-ms")
            if not axis.values:
                problems.append(f"--set {axis.path}: give at least one value")
        if self.point_count() > MAX_POINTS:
            problems.append(f"{self.point_count():,} design points; at most {MAX_POINTS:,} in one sweep")
        if problems:
            raise SpaceError(list(dict.fromkeys(problems)))


def _told(problem: Problem) -> str:
    hint = f"; did you mean {problem.suggestion!r}?" if problem.suggestion else ""
    return problem.message + hint + (f" (allowed: {problem.allowed})" if problem.allowed else "")


def _workload_problems(space: DesignSpace, workload: Workload) -> list[str]:
    spec = workload.spec
    problems = [
        problem for problem in (chunk_problem(chunk, spec) for chunk in space.chunks(spec)) if problem is not None
    ]
    for entries in space.compressions(spec):
        wrong = told_problems(spec, entries)
        problems += [f"--compress on {spec.name}: {_told(p)}" for p in wrong]
        remaining = spec if wrong else spec.model_copy(update={"compression": list(entries)})
        for factor in space.fold_factors(spec):
            if factor > 1:
                problems += [
                    f"--fold {factor} on {spec.name}: {_told(p)}"
                    for p in fold_problems(remaining, space.fold_options.spec(spec, factor), ())
                ]
    names = [component.name for component in spec.components]
    for name in space.pinned(spec):
        if name not in names:
            problems.append(f"cannot pin {name!r}: {spec.name} has no such component; it has {', '.join(names)}")
    return problems


def is_multiple(chunk_ms: float, token_ms: float) -> bool:
    """Whether a chunk holds a whole number of tokens (at least one)."""
    if not 0 < chunk_ms <= MAX_CHUNK_MS:
        return False
    tokens = chunk_ms / token_ms
    return tokens >= 0.5 and abs(tokens - round(tokens)) < 1e-6


def chunk_problem(chunk_ms: float, workload: WorkloadSpec) -> str | None:
    """Why a chunk size is not possible, or None; for one between two tokens, what is nearest."""
    if is_multiple(chunk_ms, workload.chunk_step_ms):
        why = workload.chunk_problem(round(chunk_ms / workload.token_ms))
        return f"chunk of {chunk_ms:g} ms of {workload.name}: {why}" if why else None
    step, tokens = workload.chunk_step_ms, workload.chunk_step_tokens
    what = f"{step:g} ms token" if tokens == 1 else f"{step:g} ms between two runs of the slowest layer"
    nearest = " or ".join(f"{x:g} ms" for x in _nearest(chunk_ms, step))
    return f"chunk of {chunk_ms:g} ms is no multiple of the {what} of {workload.name}; nearest: {nearest}"


def _nearest(chunk_ms: float, token_ms: float) -> list[float]:
    below = max(1, int(chunk_ms // token_ms))
    return sorted({below * token_ms, max(1, -int(-chunk_ms // token_ms)) * token_ms})


def parse_numbers(text: str, what: str, whole: bool = False, zero: bool = False) -> list[float]:
    """Read ``40:1280:40`` or ``40,80,160`` (or a mix) as numbers.

    Raises
    ------
    SpaceError
        With what was found and what is allowed.

    >>> parse_numbers("40:160:40,320", "--chunk-ms")
    [40.0, 80.0, 120.0, 160.0, 320.0]
    """
    allowed = "whole numbers" if whole else "numbers"
    example = "1,2,4" if whole else "40:1280:40 (first:last:step) or 40,80,160"
    number = r"\d{1,9}" if whole else r"\d{1,9}(?:\.\d{1,9})?"
    values: list[float] = []
    for part in text.split(","):
        item = part.strip()
        if re.fullmatch(number, item):
            values.append(float(item))
            continue
        found = re.fullmatch(rf"({number}):({number})(?::({number}))?", item)
        if not found:
            raise SpaceError([f"{what}: cannot read {item!r}; give {allowed} above zero such as {example}"])
        first, last = float(found[1]), float(found[2])
        if not (found[3] or whole):
            raise SpaceError([f"{what}: the range {item!r} has no step; give first:last:step such as 40:1280:40"])
        step = float(found[3]) if found[3] else 1.0
        if step <= 0 or last < first:
            raise SpaceError([f"{what}: the range {item!r} is empty; give first:last:step with a step above zero"])
        count = int((last - first) / step + 1e-9) + 1
        if count > 1_000_000:
            raise SpaceError([f"{what}: the range {item!r} has {count:,} values; at most 1,000,000"])
        values += [round(first + i * step, 9) for i in range(count)]
    if any(v <= 0 for v in values) and not zero:
        raise SpaceError([f"{what}: numbers must be above zero; give {allowed} such as {example}"])
    return list(dict.fromkeys(values))


def parse_set(text: str) -> SetAxis:
    """Read ``path=v1,v2`` or ``path=first:last:step``.

    >>> parse_set("profile.system.idle_mw=0.5,1")
    SetAxis(path='profile.system.idle_mw', values=(0.5, 1))
    """
    path, equals, values = text.partition("=")
    path = path.strip()
    if not equals or not path or not values.strip():
        raise SpaceError(
            [
                f"--set {text!r}: write path=value or path=v1,v2, such as "
                "profile.memory_levels.dram.read_pj_per_byte=60,80"
            ]
        )
    if path.split(".")[0] not in ("workload", "profile") or "." not in path:
        raise SpaceError([f"--set {text!r}: the path starts with 'workload.' or 'profile.'"])
    if re.fullmatch(r"[\d.]+:[\d.]+:[\d.]+", values.strip()):
        numbers = parse_numbers(values, f"--set {path}", zero=True)
        return SetAxis(path, tuple(int(x) if "." not in values else x for x in numbers))
    return SetAxis(path, tuple(dict.fromkeys(_scalar(v.strip()) for v in values.split(","))))


def _scalar(text: str) -> str | float | int | bool:
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text):
        return float(text)
    if text in ("true", "false"):
        return text == "true"
    return text
