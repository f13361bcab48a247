"""Tipping points: numbers of keys, and chunk sizes, at which one design starts or stops paying against another.

Both designs stand on one chip, with chunks and left contexts of the same duration. For every chunk size the left
context is searched in whole tokens: every count up to :data:`DENSE_STEPS`, then in steps of 0.5 %, then between two
neighbours that differ in their verdict until they are neighbours in whole tokens. So every crossing that is found is
exact; two that cancel within one step of the grid are missed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

import numpy as np

from foldsim import units as u
from foldsim.designs.axes import DesignError, problem
from foldsim.designs.checks import chunk_problems
from foldsim.designs.design import Design, Points, resolve
from foldsim.hardware.profile import Profile
from foldsim.model.evaluate import Bands, Evaluation
from foldsim.model.records import BoolArray, FloatArray, IntArray
from foldsim.schema import Problem
from foldsim.sweeps.engine import BLOCK_POINTS
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.spec import WorkloadSpec
from foldsim.workload.workload import Workload

METRICS = {"macs": "macs_per_chunk", "energy": "power_mw", "latency": "latency_ms", "memory": "memory_bytes"}
CURVES = (*METRICS, "energy_worst", "energy_best")  # with the coefficients of the profile as they hurt or help most
KEYS_LIMIT_TOKENS = 65_536  # three quarters of an hour of 40 ms tokens
CHUNK_LIMIT_MS = 10_240.0  # largest chunk searched, unless a larger one is asked for
DENSE_STEPS = 1024
GROWTH_RATIO = 1.005  # of the grid above: two crossings closer than that to each other cannot both be seen
_INTERIOR_STEPS = 32  # points laid between two neighbours that differ
# Differences below this share are rounding: sums of products that are equal on paper.
ROUNDING_RATIO = 1.0e-12


@dataclass(frozen=True)
class Pair:
    """Two designs on one chip under one policy and placement; their own chunk sizes are not used.

    Attributes
    ----------
    design, against : what may pay, and what it is compared with.
    """

    design: Design
    against: Design

    @property
    def specs(self) -> tuple[WorkloadSpec, WorkloadSpec]:
        """Descriptions of the two workloads."""
        return self.design.spec, self.against.spec

    @property
    def chunk_step_ms(self) -> Fraction:
        """Duration of which every chunk of both designs is a whole multiple."""
        return common_chunk_step_ms(*self.specs)

    @property
    def left_step_ms(self) -> Fraction:
        """Duration of which every left context of both designs is a whole multiple."""
        return _common(_exact(spec.token_ms) * _left_step_tokens(spec) for spec in self.specs)

    @property
    def fewest_left_steps(self) -> int:
        """Least left context: none, or one step if a layer needs some."""
        return int(any(_left_problems(spec, 0) for spec in self.specs))

    @property
    def left_ms(self) -> float:
        """The design's own left context."""
        return self.design.spec.streaming.left_context_tokens * self.design.spec.token_ms

    def keys_tokens(self, chunk_ms: FloatArray, left_ms: FloatArray) -> FloatArray:
        """Keys that a query of the design sees, in its tokens: memory bank, left context, chunk and right context."""
        spec = self.design.spec
        around = spec.streaming.right_context_tokens + spec.streaming.memory_bank_tokens - spec.audio.edge_tokens
        return np.round((chunk_ms + left_ms) / spec.token_ms) + around

    def can_take(self, chunk_ms: float) -> bool:
        """Whether both models can process a chunk of that size."""
        return not any(spec.chunk_problem(round(chunk_ms / spec.token_ms)) for spec in self.specs)


def pair_of(
    workload: Workload,
    against: Workload,
    profile: Profile,
    policy: str | None = None,
    placement: str = "auto",
    chunk_ms: Sequence[float] = (),
) -> Pair:
    """The pair of two workloads, folded and transformed as they describe themselves; ``chunk_ms`` is only checked.

    Raises
    ------
    DesignError
        With every reason why one of them cannot be evaluated on the chip.
    """
    designs: list[Design] = []
    problems: list[Problem] = []
    for each in (against, workload):
        problems += [found for chunk in chunk_ms for found in chunk_problems(chunk, each.spec)]
        try:
            designs.append(resolve(each, profile, policy=policy, placement=placement))
        except DesignError as error:
            problems += error.problems
    if problems:
        raise DesignError(problems)
    return Pair(designs[1], designs[0])


