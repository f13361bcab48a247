"""Variants of workloads and profiles over the values of changed parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from foldsim.designs.changes import HolderT, Scalar, change
from foldsim.hardware.profile import Profile
from foldsim.hardware.spec import ProfileSpec
from foldsim.model.evaluate import Bands
from foldsim.model.records import StructureError, map_numbers, stack

Changes = Mapping[str, Sequence[Scalar]]  # path -> values


def combinations(holder: HolderT, axes: Changes) -> Iterator[tuple[tuple[Scalar, ...], HolderT]]:
    """Every combination of the axes' values with the variant it gives."""
    for values in product(*axes.values()):
        variant = holder
        for path, value in zip(axes, values, strict=True):
            variant = change(variant, path, value)
        yield values, variant


@dataclass(frozen=True)
class ProfileGroup:
    """Variants of a profile that differ in numbers only, evaluated together."""

    profile: Profile
    values: list[tuple[Scalar, ...]]  # of the axes, one per variant
    bands: Bands  # arrays over variants where there are axes


def profile_groups(profile: Profile, axes: Changes, precision: str, apart: bool = False) -> list[ProfileGroup]:
    """The profile at every combination of the axes' values.

    Where the axes move numbers only, one group of arrays: each axis is evaluated alone and the numbers it moves are
    spread over the combinations, so that the cost grows with the sum of the axes' lengths. Axes that move the same
    number are combined one by one; an axis that changes the structure (a flag, a kind, the policy) makes a group per
    combination, and so does ``apart``.
    """
    values = list(product(*axes.values()))
    if not axes:
        return [ProfileGroup(profile, values, profile.bands(precision))]
    singles = [[change(profile, path, value) for value in options] for path, options in axes.items()]
    try:
        if apart or any(
            beyond_numbers(v.spec) != beyond_numbers(profile.spec) for variants in singles for v in variants
        ):
            raise StructureError
        stacks = [stack([v.bands(precision) for v in variants]) for variants in singles]
        return [ProfileGroup(profile, values, _spread(profile.bands(precision), stacks))]
    except _SharedNumberError:
        return [ProfileGroup(profile, values, stack([v.bands(precision) for _, v in combinations(profile, axes)]))]
    except StructureError:
        return [
            ProfileGroup(variant, [chosen], stack([variant.bands(precision)]))
            for chosen, variant in combinations(profile, axes)
        ]


def beyond_numbers(spec: ProfileSpec) -> tuple[object, ...]:
    """What the engine reads of a profile in addition to the model's record; hashable."""
    return spec.policy, tuple(tuple(unit.runs) for unit in spec.compute_units)


def _spread(base: Bands, stacks: Sequence[Bands]) -> Bands:
    """Arrays over all combinations, each number following the one axis that moves it."""
    lengths = [len(s.nominal.system.idle_mw) for s in stacks]  # type: ignore[arg-type]

    def spread(numbers: Sequence[Any]) -> Any:
        same = numbers[0]
        moved = [
            i for i, array in enumerate(numbers[1:]) if not np.all((array == same) | (np.isnan(array) & np.isnan(same)))
        ]
        if not moved:
            return same
        if len(moved) > 1:
            raise _SharedNumberError
        shape = [1] * len(lengths)
        shape[moved[0]] = -1
        return np.broadcast_to(numbers[1 + moved[0]].reshape(shape), lengths).reshape(-1).copy()

    return map_numbers(spread, [base, *stacks])


class _SharedNumberError(Exception):
    """Two axes move the same number of the model's record."""
