"""Two profiles side by side: what differs, and what each difference alone does to the power of a reference sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel

from foldsim.designs.axes import DesignError
from foldsim.designs.changes import change
from foldsim.errors import UserError
from foldsim.hardware.numbers import children, numbers_by_name
from foldsim.hardware.profile import Profile
from foldsim.hardware.spec import ProfileSpec
from foldsim.model.evaluate import Bands, Evaluation
from foldsim.schema.quantity import Quantity
from foldsim.sweeps.engine import Batch, batch_of
from foldsim.sweeps.space import DesignSpace
from foldsim.workload.workload import Workload, load_workload

REFERENCE_WORKLOADS = ("emformer-rnnt-base", "mlperf-tiny-sww")
"""Workloads of the reference sweep, if none is given: a transducer, or a wake word for chips that cannot hold it."""
NOT_COMPARED = ("extends", "removes", "name", "title", "summary", "sources", "calibration")
Value = Quantity | str | bool | None


@dataclass(frozen=True)
class Difference:
    """One parameter that differs; None where one of the two has no such thing.

    Attributes
    ----------
    path : as ``--set`` spells it, by the names of the first profile.
    ratio : second over first, of numbers above zero.
    effect_ratio : mean power of the reference sweep on the first profile with this parameter of the second, over that
        on the first, less one; None if it cannot be isolated.
    """

    path: str
    first: Value
    second: Value
    ratio: float | None = None
    effect_ratio: float | None = None


@dataclass(frozen=True)
class ProfileDiff:
    """All differences, largest effect first, and the mean power of the reference sweep on both.

    Attributes
    ----------
    problem : why there are no powers, or none of the second profile; empty if there are.
    """

    differences: list[Difference]
    designs: int
    first_mw: float | None
    second_mw: float | None
    problem: str = ""


def profile_diff(first: Profile, second: Profile, workload: Workload) -> ProfileDiff:
    """Compare two profiles on a reference sweep: the workload's default designs at the default chunk sizes."""
    problems: list[str] = []
    power = _try(lambda: _mean_power_of(first, workload), problems)
    other = _try(lambda: _mean_power_of(second, workload), problems)
    found = list(_differences(first.spec, _renamed(second.spec, first.spec)))
    if power is not None:
        effects = _Effects(first, workload, power)
        found = [effects.with_effect(difference) for difference in found]
    found.sort(key=lambda d: -abs(d.effect_ratio or 0.0))
    return ProfileDiff(
        found, len(_reference_batch(first, workload).points) if power else 0, power, other, "\n".join(problems)
    )


def reference_workload(profiles: Sequence[Profile]) -> Workload:
    """The first of REFERENCE_WORKLOADS that fits on all profiles, else the last."""
    *larger, smallest = (load_workload(name) for name in REFERENCE_WORKLOADS)
    return next((w for w in larger if all(_fits(profile, w) for profile in profiles)), smallest)


def _fits(profile: Profile, workload: Workload) -> bool:
    """Whether the memories can hold the workload, so that its power is meaningful."""
    try:
        batch = _reference_batch(profile, workload)
    except DesignError:
        return False
    return bool(_nominal(batch, {}).footprint.fits[batch.wanted].all())


def _try(evaluate: Callable[[], float], problems: list[str]) -> float | None:
    try:
        return evaluate()
    except DesignError as error:
        problems.append(str(error))
        return None


def _reference_batch(profile: Profile, workload: Workload) -> Batch:
    """The designs of the reference sweep."""
    space = DesignSpace([workload], [profile])
    space.check()
    design = space.common(workload, profile, workload.spec.compression)
    return batch_of(design, space.chunks(workload.spec), space.fold_factors(workload.spec))


def _nominal(batch: Batch, numbers: dict[str, float]) -> Evaluation:
    """The reference sweep at nominal values, with some changed."""
    design = batch.points.design
    hardware = design.profile.hardware(design.spec.precision.activations, numbers)
    return batch.points.evaluate(batch.points.lower(), Bands(hardware, hardware, hardware))


def _mean_power_of(profile: Profile, workload: Workload) -> float:
    return _Effects(profile, workload, 1.0).mean_power(profile, {})


# ---- what differs --------------------------------------------------------------------------------------------------


