"""The hardware profile format, as strict pydantic records.

Every physical number is a :class:`Quantity`: value, low, high and the key of its source. Keys end in their unit.
Memory levels are listed innermost first.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from foldsim.hardware.calibration_record import CalibrationRecord
from foldsim.schema.quantity import Count, NonNegative, Positive, PositiveShare, Record, Share, Source

Precision = Literal["int4", "int8", "int16", "fp16", "bf16", "fp32"]
DramState = Literal["active_standby", "power_down", "self_refresh"]
LevelKind = Literal["scratchpad", "cache", "dram", "flash", "mram"]
RESERVED_LEVELS = ("matrix", "vector", "dispatch", "none")
POLICIES = ("race-to-idle", "slowest-real-time")


class EfficiencyPoint(Record):
    """One point of the curve of the achieved share of the peak against rows of the matrix product."""

    rows_count: Count = Field(description="Rows (tokens) of the matrix product.")
    efficiency_ratio: PositiveShare = Field(description="Share of the peak reached at this number of rows.")


class StreamPoint(Record):
    """One point of the curve of the achieved share of memory bandwidth against the length of a run of weights."""

    run_bytes: Positive = Field(description="Bytes of one run: the weights of one output, reduction x bytes.")
    stream_ratio: PositiveShare = Field(description="Share of the bandwidth of the outermost level reached.")


class StreamCurve(Record):
    """Streaming of weights from the outermost level into products with a given number of rows."""

    rows_count: Count = Field(description="Rows (tokens) of the matrix product.")
    by_run: list[StreamPoint] = Field(
        min_length=1, description="By run length, ascending; the same lengths at every number of rows."
    )


class KernelLibrary(Record):
    """Measured behaviour of the kernel library with one number format."""

    efficiency_by_rows: list[EfficiencyPoint] | None = Field(
        default=None, description="Curve for this format, instead of the unit's efficiency_by_rows."
    )
    stream_by_rows: list[StreamCurve] | None = Field(
        default=None,
        description="Rate at which weights stream from the outermost level, by rows (ascending) and run length:"
        " libraries use other kernels for few rows. Default: its full bandwidth.",
    )
    stream_overlap_ratio: Share | None = Field(
        default=None,
        description="Overlap of transfers of the outermost level with the work. Inner levels then only bound the time,"
        " because rates measured with operands in a cache include their transfers.",
    )
    vector_stream_ratio: PositiveShare | None = Field(
        default=None,
        description="Share of the outermost level's bandwidth at which element-wise ops (softmax, activations, norms)"
        " move data that does not stay on the chip, if their path to it differs from that of products. Default: 1.",
    )
    columns_per_pass_count: Count | None = Field(
        default=None,
        description="For a library without tiling: columns of the second operand (weights of one output each)"
        " multiplied in one pass over the first. An operand that does not fit in a cache is read again in each pass."
        " Default: the best tiling.",
    )
    attention_format: Precision | None = Field(
        default=None,
        description="Format of products of two activations, if different (fp32 if only weights are quantised); the"
        " unit must have it.",
    )
    linear_format: Precision | None = Field(
        default=None,
        description="Format of products with weights, if different (int8 if a runtime quantises their inputs and keeps"
        " all other data in this format); the unit must have it.",
    )
    linear_dispatch_s: NonNegative | None = Field(
        default=None, description="Overhead of a product with weights, instead of dispatch_s."
    )
    attention_dispatch_s: NonNegative | None = Field(
        default=None,
        description="Overhead of a product of two activations, including its reshapes, masks and concatenations.",
    )
    vector_dispatch_s: NonNegative | None = Field(default=None, description="Overhead of any other op.")
    copy_per_cycle: Positive | None = Field(
        default=None,
        description="Elements copied per cycle and core by concatenating or transposing, as streaming code does with"
        " chunk, cache and heads. Default: copies take no time, as with memory planned by a compiler.",
    )
    call_s: NonNegative | None = Field(
        default=None,
        description="Overhead of one call of the runtime, including views and bookkeeping. Replaces"
        " attention_dispatch_s and vector_dispatch_s in layers with a number of calls"
        " (framework_calls_count).",
    )


class PrecisionRate(Record):
    """Rate and energy of one core in one number format."""

    macs_per_cycle: Positive = Field(description="Peak multiply-accumulates per cycle and core.")
    energy_pj_per_mac: NonNegative | None = Field(
        default=None,
        description="Energy of one MAC with its operand registers, accumulator and control, at the reference operating"
        " point. Optional only with a power_law, which gives the power of the busy unit.",
    )
    kernels: KernelLibrary | None = Field(
        default=None,
        description="Behaviour of the kernel library with this format, from foldsim profile measure.",
    )


class VectorUnit(Record):
    """Throughput (per cycle and core) and energy of element-wise work, by kind."""

    exp_per_cycle: Positive = Field(description="Exponentials (also tanh, sigmoid, log, GELU), elements per cycle.")
    divide_per_cycle: Positive = Field(description="Divisions, reciprocals and square roots, elements per cycle.")
    multiply_add_per_cycle: Positive = Field(description="Multiplies, adds and fused multiply-adds per cycle.")
    compare_per_cycle: Positive = Field(description="Comparisons, maxima and ReLU, elements per cycle.")
    exp_pj: NonNegative | None = Field(default=None, description="Energy of one exponential.")
    divide_pj: NonNegative | None = Field(default=None, description="Energy of one division.")
    multiply_add_pj: NonNegative | None = Field(default=None, description="Energy of one multiply-add.")
    compare_pj: NonNegative | None = Field(default=None, description="Energy of one comparison.")


class PowerLaw(Record):
    """Measured power of one busy core, P = static + dynamic f V^2 (a CPU cluster's measured law).

    Without known voltages the operating points give the measured power instead of the slope.
    """

    static_mw: NonNegative = Field(description="Power of the busy core that does not depend on frequency.")
    dynamic_uw_per_mhz_v2: Positive | None = Field(
        default=None, description="Slope k of k f V^2. Optional only if every operating point has measured_mw."
    )
    activity_ratio: Positive = Field(
        description="Power of this work over that of the work used to measure the law; may exceed 1."
    )
    stalled_ratio: Share = Field(description="Share of the dynamic power still drawn while waiting for memory.")


class ComputeUnit(Record):
    """One kind of processor: a spatial MAC array or SIMD cores, with a vector unit."""

    name: str = Field(min_length=1, description="Name used in results.")
    runs: list[str] = Field(
        default=["all"],
        min_length=1,
        description="Components (by name) that run on this unit; 'all' means those that no other unit names.",
    )
    dataflow: Literal["weight_stationary", "output_stationary"] = Field(
        description="weight_stationary: the second operand is loaded into the array and rows stream past it."
        " output_stationary: a tile of results stays in registers (SIMD cores).",
    )
    cores_count: Count = Field(description="Identical cores; work is assigned to them in whole tiles.")
    clock_hz: Positive = Field(description="Clock at the reference operating point.")
    unroll_m_count: Count = Field(description="Rows (tokens) processed in parallel per cycle.")
    unroll_k_count: Count = Field(description="Reduction elements processed in parallel per cycle.")
    unroll_n_count: Count = Field(description="Output columns processed in parallel per cycle.")
    register_rows_count: Count = Field(
        description="Rows of results whose partial sums stay in accumulators or registers while k is reduced.",
    )
    weight_load_rows_per_cycle: Positive | None = Field(
        default=None,
        description="weight_stationary only: rows of the array (of unroll_n values) loaded per cycle.",
    )
    weight_load_hidden_ratio: Share | None = Field(
        default=None,
        description="weight_stationary only: share of the loading hidden behind compute (1 = double-buffered array).",
    )
    efficiency_ratio: PositiveShare = Field(description="Share of the peak reached on a large square product.")
    efficiency_by_rows: list[EfficiencyPoint] | None = Field(
        default=None,
        description="Optional curve that multiplies efficiency_ratio at few rows; constant beyond its ends.",
    )
    walks_kernels: bool = Field(
        default=False,
        description="Convolutions are computed one kernel position at a time, so that unroll_k_count covers channels of"
        " one position; otherwise channels and positions together, as with im2col.",
    )
    channelwise_efficiency_ratio: PositiveShare | None = Field(
        default=None,
        description="Depthwise convolutions: share of the rate of dense products that they reach, because channels"
        " share no operands. Default: 1."
        "",
    )
    precisions: dict[Precision, PrecisionRate] = Field(min_length=1, description="Number formats the unit computes in.")
    vector: VectorUnit = Field(description="Element-wise work.")
    static_mw: NonNegative = Field(
        description="Leakage and clock tree of all cores while any component is busy, at the reference voltage."
    )
    idle_mw: NonNegative = Field(description="Power of the whole unit between chunks.")
    dispatch_s: NonNegative = Field(description="Overhead of starting one kernel.")
    overlap_ratio: Share = Field(
        description="Overlap of compute, vector work and transfers: 1 = max of the terms, 0 = their sum.",
    )
    power_law: PowerLaw | None = Field(default=None, description="Measured power law, instead of energies per MAC.")


class Background(Record):
    """Background power of a DRAM, by state, and the share of it charged to the speech workload."""

    active_standby_mw: NonNegative = Field(description="Clocked and open, while the workload is busy.")
    power_down_mw: NonNegative = Field(description="Clock stopped, contents refreshed by the controller.")
    self_refresh_mw: NonNegative = Field(description="Contents refreshed by the device itself.")
    idle_state: DramState = Field(description="State between chunks.")
    charged_ratio: Share = Field(description="Share of the background power charged to the workload.")


class DramUse(Record):
    """The DRAM type of a level: keys that the level omits are filled in from the record of the type."""

    type: str = Field(
        min_length=1, description="lpddr3, lpddr4, lpddr4x, lpddr5, lpddr5x, or a file with a custom record."
    )
    width_bits: Positive = Field(description="Width of the interface, all channels together.")
    data_rate_mt_per_s: Positive = Field(description="Transfers per second of each pin: twice the clock.")
    charged_ratio: Share = Field(description="Share of the background power charged to the workload.")
    dies_count: Positive | None = Field(
        default=None, description="Dies that draw background power. Default: as many as fill the width."
    )
    idle_state: DramState = Field(default="self_refresh", description="State between chunks.")


class MemoryLevel(Record):
    """One level of the memory hierarchy."""

    name: str = Field(min_length=1, description="Name used in results.")
    kind: LevelKind = Field(
        description="scratchpad: managed by software. cache: least recently used. dram, flash, mram: as named.",
    )
    on_chip: bool = Field(description="On the die (or in the package) of the processor.")
    keeps_data: bool = Field(description="Contents survive from one invocation to the next.")
    writable: bool = Field(default=True, description="False for flash and MRAM that store weights only.")
    clock: Literal["core", "own"] = Field(
        description="core: bandwidth and energy follow the operating point. own: they do not.",
    )
    capacity_bytes: Positive = Field(description="Size; the sum over cores if each has its own.")
    usable_ratio: PositiveShare = Field(description="Share the speech workload may use.")
    bandwidth_gb_per_s: Positive = Field(
        description="Peak bandwidth towards the next inner level, 1e9 bytes/s; the sum over cores if each has its own."
    )
    bandwidth_efficiency_ratio: PositiveShare = Field(description="Share of the peak reached when streaming.")
    read_pj_per_byte: NonNegative = Field(description="Energy of reading one byte (device, interface, controller).")
    write_pj_per_byte: NonNegative = Field(description="Energy of writing one byte.")
    static_mw: NonNegative = Field(description="Leakage while the workload is busy, at the reference voltage.")
    retention_mw: NonNegative = Field(description="Power that keeps the contents between chunks.")
    read_cache_bytes: NonNegative | None = Field(
        default=None,
        description="flash, mram: weights are read in place, bypassing the levels between. With several inner levels,"
        " tiles of the innermost one set how often; with one (a microcontroller), a read cache of this size is used:"
        " weights of a product that are larger are read once per register_rows_count rows.",
    )
    background: Background | None = Field(default=None, description="DRAM only: background power by state.")
    dram: DramUse | None = Field(
        default=None,
        description="DRAM type. Then only name, capacity_bytes and usable_ratio of the keys above are required; keys"
        " that are given take precedence over the record.",
    )


class System(Record):
    """The rest of the chip, and the cost of sleeping and waking."""

    idle_mw: NonNegative = Field(description="Always-on rest of the chip between chunks, charged to the workload.")
    busy_mw: NonNegative = Field(description="Always-on rest of the chip while busy, charged to the workload.")
    wake_uj: NonNegative = Field(description="Energy of waking once per chunk.")
    wake_ms: NonNegative = Field(description="Time of waking once per chunk; part of the latency.")
    runtime_bytes: NonNegative = Field(description="Fixed memory of the runtime, without weights and activations.")


class OperatingPoint(Record):
    """One (frequency, voltage) setting of the compute units and of the levels clocked with them."""

    name: str = Field(min_length=1, description="Name used by --policy and in results.")
    frequency_hz: Positive = Field(description="Clock of the first compute unit; the others scale with it.")
    voltage_v: Positive = Field(description="Supply voltage.")
    static_mw: NonNegative | None = Field(
        default=None,
        description="Static power of all compute units at this point. Default: proportional to V.",
    )
    measured_mw: Positive | None = Field(
        default=None,
        description="Measured power of one busy core of the first compute unit at this point, static and dynamic; takes"
        " precedence over the slope of its power_law. The part above the law's static power is dynamic.",
    )
    idle_mw: NonNegative | None = Field(
        default=None,
        description="Power of all compute units between chunks at this point (a sleep with running clocks). Default:"
        " their own idle_mw.",
    )


class ProfileSpec(Record):
    """A chip, or a part of one, as foldsim models it."""

    extends: str | None = Field(
        default=None,
        min_length=1,
        description="Shipped name or file of the base profile: keys replace, null removes, and compute units, memory"
        " levels and operating points merge by name. Inherited keys are optional here."
        "",
    )
    removes: list[str] | None = Field(
        default=None,
        description="With extends: paths removed from the base first, such as operating_points.low.",
    )
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Short name, the same as the file's.")
    title: str = Field(min_length=1, description="One-line description.")
    summary: str = Field(min_length=1, description="Which values are measured, representative or missing.")
    device_class: str = Field(
        description="Kind of product that carries the chip: phone, wearable, edge, microcontroller, or a class that an"
        " installed package adds. Orders and labels profiles; changes no result."
    )
    grade: Literal["A", "B", "C", "D"] = Field(description="Quality of the sources: A best, D mostly assumptions.")
    node_nm: Positive | None = Field(
        default=None,
        description="Technology node of the logic; validation checks energies against it.",
    )
    sources: dict[str, Source] = Field(min_length=1, description="Sources of the values, by key.")
    compute_units: list[ComputeUnit] = Field(min_length=1, description="Processors.")
    memory_levels: list[MemoryLevel] = Field(min_length=1, description="Memory levels, innermost first.")
    system: System = Field(description="Rest of the chip, idle power and wake cost.")
    operating_points: list[OperatingPoint] = Field(min_length=1, description="Frequency and voltage settings.")
    reference_operating_point: str = Field(description="The point of the energies and clocks above.")
    policy: str = Field(
        default="race-to-idle",
        description="Default policy: race-to-idle, slowest-real-time, or the name of an operating point.",
    )
    calibration: CalibrationRecord | None = Field(
        default=None, description="Result of foldsim profile calibrate: fitted parameters, measurements and errors."
    )
