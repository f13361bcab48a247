"""Properties that the operating system reports: processor, clock, caches, memory, power meters."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from foldsim import units as u

SYSTEM = Path("/")
_CPU = "sys/devices/system/cpu"
_SUFFIX_BYTES = {"K": u.BYTES_PER_KIB, "M": u.BYTES_PER_MIB, "": 1}
_MICRO = 1.0e-6  # the kernel counts in microjoules, microwatts, microamperes and microvolts
_KHZ = 1.0e3
FALLBACK_HZ = 2.0e9  # only scales per-cycle rates if no clock is reported; cancels out of every time


@dataclass(frozen=True)
class Cache:
    """One level of the data caches."""

    level: int
    size_bytes: int
    shared_count: int  # logical processors that share it


@dataclass(frozen=True)
class Machine:
    """Properties available without measuring."""

    model: str
    clock_hz: float | None
    caches: tuple[Cache, ...]  # innermost first; empty if not reported
    memory_bytes: float | None
    cpus_count: int


def describe(root: Path = SYSTEM) -> Machine:
    """Read the machine from /proc and /sys under ``root``. Missing properties are None or empty."""
    info = _text(root / "proc/cpuinfo")
    model = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", info, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    return Machine(
        model=" ".join(model.group(1).split()) if model else platform.machine() or "unknown processor",
        clock_hz=_clock_hz(root, info),
        caches=tuple(_caches(root)),
        memory_bytes=float(memory.group(1)) * u.BYTES_PER_KIB if memory else None,
        cpus_count=os.cpu_count() or 1,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _clock_hz(root: Path, info: str) -> float | None:
    """The highest clock that the governor allows, else the current one."""
    limit = _text(root / _CPU / "cpu0/cpufreq/cpuinfo_max_freq").strip()
    if limit.isdigit():
        return float(limit) * _KHZ
    now = re.search(r"^cpu MHz\s*:\s*([\d.]+)", info, re.MULTILINE)
    return float(now.group(1)) * u.HZ_PER_MHZ if now else None


def _caches(root: Path) -> Iterator[Cache]:
    """Data and unified caches of the first processor, one per level."""
    seen = set()
    for folder in sorted((root / _CPU / "cpu0/cache").glob("index*")):
        size = re.fullmatch(r"(\d+)([KM]?)", _text(folder / "size").strip())
        level = _text(folder / "level").strip()
        if _text(folder / "type").strip() not in ("Data", "Unified") or not size or not level.isdigit():
            continue
        if int(level) not in seen:
            seen.add(int(level))
            shared = _listed(_text(folder / "shared_cpu_list").strip())
            yield Cache(int(level), int(size.group(1)) * _SUFFIX_BYTES[size.group(2)], shared)


def _listed(text: str) -> int:
    """Number of processors in a list such as 0-3,8; one if it is empty.

    >>> _listed("0-3,8")
    5
    """
    count = 0
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return max(1, count)


# ---- power meters --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Meter:
    """A power meter of the machine or of its processor."""

    name: str
    covers: str
    watts: Callable[[Callable[[], object], float], float]  # (work, seconds) -> mean power while it repeats


def find_meter(root: Path = SYSTEM, clock: Callable[[], float] = time.perf_counter) -> Meter | None:
    """RAPL if it can be read, else a battery that is discharging, else None."""
    for folder in sorted((root / "sys/class/powercap").glob("intel-rapl:*")):
        counter = folder / "energy_uj"
        if folder.name.count(":") == 1 and _text(folder / "name").startswith("package") and _text(counter).strip():
            wrap = _text(folder / "max_energy_range_uj").strip()
            return Meter("RAPL", "processor package", _rapl(counter, float(wrap or 0), clock))
    for folder in sorted((root / "sys/class/power_supply").glob("*")):
        if _text(folder / "type").strip() == "Battery" and _text(folder / "status").strip() == "Discharging":
            with suppress(ValueError):
                _battery_w(folder)
                return Meter("battery", "whole device", _sampled(folder, clock))
    return None


def _rapl(counter: Path, wrap_uj: float, clock: Callable[[], float]) -> Callable[[Callable[[], object], float], float]:
    def watts(work: Callable[[], object], seconds: float) -> float:
        start, before = clock(), float(_text(counter))
        while clock() - start < seconds:
            work()
        used = float(_text(counter)) - before
        return (used + wrap_uj if used < 0 else used) * _MICRO / (clock() - start)

    return watts


def _battery_w(folder: Path) -> float:
    """Power drawn from a battery [W]. ValueError if it is not reported."""
    power = _text(folder / "power_now").strip()
    if power:
        return abs(float(power)) * _MICRO
    current, voltage = (float(_text(folder / name).strip() or "nan") for name in ("current_now", "voltage_now"))
    if current != current or voltage != voltage:
        raise ValueError("no reading")
    return abs(current) * voltage * _MICRO**2


def _sampled(folder: Path, clock: Callable[[], float]) -> Callable[[Callable[[], object], float], float]:
    def watts(work: Callable[[], object], seconds: float) -> float:
        start, readings = clock(), list[float]()
        while clock() - start < seconds:
            work()
            readings.append(_battery_w(folder))
        return sum(readings) / len(readings)

    return watts