def _renamed(spec: ProfileSpec, like: ProfileSpec) -> ProfileSpec:
    """A profile whose items are called as those of another one where only one of a list is left unmatched."""
    changes = {}
    for key in ("compute_units", "memory_levels", "operating_points"):
        ours, theirs = getattr(spec, key), getattr(like, key)
        known = {item.name for item in theirs}
        left = [item for item in ours if item.name not in known]
        free = [item.name for item in theirs if item.name not in {x.name for x in ours}]
        if len(left) == len(free) == 1:
            changes[key] = [x.model_copy(update={"name": free[0]}) if x is left[0] else x for x in ours]
    return spec.model_copy(update=changes)


def _differences(first: ProfileSpec, second: ProfileSpec) -> Iterator[Difference]:
    ours, theirs = dict(_leaves(first)), dict(_leaves(second))
    items = [_items(spec) for spec in (first, second)]
    alone = [(path, value) for path, value in items[0].items() if path not in items[1]]
    alone_there = [(path, value) for path, value in items[1].items() if path not in items[0]]
    yield from (Difference(path, value, None) for path, value in alone)
    yield from (Difference(path, None, value) for path, value in alone_there)
    lonely = tuple(path + "." for path, _ in (*alone, *alone_there))
    for path in dict.fromkeys((*ours, *theirs)):
        if path.startswith(lonely) and lonely:
            continue
        one, other = ours.get(path), theirs.get(path)
        if isinstance(one, Quantity) and isinstance(other, Quantity):
            if (one.value, one.low, one.high) != (other.value, other.low, other.high):
                yield Difference(path, one, other, other.value / one.value if one.value else None)
        elif one != other:
            yield Difference(path, one, other)


def _items(spec: ProfileSpec) -> dict[str, Value]:
    """Units, levels and points, by path."""
    lists = {key: getattr(spec, key) for key in ("compute_units", "memory_levels", "operating_points")}
    return {f"{key}.{item.name}": "there" for key, items in lists.items() for item in items}


def _leaves(node: object, path: str = "") -> Iterator[tuple[str, Value]]:
    """Every number and every plain value below a node, by path; absent ones and names are left out."""
    if isinstance(node, Quantity):
        yield path, node
    elif isinstance(node, list) and not any(isinstance(item, BaseModel) for item in node):
        yield path, ", ".join(map(str, node))
    elif isinstance(node, (BaseModel, dict, list)):
        for name, _, child in children(node):
            if path or name not in NOT_COMPARED:
                yield from _leaves(child, f"{path}.{name}" if path else name)
    elif node is not None and not path.endswith(".name"):
        yield path, node  # type: ignore[misc]


# ---- what it does --------------------------------------------------------------------------------------------------


class _Effects:
    """The reference sweep on a profile, with one parameter at a time changed."""

    def __init__(self, profile: Profile, workload: Workload, power_mw: float) -> None:
        self.profile = profile
        self.workload = workload
        self.power_mw = power_mw
        self.names = set(numbers_by_name(profile.spec))
        # A profile gives the clock twice; both change together, and the effect is listed at the first unit.
        self.clock = f"compute_units.{profile.spec.compute_units[0].name}.clock_hz"
        self.reference = f"operating_points.{profile.spec.reference_operating_point}.frequency_hz"

    def mean_power(self, profile: Profile, numbers: dict[str, float]) -> float:
        """Mean of the average power over the sweep's designs, with some numbers changed [mW]."""
        batch = _reference_batch(profile, self.workload)
        return float(np.mean(_nominal(batch, numbers).nominal.power_mw[batch.wanted]))

    def with_effect(self, difference: Difference) -> Difference:
        """The difference with its effect, where it can be had alone."""
        power = self._power_with(difference)
        effect = None if power is None else power / self.power_mw - 1.0
        return Difference(difference.path, difference.first, difference.second, difference.ratio, effect)

    def _power_with(self, difference: Difference) -> float | None:
        path, value = difference.path, difference.second
        if value is None or difference.first is None or path == self.reference or _follows(path):
            return None
        if isinstance(value, Quantity):
            numbers = dict.fromkeys((path, self.reference) if path == self.clock else (path,), value.value)
            return self.mean_power(self.profile, numbers) if path in self.names else None
        try:
            return self.mean_power(change(self.profile, f"profile.{path}", value), {})
        except (UserError, LookupError):
            return None


def _follows(path: str) -> bool:
    """Whether a parameter acts through others only: that of a DRAM by type, from which its level is filled."""
    parts = path.split(".")
    return parts[0] == "memory_levels" and parts[2:3] == ["dram"]
