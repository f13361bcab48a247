"""Time of every op: matrix cycles on a spatial array, vector cycles, transfers, overlap and dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldsim.model.records import FloatArray, LevelParams, Number, OpTable, UnitParams
from foldsim.model.traffic import Traffic, per_op


@dataclass(frozen=True)
class Times:
    """Seconds per op, one instance, one invocation; each (R, P)."""

    matrix_s: FloatArray
    vector_s: FloatArray
    level_s: tuple[FloatArray, ...]  # one per memory level
    dispatch_s: FloatArray
    total_s: FloatArray

    def terms(self, level_names: Sequence[str]) -> dict[str, FloatArray]:
        """The terms by name: matrix, vector, one per memory level, dispatch."""
        named = {"matrix": self.matrix_s, "vector": self.vector_s}
        named.update(zip(level_names, self.level_s, strict=True))
        named["dispatch"] = self.dispatch_s
        return named


def matrix_cycles(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Cycles of the matrix rows (matrix_rows, P) on their unit's array, before efficiency.

    A weight-stationary array loads a tile of ``unroll_k x unroll_n`` weights and streams ``m / unroll_m`` rows past it;
    the part of the load that is not hidden, and the part of a hidden load that is longer than the streaming, costs
    cycles. Output-stationary SIMD cores take ``ceil`` of every dimension. Work is dealt to cores in whole column
    tiles of whole products, so that heads which do not divide the cores leave some idle.
    """
    rows, n_points = ops.matrix_rows, ops.live_bytes.shape[1]
    unit = ops.unit[:rows]

    def value(name: str) -> FloatArray:
        return per_op([getattr(u, name) for u in units], unit, n_points)

    unroll_m, unroll_k, unroll_n = value("unroll_m_count"), value("unroll_k_count"), value("unroll_n_count")
    stationary = np.array([u.weight_stationary for u in units])[unit][:, None]
    stream = np.ceil(ops.m / unroll_m)
    # Rows beyond what the accumulators hold take another pass over the weights, which are loaded again.
    passes = np.where(stationary, np.ceil(ops.m / value("register_rows_count")), 1.0)
    load = unroll_k / value("weight_load_rows_per_cycle")
    hidden = value("weight_load_hidden_ratio")
    each = stream / passes
    loaded = passes * (hidden * np.maximum(each, load) + (1.0 - hidden) * (each + load))
    per_tile = np.where(stationary, loaded, stream)
    # A format the unit computes at another rate than its unrolled shape stretches or shrinks the cycle count.
    rate = value("macs_per_cycle") / (unroll_m * unroll_k * unroll_n)
    column_tiles = ops.batch * np.ceil(ops.n / unroll_n)
    dealt = np.ceil(column_tiles / value("cores_count"))
    return ops.steps * dealt * np.ceil(ops.k / unroll_k) * per_tile / rate


def efficiency(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Share of the array's cycles that do useful work at each row's m: flat, or a curve over rows, linear in log2 m."""
    rows, n_points = ops.matrix_rows, ops.live_bytes.shape[1]
    unit = ops.unit[:rows]
    flat = per_op([u.efficiency_ratio for u in units], unit, n_points)
    if not any(u.efficiency_rows for u in units):
        return flat
    shape = np.ones((rows, n_points))
    log_m = np.log2(np.maximum(ops.m, 1.0))
    for index, u in enumerate(units):
        if not u.efficiency_rows:
            continue
        chosen = unit == index
        xs = [np.log2(np.asarray(x, dtype=np.float64)) for x in u.efficiency_rows]
        ys = [np.asarray(y, dtype=np.float64) for y in u.efficiency_values]
        curve = np.broadcast_to(ys[0], log_m[chosen].shape)
        for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:], strict=False):
            share = np.clip((log_m[chosen] - x0) / (x1 - x0), 0.0, 1.0)
            curve = np.where(log_m[chosen] > x0, y0 + share * (y1 - y0), curve)
        shape[chosen] = curve
    return flat * shape


def times(
    ops: OpTable,
    traffic: Traffic,
    units: Sequence[UnitParams],
    levels: Sequence[LevelParams],
    clock_ratio: Number = 1.0,
) -> Times:
    """Roofline time of every op.

    ``t = max(terms) + (1 - overlap) (sum(terms) - max(terms)) + kernels x dispatch`` over matrix, vector and one
    transfer term per level.

    Parameters
    ----------
    clock_ratio : frequency of the operating point over the reference frequency; scales the compute units, dispatch and
        the levels clocked with them.
    """
    rows, n_points = ops.matrix_rows, ops.live_bytes.shape[1]

    def value(name: str) -> FloatArray:
        return per_op([getattr(u, name) for u in units], ops.unit, n_points)

    clock = value("clock_hz") * clock_ratio
    matrix_s = np.zeros((ops.live_bytes.shape[0], n_points))
    clock_rows = clock[:rows] if clock.shape[0] > 1 else clock
    matrix_s[:rows] = matrix_cycles(ops, units) / (efficiency(ops, units) * clock_rows)
    cycles = np.zeros_like(matrix_s)
    for kind, work in enumerate(ops.vector):
        cycles += work / per_op([u.vector_per_cycle[kind] for u in units], ops.unit, n_points)
    vector_s = cycles / (clock * value("cores_count"))
    level_s = []
    for index, level in enumerate(levels):
        rate = level.bandwidth_bytes_per_s * level.bandwidth_efficiency_ratio
        level_s.append(traffic.served_by(index) / (rate * clock_ratio if level.core_clock else rate))
    largest = np.maximum(matrix_s, vector_s)
    total = matrix_s + vector_s
    for term in level_s:
        np.maximum(largest, term, out=largest)
        total += term
    dispatch_s = ops.kernels * (value("dispatch_s") / clock_ratio)
    total_s = largest + (1.0 - value("overlap_ratio")) * (total - largest) + dispatch_s
    return Times(matrix_s, vector_s, tuple(level_s), dispatch_s, total_s)
