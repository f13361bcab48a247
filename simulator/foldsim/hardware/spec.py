"""The hardware profile format: what a profile YAML may say, as strict pydantic records.

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
    """One point of the curve of achieved share of peak against rows of the matrix product."""

    rows_count: Count = Field(description="Rows (tokens) of the matrix product.")
    efficiency_ratio: PositiveShare = Field(description="Share of the peak reached at that many rows.")


class StreamPoint(Record):
    """One point of a curve of achieved share of memory bandwidth against the length of a run of weights."""

    run_bytes: Positive = Field(description="Bytes of one run: the weights of one output, reduction x bytes.")
    stream_ratio: PositiveShare = Field(description="Share of the bandwidth of the outermost level reached.")


class StreamCurve(Record):
    """How weights stream from the outermost level into products of so many rows."""

    rows_count: Count = Field(description="Rows (tokens) of the matrix product.")
    by_run: list[StreamPoint] = Field(
        min_length=1, description="By the length of a run, ascending; the same lengths at every number of rows."
    )


class KernelLibrary(Record):
    """What the kernel library does with one number format, where that was measured."""

    efficiency_by_rows: list[EfficiencyPoint] | None = Field(
        default=None, description="Curve for this format, instead of the unit's efficiency_by_rows."
    )
    stream_by_rows: list[StreamCurve] | None = Field(
        default=None,
        description="How fast weights stream from the outermost level, by rows (ascending) and length of a run:"
        " libraries take other kernels for few rows. All of its bandwidth if left out.",
    )
    stream_overlap_ratio: Share | None = Field(
        default=None,
        description="How far transfers of the outermost level overlap with the work. Levels further in then only bound"
        " the time: rates that were measured with operands in a cache have their transfers inside.",
    )
    vector_stream_ratio: PositiveShare | None = Field(
        default=None,
        description="Share of the outermost level's bandwidth at which element-wise ops (softmax, activations, norms)"
        " move what does not stay on the chip, where they have another path to it than products. 1 if left out.",
    )
    columns_per_pass_count: Count | None = Field(
        default=None,
        description="For a library that does not tile: columns of the second operand (weights of one output each) that"
        " it multiplies in one pass over the first. An operand that does not fit in a cache is read again in each pass."
        " Left out: tiled as well as can be.",
    )
    attention_format: Precision | None = Field(
        default=None,
        description="Format in which products of two activations are computed, if another one (fp32 where only weights"
        " are quantised); the unit must have it.",
    )
    linear_format: Precision | None = Field(
        default=None,
        description="Format in which products with weights are computed, if another one (int8 where a runtime quantises"
        " their inputs and keeps all else in this format); the unit must have it.",
    )
    linear_dispatch_s: NonNegative | None = Field(
        default=None, description="Overhead of a product with weights, instead of dispatch_s."
    )
    attention_dispatch_s: NonNegative | None = Field(
        default=None,
        description="Overhead of a product of two activations, its reshapes, masks and concatenations included.",
    )
    vector_dispatch_s: NonNegative | None = Field(default=None, description="Overhead of any other op.")
    copy_per_cycle: Positive | None = Field(
        default=None,
        description="Elements per cycle and core that concatenating or transposing copies. Streaming code does so with"
        " chunk, cache and heads; left out, as where a compiler plans the memory, it costs nothing.",
    )
    call_s: NonNegative | None = Field(
        default=None,
        description="Overhead of one call of the runtime, views and bookkeeping included. Stands in for"
        " attention_dispatch_s and vector_dispatch_s in layers that say how many calls they make"
        " (framework_calls_count).",
    )


class PrecisionRate(Record):
    """What one core does with one number format."""

    macs_per_cycle: Positive = Field(description="Peak multiply-accumulates per cycle and core.")
    energy_pj_per_mac: NonNegative | None = Field(
        default=None,
        description="Energy of one MAC with its operand registers, accumulator and control, at the reference operating"
        " point. Leave out only where power_law gives the power of the busy unit.",
    )
    kernels: KernelLibrary | None = Field(
        default=None, description="What the kernel library does with this format, as foldsim profile measure finds it."
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

    Where voltages are not known the operating points give the measured power instead of the slope.
    """

    static_mw: NonNegative = Field(description="Power of the busy core that does not depend on frequency.")
    dynamic_uw_per_mhz_v2: Positive | None = Field(
        default=None, description="Slope k of k f V^2. Leave out only where every operating point has measured_mw."
    )
    activity_ratio: Positive = Field(
        description="Power of this work over that of the work the law was measured with; may exceed 1."
    )
    stalled_ratio: Share = Field(description="Share of the dynamic power still drawn while waiting for memory.")


