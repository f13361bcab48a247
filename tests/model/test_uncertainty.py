"""The band of a ratio against every corner of the box of coefficients."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from foldsim.model.uncertainty import ratio_band


def corners(top, bottom, low, high):
    """Least and greatest ratio over all corners: a ratio of linear functions takes its extremes there."""
    ratios = []
    for ends in product((0, 1), repeat=len(top)):
        coefficient = np.where(ends, high, low)
        ratios.append((coefficient * top).sum() / (coefficient * bottom).sum())
    return min(ratios), max(ratios)


@pytest.mark.parametrize("seed", range(40))
def test_the_band_is_that_of_the_extreme_corners(seed):
    """Seven coefficients, activities of two designs, at three design points."""
    random = np.random.default_rng(seed)
    top, bottom = np.exp(random.normal(0, 2, (2, 7, 3)))
    top[random.random(top.shape) < 0.2] = 0.0
    low = np.exp(random.normal(0, 2, 7))
    high = low * np.exp(random.exponential(1, 7))
    least, greatest = ratio_band(*(c[:, None] * x for x in (top, bottom) for c in (low, high)))
    for p in range(3):
        expected = corners(top[:, p], bottom[:, p], low, high)
        assert (least[p], greatest[p]) == pytest.approx(expected, rel=1e-12)


def test_a_shared_coefficient_cancels():
    """One coefficient only: 3 over 4 wherever it stands."""
    one = np.array([[1.0]])
    least, greatest = ratio_band(3 * one, 300 * one, 4 * one, 400 * one)
    assert (least[0], greatest[0]) == (0.75, 0.75)


def test_a_design_against_itself_saves_nothing():
    terms = np.array([[1.0, 2.0], [3.0, 0.5]])
    least, greatest = ratio_band(terms, 2 * terms, terms, 2 * terms)
    assert least.tolist() == greatest.tolist() == [1.0, 1.0]
