"""The hardware profile that users hold, and its translation to the model's arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from foldsim import units as u
from foldsim.data import resolve
from foldsim.hardware.checks import UNUSED, check_profile
from foldsim.hardware.dram import DramSpec, check_dram, dram_path, read_dram, source_key, sourced_ratio, with_dram
from foldsim.hardware.inheritance import profile_path, with_base
from foldsim.hardware.numbers import numbers_by_name
from foldsim.hardware.plausibility import plausibility_problems
from foldsim.hardware.provenance import derivation_problems
from foldsim.hardware.spec import ComputeUnit, KernelLibrary, MemoryLevel, OperatingPoint, PowerLaw, ProfileSpec
from foldsim.hardware.strictness import strict_problems
from foldsim.model.evaluate import Bands
from foldsim.model.records import (
    OP_CLASSES,
    VECTOR_KINDS,
    Hardware,
    IntArray,
    LevelParams,
    Number,
    PointParams,
    SystemParams,
    UnitParams,
)
from foldsim.schema import Document, Finding, InputError, Problem, locate, read_yaml
from foldsim.schema.findings import position_order
from foldsim.schema.layering import LayeredDocument
from foldsim.schema.quantity import Quantity, Source, collect_sourced_findings, quantities

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
"""Numbers of which more never slows (1) or never speeds up (-1) the work that the nominal sizes and shapes make."""

_LIBRARY_NUMBERS = (
    "copy_per_cycle",
    "call_s",
    "stream_overlap_ratio",
    "vector_stream_ratio",
    "columns_per_pass_count",
)
"""What a kernel library may say of itself in one number."""


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
        """Hash of the YAML text; of the hashes of all texts where the profile rests on more files than its own."""
        own, *others = (digest for _, digest in self.files())
        return hashlib.sha256("\n".join([own, *others]).encode()).hexdigest() if others else own

    def files(self) -> list[tuple[str, str]]:
        """Name and hash of every file that the numbers come from, the profile's own first."""
        return [(Path(part.file).name, hashlib.sha256(part.text.encode()).hexdigest()) for part in self.document.parts]

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

        And once more at nominal values with those at zero that rest on an assumption, for the share of power that does;
        and with the numbers that set speed at their fast and at their slow ends (:data:`SPEEDS`).

        Raises
        ------
        InputError
            If a unit does not compute in ``precision``; ask :meth:`precision_problems` first.
        """
        problems = list(self.precision_problems(precision, [n for unit in self.spec.compute_units for n in unit.runs]))
        if problems:
            raise InputError(tuple(locate(self.document, p) for p in problems))
        read = [_Coefficients(end) for end in ENDS]
        read.append(_Coefficients("value", self.spec.sources, self._dram_records()))
        read += [_Coefficients("value", given=given) for given in self._speeds()]
        return Bands(*(self._hardware(precision, coefficients) for coefficients in read))

    def hardware(self, precision: str, numbers: Mapping[str, Number]) -> Hardware:
        """The model's hardware record with some numbers changed; arrays where a number is one.

        Parameters
        ----------
        numbers : by name (:func:`foldsim.hardware.numbers.numbers_by_name`), in the unit of the name. All others are
            nominal.
        """
        found = numbers_by_name(self.spec)
        given = {id(found[name][1]): number for name, number in numbers.items()}
        return self._hardware(precision, _Coefficients("value", given=given))

    def _speeds(self) -> list[dict[int, Number]]:
        """Numbers that set speed, at their fast and at their slow ends, by the identity of their record."""
        ends: list[dict[int, Number]] = [{}, {}]
        for path, quantity in quantities(self.spec):
            sign = SPEEDS.get(str(path[-1]))
            if sign is not None and quantity.low < quantity.high:
                slow, fast = (quantity.low, quantity.high)[::sign]
                ends[0][id(quantity)], ends[1][id(quantity)] = fast, slow
        return ends

    def _dram_records(self) -> dict[str, DramSpec]:
        """Records that levels are filled from, by the source that stands for them."""
        found = {}
        for index, level in enumerate(self.spec.memory_levels):
            if level.dram is not None:
                home, _ = self.document.home(("memory_levels", index, "dram", "type"))
                file = dram_path(level.dram.type, Path(home.file).parent)
                record = read_dram(file)[0] if file is not None else None
                if record is not None:
                    found[source_key(record.name)] = record
        return found

    def _hardware(self, precision: str, energy: _Coefficients) -> Hardware:
        spec = self.spec
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


@dataclass(frozen=True)
class _Coefficients:
    """Energy and power coefficients at one end of their ranges; absent ones are zero (a power law stands in).

    With ``sources`` those that rest on an assumption are zero, so that power without them is what has a source. A
    number that was filled from a DRAM record keeps the part whose own numbers have one. ``given`` numbers, by the
    identity of their record, stand in for the profile's.
    """

    end: End
    sources: Mapping[str, Source] | None = None
    records: Mapping[str, DramSpec] = field(default_factory=dict)
    given: Mapping[int, Number] = field(default_factory=dict)

    def time(self, quantity: Quantity | None, absent: float = 1.0) -> Number:
        """A number that sets time or size: nominal unless given."""
        if quantity is None:
            return absent
        given = self.given.get(id(quantity))
        return float(quantity.value) if given is None else given

    def __call__(self, quantity: Quantity | None, key: str = "") -> Number:
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


def _unit(unit: ComputeUnit, precision: str, energy: _Coefficients) -> UnitParams:
    rate = unit.precisions[precision]  # type: ignore[index]
    law = unit.power_law
    library = rate.kernels or KernelLibrary()
    linear = unit.precisions[library.linear_format] if library.linear_format else rate
    curve = (linear.kernels or KernelLibrary()).efficiency_by_rows or unit.efficiency_by_rows or []
    return UnitParams(
        name=unit.name,
        weight_stationary=unit.dataflow == "weight_stationary",
        power_law=law is not None,
        cores_count=energy.time(unit.cores_count),
        clock_hz=energy.time(unit.clock_hz),
        unroll_m_count=energy.time(unit.unroll_m_count),
        unroll_k_count=energy.time(unit.unroll_k_count),
        unroll_n_count=energy.time(unit.unroll_n_count),
        register_rows_count=energy.time(unit.register_rows_count),
        weight_load_rows_per_cycle=energy.time(unit.weight_load_rows_per_cycle),
        weight_load_hidden_ratio=energy.time(unit.weight_load_hidden_ratio),
        efficiency_ratio=energy.time(unit.efficiency_ratio),
        efficiency_rows=tuple(energy.time(point.rows_count) for point in curve),
        efficiency_values=tuple(energy.time(point.efficiency_ratio) for point in curve),
        macs_per_cycle=energy.time(linear.macs_per_cycle),
        energy_pj_per_mac=energy(linear.energy_pj_per_mac),
        vector_per_cycle=tuple(energy.time(getattr(unit.vector, f"{kind}_per_cycle")) for kind in VECTOR_KINDS),
        vector_pj=tuple(energy(getattr(unit.vector, f"{kind}_pj")) for kind in VECTOR_KINDS),
        static_mw=energy(unit.static_mw),
        idle_mw=energy(unit.idle_mw),
        dispatch_s=energy.time(unit.dispatch_s),
        overlap_ratio=energy.time(unit.overlap_ratio),
        law_static_mw=energy(law.static_mw if law else None),
        law_dynamic_uw_per_mhz_v2=energy(law.dynamic_uw_per_mhz_v2 if law else None),
        law_activity_ratio=energy(law.activity_ratio if law else None),
        law_stalled_ratio=energy(law.stalled_ratio if law else None),
        walks_kernels=unit.walks_kernels,
        channelwise_efficiency_ratio=energy.time(unit.channelwise_efficiency_ratio),
        **_library(unit, precision, library, energy),
    )


def _library(
    unit: ComputeUnit, precision: str, library: KernelLibrary, energy: _Coefficients
) -> dict[str, tuple[Number, ...]]:
    """What a kernel library does, as fields of the unit's record."""
    own = [getattr(library, f"{op}_dispatch_s") for op in OP_CLASSES]
    curves = library.stream_by_rows or []
    params: dict[str, tuple[Number, ...]] = {
        "stream_rows": tuple(energy.time(curve.rows_count) for curve in curves),
        "stream_run_bytes": tuple(energy.time(point.run_bytes) for point in (curves[0].by_run if curves else ())),
        "stream_values": tuple(energy.time(point.stream_ratio) for curve in curves for point in curve.by_run),
    }
    for name in _LIBRARY_NUMBERS:
        if (quantity := getattr(library, name)) is not None:
            params[name] = (energy.time(quantity),)
    if any(own):
        params["dispatch_by_op_s"] = tuple(energy.time(each or unit.dispatch_s) for each in own)
    if library.attention_format is not None or library.linear_format is not None:
        other = unit.precisions[library.attention_format or precision]  # type: ignore[index]
        curve = (other.kernels or KernelLibrary()).efficiency_by_rows or unit.efficiency_by_rows or []
        params["attention_macs_per_cycle"] = (energy.time(other.macs_per_cycle),)
        params["attention_rows"] = tuple(energy.time(point.rows_count) for point in curve)
        params["attention_values"] = tuple(energy.time(point.efficiency_ratio) for point in curve)
    return params