class ComputeUnit(Record):
    """One kind of processor: a spatial MAC array or SIMD cores, with a vector unit beside it."""

    name: str = Field(min_length=1, description="Name used in results.")
    runs: list[str] = Field(
        default=["all"],
        min_length=1,
        description="Components (by name) that run here; 'all' takes those that no other unit names.",
    )
    dataflow: Literal["weight_stationary", "output_stationary"] = Field(
        description="weight_stationary: the second operand is loaded into the array and rows stream past it."
        " output_stationary: a tile of results stays in registers (SIMD cores).",
    )
    cores_count: Count = Field(description="Identical cores; work is dealt to them in whole tiles.")
    clock_hz: Positive = Field(description="Clock at the reference operating point.")
    unroll_m_count: Count = Field(description="Rows (tokens) handled side by side in one cycle.")
    unroll_k_count: Count = Field(description="Reduction elements handled side by side in one cycle.")
    unroll_n_count: Count = Field(description="Output columns handled side by side in one cycle.")
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
        description="Optional curve that multiplies efficiency_ratio at few rows; flat beyond its ends.",
    )
    walks_kernels: bool = Field(
        default=False,
        description="A convolution's kernel is walked over position by position, so that unroll_k_count holds channels"
        " of one position; else channels and positions side by side, as of unfolded windows.",
    )
    channelwise_efficiency_ratio: PositiveShare | None = Field(
        default=None,
        description="Depthwise convolutions: share of the rate of dense products that they reach, since no channel"
        " shares what another one loads. 1 if left out.",
    )
    precisions: dict[Precision, PrecisionRate] = Field(min_length=1, description="Number formats the unit computes in.")
    vector: VectorUnit = Field(description="Element-wise work.")
    static_mw: NonNegative = Field(
        description="Leakage and clock tree of all cores while any component is busy, at the reference voltage."
    )
    idle_mw: NonNegative = Field(description="What the whole unit draws between chunks.")
    dispatch_s: NonNegative = Field(description="Overhead of starting one kernel.")
    overlap_ratio: Share = Field(
        description="How far compute, vector work and transfers overlap: 1 = max of the terms, 0 = their sum.",
    )
    power_law: PowerLaw | None = Field(default=None, description="Measured power law, instead of energies per MAC.")


class Background(Record):
    """Background power of a DRAM, by state, and the share of it charged to the speech workload."""

    active_standby_mw: NonNegative = Field(description="Clocked and open, while the workload is busy.")
    power_down_mw: NonNegative = Field(description="Clock stopped, contents refreshed by the controller.")
    self_refresh_mw: NonNegative = Field(description="Contents kept by the device itself.")
    idle_state: DramState = Field(description="State between chunks.")
    charged_ratio: Share = Field(description="Share of the background power charged to the workload.")


class DramUse(Record):
    """The DRAM of a level by type: what the profile leaves out of the level is filled in from the type's record."""

    type: str = Field(
        min_length=1, description="lpddr3, lpddr4, lpddr4x, lpddr5, lpddr5x, or a file with a record of your own."
    )
    width_bits: Positive = Field(description="Width of the interface, all channels together.")
    data_rate_mt_per_s: Positive = Field(description="Transfers per second of each pin: twice the clock.")
    charged_ratio: Share = Field(description="Share of the background power charged to the workload.")
    dies_count: Positive | None = Field(
        default=None, description="Dies that draw background power; by default as many as fill the width."
    )
    idle_state: DramState = Field(default="self_refresh", description="State between chunks.")


