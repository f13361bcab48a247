"""Time of every op: matrix cycles on a spatial array, vector cycles, transfers, overlap and dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldsim.model.records import (
    DECODE_KINDS,
    OP_CLASSES,
    VECTOR_KINDS,
    FloatArray,
    LevelParams,
    Number,
    OpTable,
    UnitParams,
)
from foldsim.model.traffic import Traffic, per_op

_ROUNDING = 1.0e-9  # elements: a share of a reduction that is whole but for rounding


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
    tiles of whole products, so that heads which do not divide the cores leave some idle. A unit that walks over kernels
    fills its reduction with channels of one position at a time.
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
    peak = value("macs_per_cycle")
    if any(u.attention_macs_per_cycle for u in units):
        other = per_op([(u.attention_macs_per_cycle or (u.macs_per_cycle,))[0] for u in units], unit, n_points)
        peak = np.where(ops.second_is_weight[:, None], peak, other)
    rate = peak / (unroll_m * unroll_k * unroll_n)
    # Channels of a depthwise convolution have nothing to share, but SIMD lanes may each take one of them.
    over_lanes = (ops.channelwise[:, None]) & ~stationary
    columns = np.where(over_lanes, ops.batch * ops.n, ops.n)
    column_tiles = np.where(over_lanes, 1.0, ops.batch) * np.ceil(columns / unroll_n)
    cores = value("cores_count")
    dealt = np.ceil(column_tiles / cores)
    # Work that is cut into equal shares (heads, or tiles of keys) is dealt share by share.
    shares = np.maximum(ops.shares_count, 1.0)
    dealt = np.where(ops.shares_count > 0, column_tiles * np.ceil(shares / cores) / shares, dealt)
    reduction = ops.k
    if ops.codec is not None:  # an array that skips zeros sees a shorter reduction
        reduction = reduction * ops.codec.mac_time_ratio - _ROUNDING
    tiles = np.ceil(reduction / unroll_k)
    walks = np.array([u.walks_kernels for u in units])[unit][:, None]
    if walks.any():
        taps = np.ones((1, 1)) if ops.taps_count is None else ops.taps_count
        taps = np.where(ops.channelwise[:, None], ops.k, taps)
        tiles = np.where(walks, taps * np.ceil(reduction / taps / unroll_k), tiles)
    return ops.steps * dealt * tiles * per_tile / rate


def efficiency(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Share of the array's cycles that do useful work at each row's m: flat, or a curve over rows, linear in log2 m.

    Products channel by channel reach ``channelwise_efficiency_ratio`` of it: no channel shares what another one loads.
    """
    rows, n_points = ops.matrix_rows, ops.live_bytes.shape[1]
    unit = ops.unit[:rows]
    flat = per_op([u.efficiency_ratio for u in units], unit, n_points)
    if ops.channelwise.any():
        alone = per_op([u.channelwise_efficiency_ratio for u in units], unit, n_points)
        flat = flat * np.where(ops.channelwise[:, None], alone, 1.0)
    if not any(u.efficiency_rows or u.attention_rows for u in units):
        return flat
    shape = np.ones((rows, n_points))
    log_m = np.log2(np.maximum(ops.m, 1.0))
    for index, u in enumerate(units):
        chosen = unit == index
        for own, xs, ys in (
            (ops.second_is_weight | (not u.attention_rows), u.efficiency_rows, u.efficiency_values),
            (~ops.second_is_weight, u.attention_rows, u.attention_values),
        ):
            if xs:
                shape[chosen & own] = _curve(log_m[chosen & own], xs, ys)
    return flat * shape


def _curve(log_x: FloatArray, xs: Sequence[Number], ys: Sequence[Number]) -> FloatArray:
    """Points between which a curve is linear in log2 x, flat beyond its ends."""
    logs = [np.log2(np.asarray(x, dtype=np.float64)) for x in xs]
    values = [np.asarray(y, dtype=np.float64) for y in ys]
    curve = np.broadcast_to(values[0], log_x.shape)
    for x0, x1, y0, y1 in zip(logs, logs[1:], values, values[1:], strict=False):
        share = np.clip((log_x - x0) / (x1 - x0), 0.0, 1.0)
        curve = np.where(log_x > x0, y0 + share * (y1 - y0), curve)
    return curve


