"""What a calibrated profile says about its calibration: what was fitted, on which rows, and how well it does."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, Field

from foldsim.hardware.numbers import numbers_by_name
from foldsim.schema import Problem
from foldsim.schema.quantity import Record


class FittedParameter(Record):
    """One parameter that was fitted."""

    name: str = Field(min_length=1, description="What was fitted, as --fit spells it.")
    value: float = Field(description="Fitted value: of the number itself, or the factor on the numbers it scales.")
    low: float = Field(description="Two standard errors below, not beyond the bounds of the fit.")
    high: float = Field(description="Two standard errors above, not beyond the bounds of the fit.")
    numbers: list[str] = Field(min_length=1, description="Numbers of this profile that it sets or scales.")


class CalibratedRow(Record):
    """One measured quantity, and how far the prediction is from it: predicted / measured - 1."""

    row: str = Field(min_length=1, description="Name of the row in the file of measurements.")
    quantity: str = Field(min_length=1, description="What was measured, with its unit.")
    measured: float = Field(description="The measurement.")
    fitted: bool = Field(description="The fit used it; otherwise it was only predicted.")
    error_before_ratio: float = Field(description="Before the fit.")
    error_after_ratio: float = Field(description="After the fit.")
    error_left_out_ratio: float | None = Field(
        default=None, description="With this row left out of the fit; none where the rest does not determine it."
    )


class CalibrationRecord(Record):
    """Made by ``foldsim profile calibrate``; one who edits a fitted number should take it away."""

    base: str = Field(min_length=1, description="Name of the profile that was calibrated.")
    measurements: str = Field(min_length=1, description="File of measurements.")
    measurements_sha256: str = Field(min_length=1, description="Hash of that file.")
    fitted: list[FittedParameter] = Field(min_length=1, description="What was fitted.")
    correlation: list[list[float]] = Field(description="Correlation of the fitted parameters, in their order.")
    rows: list[CalibratedRow] = Field(min_length=1, description="Measured quantities, used and only predicted.")


def calibration_problems(profile: BaseModel, record: CalibrationRecord | None) -> Iterator[Problem]:
    """What does not fit the profile that holds the record."""
    if record is None:
        return
    known = numbers_by_name(profile)
    for index, parameter in enumerate(record.fitted):
        path = ("calibration", "fitted", index)
        for at, name in enumerate(parameter.numbers):
            if name not in known:
                yield Problem((*path, "numbers", at), f"the profile has no number called {name!r}")
        if not parameter.low <= parameter.value <= parameter.high:
            yield Problem((*path, "value"), "a fitted value lies between its low and its high")
    if {len(record.fitted)} != {len(record.correlation), *map(len, record.correlation)}:
        yield Problem(("calibration", "correlation"), "the correlation is a square of as many rows as there are fitted")
