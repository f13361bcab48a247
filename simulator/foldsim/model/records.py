"""Inputs of the model: frozen records of arrays over design points.

Shapes: ``P`` design points, ``R`` ops (rows of the op table), ``C`` components, ``G`` groups of persistent tensors.
Every hardware parameter is a float or an array of shape ``(P,)``; every op parameter has shape ``(R, P)``. The records
are independent of YAML, files and chip names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Number = float | FloatArray  # scalar or shape (P,)

VECTOR_KINDS = ("exp", "divide", "multiply_add", "compare")
OP_CLASSES = ("linear", "attention", "vector")  # products with weights, products of activations, all other ops
DECODE_KINDS = ("multiply_add", "compare")  # the vector work of decoding compressed weights
RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class CodecTable:
    """Effects of compressed weights other than their bytes, by product. Shape ``(matrix_rows, P)`` or ``(.., 1)``."""

    mac_energy_ratio: FloatArray  # energy over that of as many full MACs: zeros gated, short multipliers
    mac_time_ratio: FloatArray  # length of the executed reduction over k: zeros skipped
    decode_ratio: tuple[FloatArray, ...]  # elements of vector work per weight fetched to the array, by DECODE_KINDS
    codeword_bytes_per_element: FloatArray  # read from the innermost level per weight fetched, to look it up


@dataclass(frozen=True)
class OpTable:
    """Ops of a whole recogniser, matrix products first.

    Rows ``[:matrix_rows]`` are products of ``batch`` times ``(m x k)(k x n)``, executed ``steps`` times in sequence;
    the rest is vector, state and table work. A row represents ``repeat`` identical instances. All counts are for
    **one** instance in one invocation of its component. Shape ``(R, P)``, or ``(R, 1)`` where no row varies over
    points, unless a comment gives another; ``live_bytes`` is always ``(R, P)``.
    """

    component: IntArray  # (R,) index of the component
    group: IntArray  # (R,) group that holds the op's weights; -1 = none
    state_group: IntArray  # (R,) group that holds the op's state; -1 = none
    unit: IntArray  # (R,) index of the compute unit that runs the op
    matrix_rows: int
    second_is_weight: BoolArray  # (matrix_rows,) second operand is a weight; else activations and state
    channelwise: BoolArray  # (matrix_rows,) batch counts channels, which SIMD units map to their columns
    repeat: FloatArray
    m: FloatArray  # (matrix_rows, P)
    k: FloatArray  # (matrix_rows, P)
    n: FloatArray  # (matrix_rows, P)
    batch: FloatArray  # (matrix_rows, P)
    steps: FloatArray  # (matrix_rows, P)
    second_state_ratio: FloatArray  # (matrix_rows, P) share of the bytes of a non-weight second operand that is state
    shares_count: FloatArray  # (matrix_rows, P) equal parts assigned to cores; 0: column tiles of all products are
    first_state_ratio: FloatArray  # (matrix_rows, P) share of the bytes of the first operand that is state
    input_bytes_per_element: FloatArray  # (matrix_rows, P); below the format's where elements repeat (convolutions)
    second_bytes_per_element: FloatArray  # (matrix_rows, P)
    output_bytes_per_element: FloatArray  # (matrix_rows, P)
    partial_bytes_per_element: FloatArray  # (matrix_rows, P) partial sums
    input_bytes: FloatArray  # activations read by a vector row (0 for matrix rows)
    output_bytes: FloatArray  # activations written by a vector row (0 for matrix rows)
    table_bytes: FloatArray  # weights read in addition to a matrix operand: biases, norms, embedding rows
    state_read_bytes: FloatArray  # state read in addition to a matrix operand
    state_write_bytes: FloatArray
    input_outside: FloatArray  # (R, 1) 1 where the input arrives from outside the recogniser (outermost level)
    output_outside: FloatArray  # (R, 1) 1 where the result leaves to the outside
    vector: tuple[FloatArray, ...]  # elements of work by VECTOR_KINDS
    kernels: FloatArray
    moved_count: FloatArray  # elements that eager code copies to change their layout
    calls_count: FloatArray  # calls of the runtime; NaN where the layer does not count them
    live_bytes: FloatArray  # activations alive while the op runs
    params: FloatArray
    weights_bytes: FloatArray  # stored bytes, constant tables included
    state_bytes: FloatArray  # stored bytes, beam copies included
    codec: CodecTable | None = None  # None: no weights are compressed
    taps_count: FloatArray | None = None  # (matrix_rows, P) positions of a kernel in the reduction k; None: one


@dataclass(frozen=True)
class Recogniser:
    """A workload at P design points."""

    ops: OpTable
    component_names: tuple[str, ...]
    group_names: tuple[str, ...]
    group_component: IntArray  # (G,)
    group_is_state: BoolArray  # (G,)
    group_bytes: FloatArray  # (G, P) stored bytes
    group_traffic_bytes: FloatArray  # (G, P) bytes read and written by one invocation of the component
    invocations_per_chunk: FloatArray  # (C, P)
    chunk_s: FloatArray  # (P,)
    right_context_s: FloatArray  # (P,)


@dataclass(frozen=True)
class EfficiencyCurve:
    """Array efficiency over the rows m of a product: linear in log2 m between points, constant outside them."""

    rows_count: tuple[Number, ...]
    efficiency_ratio: tuple[Number, ...]


@dataclass(frozen=True)
class AttentionRate:
    """Rate of products of activations whose number format differs from that of products with weights."""

    macs_per_cycle: Number
    efficiency: EfficiencyCurve | None  # None: that of the unit


@dataclass(frozen=True)
class StreamGrid:
    """Share of the outermost level's bandwidth when weights are streamed, over rows of the product and run length."""

    rows_count: tuple[Number, ...]
    run_bytes: tuple[Number, ...]  # contiguous bytes of one reduction
    stream_ratio: tuple[tuple[Number, ...], ...]  # by rows, by run


