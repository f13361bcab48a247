"""What foldsim predicts for a validation target: the number, and the band that the profile's ranges allow.

The band holds nine in ten of the joint samples of every number that has a range, those that set speed too
(:mod:`foldsim.sweeps.sampling`). Two designs of a ratio share the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from foldsim import units as u
from foldsim.designs.changes import parse_set
from foldsim.designs.design import Design, Points, resolve
from foldsim.errors import UserError
from foldsim.evidence.validation_targets import Group, Measurement, Target, TargetDesign, beside
from foldsim.evidence.validation_tiling import tiling_ratios
from foldsim.hardware.profile import load_profile
from foldsim.hardware.spec import ProfileSpec
from foldsim.model import energy, power
from foldsim.model.energy import Term
from foldsim.model.evaluate import Work
from foldsim.model.records import FloatArray, Hardware, Recogniser
from foldsim.sweeps.sampling import BAND_QUANTILES, Sampling, draw, quantile
from foldsim.workload.workload import Workload, load_workload

SAMPLES = Sampling(count=400)
_NOTHING_PJ = 1.0e-12  # keeps a share of no energy finite


class PredictionError(UserError):
    """A target that cannot be predicted as it is written."""


@dataclass(frozen=True)
class Prediction:
    """A predicted number with its band, in the unit measured."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    """One design; arrays (1 + samples,), the nominal prediction first.

    Attributes
    ----------
    busy_s : time of the work that counts, of all streams, per unit of `per`.
    period_s : time that the energy belongs to: the work alone, or the chunk. Per unit of `per`.
    energy_pj, offchip_pj : of one stream, in all and of what is not on the chip.
    read_bytes, write_bytes : of every memory level by name, of one stream.
    """

    streams_count: float
    busy_s: FloatArray
    period_s: FloatArray
    clock_hz: FloatArray
    energy_pj: FloatArray
    offchip_pj: FloatArray
    read_bytes: dict[str, FloatArray]
    write_bytes: dict[str, FloatArray]
    offchip_bytes: FloatArray
    weights_bytes: FloatArray

    def quantity(self, measurement: Measurement) -> FloatArray:
        """The measured quantity (1 + samples,)."""
        name = measurement.quantity
        if name in ("read_bytes", "write_bytes"):
            found: dict[str, FloatArray] = getattr(self, name)
            if measurement.level not in found:
                raise PredictionError(f"memory level {measurement.level!r} not found (available: {', '.join(found)})")
            return found[str(measurement.level)]
        made: dict[str, Callable[[], FloatArray]] = {
            "latency_ms": lambda: self.busy_s * u.MS_PER_S,
            "energy_uj": lambda: self.energy_pj / u.PJ_PER_UJ,
            "power_mw": lambda: self.energy_pj * self.streams_count / (self.period_s * u.PJ_PER_MW_S),
            "throughput_per_s": lambda: self.streams_count / self.busy_s,
            "cycles_count": lambda: self.busy_s * self.clock_hz,
            "offchip_bytes": lambda: self.offchip_bytes,
            "weights_bytes": lambda: self.weights_bytes,
            "offchip_energy_ratio": lambda: self.offchip_pj / np.maximum(self.energy_pj, _NOTHING_PJ),
        }
        return made[name]()


def predict(target: Target, group: Group, folder: Path, measurement: Measurement) -> Prediction:
    """Prediction of one measured value of a group whose own workloads and profiles are in a folder.

    Raises
    ------
    UserError
        If the workload or the profile is not there, or the design cannot be evaluated.
    """
    if target.tiling is not None:
        t = target.tiling
        ratios = tiling_ratios(t.products_count, t.largest_count, t.seed)
        return Prediction(float(ratios.max()), float(ratios.min()), float(ratios.max()))
    design = target.over(group.defaults)
    values = outcome(folder, design).quantity(measurement)
    if target.outside_ms is not None and measurement.quantity == "latency_ms":
        values = values + _outside_ms(target, values.size - 1)
    if target.against is not None:
        values = values / outcome(folder, target.against.over(design)).quantity(measurement)
        values = 1.0 - values if measurement.form == "saving" else values
    low, high = np.quantile(values[1:], BAND_QUANTILES)
    return Prediction(float(values[0]), float(low), float(high))


def _outside_ms(target: Target, count: int) -> FloatArray:
    """Time outside the model (1 + samples,) [ms]: nominal, then draws that depend on nothing else."""
    outside = target.outside_ms
    assert outside is not None
    shares = np.random.default_rng(SAMPLES.seed).permutation((np.arange(count) + 0.5) / count)
    return np.append(outside.value, quantile(shares, outside.low, outside.value, outside.high))


def fitted_in(profile: ProfileSpec, target: Target, measurement: Measurement) -> str:
    """Parameters fitted on a measured value according to the profile's calibration record; empty if none."""
    record = profile.calibration
    if record is None:
        return ""
    unit = measurement.quantity.rsplit("_", 1)[-1]
    mine = (row for row in record.rows if row.fitted and row.row in (target.row, target.id))
    if any(row.quantity.rsplit("_", 1)[-1] == unit for row in mine):
        return ", ".join(parameter.name for parameter in record.fitted)
    return ""


