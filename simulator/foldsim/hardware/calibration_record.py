"""The calibration section of a profile: the fitted parameters, the measurements used, and the remaining errors."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, Field

from foldsim.hardware.numbers import numbers_by_name
from foldsim.schema import Problem
from foldsim.schema.quantity import Record


class FittedParameter(Record):
    """One fitted parameter."""

    name: str = Field(min_length=1, description="Name of the parameter, as --fit takes it.")
    value: float = Field(description="Fitted value of the parameter, or the factor on the values that it scales.")
    low: float = Field(description="Two standard errors below, within the bounds of the fit.")
    high: float = Field(description="Two standard errors above, within the bounds of the fit.")
    numbers: list[str] = Field(min_length=1, description="Values of this profile that it sets or scales.")


class CalibratedRow(Record):
    """One measured quantity and the error of its prediction, predicted / measured - 1."""

    row: str = Field(min_length=1, description="Name of the row in the file of measurements.")
    quantity: str = Field(min_length=1, description="Measured quantity, with its unit.")
    measured: float = Field(description="The measurement.")
    fitted: bool = Field(description="Whether the fit used it; otherwise it was only predicted.")
    error_before_ratio: float = Field(description="Before the fit.")
    error_after_ratio: float = Field(description="After the fit.")
    error_left_out_ratio: float | None = Field(
        default=None, description="With this row left out of the fit; none if the other rows do not determine the fit."
    )


class CalibrationRecord(Record):
    """Written by ``foldsim profile calibrate``; to be removed when a fitted value is edited."""

    base: str = Field(min_length=1, description="Name of the profile that was calibrated.")
    measurements: str = Field(min_length=1, description="File of measurements.")
    measurements_sha256: str = Field(min_length=1, description="Hash of that file.")
    fitted: list[FittedParameter] = Field(min_length=1, description="Fitted parameters.")
    correlation: list[list[float]] = Field(description="Correlation of the fitted parameters, in their order.")
    rows: list[CalibratedRow] = Field(min_length=1, description="Measured quantities, fitted or only predicted.")


def calibration_problems(profile: BaseModel, record: CalibrationRecord | None) -> Iterator[Problem]:
    """Mismatches between the record and its profile."""
    if record is None:
        return
    by_name = numbers_by_name(profile)
    for index, parameter in enumerate(record.fitted):
        path = ("calibration", "fitted", index)
        for at, name in enumerate(parameter.numbers):
            if name not in by_name:
                yield Problem((*path, "numbers", at), f"value {name!r} not found in the profile")
        if not parameter.low <= parameter.value <= parameter.high:
            yield Problem((*path, "value"), "a fitted value must lie between its low and its high")
    if {len(record.fitted)} != {len(record.correlation), *map(len, record.correlation)}:
        yield Problem(
            ("calibration", "correlation"), "the correlation must have one row and one column per fitted parameter"
        )
