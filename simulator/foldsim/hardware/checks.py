"""What a single record of a profile cannot see: names used twice, impossible combinations, unused sources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from foldsim.hardware.calibration_record import calibration_problems
from foldsim.hardware.spec import POLICIES, RESERVED_LEVELS, ComputeUnit, KernelLibrary, MemoryLevel, ProfileSpec
from foldsim.schema import Problem
from foldsim.schema.quantity import used_sources

UNUSED = "is used by no number"
"""How the finding about an unused source ends; strict validation makes it an error."""


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
    used = used_sources(profile)
    for key in profile.sources:
        if key not in used:
            yield Problem(("sources", key), f"source {key!r} {UNUSED}", severity="warning", at_key=True)
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
    if profile.removes is not None and profile.extends is None:
        yield Problem(("removes",), "there is nothing to take away from: the profile extends no other", at_key=True)
    yield from calibration_problems(profile, profile.calibration)
    yield from _check_clock(profile)
    yield from _check_law(profile)
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


def _check_law(profile: ProfileSpec) -> Iterable[Problem]:
    """A power law needs its slope or measured powers; measured powers need a law that says what of them is static."""
    first = profile.compute_units[0]
    law = first.power_law
    for index, point in enumerate(profile.operating_points):
        if point.measured_mw is None:
            continue
        path = ("operating_points", index, "measured_mw")
        if law is None:
            yield Problem(path, f"{first.name!r} has no power_law that says what of this power is static", at_key=True)
        elif point.measured_mw.value <= law.static_mw.value:
            message = f"measured power of {point.measured_mw.value:g} mW is not above the static power of the power_law"
            yield Problem((*path, "value"), message, f"more than {law.static_mw.value:g}")
    for index, unit in enumerate(profile.compute_units):
        measured = index == 0 and all(point.measured_mw is not None for point in profile.operating_points)
        if unit.power_law is not None and unit.power_law.dynamic_uw_per_mhz_v2 is None and not measured:
            message = "dynamic_uw_per_mhz_v2 is missing (or give every operating point its measured_mw)"
            yield Problem(("compute_units", index, "power_law"), message)


def _check_unit(unit: ComputeUnit, path: tuple[str | int, ...]) -> Iterable[Problem]:
    for name, rate in unit.precisions.items():
        for key in ("attention_format", "linear_format"):
            other = getattr(rate.kernels, key, None)
            if other is not None and other not in unit.precisions:
                yield Problem(
                    (*path, "precisions", name, "kernels", key),
                    f"unit {unit.name!r} has no format {other!r}",
                    allowed=", ".join(unit.precisions),
                )
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
    for name, rate in unit.precisions.items():
        yield from _check_streams(rate.kernels, (*path, "precisions", name, "kernels"))
    if unit.efficiency_by_rows:
        rows = [point.rows_count.value for point in unit.efficiency_by_rows]
        if rows != sorted(set(rows)):
            yield Problem((*path, "efficiency_by_rows"), "rows_count must rise from point to point")


def _check_streams(library: KernelLibrary | None, path: tuple[str | int, ...]) -> Iterable[Problem]:
    """Streaming is known on a grid: rows rise, and so do runs, which are the same at all rows."""
    curves = (library.stream_by_rows or []) if library else []
    rows = [curve.rows_count.value for curve in curves]
    if rows != sorted(set(rows)):
        yield Problem((*path, "stream_by_rows"), "rows_count must rise from one to the next")
    for index, curve in enumerate(curves):
        runs = [point.run_bytes.value for point in curve.by_run]
        at = (*path, "stream_by_rows", index, "by_run")
        if runs != sorted(set(runs)):
            yield Problem(at, "run_bytes must rise from point to point")
        elif runs != (first := [point.run_bytes.value for point in curves[0].by_run]):
            yield Problem(at, "other run_bytes than at the first rows_count", ", ".join(f"{run:g}" for run in first))


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