def outcome(folder: Path, target: TargetDesign) -> Outcome:
    """Evaluate one design at nominal values and at every sample."""
    given = ((name, getattr(target, name)) for name in TargetDesign.model_fields)
    return _outcome(folder, tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in given))


@cache
def _outcome(folder: Path, key: tuple[tuple[str, Any], ...]) -> Outcome:
    target = TargetDesign.model_validate({name: list(v) if isinstance(v, tuple) else v for name, v in key})
    design = design_of(folder, target)
    draws = draw(SAMPLES, design.profile, design.spec)
    samples = np.arange(draws.count)
    parts = []
    for hardware, stated, count in (
        (design.profile.bands(design.spec.precision.activations).nominal, design.spec, 1),
        (draws.hardware, draws.workload(design.spec, samples), draws.count),
    ):
        points = Points.of(design).take(np.zeros(count, dtype=np.int64))
        lowered = points.lower(stated)
        parts.append(_measured(target, design.workload, lowered.recogniser, points.work(lowered, hardware), hardware))
    return _joined(parts)


def design_of(folder: Path, target: TargetDesign) -> Design:
    """The design of a target whose own workloads and profiles are in a folder.

    Raises
    ------
    InputError, UnknownNameError, DesignError
        If an input is missing or wrong, or the design cannot be evaluated.
    """
    changes = dict(parse_set(text) for text in target.sets or ())
    return resolve(
        _workload(beside(folder, target.workload)),
        _profile(beside(folder, target.profile)),
        target.chunk_ms,
        fold=target.fold_factor,
        fold_layers=target.fold_layers,
        compress=target.compress,
        policy=target.operating_point,
        placement=target.placement or "auto",
        changes={path: values[0] for path, values in changes.items()},
    )


_workload, _profile = cache(load_workload), cache(load_profile)


def _measured(
    design: TargetDesign, workload: Workload, recogniser: Recogniser, done: Work, hardware: Hardware
) -> Outcome:
    """The part of the work that was measured, per unit of `per`; arrays over points."""
    names, stores = recogniser.component_names, [level.name for level in hardware.levels]
    wrong = [c for c in (*(design.components or ()), design.per or "chunk") if c not in (*names, "chunk")]
    if wrong:
        raise PredictionError(f"{workload.name} has no component {wrong[0]!r} (it has {', '.join(names)})")
    unseen = [name for name in design.excludes or () if name not in (*stores, "system", "idle")]
    if unseen:
        raise PredictionError(
            f"memory level {unseen[0]!r} to leave out not found (available: {', '.join(stores)}, system, idle)"
        )
    chosen = np.array([design.components is None or name in design.components for name in names])
    count = done.times_count * chosen[recogniser.ops.component][:, None]
    activity = energy.total_activity(recogniser.ops, done.flows, done.op_times, count, len(hardware.units))
    plan = power.schedule(activity.busy_s, recogniser.chunk_s, hardware.system.wake_s)
    streaming = design.mode == "streaming"
    terms = energy.busy_terms(activity, hardware, done.supply)
    if streaming:
        terms = power.chunk_terms(activity, plan, hardware, done.supply)
    left_out = tuple(f"{name} " for name in design.excludes or ())
    terms = [term for term in terms if not term.name.startswith(left_out)] if left_out else terms
    if "idle" in (design.excludes or ()):
        counted_s = plan.period_s if streaming else activity.busy_s
        terms.append(Term("system idle, not counted", "static", -hardware.system.idle_mw * counted_s * u.PJ_PER_MW_S))
    calls: FloatArray | float = 1.0
    if design.per not in (None, "chunk"):
        calls = recogniser.invocations_per_chunk[names.index(str(design.per))]
    streams = float(workload.spec.streaming.streams_count)
    none = np.zeros(activity.busy_s.shape)

    def each(amount: Any) -> FloatArray:
        return (none + amount) / (calls * streams)

    reads, writes = (
        {name: each(x) for name, x in zip(stores, amounts, strict=True)}
        for amounts in (activity.read_bytes, activity.write_bytes)
    )
    outside = [level.name for level in hardware.levels if not level.on_chip]
    stored = (recogniser.ops.weights_bytes * recogniser.ops.repeat).sum(axis=0)
    return Outcome(
        streams_count=streams,
        busy_s=(none + activity.busy_s) / calls,
        period_s=(none + (plan.period_s if streaming else activity.busy_s)) / calls,
        clock_hz=none + done.supply.clock_ratio * hardware.points[hardware.reference].frequency_hz,
        energy_pj=each(sum((t.energy_pj for t in terms), none)),
        offchip_pj=each(sum((t.energy_pj for t in terms if t.part == "dram"), none)),
        read_bytes=reads,
        write_bytes=writes,
        offchip_bytes=sum((reads[name] + writes[name] for name in outside), none),
        weights_bytes=none + stored,
    )


def _joined(parts: Sequence[Outcome]) -> Outcome:
    """Outcomes one after the other."""
    joined: dict[str, Any] = {}
    for name, first in vars(parts[0]).items():
        values = [getattr(part, name) for part in parts]
        if isinstance(first, dict):
            joined[name] = {key: np.concatenate([value[key] for value in values]) for key in first}
        else:
            joined[name] = first if isinstance(first, float) else np.concatenate(values)
    return Outcome(**joined)
