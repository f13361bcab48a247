"""Evaluate designs: a space in blocks of points, or a list in groups that share their lowering; collect columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from foldsim.designs.design import Design, Points
from foldsim.model.evaluate import Bands, Evaluation, Work
from foldsim.model.records import BoolArray, Hardware, IntArray, take
from foldsim.sweeps.breakdown import component_rows, op_rows
from foldsim.sweeps.columns import columns
from foldsim.sweeps.details import level_rows, tensor_rows, term_rows
from foldsim.sweeps.sampled import Outcomes, band_columns, outcomes
from foldsim.sweeps.sampling import Sampling, draw
from foldsim.sweeps.space import DesignSpace
from foldsim.sweeps.totals import Columns, design_columns, total_columns
from foldsim.sweeps.variants import combinations, profile_groups
from foldsim.workload.lowering import Lowered
from foldsim.workload.spec import WorkloadSpec

# Points evaluated together: small enough for the arrays of a block to stay in a core's cache.
BLOCK_POINTS = 2048
# Designs times samples whose results are kept in memory together, for their quantiles.
SAMPLES_HELD = 4_000_000
Progress = Callable[[int, int], None]
EXPANSIONS: dict[str, Callable[[Evaluation, Lowered], Columns]] = {
    "component": component_rows,
    "op": op_rows,
    "term": term_rows,
    "level": level_rows,
    "tensor": tensor_rows,
}


@dataclass(frozen=True)
class Batch:
    """Points to evaluate together, each with its baseline.

    Attributes
    ----------
    baseline : (P,) index of each point's baseline, in the reference if there is one, else in the points.
    wanted : (P,) points that were asked for; the others are only baselines.
    reference : baselines of compressed points: their designs are not compressed.
    """

    points: Points
    baseline: IntArray
    wanted: BoolArray
    reference: Points | None = None


def batch_of(design: Design, chunks_ms: Sequence[float], factors: Sequence[int]) -> Batch:
    """Every chunk size with every folding factor of a design, and the baseline of every chunk size."""
    if design.compression:
        points = _grid(design, chunks_ms, factors)
        baseline = np.repeat(np.arange(len(chunks_ms)), len(factors))
        return Batch(points, baseline, np.ones(len(points), dtype=bool), _grid(design.baseline, chunks_ms, (1,)))
    with_baseline = (1, *(f for f in factors if f != 1))
    points = _grid(design, chunks_ms, with_baseline)
    width = len(with_baseline)
    return Batch(points, np.arange(len(points)) // width * width, np.isin(points.fold_factor, factors))


def _grid(design: Design, chunks_ms: Sequence[float], factors: Sequence[int]) -> Points:
    return Points(
        design,
        np.repeat(np.asarray(chunks_ms, dtype=np.float64), len(factors)),
        np.tile(np.array(factors, dtype=np.float64), len(chunks_ms)),
    )


def run(space: DesignSpace, progress: Progress | None = None) -> Columns:
    """Evaluate every design of a space.

    Parameters
    ----------
    progress : called after every block with the designs done and their total number.

    Returns
    -------
    dict of column name to array, all of one length, in the order of the column dictionary. Changed values are columns
    named by their path.

    Raises
    ------
    DesignError
        With every reason why the space cannot be evaluated.
    """
    space.check()
    done, total = 0, space.point_count()
    parts: list[Columns] = []
    for part in _parts(space):
        parts.append(part)
        done += len(next(iter(part.values())))
        if progress:
            progress(min(done, total), total)
    return join(parts, list(space.sets))


def _parts(space: DesignSpace) -> Iterator[Columns]:
    """Columns block by block."""
    profile_sets = space.sets_of("profile")
    for workload, profile in space.pairs():
        for workload_values, variant in combinations(workload, space.sets_of("workload")):
            space.only(variant, profile).check()
            precision = variant.spec.precision.activations
            groups = profile_groups(profile, profile_sets, precision, apart=space.sampling is not None)
            for entries, group in product(space.compressions(variant.spec), groups):
                design = space.common(variant, group.profile, entries)
                factors = space.fold_factors(design.spec)
                grid = _Grid(space, batch_of(design, space.chunks(variant.spec), factors), group.bands)
                for block in grid.blocks(len(group.values), stacked=bool(profile_sets)):
                    constant = dict(zip(space.sets_of("workload"), workload_values, strict=True))
                    yield block.columns(space.by, {**constant, **_varied(profile_sets, group.values, block.variant)})


def _varied(paths: Any, values: Sequence[Sequence[Any]], variant: IntArray) -> Columns:
    """Values of changed profile parameters at every point of a block."""
    return {path: np.array([v[number] for v in values])[variant] for number, path in enumerate(paths)}


@dataclass(frozen=True)
class _Block:
    """Evaluated points of a batch, for some variants of its hardware.

    Attributes
    ----------
    index, variant : (P,) point of the batch and variant of the hardware.
    baseline : (P,) index of each point's baseline in the result, or in the reference.
    """

    batch: Batch
    index: IntArray
    variant: IntArray
    baseline: IntArray
    lowered: Lowered
    result: Evaluation
    reference: Evaluation | None
    sampled: Columns

    def columns(self, by: str, changed: dict[str, Any]) -> Columns:
        """Columns of the requested points; rows of their parts if ``by`` asks for parts."""
        wanted = self.batch.wanted[self.index]
        design = {**design_columns(self.batch.points.take(self.index), self.lowered, self.result)}
        for path, values in changed.items():
            text = object if isinstance(values, str) else None
            design[path] = values if isinstance(values, np.ndarray) else np.full(len(self.index), values, dtype=text)
        totals = {**total_columns(self.result, self.baseline, self.reference), **self.sampled}
        if by == "total":
            return {name: values[wanted] for name, values in {**design, **totals}.items()}
        parts = EXPANSIONS[by](self.result, self.lowered)
        count = len(next(iter(parts.values()))) // len(self.index)
        kept = {**design, **totals}
        if by not in ("component", "op"):
            # Totals of the design would be mistaken for values of its parts.
            kept = {name: values for name, values in kept.items() if name in design or not columns()[name].additive}
        repeated = {name: np.repeat(values, count) for name, values in kept.items()}
        return {name: values[np.repeat(wanted, count)] for name, values in {**repeated, **parts}.items()}


class _Grid:
    """A batch on variants of its hardware, evaluated in blocks: all points for as many variants as fill a block."""

    def __init__(self, space: DesignSpace, batch: Batch, bands: Bands) -> None:
        self.batch, self.bands, self.sampling = batch, bands, space.sampling
        self.lowered = batch.points.lower()
        self.plain = batch.reference.lower() if batch.reference is not None else None
        self.tiled: dict[tuple[int, int, int], Lowered] = {}

    def blocks(self, variants: int, stacked: bool) -> Iterator[_Block]:
        """Evaluate block by block; ``stacked`` if the bands hold arrays over variants."""
        batch, size = self.batch, len(self.batch.points)
        per_block = max(1, BLOCK_POINTS // size)
        # A whole number of chunk sizes per block, so that every point has its baseline in the block.
        width = int(np.count_nonzero(batch.baseline == batch.baseline[0]))
        slice_size = size if size <= BLOCK_POINTS else max(width, BLOCK_POINTS // width * width)
        for start in range(0, variants, per_block):
            chosen = np.arange(start, min(start + per_block, variants))
            for first in range(0, size, slice_size):
                yield self._block(np.arange(first, min(first + slice_size, size)), chosen, stacked)

    def _block(self, points: IntArray, chosen: IntArray, stacked: bool) -> _Block:
        batch = self.batch
        index, variant = np.tile(points, len(chosen)), np.repeat(chosen, len(points))
        key = (len(chosen), int(points[0]), len(points))
        if key not in self.tiled:
            self.tiled[key] = self.lowered.take(index)
        lowered = self.tiled[key]
        result = batch.points.evaluate(lowered, take(self.bands, variant) if stacked else self.bands)
        baseline, reference = np.arange(len(index)) - index + batch.baseline[index], None
        if batch.reference is not None and self.plain is not None:
            chunks = np.unique(batch.baseline[points])
            at = take(self.bands, np.repeat(chosen, len(chunks))) if stacked else self.bands
            reference = batch.reference.evaluate(self.plain.take(np.tile(chunks, len(chosen))), at)
            baseline = (variant - variant[0]) * len(chunks) + batch.baseline[index] - chunks[0]
        sampled = sampled_columns(batch, points, self.sampling) if self.sampling else {}
        return _Block(batch, index, variant, baseline, lowered, result, reference, sampled)


def totals_of(batch: Batch, bands: Bands, result: Evaluation, sampling: Sampling | None = None) -> Columns:
    """Result columns of a whole batch that was evaluated on unvaried hardware."""
    reference = None
    if batch.reference is not None:
        reference = batch.reference.evaluate(batch.reference.lower(), bands)
    totals = total_columns(result, batch.baseline, reference)
    return {**totals, **sampled_columns(batch, np.arange(len(batch.points)), sampling)} if sampling else totals


def sampled_columns(batch: Batch, points: IntArray, sampling: Sampling) -> Columns:
    """Columns from joint samples of some points of a batch, whole chunk sizes of it, on the design's profile."""
    design = batch.points.design
    draws = draw(sampling, design.profile, design.spec)

    def sampled(of: Points, at: IntArray) -> Outcomes:
        def work_of(workload: WorkloadSpec, index: IntArray, hardware: Hardware) -> Work:
            here = of.take(index)
            return here.work(here.lower(workload), hardware)

        return outcomes(draws, of.design.spec, at, work_of, BLOCK_POINTS)

    parts = []
    width = int(np.count_nonzero(batch.baseline == batch.baseline[0]))
    step = max(width, SAMPLES_HELD // sampling.count // width * width)
    for first in range(0, len(points), step):
        some = points[first : first + step]
        own = sampled(batch.points, some)
        bases = np.unique(batch.baseline[some])
        if batch.reference is not None:
            at = np.searchsorted(bases, batch.baseline[some])
            parts.append(band_columns(own, at, sampled(batch.reference, bases)))
        else:
            parts.append(band_columns(own, batch.baseline[some] - some[0], own))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def join(parts: Sequence[Columns], set_paths: Sequence[str]) -> Columns:
    present = parts[0]
    order = [name for name in columns() if name in present]
    at = order.index("chunk_ms")
    order[at:at] = [path for path in set_paths if path in present]
    return {name: np.concatenate([part[name] for part in parts]) for name in order}