def searched_chunks(
    pair: Pair, chunk_ms: Sequence[float] | None = None, keys_limit_tokens: int = KEYS_LIMIT_TOKENS
) -> tuple[float, ...]:
    """Chunk sizes to search, ascending: as given, else the design's own as far as the other has them too.

    Raises
    ------
    DesignError
        If a model cannot take a chunk or a left context, or the limit leaves nothing to search.
    """
    problems: list[Problem] = []
    chunks: tuple[float, ...] = ()
    for design in (pair.against, pair.design):
        spec = design.spec
        chunks = DesignSpace([design.workload], [design.profile], chunk_ms).chunks(spec)
        problems += [found for chunk in chunks for found in chunk_problems(chunk, spec)]
        step = _left_step_tokens(spec)
        for steps in (pair.fewest_left_steps, keys_limit_tokens // step):
            problems += [Problem((), message) for message in _left_problems(spec, steps * step)]
    if chunk_ms is None:
        multiple = pair.chunk_step_ms
        common = tuple(c for c in chunks if _exact(c) % multiple == 0 and pair.can_take(c))
        chunks = common or (float(multiple),)
        if not pair.can_take(chunks[0]):
            message = f"no usual chunk size suits both; give some, in multiples of {chunks[0]:g} ms"
            problems.append(problem("chunk_ms", message))
    fewest = pair.fewest_left_steps * float(pair.left_step_ms)
    if not problems and pair.keys_tokens(np.array(chunks[-1]), np.array(fewest)) >= keys_limit_tokens:
        message = f"{keys_limit_tokens}: a chunk of {chunks[-1]:g} ms with its right context has as many already;"
        problems.append(problem("max_keys", f"{message} give more, such as {KEYS_LIMIT_TOKENS}"))
    if problems:
        raise DesignError(problems)
    return chunks


@dataclass(frozen=True)
class Comparison:
    """Two designs side by side at P points.

    Attributes
    ----------
    excess_ratio : (len(CURVES), P) design / against - 1; below zero the design pays.
    realtime, fits : (P,) whether both designs are and do.
    """

    excess_ratio: FloatArray
    realtime: BoolArray
    fits: BoolArray


@dataclass(frozen=True)
class Tipping:
    """Verdict of one metric along one line of points.

    Attributes
    ----------
    chunk_ms, left_ms : (n,) the points searched; one of them is constant.
    starts, stops : indices of the points at which the design is the first to pay again, and the last still to pay
        (or to cost the same), ascending.
    pays_first : whether it pays at the first point.
    differs : whether the designs differ in the metric at all.
    """

    metric: str
    chunk_ms: FloatArray
    left_ms: FloatArray
    starts: IntArray
    stops: IntArray
    pays_first: bool
    differs: bool
    seen: Comparison

    @property
    def crossings(self) -> list[tuple[str, int]]:
        """``starts`` or ``stops``, and where, in order."""
        found = [("starts", i) for i in self.starts.tolist()] + [("stops", i) for i in self.stops.tolist()]
        return sorted(found, key=lambda item: (item[1], item[0] == "stops"))

    @property
    def verdict(self) -> str:
        """Of a line without crossings: ``always`` pays, ``never`` pays, or ``equal``."""
        return ("always" if self.pays_first else "never") if self.differs else "equal"


def common_chunk_step_ms(*specs: WorkloadSpec) -> Fraction:
    """Duration of which every chunk of all workloads is a whole multiple."""
    return _common(_exact(spec.token_ms) * spec.chunk_step_tokens for spec in specs)


def compare(pair: Pair, chunk_ms: FloatArray, left_ms: FloatArray) -> Comparison:
    """Both designs at P points: chunk sizes and left contexts in ms, shape (P,)."""
    parts = []
    both = (pair.design, pair.against)
    bands = [design.profile.bands(design.spec.precision.activations) for design in both]
    for start in range(0, len(chunk_ms), BLOCK_POINTS):
        here = slice(start, start + BLOCK_POINTS)
        results = [
            _evaluated(design, hardware, chunk_ms[here], left_ms[here])
            for design, hardware in zip(both, bands, strict=True)
        ]
        mine, other = results
        values = [_metrics(result) for result in results]
        least, most = mine.saving_band(np.arange(len(mine.point)), other)
        curves = np.stack([*(values[0][m] / values[1][m] - 1.0 for m in METRICS), -least, -most])
        parts.append(
            Comparison(
                curves,
                mine.plan.realtime & other.plan.realtime,
                mine.footprint.fits & other.footprint.fits,
            )
        )
    return _joined(parts)


def over_left_context(pair: Pair, chunk_ms: Sequence[float], keys_limit_tokens: int) -> list[list[Tipping]]:
    """Per chunk size and curve (:data:`CURVES`), where the design pays as the left context grows from none.

    From one step, where a layer needs some.
    """
    step_ms = float(pair.left_step_ms)
    token_ms = pair.design.spec.token_ms
    none = pair.keys_tokens(np.asarray(chunk_ms), np.zeros(len(chunk_ms)))
    last = np.floor((keys_limit_tokens - none) * token_ms / step_ms + 1e-9).astype(np.int64)
    fewest = pair.fewest_left_steps
    wanted = [_grid(int(n))[fewest:] for n in last]
    steps = [np.zeros(0, dtype=np.int64) for _ in chunk_ms]
    seen: list[Comparison | None] = [None] * len(chunk_ms)
    while any(len(w) for w in wanted):
        counts = [len(w) for w in wanted]
        left: FloatArray = np.concatenate(wanted).astype(np.float64) * step_ms
        found = compare(pair, np.repeat(np.asarray(chunk_ms), counts), left)
        edges = np.cumsum([0, *counts])
        for c, old in enumerate(seen):
            new = _points(found, np.arange(edges[c], edges[c + 1]))
            together = np.concatenate([steps[c], wanted[c]])
            order = np.argsort(together)
            steps[c] = together[order]
            together_seen = _points(_joined([*([old] if old else []), new]), order)
            seen[c] = together_seen
            wanted[c] = _between(steps[c], np.sign(_without_rounding(together_seen.excess_ratio)))
    return [
        _tippings(np.full(len(at), chunk), np.asarray(at * step_ms, dtype=np.float64), points)
        for chunk, at, points in zip(chunk_ms, steps, seen, strict=True)
        if points is not None
    ]


def over_chunk(pair: Pair, limit_ms: float = CHUNK_LIMIT_MS) -> list[Tipping]:
    """Per curve, where the design pays as the chunk grows, at the design's own left context."""
    step_ms = float(pair.chunk_step_ms)
    chunks: FloatArray = np.arange(1, max(1, int(limit_ms / step_ms)) + 1, dtype=np.float64) * step_ms
    chunks = chunks[[pair.can_take(chunk) for chunk in chunks.tolist()]]
    left = np.full(len(chunks), pair.left_ms)
    return _tippings(chunks, left, compare(pair, chunks, left))


def _evaluated(design: Design, bands: Bands, chunk_ms: FloatArray, left_ms: FloatArray) -> Evaluation:
    """One design at P points."""
    points = Points(design, chunk_ms, np.full(chunk_ms.shape, float(design.folding.factor)))
    return points.evaluate(points.lower(left_context_tokens=np.round(left_ms / design.spec.token_ms)), bands)


def _metrics(result: Evaluation) -> dict[str, FloatArray]:
    """Result columns by metric."""
    return {
        "macs": np.asarray(sum(result.activity.macs)),
        "energy": result.nominal.power_mw,
        "latency": result.latency_s * u.MS_PER_S,
        "memory": result.footprint.memory_bytes,
    }


def _joined(parts: Sequence[Comparison]) -> Comparison:
    return Comparison(
        np.concatenate([p.excess_ratio for p in parts], axis=1),
        np.concatenate([p.realtime for p in parts]),
        np.concatenate([p.fits for p in parts]),
    )


def _points(found: Comparison, index: IntArray) -> Comparison:
    return Comparison(found.excess_ratio[:, index], found.realtime[index], found.fits[index])


def _without_rounding(excess_ratio: FloatArray) -> FloatArray:
    """Excess with what is only rounding taken out."""
    return np.where(np.abs(excess_ratio) <= ROUNDING_RATIO, 0.0, excess_ratio)


def _grid(last: int) -> IntArray:
    """Whole numbers from 0 to ``last``: all of them at first, then ever fewer."""
    dense = np.arange(min(last, DENSE_STEPS) + 1)
    if last <= DENSE_STEPS:
        return dense
    count = math.ceil(math.log(last / DENSE_STEPS) / math.log(GROWTH_RATIO))
    sparse = np.round(np.geomspace(DENSE_STEPS, last, count + 1)).astype(np.int64)
    return np.unique(np.concatenate([dense, sparse]))


def _between(steps: IntArray, signs: FloatArray) -> IntArray:
    """Points between neighbours that differ in any curve and are not yet next to each other."""
    apart = (signs[:, 1:] != signs[:, :-1]).any(axis=0) & (np.diff(steps) > 1)
    pieces = [
        np.unique(np.linspace(steps[i], steps[i + 1], _INTERIOR_STEPS + 2).round().astype(np.int64))[1:-1]
        for i in np.flatnonzero(apart)
    ]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)


