"""The error of the model: what bands must be widened by, as other chips tell it. All by hand."""

from __future__ import annotations

import math

import pytest

from foldsim.evidence.model_error import FEWEST, beyond, counts, coverage, error_of, model_errors, widened
from foldsim.evidence.validation import Row


def row(measured: float, profile: str = "chip", low: float = 80.0, high: float = 125.0, **more: object) -> Row:
    """Predicted 100, between 80 and 125: 0.223 either way in logarithms."""
    given: dict[str, object] = {
        "group": "g", "target": "t", "quantity": "latency", "device": "d", "scope": "core", "unit": "ms",
        "workload": "w", "profile": profile, "operating_point": "", "fold_factor": 1, "fold_layers": "none",
        "chunk_ms": 10.0, "measured_row": "", "measured_low": measured, "measured_high": measured, "predicted": 100.0,
        "predicted_low": low, "predicted_high": high, "tolerance": None, "software": "tuned", "chip": profile,
    }  # fmt: skip
    return Row(**{**given, **more})  # type: ignore[arg-type]


def test_beyond_the_band_in_quadrature():
    """Twice the prediction is 0.693 away, of which the band explains 0.223: 0.656 are left. Inside nothing is."""
    assert beyond(row(200.0)) == pytest.approx(math.sqrt(math.log(2) ** 2 - math.log(1.25) ** 2))
    assert beyond(row(50.0)) == pytest.approx(beyond(row(200.0)))
    assert beyond(row(110.0)) == beyond(row(80.0)) == 0.0


def test_nine_in_ten_and_one_more():
    """Of nine numbers all must be inside, so that a tenth would be nine times in ten; of nineteen, eighteen."""
    amounts = [math.exp(x / 10) * 100 for x in range(1, 20)]
    exact = {"low": 100.0 / 1.0000001, "high": 100.0 * 1.0000001}
    assert error_of(row(m, **exact) for m in amounts[:9]) == pytest.approx(0.9, rel=1e-6)
    assert error_of(row(m, **exact) for m in amounts) == pytest.approx(1.8, rel=1e-6)
    assert error_of([]) == 0.0


def test_a_chip_is_judged_by_others_with_the_same_software():
    """Eight numbers of other chips are 0.656 beyond their bands: this chip's band becomes 2 either way."""
    mine = row(1000.0, "mine")
    others = [row(200.0, f"other{i}") for i in range(FEWEST)]
    foreign = [row(5000.0, "foreign", software="application")]
    low, high = widened([mine, *others, *foreign])(mine)
    assert (low, high) == pytest.approx((50.0, 200.0))
    # With fewer, all other chips count, the foreign one too: 50 times the prediction.
    low, high = widened([mine, *others[1:], *foreign])(mine)
    assert (low, high) == pytest.approx((2.0, 5000.0))


def test_own_numbers_do_not_help():
    """However far a chip's own numbers are off, its band does not follow them."""
    mine = [row(5000.0, "mine") for _ in range(50)]
    others = [row(100.0, f"other{i}") for i in range(FEWEST)]
    assert widened([*mine, *others])(mine[0]) == pytest.approx((80.0, 125.0))


@pytest.mark.parametrize(
    "more",
    [{"fitted": "x"}, {"problem": "x"}, {"software": ""}, {"unit": "ratio"}, {"measured_high": 300.0}, {"low": 125.0}],
)
def test_what_says_nothing_of_the_model(more: dict[str, object]):
    assert counts(row(200.0))
    assert not counts(row(200.0, **more))  # type: ignore[arg-type]


def test_coverage_and_errors():
    """Two chips of eight numbers each at twice the prediction explain one another; a fitted number does not count."""
    rows = [row(200.0, chip) for chip in ("a", "b") for _ in range(8)] + [row(110.0, "a"), row(900.0, fitted="x")]
    assert coverage(rows) == (1, 17, 17)
    (error,) = model_errors(rows)
    assert (error.software, error.chips_count, error.rows_count) == ("tuned", 2, 17)
    assert error.factor == pytest.approx(math.exp(beyond(row(200.0))))