class MemoryLevel(Record):
    """One store of the hierarchy."""

    name: str = Field(min_length=1, description="Name used in results.")
    kind: LevelKind = Field(
        description="scratchpad: software decides what stays. cache: least recently used. dram, flash, mram: as named.",
    )
    on_chip: bool = Field(description="On the die (or in the package) of the processor.")
    keeps_data: bool = Field(description="Contents survive from one invocation to the next.")
    writable: bool = Field(default=True, description="False for flash and MRAM that hold weights only.")
    clock: Literal["core", "own"] = Field(
        description="core: bandwidth and energy follow the operating point. own: they do not.",
    )
    capacity_bytes: Positive = Field(description="Size; the sum where every core has its own.")
    usable_ratio: PositiveShare = Field(description="Share the speech workload may use.")
    bandwidth_gb_per_s: Positive = Field(
        description="Peak bandwidth towards the next inner level, 1e9 bytes/s; the sum where every core has its own."
    )
    bandwidth_efficiency_ratio: PositiveShare = Field(description="Share of the peak reached when streaming.")
    read_pj_per_byte: NonNegative = Field(description="Energy of reading one byte (device, interface, controller).")
    write_pj_per_byte: NonNegative = Field(description="Energy of writing one byte.")
    static_mw: NonNegative = Field(description="Leakage while the workload is busy, at the reference voltage.")
    retention_mw: NonNegative = Field(description="Power that keeps the contents between chunks.")
    read_cache_bytes: NonNegative | None = Field(
        default=None,
        description="flash, mram: weights are read in place, past the levels between. Where several levels lie inside,"
        " tiles of the innermost one decide how often; where there is one (a microcontroller), a read cache of this"
        " size stands in front: weights of a product that are larger are read once per register_rows_count rows.",
    )
    background: Background | None = Field(default=None, description="DRAM only: background power by state.")
    dram: DramUse | None = Field(
        default=None,
        description="DRAM by type. Of the keys above only name, capacity_bytes and usable_ratio are needed then; those"
        " that are given go before the record.",
    )


class System(Record):
    """What is left of the chip, and the cost of sleeping and waking."""

    idle_mw: NonNegative = Field(description="Always-on rest of the chip between chunks, charged to the workload.")
    busy_mw: NonNegative = Field(description="Always-on rest of the chip while busy, charged to the workload.")
    wake_uj: NonNegative = Field(description="Energy of waking once per chunk.")
    wake_ms: NonNegative = Field(description="Time of waking once per chunk; part of the latency.")
    runtime_bytes: NonNegative = Field(description="Fixed memory of the runtime, beyond weights and activations.")


class OperatingPoint(Record):
    """One (frequency, voltage) setting of the compute units and of the levels clocked with them."""

    name: str = Field(min_length=1, description="Name used by --policy and in results.")
    frequency_hz: Positive = Field(description="Clock of the first compute unit; the others scale with it.")
    voltage_v: Positive = Field(description="Supply voltage.")
    static_mw: NonNegative | None = Field(
        default=None,
        description="Static power of all compute units at this point, if known; else it follows V.",
    )
    measured_mw: Positive | None = Field(
        default=None,
        description="Measured power of one busy core of the first compute unit at this point, static and dynamic; goes"
        " before the slope of its power_law. What is above the law's static power is dynamic.",
    )
    idle_mw: NonNegative | None = Field(
        default=None,
        description="What all compute units draw between chunks at this point, if known (a sleep that keeps the clocks"
        " running); else their own idle_mw.",
    )


class ProfileSpec(Record):
    """A chip (or a part of one), as foldsim sees it."""

    extends: str | None = Field(
        default=None,
        min_length=1,
        description="Shipped name or file of the profile that this one changes: keys replace, null takes away, compute"
        " units, memory levels and operating points merge by name. What is inherited may then be left out here.",
    )
    removes: list[str] | None = Field(
        default=None,
        description="With extends: paths that are taken away from the base first, such as operating_points.low.",
    )
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Short name, the same as the file's.")
    title: str = Field(min_length=1, description="What it is, in a line.")
    summary: str = Field(min_length=1, description="What is measured, what is representative, what is missing.")
    device_class: str = Field(
        description="Kind of product that carries the chip: phone, wearable, edge, microcontroller, or a class that an"
        " installed package adds. Orders and labels profiles; changes no result."
    )
    grade: Literal["A", "B", "C", "D"] = Field(description="How well sourced: A best, D mostly assumption.")
    node_nm: Positive | None = Field(
        default=None, description="Technology node of the logic; lets validation tell what energies are plausible."
    )
    sources: dict[str, Source] = Field(min_length=1, description="Where the numbers come from, by key.")
    compute_units: list[ComputeUnit] = Field(min_length=1, description="Processors.")
    memory_levels: list[MemoryLevel] = Field(min_length=1, description="Stores, innermost first.")
    system: System = Field(description="Rest of the chip, idle and wake cost.")
    operating_points: list[OperatingPoint] = Field(min_length=1, description="Frequency and voltage settings.")
    reference_operating_point: str = Field(description="The point at which energies and clocks above are given.")
    policy: str = Field(
        default="race-to-idle",
        description="Default policy: race-to-idle, slowest-real-time, or the name of an operating point.",
    )
    calibration: CalibrationRecord | None = Field(
        default=None, description="What foldsim profile calibrate fitted, on which rows, and how well it does."
    )
