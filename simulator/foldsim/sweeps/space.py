"""Design spaces: products of axes, with the values that each workload takes if an axis is not given."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from foldsim.designs.axes import SETS, DesignError, problem
from foldsim.designs.changes import TARGETS, Scalar, target_of
from foldsim.designs.checks import (
    chunk_problems,
    compression_problems,
    fold_policy_problems,
    folding_problems,
    pair_problems,
    placement_problems,
    policy_problems,
)
from foldsim.designs.design import Design, folding_of, own_chunk_ms
from foldsim.hardware.profile import Profile
from foldsim.schema import Problem
from foldsim.sweeps.sampling import Sampling
from foldsim.workload.checks import fold_problems
from foldsim.workload.compression.records import Compression
from foldsim.workload.compression.text import describe_compression
from foldsim.workload.spec import FoldingSpec, WorkloadSpec
from foldsim.workload.workload import Workload

DEFAULT_CHUNK_MS = (40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
DEFAULT_FOLD = (1, 2)
BY = ("total", "component", "op", "term", "level", "tensor")
MAX_POINTS = 50_000_000
PRECISION = "workload.precision.activations"


@dataclass(frozen=True)
class DesignSpace:
    """Axes of a sweep, as of :data:`foldsim.designs.axes.AXES`; the designs are their product. None is a default.

    ``by`` picks the rows per design, ``sampling`` adds bands from joint samples.
    """

    workloads: Sequence[Workload]
    profiles: Sequence[Profile]
    chunk_ms: Sequence[float] | None = None  # see chunks
    fold: Sequence[int] | None = None  # see fold_factors
    fold_layers: str | None = None
    fold_scope: str | None = None
    fold_heads: str | None = None
    policy: str | None = None  # each profile's own
    placement: str = "auto"
    sets: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)  # path -> values
    by: str = "total"
    compress: Sequence[Sequence[Compression]] | None = None  # see compressions
    sampling: Sampling | None = None
    only_pairs: Collection[tuple[str, str]] | None = None  # names of workload and profile; None: every pair

    def pairs(self) -> list[tuple[Workload, Profile]]:
        """Every workload with every profile that it is evaluated on."""
        every = [(workload, profile) for workload in self.workloads for profile in self.profiles]
        wanted = self.only_pairs
        return [(w, p) for w, p in every if wanted is None or (w.name, p.name) in wanted]

    def folding(self, workload: WorkloadSpec, factor: int = 1) -> FoldingSpec:
        """Folding of a workload by a factor, with the space's layers, scope and heads."""
        return folding_of(workload, factor, self.fold_layers, self.fold_scope, self.fold_heads)

    def fold_factors(self, workload: WorkloadSpec) -> tuple[int, ...]:
        """Factors for a workload: as given, or the baseline and the workload's own factor (else 2, if possible)."""
        if self.fold:
            return tuple(dict.fromkeys(self.fold))
        if workload.folding:
            return tuple(dict.fromkeys((1, workload.folding.factor)))
        given = self.fold_layers or self.fold_scope or self.fold_heads  # then an impossible folding is an error
        possible = given or not any(
            list(fold_problems(workload, self.folding(workload, n), ())) for n in DEFAULT_FOLD if n > 1
        )
        return DEFAULT_FOLD if possible else (1,)

    def chunks(self, workload: WorkloadSpec) -> tuple[float, ...]:
        """Chunk sizes for a workload [ms], ascending: as given; else those it is published for; else those of the
        usual ones that hold whole tokens; else multiples of its own."""
        if self.chunk_ms is not None:
            return tuple(sorted(set(self.chunk_ms)))
        published = workload.streaming.chunk_tokens_published
        if published:
            return tuple(tokens * workload.token_ms for tokens in sorted(set(published)))
        usual = tuple(c for c in DEFAULT_CHUNK_MS if not any(chunk_problems(c, workload)))
        return usual or tuple(n * own_chunk_ms(workload) for n in (1, 2, 4))

    def compressions(self, workload: WorkloadSpec) -> tuple[tuple[Compression, ...], ...]:
        """Compressions for a workload, () is none: as given, or none and the workload's own."""
        given = [(), tuple(workload.compression)] if self.compress is None else [tuple(c) for c in self.compress]
        return tuple({describe_compression(entries): entries for entries in given}.values())

    def sets_of(self, target: str) -> dict[str, Sequence[Scalar]]:
        """Changed values of the workloads or of the profiles."""
        return {path: values for path, values in self.sets.items() if target_of(path) == target}

    def only(self, workload: Workload, profile: Profile) -> DesignSpace:
        """The space of one workload and one profile, which have their changes already."""
        return replace(self, workloads=(workload,), profiles=(profile,), sets={}, only_pairs=None)

    def common(self, workload: Workload, profile: Profile, compression: Sequence[Compression] = ()) -> Design:
        """What the designs of one workload, profile and compression share, at the workload's first chunk size."""
        chunk = self.chunks(workload.spec)[0]
        policy = self.policy or profile.spec.policy
        folding = self.folding(workload.spec)
        return Design(workload, profile, chunk, folding, tuple(compression), policy, self.placement)

    def point_count(self) -> int:
        """Number of designs, without baselines that were not asked for."""
        per_pair = (
            len(self.fold_factors(w.spec)) * len(self.chunks(w.spec)) * len(self.compressions(w.spec))
            for w, _ in self.pairs()
        )
        return sum(per_pair) * prod(len(values) for values in self.sets.values())

    def check(self) -> None:
        """Raise :class:`DesignError` with everything that is wrong."""
        problems = [*self._input_problems(), *self._axis_problems()]
        if not problems:
            for workload in self.workloads:
                problems += self._workload_problems(workload)
        for profile in self.profiles:
            problems += policy_problems(self.policy, profile)
        for workload, profile in self.pairs():
            if PRECISION not in self.sets:  # then the engine checks every variant
                problems += pair_problems(workload, profile)
        problems += [*self._output_problems(), *self._set_problems()]
        if not problems:
            problems += self._size_problems()
        if problems:
            raise DesignError(problems)

    def _input_problems(self) -> Iterator[Problem]:
        if not self.workloads or not self.profiles:
            yield Problem((), "give at least one workload and one profile")
        for axis, items in (("workloads", self.workloads), ("profiles", self.profiles)):
            names = [item.name for item in items]
            for name in sorted({n for n in names if names.count(n) > 1}):
                yield problem(axis, f"two are named {name!r}; results identify them by name, so rename one")

    def _axis_problems(self) -> Iterator[Problem]:
        if self.chunk_ms is not None and not self.chunk_ms:
            yield problem("chunk_ms", "give at least one chunk size")
        for n in self.fold or ():
            if n < 1:
                yield problem("fold", f"{n}: N is at least 1 (1 is the unfolded baseline)")
        yield from fold_policy_problems(self.fold_scope, self.fold_heads)

    def _output_problems(self) -> Iterator[Problem]:
        if self.by not in BY:
            yield problem("by", f"{self.by!r} does not exist", ", ".join(BY))
        if self.sampling is not None:
            yield from self.sampling.problems()
            if self.by != "total":
                yield problem("sample", f"samples give bands of whole designs; leave out by {self.by}")

    def _set_problems(self) -> Iterator[Problem]:
        for path, values in self.sets.items():
            if target_of(path) not in TARGETS:
                yield Problem((SETS, path), "paths start with workload. or profile.")
            elif path == "workload.streaming.chunk_tokens":
                yield Problem((SETS, path), "chunk sizes are an axis of their own; give chunk_ms")
            if not values:
                yield Problem((SETS, path), "give at least one value")

    def _workload_problems(self, workload: Workload) -> Iterator[Problem]:
        spec = workload.spec
        for chunk in self.chunks(spec):
            yield from chunk_problems(chunk, spec)
        foldings = [self.folding(spec, factor) for factor in self.fold_factors(spec)]
        for entries in self.compressions(spec):
            yield from compression_problems(spec, entries)
            yield from folding_problems(spec, entries, foldings)
        yield from placement_problems(self.placement, spec)

    def _size_problems(self) -> Iterator[Problem]:
        count = self.point_count()
        if count > MAX_POINTS:
            yield Problem((), f"{count:,} design points; at most {MAX_POINTS:,} in one sweep")
        if self.sampling is not None and count * self.sampling.count > MAX_POINTS:
            yield problem(
                "sample", f"{count:,} design points x {self.sampling.count:,} samples; at most {MAX_POINTS:,}"
            )
