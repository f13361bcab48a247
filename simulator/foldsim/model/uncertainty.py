"""Bands of power ratios that follow from the ranges of the energy coefficients.

Power is a sum of terms, each an activity times a coefficient with a range, so its band is exact: all coefficients low,
all high. The ratio of two designs on one chip shares the coefficients, so most of the uncertainty cancels. Terms of one
cause (leakage busy and asleep) take their low, nominal or high values together; the band of the ratio over these values
is exact too, by fractional programming, without sampling.
"""

from __future__ import annotations

import numpy as np

from foldsim.model.records import FloatArray

# Dinkelbach's iteration converges superlinearly; with tens of terms it ends after three or four steps.
_MAX_STEPS = 30


def ratio_band(top: FloatArray, bottom: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and greatest ``sum(top) / sum(bottom)`` when every cause takes any of its ends, the same in both sums.

    Parameters
    ----------
    top, bottom : (E, T, P), ends by causes by points. Causes vary independently of one another. All sums of
        ``bottom`` must be above zero.

    Returns
    -------
    Least and greatest ratio, each (P,).

    Source: W. Dinkelbach, On Nonlinear Fractional Programming, Management Science 13 (1967).

    >>> top = np.array([[[1.0], [2.0]], [[3.0], [2.0]]])  # the first coefficient is 1 to 3, the second is fixed
    >>> bottom = np.array([[[2.0], [2.0]], [[6.0], [2.0]]])
    >>> low, high = ratio_band(top, bottom)
    >>> low.tolist(), high.tolist()  # (3 + 2) / (6 + 2) and (1 + 2) / (2 + 2)
    ([0.625], [0.75])
    """
    return _extreme(top, bottom, -1.0), _extreme(top, bottom, 1.0)


def _extreme(top: FloatArray, bottom: FloatArray, sign: float) -> FloatArray:
    """Greatest (sign 1) or least (sign -1) ratio (P,)."""
    ratio = top[-1].sum(axis=0) / bottom[-1].sum(axis=0)
    for _ in range(_MAX_STEPS):
        best_top, best_bottom = top[0], bottom[0]
        gain = sign * (best_top - ratio * best_bottom)
        for end in range(1, top.shape[0]):
            other = sign * (top[end] - ratio * bottom[end])
            better = other > gain
            best_top, best_bottom = np.where(better, top[end], best_top), np.where(better, bottom[end], best_bottom)
            gain = np.maximum(gain, other)
        updated = best_top.sum(axis=0) / best_bottom.sum(axis=0)
        if np.array_equal(updated, ratio):
            break
        ratio = updated
    return ratio
