"""Why a design cannot be evaluated: one function per axis, each yielding problems that name the axis."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import get_args

from foldsim.designs.axes import problem
from foldsim.hardware.profile import Profile
from foldsim.hardware.spec import POLICIES
from foldsim.schema import Problem
from foldsim.workload.checks import fold_problems
from foldsim.workload.compression.records import Compression
from foldsim.workload.compression_check import compression_problems_of
from foldsim.workload.folding import FoldHeads, FoldScope
from foldsim.workload.spec import FoldingSpec, WorkloadSpec
from foldsim.workload.workload import Workload

PLACEMENTS = ("auto", "dram")
PINNED = "pinned:"
MAX_CHUNK_MS = 1.0e8  # more than a day


def chunk_problems(chunk_ms: float, workload: WorkloadSpec) -> Iterator[Problem]:
    """Why a workload cannot have a chunk size; with the nearest sizes it can have."""
    if not 0 < chunk_ms <= MAX_CHUNK_MS:
        yield problem("chunk_ms", f"{chunk_ms}: a chunk is a number above zero and at most {MAX_CHUNK_MS:g} ms")
        return
    if is_multiple(chunk_ms, workload.chunk_step_ms):
        if why := workload.chunk_problem(round(chunk_ms / workload.token_ms)):
            yield problem("chunk_ms", f"a chunk of {chunk_ms:g} ms of {workload.name}: {why}")
        return
    step, tokens = workload.chunk_step_ms, workload.chunk_step_tokens
    what = f"{step:g} ms token" if tokens == 1 else f"{step:g} ms between two runs of the slowest layer"
    nearest = " or ".join(f"{x:g} ms" for x in _nearest(chunk_ms, step))
    message = f"a chunk of {chunk_ms:g} ms is not a multiple of the {what} of {workload.name}; nearest: {nearest}"
    yield problem("chunk_ms", message)


def is_multiple(chunk_ms: float, token_ms: float) -> bool:
    """Whether a chunk holds a whole number of tokens (at least one)."""
    if not 0 < chunk_ms <= MAX_CHUNK_MS:
        return False
    tokens = chunk_ms / token_ms
    return tokens >= 0.5 and abs(tokens - round(tokens)) < 1e-6


def _nearest(chunk_ms: float, token_ms: float) -> list[float]:
    below = max(1, int(chunk_ms // token_ms))
    return sorted({below * token_ms, max(1, -int(-chunk_ms // token_ms)) * token_ms})


def fold_policy_problems(scope: str | None, heads: str | None) -> Iterator[Problem]:
    """Policies of folding that do not exist."""
    for axis, value, allowed in (
        ("fold_scope", scope, get_args(FoldScope)),
        ("fold_heads", heads, get_args(FoldHeads)),
    ):
        if value is not None and value not in allowed:
            yield problem(axis, f"{value!r} does not exist", ", ".join(allowed))


def compression_problems(workload: WorkloadSpec, entries: Sequence[Compression]) -> Iterator[Problem]:
    """Why a compression does not fit a workload."""
    for found in compression_problems_of(workload, entries):
        yield _at("compress", f"on {workload.name}: {found.message}", found)


def folding_problems(
    workload: WorkloadSpec, entries: Sequence[Compression], foldings: Sequence[FoldingSpec]
) -> Iterator[Problem]:
    """Why a workload, compressed so, cannot be folded so."""
    remaining = workload
    if not compression_problems_of(workload, entries):
        remaining = workload.model_copy(update={"compression": list(entries)})
    for folding in foldings:
        for found in fold_problems(remaining, folding, ()):
            if found.path == ("layers",):  # wrong for the unfolded baseline too
                yield _at("fold_layers", f"{folding.layers} on {workload.name}: {found.message}", found)
            elif folding.factor > 1:
                yield _at("fold", f"{folding.factor} on {workload.name}: {found.message}", found)


def _at(axis: str, message: str, found: Problem) -> Problem:
    return problem(axis, message, found.allowed, found.suggestion)


def placement_problems(placement: str, workload: WorkloadSpec) -> Iterator[Problem]:
    """Placements that do not exist, and pinned components that the workload does not have."""
    pins = re.fullmatch(rf"{PINNED}\s*[^\s,].*", placement)
    if not pins and placement not in PLACEMENTS:
        yield problem("placement", f"{placement!r} does not exist", "auto, dram, pinned:COMPONENT,...")
    names = [component.name for component in workload.components]
    for name in pinned_names(placement):
        if name not in names:
            message = f"cannot pin {name!r}: {workload.name} has no such component; it has {', '.join(names)}"
            yield problem("placement", message)


def pinned_names(placement: str) -> tuple[str, ...]:
    """Names of pinned components."""
    listed = placement.removeprefix(PINNED).split(",") if placement.startswith(PINNED) else []
    return tuple(name.strip() for name in listed if name.strip())


def policy_problems(policy: str | None, profile: Profile) -> Iterator[Problem]:
    """Policies and operating points that a profile does not have; None is its own."""
    allowed = (*POLICIES, *(point.name for point in profile.spec.operating_points))
    if policy and policy not in allowed:
        message = f"{policy!r} is neither a policy nor an operating point of {profile.name}"
        yield problem("policy", message, ", ".join(allowed))


def pair_problems(workload: Workload, profile: Profile) -> Iterator[Problem]:
    """Components that no unit of the chip runs, and number formats that it does not compute."""
    names = [component.name for component in workload.spec.components]
    for name in profile.unassigned(names):
        message = f"no compute unit of {profile.name} runs the component {name!r} of {workload.name};"
        yield problem("profiles", f"{message} name it (or 'all') under runs")
    for found in profile.precision_problems(workload.spec.precision.activations, names):
        yield _at("profiles", f"{workload.name} on {profile.name}: {found.message}", found)
