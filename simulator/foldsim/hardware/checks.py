"""Checks of a whole profile: repeated names, combinations that are not possible, unused sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foldsim.errors import nearest
from foldsim.hardware.calibration_record import calibration_problems
from foldsim.hardware.device_classes import BUILT_IN, device_classes
from foldsim.hardware.numbers import unused_source_problems
from foldsim.hardware.spec import (
    POLICIES,
    RESERVED_LEVELS,
    ComputeUnit,
    KernelLibrary,
    MemoryLevel,
    OperatingPoint,
    ProfileSpec,
)
from foldsim.schema import Problem
from foldsim.schema.findings import Path

NAMED_LISTS = ("compute_units", "memory_levels", "operating_points")


def check_profile(profile: ProfileSpec) -> Iterator[Problem]:
    """Problems of a profile whose records are valid one by one."""
    yield from unused_source_problems(profile, profile.sources)
    for key in NAMED_LISTS:
        yield from _repeated_names(getattr(profile, key), key)
    yield from _choices(profile)
    if profile.removes is not None and profile.extends is None:
        yield Problem(("removes",), "there is nothing to remove: the profile extends no other", at_key=True)
    yield from calibration_problems(profile, profile.calibration)
    yield from _check_clock(profile)
    yield from _check_measured_power(profile)
    yield from _check_components(profile.compute_units)
    for index, unit in enumerate(profile.compute_units):
        yield from _check_unit(unit, ("compute_units", index))
    for index, level in enumerate(profile.memory_levels):
        yield from _check_level(level, ("memory_levels", index))
    yield from _check_storage(profile.memory_levels)


def _repeated_names(items: Sequence[ComputeUnit | MemoryLevel | OperatingPoint], key: str) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        if item.name in first:
            message = f"the name {item.name!r} is used twice (first by {key}[{first[item.name]}])"
            yield Problem((key, index, "name"), message)
        first.setdefault(item.name, index)


def _choices(profile: ProfileSpec) -> Iterator[Problem]:
    """Device class, reference point and policy name what exists."""
    points = [point.name for point in profile.operating_points]
    if profile.device_class not in BUILT_IN:  # only then are the entry points of other packages loaded
        yield from _choice("device_class", profile.device_class, "device class", list(device_classes()))
    yield from _choice("reference_operating_point", profile.reference_operating_point, "operating point", points)
    yield from _choice("policy", profile.policy, "policy or operating point", [*POLICIES, *points])


def _choice(key: str, name: str, kind: str, allowed: Sequence[str]) -> Iterator[Problem]:
    if name not in allowed:
        yield Problem((key,), f"{kind} {name!r} not found", ", ".join(allowed), nearest(name, allowed))


def _check_components(units: Sequence[ComputeUnit]) -> Iterator[Problem]:
    """A component runs on one unit."""
    assigned: dict[str, str] = {}
    for index, unit in enumerate(units):
        for position, component in enumerate(unit.runs):
            if component in assigned:
                message = f"{component!r} already runs on unit {assigned[component]!r}"
                yield Problem(("compute_units", index, "runs", position), message)
            assigned.setdefault(component, unit.name)


def _check_storage(levels: Sequence[MemoryLevel]) -> Iterator[Problem]:
    """Weights and state need levels that keep them between chunks."""
    if not levels[-1].keeps_data:
        message = "the outermost level must keep data, because weights are stored there"
        yield Problem(("memory_levels", len(levels) - 1, "keeps_data"), message, "true")
    if not any(level.keeps_data and level.writable for level in levels):
        yield Problem(("memory_levels",), "no level keeps data and is writable, as the state requires")


def _check_clock(profile: ProfileSpec) -> Iterator[Problem]:
    """The clock of the first unit is the frequency of the reference operating point."""
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


def _check_measured_power(profile: ProfileSpec) -> Iterator[Problem]:
    """A power law needs its slope or measured powers; measured powers need the static power of a power law."""
    first = profile.compute_units[0]
    law = first.power_law
    for index, point in enumerate(profile.operating_points):
        if point.measured_mw is None:
            continue
        path = ("operating_points", index, "measured_mw")
        if law is None:
            yield Problem(path, f"measured_mw needs a power_law of {first.name!r} with its static power", at_key=True)
        elif point.measured_mw.value <= law.static_mw.value:
            message = f"measured power of {point.measured_mw.value:g} mW is not above the static power of the power_law"
            yield Problem((*path, "value"), message, f"more than {law.static_mw.value:g}")
    for index, unit in enumerate(profile.compute_units):
        measured = index == 0 and all(point.measured_mw is not None for point in profile.operating_points)
        if unit.power_law is not None and unit.power_law.dynamic_uw_per_mhz_v2 is None and not measured:
            message = "dynamic_uw_per_mhz_v2 is missing (or give every operating point its measured_mw)"
            yield Problem(("compute_units", index, "power_law"), message)


def _check_unit(unit: ComputeUnit, path: Path) -> Iterator[Problem]:
    for name, rate in unit.precisions.items():
        yield from _check_kernels(rate.kernels, unit, (*path, "precisions", name, "kernels"))
    loads = (unit.weight_load_rows_per_cycle, unit.weight_load_hidden_ratio)
    if unit.dataflow == "weight_stationary" and None in loads:
        yield Problem(path, "a weight_stationary unit needs weight_load_rows_per_cycle and weight_load_hidden_ratio")
    if unit.dataflow == "output_stationary" and loads != (None, None):
        yield Problem(path, "weight_load_* belong to weight_stationary units only")
    if unit.power_law is None:
        yield from _missing_energies(unit, path)
    if unit.efficiency_by_rows:
        rows = [point.rows_count.value for point in unit.efficiency_by_rows]
        if rows != sorted(set(rows)):
            yield Problem((*path, "efficiency_by_rows"), "rows_count must rise from point to point")


def _missing_energies(unit: ComputeUnit, path: Path) -> Iterator[Problem]:
    for name, rate in unit.precisions.items():
        if rate.energy_pj_per_mac is None:
            message = "energy_pj_per_mac is missing (or give the unit a power_law)"
            yield Problem((*path, "precisions", name), message)
    for field in ("exp_pj", "divide_pj", "multiply_add_pj", "compare_pj"):
        if getattr(unit.vector, field) is None:
            yield Problem((*path, "vector"), f"{field} is missing (or give the unit a power_law)")


def _check_kernels(library: KernelLibrary | None, unit: ComputeUnit, path: Path) -> Iterator[Problem]:
    """Formats exist; streaming curves form a grid: rows rise, and so do runs, which are the same at all rows."""
    if library is None:
        return
    for key, other in (("attention_format", library.attention_format), ("linear_format", library.linear_format)):
        if other is not None and other not in unit.precisions:
            yield Problem((*path, key), f"unit {unit.name!r} has no format {other!r}", ", ".join(unit.precisions))
    curves = library.stream_by_rows or []
    rows = [curve.rows_count.value for curve in curves]
    if rows != sorted(set(rows)):
        yield Problem((*path, "stream_by_rows"), "rows_count must rise from one to the next")
    for index, curve in enumerate(curves):
        runs = [point.run_bytes.value for point in curve.by_run]
        where = (*path, "stream_by_rows", index, "by_run")
        if runs != sorted(set(runs)):
            yield Problem(where, "run_bytes must rise from point to point")
        elif runs != (first := [point.run_bytes.value for point in curves[0].by_run]):
            yield Problem(
                where, "run_bytes differ from those at the first rows_count", ", ".join(f"{run:g}" for run in first)
            )


def _check_level(level: MemoryLevel, path: Path) -> Iterator[Problem]:
    if level.name in RESERVED_LEVELS:
        message = f"{level.name!r} is the name of a latency term; rename the level"
        yield Problem((*path, "name"), message)
    if level.kind == "dram" and level.background is None:
        yield Problem(path, f"level {level.name!r} is DRAM and needs background power (background:)")
    if level.kind != "dram" and level.background is not None:
        yield Problem(
            (*path, "background"),
            "background power states belong to DRAM only; use static_mw and retention_mw",
            at_key=True,
        )
