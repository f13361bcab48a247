"""One design, resolved and validated: a workload on a chip at one chunk size, folding, compression and policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from foldsim.designs.axes import DesignError, problem
from foldsim.designs.changes import Scalar, with_changes
from foldsim.designs.checks import (
    chunk_problems,
    compression_problems,
    fold_policy_problems,
    folding_problems,
    pair_problems,
    pinned_names,
    placement_problems,
    policy_problems,
)
from foldsim.hardware.profile import Profile
from foldsim.model.evaluate import Bands, Evaluation, Work, evaluate, work
from foldsim.model.records import BoolArray, FloatArray, Hardware, IntArray
from foldsim.workload.compression.records import AnyCompression, Compression
from foldsim.workload.compression.text import CompressionTextError, describe_compression, parse_compression
from foldsim.workload.folding import describe_layers
from foldsim.workload.lowering import Lowered, lower
from foldsim.workload.spec import FoldingSpec, WorkloadSpec
from foldsim.workload.workload import Workload

UNFOLDED = "none"


@dataclass(frozen=True)
class Design:
    """One design, complete: nothing is left to a default. Made by ``foldsim.design``; can be pickled.

    Attributes
    ----------
    workload, profile : with the changes applied.
    chunk_ms : chunk duration [ms].
    folding : factor (1: the unfolded baseline), layers, scope and head policy.
    compression : rules; empty if weights are stored as they are.
    policy : operating policy, or the name of an operating point.
    placement : ``auto``, ``dram`` or ``pinned:COMPONENT,...``.
    changes : values changed in the inputs, by path.
    inputs : workload and profile as they were loaded, before the changes.
    """

    workload: Workload
    profile: Profile
    chunk_ms: float
    folding: FoldingSpec
    compression: tuple[AnyCompression, ...]
    policy: str
    placement: str
    changes: tuple[tuple[str, Scalar], ...] = ()
    inputs: tuple[Workload, Profile] = field(repr=False, default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.inputs is None:
            object.__setattr__(self, "inputs", (self.workload, self.profile))

    @cached_property
    def spec(self) -> WorkloadSpec:
        """The workload's description with the design's compression in it."""
        return self.workload.spec.model_copy(update={"compression": list(self.compression)})

    @property
    def baseline(self) -> Design:
        """The design that savings are relative to: neither folded nor compressed, all else equal."""
        return replace(self, folding=self.folding.model_copy(update={"factor": 1}), compression=())

    @property
    def is_baseline(self) -> bool:
        """Whether it is neither folded nor compressed."""
        return self.folding.factor == 1 and not self.compression

    def named(self) -> dict[str, Any]:
        """The design by names of result columns, without the operating point, which evaluation picks."""
        folded = self.folding.factor > 1
        return {
            "workload": self.workload.name,
            "profile": self.profile.name,
            "policy": self.policy,
            "placement": self.placement,
            "fold_factor": self.folding.factor,
            "fold_layers": describe_layers(self.folding.layers) if folded else UNFOLDED,
            "fold_scope": self.folding.scope if folded else UNFOLDED,
            "fold_heads": self.folding.heads if folded else UNFOLDED,
            "compression": describe_compression(self.compression),
            "chunk_ms": self.chunk_ms,
            "chunk_tokens": round(self.chunk_ms / self.workload.spec.token_ms),
            "left_context_tokens": self.workload.spec.streaming.left_context_tokens,
            "right_context_tokens": self.workload.spec.streaming.right_context_tokens,
        }


def own_chunk_ms(workload: WorkloadSpec) -> float:
    """Chunk size of a workload if none is asked for [ms]."""
    return workload.streaming.chunk_tokens * workload.token_ms


def folding_of(
    workload: WorkloadSpec,
    factor: int | None = None,
    layers: str | None = None,
    scope: str | None = None,
    heads: str | None = None,
) -> FoldingSpec:
    """The folding of a workload: what is given, else its own, else the whole encoder's attention; factor 1 if none."""
    chosen: dict[str, Any] = workload.folding.model_dump() if workload.folding else {"factor": 1}
    given = {"factor": factor, "layers": layers, "scope": scope, "heads": heads}
    return FoldingSpec.model_validate({**chosen, **{key: value for key, value in given.items() if value is not None}})


def read_compression(given: str | Sequence[Compression]) -> tuple[Compression, ...]:
    """Rules from their compact text; records are returned as they are.

    Raises
    ------
    DesignError
        With everything that is wrong with the text.
    """
    if not isinstance(given, str):
        if any(isinstance(entry, str) for entry in given):
            raise DesignError([problem("compress", "give one text, with commas between its rules, or records")])
        return tuple(given)
    try:
        return tuple(parse_compression(given))
    except CompressionTextError as error:
        raise DesignError([problem("compress", text) for text in error.problems]) from None


