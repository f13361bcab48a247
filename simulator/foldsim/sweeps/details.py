"""Rows of ``--by term``, ``--by level`` and ``--by tensor``: energy, traffic and homes."""

from __future__ import annotations

import numpy as np

from foldsim import units as u
from foldsim.model.evaluate import Evaluation
from foldsim.model.power import chunk_terms
from foldsim.sweeps.breakdown import Columns
from foldsim.workload.lowering import Lowered


def _spread(names: list[str], points: int) -> np.ndarray:
    return np.tile(np.array(names, dtype=object), points)


def term_rows(result: Evaluation, lowered: Lowered) -> Columns:
    """Energy terms of every design, each with the range of its own coefficient; rows add up to the design's power."""
    points = result.recogniser.chunk_s.shape
    ends = []
    for hardware, supply in (
        (result.hardware, result.supply),
        (result.bands.low, result.low_supply),
        (result.bands.high, result.high_supply),
    ):
        terms = chunk_terms(result.activity, result.plan, hardware, supply)
        ends.append(np.stack([np.broadcast_to(t.energy_pj, points) for t in terms]))
    nominal, low, high = (e / (result.plan.period_s * u.PJ_PER_MW_S) for e in ends)
    return {
        "term": _spread([t.name for t in terms], points[0]),
        "cause": _spread([t.cause or t.name for t in terms], points[0]),
        "part": _spread([t.part for t in terms], points[0]),
        "energy_per_chunk_uj": (ends[0] / u.PJ_PER_UJ).T.reshape(-1),
        "power_mw": nominal.T.reshape(-1),
        "power_low_mw": low.T.reshape(-1),
        "power_high_mw": high.T.reshape(-1),
    }


def level_rows(result: Evaluation, lowered: Lowered) -> Columns:
    """Every op at every memory level: bytes the level exchanges with its inner side, and the time that takes."""
    ops, levels = result.recogniser.ops, result.hardware.levels
    rows, points = ops.live_bytes.shape
    order = lowered.run_order
    names = [(lowered.rows[r], level.name) for r in order for level in levels]

    def flat(per_level: list[np.ndarray]) -> np.ndarray:
        """(L, R, P) to rows of a point: ops in running order, levels within an op."""
        values = np.stack([np.broadcast_to(v, (rows, points)) for v in per_level])[:, order]
        return values.transpose(2, 1, 0).reshape(-1)

    macs = np.zeros((rows, points))
    macs[: ops.matrix_rows] = ops.steps * ops.batch * ops.m * ops.k * ops.n
    count = result.times_count
    return {
        "component": _spread([row.component for row, _ in names], points),
        "layer": _spread([row.layer for row, _ in names], points),
        "op": _spread([row.op for row, _ in names], points),
        "level": _spread([level for _, level in names], points),
        "macs_per_chunk": flat([macs * count] * len(levels)),
        "busy_ms_per_chunk": flat([result.op_times.total_s * count * u.MS_PER_S] * len(levels)),
        "level_bytes_per_chunk": flat([result.flows.served_by(i) * count for i in range(len(levels))]),
        "level_ms_per_chunk": flat([t * count * u.MS_PER_S for t in result.op_times.level_s]),
    }


def tensor_rows(result: Evaluation, lowered: Lowered) -> Columns:
    """Every group of persistent tensors at every memory level: bytes, share of reads served, room."""
    recogniser, levels, homes = result.recogniser, result.hardware.levels, result.homes
    groups, points = recogniser.group_bytes.shape
    names = [(group, level.name) for group in recogniser.group_names for level in levels]

    def flat(values: np.ndarray) -> np.ndarray:
        """(L, G, P) to rows of a point: groups, levels within a group."""
        return np.broadcast_to(values, (len(levels), groups, points)).transpose(2, 1, 0).reshape(-1)

    calls = recogniser.invocations_per_chunk[recogniser.group_component] / recogniser.chunk_s
    return {
        "component": _spread([group.split(" ")[0] for group, _ in names], points),
        "tensors": _spread([group for group, _ in names], points),
        "level": _spread([level for _, level in names], points),
        "stored_bytes": flat(recogniser.group_bytes[None] * homes.served_ratio),
        "served_ratio": flat(homes.served_ratio),
        "uses_per_s": flat(calls[None]),
        "level_capacity_bytes": flat(homes.usable_bytes[:, None]),
    }
