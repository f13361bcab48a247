"""What the model works on: frozen records of arrays over design points.

Shapes: ``P`` design points, ``R`` ops (rows of the op table), ``C`` components, ``G`` groups of persistent tensors.
Every hardware number is a float or an array of shape ``(P,)``; every op number has shape ``(R, P)``. The records know
no YAML, no files and no names of chips.
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
OP_CLASSES = ("linear", "attention", "vector")  # products with weights, products of activations, everything else
DECODE_KINDS = ("multiply_add", "compare")  # of these, what decoding compressed weights takes
RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class CodecTable:
    """What compressed weights change besides their bytes, by product. Shape ``(matrix_rows, P)`` or ``(.., 1)``."""

    mac_energy_ratio: FloatArray  # energy of the MACs over that of as many full ones: zeros gated, short multipliers
    mac_time_ratio: FloatArray  # length of the reduction that the array sees over k: zeros skipped
    decode_ratio: tuple[FloatArray, ...]  # elements of vector work per weight fetched to the array, by DECODE_KINDS
    codeword_bytes_per_element: FloatArray  # read from the innermost level per weight fetched, to look it up


@dataclass(frozen=True)
class OpTable:
    """Ops of a whole recogniser, matrix products first.

    Rows ``[:matrix_rows]`` are products of ``batch`` times ``(m x k)(k x n)``, done ``steps`` times in sequence; the
    rest is vector, state and table work. A row stands for ``repeat`` identical instances of it. All counts are for
    **one** instance in one invocation of its component. Shape ``(R, P)``, or ``(R, 1)`` where no row varies over
    points, unless said otherwise; ``live_bytes`` is always ``(R, P)``.
    """

    component: IntArray  # (R,) index of the component
    group: IntArray  # (R,) group that holds the op's weights; -1 = none
    state_group: IntArray  # (R,) group that holds the op's state; -1 = none
    unit: IntArray  # (R,) compute unit that runs it
    matrix_rows: int
    second_is_weight: BoolArray  # (matrix_rows,) second operand is a weight; else activations and state
    channelwise: BoolArray  # (matrix_rows,) batch counts channels: SIMD units lay them over their columns
    repeat: FloatArray
    m: FloatArray  # (matrix_rows, P)
    k: FloatArray  # (matrix_rows, P)
    n: FloatArray  # (matrix_rows, P)
    batch: FloatArray  # (matrix_rows, P)
    steps: FloatArray  # (matrix_rows, P)
    second_state_ratio: FloatArray  # (matrix_rows, P) share of the bytes of a non-weight second operand that is state
    shares_count: FloatArray  # (matrix_rows, P) equal parts dealt to cores; 0: column tiles of all products are dealt
    first_state_ratio: FloatArray  # (matrix_rows, P) share of the bytes of the first operand that is state
    input_bytes_per_element: FloatArray  # (matrix_rows, P); below the format's where elements recur (convolutions)
    second_bytes_per_element: FloatArray  # (matrix_rows, P)
    output_bytes_per_element: FloatArray  # (matrix_rows, P)
    partial_bytes_per_element: FloatArray  # (matrix_rows, P) partial sums
    input_bytes: FloatArray  # activations read by a vector row (0 for matrix rows)
    output_bytes: FloatArray  # activations written by a vector row (0 for matrix rows)
    table_bytes: FloatArray  # weights read besides a matrix operand: biases, norms, embedding rows
    state_read_bytes: FloatArray  # state read besides a matrix operand
    state_write_bytes: FloatArray
    input_outside: FloatArray  # (R, 1) 1 where the input arrives from outside the recogniser (outermost level)
    output_outside: FloatArray  # (R, 1) 1 where the result leaves to the outside
    vector: tuple[FloatArray, ...]  # elements of work by VECTOR_KINDS
    kernels: FloatArray
    moved_count: FloatArray  # elements that eager code copies to rearrange them
    calls_count: FloatArray  # calls of the runtime, where the layer counts them; else NaN: as many as kernels
    live_bytes: FloatArray  # activations alive while the op runs
    params: FloatArray
    weights_bytes: FloatArray  # stored bytes, constant tables included
    state_bytes: FloatArray  # stored bytes, beam copies included
    codec: CodecTable | None = None  # None: no weights are compressed
    taps_count: FloatArray | None = None  # (matrix_rows, P) positions of a kernel in the reduction k; None: one


@dataclass(frozen=True)
class Recogniser:
    """Everything the model needs to know of a workload at P design points."""

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
class UnitParams:
    """A compute unit at the reference operating point. Energies in pJ, powers in mW, times in s, clocks in Hz."""

    name: str
    weight_stationary: bool
    power_law: bool
    cores_count: Number
    clock_hz: Number
    unroll_m_count: Number
    unroll_k_count: Number
    unroll_n_count: Number
    register_rows_count: Number
    weight_load_rows_per_cycle: Number
    weight_load_hidden_ratio: Number
    efficiency_ratio: Number
    efficiency_rows: tuple[Number, ...]  # curve over rows m; empty = flat
    efficiency_values: tuple[Number, ...]
    macs_per_cycle: Number
    energy_pj_per_mac: Number
    vector_per_cycle: tuple[Number, ...]  # by VECTOR_KINDS
    vector_pj: tuple[Number, ...]
    static_mw: Number
    idle_mw: Number
    dispatch_s: Number
    overlap_ratio: Number
    law_static_mw: Number
    law_dynamic_uw_per_mhz_v2: Number
    law_activity_ratio: Number
    law_stalled_ratio: Number
    channelwise_efficiency_ratio: Number = 1.0  # of a depthwise convolution, on top of efficiency_ratio
    walks_kernels: bool = False  # the unrolled reduction holds channels of one position of a kernel only
    # What a kernel library does with the format; () where the numbers above say all.
    dispatch_by_op_s: tuple[Number, ...] = ()  # by OP_CLASSES
    attention_macs_per_cycle: tuple[Number, ...] = ()  # products of activations, where their format is another
    attention_rows: tuple[Number, ...] = ()  # and their curve over rows
    attention_values: tuple[Number, ...] = ()
    stream_rows: tuple[Number, ...] = ()  # grid of streaming: rows of the product
    stream_run_bytes: tuple[Number, ...] = ()  # and bytes of one run of weights
    stream_values: tuple[Number, ...] = ()  # share of the outermost level's bandwidth, all runs of the first rows first
    copy_per_cycle: tuple[Number, ...] = ()  # elements rearranged per cycle and core; () where that costs nothing
    call_s: tuple[Number, ...] = ()  # of one call of the runtime, where layers count their calls
    stream_overlap_ratio: tuple[Number, ...] = ()  # of the outermost level with everything else
    columns_per_pass_count: tuple[Number, ...] = ()  # of a library that does not tile
    vector_stream_ratio: tuple[Number, ...] = ()  # share of the outermost level's bandwidth for element-wise ops


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
    background_active_mw: Number  # DRAM only, already times the share charged to the workload
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

    ``static_mw`` is NaN where static power follows the voltage, ``law_dynamic_mw`` (of one core of the first unit)
    where it follows the power law, ``idle_mw`` where all points idle alike.
    """

    frequency_hz: Number
    voltage_v: Number
    static_mw: Number
    law_dynamic_mw: Number = float("nan")
    idle_mw: Number = float("nan")


