"""Bands: what the ranges of the energy coefficients allow.

Power is a sum of terms, each an activity times a coefficient with a range, so its band is exact: all coefficients
low, all high. The ratio of two designs on one chip shares the coefficients, so most of the uncertainty cancels; its
band is exact too, by linear-fractional programming, without sampling.
"""

from __future__ import annotations

import numpy as np

from foldsim.model.records import FloatArray

# Dinkelbach's iteration converges superlinearly; with tens of terms it is done in three or four steps.
_MAX_STEPS = 30


def ratio_band(
    top_low: FloatArray, top_high: FloatArray, bottom_low: FloatArray, bottom_high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Least and greatest ``sum(top) / sum(bottom)`` when every term moves between its low and its high end.

    Term ``i`` of both sums has the same coefficient, so both stand at the same end. Terms move independently of one
    another. All arrays (T, P), terms by points; all sums of ``bottom`` must be above zero.

    Source: W. Dinkelbach, On Nonlinear Fractional Programming, Management Science 13 (1967).

    >>> a = np.array([[1.0], [2.0]])  # unit activities: 1 and 2 above, 2 and 2 below; the first coefficient is 1 to 3
    >>> low, high = ratio_band(a, np.array([[3.0], [2.0]]), np.array([[2.0], [2.0]]), np.array([[6.0], [2.0]]))
    >>> low.tolist(), high.tolist()  # (3 + 2) / (6 + 2) and (1 + 2) / (2 + 2)
    ([0.625], [0.75])
    """
    return (
        _extreme(top_low, top_high, bottom_low, bottom_high, -1.0),
        _extreme(top_low, top_high, bottom_low, bottom_high, 1.0),
    )


def _extreme(
    top_low: FloatArray, top_high: FloatArray, bottom_low: FloatArray, bottom_high: FloatArray, sign: float
) -> FloatArray:
    """Greatest (sign 1) or least (sign -1) ratio (P,)."""
    ratio = top_high.sum(axis=0) / bottom_high.sum(axis=0)
    top_rise, bottom_rise = top_high - top_low, bottom_high - bottom_low
    for _ in range(_MAX_STEPS):
        at_high = sign * (top_rise - ratio * bottom_rise) > 0
        better = np.where(at_high, top_high, top_low).sum(axis=0) / np.where(at_high, bottom_high, bottom_low).sum(
            axis=0
        )
        if np.array_equal(better, ratio):
            break
        ratio = better
    return ratio
