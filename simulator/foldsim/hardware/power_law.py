"""Power of one busy CPU core against frequency and voltage: the law P = s + k f V^2 and its fit to measured curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foldsim import units as u
from foldsim.errors import UserError

FEWEST_POINTS = 2  # two numbers are fitted


class FitError(UserError):
    """The points do not determine a power law."""


@dataclass(frozen=True)
class PowerLawFit:
    """A fitted law, and how far from the points it is.

    Attributes
    ----------
    static_mw : s, power that does not depend on frequency.
    dynamic_uw_per_mhz_v2 : k, slope of the power over f V^2.
    mean_error_ratio, max_error_ratio : relative error over the points, mean of its size and largest.
    """

    static_mw: float
    dynamic_uw_per_mhz_v2: float
    mean_error_ratio: float
    max_error_ratio: float


def power_mw(
    static_mw: float, dynamic_uw_per_mhz_v2: float, frequency_hz: ArrayLike, voltage_v: ArrayLike
) -> NDArray[np.float64]:
    """Power of the law at frequencies and voltages.

    >>> power_mw(133.4, 350.3, 2.4e9, 0.94).round(1).tolist()
    876.3
    """
    return np.asarray(static_mw + dynamic_uw_per_mhz_v2 * _slope_mw(frequency_hz, voltage_v))


def fit_power_law(
    frequency_hz: ArrayLike, voltage_v: ArrayLike, measured_mw: ArrayLike, static_from_zero: bool = False
) -> PowerLawFit:
    """Fit the law to measured points by least squares of the *relative* error.

    Frequency steps span a factor of five to ten in power, and a design is judged by its ratio to another one, so that
    every point counts alike. Errors of a few per cent are usual; the law has no term for leakage that rises with
    temperature, nor for a supply whose losses change with load.

    Parameters
    ----------
    frequency_hz, voltage_v, measured_mw : points (N,), at least two of different f V^2; powers above zero.
    static_from_zero : fit the slope alone through the origin where the free fit has a static power below zero, which
        no core has and no profile may say.

    Raises
    ------
    FitError
        If there are too few points, a power is not above zero, or power does not rise with f V^2.
    """
    powers = np.asarray(measured_mw, dtype=np.float64)
    slope = np.broadcast_to(_slope_mw(frequency_hz, voltage_v), powers.shape)
    if powers.ndim != 1 or powers.size < FEWEST_POINTS:
        raise FitError(f"a power law needs at least {FEWEST_POINTS} points")
    if not (np.isfinite(powers).all() and np.isfinite(slope).all() and (powers > 0).all()):
        raise FitError("every point of a power law needs a frequency, a voltage and a power above zero")
    if np.ptp(slope) <= 0:
        raise FitError("the points of a power law differ in no f V^2")
    # Each row divided by its measured power: what is minimised is the sum of squares of (law / measured - 1).
    rows = np.stack([1.0 / powers, slope / powers], axis=1)
    (static, dynamic), *_ = np.linalg.lstsq(rows, np.ones_like(powers), rcond=None)
    if static < 0 and static_from_zero:
        static, dynamic = 0.0, float(rows[:, 1].sum() / np.square(rows[:, 1]).sum())
    if dynamic <= 0:
        raise FitError("power does not rise with f V^2")
    errors = np.abs(rows @ np.array([static, dynamic]) - 1.0)
    return PowerLawFit(float(static), float(dynamic), float(errors.mean()), float(errors.max()))


def _slope_mw(frequency_hz: ArrayLike, voltage_v: ArrayLike) -> NDArray[np.float64]:
    """Power of 1 uW per MHz and V^2."""
    mhz = np.asarray(frequency_hz, dtype=np.float64) / u.HZ_PER_MHZ
    return np.asarray(mhz * np.square(np.asarray(voltage_v, dtype=np.float64)) / u.UW_PER_MW)
