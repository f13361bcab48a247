"""The whole chain: recogniser + hardware -> placement, traffic, time, energy, power, memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldsim import units as u
from foldsim.model import energy, memory, placement, power, roofline
from foldsim.model.records import FloatArray, Hardware, IntArray, Number, Recogniser
from foldsim.model.traffic import Traffic, traffic
from foldsim.model.uncertainty import ratio_band

RACE_TO_IDLE = "race-to-idle"
SLOWEST_REAL_TIME = "slowest-real-time"


@dataclass(frozen=True)
class Bands:
    """Hardware with its energy and power coefficients at nominal, low and high values; timing is the nominal one's.

    ``sourced`` has the nominal coefficients, but zero for those that rest on an assumption; None where nobody says.
    ``fast`` and ``slow`` have the nominal sizes and shapes, and every number that sets speed at its fast and at its
    slow end; None where speed has no range.
    """

    nominal: Hardware
    low: Hardware
    high: Hardware
    sourced: Hardware | None = None
    fast: Hardware | None = None
    slow: Hardware | None = None


@dataclass(frozen=True)
class Evaluation:
    """All results and intermediate arrays of P design points."""

    recogniser: Recogniser
    bands: Bands
    homes: placement.Placement
    flows: Traffic
    op_times: roofline.Times
    times_count: FloatArray  # (R, P) how often each op row runs per chunk
    point: IntArray  # (P,) operating point chosen
    supply: energy.Supply
    activity: energy.Activity
    plan: power.Schedule
    nominal: power.Power
    ends_pj: FloatArray  # (3, T, P) energy of a chunk by cause, coefficients at their low, nominal and high ends
    footprint: memory.Footprint
    dram_bytes_per_chunk: FloatArray
    bottleneck: IntArray  # (P,) index into bottleneck_names
    bottleneck_names: tuple[str, ...]

    @property
    def assumption_ratio(self) -> FloatArray:
        """Share of the nominal power whose coefficients rest on assumptions (P,); zero where nobody says.

        Power is linear in every coefficient, so it is what is missing without them. A product of coefficients rests on
        an assumption if one of its factors does.
        """
        sourced = self.bands.sourced
        if sourced is None:
            return np.zeros(self.point.shape)
        known = power.average_power(self.activity, self.plan, sourced, _supply(sourced, self.point)).power_mw
        whole = self.nominal.power_mw
        return np.clip(1.0 - np.divide(known, whole, out=np.ones(whole.shape), where=whole > 0), 0.0, 1.0)

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
        """Least and greatest latency (P,) that the ranges of what sets speed allow.

        Every term of the time rises with each of these numbers or falls with it, so the ends are exact: all fast, all
        slow. Traffic, shapes and the operating point are the nominal ones.
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
        """Least and greatest ``1 - power / power of the baseline`` that the coefficients' ranges allow (P,).

        Both designs stand on the same chip, so each coefficient has one value for both. ``baseline`` (P,) is the
        index of each point's baseline in ``reference``, an evaluation on the same hardware (None: this one).
        """
        low, high = np.zeros(baseline.shape), np.zeros(baseline.shape)
        other = np.flatnonzero((reference is not None) | (baseline != np.arange(baseline.shape[0])))
        if other.size:
            base = (reference or self).ends_pj[:, :, baseline[other]]
            least, greatest = ratio_band(self.ends_pj[:, :, other], base)
            low[other], high[other] = 1.0 - greatest, 1.0 - least
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
        """Waking and the work of one chunk [s]."""
        return self.plan.wake_s + self.plan.busy_s


@dataclass(frozen=True)
class Work:
    """What P design points do in a chunk, and when: all that energy and power follow from."""

    homes: placement.Placement
    flows: Traffic
    op_times: roofline.Times
    times_count: FloatArray  # (R, P) how often each op row runs per chunk
    point: IntArray  # (P,) operating point chosen
    supply: energy.Supply
    activity: energy.Activity
    plan: power.Schedule


