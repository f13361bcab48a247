"""``--set path=v1,v2``: variants of a workload or profile with one number changed."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeVar

import numpy as np

from foldsim.errors import UserError
from foldsim.hardware import profile as hardware_profile
from foldsim.hardware.profile import Profile
from foldsim.hardware.spec import ProfileSpec
from foldsim.model.evaluate import Bands
from foldsim.model.records import StructureError, map_numbers, stack
from foldsim.schema import Document, Finding, InputError
from foldsim.workload import workload as workload_module
from foldsim.workload.workload import Workload

SET_SOURCE = "set-option"
HolderT = TypeVar("HolderT", Workload, Profile)
Scalar = str | float | int | bool


class SetError(UserError):
    """A ``--set`` that cannot be applied."""


@dataclass(frozen=True)
class SetAxis:
    """One ``--set``: where, and the values it takes."""

    path: str  # as given, e.g. profile.memory_levels.dram.read_pj_per_byte
    values: tuple[Scalar, ...]

    @property
    def target(self) -> str:
        """``workload`` or ``profile``."""
        return self.path.split(".", 1)[0]

    @property
    def keys(self) -> list[str]:
        """Path below the target."""
        return self.path.split(".")[1:]


def changed_document(document: Document, keys: Sequence[str], value: Scalar) -> Document:
    """A copy of a document with one value replaced.

    List items are found by their ``name`` or index. Where a number with a range stands, value, low and high all
    become the new value and its source says so.

    Raises
    ------
    SetError
        If the path does not exist; names what is there.
    """
    data = dict(document.data)
    node: Any = data
    slot: Any
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        where = ".".join(keys[:depth]) or "the top level"
        if isinstance(node, list):
            names = [str(item.get("name", i)) if isinstance(item, dict) else str(i) for i, item in enumerate(node)]
            if key in names:
                slot = names.index(key)
            elif key.isdigit() and int(key) < len(node):
                slot = int(key)
            else:
                raise SetError(_no_such(key, where, names))
        elif isinstance(node, dict):
            if key not in node and not last:
                raise SetError(_no_such(key, where, list(node)))
            slot = key
        else:
            raise SetError(f"{where} is a plain value and has nothing called {key!r} in it")
        if last:
            present = node[slot] if isinstance(node, list) or slot in node else None
            node[slot] = _replacement(present, value)
            if isinstance(present, dict) and "value" in present:
                set_here = {"title": "Set on the command line", "kind": "assumption"}
                data["sources"] = {**data.get("sources", {}), SET_SOURCE: set_here}
        else:
            # Only what the path passes through is copied; the rest is shared with the original.
            node[slot] = copy.copy(node[slot])
            node = node[slot]
    return replace(document, data=data)


def _replacement(present: Any, value: Scalar) -> Any:
    if isinstance(present, dict) and "value" in present:
        return {"value": value, "low": value, "high": value, "source": SET_SOURCE}
    if isinstance(present, (dict, list)):
        raise SetError(
            "the path names a whole section; name one value in it: "
            + ", ".join(str(x.get("name", i)) if isinstance(x, dict) else str(x) for i, x in enumerate(present))
        )
    if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _no_such(key: str, where: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"nothing called {key!r} in {where}{hint} (there: {', '.join(names)})"


def apply_axis(holder: HolderT, axis: SetAxis) -> list[HolderT]:
    """One validated variant per value of the axis.

    Raises
    ------
    SetError
        If the path does not exist or a value is not allowed there; the message says which.
    """
    module: Any = workload_module if isinstance(holder, Workload) else hardware_profile
    variants = []
    for value in axis.values:
        try:
            variants.append(module.from_document(changed_document(holder.document, axis.keys, value)))
        except SetError as error:
            raise SetError(f"--set {axis.path}: {error}") from None
        except InputError as error:
            said = "; ".join(_plain(f) for f in error.findings if f.severity == "error")
            raise SetError(f"--set {axis.path}={value}: {said}") from None
    return variants


def _plain(finding: Finding) -> str:
    where = f"{finding.path}: " if finding.path else ""
    return f"{where}{finding.message}" + (f" (allowed: {finding.allowed})" if finding.allowed else "")


def combinations(holder: HolderT, axes: Sequence[SetAxis]) -> Iterator[tuple[tuple[Scalar, ...], HolderT]]:
    """Every combination of the axes' values with the variant it gives."""
    for values in product(*(axis.values for axis in axes)):
        variant = holder
        for axis, value in zip(axes, values, strict=True):
            variant = apply_axis(variant, SetAxis(axis.path, (value,)))[0]
        yield values, variant


@dataclass(frozen=True)
class ProfileGroup:
    """Variants of a profile that differ in numbers only, evaluated together."""

    profile: Profile
    values: list[tuple[Scalar, ...]]  # of the axes, one per variant
    bands: Bands  # arrays over variants where there are axes


def profile_groups(
    profile: Profile, axes: Sequence[SetAxis], precision: str, apart: bool = False
) -> list[ProfileGroup]:
    """The profile at every combination of the axes' values.

    Where the axes move numbers only, one group of arrays: each axis is evaluated alone and the numbers it moves are
    spread over the combinations, so that the cost grows with the sum of the axes' lengths. Axes that move the same
    number are combined one by one; an axis that changes the structure (a flag, a kind, the policy) makes a group per
    combination, and so does ``apart``.
    """
    values = list(product(*(axis.values for axis in axes)))
    if not axes:
        return [ProfileGroup(profile, values, profile.bands(precision))]
    singles = [apply_axis(profile, axis) for axis in axes]
    try:
        if apart or any(
            _beyond_numbers(v.spec) != _beyond_numbers(profile.spec) for variants in singles for v in variants
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


def _beyond_numbers(spec: ProfileSpec) -> tuple[object, ...]:
    """What of a profile the engine reads besides the model's record."""
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