def _level(level: MemoryLevel, energy: _Coefficients) -> LevelParams:
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


def _point(point: OperatingPoint, law: PowerLaw | None, energy: _Coefficients) -> PointParams:
    def own(quantity: Quantity | None) -> Number:
        return float("nan") if quantity is None else energy(quantity)

    # What is dynamic is reckoned from the nominal static power at both ends, so that it rises with the measured power.
    static_mw = law.static_mw.value if law else 0.0
    return PointParams(
        frequency_hz=energy.time(point.frequency_hz),
        voltage_v=energy.time(point.voltage_v),
        static_mw=own(point.static_mw),
        law_dynamic_mw=np.maximum(own(point.measured_mw) - static_mw, 0.0),
        idle_mw=own(point.idle_mw),
    )


def profile_findings(document: Document, strict: bool = False) -> tuple[ProfileSpec | None, list[Finding]]:
    """Validate a profile document, with what it extends; all findings, warnings too.

    Beyond what loading checks: derived numbers are computed again from their rules, and what is physically unlikely is
    warned of. ``strict`` refuses unused sources, sources that cannot be looked up and energies that are assumed.
    """
    whole, spec, findings = _examined(document)
    if spec is not None:
        problems = [*derivation_problems(spec, whole, _load_spec), *plausibility_problems(spec)]
        problems += strict_problems(spec) if strict else ()
        findings = [*findings, *(locate(whole, problem) for problem in problems)]
        if strict:
            findings = [replace(f, severity="error") if f.message.endswith(UNUSED) else f for f in findings]
        findings.sort(key=position_order)
        if any(finding.severity == "error" for finding in findings):
            spec = None
    return spec, findings


