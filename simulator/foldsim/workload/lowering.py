"""A workload description lowered to the model's op table, at many chunk sizes and folding factors together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from foldsim import units as u
from foldsim.model.records import CodecTable, FloatArray, IntArray, Number, OpTable, Recogniser
from foldsim.workload.component import Component
from foldsim.workload.compression.apply import compressed, kept_repeats
from foldsim.workload.folding import layer_numbers
from foldsim.workload.ops import BITS, Context, Op
from foldsim.workload.spec import FoldingSpec, WorkloadSpec
from foldsim.workload.stacking import stack_ops

NOT_FOLDED = " (not folded)"  # suffix of the unfolded layers of a partly folded group


class RowName(NamedTuple):
    """Names of a row of the op table."""

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
    left_context_tokens : shape (P,); the workload's by default.
    """
    chunk_tokens = np.asarray(chunk_tokens, dtype=np.float64)
    chunk_s = chunk_tokens * workload.token_ms / u.MS_PER_S
    ops, component_of, calls = lowered_ops(workload, chunk_tokens, fold_factor, folding, left_context_tokens)
    stacked = stack_ops(workload, ops, component_of, calls, chunk_s)
    names, component = stacked.recogniser.component_names, stacked.recogniser.ops.component.tolist()
    rows = tuple(RowName(names[c], op.layer, op.name) for c, op in zip(component, stacked.ops, strict=True))
    return Lowered(stacked.recogniser, rows, stacked.run_order, stacked.weight_bits)


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
                    ops += [op.for_streams(streams).changed(layer=name, repeat=repeat) for op in lowered]
                    component_of += [index] * (len(ops) - len(component_of))
    return ops, component_of, calls


def with_calls(ops: Iterable[Op], calls: Number | None) -> Iterator[Op]:
    """The ops of a layer with its calls of the runtime, all on the first op that is not a product with weights."""
    if calls is None:
        yield from ops
        return
    for op in ops:
        if op.matrix is not None and op.matrix.second == "weights":
            yield op
        else:
            yield op.changed(calls=calls)
            calls = 0.0


def _symbols(workload: WorkloadSpec, chunk_s: FloatArray) -> FloatArray:
    """Symbols emitted per chunk (P,)."""
    return workload.decoding.symbols_per_s.value * chunk_s + workload.decoding.end_symbols_count


def _invocations(
    component: Component, workload: WorkloadSpec, chunk_tokens: FloatArray, chunk_s: FloatArray, copies: float
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