def resolve(
    workload: Workload,
    profile: Profile,
    chunk_ms: float | None = None,
    *,
    fold: int | None = None,
    fold_layers: str | None = None,
    fold_scope: str | None = None,
    fold_heads: str | None = None,
    compress: str | Sequence[Compression] | None = None,
    policy: str | None = None,
    placement: str = "auto",
    changes: Mapping[str, Scalar] | None = None,
) -> Design:
    """Resolve a design: what is not given is the workload's or the profile's own.

    Raises
    ------
    DesignError
        With every reason why the design cannot be evaluated.
    """
    changed, chip = with_changes(workload, profile, changes or {})
    spec = changed.spec
    chunk = own_chunk_ms(spec) if chunk_ms is None else chunk_ms
    entries = read_compression(spec.compression if compress is None else compress)
    problems = list(fold_policy_problems(fold_scope, fold_heads))
    if fold is not None and fold < 1:
        problems.append(problem("fold", f"{fold}: N is at least 1 (1 is the unfolded baseline)"))
    if problems:
        raise DesignError(problems)
    folding = folding_of(spec, fold, fold_layers, fold_scope, fold_heads)
    problems += chunk_problems(chunk, spec)
    problems += compression_problems(spec, entries)
    problems += folding_problems(spec, entries, [folding])
    problems += [*policy_problems(policy, chip), *pair_problems(changed, chip), *placement_problems(placement, spec)]
    if problems:
        raise DesignError(problems)
    given = tuple((changes or {}).items())
    chosen = policy or chip.spec.policy
    return Design(changed, chip, chunk, folding, entries, chosen, placement, given, (workload, profile))


@dataclass(frozen=True)
class Points:
    """Designs that differ from one of them in chunk size and folding factor only: evaluated together.

    Attributes
    ----------
    design : what they share; its own chunk size and factor are not used.
    chunk_ms, fold_factor : (P,).
    """

    design: Design
    chunk_ms: FloatArray
    fold_factor: FloatArray

    @classmethod
    def of(cls, design: Design) -> Points:
        """One design as one point."""
        return cls(design, np.array([design.chunk_ms]), np.array([float(design.folding.factor)]))

    def __len__(self) -> int:
        return len(self.chunk_ms)

    def take(self, index: IntArray) -> Points:
        """Some of the points, in the order of the index."""
        return replace(self, chunk_ms=self.chunk_ms[index], fold_factor=self.fold_factor[index])

    def lower(self, workload: WorkloadSpec | None = None, left_context_tokens: FloatArray | None = None) -> Lowered:
        """The points as ops, assigned to the profile's compute units.

        Parameters
        ----------
        workload : used in place of the design's: the same with arrays (P,) for its rates.
        left_context_tokens : (P,); the workload's own if not given.
        """
        design = self.design
        spec = workload or design.spec
        tokens = np.round(self.chunk_ms / spec.token_ms)
        lowered = lower(spec, tokens, self.fold_factor, design.folding, left_context_tokens)
        return assigned(lowered, design.profile)

    def evaluate(self, lowered: Lowered, bands: Bands) -> Evaluation:
        """All results of lowered points on hardware with its ranges."""
        return evaluate(lowered.recogniser, bands, *self.conditions(lowered))

    def work(self, lowered: Lowered, hardware: Hardware) -> Work:
        """Placement, traffic and time of lowered points on one set of hardware values."""
        return work(lowered.recogniser, hardware, *self.conditions(lowered))

    def conditions(self, lowered: Lowered) -> tuple[str, str, BoolArray]:
        """Policy, placement and pinned groups (G, 1), in the form that the model takes."""
        policy, placement = self.design.policy, self.design.placement
        return policy, "pinned" if pinned_names(placement) else placement, pinned_groups(lowered, placement)[:, None]


def pinned_groups(lowered: Lowered, placement: str) -> BoolArray:
    """Which groups of tensors a placement pins (G,): the weights of the components that it names."""
    recogniser = lowered.recogniser
    names = pinned_names(placement)
    named = np.array([name in names for name in recogniser.component_names], dtype=bool)
    return named[recogniser.group_component] & ~recogniser.group_is_state


def assigned(lowered: Lowered, profile: Profile) -> Lowered:
    """Lowered points with each op on the compute unit of a profile that runs its component."""
    recogniser = lowered.recogniser
    unit = profile.unit_of(recogniser.component_names)[recogniser.ops.component]
    return replace(lowered, recogniser=replace(recogniser, ops=replace(recogniser.ops, unit=unit)))
