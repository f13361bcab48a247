"""Evaluation of design points: placement, traffic, time, energy, power and memory, in that order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldsim import units as u
from foldsim.model import energy, memory, placement, power, roofline
from foldsim.model.records import BoolArray, FloatArray, Hardware, IntArray, Number, Recogniser
from foldsim.model.traffic import Traffic, traffic
from foldsim.model.uncertainty import ratio_band

RACE_TO_IDLE = "race-to-idle"
SLOWEST_REAL_TIME = "slowest-real-time"


@dataclass(frozen=True)
class Bands:
    """Hardware with its energy and power coefficients at nominal, low and high values, all with nominal timing.

    ``sourced`` has the nominal coefficients, with zero for those that are assumptions; None if sources are not given.
    ``fast`` and ``slow`` have the nominal sizes and shapes, and every speed parameter at its fast and at its slow end;
    None if speed has no range.
    """

    nominal: Hardware
    low: Hardware
    high: Hardware
    sourced: Hardware | None = None
    fast: Hardware | None = None
    slow: Hardware | None = None


@dataclass(frozen=True)
class Work:
    """Activity and schedule of a chunk at P design points, from which energy and power follow."""

    homes: placement.Placement
    flows: Traffic
    op_times: roofline.Times
    times_count: FloatArray  # (R, P) how often each op row runs per chunk
    point: IntArray  # (P,) operating point chosen
    supply: energy.Supply
    activity: energy.Activity
    plan: power.Schedule


@dataclass(frozen=True)
class Evaluation(Work):
    """All results and intermediate arrays of P design points."""

    recogniser: Recogniser
    bands: Bands
    nominal: power.Power
    ends_pj: FloatArray  # (3, T, P) energy of a chunk by cause, coefficients at their low, nominal and high ends
    footprint: memory.Footprint
    dram_bytes_per_chunk: FloatArray
    bottleneck: IntArray  # (P,) index into bottleneck_names
    bottleneck_names: tuple[str, ...]

    @property
    def assumption_ratio(self) -> FloatArray:
        """Share of the nominal power whose coefficients are assumptions (P,); zero if sources are not given.

        Power is linear in every coefficient, so the share is the reduction when these are zero. A product of
        coefficients counts as an assumption if one of its factors does.
        """
        sourced = self.bands.sourced
        if sourced is None:
            return np.zeros(self.point.shape)
        sourced_mw = power.average_power(self.activity, self.plan, sourced, _supply(sourced, self.point)).power_mw
        total_mw = self.nominal.power_mw
        sourced_ratio = np.divide(sourced_mw, total_mw, out=np.ones(total_mw.shape), where=total_mw > 0)
        return np.clip(1.0 - sourced_ratio, 0.0, 1.0)

    @property
    def low_mw(self) -> FloatArray:
        """Average power with every energy coefficient at its low end (P,)."""
        return self.ends_pj[0].sum(axis=0) / (self.plan.period_s * u.PJ_PER_MW_S)

    @property
    def high_mw(self) -> FloatArray:
        """Average power with every energy coefficient at its high end (P,)."""
        return self.ends_pj[2].sum(axis=0) / (self.plan.period_s * u.PJ_PER_MW_S)

    @property
    def latency_band_s(self) -> tuple[FloatArray, FloatArray]:
        """Least and greatest latency [s] (P,) over the ranges of the speed parameters.

        Every term of the time is monotonic in each of these parameters, so the ends are exact: all fast, all slow.
        Traffic, shapes and the operating point are nominal.
        """
        if self.bands.fast is None or self.bands.slow is None:
            return self.latency_s, self.latency_s
        busy = [
            busy_time(self.recogniser, self.flows, hardware, self.supply.clock_ratio, self.times_count)
            for hardware in (self.bands.fast, self.bands.slow)
        ]
        wakes = self.bands.fast.system.wake_s, self.bands.slow.system.wake_s
        return power.latency_band(busy[0], busy[1], *wakes, self.recogniser.chunk_s)

    def saving_band(self, baseline: IntArray, reference: Evaluation | None = None) -> tuple[FloatArray, FloatArray]:
        """Least and greatest ``1 - power / power of the baseline`` over the ranges of the coefficients (P,).

        Both designs run on the same chip, so each coefficient has one value for both. ``baseline`` (P,) is the
        index of each point's baseline in ``reference``, an evaluation on the same hardware (None: this one).
        """
        low, high = np.zeros(baseline.shape), np.zeros(baseline.shape)
        varied = np.flatnonzero((reference is not None) | (baseline != np.arange(baseline.shape[0])))
        if varied.size:
            base = (reference or self).ends_pj[:, :, baseline[varied]]
            least, greatest = ratio_band(self.ends_pj[:, :, varied], base)
            low[varied], high[varied] = 1.0 - greatest, 1.0 - least
        return low, high

    @property
    def hardware(self) -> Hardware:
        """The nominal hardware."""
        return self.bands.nominal

    @property
    def low_supply(self) -> energy.Supply:
        """The chosen operating points with static power at its low end."""
        return _supply(self.bands.low, self.point)

    @property
    def high_supply(self) -> energy.Supply:
        """The chosen operating points with static power at its high end."""
        return _supply(self.bands.high, self.point)

    @property
    def latency_s(self) -> FloatArray:
        """Waking and the work of one chunk [s] (P,)."""
        return self.plan.wake_s + self.plan.busy_s


def work(
    recogniser: Recogniser,
    hardware: Hardware,
    policy: str | Sequence[str] = RACE_TO_IDLE,
    placement_policy: str | Sequence[str] = "auto",
    pinned: Sequence[int] | BoolArray = (),
) -> Work:
    """Placement, traffic, time and schedule of a chunk at P design points; parameters as in :func:`evaluate`."""
    ops = recogniser.ops
    homes = placement.place(recogniser, hardware.levels, placement_policy, pinned)
    flows = traffic(ops, homes, hardware.units, hardware.levels)
    count = ops.repeat * recogniser.invocations_per_chunk[ops.component]
    point = _operating_point(policy, recogniser, hardware, flows, count)
    supply = _supply(hardware, point)
    op_times = roofline.times(ops, flows, hardware.units, hardware.levels, supply.clock_ratio)
    activity = energy.total_activity(ops, flows, op_times, count, len(hardware.units))
    plan = power.schedule(activity.busy_s, recogniser.chunk_s, hardware.system.wake_s)
    return Work(homes, flows, op_times, count, point, supply, activity, plan)


def busy_time(
    recogniser: Recogniser, flows: Traffic, hardware: Hardware, clock_ratio: Number, count: FloatArray
) -> FloatArray:
    """Seconds of work per chunk at an operating point (P,), each op executed ``count`` (R, P) times."""
    spent = roofline.times(recogniser.ops, flows, hardware.units, hardware.levels, clock_ratio)
    return np.einsum("rp,rp->p", spent.total_s, count)


def evaluate(
    recogniser: Recogniser,
    bands: Bands,
    policy: str | Sequence[str] = RACE_TO_IDLE,
    placement_policy: str | Sequence[str] = "auto",
    pinned: Sequence[int] | BoolArray = (),
) -> Evaluation:
    """Evaluate P design points together.

    Parameters
    ----------
    policy : ``race-to-idle`` (fastest operating point, then sleep), ``slowest-real-time`` (slowest point that still
        meets the deadline, else the fastest), or the name of an operating point; one, or one per point.
    placement_policy, pinned : see :func:`foldsim.model.placement.place`.

    Raises
    ------
    ValueError
        If ``policy`` is none of these.
    """
    hardware = bands.nominal
    chunk = work(recogniser, hardware, policy, placement_policy, pinned)
    terms_at_ends = [
        power.chunk_terms(chunk.activity, chunk.plan, end, _supply(end, chunk.point))
        for end in (bands.low, hardware, bands.high)
    ]
    time_terms = chunk.op_times.terms([level.name for level in hardware.levels])
    time_sums = np.stack([np.einsum("rp,rp->p", seconds, chunk.times_count) for seconds in time_terms.values()])
    return Evaluation(
        **vars(chunk),
        recogniser=recogniser,
        bands=bands,
        nominal=power.power_of(terms_at_ends[1], chunk.plan),
        ends_pj=np.stack([energy.stack_by_cause(terms, chunk.point.shape) for terms in terms_at_ends]),
        footprint=memory.footprint(recogniser, chunk.homes, hardware.levels, hardware.system),
        dram_bytes_per_chunk=_offchip_bytes(chunk.activity, hardware),
        bottleneck=np.argmax(time_sums, axis=0),
        bottleneck_names=tuple(time_terms),
    )


def _offchip_bytes(activity: energy.Activity, hardware: Hardware) -> FloatArray:
    """Bytes read from and written to off-chip levels per chunk (P,)."""
    total = np.zeros_like(activity.busy_s)
    for index, level in enumerate(hardware.levels):
        if not level.on_chip:
            total += activity.read_bytes[index] + activity.write_bytes[index]
    return total


def _supply(hardware: Hardware, point: IntArray) -> energy.Supply:
    """Clock, voltage and static power of the chosen operating points (P,)."""

    def at_point(name: str) -> FloatArray:
        values = np.stack([np.broadcast_to(getattr(p, name), point.shape) for p in hardware.points])
        return np.take_along_axis(values, point[None], axis=0)[0]

    reference = hardware.points[hardware.reference]
    voltage_v = at_point("voltage_v")
    return energy.Supply(
        clock_ratio=at_point("frequency_hz") / reference.frequency_hz,
        voltage_v=voltage_v,
        voltage_ratio=voltage_v / reference.voltage_v,
        static_mw=at_point("static_mw"),
        law_dynamic_mw=at_point("law_dynamic_mw"),
        idle_mw=at_point("idle_mw"),
    )


def _operating_point(
    policy: str | Sequence[str],
    recogniser: Recogniser,
    hardware: Hardware,
    flows: Traffic,
    count: FloatArray,
) -> IntArray:
    """Index of the operating point that the policy selects at every design point (P,)."""
    shape = recogniser.chunk_s.shape
    if not isinstance(policy, str):
        point = np.zeros(shape, dtype=np.int64)
        for name in dict.fromkeys(policy):
            selected = _operating_point(name, recogniser, hardware, flows, count)
            point = np.where(np.asarray(policy) == name, selected, point)
        return point
    if policy in hardware.point_names:
        return np.full(shape, hardware.point_names.index(policy))
    frequency = np.stack([np.broadcast_to(p.frequency_hz, shape) for p in hardware.points])
    fastest = np.argmax(frequency, axis=0)
    if policy == RACE_TO_IDLE or len(hardware.points) == 1:
        return fastest
    if policy != SLOWEST_REAL_TIME:
        names = ", ".join((RACE_TO_IDLE, SLOWEST_REAL_TIME, *hardware.point_names))
        raise ValueError(f"policy {policy!r} not found; allowed: {names}")
    best, best_frequency = fastest, np.take_along_axis(frequency, fastest[None], axis=0)[0]
    for index in range(len(hardware.points)):
        supply = _supply(hardware, np.full(shape, index))
        busy = busy_time(recogniser, flows, hardware, supply.clock_ratio, count)
        better = (busy <= recogniser.chunk_s) & (frequency[index] < best_frequency)
        best, best_frequency = np.where(better, index, best), np.where(better, frequency[index], best_frequency)
    return best
