"""How far measurements lie beyond what the profiles' ranges explain: the error of the model itself.

A band from a profile's ranges says what is not known of the chip. It says nothing of what foldsim leaves out, above all
of the software that runs the model. That error is estimated from other chips: in logarithms, the band of a prediction
is widened in quadrature by an amount under which nine in ten measurements of *other* chips with the same kind of
software would have been inside. No range of a profile depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from foldsim.evidence.validation import SAME, Row

COVERAGE = 0.9
"""Share of the measurements that should lie in a band."""
FEWEST = 8
"""Measurements of other chips from which an error is estimated for a kind of software of its own."""


@dataclass(frozen=True)
class ModelError:
    """Error of the model for one kind of software.

    Attributes
    ----------
    factor : by which nine in ten measurements lie at most beyond their band, in quadrature; 1 is no error.
    """

    software: str
    chips_count: int
    rows_count: int
    factor: float


def counts(row: Row) -> bool:
    """Whether a row counts for the model's error: a measured value with a band, on which nothing was fitted."""
    plain = not (row.fitted or row.problem or row.is_range) and row.unit != "ratio"
    return plain and row.banded and bool(row.software) and min(row.predicted_low, row.measured_low) > 0


def beyond(row: Row) -> float:
    """Logarithm of measured over predicted beyond the band, in quadrature; 0 inside it.

    >>> from types import SimpleNamespace
    >>> row = SimpleNamespace(predicted=100.0, predicted_low=80.0, predicted_high=125.0, measured_low=500.0)
    >>> round(math.exp(beyond(row)), 2)  # log 5 = 1.609, log 1.25 = 0.223, in quadrature 1.594 more
    4.92
    """
    away = math.log(row.measured_low / row.predicted)
    end = row.predicted_high if away > 0 else row.predicted_low
    return math.sqrt(max(0.0, away**2 - math.log(end / row.predicted) ** 2))


def error_of(rows: Iterable[Row]) -> float:
    """Least widening (a logarithm) under which at least nine in ten of the rows would be inside, and one more row."""
    amounts = sorted(beyond(row) for row in rows)
    if not amounts:
        return 0.0
    rank = math.ceil(COVERAGE * (len(amounts) + 1))
    return amounts[min(rank, len(amounts)) - 1]


def model_errors(rows: Sequence[Row]) -> list[ModelError]:
    """The error of every kind of software, from all rows; what a user may widen the band of a prediction by."""
    known = [row for row in rows if counts(row)]
    found = []
    for software in dict.fromkeys(row.software for row in known):
        mine = [row for row in known if row.software == software]
        chips = len({row.chip for row in mine})
        found.append(ModelError(software, chips, len(mine), math.exp(error_of(mine))))
    return found


def widened(rows: Sequence[Row]) -> Callable[[Row], tuple[float, float]]:
    """Ends of a row's band with the error of the model, estimated on *other* chips.

    Rows of other chips with the same kind of software; where these are fewer than FEWEST, of all other chips.
    """
    known = [row for row in rows if counts(row)]
    errors: dict[tuple[str, str], float] = {}

    def error(row: Row) -> float:
        key = row.chip, row.software
        if key not in errors:
            others = [other for other in known if other.chip != row.chip]
            alike = [other for other in others if other.software == row.software]
            errors[key] = error_of(alike if len(alike) >= FEWEST else others)
        return errors[key]

    def ends(row: Row) -> tuple[float, float]:
        if not counts(row):
            return row.predicted_low, row.predicted_high
        below, above = (math.log(end / row.predicted) for end in (row.predicted_low, row.predicted_high))
        more = error(row)
        return row.predicted * math.exp(-math.hypot(below, more)), row.predicted * math.exp(math.hypot(above, more))

    return ends


def coverage(rows: Sequence[Row]) -> tuple[int, int, int]:
    """Of the measured numbers with a band that nothing was fitted on: inside it, inside the widened one, how many."""
    ends = widened(rows)
    tested = [row for row in rows if not (row.fitted or row.problem or row.is_range) and row.banded]
    return sum(row.inside for row in tested), sum(lies_in(row, ends(row)) for row in tested), len(tested)


def lies_in(row: Row, ends: tuple[float, float]) -> bool:
    """Whether a measured number lies in a band, its very ends included."""
    return ends[0] * (1.0 - SAME) <= row.measured_low <= ends[1] * (1.0 + SAME)
