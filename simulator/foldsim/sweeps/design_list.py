"""Evaluate a list of any designs, in groups that differ only in chunk size, factor and hardware values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foldsim.designs.checks import PINNED
from foldsim.designs.design import Design, Points, assigned, pinned_groups
from foldsim.hardware.profile import Profile
from foldsim.model.evaluate import Bands, Evaluation
from foldsim.model.evaluate import evaluate as evaluate_points
from foldsim.model.records import FloatArray, IntArray, StructureError, stack, take
from foldsim.sweeps.engine import join
from foldsim.sweeps.totals import Columns, design_columns, total_columns
from foldsim.sweeps.variants import beyond_numbers
from foldsim.workload.compression.text import describe_compression
from foldsim.workload.folding import describe_layers
from foldsim.workload.lowering import Lowered


def evaluate(designs: Sequence[Design]) -> Columns:
    """Evaluate any designs, one row each, in their order.

    Designs that share workload, compression, folded layers and the structure of the chip are evaluated together.
    Workloads are lowered once for all chips, chips are read once for all workloads.

    Returns
    -------
    dict of column name to array (D,), as of :func:`foldsim.sweeps.engine.run`. A value that only some designs change
    is missing (NaN or an empty text) in the others.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, design in enumerate(designs):
        groups.setdefault(_group_key(design), []).append(number)
    if not groups:
        return {}
    shared = _Shared(designs)
    rows: list[tuple[list[int], Columns]] = []
    for members in groups.values():
        rows += _evaluated(shared, [designs[number] for number in members], members)
    order = np.argsort(np.concatenate([members for members, _ in rows]))
    found = {name: np.concatenate([part[name] for _, part in rows])[order] for name in rows[0][1]}
    paths = list(dict.fromkeys(path for design in designs for path, _ in design.changes))
    return join([{**found, **{path: _changed_column(designs, path) for path in paths}}], paths)


def _group_key(design: Design) -> tuple[Any, ...]:
    chip = design.profile.name, beyond_numbers(design.profile.spec)
    return _lowering_key(design), chip


def _lowering_key(design: Design, plain: bool = False) -> tuple[Any, ...]:
    """What designs have in common that are lowered together; ``plain``: without their compression."""
    folding = design.folding
    rules = describe_compression(() if plain else design.compression)
    return id(design.workload), rules, describe_layers(folding.layers), folding.scope, folding.heads


class _Shared:
    """Lowered points and hardware records of a list of designs, each made once."""

    def __init__(self, designs: Sequence[Design]) -> None:
        self.points: dict[tuple[Any, ...], tuple[Design, dict[tuple[float, float], int]]] = {}
        self.lowered_at: dict[tuple[Any, ...], Lowered] = {}
        self.bands_of: dict[tuple[int, str], Bands] = {}
        for design in designs:
            self._want(design, _lowering_key(design), float(design.folding.factor))
            if not design.is_baseline:
                plain = design.baseline if design.compression else design
                self._want(plain, _lowering_key(design, plain=True), 1.0)

    def _want(self, design: Design, key: tuple[Any, ...], factor: float) -> None:
        points = self.points.setdefault(key, (design, {}))[1]
        points.setdefault((design.chunk_ms, factor), len(points))

    def lowered(self, points: Points) -> Lowered:
        """Points of a design, taken from all of its kind."""
        key = _lowering_key(points.design)
        design, numbers = self.points[key]
        if key not in self.lowered_at:
            chunk_ms, factor = np.array(list(numbers)).T
            self.lowered_at[key] = Points(design, chunk_ms, factor).lower()
        pairs = zip(points.chunk_ms.tolist(), points.fold_factor.tolist(), strict=True)
        return assigned(self.lowered_at[key].take(np.array([numbers[pair] for pair in pairs])), points.design.profile)

    def bands(self, profile: Profile, precision: str) -> Bands:
        """The hardware record of a profile."""
        key = id(profile), precision
        if key not in self.bands_of:
            self.bands_of[key] = profile.bands(precision)
        return self.bands_of[key]


def _evaluated(shared: _Shared, designs: Sequence[Design], members: list[int]) -> list[tuple[list[int], Columns]]:
    """Rows of designs of one group with the positions that they belong to; split if their chips differ in structure."""
    profiles = list({id(design.profile): design.profile for design in designs}.values())
    precision = designs[0].spec.precision.activations
    bands = [shared.bands(profile, precision) for profile in profiles]
    try:
        stacked = stack(bands) if len(bands) > 1 else bands[0]
    except StructureError:
        parts = []
        for profile in profiles:
            same = [n for n, design in enumerate(designs) if design.profile is profile]
            parts += _evaluated(shared, [designs[n] for n in same], [members[n] for n in same])
        return parts
    number_of = {id(profile): number for number, profile in enumerate(profiles)}
    variant = np.array([number_of[id(design.profile)] for design in designs]) if len(bands) > 1 else None
    return [(members, _group_columns(shared, designs, stacked, variant))]


def _group_columns(shared: _Shared, designs: Sequence[Design], bands: Bands, variant: IntArray | None) -> Columns:
    """Columns of designs that are evaluated together, (D,), with the baseline of each evaluated beside it."""
    count, first = len(designs), designs[0]
    chunk_ms = np.array([design.chunk_ms for design in designs])
    factor = np.array([float(design.folding.factor) for design in designs])
    folded = np.zeros(0, dtype=np.int64) if first.compression else np.flatnonzero(factor != 1)
    points = Points(first, np.append(chunk_ms, chunk_ms[folded]), np.append(factor, np.ones(len(folded))))
    baseline = np.arange(len(points))
    baseline[folded] = count + np.arange(len(folded))
    of = np.append(np.arange(count), folded)
    owners, at = [designs[n] for n in of.tolist()], None if variant is None else variant[of]
    lowered, result = _at_variants(shared, points, owners, bands, at)
    reference = None
    if first.compression:
        plain = Points(first.baseline, chunk_ms, np.ones(count))
        reference = _at_variants(shared, plain, designs, bands, variant)[1]
    found = {**design_columns(points, lowered, result), **total_columns(result, baseline, reference)}
    found |= {name: np.array([getattr(d, name) for d in owners], dtype=object) for name in ("policy", "placement")}
    return {name: values[:count] for name, values in found.items()}


def _at_variants(
    shared: _Shared, points: Points, of: Sequence[Design], bands: Bands, variant: IntArray | None
) -> tuple[Lowered, Evaluation]:
    """Points under the policies and placements of the designs (P,) that they belong to, on variants of the hardware."""
    lowered = shared.lowered(points)
    placements = ["pinned" if design.placement.startswith(PINNED) else design.placement for design in of]
    pinned = np.stack([pinned_groups(lowered, design.placement) for design in of], axis=1)
    hardware = bands if variant is None else take(bands, variant)
    return lowered, evaluate_points(lowered.recogniser, hardware, [d.policy for d in of], placements, pinned)


def _changed_column(designs: Sequence[Design], path: str) -> FloatArray:
    values = [dict(design.changes).get(path) for design in designs]
    if any(isinstance(value, str) for value in values):
        return np.array(["" if value is None else value for value in values], dtype=object)
    return np.array([np.nan if value is None else value for value in values])
