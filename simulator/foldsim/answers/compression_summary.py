"""Effect of a compression on one design: bytes before and after, overhead of the codes, energy of decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from foldsim import units as u
from foldsim.designs.design import Design
from foldsim.model.evaluate import Evaluation
from foldsim.model.records import FloatArray
from foldsim.sweeps.breakdown import op_terms
from foldsim.workload.compression.apply import droppable, winner
from foldsim.workload.compression.records import LayerDropping
from foldsim.workload.compression.text import describe_method
from foldsim.workload.lowering import NOT_FOLDED, lowered_ops
from foldsim.workload.ops import BITS, Op
from foldsim.workload.spec import WorkloadSpec


@dataclass(frozen=True)
class Transformed:
    """Weight matrices and look-up tables of one class in one component."""

    component: str
    tensors: str  # class
    methods: str  # compact form
    before_params: float
    after_params: float
    before_bytes: float
    after_bytes: float
    overhead_bytes: float  # of these, scales, zero points, indices, codebooks and padding
    decode_per_chunk_uj: float  # energy of decoding; 0 where a power law covers the unit


def transformed(design: Design, result: Evaluation, at: int) -> list[Transformed]:
    """Every class of weights that the design's compression changes, in the order of the ops.

    Parameters
    ----------
    result, at : the design's evaluation, and its index there.
    """
    workload = design.spec
    if not workload.compression:
        return []
    tokens = float(round(design.chunk_ms / workload.token_ms))
    point = np.array([tokens]), np.array([float(design.folding.factor)]), design.folding
    plain = workload.model_copy(update={"compression": []})
    before: dict[tuple[str, str], FloatArray] = {}
    after: dict[tuple[str, str], FloatArray] = {}
    methods: dict[tuple[str, str], dict[str, None]] = {}
    for spec, sums in ((plain, before), (workload, after)):
        ops, owners, _ = lowered_ops(spec, *point)
        decode_uj = _decode_uj(result, at, ops) if spec is workload else np.zeros(len(ops))
        for op, owner, uj in zip(ops, owners, decode_uj.tolist(), strict=True):
            key = spec.components[owner].name, op.tensor_class
            sizes = _sizes(op, BITS[spec.precision.weights] / u.BITS_PER_BYTE)
            sums[key] = sums.get(key, np.zeros(4)) + np.array([*sizes, uj])
            if spec is plain and (op.table_bytes(1.0) or op.matrix_bytes(1.0)):
                methods.setdefault(key, {}).update(dict.fromkeys(_methods(workload, owner, op)))
    return [
        Transformed(*key, "+".join(names), old[0], new[0], old[1], new[1], new[2], new[3])
        for key, names in methods.items()
        if names
        for old, new in [(before[key].tolist(), after.get(key, np.zeros(4)).tolist())]
    ]


def _sizes(op: Op, weight_bytes: float) -> list[float]:
    """Parameters, bytes and overhead of an op's matrix and table, all its repeats."""
    params = op.table + (op.matrix.weights if op.matrix else 0.0)
    stored = op.matrix_bytes(weight_bytes) + op.table_bytes(weight_bytes)
    overhead = sum((p.overhead_bytes for p in (op.packed, op.packed_table) if p is not None), start=np.zeros(()))
    return [float(np.ravel(x * op.repeat)[0]) for x in (params, stored, overhead)]


def _methods(workload: WorkloadSpec, owner: int, op: Op) -> Iterator[str]:
    """Methods that touch an op's weights."""
    component = workload.components[owner]
    layer = op.layer.removesuffix(NOT_FOLDED)
    at = next(j for j, each in enumerate(component.layers) if each.name == layer)
    for entry in workload.compression:
        if isinstance(entry, LayerDropping):
            if at in droppable(entry, component):
                yield describe_method(entry)
        elif winner(workload.compression, entry.group, (component.name, layer, op.tensor_class)) is entry:
            yield describe_method(entry)


def _decode_uj(result: Evaluation, at: int, ops: Sequence[Op]) -> FloatArray:
    """Energy of decoding per op and chunk, in the order in which ops run."""
    shape = result.times_count.shape
    terms = [t.energy_pj for t in op_terms(result) if t.decoding]
    total = sum((np.broadcast_to(t, shape)[:, at] for t in terms), start=np.zeros(shape[0]))
    run_order = np.argsort(sorted(range(len(ops)), key=lambda i: ops[i].matrix is None))
    return total[run_order] / u.PJ_PER_UJ