@dataclass(frozen=True)
class PowerLawParams:
    """Power of one core: static plus dynamic proportional to clock and squared voltage."""

    static_mw: Number
    dynamic_uw_per_mhz_v2: Number
    activity_ratio: Number
    stalled_ratio: Number


@dataclass(frozen=True)
class UnitParams:
    """A compute unit at the reference operating point. Energies in pJ, powers in mW, times in s, clocks in Hz."""

    name: str
    weight_stationary: bool
    cores_count: Number
    clock_hz: Number
    unroll_m_count: Number
    unroll_k_count: Number
    unroll_n_count: Number
    register_rows_count: Number
    weight_load_rows_per_cycle: Number
    weight_load_hidden_ratio: Number
    efficiency_ratio: Number
    macs_per_cycle: Number
    energy_pj_per_mac: Number
    vector_per_cycle: tuple[Number, ...]  # by VECTOR_KINDS
    vector_pj: tuple[Number, ...]
    static_mw: Number
    idle_mw: Number
    dispatch_s: Number
    overlap_ratio: Number
    channelwise_efficiency_ratio: Number = 1.0  # of a depthwise convolution, multiplies efficiency_ratio
    walks_kernels: bool = False  # the unrolled reduction covers channels of one kernel position only
    power_law: PowerLawParams | None = None  # replaces the energies of MACs and vector work
    efficiency: EfficiencyCurve | None = None  # multiplies efficiency_ratio
    # Kernel library of the number format; None where the fields above apply.
    attention: AttentionRate | None = None
    stream: StreamGrid | None = None
    dispatch_by_op_s: tuple[Number, ...] | None = None  # by OP_CLASSES
    copy_per_cycle: Number | None = None  # elements copied per cycle and core; None: copies take no time
    call_s: Number | None = None  # of one call of the runtime, for ops that count their calls
    stream_overlap_ratio: Number | None = None  # of transfers of the outermost level with everything else
    columns_per_pass_count: Number | None = None  # of a library that does not tile
    vector_stream_ratio: Number | None = None  # share of the outermost level's bandwidth for element-wise ops