def stream_ratio(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Share of the outermost level's bandwidth at which each op reads, (R, P) or (1, 1).

    A library that reads weights as they are stored reads runs of one reduction, ``k`` elements; short runs stream
    slower, and kernels for few rows differ from those for many. Between the points of the grid the ratio is linear in
    log2 of run and rows. 1 for all other ops.
    """
    if not any(u.stream_values for u in units):
        return np.ones((1, 1))
    rows = ops.matrix_rows
    ratio = np.ones(ops.live_bytes.shape)
    shape = (rows, ops.live_bytes.shape[1])
    log_run = np.broadcast_to(np.log2(np.maximum(ops.k * ops.second_bytes_per_element, 1.0)), shape)
    log_m = np.broadcast_to(np.log2(np.maximum(ops.m, 1.0)), shape)
    for index, u in enumerate(units):
        chosen = (ops.unit[:rows] == index) & ops.second_is_weight
        if u.stream_values:
            count = len(u.stream_run_bytes)
            by_rows = [
                _curve(log_run[chosen], u.stream_run_bytes, u.stream_values[i * count : (i + 1) * count])
                for i in range(len(u.stream_rows))
            ]
            ratio[:rows][chosen] = _curve(log_m[chosen], u.stream_rows, by_rows)
    return ratio


def outermost_bytes(ops: OpTable, units: Sequence[UnitParams], moved_bytes: FloatArray) -> FloatArray:
    """Bytes that take as long at the outermost level's full rate as each op's do, (R, P).

    Element-wise ops may have a path of their own, at a share of the rate, to activations that do not stay on the chip;
    what they read of weights and state comes as for products.

    Parameters
    ----------
    moved_bytes : what each op exchanges with the outermost level (R, P).
    """
    if not any(u.vector_stream_ratio for u in units):
        return moved_bytes
    rows = ops.matrix_rows
    kept = (ops.table_bytes + ops.state_read_bytes + ops.state_write_bytes)[rows:]
    more = per_op(
        [1.0 / np.asarray((u.vector_stream_ratio or (1.0,))[0]) - 1.0 for u in units],
        ops.unit[rows:],
        moved_bytes.shape[1],
    )
    slower = moved_bytes.copy()
    slower[rows:] += np.maximum(moved_bytes[rows:] - kept, 0.0) * more
    return slower


def dispatch_per_kernel(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Seconds to start one kernel of each op (R, P) or (R, 1), by what kind of op it is where that is known."""
    n_points = ops.live_bytes.shape[1]
    if not any(u.dispatch_by_op_s for u in units):
        return per_op([u.dispatch_s for u in units], ops.unit, n_points)
    kind = np.full(ops.live_bytes.shape[0], OP_CLASSES.index("vector"))
    kind[: ops.matrix_rows] = np.where(ops.second_is_weight, OP_CLASSES.index("linear"), OP_CLASSES.index("attention"))
    by_kind = [
        per_op([(u.dispatch_by_op_s or (u.dispatch_s,) * len(OP_CLASSES))[i] for u in units], ops.unit, n_points)
        for i in range(len(OP_CLASSES))
    ]
    return np.choose(kind[:, None], by_kind)


def dispatch(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Seconds that starting each op takes (R, P) or (R, 1): by kernel; by call where these are counted and priced."""
    by_kernel = ops.kernels * dispatch_per_kernel(ops, units)
    if not any(u.call_s for u in units):
        return by_kernel
    each = per_op([(u.call_s or (np.nan,))[0] for u in units], ops.unit, ops.live_bytes.shape[1])
    by_call = ops.calls_count * each
    return np.where(np.isnan(by_call), by_kernel, by_call)


def times(
    ops: OpTable,
    traffic: Traffic,
    units: Sequence[UnitParams],
    levels: Sequence[LevelParams],
    clock_ratio: Number = 1.0,
) -> Times:
    """Roofline time of every op.

    ``t = max(terms) + (1 - overlap) (sum(terms) - max(terms)) + kernels x dispatch`` over matrix, vector and one
    transfer term per level. Where the overlap s of the outermost level's transfers D was measured,
    ``t = max(max(work, s D) + (1 - s) D, transfers of the other levels) + kernels x dispatch``, with matrix and vector
    combined as above to work.

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
    vector = list(ops.vector)
    for name, decoded in zip(DECODE_KINDS, traffic.decode_count, strict=False):  # none where nothing is compressed
        vector[VECTOR_KINDS.index(name)] = vector[VECTOR_KINDS.index(name)] + decoded
    for kind, work in enumerate(vector):
        cycles += work / per_op([u.vector_per_cycle[kind] for u in units], ops.unit, n_points)
    if any(u.copy_per_cycle for u in units):
        cycles += ops.moved_count / per_op([(u.copy_per_cycle or (np.inf,))[0] for u in units], ops.unit, n_points)
    vector_s = cycles / (clock * value("cores_count"))
    level_s = []
    for index, level in enumerate(levels):
        rate: Number | FloatArray = level.bandwidth_bytes_per_s * level.bandwidth_efficiency_ratio
        moved = traffic.served_by(index)
        if index == len(levels) - 1:
            rate = rate * stream_ratio(ops, units)
            moved = outermost_bytes(ops, units, moved)
        level_s.append(moved / (rate * clock_ratio if level.core_clock else rate))
    dispatch_s = dispatch(ops, units) / clock_ratio
    largest = np.maximum(matrix_s, vector_s)
    total = matrix_s + vector_s
    for term in level_s:
        np.maximum(largest, term, out=largest)
        total += term
    overlap = value("overlap_ratio")
    total_s = largest + (1.0 - overlap) * (total - largest)
    if any(u.stream_overlap_ratio for u in units):
        streamed = _streaming(matrix_s, vector_s, level_s, overlap, ops, units)
        total_s = np.where(np.isnan(streamed), total_s, streamed)
    total_s = total_s + dispatch_s
    return Times(matrix_s, vector_s, tuple(level_s), dispatch_s, total_s)


def _streaming(
    matrix_s: FloatArray,
    vector_s: FloatArray,
    level_s: Sequence[FloatArray],
    overlap: FloatArray,
    ops: OpTable,
    units: Sequence[UnitParams],
) -> FloatArray:
    """Time of ops without dispatch where the overlap of the outermost transfers is known, NaN elsewhere (R, P)."""
    share = per_op([(u.stream_overlap_ratio or (np.nan,))[0] for u in units], ops.unit, matrix_s.shape[1])
    work = np.maximum(matrix_s, vector_s) + (1.0 - overlap) * np.minimum(matrix_s, vector_s)
    *inner, outer = level_s
    total = np.maximum(work, share * outer) + (1.0 - share) * outer
    for term in inner:
        total = np.maximum(total, term)
    return total
