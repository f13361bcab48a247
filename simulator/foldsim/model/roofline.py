"""Time of every op: matrix cycles on a spatial array, vector cycles, transfers, overlap and dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldsim.model.records import (
    DECODE_KINDS,
    OP_CLASSES,
    VECTOR_KINDS,
    BoolArray,
    FloatArray,
    LevelParams,
    Number,
    OpTable,
    UnitParams,
)
from foldsim.model.traffic import Traffic, per_op

_ROUNDING = 1.0e-9  # elements: tolerance for a fraction of a reduction that should be a whole number


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


def _default(optional: Number | None, default: Number) -> Number:
    return default if optional is None else optional


def matrix_cycles(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Cycles of the matrix rows (matrix_rows, P) on the array of their compute unit, before efficiency.

    Cycles are steps x column tiles per core x tiles of the reduction x cycles per tile, over the ratio of the format's
    rate to the unrolled shape.
    """
    unit_index = ops.unit[: ops.matrix_rows]
    n_points = ops.live_bytes.shape[1]
    stationary = np.array([unit.weight_stationary for unit in units])[unit_index][:, None]
    unroll_m, unroll_k, unroll_n = (
        per_op([getattr(unit, f"unroll_{axis}_count") for unit in units], unit_index, n_points) for axis in "mkn"
    )
    per_tile = _cycles_per_tile(ops, units, stationary, unroll_m, unroll_k)
    per_core = _column_tiles_per_core(ops, units, stationary, unroll_n)
    reductions = _reduction_tiles(ops, units, unroll_k)
    rate = _format_rate(ops, units) / (unroll_m * unroll_k * unroll_n)
    return ops.steps * per_core * reductions * per_tile / rate


