"""Average power from the work of one chunk: duty cycle, sleep, waking, and whether a design is real-time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldsim import units as u
from foldsim.model.energy import Activity, Supply, Term, busy_terms, idle_terms, sum_by_part
from foldsim.model.records import BoolArray, FloatArray, Hardware, Number


@dataclass(frozen=True)
class Schedule:
    """Division of the chunk period, each (P,) [s]."""

    busy_s: FloatArray
    idle_s: FloatArray  # asleep
    waiting_s: FloatArray  # awake without work: the gap is too short for sleep
    wakes: FloatArray  # 1 where the device sleeps between chunks, else 0
    wake_s: FloatArray
    period_s: FloatArray  # the chunk
    realtime: BoolArray


def schedule(busy_s: FloatArray, chunk_s: FloatArray, wake_s: Number) -> Schedule:
    """Divide the chunk period into waking, work and sleep.

    The device sleeps only if waking and working leave time for it; otherwise it stays awake for the rest of the period.
    A design whose work takes longer than a chunk is not real-time; its power is still energy per second of audio, so
    that designs stay comparable.

    >>> s = schedule(np.array([0.04, 0.3]), np.array([0.16, 0.16]), 0.001)
    >>> s.idle_s.round(4).tolist(), s.realtime.tolist()
    ([0.119, 0.0], [True, False])
    """
    sleeps = busy_s + wake_s < chunk_s
    waking = np.where(sleeps, wake_s, 0.0)
    left = np.maximum(0.0, chunk_s - busy_s - waking)
    idle, waiting = np.where(sleeps, left, 0.0), np.where(sleeps, 0.0, left)
    return Schedule(busy_s, idle, waiting, sleeps.astype(np.float64), waking, chunk_s, busy_s <= chunk_s)


def latency_band(
    busy_fast_s: FloatArray, busy_slow_s: FloatArray, wake_fast_s: Number, wake_slow_s: Number, chunk_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Least and greatest latency [s] (P,) where work and waking take any time between a fast and a slow bound.

    Latency is waking + work where that leaves time to sleep, else the work alone: a device that does not sleep does not
    wake, so the slow bound may give the shorter latency.

    >>> low, high = latency_band(np.array([0.02, 0.1]), np.array([0.04, 0.2]), 0.001, 0.01, np.array([0.16, 0.16]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.021, 0.101], [0.05, 0.2])
    """
    may_sleep = busy_fast_s + wake_fast_s < chunk_s
    may_stay = busy_slow_s + wake_slow_s >= chunk_s
    low = np.minimum(
        np.where(may_sleep, busy_fast_s + wake_fast_s, np.inf),
        np.where(may_stay, np.maximum(busy_fast_s, chunk_s - wake_slow_s), np.inf),
    )
    high = np.maximum(
        np.where(may_sleep, np.minimum(busy_slow_s + wake_slow_s, chunk_s), 0.0), np.where(may_stay, busy_slow_s, 0.0)
    )
    return low, high


@dataclass(frozen=True)
class Power:
    """Average power [mW] and energy per chunk [uJ], each (P,)."""

    energy_per_chunk_uj: FloatArray
    power_mw: FloatArray
    compute_mw: FloatArray
    onchip_mw: FloatArray
    dram_mw: FloatArray
    static_mw: FloatArray


def chunk_terms(activity: Activity, plan: Schedule, hardware: Hardware, supply: Supply) -> list[Term]:
    """All energy terms of one chunk period [pJ]."""
    return busy_terms(activity, hardware, supply) + idle_terms(
        plan.idle_s, plan.waiting_s, plan.wakes, hardware, supply
    )


def average_power(activity: Activity, plan: Schedule, hardware: Hardware, supply: Supply) -> Power:
    """Average power: energy of one chunk period over its duration."""
    return power_of(chunk_terms(activity, plan, hardware, supply), plan)


def power_of(terms: Sequence[Term], plan: Schedule) -> Power:
    """Average power of the energy terms of one chunk period."""
    parts = sum_by_part(terms)
    to_mw = 1.0 / (plan.period_s * u.PJ_PER_MW_S)
    total = parts["compute"] + parts["onchip"] + parts["dram"] + parts["static"]
    return Power(
        energy_per_chunk_uj=total / u.PJ_PER_UJ,
        power_mw=total * to_mw,
        compute_mw=parts["compute"] * to_mw,
        onchip_mw=parts["onchip"] * to_mw,
        dram_mw=parts["dram"] * to_mw,
        static_mw=parts["static"] * to_mw,
    )
