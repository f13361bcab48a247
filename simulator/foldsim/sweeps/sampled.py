"""Bands of results from joint samples: every design point at every sample, in blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foldsim import units as u
from foldsim.model.evaluate import Work
from foldsim.model.power import average_power
from foldsim.model.records import FloatArray, Hardware, IntArray, take
from foldsim.sweeps.sampling import BAND_QUANTILES, Draws
from foldsim.workload.spec import WorkloadSpec

Columns = dict[str, np.ndarray]
WorkOf = Callable[[WorkloadSpec, IntArray, Hardware], Work]
"""The work of some points of a plan, with the workload and the hardware given."""


@dataclass(frozen=True)
class Outcomes:
    """Results of P points at S samples, each (P, S)."""

    latency_s: FloatArray
    energy_uj: FloatArray
    power_mw: FloatArray
    realtime: FloatArray


def outcomes(draws: Draws, workload: WorkloadSpec, points: IntArray, work_of: WorkOf, block: int) -> Outcomes:
    """Evaluate points (P,) at all samples, ``block`` of them at a time."""
    total = len(points) * draws.count
    found = Outcomes(*(np.empty(total) for _ in range(4)))
    for start in range(0, total, block):
        at = np.arange(start, min(start + block, total))
        sample = at % draws.count
        hardware = take(draws.hardware, sample)
        done = work_of(draws.workload(workload, sample), points[at // draws.count], hardware)
        power = average_power(done.activity, done.plan, hardware, done.supply)
        found.latency_s[at] = done.plan.wake_s + done.plan.busy_s
        found.energy_uj[at] = power.energy_per_chunk_uj
        found.power_mw[at] = power.power_mw
        found.realtime[at] = done.plan.realtime
    shape = (len(points), draws.count)
    return Outcomes(*(values.reshape(shape) for values in vars(found).values()))


def band_columns(result: Outcomes, baseline: IntArray, reference: Outcomes) -> Columns:
    """Result columns: the quantiles of the samples.

    ``baseline`` (P,) is the index of each point's baseline in ``reference``. Both designs of a saving have every sample
    in common.
    """
    saving = 1.0 - result.power_mw / reference.power_mw[baseline]
    columns: Columns = {}
    for name, unit, values in (
        ("latency", "ms", result.latency_s * u.MS_PER_S),
        ("energy_per_chunk", "uj", result.energy_uj),
        ("power", "mw", result.power_mw),
        ("power_saving", "ratio", saving),
    ):
        low, high = np.quantile(values, BAND_QUANTILES, axis=1)
        columns[f"{name}_sampled_low_{unit}"], columns[f"{name}_sampled_high_{unit}"] = low, high
    columns["realtime_sampled_ratio"] = result.realtime.mean(axis=1)
    return columns
