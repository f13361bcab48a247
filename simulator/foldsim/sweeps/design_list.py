"""Evaluate a list of any designs, in groups that share their lowering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foldsim.designs.design import Design, Points
from foldsim.model.evaluate import Bands, Evaluation
from foldsim.model.records import IntArray, StructureError, stack, take
from foldsim.sweeps.engine import join
from foldsim.sweeps.totals import Columns, design_columns, total_columns
from foldsim.sweeps.variants import beyond_numbers
from foldsim.workload.compression_text import describe_compression
from foldsim.workload.folding import describe_layers
from foldsim.workload.lowering import Lowered


def evaluate(designs: Sequence[Design]) -> Columns:
    """Evaluate any designs, one row each, in their order.

    Designs that share workload, compression, folded layers, policy, placement and the structure of the chip are
    evaluated together, whatever their chunk sizes, factors and hardware values.

    Returns
    -------
    dict of column name to array (D,), as :func:`run`. A value that only some designs change is missing (NaN or an
    empty text) in the others.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, design in enumerate(designs):
        groups.setdefault(_group_key(design), []).append(number)
    rows: list[tuple[list[int], Columns]] = []
    for members in groups.values():
        rows += _evaluated([designs[number] for number in members], members)
    if not rows:
        return {}
    order = np.argsort(np.concatenate([members for members, _ in rows]))
    found = {name: np.concatenate([part[name] for _, part in rows])[order] for name in rows[0][1]}
    paths = list(dict.fromkeys(path for design in designs for path, _ in design.changes))
    return join([{**found, **{path: _changed_column(designs, path) for path in paths}}], paths)


def _group_key(design: Design) -> tuple[Any, ...]:
    folding = design.folding
    rules = describe_compression(design.compression)
    layers = describe_layers(folding.layers), folding.scope, folding.heads
    chip = design.profile.name, beyond_numbers(design.profile.spec)
    return id(design.workload), rules, layers, chip, design.policy, design.placement


def _evaluated(designs: Sequence[Design], members: list[int]) -> list[tuple[list[int], Columns]]:
    """Rows of designs of one group with the positions that they belong to; split if their chips differ in structure."""
    profiles = list({id(design.profile): design.profile for design in designs}.values())
    precision = designs[0].spec.precision.activations
    try:
        bands = [profile.bands(precision) for profile in profiles]
        stacked = stack(bands) if len(bands) > 1 else bands[0]
    except StructureError:
        parts = []
        for profile in profiles:
            here = [n for n, design in enumerate(designs) if design.profile is profile]
            parts += _evaluated([designs[n] for n in here], [members[n] for n in here])
        return parts
    number_of = {id(profile): number for number, profile in enumerate(profiles)}
    variant = np.array([number_of[id(design.profile)] for design in designs])
    columns_of = _list_columns(designs, stacked, variant, len(bands) > 1)
    return [(members, columns_of)]


def _list_columns(designs: Sequence[Design], bands: Bands, variant: IntArray, stacked: bool) -> Columns:
    """Columns of designs that are evaluated together, (D,), with the baseline of each evaluated beside it."""
    count = len(designs)
    chunk_ms = np.array([design.chunk_ms for design in designs])
    factor = np.array([float(design.folding.factor) for design in designs])
    first, compressed = designs[0], bool(designs[0].compression)
    extra = np.zeros(0, dtype=np.int64) if compressed else np.flatnonzero(factor != 1)
    points = Points(first, np.append(chunk_ms, chunk_ms[extra]), np.append(factor, np.ones(len(extra))))
    which = np.append(variant, variant[extra])
    baseline = np.arange(len(points))
    baseline[extra] = count + np.arange(len(extra))
    reference = None
    lowered, result = _at_variants(points, bands, which, stacked)
    if compressed:
        plain = Points(first.baseline, chunk_ms, np.ones(count))
        reference = _at_variants(plain, bands, variant, stacked)[1]
        baseline = np.arange(count)
    found = {**design_columns(points, lowered, result), **total_columns(result, baseline, reference)}
    return {name: values[:count] for name, values in found.items()}


def _at_variants(points: Points, bands: Bands, variant: IntArray, stacked: bool) -> tuple[Lowered, Evaluation]:
    lowered = points.lower()
    return lowered, points.evaluate(lowered, take(bands, variant) if stacked else bands)


def _changed_column(designs: Sequence[Design], path: str) -> np.ndarray:
    values = [dict(design.changes).get(path) for design in designs]
    if any(isinstance(value, str) for value in values):
        return np.array(["" if value is None else value for value in values], dtype=object)
    return np.array([np.nan if value is None else value for value in values])
