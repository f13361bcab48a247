"""Warnings about physically unlikely values of a profile, each with the usual range and a suggestion."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from foldsim.hardware.guide import entry_of
from foldsim.hardware.spec import ComputeUnit, MemoryLevel, OperatingPoint, ProfileSpec
from foldsim.hardware.technology import COMPOUNDS, SCALABLE_NM, SCALABLE_V, Band, datapath_pj, sram_pj_per_byte
from foldsim.schema import Problem
from foldsim.schema.findings import Path
from foldsim.schema.quantity import Quantity, quantities
from foldsim.units import BITS_PER_BYTE, BYTES_PER_KIB

# Measured whole systems take 7 to 140 times the bare arithmetic (facts page, section 4); an accelerator alone less.
MOST_OVERHEAD = 50.0
# The smallest usual SRAM bank bounds the energy of an SRAM from below, wires to many banks from above.
BANK_BYTES = 8 * BYTES_PER_KIB
MOST_INTERCONNECT = 3.0
PREFIX_STEP = 1000.0  # a unit one prefix off
SAME = 0.01  # relative; peak and array are counts, written exactly


def plausibility_problems(profile: ProfileSpec) -> Iterator[Problem]:
    """Warnings about physically unlikely values."""
    yield from _unusual(profile)
    yield from _levels(profile)
    reference = next((p for p in profile.operating_points if p.name == profile.reference_operating_point), None)
    for index, unit in enumerate(profile.compute_units):
        yield from _peak(unit, ("compute_units", index))
        if profile.node_nm is not None and reference is not None:
            yield from _arithmetic(unit, profile.node_nm.value, reference, ("compute_units", index))
    yield from _points(profile)


def _warning(path: Path, message: str, allowed: str | None = None, suggestion: str | None = None) -> Problem:
    return Problem(path, message, allowed, suggestion, severity="warning")


# ---- one number ----------------------------------------------------------------------------------------------------


def _unusual(profile: ProfileSpec) -> Iterator[Problem]:
    """Values outside the usual range; zero means that the part does not exist."""
    for path, quantity in quantities(profile):
        kind = profile.memory_levels[int(path[1])].kind if path[0] == "memory_levels" else ""
        entry = entry_of(path, kind)
        if entry is None or quantity.value == 0 or entry.low <= quantity.value <= entry.high:
            continue
        slips = [(quantity.value * PREFIX_STEP, "the unit is one prefix off")]
        slips.append((quantity.value / PREFIX_STEP, "the unit is one prefix off"))
        if str(path[-1]).endswith("_per_byte"):
            slips.insert(0, (quantity.value * BITS_PER_BYTE, "it is per bit"))
        fits = [f"{x:g}, if {why}" for x, why in slips if entry.low <= x <= entry.high]
        suggestion = fits[0] if fits else entry.where
        message = f"`{path[-1]}` of {quantity.value:g} is unusual"
        yield _warning((*path, "value"), message, f"usually {entry.low:g} to {entry.high:g}", suggestion)


# ---- levels --------------------------------------------------------------------------------------------------------


def _levels(profile: ProfileSpec) -> Iterator[Problem]:
    levels = list(enumerate(profile.memory_levels))
    for (_, inner), (at, outer) in pairwise(levels):
        path = ("memory_levels", at)
        for field in ("read_pj_per_byte", "write_pj_per_byte"):
            near, far = getattr(inner, field).value, getattr(outer, field).value
            if near > far > 0:
                message = f"a byte of {outer.name!r} takes {far:g} pJ, less than one of {inner.name!r} inside it"
                yield _warning((*path, field, "value"), message, f"at least {near:g}", "order levels innermost first")
        near, far = _reached(inner), _reached(outer)
        if near < far:
            message = (
                f"{outer.name!r} streams at {far:.3g} GB/s, faster than {inner.name!r} inside it ({near:.3g} GB/s);"
                " it cannot be used at that rate"
            )
            yield _warning((*path, "bandwidth_gb_per_s", "value"), message, suggestion="order levels innermost first")
        # Registers and buffers of many cores may be larger than the cache they share; a level that keeps data may not.
        # Flash and MRAM of a microcontroller may be smaller than its SRAM.
        sized = inner.keeps_data and outer.kind not in ("flash", "mram")
        if sized and inner.capacity_bytes.value > outer.capacity_bytes.value:
            message = f"{outer.name!r} is smaller than {inner.name!r} inside it"
            least = f"at least {inner.capacity_bytes.value:g}"
            yield _warning((*path, "capacity_bytes", "value"), message, least, "order levels innermost first")
    for at, level in levels:
        yield from _states(level, ("memory_levels", at))
        if profile.node_nm is not None and level.kind in ("scratchpad", "cache") and level.on_chip:
            yield from _sram(level, profile.node_nm.value, ("memory_levels", at))


def _reached(level: MemoryLevel) -> float:
    return level.bandwidth_gb_per_s.value * level.bandwidth_efficiency_ratio.value


def _states(level: MemoryLevel, path: Path) -> Iterator[Problem]:
    """A deeper state of a DRAM takes less power."""
    states = level.background
    if states is None:
        return
    for deeper, lighter in (("self_refresh", "power_down"), ("power_down", "active_standby")):
        less, more = (getattr(states, f"{state}_mw").value for state in (deeper, lighter))
        if less > more:
            message = f"{deeper} of {level.name!r} takes more than {lighter} ({less:g} and {more:g} mW)"
            where = path if level.dram is None else (*path, "dram")
            inside: Path = (*path, "background", f"{deeper}_mw", "value") if level.dram is None else where
            yield _warning(inside, message, f"at most {more:g}")


def _sram(level: MemoryLevel, node_nm: float, path: Path) -> Iterator[Problem]:
    """SRAM energy outside the range of CACTI and published tables at the node."""
    if not SCALABLE_NM[0] <= node_nm <= SCALABLE_NM[1]:
        return
    for field in ("read_pj_per_byte", "write_pj_per_byte"):
        quantity: Quantity = getattr(level, field)
        write = field.startswith("write")
        bank = sram_pj_per_byte(BANK_BYTES, node_nm, _usual_v(node_nm), 64, write)
        whole = sram_pj_per_byte(level.capacity_bytes.value, node_nm, _usual_v(node_nm), 64, write)
        most = max(bank.high, whole.high) * MOST_INTERCONNECT
        if quantity.value and not bank.low <= quantity.value <= most:
            yield _unlikely((*path, field), quantity, f"an SRAM at {node_nm:g} nm", Band(whole.value, bank.low, most))


def _usual_v(node_nm: float) -> float:
    """Usual supply voltage of logic of a node; it only scales ranges that span a factor of several."""
    return 0.9 if node_nm >= 28 else 0.8 if node_nm >= 12 else 0.75


def _unlikely(path: Path, quantity: Quantity, what: str, usual: Band) -> Problem:
    message = f"`{path[-1]}` of {quantity.value:g} is implausible for {what}"
    allowed = f"usually {usual.low:.2g} to {usual.high:.2g}"
    return _warning((*path, "value"), message, allowed, f"about {usual.value:.2g}")


# ---- units ---------------------------------------------------------------------------------------------------------


def _peak(unit: ComputeUnit, path: Path) -> Iterator[Problem]:
    """At least one number format must have the peak of the array."""
    shape = unit.unroll_m_count.value * unit.unroll_k_count.value * unit.unroll_n_count.value
    rates = {name: rate.macs_per_cycle.value for name, rate in unit.precisions.items()}
    if any(abs(rate - shape) <= SAME * shape for rate in rates.values()):
        return
    peaks = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
    message = (
        f"the array of {unit.name!r} is {unit.unroll_m_count.value:g} x {unit.unroll_k_count.value:g} x"
        f" {unit.unroll_n_count.value:g} = {shape:g} MACs per cycle, but no number format has that peak ({peaks})"
    )
    first = next(iter(rates))
    yield _warning((*path, "precisions", first, "macs_per_cycle", "value"), message, f"{shape:g} for one format")


def _arithmetic(unit: ComputeUnit, node_nm: float, point: OperatingPoint, path: Path) -> Iterator[Problem]:
    """MACs with less energy than bare arithmetic, or as much as whole systems."""
    volts = min(max(point.voltage_v.value, SCALABLE_V[0]), SCALABLE_V[1])
    if not SCALABLE_NM[0] <= node_nm <= SCALABLE_NM[1]:
        return
    for name, rate in unit.precisions.items():
        quantity, operation = rate.energy_pj_per_mac, f"{name}_mac"
        if quantity is None or operation not in COMPOUNDS or quantity.value == 0:
            continue
        bare = datapath_pj(operation, node_nm, volts)
        where: Path = (*path, "precisions", name, "energy_pj_per_mac")
        if quantity.value < bare.low:
            message = (
                f"an {name} MAC of {quantity.value:g} pJ takes less than its bare arithmetic at {node_nm:g} nm and"
                f" {volts:g} V"
            )
            allowed = f"arithmetic alone {bare.value:.2g} ({bare.low:.2g} to {bare.high:.2g}); usually 3 to 8 times it"
            yield _warning((*where, "value"), message, allowed, f"about {5 * bare.value:.2g}")
        elif quantity.value > MOST_OVERHEAD * bare.high:
            yield _unlikely(
                where,
                quantity,
                f"an {name} MAC at {node_nm:g} nm; is it the energy of the whole system",
                Band(5 * bare.value, bare.low, MOST_OVERHEAD * bare.high),
            )


# ---- operating points ----------------------------------------------------------------------------------------------


def _points(profile: ProfileSpec) -> Iterator[Problem]:
    """A faster point needs at least the voltage of a slower one."""
    order = sorted(enumerate(profile.operating_points), key=lambda item: item[1].frequency_hz.value)
    for (_, slower), (at, faster) in pairwise(order):
        if faster.voltage_v.value < slower.voltage_v.value:
            message = f"{faster.name!r} is faster than {slower.name!r} at a lower voltage"
            least = f"at least {slower.voltage_v.value:g}"
            yield _warning(("operating_points", at, "voltage_v", "value"), message, least)
