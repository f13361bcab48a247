"""The ops of a recogniser stacked to arrays over rows and points, as the model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from foldsim.workload.ops import BITS, PARTIAL_SUM_BYTES, Matrix, Op
from foldsim.workload.spec import WorkloadSpec

_NO_CALLS = 1.0e-12  # invocations per chunk: keeps the rate of a component that never runs finite
GROUP_CLASSES = ("weights", "table", "state")


@dataclass(frozen=True)
class _Bytes:
    """Bytes of one element: of stored weights, of activations and of state."""

    weight: float
    activation: float
    state: float


def stacked(
    workload: WorkloadSpec, ops: Sequence[Op], component: IntArray, calls: FloatArray, chunk_s: FloatArray
) -> tuple[Recogniser, FloatArray]:
    """The model's record of a recogniser, and the stored bits per parameter (P,).

    Parameters
    ----------
    ops, component : R ops with those that have a matrix product first, and the component of each.
    calls : invocations per chunk of every component (C, P).
    chunk_s : (P,).
    """
    points = chunk_s.shape[0]
    precision = workload.precision
    formats = (precision.weights, precision.activations, precision.state)
    size = _Bytes(*(BITS[name] / u.BITS_PER_BYTE for name in formats))
    names = [c.name for c in workload.components]
    beam = float(workload.decoding.beam_count)  # every hypothesis has its own state
    copies = [1.0 if "chunk" in c.invoked_per else beam for c in workload.components]
    state_component = [
        names.index(op.state_of) if op.state_of else int(c) for op, c in zip(ops, component, strict=True)
    ]
    groups = [(c, kind) for c in range(len(names)) for kind in GROUP_CLASSES]
    own_kind = ["table" if np.any(op.table) else "weights" for op in ops]
    stored_bytes, read_bytes = _group_bytes(
        ops, component, np.array(state_component), own_kind, groups, (size.weight, size.state), copies, calls
    )
    used = [g for g in range(len(groups)) if np.any(stored_bytes[g] > 0)]
    number_of = np.full(len(groups) + 1, -1)
    number_of[used] = np.arange(len(used))
    own_group = [groups.index((c, kind)) for c, kind in zip(component, own_kind, strict=True)]
    state_group = [groups.index((c, "state")) for c in state_component]
    stored = [op.stored_bytes(size.weight) for op in ops]
    table = OpTable(
        component=component,
        group=number_of[np.array(own_group, dtype=np.int64)],
        state_group=number_of[np.array(state_group, dtype=np.int64)],
        unit=np.zeros(len(ops), dtype=np.int64),
        **_product_rows([op for op in ops if op.matrix is not None], size, points),
        **_op_rows(ops, size, [copies[c] for c in component], stored, points),
    )
    recogniser = Recogniser(
        ops=table,
        component_names=tuple(names),
        group_names=tuple(f"{names[groups[g][0]]} {groups[g][1]}" for g in used),
        group_component=np.array([groups[g][0] for g in used], dtype=np.int64),
        group_is_state=np.array([groups[g][1] == "state" for g in used], dtype=bool),
        group_bytes=stored_bytes[used],
        group_traffic_bytes=read_bytes[used],
        invocations_per_chunk=calls,
        chunk_s=chunk_s,
        right_context_s=np.full(points, workload.lookahead_ms / u.MS_PER_S),
    )
    return recogniser, _mean_bits(ops, stored, points)


def _rows(values: Sequence[Number], points: int, full: bool = False) -> FloatArray:
    """Values as an array (R, P), or (R, 1) if none depends on the point; ``full``: (R, P) in any case."""
    varies = full or any(isinstance(value, np.ndarray) and value.size > 1 for value in values)
    out = np.empty((len(values), points if varies else 1))
    for row, value in zip(out, values, strict=True):
        row[:] = value
    return out


def _product_rows(ops: Sequence[Op], size: _Bytes, points: int) -> dict[str, Any]:
    """Fields of the op table that only matrix products have."""
    products = [op.matrix for op in ops if op.matrix is not None]
    second = [_second_bytes(op, product, size) for op, product in zip(ops, products, strict=True)]
    first = [size.state * p.first_state_ratio + size.activation * (1.0 - p.first_state_ratio) for p in products]
    fields: dict[str, list[Number]] = {
        **{name: [getattr(p, name) for p in products] for name in ("m", "k", "n", "batch", "steps")},
        "second_state_ratio": [size.state * p.state_ratio / b for p, b in zip(products, second, strict=True)],
        "shares_count": [p.shares for p in products],
        "first_state_ratio": [size.state * p.first_state_ratio / b for p, b in zip(products, first, strict=True)],
        "input_bytes_per_element": [b * p.first_unique_ratio for p, b in zip(products, first, strict=True)],
        "second_bytes_per_element": second,
        "output_bytes_per_element": [size.activation] * len(products),
        "partial_bytes_per_element": [PARTIAL_SUM_BYTES] * len(products),
        "taps_count": [p.taps for p in products],
    }
    return {
        "matrix_rows": len(products),
        "second_is_weight": np.array([p.second == "weights" for p in products], dtype=bool),
        "channelwise": np.array([p.channelwise for p in products], dtype=bool),
        "codec": _codec(ops, points),
        **{name: _rows(values, points) for name, values in fields.items()},
    }


def _second_bytes(op: Op, product: Matrix, size: _Bytes) -> Number:
    """Bytes per element of the second operand: stored weights, or state and activations."""
    if product.second == "weights":
        return op.bytes_per_weight(size.weight)
    return size.state * product.state_ratio + size.activation * (1.0 - product.state_ratio)


def _op_rows(
    ops: Sequence[Op], size: _Bytes, copies: Sequence[float], stored: Sequence[Number], points: int
) -> dict[str, Any]:
    """Fields of the op table that every op has."""
    act, state = size.activation, size.state
    fields: dict[str, list[Number]] = {
        "repeat": [op.repeat for op in ops],
        "input_bytes": [op.inputs * act + op.fixed_input_bytes for op in ops],
        "output_bytes": [op.outputs * act for op in ops],
        "table_bytes": [op.read_bytes(size.weight) for op in ops],
        "state_read_bytes": [op.state_read * state + op.fixed_state_bytes for op in ops],
        "state_write_bytes": [op.state_write * state + op.fixed_state_bytes for op in ops],
        "input_outside": [float(op.from_outside) for op in ops],
        "output_outside": [float(op.to_outside) for op in ops],
        "kernels": [op.matrix.steps if op.matrix else 1.0 for op in ops],
        "moved_count": [op.moved for op in ops],
        "calls_count": [np.nan if op.calls is None else op.calls for op in ops],
        "params": [op.params for op in ops],
        "weights_bytes": list(stored),
        "state_bytes": [(op.state * state + op.fixed_state_bytes) * copy for op, copy in zip(ops, copies, strict=True)],
    }
    return {
        **{name: _rows(values, points) for name, values in fields.items()},
        "live_bytes": _rows([op.live * act for op in ops], points, full=True),
        "vector": tuple(_rows([getattr(op, kind) for op in ops], points) for kind in VECTOR_KINDS),
    }


def _codec(ops: Sequence[Op], points: int) -> CodecTable | None:
    """Effects of compressed weights of the products other than their bytes; None if no weight is compressed."""
    packed = [op.packed or NOTHING for op in ops]
    if all(p is NOTHING for p in packed):
        return None
    work = {"multiply_add": [p.multiply_adds for p in packed], "compare": [p.compares for p in packed]}
    return CodecTable(
        mac_energy_ratio=_rows([p.mac_energy_ratio for p in packed], points),
        mac_time_ratio=_rows([p.mac_time_ratio for p in packed], points),
        decode_ratio=tuple(_rows(work[kind], points) for kind in DECODE_KINDS),
        codeword_bytes_per_element=_rows([p.codeword_bytes for p in packed], points),
    )


def _mean_bits(ops: Sequence[Op], stored_bytes: Sequence[Number], points: int) -> FloatArray:
    """Stored bits per parameter, all that belongs to a code included (P,)."""
    weights, params = np.zeros(points), np.zeros(points)
    for op, stored in zip(ops, stored_bytes, strict=True):
        weights += op.repeat * (stored - op.constant_bytes)
        params += op.repeat * op.params
    return weights * u.BITS_PER_BYTE / np.maximum(params, 1.0)


def _group_bytes(
    ops: Sequence[Op],
    component: IntArray,
    state_owner: IntArray,
    own_kind: Sequence[str],
    groups: Sequence[tuple[int, str]],
    bytes_per: tuple[float, float],
    copies: Sequence[float],
    calls: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Bytes stored, and bytes read and written per invocation of its component, of every group of tensors (G, P)."""
    weight, state = bytes_per
    points = calls.shape[1]
    stored = np.zeros((len(groups), points))
    read = np.zeros((len(groups), points))
    for op, c, owner, kind in zip(ops, component, state_owner, own_kind, strict=True):
        g = groups.index((c, kind))
        stored[g] += op.repeat * op.stored_bytes(weight)
        read[g] += op.repeat * op.read_bytes(weight)
        if op.matrix is not None:
            read[g] += op.repeat * op.matrix_bytes(weight) * op.matrix.steps
        s = groups.index((owner, "state"))
        stored[s] += op.repeat * (op.state * state + op.fixed_state_bytes) * copies[c]
        moved = (op.state_read + op.state_write) * state + 2.0 * op.fixed_state_bytes
        if op.matrix is not None:
            product = op.matrix
            distinct = product.batch * product.m * product.k * product.first_unique_ratio
            moved = moved + distinct * product.first_state_ratio * state
            if product.second == "activations":
                moved = moved + product.batch * product.k * product.n * product.state_ratio * state
        # State of another component counts in that component's invocations.
        rate = 1.0 if owner == c else calls[c] / np.maximum(calls[owner], _NO_CALLS)
        read[s] += op.repeat * moved * rate
    return stored, read
