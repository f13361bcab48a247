"""Bytes that cross every boundary of the memory hierarchy, per op.

Boundary ``i`` is between level ``i`` and the next level outwards; boundary ``-1`` (the *port*) is between the compute
unit and level 0. A transfer across a boundary is a read on its outer side and a write on its inner side, or the
reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from foldsim.model.placement import STREAM_SHARE_RATIO, Placement
from foldsim.model.records import FloatArray, LevelParams, Number, OpTable, UnitParams
from foldsim.model.tiling import TileTraffic, swept_traffic, tiled_traffic


@dataclass(frozen=True)
class Traffic:
    """Bytes inward and outward per op (R, P); index 0 is the port, index ``i + 1`` the boundary outside level ``i``."""

    inward: tuple[FloatArray, ...]
    outward: tuple[FloatArray, ...]
    decode_count: tuple[FloatArray, ...] = ()  # elements of vector work of decoding, by DECODE_KINDS; empty without

    def served_by(self, level: int) -> FloatArray:
        """Bytes that level ``level`` exchanges with its inner side."""
        return self.inward[level] + self.outward[level]


def per_op(values: Sequence[Number], index: np.ndarray, n_points: int) -> FloatArray:
    """Parameter of the compute unit of each op, (len(index), P) or (len(index), 1); ``index`` selects the unit."""
    arrays = [np.asarray(v, dtype=np.float64) for v in values]
    if all(a.ndim == 0 for a in arrays):
        return np.array([float(a) for a in arrays])[index][:, None]
    return np.stack([np.broadcast_to(a, (n_points,)) for a in arrays])[index]


def _by_group(values: FloatArray, group: np.ndarray) -> FloatArray:
    """Rows of (G, P) by group index (R,), zero where the index is -1."""
    if not values.shape[0]:
        return np.zeros((group.shape[0], values.shape[1]))
    return np.where((group >= 0)[:, None], values[np.maximum(group, 0)], 0.0)


def weight_fetches(ops: OpTable, units: Sequence[UnitParams]) -> FloatArray:
    """Weights that enter the array in one invocation (matrix_rows, P): all of them once per ``register_rows`` rows."""
    registers = per_op(
        [unit.register_rows_count for unit in units], ops.unit[: ops.matrix_rows], ops.live_bytes.shape[1]
    )
    fetched = ops.batch * ops.steps * ops.k * ops.n * np.ceil(ops.m / registers)
    return np.where(ops.second_is_weight[:, None], fetched, 0.0)


def decode_work(ops: OpTable, units: Sequence[UnitParams]) -> tuple[FloatArray, ...]:
    """Elements of vector work to decode compressed weights, by DECODE_KINDS, each (R, P); () without compression.

    Weights are decoded whenever they enter the array (our assumption): all levels store and move them compressed.
    """
    if ops.codec is None:
        return ()
    fetched = weight_fetches(ops, units)
    work = []
    for ratio in ops.codec.decode_ratio:
        full = np.zeros(ops.live_bytes.shape)
        full[: ops.matrix_rows] = fetched * ratio
        work.append(full)
    return tuple(work)


def port_traffic(ops: OpTable, units: Sequence[UnitParams]) -> tuple[FloatArray, FloatArray]:
    """Bytes between the compute unit and level 0 (inward, outward), shape (R, P).

    The first operand is read once per ``unroll_n`` columns, the second once per ``register_rows`` rows, results leave
    once (their partial sums stay in accumulators). Vector work reads and writes its operands once. Codebook vectors are
    read in addition to the indices.
    """
    rows, n_points = ops.matrix_rows, ops.live_bytes.shape[1]
    unit_index = ops.unit[:rows]
    unroll_n = per_op([unit.unroll_n_count for unit in units], unit_index, n_points)
    registers = per_op([unit.register_rows_count for unit in units], unit_index, n_points)
    full = np.zeros(ops.live_bytes.shape)
    inward = full + ops.input_bytes + ops.table_bytes + ops.state_read_bytes
    outward = full + ops.output_bytes
    outward[rows:] += ops.state_write_bytes[rows:]
    products = ops.batch * ops.steps
    inward[:rows] += products * (
        ops.m * ops.k * np.ceil(ops.n / unroll_n) * ops.input_bytes_per_element
        + ops.k * ops.n * np.ceil(ops.m / registers) * ops.second_bytes_per_element
    )
    if ops.codec is not None:
        inward[:rows] += weight_fetches(ops, units) * ops.codec.codeword_bytes_per_element
    # State that a product computes (new keys and values) is part of its result, written once to its final address.
    outward[:rows] += products * ops.m * ops.n * ops.output_bytes_per_element
    return inward, outward


def _tile_room(ops: OpTable, placement: Placement, level: int) -> FloatArray:
    """Bytes available to tiles of streamed operands: the most of this level and all inner ones (matrix_rows, P)."""
    rows = ops.matrix_rows
    free = np.zeros((rows, 1))
    for i in range(level + 1):
        usable = placement.usable_bytes[i]
        taken = placement.resident_bytes[i] + ops.live_bytes[:rows] * (1.0 - placement.activation_outside[i][:rows])
        free = np.maximum(free, np.maximum(usable - taken, STREAM_SHARE_RATIO * usable))
    return free


def _products_traffic(
    ops: OpTable,
    units: Sequence[UnitParams],
    free: FloatArray,
    outside: tuple[FloatArray, FloatArray, FloatArray],
) -> TileTraffic:
    """Bytes of one product of each matrix row: optimally tiled, or in passes of a library that does not tile."""
    widths = (
        ops.input_bytes_per_element,
        ops.second_bytes_per_element,
        ops.output_bytes_per_element,
        ops.partial_bytes_per_element,
    )
    tiles = tiled_traffic(ops.m, ops.k, ops.n, free, widths, outside)
    if all(unit.columns_per_pass_count is None for unit in units):
        return tiles
    columns = [np.nan if unit.columns_per_pass_count is None else unit.columns_per_pass_count for unit in units]
    per_pass = per_op(columns, ops.unit[: ops.matrix_rows], ops.live_bytes.shape[1])
    swept = swept_traffic(ops.m, ops.k, ops.n, free, widths, outside, per_pass)
    sweeps = ~np.isnan(per_pass)
    return TileTraffic(*(np.where(sweeps, getattr(swept, f.name), getattr(tiles, f.name)) for f in fields(TileTraffic)))


def _read_in_place(ops: OpTable, units: Sequence[UnitParams], home: LevelParams) -> FloatArray:
    """Bytes of weights that a core reads in place from their home level, through its read cache (matrix_rows, P).

    Once where all weights of the product fit the cache, else once per ``register_rows`` rows and step: each pass over
    the rows reads the weights from end to end, and a smaller cache retains none of them.
    """
    registers = per_op(
        [unit.register_rows_count for unit in units], ops.unit[: ops.matrix_rows], ops.live_bytes.shape[1]
    )
    once = ops.batch * ops.k * ops.n * ops.second_bytes_per_element
    return once * np.where(once > home.read_cache_bytes, ops.steps * np.ceil(ops.m / registers), 1.0)


def boundary_traffic(
    ops: OpTable,
    placement: Placement,
    level: int,
    units: Sequence[UnitParams],
    levels: Sequence[LevelParams],
) -> tuple[FloatArray, FloatArray]:
    """Bytes across the boundary outside ``level`` (inward, outward), shape (R, P).

    Tiles may be as large as the free space of the roomiest level up to this one: what an inner level keeps (registers
    and shared memory of a GPU, larger than its cache) need not cross an outer boundary again. Weights that are read in
    place bypass the levels between their home and the innermost one.
    """
    rows = ops.matrix_rows
    home = next((i for i, other in enumerate(levels) if other.read_in_place and i > level), None)
    outside = placement.outside(level)
    activations = placement.activation_outside[level]
    weights = _by_group(outside, ops.group)
    state = _by_group(outside, ops.state_group)
    inputs = np.maximum(activations, ops.input_outside)
    outputs = np.maximum(activations, ops.output_outside)
    tables = np.zeros_like(weights) if home is not None and level + 1 < home else weights
    inward = ops.input_bytes * inputs + ops.table_bytes * tables + ops.state_read_bytes * state
    outward = ops.output_bytes * outputs + ops.state_write_bytes * state
    is_weight = ops.second_is_weight[:, None]
    ratio = ops.second_state_ratio
    second = np.where(is_weight, weights[:rows], ratio * state[:rows] + (1.0 - ratio) * inputs[:rows])
    first = ops.first_state_ratio * state[:rows] + (1.0 - ops.first_state_ratio) * inputs[:rows]
    free, crossing = _tile_room(ops, placement, level), (first, second, outputs[:rows])
    tiles = _products_traffic(ops, units, free, crossing)
    products = ops.batch * ops.steps
    # Serial steps read their weights again unless the whole operand stays in the level between steps.
    stays = is_weight & (ops.batch * ops.k * ops.n * ops.second_bytes_per_element <= free)
    second_in = ops.batch * np.where(stays, 1.0, ops.steps) * tiles.second_in
    if home is not None:
        in_place = _weights_read_in_place(ops, placement, level, units, levels, home, crossing)
        second_in = np.where(is_weight, in_place, second_in)
    inward[:rows] += products * (tiles.first_in + tiles.partial_in) + second_in
    outward[:rows] += products * tiles.result_out
    return inward, outward


def _weights_read_in_place(
    ops: OpTable,
    placement: Placement,
    level: int,
    units: Sequence[UnitParams],
    levels: Sequence[LevelParams],
    home: int,
    crossing: tuple[FloatArray, FloatArray, FloatArray],
) -> Number:
    """Bytes of weights across the boundary outside ``level`` that are read in place from level ``home``.

    Only the boundary next to ``home`` carries any. Tiles of the innermost level determine how often weights are read;
    if ``home`` is next to the innermost level, the passes over the rows do.
    """
    if level + 1 < home:
        return 0.0
    if home > 1:
        tiles = _products_traffic(ops, units, _tile_room(ops, placement, 0), crossing)
        return ops.batch * ops.steps * tiles.second_in
    return crossing[1] * _read_in_place(ops, units, levels[home])


def traffic(
    ops: OpTable,
    placement: Placement,
    units: Sequence[UnitParams],
    levels: Sequence[LevelParams],
) -> Traffic:
    """Bytes across every boundary for one instance of every op in one invocation.

    ``levels`` are innermost first; ``placement`` is that of the same levels.
    """
    flows = [port_traffic(ops, units)]
    flows += [boundary_traffic(ops, placement, i, units, levels) for i in range(len(levels) - 1)]
    return Traffic(tuple(f[0] for f in flows), tuple(f[1] for f in flows), decode_work(ops, units))
