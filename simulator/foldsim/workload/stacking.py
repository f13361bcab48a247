"""Ops of a recogniser as the op table of the model: matrix products first, precision applied, one row per op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from foldsim import units as u
from foldsim.model.records import (
    DECODE_KINDS,
    VECTOR_KINDS,
    CodecTable,
    FloatArray,
    IntArray,
    Number,
    OpTable,
    Recogniser,
)
from foldsim.workload.compression.codec import NOTHING
from foldsim.workload.ops import BITS, PARTIAL_SUM_BYTES, Op
from foldsim.workload.spec import WorkloadSpec

GROUP_CLASSES = ("weights", "table", "state")
_WEIGHTS, _TABLE, _STATE = range(len(GROUP_CLASSES))
_NO_CALLS = 1.0e-12  # invocations per chunk: keeps the rate of a component that never runs finite


class Stacked(NamedTuple):
    """The op table of a recogniser, and the ops in the order of its rows."""

    recogniser: Recogniser
    ops: Sequence[Op]
    run_order: IntArray  # (R,) row numbers in the order in which the ops run
    weight_bits: FloatArray  # (P,) mean stored bits per parameter


class _Columns:
    """Fields of ops, products first, as columns (R, P), or (R, 1) where no row varies over points."""

    def __init__(self, ops: Sequence[Op], points: int) -> None:
        self.ops = ops
        self.points = points
        self.matrices = [op.matrix for op in ops if op.matrix is not None]
        self.is_weight = np.array([matrix.second == "weights" for matrix in self.matrices], dtype=bool)

    def stack(self, values: Sequence[Number], full: bool = False) -> FloatArray:
        """Values of rows, numbers or arrays (P,), as one array; ``full``: (R, P) even if none varies."""
        arrays = [(row, value) for row, value in enumerate(values) if isinstance(value, np.ndarray)]
        varies = full or any(value.size > 1 for _, value in arrays)
        numbers = np.array([0.0 if isinstance(value, np.ndarray) else value for value in values], dtype=np.float64)
        rows = np.repeat(numbers[:, None], self.points if varies else 1, axis=1)
        for row, value in arrays:
            rows[row] = value
        return rows

    def op(self, field: str) -> FloatArray:
        """A field of all ops."""
        return self.stack([getattr(op, field) for op in self.ops])

    def matrix(self, field: str) -> FloatArray:
        """A field of all matrix products."""
        return self.stack([getattr(matrix, field) for matrix in self.matrices])

    def all_rows(self, products: FloatArray) -> FloatArray:
        """A column of the products continued with zeros to all ops."""
        return np.pad(products, ((0, len(self.ops) - len(products)), (0, 0)))

    def sums(self, values: FloatArray, group: IntArray, count: int) -> FloatArray:
        """Sums of rows by group (``count``, P), added in row order."""
        total = np.zeros((count, self.points))
        np.add.at(total, group, np.broadcast_to(values, (len(values), self.points)))
        return total


class _Bytes(NamedTuple):
    """Bytes per element of uncompressed weights, activations and state."""

    weight: float
    activation: float
    state: float


class _Groups(NamedTuple):
    """Groups of persistent tensors: one per component and class."""

    own: IntArray  # (R,) group of each op's weights
    state: IntArray  # (R,) and of its state
    state_rate: FloatArray  # (R, P) invocations of the op's component per invocation of the component of its state
    names: tuple[str, ...]


def stack_ops(
    workload: WorkloadSpec, ops: Sequence[Op], component_of: Sequence[int], calls: FloatArray, chunk_s: FloatArray
) -> Stacked:
    """Sort matrix products first, apply precision, and stack ops to arrays (R, P) or (R, 1).

    Parameters
    ----------
    ops, component_of : ops in the order in which they run, and the index of the component of each.
    calls : invocations per chunk (C, P).
    chunk_s : duration of a chunk (P,).
    """
    order = sorted(range(len(ops)), key=lambda i: ops[i].matrix is None)
    columns = _Columns([ops[i] for i in order], chunk_s.size)
    component = np.array([component_of[i] for i in order])
    names = tuple(c.name for c in workload.components)
    precision = workload.precision
    size = _Bytes(*(BITS[f] / u.BITS_PER_BYTE for f in (precision.weights, precision.activations, precision.state)))
    beam = float(workload.decoding.beam_count)  # every hypothesis has its own state
    copies = np.array([1.0 if "chunk" in c.invoked_per else beam for c in workload.components])[component, None]
    groups = _groups(columns, component, names, calls)
    table = _table(columns, component, groups, copies, size)
    stored_bytes, traffic_bytes = _group_bytes(columns, table, groups, size)
    used = np.flatnonzero(np.any(stored_bytes > 0, axis=1))
    renumber = np.full(len(groups.names), -1)
    renumber[used] = np.arange(used.size)
    recogniser = Recogniser(
        ops=replace(table, group=renumber[groups.own], state_group=renumber[groups.state]),
        component_names=names,
        group_names=tuple(groups.names[g] for g in used),
        group_component=used // len(GROUP_CLASSES),
        group_is_state=used % len(GROUP_CLASSES) == _STATE,
        group_bytes=stored_bytes[used],
        group_traffic_bytes=traffic_bytes[used],
        invocations_per_chunk=calls,
        chunk_s=chunk_s,
        right_context_s=np.full(chunk_s.size, workload.lookahead_ms / u.MS_PER_S),
    )
    return Stacked(recogniser, columns.ops, np.argsort(order), _mean_bits(columns, table))


def _groups(columns: _Columns, component: IntArray, names: Sequence[str], calls: FloatArray) -> _Groups:
    """Groups of the tensors of all ops, unused ones included."""
    pairs = zip(columns.ops, component.tolist(), strict=True)
    owner = np.array([names.index(op.state_of) if op.state_of else index for op, index in pairs])
    rate = np.where((owner == component)[:, None], 1.0, calls[component] / np.maximum(calls[owner], _NO_CALLS))
    own_class = np.where(np.any(columns.op("table"), axis=1), _TABLE, _WEIGHTS)
    classes = len(GROUP_CLASSES)
    group_names = tuple(f"{name} {kind}" for name in names for kind in GROUP_CLASSES)
    return _Groups(component * classes + own_class, owner * classes + _STATE, rate, group_names)


def _table(columns: _Columns, component: IntArray, groups: _Groups, copies: FloatArray, size: _Bytes) -> OpTable:
    """The op table; ``copies`` (R, 1) of the state of each op."""
    op, ops = columns.op, columns.ops
    products = ops[: len(columns.matrices)]
    matrix = _matrix_columns(columns, size)
    biases, constants = op("biases"), op("constant_bytes")
    matrix_bytes = columns.stack([op.matrix_bytes(size.weight) for op in products])
    table_bytes = columns.stack([op.table_bytes(size.weight) for op in ops])
    table_element_bytes = columns.stack([op.bytes_per_table_weight(size.weight) for op in ops])
    fixed_state = op("fixed_state_bytes")
    return OpTable(
        component=component,
        group=groups.own,
        state_group=groups.state,
        unit=np.zeros(len(ops), dtype=np.int64),
        matrix_rows=len(products),
        second_is_weight=columns.is_weight,
        channelwise=np.array([x.channelwise for x in columns.matrices], dtype=bool),
        repeat=op("repeat"),
        input_bytes=op("inputs") * size.activation + op("fixed_input_bytes"),
        output_bytes=op("outputs") * size.activation,
        table_bytes=biases * size.weight + op("table_read") * table_element_bytes + constants,
        state_read_bytes=op("state_read") * size.state + fixed_state,
        state_write_bytes=op("state_write") * size.state + fixed_state,
        input_outside=op("from_outside"),
        output_outside=op("to_outside"),
        vector=tuple(op(kind) for kind in VECTOR_KINDS),
        kernels=columns.stack([x.matrix.steps if x.matrix else 1.0 for x in ops]),
        moved_count=op("moved"),
        calls_count=columns.stack([np.nan if x.calls is None else x.calls for x in ops]),
        live_bytes=columns.stack([x.live * size.activation for x in ops], full=True),
        params=op("params"),
        weights_bytes=columns.all_rows(matrix_bytes) + table_bytes + biases * size.weight + constants,
        state_bytes=(op("state") * size.state + fixed_state) * copies,
        codec=_codec(columns),
        **matrix,
    )


def _matrix_columns(columns: _Columns, size: _Bytes) -> dict[str, FloatArray]:
    """Columns of the op table that only matrix products have."""
    state_ratio, first_state_ratio = columns.matrix("state_ratio"), columns.matrix("first_state_ratio")
    weight_bytes = columns.stack([op.bytes_per_weight(size.weight) for op in columns.ops[: len(columns.matrices)]])
    mixed = size.state * state_ratio + size.activation * (1.0 - state_ratio)
    second = np.where(columns.is_weight[:, None], weight_bytes, mixed)
    first = size.state * first_state_ratio + size.activation * (1.0 - first_state_ratio)
    return {
        **{name: columns.matrix(name) for name in ("m", "k", "n", "batch", "steps")},
        "shares_count": columns.matrix("shares"),
        "taps_count": columns.matrix("taps"),
        "first_state_ratio": size.state * first_state_ratio / first,
        "second_state_ratio": size.state * state_ratio / second,
        "input_bytes_per_element": first * columns.matrix("first_unique_ratio"),
        "second_bytes_per_element": second,
        "output_bytes_per_element": np.full((len(second), 1), size.activation),
        "partial_bytes_per_element": np.full((len(second), 1), PARTIAL_SUM_BYTES),
    }


def _group_bytes(columns: _Columns, table: OpTable, groups: _Groups, size: _Bytes) -> tuple[FloatArray, FloatArray]:
    """Bytes stored, and bytes read and written per invocation of its component, of every group of tensors (G, P)."""
    count = len(groups.names)
    weights = columns.stack([op.matrix_bytes(size.weight) for op in columns.ops[: table.matrix_rows]])
    read = table.table_bytes + columns.all_rows(weights * table.steps)
    first = table.batch * table.m * table.k * columns.matrix("first_unique_ratio") * columns.matrix("first_state_ratio")
    second = table.batch * table.k * table.n * columns.matrix("state_ratio") * ~columns.is_weight[:, None]
    moved = table.state_read_bytes + table.state_write_bytes + columns.all_rows((first + second) * size.state)
    stored = columns.sums(table.repeat * table.weights_bytes, groups.own, count)
    stored += columns.sums(table.repeat * table.state_bytes, groups.state, count)
    traffic = columns.sums(table.repeat * read, groups.own, count)
    return stored, traffic + columns.sums(table.repeat * moved * groups.state_rate, groups.state, count)


def _mean_bits(columns: _Columns, table: OpTable) -> FloatArray:
    """Stored bits per parameter, everything that belongs to a code included (P,)."""
    whole = np.zeros(len(columns.ops), dtype=np.int64)
    weights = columns.sums(table.repeat * (table.weights_bytes - columns.op("constant_bytes")), whole, 1)
    params = columns.sums(table.repeat * table.params, whole, 1)
    return (weights * u.BITS_PER_BYTE / np.maximum(params, 1.0))[0]


def _codec(columns: _Columns) -> CodecTable | None:
    """Effects of compressed weights of the products other than their bytes; None if no weights are compressed."""
    packed = [op.packed or NOTHING for op in columns.ops[: len(columns.matrices)]]
    if all(p is NOTHING for p in packed):
        return None
    work = {"multiply_add": [p.multiply_adds for p in packed], "compare": [p.compares for p in packed]}
    return CodecTable(
        mac_energy_ratio=columns.stack([p.mac_energy_ratio for p in packed]),
        mac_time_ratio=columns.stack([p.mac_time_ratio for p in packed]),
        decode_ratio=tuple(columns.stack(work[kind]) for kind in DECODE_KINDS),
        codeword_bytes_per_element=columns.stack([p.codeword_bytes for p in packed]),
    )
