"""Conversion of a profile, with its parameters at one end of their ranges, to the records of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from foldsim import units as u
from foldsim.hardware.memory.dram import DramSpec, sourced_ratio
from foldsim.hardware.spec import (
    ComputeUnit,
    KernelLibrary,
    MemoryLevel,
    OperatingPoint,
    PowerLaw,
    PrecisionRate,
    ProfileSpec,
)
from foldsim.model.records import (
    OP_CLASSES,
    VECTOR_KINDS,
    AttentionRate,
    EfficiencyCurve,
    Hardware,
    LevelParams,
    Number,
    PointParams,
    PowerLawParams,
    StreamGrid,
    SystemParams,
    UnitParams,
)
from foldsim.schema.quantity import Quantity, Source

End = Literal["value", "low", "high"]
ENDS: tuple[End, ...] = ("value", "low", "high")
SPEEDS = {
    "clock_hz": 1,
    "macs_per_cycle": 1,
    "efficiency_ratio": 1,
    "channelwise_efficiency_ratio": 1,
    "weight_load_rows_per_cycle": 1,
    "weight_load_hidden_ratio": 1,
    **{f"{kind}_per_cycle": 1 for kind in VECTOR_KINDS},
    "overlap_ratio": 1,
    "stream_overlap_ratio": 1,
    "bandwidth_gb_per_s": 1,
    "bandwidth_efficiency_ratio": 1,
    "stream_ratio": 1,
    "vector_stream_ratio": 1,
    "dispatch_s": -1,
    **{f"{op}_dispatch_s": -1 for op in OP_CLASSES},
    "copy_per_cycle": 1,
    "call_s": -1,
    "wake_ms": -1,
}
"""Speed parameters by sign: an increase never slows (1) or never accelerates (-1) work of nominal size and shape."""

_LIBRARY_FIELDS = (
    "copy_per_cycle",
    "call_s",
    "stream_overlap_ratio",
    "vector_stream_ratio",
    "columns_per_pass_count",
)
"""Optional fields that KernelLibrary and UnitParams have in common."""


@dataclass(frozen=True)
class Coefficients:
    """Energy and power coefficients at one end of their ranges; absent ones are zero (a power law replaces them).

    With ``sources``, coefficients that are assumptions are zero, so that only power with a source remains. A value
    computed from a DRAM record keeps the share whose inputs have a source. ``given`` values, by the ``id`` of their
    Quantity, replace those of the profile.
    """

    end: End
    sources: Mapping[str, Source] | None = None
    records: Mapping[str, DramSpec] = field(default_factory=dict)
    given: Mapping[int, Number] = field(default_factory=dict)

    def time(self, quantity: Quantity | None, absent: float = 1.0) -> Number:
        """A time or size parameter: nominal unless given; ``absent`` if the profile has none."""
        if quantity is None:
            return absent
        given = self.given.get(id(quantity))
        return float(quantity.value) if given is None else given

    def __call__(self, quantity: Quantity | None, key: str = "") -> Number:
        """An energy or power coefficient; zero if the profile has none. ``key``: its name in a DRAM record."""
        if quantity is None:
            return 0.0
        given = self.given.get(id(quantity))
        if given is not None:
            return given
        number = float(getattr(quantity, self.end))
        if self.sources is None:
            return number
        record = self.records.get(quantity.source)
        if record is not None:
            return number * sourced_ratio(record, key)
        return 0.0 if self.sources[quantity.source].kind == "assumption" else number


def hardware_of(spec: ProfileSpec, precision: str, energy: Coefficients) -> Hardware:
    """The model's record of a profile for one number format, a key of the units' ``precisions``."""
    return Hardware(
        units=tuple(_unit(unit, precision, energy) for unit in spec.compute_units),
        levels=tuple(_level(level, energy) for level in spec.memory_levels),
        system=SystemParams(
            idle_mw=energy(spec.system.idle_mw),
            busy_mw=energy(spec.system.busy_mw),
            wake_uj=energy(spec.system.wake_uj),
            wake_s=energy.time(spec.system.wake_ms) / u.MS_PER_S,
            runtime_bytes=energy.time(spec.system.runtime_bytes),
        ),
        points=tuple(_point(point, spec.compute_units[0].power_law, energy) for point in spec.operating_points),
        point_names=tuple(point.name for point in spec.operating_points),
        reference=[point.name for point in spec.operating_points].index(spec.reference_operating_point),
    )


def _unit(unit: ComputeUnit, precision: str, energy: Coefficients) -> UnitParams:
    rate = unit.precisions[precision]  # type: ignore[index]
    library = rate.kernels or KernelLibrary()
    linear = unit.precisions[library.linear_format] if library.linear_format else rate
    return UnitParams(
        name=unit.name,
        weight_stationary=unit.dataflow == "weight_stationary",
        power_law=_power_law(unit.power_law, energy),
        cores_count=energy.time(unit.cores_count),
        clock_hz=energy.time(unit.clock_hz),
        unroll_m_count=energy.time(unit.unroll_m_count),
        unroll_k_count=energy.time(unit.unroll_k_count),
        unroll_n_count=energy.time(unit.unroll_n_count),
        register_rows_count=energy.time(unit.register_rows_count),
        weight_load_rows_per_cycle=energy.time(unit.weight_load_rows_per_cycle),
        weight_load_hidden_ratio=energy.time(unit.weight_load_hidden_ratio),
        efficiency_ratio=energy.time(unit.efficiency_ratio),
        efficiency=_efficiency(unit, linear, energy),
        macs_per_cycle=energy.time(linear.macs_per_cycle),
        energy_pj_per_mac=energy(linear.energy_pj_per_mac),
        vector_per_cycle=tuple(energy.time(getattr(unit.vector, f"{kind}_per_cycle")) for kind in VECTOR_KINDS),
        vector_pj=tuple(energy(getattr(unit.vector, f"{kind}_pj")) for kind in VECTOR_KINDS),
        static_mw=energy(unit.static_mw),
        idle_mw=energy(unit.idle_mw),
        dispatch_s=energy.time(unit.dispatch_s),
        overlap_ratio=energy.time(unit.overlap_ratio),
        walks_kernels=unit.walks_kernels,
        channelwise_efficiency_ratio=energy.time(unit.channelwise_efficiency_ratio),
        attention=_attention_rate(unit, precision, library, energy),
        stream=_stream_grid(library, energy),
        dispatch_by_op_s=_dispatch_by_op(unit, library, energy),
        **{name: energy.time(x) for name in _LIBRARY_FIELDS if (x := getattr(library, name)) is not None},
    )


def _power_law(law: PowerLaw | None, energy: Coefficients) -> PowerLawParams | None:
    if law is None:
        return None
    return PowerLawParams(
        static_mw=energy(law.static_mw),
        dynamic_uw_per_mhz_v2=energy(law.dynamic_uw_per_mhz_v2),
        activity_ratio=energy(law.activity_ratio),
        stalled_ratio=energy(law.stalled_ratio),
    )


def _efficiency(unit: ComputeUnit, rate: PrecisionRate, energy: Coefficients) -> EfficiencyCurve | None:
    """Efficiency curve of a number format: that of its kernels, else that of the unit."""
    points = (rate.kernels or KernelLibrary()).efficiency_by_rows or unit.efficiency_by_rows
    if not points:
        return None
    return EfficiencyCurve(
        rows_count=tuple(energy.time(point.rows_count) for point in points),
        efficiency_ratio=tuple(energy.time(point.efficiency_ratio) for point in points),
    )


def _attention_rate(
    unit: ComputeUnit, precision: str, library: KernelLibrary, energy: Coefficients
) -> AttentionRate | None:
    if library.attention_format is None and library.linear_format is None:
        return None
    rate = unit.precisions[library.attention_format or precision]  # type: ignore[index]
    return AttentionRate(energy.time(rate.macs_per_cycle), _efficiency(unit, rate, energy))


def _stream_grid(library: KernelLibrary, energy: Coefficients) -> StreamGrid | None:
    curves = library.stream_by_rows
    if not curves:
        return None
    return StreamGrid(
        rows_count=tuple(energy.time(curve.rows_count) for curve in curves),
        run_bytes=tuple(energy.time(point.run_bytes) for point in curves[0].by_run),
        stream_ratio=tuple(tuple(energy.time(point.stream_ratio) for point in curve.by_run) for curve in curves),
    )


def _dispatch_by_op(unit: ComputeUnit, library: KernelLibrary, energy: Coefficients) -> tuple[Number, ...] | None:
    by_op = [getattr(library, f"{op}_dispatch_s") for op in OP_CLASSES]
    if not any(by_op):
        return None
    return tuple(energy.time(quantity or unit.dispatch_s) for quantity in by_op)


def _level(level: MemoryLevel, energy: Coefficients) -> LevelParams:
    background = level.background
    active: Number = 0.0
    idle: Number = 0.0
    if background is not None:
        state = f"{background.idle_state}_mw"
        share = energy(background.charged_ratio)
        active = share * energy(background.active_standby_mw, "active_standby_mw")
        idle = share * energy(getattr(background, state), state)
    return LevelParams(
        name=level.name,
        is_cache=level.kind == "cache",
        on_chip=level.on_chip,
        keeps_data=level.keeps_data,
        writable=level.writable,
        core_clock=level.clock == "core",
        capacity_bytes=energy.time(level.capacity_bytes),
        usable_ratio=energy.time(level.usable_ratio),
        bandwidth_bytes_per_s=energy.time(level.bandwidth_gb_per_s) * u.BYTES_PER_GB,
        bandwidth_efficiency_ratio=energy.time(level.bandwidth_efficiency_ratio),
        read_pj_per_byte=energy(level.read_pj_per_byte, "read_pj_per_byte"),
        write_pj_per_byte=energy(level.write_pj_per_byte, "write_pj_per_byte"),
        static_mw=energy(level.static_mw, "static_mw"),
        retention_mw=energy(level.retention_mw, "retention_mw"),
        background_active_mw=active,
        background_idle_mw=idle,
        read_in_place=level.read_cache_bytes is not None,
        read_cache_bytes=energy.time(level.read_cache_bytes, absent=0.0),
    )


def _point(point: OperatingPoint, law: PowerLaw | None, energy: Coefficients) -> PointParams:
    def or_nan(quantity: Quantity | None) -> Number:
        return float("nan") if quantity is None else energy(quantity)

    # Both ends subtract the nominal static power, so that dynamic power increases with measured power.
    static_mw = law.static_mw.value if law else 0.0
    return PointParams(
        frequency_hz=energy.time(point.frequency_hz),
        voltage_v=energy.time(point.voltage_v),
        static_mw=or_nan(point.static_mw),
        law_dynamic_mw=np.maximum(or_nan(point.measured_mw) - static_mw, 0.0),
        idle_mw=or_nan(point.idle_mw),
    )
