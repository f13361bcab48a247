"""The hardware profile format: what a profile YAML may say, as strict pydantic records.

Every physical number is a :class:`Quantity`: value, low, high and the key of its source. Keys end in their unit.
Memory levels are listed innermost first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from foldsim.schema import Problem
from foldsim.schema.quantity import Count, NonNegative, Positive, PositiveShare, Record, Share, Source, quantities

Precision = Literal["int4", "int8", "int16", "fp16", "bf16", "fp32"]
LevelKind = Literal["scratchpad", "cache", "dram", "flash", "mram"]
RESERVED_LEVELS = ("matrix", "vector", "dispatch", "none")
POLICIES = ("race-to-idle", "slowest-real-time")


class PrecisionRate(Record):
    """What one core does with one number format."""

    macs_per_cycle: Positive = Field(description="Peak multiply-accumulates per cycle and core.")
    energy_pj_per_mac: NonNegative | None = Field(
        default=None,
        description="Energy of one MAC with its operand registers, accumulator and control, at the reference operating"
        " point. Leave out only where power_law gives the power of the busy unit.",
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


class EfficiencyPoint(Record):
    """One point of the curve of achieved share of peak against rows of the matrix product."""

    rows_count: Count = Field(description="Rows (tokens) of the matrix product.")
    efficiency_ratio: PositiveShare = Field(description="Share of the peak reached at that many rows.")


class PowerLaw(Record):
    """Measured power of one busy core, P = static + dynamic f V^2 (a CPU cluster's measured law)."""

    static_mw: NonNegative = Field(description="Power of the busy core that does not depend on frequency.")
    dynamic_uw_per_mhz_v2: Positive = Field(description="Slope k of k f V^2.")
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
    idle_state: Literal["active_standby", "power_down", "self_refresh"] = Field(
        description="State between chunks.",
    )
    charged_ratio: Share = Field(description="Share of the background power charged to the workload.")


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
    background: Background | None = Field(default=None, description="DRAM only: background power by state.")


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


class ProfileSpec(Record):
    """A chip (or a part of one), as foldsim sees it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Short name, the same as the file's.")
    title: str = Field(min_length=1, description="What it is, in a line.")
    summary: str = Field(min_length=1, description="What is measured, what is representative, what is missing.")
    device_class: Literal["phone", "wearable", "edge", "microcontroller"] = Field(description="What carries it.")
    grade: Literal["A", "B", "C", "D"] = Field(description="How well sourced: A best, D mostly assumption.")
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


def _names_are_unique(items: list[Any], key: str) -> Iterable[Problem]:
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        if item.name in seen:
            yield Problem(
                (key, index, "name"), f"the name {item.name!r} is used twice (first by {key}[{seen[item.name]}])"
            )
        seen.setdefault(item.name, index)


def check_profile(profile: ProfileSpec) -> Iterable[Problem]:
    """Yield what a single record cannot see: unused sources, repeated names, impossible combinations."""
    used = {quantity.source for _, quantity in quantities(profile)}
    for key in profile.sources:
        if key not in used:
            yield Problem(("sources", key), f"source {key!r} is used by no number", severity="warning", at_key=True)
    yield from _names_are_unique(profile.compute_units, "compute_units")
    yield from _names_are_unique(profile.memory_levels, "memory_levels")
    yield from _names_are_unique(profile.operating_points, "operating_points")
    points = [point.name for point in profile.operating_points]
    if profile.reference_operating_point not in points:
        yield Problem(
            ("reference_operating_point",),
            f"no operating point called {profile.reference_operating_point!r}",
            allowed=", ".join(points),
        )
    if profile.policy not in (*POLICIES, *points):
        yield Problem(
            ("policy",),
            f"no policy or operating point called {profile.policy!r}",
            allowed=", ".join((*POLICIES, *points)),
        )
    yield from _check_clock(profile)
    claimed: dict[str, str] = {}
    for index, unit in enumerate(profile.compute_units):
        for number, component in enumerate(unit.runs):
            if component in claimed:
                message = f"{component!r} already runs on unit {claimed[component]!r}"
                yield Problem(("compute_units", index, "runs", number), message)
            claimed.setdefault(component, unit.name)
        yield from _check_unit(unit, ("compute_units", index))
    for index, level in enumerate(profile.memory_levels):
        yield from _check_level(level, ("memory_levels", index))
    if not profile.memory_levels[-1].keeps_data:
        yield Problem(
            ("memory_levels", len(profile.memory_levels) - 1, "keeps_data"),
            "the outermost level must keep data: weights have to live somewhere",
            allowed="true",
        )
    if not any(level.keeps_data and level.writable for level in profile.memory_levels):
        yield Problem(("memory_levels",), "no level keeps data and is writable, so state has no home")


def _check_clock(profile: ProfileSpec) -> Iterable[Problem]:
    """The clock and the reference operating point say the same thing twice; they must agree."""
    unit = profile.compute_units[0]
    for point in profile.operating_points:
        if point.name == profile.reference_operating_point:
            clock, frequency = unit.clock_hz.value, point.frequency_hz.value
            if abs(clock - frequency) > 1e-6 * frequency:
                yield Problem(
                    ("compute_units", 0, "clock_hz", "value"),
                    f"the first unit's clock is {clock:g} Hz, but the reference operating point {point.name!r} runs at"
                    f" {frequency:g} Hz",
                    allowed=f"{frequency:g}",
                )


def _check_unit(unit: ComputeUnit, path: tuple[str | int, ...]) -> Iterable[Problem]:
    loads = (unit.weight_load_rows_per_cycle, unit.weight_load_hidden_ratio)
    if unit.dataflow == "weight_stationary" and None in loads:
        yield Problem(path, "a weight_stationary unit needs weight_load_rows_per_cycle and weight_load_hidden_ratio")
    if unit.dataflow == "output_stationary" and loads != (None, None):
        yield Problem(path, "weight_load_* belong to weight_stationary units only")
    if unit.power_law is None:
        for name, rate in unit.precisions.items():
            if rate.energy_pj_per_mac is None:
                yield Problem(
                    (*path, "precisions", name), "energy_pj_per_mac is missing (or give the unit a power_law)"
                )
        for field in ("exp_pj", "divide_pj", "multiply_add_pj", "compare_pj"):
            if getattr(unit.vector, field) is None:
                yield Problem((*path, "vector"), f"{field} is missing (or give the unit a power_law)")
    if unit.efficiency_by_rows:
        rows = [point.rows_count.value for point in unit.efficiency_by_rows]
        if rows != sorted(set(rows)):
            yield Problem((*path, "efficiency_by_rows"), "rows_count must rise from point to point")


def _check_level(level: MemoryLevel, path: tuple[str | int, ...]) -> Iterable[Problem]:
    if level.name in RESERVED_LEVELS:
        message = f"{level.name!r} is the name of a term of the time; call the level something else"
        yield Problem((*path, "name"), message)
    if level.kind == "dram" and level.background is None:
        yield Problem(path, f"level {level.name!r} is DRAM and needs background power (background:)")
    if level.kind != "dram" and level.background is not None:
        yield Problem(
            (*path, "background"),
            "background power states belong to DRAM only; use static_mw and retention_mw",
            at_key=True,
        )