def work(
    recogniser: Recogniser,
    hardware: Hardware,
    policy: str = RACE_TO_IDLE,
    placement_policy: str = "auto",
    pinned: tuple[int, ...] = (),
) -> Work:
    """Place, move and time the work of a chunk at P design points; parameters as those of :func:`evaluate`."""
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
    """Seconds that the work of a chunk takes at an operating point (P,), each op done ``count`` (R, P) times."""
    spent = roofline.times(recogniser.ops, flows, hardware.units, hardware.levels, clock_ratio)
    return np.einsum("rp,rp->p", spent.total_s, count)


def evaluate(
    recogniser: Recogniser,
    bands: Bands,
    policy: str = RACE_TO_IDLE,
    placement_policy: str = "auto",
    pinned: tuple[int, ...] = (),
) -> Evaluation:
    """Evaluate P design points at once.

    Parameters
    ----------
    policy : ``race-to-idle`` (fastest operating point, then sleep), ``slowest-real-time`` (slowest point that still
        meets the deadline, else the fastest), or the name of an operating point.
    placement_policy, pinned : see :func:`foldsim.model.placement.place`.
    """
    hardware = bands.nominal
    done = work(recogniser, hardware, policy, placement_policy, pinned)
    at_ends = [
        power.chunk_terms(done.activity, done.plan, h, _supply(h, done.point))
        for h in (bands.low, hardware, bands.high)
    ]
    nominal = power.power_of(at_ends[1], done.plan)
    ends = np.stack([energy.stack_by_cause(terms, done.point.shape) for terms in at_ends])
    terms = done.op_times.terms([level.name for level in hardware.levels])
    sums = np.stack([np.einsum("rp,rp->p", t, done.times_count) for t in terms.values()])
    return Evaluation(
        recogniser,
        bands,
        done.homes,
        done.flows,
        done.op_times,
        done.times_count,
        done.point,
        done.supply,
        done.activity,
        done.plan,
        nominal,
        ends,
        memory.footprint(recogniser, done.homes, hardware.levels, hardware.system),
        _offchip_bytes(done.activity, hardware),
        np.argmax(sums, axis=0),
        tuple(terms),
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

    def chosen(name: str) -> FloatArray:
        values = np.stack([np.broadcast_to(getattr(p, name), point.shape) for p in hardware.points])
        return np.take_along_axis(values, point[None], axis=0)[0]

    reference = hardware.points[hardware.reference]
    volts = chosen("voltage_v")
    return energy.Supply(
        chosen("frequency_hz") / reference.frequency_hz,
        volts,
        volts / reference.voltage_v,
        chosen("static_mw"),
        chosen("law_dynamic_mw"),
        chosen("idle_mw"),
    )


def _operating_point(
    policy: str,
    recogniser: Recogniser,
    hardware: Hardware,
    flows: Traffic,
    count: FloatArray,
) -> IntArray:
    """Index of the operating point the policy picks at every design point (P,)."""
    shape = recogniser.chunk_s.shape
    if policy in hardware.point_names:
        return np.full(shape, hardware.point_names.index(policy))
    frequency = np.stack([np.broadcast_to(p.frequency_hz, shape) for p in hardware.points])
    fastest = np.argmax(frequency, axis=0)
    if policy == RACE_TO_IDLE or len(hardware.points) == 1:
        return fastest
    if policy != SLOWEST_REAL_TIME:
        raise ValueError(f"unknown policy {policy!r}")
    best, best_frequency = fastest, np.take_along_axis(frequency, fastest[None], axis=0)[0]
    for index in range(len(hardware.points)):
        supply = _supply(hardware, np.full(shape, index))
        busy = busy_time(recogniser, flows, hardware, supply.clock_ratio, count)
        better = (busy <= recogniser.chunk_s) & (frequency[index] < best_frequency)
        best, best_frequency = np.where(better, index, best), np.where(better, frequency[index], best_frequency)
    return best
