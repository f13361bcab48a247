"""From a workload description to the model's op table, for many chunk sizes and folding factors at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
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
from foldsim.workload.component import Component
from foldsim.workload.compression.apply import compressed, kept_repeats
from foldsim.workload.compression.codec import NOTHING
from foldsim.workload.folding import layer_numbers
from foldsim.workload.ops import BITS, PARTIAL_SUM_BYTES, Context, Op
from foldsim.workload.spec import FoldingSpec, WorkloadSpec

_NO_CALLS = 1.0e-12  # invocations per chunk: keeps the rate of a component that never runs finite
NOT_FOLDED = " (not folded)"  # ends the name of the rest of a group of layers of which some are folded
GROUP_CLASSES = ("weights", "table", "state")


@dataclass(frozen=True)
class RowName:
    """What a row of the op table is."""

    component: str
    layer: str
    op: str


@dataclass(frozen=True)
class Lowered:
    """A recogniser at P design points, with the names of its op rows."""

    recogniser: Recogniser
    rows: tuple[RowName, ...]
    run_order: IntArray  # (R,) row numbers in the order in which the ops run
    weight_bits: FloatArray  # (P,) mean stored bits per parameter

    def take(self, index: IntArray) -> Lowered:
        """Pick (and repeat) design points."""
        r = self.recogniser
        varying: dict[str, Any] = {
            f.name: _take(getattr(r.ops, f.name), index) for f in fields(OpTable) if f.name not in _ROW_FIELDS
        }
        varying["live_bytes"] = r.ops.live_bytes[:, index]  # the one field that is (R, P) even where P is 1
        ops = replace(r.ops, **varying)
        return replace(
            self,
            weight_bits=self.weight_bits[index],
            recogniser=replace(
                r,
                ops=ops,
                group_bytes=r.group_bytes[:, index],
                group_traffic_bytes=r.group_traffic_bytes[:, index],
                invocations_per_chunk=r.invocations_per_chunk[:, index],
                chunk_s=r.chunk_s[index],
                right_context_s=r.right_context_s[index],
            ),
        )


# Fields of the op table that describe rows, not points; and those constant over points, kept (R, 1).
_ROW_FIELDS = ("component", "group", "state_group", "unit", "matrix_rows", "second_is_weight", "channelwise")


def _take(values: Any, index: IntArray) -> Any:
    """Points of an array (R, P) or (R, 1), or of a tuple or record of such."""
    if isinstance(values, tuple):
        return tuple(_take(v, index) for v in values)
    if isinstance(values, CodecTable):
        return CodecTable(**{f.name: _take(getattr(values, f.name), index) for f in fields(values)})
    if values is None:
        return None
    return values if values.shape[1] == 1 else values[:, index]


def lower(
    workload: WorkloadSpec,
    chunk_tokens: FloatArray,
    fold_factor: FloatArray,
    folding: FoldingSpec | None = None,
    left_context_tokens: FloatArray | None = None,
) -> Lowered:
    """Lower a workload at P design points.

    Parameters
    ----------
    chunk_tokens, fold_factor : shape (P,). A factor of 1 is the unfolded model.
    folding : which layers, scope and head policy; its own factor is not used. None: all layers, attention only.
    left_context_tokens : shape (P,); the workload's own at every point if left out.
    """
    chunk_tokens = np.asarray(chunk_tokens, dtype=np.float64)
    chunk_s = chunk_tokens * workload.token_ms / u.MS_PER_S
    ops, component_of, calls = lowered_ops(workload, chunk_tokens, fold_factor, folding, left_context_tokens)
    return _stack(workload, ops, component_of, calls, chunk_s)


def lowered_ops(
    workload: WorkloadSpec,
    chunk_tokens: FloatArray,
    fold_factor: FloatArray,
    folding: FoldingSpec | None = None,
    left_context_tokens: FloatArray | None = None,
) -> tuple[list[Op], list[int], FloatArray]:
    """Ops in the order in which they run, the component of each, and invocations per chunk of every component (C, P).

    Parameters are those of :func:`lower`.
    """
    shape = chunk_tokens.shape
    chunk_s = chunk_tokens * workload.token_ms / u.MS_PER_S
    folding = folding or FoldingSpec(factor=1)
    foldable = len(workload.foldable_layers())
    chosen = set(layer_numbers(folding.layers, foldable)) if foldable else set()
    beam = float(workload.decoding.beam_count)
    batched = workload.decoding.beam_batched
    streams = float(workload.streaming.streams_count)
    ops: list[Op] = []
    component_of: list[int] = []
    calls = np.zeros((len(workload.components), *shape))
    kept = kept_repeats(workload.components, workload.compression)
    left: Number = float(workload.streaming.left_context_tokens)
    if left_context_tokens is not None:
        left = np.asarray(left_context_tokens, dtype=np.float64)
    bits = BITS[workload.precision.weights], BITS[workload.precision.activations]
    number = 0
    for index, component in enumerate(workload.components):
        per_chunk = "chunk" in component.invoked_per
        calls[index] = _invocations(component, workload, chunk_tokens, chunk_s, 1.0 if batched else beam)
        context = replace(
            workload.context(chunk_tokens),
            left_context_tokens=left,
            symbols_per_chunk=_symbols(workload, chunk_s),
            rows_per_call=beam if batched and not per_chunk else 1.0,
            per_chunk=per_chunk,
        )
        for at, layer in enumerate(component.layers):
            layers = kept.get((index, at), layer.repeat)
            parts: list[tuple[str, float, Context]] = [(layer.name, float(layers), context)]
            if layer.foldable:
                folded = sum(n in chosen for n in range(number + 1, number + layers + 1))
                number += layers
                folds = replace(
                    context,
                    fold_factor=fold_factor,
                    fold_feedforward=folding.scope != "attention",
                    fold_keeps_head_dim=folding.heads == "keep_head_dim",
                )
                parts = [
                    (layer.name, float(folded), folds),
                    (layer.name + (NOT_FOLDED if folded else ""), float(layers - folded), context),
                ]
            for name, repeat, where in parts:
                if repeat:
                    at_rate = where.at_rate(layer.downsampling)
                    lowered = compressed(workload.compression, bits, component.name, layer.name, layer.lower(at_rate))
                    lowered = with_calls(lowered, layer.framework_calls(where.fold_factor))
                    ops += [op.for_streams(streams).within(name, repeat) for op in lowered]
                    component_of += [index] * (len(ops) - len(component_of))
    return ops, component_of, calls


def with_calls(ops: Iterable[Op], calls: Number | None) -> Iterator[Op]:
    """The ops of a layer with its calls of the runtime.

    Products with weights keep their own overhead; the first of the other ops stands for all calls beside them.
    """
    if calls is None:
        yield from ops
        return
    for op in ops:
        if op.matrix is not None and op.matrix.second == "weights":
            yield op
        else:
            yield replace(op, calls=calls)
            calls = 0.0


def _symbols(workload: WorkloadSpec, chunk_s: FloatArray) -> FloatArray:
    """Symbols emitted per chunk (P,)."""
    return workload.decoding.symbols_per_s.value * chunk_s + workload.decoding.end_symbols_count


def _invocations(
    component: Component,
    workload: WorkloadSpec,
    chunk_tokens: FloatArray,
    chunk_s: FloatArray,
    copies: float,
) -> FloatArray:
    """Invocations of a component per chunk (P,)."""
    rates = {
        "chunk": np.ones_like(chunk_s),
        "symbol": _symbols(workload, chunk_s) * copies,
        "output_frame": (chunk_tokens - workload.audio.edge_tokens) / workload.audio.output_stride_tokens * copies,
        "utterance": chunk_s / workload.utterance_s if workload.utterance_s else np.zeros_like(chunk_s),
    }
    share = component.run_ratio.value if component.run_ratio else 1.0
    return share * np.sum([rates[event] for event in component.invoked_per], axis=0)


def _stack(
    workload: WorkloadSpec,
    ops: Sequence[Op],
    component_of: Sequence[int],
    calls: FloatArray,
    chunk_s: FloatArray,
) -> Lowered:
    """Sort matrix rows first, apply precision, and stack to arrays (R, P) or (R, 1)."""
    order = sorted(range(len(ops)), key=lambda i: ops[i].matrix is None)
    ops = [ops[i] for i in order]
    component = np.array([component_of[i] for i in order])
    products = [op.matrix for op in ops if op.matrix is not None]
    points = chunk_s.shape[0]
    weight, act, state = (
        BITS[p] / u.BITS_PER_BYTE
        for p in (workload.precision.weights, workload.precision.activations, workload.precision.state)
    )

    def rows(values: Sequence[Number], full: bool = False) -> FloatArray:
        arrays = [np.asarray(v, dtype=np.float64) for v in values]
        width = points if full or any(a.size > 1 for a in arrays) else 1
        return np.ascontiguousarray(
            np.stack([np.broadcast_to(a.reshape(-1) if a.ndim else a, (width,)) for a in arrays])
        )

    names = [c.name for c in workload.components]
    state_component = [
        names.index(op.state_of) if op.state_of else int(c) for op, c in zip(ops, component, strict=True)
    ]
    groups = [(c, kind) for c in range(len(names)) for kind in GROUP_CLASSES]
    beam = float(workload.decoding.beam_count)  # every hypothesis has its own state
    copies = [1.0 if "chunk" in c.invoked_per else beam for c in workload.components]
    own_kind = ["table" if np.any(op.table) else "weights" for op in ops]
    stored = [op.stored_bytes(weight) for op in ops]
    read = [op.read_bytes(weight) for op in ops]
    is_weight = np.array([p.second == "weights" for p in products], dtype=bool)
    second = [
        op.bytes_per_weight(weight) if p.second == "weights" else state * p.state_ratio + act * (1.0 - p.state_ratio)
        for op, p in zip(ops, products, strict=False)
    ]
    first = [state * p.first_state_ratio + act * (1.0 - p.first_state_ratio) for p in products]
    # A recogniser without matrix products still has (0, 1) arrays.
    empty = np.zeros((0, 1))

    def matrix(name: str) -> FloatArray:
        return rows([getattr(p, name) for p in products]) if products else empty

    table = OpTable(
        component=component,
        group=np.array([groups.index((c, kind)) for c, kind in zip(component, own_kind, strict=True)]),
        state_group=np.array([groups.index((c, "state")) for c in state_component]),
        unit=np.zeros(len(ops), dtype=np.int64),
        matrix_rows=len(products),
        second_is_weight=is_weight,
        channelwise=np.array([p.channelwise for p in products], dtype=bool),
        repeat=rows([op.repeat for op in ops]),
        m=matrix("m"),
        k=matrix("k"),
        n=matrix("n"),
        batch=matrix("batch"),
        steps=matrix("steps"),
        second_state_ratio=rows([state * p.state_ratio / b for p, b in zip(products, second, strict=True)])
        if products
        else empty,
        shares_count=matrix("shares"),
        first_state_ratio=rows([state * p.first_state_ratio / b for p, b in zip(products, first, strict=True)])
        if products
        else empty,
        input_bytes_per_element=rows([b * p.first_unique_ratio for p, b in zip(products, first, strict=True)])
        if products
        else empty,
        second_bytes_per_element=rows(second) if products else empty,
        output_bytes_per_element=rows([act] * len(products)) if products else empty,
        partial_bytes_per_element=rows([PARTIAL_SUM_BYTES] * len(products)) if products else empty,
        input_bytes=rows([op.inputs * act + op.fixed_input_bytes for op in ops]),
        output_bytes=rows([op.outputs * act for op in ops]),
        table_bytes=rows(read),
        state_read_bytes=rows([op.state_read * state + op.fixed_state_bytes for op in ops]),
        state_write_bytes=rows([op.state_write * state + op.fixed_state_bytes for op in ops]),
        input_outside=np.array([[float(op.from_outside)] for op in ops]),
        output_outside=np.array([[float(op.to_outside)] for op in ops]),
        vector=tuple(rows([getattr(op, kind) for op in ops]) for kind in VECTOR_KINDS),
        kernels=rows([op.matrix.steps if op.matrix else 1.0 for op in ops]),
        moved_count=rows([op.moved for op in ops]),
        calls_count=rows([np.nan if op.calls is None else op.calls for op in ops]),
        live_bytes=rows([op.live * act for op in ops], full=True),
        params=rows([op.params for op in ops]),
        weights_bytes=rows(stored),
        state_bytes=rows(
            [(op.state * state + op.fixed_state_bytes) * copies[c] for op, c in zip(ops, component, strict=True)]
        ),
        codec=_codec(ops[: len(products)], rows),
        taps_count=matrix("taps"),
    )
    owners = np.array(state_component)
    stored_bytes, read_bytes = _group_bytes(ops, component, owners, own_kind, groups, (weight, state), copies, calls)
    used = [g for g in range(len(groups)) if np.any(stored_bytes[g] > 0)]
    renumber = np.full(len(groups) + 1, -1)
    renumber[used] = np.arange(len(used))
    table = replace(table, group=renumber[table.group], state_group=renumber[table.state_group])
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
    names_of_rows = tuple(RowName(names[c], op.layer, op.name) for c, op in zip(component, ops, strict=True))
    return Lowered(recogniser, names_of_rows, np.argsort(order), _mean_bits(ops, stored, points))


def _mean_bits(ops: Sequence[Op], stored_bytes: Sequence[Number], points: int) -> FloatArray:
    """Stored bits per parameter, all that belongs to a code included (P,)."""
    weights, params = np.zeros(points), np.zeros(points)
    for op, stored in zip(ops, stored_bytes, strict=True):
        weights += op.repeat * (stored - op.constant_bytes)
        params += op.repeat * op.params
    return weights * u.BITS_PER_BYTE / np.maximum(params, 1.0)


def _codec(ops: Sequence[Op], rows: Callable[[Sequence[Number]], FloatArray]) -> CodecTable | None:
    """What compressed weights of the products change besides their bytes."""
    packed = [op.packed or NOTHING for op in ops]
    if all(p is NOTHING for p in packed):
        return None
    work = {"multiply_add": rows([p.multiply_adds for p in packed]), "compare": rows([p.compares for p in packed])}
    return CodecTable(
        mac_energy_ratio=rows([p.mac_energy_ratio for p in packed]),
        mac_time_ratio=rows([p.mac_time_ratio for p in packed]),
        decode_ratio=tuple(work[kind] for kind in DECODE_KINDS),
        codeword_bytes_per_element=rows([p.codeword_bytes for p in packed]),
    )


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
