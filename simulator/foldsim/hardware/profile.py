"""The hardware profile that users hold, and its translation to the model's arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from foldsim import units as u
from foldsim.data import resolve
from foldsim.hardware.spec import ComputeUnit, MemoryLevel, OperatingPoint, ProfileSpec, check_profile
from foldsim.model.evaluate import Bands
from foldsim.model.records import (
    VECTOR_KINDS,
    Hardware,
    IntArray,
    LevelParams,
    PointParams,
    SystemParams,
    UnitParams,
)
from foldsim.schema import Document, Finding, InputError, Problem, locate, read_yaml
from foldsim.schema.quantity import Quantity, collect_sourced_findings, validate_sourced

End = Literal["value", "low", "high"]


@dataclass(frozen=True)
class Profile:
    """A chip, validated.

    Attributes
    ----------
    spec : the description.
    document : the YAML it came from, for located messages.
    """

    spec: ProfileSpec
    document: Document

    @property
    def name(self) -> str:
        """Short name."""
        return self.spec.name

    @property
    def sha256(self) -> str:
        """Hash of the YAML text."""
        return hashlib.sha256(self.document.text.encode()).hexdigest()

    def precision_problems(self, precision: str, components: Sequence[str]) -> Iterable[Problem]:
        """Which units that run some component cannot compute in a number format."""
        for index in sorted(set(self.unit_of(components).tolist())):
            unit = self.spec.compute_units[index]
            if precision not in unit.precisions:
                yield Problem(
                    ("compute_units", index, "precisions"),
                    f"unit {unit.name!r} of {self.name} does not compute in {precision}",
                    allowed=", ".join(unit.precisions),
                )

    def unit_of(self, components: Sequence[str]) -> IntArray:
        """Index of the compute unit that runs each component: the first that names it, else the first for all."""
        units = self.spec.compute_units
        default = next((i for i, unit in enumerate(units) if "all" in unit.runs), 0)
        return np.array(
            [next((i for i, unit in enumerate(units) if name in unit.runs), default) for name in components]
        )

    def kept_bytes(self) -> float:
        """What the levels that keep data between chunks can hold for the workload."""
        levels = [level for level in self.spec.memory_levels if level.keeps_data]
        return sum(level.capacity_bytes.value * level.usable_ratio.value for level in levels)

    def unassigned(self, components: Sequence[str]) -> list[str]:
        """Components that no compute unit runs."""
        runs = {name for unit in self.spec.compute_units for name in unit.runs}
        return [] if "all" in runs else [name for name in components if name not in runs]

    def bands(self, precision: str) -> Bands:
        """The model's hardware record, with energy and power coefficients at nominal, low and high values.

        Raises
        ------
        InputError
            If a unit does not compute in ``precision``; ask :meth:`precision_problems` first.
        """
        problems = list(self.precision_problems(precision, [n for unit in self.spec.compute_units for n in unit.runs]))
        if problems:
            raise InputError(tuple(locate(self.document, p) for p in problems))
        return Bands(*(self._hardware(precision, end) for end in ("value", "low", "high")))

    def _hardware(self, precision: str, end: End) -> Hardware:
        spec = self.spec
        return Hardware(
            units=tuple(_unit(unit, precision, end) for unit in spec.compute_units),
            levels=tuple(_level(level, end) for level in spec.memory_levels),
            system=SystemParams(
                idle_mw=_energy(spec.system.idle_mw, end),
                busy_mw=_energy(spec.system.busy_mw, end),
                wake_uj=_energy(spec.system.wake_uj, end),
                wake_s=spec.system.wake_ms.value / u.MS_PER_S,
                runtime_bytes=float(spec.system.runtime_bytes.value),
            ),
            points=tuple(_point(point, end) for point in spec.operating_points),
            point_names=tuple(point.name for point in spec.operating_points),
            reference=[point.name for point in spec.operating_points].index(spec.reference_operating_point),
        )


def _energy(quantity: Quantity | None, end: End) -> float:
    """An energy or power coefficient at one end of its range; absent ones are zero (a power law stands in)."""
    return 0.0 if quantity is None else float(getattr(quantity, end))


def _time(quantity: Quantity | None, absent: float = 1.0) -> float:
    """A number that sets time or size: always its nominal value."""
    return absent if quantity is None else float(quantity.value)


def _unit(unit: ComputeUnit, precision: str, end: End) -> UnitParams:
    rate = unit.precisions[precision]  # type: ignore[index]
    law = unit.power_law
    curve = unit.efficiency_by_rows or []
    return UnitParams(
        name=unit.name,
        weight_stationary=unit.dataflow == "weight_stationary",
        power_law=law is not None,
        cores_count=_time(unit.cores_count),
        clock_hz=_time(unit.clock_hz),
        unroll_m_count=_time(unit.unroll_m_count),
        unroll_k_count=_time(unit.unroll_k_count),
        unroll_n_count=_time(unit.unroll_n_count),
        register_rows_count=_time(unit.register_rows_count),
        weight_load_rows_per_cycle=_time(unit.weight_load_rows_per_cycle),
        weight_load_hidden_ratio=_time(unit.weight_load_hidden_ratio),
        efficiency_ratio=_time(unit.efficiency_ratio),
        efficiency_rows=tuple(float(point.rows_count.value) for point in curve),
        efficiency_values=tuple(float(point.efficiency_ratio.value) for point in curve),
        macs_per_cycle=_time(rate.macs_per_cycle),
        energy_pj_per_mac=_energy(rate.energy_pj_per_mac, end),
        vector_per_cycle=tuple(_time(getattr(unit.vector, f"{kind}_per_cycle")) for kind in VECTOR_KINDS),
        vector_pj=tuple(_energy(getattr(unit.vector, f"{kind}_pj"), end) for kind in VECTOR_KINDS),
        static_mw=_energy(unit.static_mw, end),
        idle_mw=_energy(unit.idle_mw, end),
        dispatch_s=_time(unit.dispatch_s),
        overlap_ratio=_time(unit.overlap_ratio),
        law_static_mw=_energy(law.static_mw if law else None, end),
        law_dynamic_uw_per_mhz_v2=_energy(law.dynamic_uw_per_mhz_v2 if law else None, end),
        law_activity_ratio=_energy(law.activity_ratio if law else None, end),
        law_stalled_ratio=_energy(law.stalled_ratio if law else None, end),
    )


def _level(level: MemoryLevel, end: End) -> LevelParams:
    background = level.background
    active = idle = 0.0
    if background is not None:
        share = _energy(background.charged_ratio, end)
        active = share * _energy(background.active_standby_mw, end)
        idle = share * _energy(getattr(background, f"{background.idle_state}_mw"), end)
    return LevelParams(
        name=level.name,
        is_cache=level.kind == "cache",
        on_chip=level.on_chip,
        keeps_data=level.keeps_data,
        writable=level.writable,
        core_clock=level.clock == "core",
        capacity_bytes=_time(level.capacity_bytes),
        usable_ratio=_time(level.usable_ratio),
        bandwidth_bytes_per_s=_time(level.bandwidth_gb_per_s) * u.BYTES_PER_GB,
        bandwidth_efficiency_ratio=_time(level.bandwidth_efficiency_ratio),
        read_pj_per_byte=_energy(level.read_pj_per_byte, end),
        write_pj_per_byte=_energy(level.write_pj_per_byte, end),
        static_mw=_energy(level.static_mw, end),
        retention_mw=_energy(level.retention_mw, end),
        background_active_mw=active,
        background_idle_mw=idle,
    )


def _point(point: OperatingPoint, end: End) -> PointParams:
    return PointParams(
        frequency_hz=_time(point.frequency_hz),
        voltage_v=_time(point.voltage_v),
        static_mw=float("nan") if point.static_mw is None else _energy(point.static_mw, end),
    )


def profile_findings(document: Document) -> tuple[ProfileSpec | None, list[Finding]]:
    """Validate a profile document; all findings, warnings too."""
    return collect_sourced_findings(document, ProfileSpec, (check_profile,))


def from_document(document: Document) -> Profile:
    """Validate a document and wrap it."""
    return Profile(validate_sourced(document, ProfileSpec, (check_profile,)), document)


def load_profile(name_or_path: str | Path) -> Profile:
    """Load a shipped profile by name, or a profile YAML by path.

    Raises
    ------
    InputError
        If the file cannot be read or is not a valid profile; holds every finding with line and column.
    UnknownNameError
        If nothing of that name is shipped.
    """
    return from_document(read_yaml(resolve("hw_profiles", name_or_path)))
