"""What ``profile calibrate`` can fit: names for single numbers of a profile, and factors on many of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from foldsim.errors import UserError, nearest
from foldsim.hardware.coefficients import SPEEDS
from foldsim.hardware.numbers import numbers_by_name
from foldsim.hardware.profile import Profile
from foldsim.model.records import Number
from foldsim.schema.quantity import Quantity

FACTOR_BOUNDS = (0.05, 20.0)
"""A factor on many numbers may move them by a factor of twenty: beyond that the description is of another chip."""
WIDE_FACTOR = 10.0
"""Bounds of a number whose range is closed: a tenth to ten times its value."""
POWER_ENDS = ("_pj", "_pj_per_mac", "_pj_per_byte", "_mw", "_uj", "_uw_per_mhz_v2")
POWER_KEYS = ("activity_ratio", "stalled_ratio", "charged_ratio")
SPEED_KEYS = tuple(key for key in SPEEDS if key != "clock_hz")  # a clock is set by its operating point
# Spoken names of single numbers: of a level, of a unit, of the system.
OF_LEVEL = {"bandwidth_efficiency": "bandwidth_efficiency_ratio"}
OF_UNIT = {
    "compute_efficiency": "efficiency_ratio",
    "overlap": "overlap_ratio",
    "dispatch": "dispatch_s",
    "static_power": "static_mw",
}
OF_SYSTEM = {"idle_power": "idle_mw", "busy_power": "busy_mw"}
LATENCY_EFFICIENCY, ENERGY_OVERHEAD = "latency_efficiency", "energy_overhead"


class CalibrationError(UserError):
    """The fit is not possible; the message names the parameters and the reason."""


@dataclass(frozen=True)
class Parameter:
    """Something to fit: a number of the profile, or a factor on several.

    Attributes
    ----------
    name : as asked for.
    numbers : names of the numbers it moves, with the power of the factor by which each is scaled (1, or -1: divided);
        0 where the parameter is the number itself.
    value : at the start of the fit: the number's nominal value, or 1 for a factor.
    low, high : bounds of the fit.
    bounds_from : where the bounds come from, in words.
    """

    name: str
    numbers: Mapping[str, int]
    value: float
    low: float
    high: float
    bounds_from: str

    @property
    def is_factor(self) -> bool:
        """Whether it scales numbers."""
        return any(self.numbers.values())

    @property
    def logarithmic(self) -> bool:
        """Whether it is fitted on a logarithmic scale: wherever it cannot be zero."""
        return self.low > 0

    def moved(self, number: str, quantity: Quantity, value: Number) -> Number:
        """A number of the profile where the parameter has a value."""
        power = self.numbers[number]
        if power == 0:
            return value
        scaled = float(quantity.value) * value**power
        # No efficiency exceeds 1: a level that already streams at its peak does not limit the others.
        return np.minimum(1.0, scaled) if _is_share(number, quantity) else scaled


def parameter_names(profile: Profile) -> list[str]:
    """Spoken names that a profile has, without the single numbers that may also be named."""
    levels, units = profile.spec.memory_levels, profile.spec.compute_units
    return [
        LATENCY_EFFICIENCY,
        ENERGY_OVERHEAD,
        *(f"{name}.{level.name}" for name in OF_LEVEL for level in levels),
        *(f"{name}.{unit.name}" for name in OF_UNIT for unit in units),
        *OF_SYSTEM,
    ]


def parameters(profile: Profile, names: Sequence[str]) -> list[Parameter]:
    """Parameters by name.

    Raises
    ------
    CalibrationError
        With every name that is unknown, given twice, or moves what another one moves.
    """
    numbers = {name: quantity for name, (_, quantity) in numbers_by_name(profile.spec).items()}
    found: list[Parameter] = []
    problems: list[str] = []
    for name in names:
        try:
            parameter = _parameter(profile, numbers, name)
        except CalibrationError as error:
            problems.append(str(error))
            continue
        for other in found:
            both = sorted(set(parameter.numbers) & set(other.numbers))
            if both:
                problems.append(f"--fit {other.name} and {name} both move {both[0]}; fit one of them")
        found.append(parameter)
    if problems:
        raise CalibrationError("\n".join(problems))
    return found


def _parameter(profile: Profile, numbers: Mapping[str, Quantity], name: str) -> Parameter:
    if name == LATENCY_EFFICIENCY:
        return _factor(name, numbers, _speed_power)
    if name == ENERGY_OVERHEAD:
        return _factor(name, numbers, _energy_power)
    path = _path(profile, name)
    if path not in numbers:
        known = [*OF_LEVEL, *OF_UNIT, *parameter_names(profile), *(n for n in numbers if _may_be_fitted(n))]
        near = nearest(name, known)
        hint = f"; did you mean {near!r}?" if near else ""
        allowed = ", ".join(parameter_names(profile))
        raise CalibrationError(f"--fit {name}: no such parameter{hint} (allowed: {allowed}, or a number by its name)")
    if not _may_be_fitted(path):
        raise CalibrationError(
            f"--fit {name}: {path} describes the structure of the chip, or is a point of a curve; only single"
            " values that set speed, energy or power are fitted"
        )
    quantity = numbers[path]
    if quantity.low < quantity.high:
        return Parameter(name, {path: 0}, quantity.value, quantity.low, quantity.high, "the range in the profile")
    if quantity.value == 0:
        raise CalibrationError(f"--fit {name}: {path} is zero and has no range; give it one in the profile")
    most = 1.0 if path.endswith("_ratio") and quantity.value <= 1 else math.inf
    return Parameter(
        name,
        {path: 0},
        quantity.value,
        quantity.value / WIDE_FACTOR,
        min(most, quantity.value * WIDE_FACTOR),
        f"wide: the profile has no range, so a factor of {WIDE_FACTOR:g}",
    )


def _factor(name: str, numbers: Mapping[str, Quantity], power_of: Callable[[str], int | None]) -> Parameter:
    moved = {n: power for n in numbers if (power := power_of(n)) is not None}
    low, high = FACTOR_BOUNDS
    shares = [numbers[n].value for n in moved if _is_share(n, numbers[n])]
    high = min(high, 1.0 / min(shares)) if shares else high  # then every efficiency has reached 1
    why = "a factor of 20" + (", and no efficiency above 1" if high < FACTOR_BOUNDS[1] else "")
    return Parameter(name, moved, 1.0, low, high, why)


def _is_share(number: str, quantity: Quantity) -> bool:
    """Whether a number is a share of a peak, which nothing raises above 1."""
    return number.endswith("efficiency_ratio") and quantity.value <= 1


def _speed_power(name: str) -> int | None:
    """How the latency efficiency scales a number: whatever a rate is, so that all busy time scales alike."""
    parts = name.split(".")
    key = parts[-1]
    if key.endswith("dispatch_s"):
        return -1
    if "efficiency_by_rows" in parts:
        return None  # multiplies efficiency_ratio, which is scaled
    in_vector = "vector" in parts and key.endswith("_per_cycle")
    return 1 if in_vector or key in ("efficiency_ratio", "bandwidth_efficiency_ratio") else None


def _energy_power(name: str) -> int | None:
    """How the energy overhead scales a number: whatever work and traffic cost, not what time costs."""
    key = name.rsplit(".", 1)[-1]
    return 1 if key.endswith(("_pj", "_pj_per_mac", "_pj_per_byte")) or key == "activity_ratio" else None


def _path(profile: Profile, name: str) -> str:
    """The number that a spoken name means; the name itself where it is none."""
    head, _, rest = name.partition(".")
    spec = profile.spec
    if head in OF_LEVEL:
        return f"memory_levels.{rest or spec.memory_levels[-1].name}.{OF_LEVEL[head]}"
    if head in OF_UNIT:
        return f"compute_units.{rest or spec.compute_units[0].name}.{OF_UNIT[head]}"
    if head in OF_SYSTEM and not rest:
        return f"system.{OF_SYSTEM[head]}"
    return name


def _may_be_fitted(name: str) -> bool:
    *above, key = name.split(".")
    if any(part.isdigit() for part in above):
        return False  # a point of a curve: curves are replaced whole
    return key in SPEED_KEYS or key in POWER_KEYS or key.endswith(POWER_ENDS)