def _tippings(chunk_ms: FloatArray, left_ms: FloatArray, seen: Comparison) -> list[Tipping]:
    found = []
    for name, excess in zip(CURVES, _without_rounding(seen.excess_ratio), strict=True):
        pays = _paying(np.sign(excess))
        change = np.diff(pays.astype(np.int64))
        found.append(
            Tipping(
                name,
                chunk_ms,
                left_ms,
                np.flatnonzero(change > 0) + 1,
                np.flatnonzero(change < 0),
                bool(pays[0]),
                bool(excess.any()),
                seen,
            )
        )
    return found


def _paying(sign: FloatArray) -> BoolArray:
    """Where the design pays. Points at which both cost the same go on as before, or come before the first change.

    >>> _paying(np.array([0.0, -1.0, 0.0, 1.0, 0.0, -1.0])).tolist()
    [False, True, True, False, False, True]
    """
    known = np.flatnonzero(sign)
    if not len(known):
        return np.zeros(sign.shape, dtype=bool)
    before = np.maximum.accumulate(np.where(sign != 0, np.arange(len(sign)), -1))
    return np.asarray(np.where(before >= 0, sign[before], -sign[known[0]]) < 0)


def _left_step_tokens(spec: WorkloadSpec) -> int:
    """Tokens of which every left context is a whole multiple."""
    return math.lcm(*(layer.downsampling for component in spec.components for layer in component.layers))


def _left_problems(spec: WorkloadSpec, tokens: int) -> list[str]:
    """Why a workload cannot have a left context of so many tokens."""
    components = {component.name: component.layers for component in spec.components}
    streaming = spec.streaming.model_copy(update={"left_context_tokens": tokens})
    return [
        f"{spec.name} with a left context of {tokens} tokens: {problem.message}"
        for component in spec.components
        for layer in component.layers
        for problem in layer.problems_in(streaming, components)
    ]


def _exact(value: float) -> Fraction:
    """A duration as it was written."""
    return Fraction(str(value)).limit_denominator(1_000_000)


def _common(durations: Iterable[Fraction]) -> Fraction:
    """Least duration that is a whole multiple of each.

    >>> _common([Fraction(40), Fraction(25, 2)])
    Fraction(200, 1)
    """

    def both(a: Fraction, b: Fraction) -> Fraction:
        whole = math.lcm(a.numerator * b.denominator, b.numerator * a.denominator)
        return Fraction(whole, a.denominator * b.denominator)

    return reduce(both, durations)