@dataclass(frozen=True)
class Hardware:
    """One hardware structure with its numbers; every number may be an array over design points."""

    units: tuple[UnitParams, ...]
    levels: tuple[LevelParams, ...]  # innermost first
    system: SystemParams
    points: tuple[PointParams, ...]
    point_names: tuple[str, ...]
    reference: int  # index of the operating point at which the numbers hold


class StructureError(ValueError):
    """Records that differ in more than their numbers."""


def map_numbers(function: Callable[[Sequence[Any]], Any], records: Sequence[RecordT]) -> RecordT:
    """Rebuild a record field by field, calling ``function`` on the numbers that stand at the same place.

    Text and flags must agree between the records.

    Raises
    ------
    StructureError
        If the records differ in structure (names, flags, number of levels ...).
    """
    rebuilt: RecordT = _map(function, records)
    return rebuilt


def _map(function: Callable[[Sequence[Any]], Any], parts: Sequence[Any]) -> Any:
    first = parts[0]
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
    """Stack V records of scalars into one record of arrays of shape (V,)."""
    return map_numbers(lambda numbers: np.asarray(numbers, dtype=np.float64), records)


def take(record: RecordT, index: IntArray) -> RecordT:
    """Pick design points from a record of arrays (V,), giving arrays (len(index),). Scalars stay scalars."""
    return map_numbers(lambda numbers: numbers[0] if np.ndim(numbers[0]) == 0 else numbers[0][index], [record])