@dataclass(frozen=True)
class LevelParams:
    """A memory level. Bandwidth in bytes/s."""

    name: str
    is_cache: bool
    on_chip: bool
    keeps_data: bool
    writable: bool
    core_clock: bool
    capacity_bytes: Number
    usable_ratio: Number
    bandwidth_bytes_per_s: Number
    bandwidth_efficiency_ratio: Number
    read_pj_per_byte: Number
    write_pj_per_byte: Number
    static_mw: Number
    retention_mw: Number
    background_active_mw: Number  # DRAM only, multiplied by the share charged to the workload
    background_idle_mw: Number
    read_in_place: bool = False  # weights are read from where they are stored, not copied inwards
    read_cache_bytes: Number = 0.0  # cache in front of a level that is read in place


@dataclass(frozen=True)
class SystemParams:
    """The rest of the chip."""

    idle_mw: Number
    busy_mw: Number
    wake_uj: Number
    wake_s: Number
    runtime_bytes: Number


@dataclass(frozen=True)
class PointParams:
    """An operating point.

    NaN values: ``static_mw`` scales with the voltage; ``law_dynamic_mw`` (of one core of the first unit) follows the
    power law; ``idle_mw`` is the same at all points.
    """

    frequency_hz: Number
    voltage_v: Number
    static_mw: Number
    law_dynamic_mw: Number = float("nan")
    idle_mw: Number = float("nan")


@dataclass(frozen=True)
class Hardware:
    """One chip; every numeric parameter may be an array over design points."""

    units: tuple[UnitParams, ...]
    levels: tuple[LevelParams, ...]  # innermost first
    system: SystemParams
    points: tuple[PointParams, ...]
    point_names: tuple[str, ...]
    reference: int  # index of the operating point at which the parameters are valid


class StructureError(ValueError):
    """Records that differ in more than their numeric values."""


def map_numbers(function: Callable[[Sequence[Any]], Any], records: Sequence[RecordT]) -> RecordT:
    """Rebuild a record field by field, calling ``function`` on the values of the same field in all records.

    Fields that are None, text, flags or integers must agree between the records and are copied.

    Raises
    ------
    StructureError
        If the records differ in structure (names, flags, absent parts, number of levels ...).
    """
    rebuilt: RecordT = _map(function, records)
    return rebuilt


def _map(function: Callable[[Sequence[Any]], Any], parts: Sequence[Any]) -> Any:
    first = parts[0]
    if any((p is None) != (first is None) for p in parts):
        raise StructureError("records differ in structure")
    if is_dataclass(first) and not isinstance(first, type):
        return type(first)(**{f.name: _map(function, [getattr(p, f.name) for p in parts]) for f in fields(first)})
    if isinstance(first, tuple):
        if len({len(p) for p in parts}) != 1:
            raise StructureError("records differ in structure")
        return tuple(_map(function, same) for same in zip(*parts, strict=True))
    if first is None or isinstance(first, (bool, str, int)):
        if any(p != first for p in parts):
            raise StructureError("records differ in structure")
        return first
    return function(parts)


def stack(records: Sequence[RecordT]) -> RecordT:
    """Stack V records of scalars into one record of arrays of shape (V,).

    Raises :class:`StructureError` as :func:`map_numbers` does.
    """
    return map_numbers(lambda numbers: np.asarray(numbers, dtype=np.float64), records)


def take(record: RecordT, index: IntArray) -> RecordT:
    """Select design points from a record of arrays (V,); returns arrays (len(index),). Scalars stay scalars."""
    return map_numbers(lambda numbers: numbers[0] if np.ndim(numbers[0]) == 0 else numbers[0][index], [record])