def dram_findings(document: Document) -> list[Finding]:
    """Everything that is wrong with the record of a DRAM type."""
    record, findings = collect_sourced_findings(document, DramSpec, (check_dram,))
    problems = [] if record is None else derivation_problems(record, document, _load_spec)
    return sorted([*findings, *(locate(document, problem) for problem in problems)], key=position_order)


def _load_spec(name: str, folder: Path) -> ProfileSpec:
    """A profile that a number of another one refers to."""
    return load_profile(profile_path(name, folder)).spec


def from_document(document: Document) -> Profile:
    """Validate a document, with what it extends, and wrap it.

    Raises
    ------
    InputError
        If it is not a valid profile; holds every finding, located in the file that says what is wrong.
    """
    whole, spec, findings = _examined(document)
    if spec is None:
        raise InputError(tuple(findings))
    return Profile(spec, whole)


def _examined(document: Document) -> tuple[Document, ProfileSpec | None, list[Finding]]:
    """The document with its base and its DRAM, what it says, and everything that is wrong with it."""
    try:
        document = with_dram(with_base(document))
    except InputError as error:
        return document, None, list(error.findings)
    spec, findings = collect_sourced_findings(document, ProfileSpec, (check_profile,))
    laid = document.findings if isinstance(document, LayeredDocument) else ()
    if any(finding.severity == "error" for finding in laid):
        spec = None
    return document, spec, sorted([*laid, *findings], key=position_order)


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
