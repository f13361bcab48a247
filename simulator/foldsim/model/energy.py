"""Energy by term: activity (counts of events) times coefficients (energy per event).

Activity does not depend on energy coefficients, so one activity serves the nominal, low and high coefficients, and is
summed over ops before the multiplication. All functions are linear in the activity: terms of ops sum to terms of the
whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foldsim import units as u
from foldsim.model.records import (
    DECODE_KINDS,
    VECTOR_KINDS,
    FloatArray,
    Hardware,
    Number,
    OpTable,
    PowerLawParams,
    UnitParams,
)
from foldsim.model.roofline import Times
from foldsim.model.traffic import Traffic


@dataclass(frozen=True)
class Activity:
    """Counts of everything that takes energy; each array (P,), or (R, P) per op."""

    macs: tuple[FloatArray, ...]  # by compute unit
    vector: tuple[tuple[FloatArray, ...], ...]  # by compute unit, by VECTOR_KINDS
    unit_busy_s: tuple[FloatArray, ...]  # by compute unit: time of its ops
    unit_active_s: tuple[FloatArray, ...]  # by compute unit: part of it spent computing, not waiting
    read_bytes: tuple[FloatArray, ...]  # by level
    write_bytes: tuple[FloatArray, ...]  # by level
    busy_s: FloatArray
    priced_mac_count: tuple[FloatArray, ...] | None = None  # by unit: full MACs of the same energy; None: as macs
    decode_count: tuple[tuple[FloatArray, ...], ...] | None = None  # by unit, by DECODE_KINDS; None: no decoding


@dataclass(frozen=True)
class Supply:
    """The selected operating point: clock over reference clock, voltage, voltage over reference, measured powers."""

    clock_ratio: Number
    voltage_v: Number
    voltage_ratio: Number
    static_mw: Number  # NaN: static power scales with the voltage
    law_dynamic_mw: Number = float("nan")  # of one core of the first unit; NaN: follows the power law
    idle_mw: Number = float("nan")  # of all units; NaN: that of the units


def ops_activity(ops: OpTable, traffic: Traffic, times: Times, times_count: FloatArray, unit_count: int) -> Activity:
    """Activity per op (R, P), each op executed ``times_count`` (R, P) times."""
    return _activity(ops, traffic, times, unit_count, lambda x, unit_rows: _masked(x * times_count, unit_rows))


def total_activity(ops: OpTable, traffic: Traffic, times: Times, times_count: FloatArray, unit_count: int) -> Activity:
    """Activity summed over ops (P,), each op executed ``times_count`` (R, P) times."""

    def add_up(x: FloatArray, unit_rows: np.ndarray | None) -> FloatArray:
        if unit_rows is None or unit_rows.all():
            return np.einsum("rp,rp->p", x, times_count)
        return np.einsum("rp,rp->p", x[unit_rows], times_count[unit_rows])

    return _activity(ops, traffic, times, unit_count, add_up)


def _masked(x: FloatArray, rows: np.ndarray | None) -> FloatArray:
    return x if rows is None else np.where(rows[:, None], x, 0.0)


def _activity(
    ops: OpTable,
    traffic: Traffic,
    times: Times,
    unit_count: int,
    collect: Callable[[FloatArray, np.ndarray | None], FloatArray],
) -> Activity:
    macs = np.zeros_like(ops.live_bytes)
    macs[: ops.matrix_rows] = ops.steps * ops.batch * ops.m * ops.k * ops.n
    priced = None
    if ops.codec is not None:
        priced = macs.copy()
        priced[: ops.matrix_rows] *= ops.codec.mac_energy_ratio
    active = np.minimum(times.matrix_s + times.vector_s + times.dispatch_s, times.total_s)
    rows = [ops.unit == index for index in range(unit_count)]
    reads, writes = [], []
    for level in range(len(traffic.inward)):
        # Each level is read and written from both sides.
        read, write = traffic.inward[level], traffic.outward[level]
        if level + 1 < len(traffic.inward):
            read, write = read + traffic.outward[level + 1], write + traffic.inward[level + 1]
        reads.append(collect(read, None))
        writes.append(collect(write, None))
    return Activity(
        macs=tuple(collect(macs, r) for r in rows),
        vector=tuple(tuple(collect(v, r) for v in ops.vector) for r in rows),
        unit_busy_s=tuple(collect(times.total_s, r) for r in rows),
        unit_active_s=tuple(collect(active, r) for r in rows),
        read_bytes=tuple(reads),
        write_bytes=tuple(writes),
        busy_s=collect(times.total_s, None),
        priced_mac_count=None if priced is None else tuple(collect(priced, r) for r in rows),
        decode_count=tuple(tuple(collect(d, r) for d in traffic.decode_count) for r in rows)
        if traffic.decode_count
        else None,
    )


@dataclass(frozen=True)
class Term:
    """One energy term [pJ] and the column of the results that it is part of.

    Terms of one ``cause`` share their uncertainty: a chip that leaks more when busy leaks more asleep.
    """

    name: str
    part: str  # compute | onchip | dram | static
    energy_pj: FloatArray
    cause: str = ""  # empty: the term is independent of all others
    decoding: bool = False  # of compressed weights


def busy_terms(activity: Activity, hardware: Hardware, supply: Supply) -> list[Term]:
    """Energy spent while working, by term [pJ], each of the shape of the activity's arrays.

    Dynamic energies of the core domain scale with the square of the voltage ratio, leakage with the voltage ratio
    unless the operating point states its static power.
    """
    dynamic: Number = np.square(supply.voltage_ratio)
    terms = []
    for index, unit in enumerate(hardware.units):
        prefix = f"{unit.name} " if len(hardware.units) > 1 else ""
        if unit.power_law is not None:
            terms += _power_law_terms(activity, index, unit, unit.power_law, supply, prefix)
        else:
            terms += _event_terms(activity, index, unit, dynamic, prefix)
    for index, level in enumerate(hardware.levels):
        scale = dynamic if level.core_clock else 1.0
        part = "onchip" if level.on_chip else "dram"
        terms.append(Term(f"{level.name} reads", part, activity.read_bytes[index] * (level.read_pj_per_byte * scale)))
        terms.append(
            Term(f"{level.name} writes", part, activity.write_bytes[index] * (level.write_pj_per_byte * scale))
        )
    for name, part, power_mw, cause in _busy_powers(hardware, supply):
        terms.append(Term(name, part, activity.busy_s * (power_mw * u.PJ_PER_MW_S), cause))
    return terms


def _power_law_terms(
    activity: Activity, index: int, unit: UnitParams, law: PowerLawParams, supply: Supply, prefix: str
) -> list[Term]:
    """Compute energy of a unit whose power follows clock and voltage; measured points replace that of the first."""
    mhz = unit.clock_hz * supply.clock_ratio / u.HZ_PER_MHZ
    law_mw: Number = law.dynamic_uw_per_mhz_v2 * mhz * np.square(supply.voltage_v) / u.UW_PER_MW
    if index == 0:
        law_mw = np.where(np.isnan(supply.law_dynamic_mw), law_mw, supply.law_dynamic_mw)
    busy_s, active_s = activity.unit_busy_s[index], activity.unit_active_s[index]
    running_pj_per_s = law_mw * law.activity_ratio * unit.cores_count * u.PJ_PER_MW_S
    computing = active_s * running_pj_per_s
    stalled = (busy_s - active_s) * (running_pj_per_s * law.stalled_ratio)
    static = busy_s * (law.static_mw * unit.cores_count * u.PJ_PER_MW_S)
    return [
        Term(prefix + "power law, computing", "compute", computing),
        Term(prefix + "power law, waiting for memory", "compute", stalled),
        Term(prefix + "power law, static", "static", static),
    ]


def _event_terms(activity: Activity, index: int, unit: UnitParams, dynamic: Number, prefix: str) -> list[Term]:
    """Compute energy of a unit with an energy per MAC and per element of vector work."""
    count = activity.macs if activity.priced_mac_count is None else activity.priced_mac_count
    terms = [Term(prefix + "MACs", "compute", count[index] * (unit.energy_pj_per_mac * dynamic))]
    for kind, work, pj in zip(VECTOR_KINDS, activity.vector[index], unit.vector_pj, strict=True):
        terms.append(Term(f"{prefix}vector {kind}", "compute", work * (pj * dynamic)))
    if activity.decode_count is not None:
        for kind, work in zip(DECODE_KINDS, activity.decode_count[index], strict=True):
            decoded = work * (unit.vector_pj[VECTOR_KINDS.index(kind)] * dynamic)
            cause = f"{prefix}vector {kind}"
            terms.append(Term(f"{prefix}decode {kind}", "compute", decoded, cause, decoding=True))
    return terms


def _busy_powers(hardware: Hardware, supply: Supply) -> list[tuple[str, str, Number, str]]:
    """Powers drawn while any component is busy: name, part, mW, cause."""
    units_mw = sum(unit.static_mw for unit in hardware.units) * supply.voltage_ratio
    powers: list[tuple[str, str, Number, str]] = [
        (
            "compute static",
            "static",
            np.where(np.isnan(supply.static_mw), units_mw, supply.static_mw),
            "compute leakage",
        ),
        ("system while busy", "static", hardware.system.busy_mw, "system"),
    ]
    for level in hardware.levels:
        scale = supply.voltage_ratio if level.core_clock else 1.0
        powers.append((f"{level.name} static", "static", level.static_mw * scale, f"{level.name} leakage"))
        powers.append(
            (f"{level.name} background, busy", "dram", level.background_active_mw, f"{level.name} background")
        )
    return powers


def idle_terms(
    idle_s: FloatArray, waiting_s: FloatArray, wakes: FloatArray, hardware: Hardware, supply: Supply
) -> list[Term]:
    """Energy of sleeping ``idle_s`` seconds, waiting awake ``waiting_s`` seconds and waking ``wakes`` times [pJ]."""
    units_mw = sum((unit.idle_mw for unit in hardware.units), 0.0)
    units_mw = np.where(np.isnan(supply.idle_mw), units_mw, supply.idle_mw)
    asleep: list[tuple[str, str, Number, str]] = [
        ("compute idle", "static", units_mw, "compute leakage"),
        ("system idle", "static", hardware.system.idle_mw, "system"),
    ]
    for level in hardware.levels:
        asleep.append((f"{level.name} retention", "static", level.retention_mw, f"{level.name} leakage"))
        asleep.append((f"{level.name} background, idle", "dram", level.background_idle_mw, f"{level.name} background"))
    terms = [Term(name, part, idle_s * (power_mw * u.PJ_PER_MW_S), cause) for name, part, power_mw, cause in asleep]
    laws_mw = sum((unit.power_law.static_mw * unit.cores_count for unit in hardware.units if unit.power_law), 0.0)
    for part, start_mw in (("static", laws_mw), ("dram", 0.0)):
        power_mw = sum((mw for _, p, mw, _ in _busy_powers(hardware, supply) if p == part), start_mw)
        terms.append(Term(f"awake without work, {part}", part, waiting_s * (power_mw * u.PJ_PER_MW_S)))
    terms.append(Term("waking", "static", wakes * (hardware.system.wake_uj * u.PJ_PER_UJ)))
    return terms


def stack_by_cause(terms: Sequence[Term], shape: tuple[int, ...]) -> FloatArray:
    """Sums of the terms of each cause, (causes, *shape) [pJ]."""
    sums: dict[str, FloatArray] = {}
    for term in terms:
        cause = term.cause or term.name
        sums[cause] = sums[cause] + term.energy_pj if cause in sums else np.broadcast_to(term.energy_pj, shape)
    return np.stack(list(sums.values()))


def sum_by_part(terms: Sequence[Term]) -> dict[str, FloatArray]:
    """Energy by part: compute, onchip, dram, static [pJ]."""
    totals: dict[str, FloatArray] = {}
    for part in ("compute", "onchip", "dram", "static"):
        energies = [np.asarray(t.energy_pj) for t in terms if t.part == part]
        totals[part] = sum(energies[1:], start=energies[0]) if energies else np.zeros(1)
    return totals
