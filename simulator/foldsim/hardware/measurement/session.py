"""Runs all microbenchmarks of one measurement."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foldsim._version import __version__
from foldsim.hardware.measurement import machine, overheads, products
from foldsim.hardware.measurement.bandwidth import MEMORY_OVER_CACHE, read_bandwidths
from foldsim.hardware.measurement.machine import Cache, Machine
from foldsim.hardware.measurement.overheads import CallTimes
from foldsim.hardware.measurement.products import ProductRates
from foldsim.hardware.measurement.runtime import COPY, Runtime
from foldsim.hardware.measurement.timing import Clock, Span, Work

Progress = Callable[[str], None]

# If the system does not report its caches.
FALLBACK_CACHES = (Cache(1, 32 << 10, 1), Cache(2, 512 << 10, 1), Cache(3, 8 << 20, 4))
METER_S = 1.5  # duration of each power reading, at rest and at work
_NAP_S = 0.05


@dataclass(frozen=True)
class Effort:
    """Numbers of repeats."""

    rows: tuple[int, ...]
    cached_rounds: int
    cold_rounds: int
    element_rounds: int
    call_rounds: int


FULL = Effort(products.ROWS, 25, 9, 25, 50)
QUICK = Effort(products.QUICK_ROWS, 7, 4, 7, 15)


@dataclass(frozen=True)
class Power:
    """Readings of a power meter [W]."""

    meter: str
    covers: str
    rest_w: float
    work_w: float


@dataclass(frozen=True)
class Measured:
    """All measurements and properties that a profile is written from."""

    machine: Machine
    caches: tuple[Cache, ...]
    caches_reported: bool
    runtime: str
    versions: dict[str, str]
    threads: int
    quick: bool
    date: str
    load: float | None  # load average over the minute before the measurement
    bandwidths: list[Span]  # bytes/s, innermost first, memory last
    products: dict[str, ProductRates]
    kinds: dict[str, Span]  # elements/s by kind of vector work
    copies: Span  # elements/s rearranged
    calls: CallTimes
    power: Power | None


def measure(runtime: Runtime, threads: int, quick: bool, progress: Progress, clock: Clock) -> Measured:
    """Run all microbenchmarks on one runtime. ``progress`` is called with each next step."""
    effort = QUICK if quick else FULL
    this_machine = machine.describe()
    caches = this_machine.caches or FALLBACK_CACHES
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    progress("memory and caches: read bandwidth")
    bandwidths = read_bandwidths([c.size_bytes for c in caches], effort.cached_rounds, clock)
    flush = _flusher(caches[-1].size_bytes)
    near = caches[min(1, len(caches) - 1)].size_bytes
    product_rates = {}
    for precision in runtime.precisions:
        progress(f"{precision} products of 1 to {max(effort.rows)} rows, weights in a cache")
        rates, call_s = products.cached_rates(runtime, precision, effort.rows, near, effort.cached_rounds, clock)
        progress(f"{precision} products, weights from memory")
        most = bandwidths[-1].value
        streams = products.stream_rates(runtime, precision, call_s, most, flush, effort.cold_rounds, clock)
        product_rates[precision] = ProductRates(rates, streams)
    progress("exponentials, divisions, multiply-adds, comparisons")
    seconds = overheads.element_seconds(runtime, effort.element_rounds, clock)
    progress("call overhead by kind of op")
    calls = overheads.call_times(runtime, effort.call_rounds, clock)
    return Measured(
        machine=this_machine,
        caches=caches,
        caches_reported=bool(this_machine.caches),
        runtime=runtime.name,
        versions={"foldsim": __version__, "Python": platform.python_version(), **runtime.versions},
        threads=threads,
        quick=quick,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        load=load,
        bandwidths=bandwidths,
        products=product_rates,
        kinds=overheads.rates_by_kind(seconds),
        copies=seconds[COPY].map(lambda s: 1.0 / s),
        calls=calls,
        power=_power(runtime, progress),
    )


def _flusher(cache_bytes: int) -> Work:
    """Work that reads enough to evict all other data from the caches."""
    values = np.ones(MEMORY_OVER_CACHE * cache_bytes // 4, dtype=np.int32)
    return lambda: np.maximum.reduce(values)


def _power(runtime: Runtime, progress: Progress) -> Power | None:
    meter = machine.find_meter()
    if meter is None:
        return None
    progress(f"power at rest and at work, from the {meter.name}")
    work = runtime.products(products.random_weights(512, 2), "fp32")(64)
    return Power(meter.name, meter.covers, meter.watts(lambda: time.sleep(_NAP_S), METER_S), meter.watts(work, METER_S))
