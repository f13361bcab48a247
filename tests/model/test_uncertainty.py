"""The band of a ratio against every corner of the box of coefficients."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from foldsim.model.uncertainty import ratio_band


def corners(top, bottom):
    """Least and greatest ratio over all choices of an end for every cause; arrays (ends, causes)."""
    causes = np.arange(top.shape[1])
    ratios = [
        top[list(ends), causes].sum() / bottom[list(ends), causes].sum()
        for ends in product(range(top.shape[0]), repeat=top.shape[1])
    ]
    return min(ratios), max(ratios)


@pytest.mark.parametrize("ends", [2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_the_band_is_that_of_the_extreme_corners(seed, ends):
    """Six causes, two designs, three design points; ends in any order, some terms zero."""
    random = np.random.default_rng(seed)
    top, bottom = np.exp(random.normal(0, 2, (2, ends, 6, 3)))
    top[random.random(top.shape) < 0.2] = 0.0
    least, greatest = ratio_band(top, bottom)
    for p in range(3):
        assert (least[p], greatest[p]) == pytest.approx(corners(top[..., p], bottom[..., p]), rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_one_coefficient_per_cause_takes_its_extremes_at_its_ends(seed):
    """Activities times a coefficient from low to high: no value in between gives more or less."""
    random = np.random.default_rng(seed)
    top, bottom = np.exp(random.normal(0, 2, (2, 7)))
    low = np.exp(random.normal(0, 2, 7))
    high = low * np.exp(random.exponential(1, 7))
    coefficients = np.stack([low, np.sqrt(low * high), high])
    least, greatest = ratio_band((coefficients * top)[..., None], (coefficients * bottom)[..., None])
    between = low + random.random((2000, 7)) * (high - low)
    ratios = (between * top).sum(axis=1) / (between * bottom).sum(axis=1)
    assert least[0] <= ratios.min()
    assert ratios.max() <= greatest[0]


def test_a_shared_coefficient_cancels():
    """One coefficient only: 3 over 4 at each of its values."""
    coefficient = np.array([1.0, 20.0, 100.0]).reshape(3, 1, 1)
    least, greatest = ratio_band(3 * coefficient, 4 * coefficient)
    assert (least[0], greatest[0]) == (0.75, 0.75)


def test_a_design_against_itself_saves_nothing():
    terms = np.array([[[1.0, 2.0], [3.0, 0.5]], [[2.0, 7.0], [3.5, 0.6]]])
    least, greatest = ratio_band(terms, terms)
    assert least.tolist() == greatest.tolist() == [1.0, 1.0]


def test_a_nominal_off_the_line_between_the_ends_is_inside_the_band():
    """One cause, two coefficients: leakage 1 (1 to 4) busy and 3 (1 to 4) asleep, so the nominal is on no corner's
    line."""
    busy, asleep = (np.array([1.0, 1.0, 4.0]), np.array([1.0, 3.0, 4.0]))  # low, nominal, high
    top = (5.0 * busy + 1.0 * asleep).reshape(3, 1, 1)
    bottom = (1.0 * busy + 5.0 * asleep).reshape(3, 1, 1)
    least, greatest = ratio_band(top, bottom)
    assert least[0] <= top[1, 0, 0] / bottom[1, 0, 0] <= greatest[0]
    assert least[0] == pytest.approx((5 + 3) / (1 + 15))  # the nominal itself; both ends give 6 / 6