def _format_rate(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """MACs per cycle and core in the number format of each product; products of activations may use another format."""
    unit_index, n_points = ops.unit[: ops.matrix_rows], ops.live_bytes.shape[1]
    rate = per_op([unit.macs_per_cycle for unit in units], unit_index, n_points)
    if not any(unit.attention for unit in units):
        return rate
    attention = [unit.attention.macs_per_cycle if unit.attention else unit.macs_per_cycle for unit in units]
    return np.where(ops.second_is_weight[:, None], rate, per_op(attention, unit_index, n_points))


def _cycles_per_tile(
    ops: OpTable, units: Sequence[UnitParams], stationary: BoolArray, unroll_m: FloatArray, unroll_k: FloatArray
) -> FloatArray:
    """Cycles to process all rows m against one ``unroll_k x unroll_n`` tile of the second operand (matrix_rows, P).

    A weight-stationary array loads the tile and streams ``m / unroll_m`` rows past it; the load is partly hidden behind
    the streaming. More rows than the accumulators store need another pass, in which the tile is loaded again.
    """
    unit_index, n_points = ops.unit[: ops.matrix_rows], ops.live_bytes.shape[1]

    def value(name: str) -> FloatArray:
        return per_op([getattr(unit, name) for unit in units], unit_index, n_points)

    stream = np.ceil(ops.m / unroll_m)
    passes = np.where(stationary, np.ceil(ops.m / value("register_rows_count")), 1.0)
    load = unroll_k / value("weight_load_rows_per_cycle")
    hidden = value("weight_load_hidden_ratio")
    each = stream / passes
    loaded = passes * (hidden * np.maximum(each, load) + (1.0 - hidden) * (each + load))
    return np.where(stationary, loaded, stream)


def _column_tiles_per_core(
    ops: OpTable, units: Sequence[UnitParams], stationary: BoolArray, unroll_n: FloatArray
) -> FloatArray:
    """Column tiles of all products of a row on the busiest core (matrix_rows, P).

    Cores receive whole column tiles of whole products, or whole shares (heads, or tiles of keys) where a row states
    their count, so a count that is no multiple of the cores leaves some idle. Channels of a depthwise convolution share
    no operand; SIMD lanes process one channel each, an array one channel at a time.
    """
    cores = per_op([unit.cores_count for unit in units], ops.unit[: ops.matrix_rows], ops.live_bytes.shape[1])
    over_lanes = ops.channelwise[:, None] & ~stationary
    columns = np.where(over_lanes, ops.batch * ops.n, ops.n)
    tiles = np.where(over_lanes, 1.0, ops.batch) * np.ceil(columns / unroll_n)
    shares = np.maximum(ops.shares_count, 1.0)
    return np.where(ops.shares_count > 0, tiles * np.ceil(shares / cores) / shares, np.ceil(tiles / cores))


def _reduction_tiles(ops: OpTable, units: Sequence[UnitParams], unroll_k: FloatArray) -> FloatArray:
    """Tiles of ``unroll_k`` along the reduction (matrix_rows, P).

    Compression that skips zeros shortens the reduction. A unit that iterates over kernel positions fills its reduction
    with the channels of one position at a time.
    """
    reduction = ops.k if ops.codec is None else ops.k * ops.codec.mac_time_ratio - _ROUNDING
    tiles = np.ceil(reduction / unroll_k)
    walks = np.array([unit.walks_kernels for unit in units])[ops.unit[: ops.matrix_rows]][:, None]
    if not walks.any():
        return tiles
    taps = np.ones((1, 1)) if ops.taps_count is None else ops.taps_count
    taps = np.where(ops.channelwise[:, None], ops.k, taps)
    return np.where(walks, taps * np.ceil(reduction / taps / unroll_k), tiles)


def efficiency(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Share of the array's cycles that do useful work (matrix_rows, P): constant, or times a curve over the rows m.

    Depthwise products reach ``channelwise_efficiency_ratio`` of it, since their channels share no operand.
    """
    rows, n_points = ops.matrix_rows, ops.live_bytes.shape[1]
    unit_index = ops.unit[:rows]
    flat = per_op([unit.efficiency_ratio for unit in units], unit_index, n_points)
    if ops.channelwise.any():
        channelwise = per_op([unit.channelwise_efficiency_ratio for unit in units], unit_index, n_points)
        flat = flat * np.where(ops.channelwise[:, None], channelwise, 1.0)
    attention_curves = [unit.attention.efficiency if unit.attention else None for unit in units]
    if not any(attention_curves) and not any(unit.efficiency for unit in units):
        return flat
    shape = np.ones((rows, n_points))
    log_m = np.log2(np.maximum(ops.m, 1.0))
    for index, (unit, attention) in enumerate(zip(units, attention_curves, strict=True)):
        on_unit = unit_index == index
        own = on_unit if attention is None else on_unit & ops.second_is_weight
        for curve, chosen in ((unit.efficiency, own), (attention, on_unit & ~ops.second_is_weight)):
            if curve is not None:
                shape[chosen] = _interpolate(log_m[chosen], curve.rows_count, curve.efficiency_ratio)
    return flat * shape


def _interpolate(log_x: FloatArray, xs: Sequence[Number], ys: Sequence[Number]) -> FloatArray:
    """Piecewise linear in log2 x through the points (xs, ys), constant outside them."""
    logs = [np.log2(np.asarray(x, dtype=np.float64)) for x in xs]
    values = [np.asarray(y, dtype=np.float64) for y in ys]
    curve = np.broadcast_to(values[0], log_x.shape)
    for x0, x1, y0, y1 in zip(logs, logs[1:], values, values[1:], strict=False):
        share = np.clip((log_x - x0) / (x1 - x0), 0.0, 1.0)
        curve = np.where(log_x > x0, y0 + share * (y1 - y0), curve)
    return curve


def stream_ratio(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Share of the outermost level's bandwidth at which each op reads, (R, P) or (1, 1).

    A library that reads weights in their stored order reads runs of one reduction, ``k`` elements; short runs stream
    more slowly, and kernels for few rows differ from those for many. Between the points of the grid the ratio is linear
    in log2 of run and rows. 1 for all other ops.
    """
    if not any(unit.stream for unit in units):
        return np.ones((1, 1))
    rows = ops.matrix_rows
    ratio = np.ones(ops.live_bytes.shape)
    shape = (rows, ops.live_bytes.shape[1])
    log_run = np.broadcast_to(np.log2(np.maximum(ops.k * ops.second_bytes_per_element, 1.0)), shape)
    log_m = np.broadcast_to(np.log2(np.maximum(ops.m, 1.0)), shape)
    for index, unit in enumerate(units):
        if (grid := unit.stream) is not None:
            chosen = (ops.unit[:rows] == index) & ops.second_is_weight
            by_rows = [_interpolate(log_run[chosen], grid.run_bytes, ratios) for ratios in grid.stream_ratio]
            ratio[:rows][chosen] = _interpolate(log_m[chosen], grid.rows_count, by_rows)
    return ratio


def outermost_bytes(ops: OpTable, units: Sequence[UnitParams], moved_bytes: FloatArray) -> FloatArray:
    """Bytes that would take as long at the outermost level's full rate as the transfers of each op do, (R, P).

    Element-wise ops may read and write off-chip activations at a share of the rate (``vector_stream_ratio``); their
    weights and state move at the rate of those of products.

    Parameters
    ----------
    moved_bytes : bytes that each op exchanges with the outermost level (R, P).
    """
    if all(unit.vector_stream_ratio is None for unit in units):
        return moved_bytes
    rows = ops.matrix_rows
    kept = (ops.table_bytes + ops.state_read_bytes + ops.state_write_bytes)[rows:]
    more = per_op(
        [1.0 / np.asarray(_default(unit.vector_stream_ratio, 1.0)) - 1.0 for unit in units],
        ops.unit[rows:],
        moved_bytes.shape[1],
    )
    slower = moved_bytes.copy()
    slower[rows:] += np.maximum(moved_bytes[rows:] - kept, 0.0) * more
    return slower


def dispatch_per_kernel(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Seconds to start one kernel of each op (R, P) or (R, 1), by class of op where the unit distinguishes them."""
    n_points = ops.live_bytes.shape[1]
    if all(unit.dispatch_by_op_s is None for unit in units):
        return per_op([unit.dispatch_s for unit in units], ops.unit, n_points)
    op_class = np.full(ops.live_bytes.shape[0], OP_CLASSES.index("vector"))
    op_class[: ops.matrix_rows] = np.where(
        ops.second_is_weight, OP_CLASSES.index("linear"), OP_CLASSES.index("attention")
    )
    by_class = [
        per_op(
            [(unit.dispatch_by_op_s or (unit.dispatch_s,) * len(OP_CLASSES))[i] for unit in units], ops.unit, n_points
        )
        for i in range(len(OP_CLASSES))
    ]
    return np.choose(op_class[:, None], by_class)


def dispatch(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Seconds to start each op (R, P) or (R, 1): per call where the op counts calls and the unit has ``call_s``.

    Otherwise per kernel.
    """
    by_kernel = ops.kernels * dispatch_per_kernel(ops, units)
    if all(unit.call_s is None for unit in units):
        return by_kernel
    each = per_op([_default(unit.call_s, np.nan) for unit in units], ops.unit, ops.live_bytes.shape[1])
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
    combined to work as above.

    Parameters
    ----------
    clock_ratio : frequency of the operating point over the reference frequency; scales the compute units, dispatch and
        the levels that share their clock.
    """
    n_points = ops.live_bytes.shape[1]
    clock_hz = per_op([unit.clock_hz for unit in units], ops.unit, n_points) * clock_ratio
    matrix_s = np.zeros(ops.live_bytes.shape)
    rows_hz = clock_hz[: ops.matrix_rows] if clock_hz.shape[0] > 1 else clock_hz
    matrix_s[: ops.matrix_rows] = matrix_cycles(ops, units) / (efficiency(ops, units) * rows_hz)
    cores = per_op([unit.cores_count for unit in units], ops.unit, n_points)
    vector_s = _vector_cycles(ops, traffic, units) / (clock_hz * cores)
    level_s = _level_times(ops, traffic, units, levels, clock_ratio)
    dispatch_s = dispatch(ops, units) / clock_ratio
    total_s = _overlapped(matrix_s, vector_s, level_s, ops, units) + dispatch_s
    return Times(matrix_s, vector_s, level_s, dispatch_s, total_s)


def _vector_cycles(ops: OpTable, traffic: Traffic, units: Sequence[UnitParams]) -> FloatArray:
    """Cycles of vector work, of decoding weights and of copies, for all cores together (R, P)."""
    n_points = ops.live_bytes.shape[1]
    work = list(ops.vector)
    for kind, decoded in zip(DECODE_KINDS, traffic.decode_count, strict=False):  # empty without compression
        work[VECTOR_KINDS.index(kind)] = work[VECTOR_KINDS.index(kind)] + decoded
    cycles = np.zeros(ops.live_bytes.shape)
    for kind_index, elements in enumerate(work):
        cycles += elements / per_op([unit.vector_per_cycle[kind_index] for unit in units], ops.unit, n_points)
    if any(unit.copy_per_cycle is not None for unit in units):
        copies = per_op([_default(unit.copy_per_cycle, np.inf) for unit in units], ops.unit, n_points)
        cycles += ops.moved_count / copies
    return cycles


def _level_times(
    ops: OpTable, traffic: Traffic, units: Sequence[UnitParams], levels: Sequence[LevelParams], clock_ratio: Number
) -> tuple[FloatArray, ...]:
    """Transfer times of every level, each (R, P)."""
    level_s = []
    for index, level in enumerate(levels):
        rate: Number = level.bandwidth_bytes_per_s * level.bandwidth_efficiency_ratio
        moved = traffic.served_by(index)
        if index == len(levels) - 1:
            rate = rate * stream_ratio(ops, units)
            moved = outermost_bytes(ops, units, moved)
        level_s.append(moved / (rate * clock_ratio if level.core_clock else rate))
    return tuple(level_s)


def _overlapped(
    matrix_s: FloatArray,
    vector_s: FloatArray,
    level_s: Sequence[FloatArray],
    ops: OpTable,
    units: Sequence[UnitParams],
) -> FloatArray:
    """Time of every op without dispatch (R, P); equations in :func:`times`."""
    n_points = matrix_s.shape[1]
    overlap = per_op([unit.overlap_ratio for unit in units], ops.unit, n_points)
    largest = np.maximum(matrix_s, vector_s)
    total = matrix_s + vector_s
    for term in level_s:
        np.maximum(largest, term, out=largest)
        total += term
    partial = largest + (1.0 - overlap) * (total - largest)
    if all(unit.stream_overlap_ratio is None for unit in units):
        return partial
    share = per_op([_default(unit.stream_overlap_ratio, np.nan) for unit in units], ops.unit, n_points)
    work = np.maximum(matrix_s, vector_s) + (1.0 - overlap) * np.minimum(matrix_s, vector_s)
    *inner, outer = level_s
    streamed = np.maximum(work, share * outer) + (1.0 - share) * outer
    for term in inner:
        streamed = np.maximum(streamed, term)
    return np.where(np.isnan(share), partial, streamed)
