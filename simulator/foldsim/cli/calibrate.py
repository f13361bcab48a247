"""``foldsim profile calibrate``: fit a profile to measurements, show how well, write the new one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foldsim.cli.guard import say
from foldsim.cli.progress import Progress
from foldsim.cli.tables import number, percent, table
from foldsim.evidence.calibration import Calibration, calibrate
from foldsim.evidence.calibration_profile import calibrated_profile
from foldsim.evidence.measurements import read_measurements
from foldsim.hardware.calibration_record import CalibrationRecord
from foldsim.hardware.profile import load_profile
from foldsim.sweeps.results import write_atomically

TIMES = ("latency_ms", "busy_ms")


def run_calibrate(profile_name: str, file: Path, fit: str | None, rows: str | None, output: Path | None) -> None:
    """Fit, print, and write if requested."""
    profile = load_profile(profile_name)
    measurements = read_measurements(file, profile)
    with Progress("fitting"):
        found = calibrate(profile, measurements, None if fit is None else _names(fit), _names(rows or ""))
    print(calibration_text(found))
    scopes = sorted({row.scope for row in found.rows if row.used and row.scope and row.quantity not in TIMES})
    if len(scopes) > 1:
        say(f"warning: energies of different scopes are fitted together: {', '.join(scopes)}")
    for fitted in found.fitted:
        if fitted.at_bound:
            p = fitted.parameter
            say(
                f"warning: {p.name} ended at a bound of the fit, {fitted.value:.4g} in {p.low:.4g} to {p.high:.4g}"
                f" ({p.bounds_from})"
            )
    if output is None:
        say("nothing written; add -o NEW.yaml for the calibrated profile")
        return
    text, made = calibrated_profile(found, output)
    write_atomically(output, text.encode())
    say(f"{output}: profile {made.name}, extends {profile.name}; foldsim profile show {output} shows the record")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def calibration_text(found: Calibration) -> str:
    """Parameters, then every measured quantity before and after, then how far off the fit is."""
    parameters = [
        [
            f.parameter.name,
            f"{f.parameter.value:.4g}",
            f"{f.value:.4g}",
            f"{f.standard_error:.2g}",
            f"{f.low:.4g}",
            f"{f.high:.4g}",
            f"{f.parameter.low:.4g} to {f.parameter.high:.4g}, {f.parameter.bounds_from}",
        ]
        for f in found.fitted
    ]
    rows = [
        [
            row.row,
            row.quantity,
            row.scope or "-",
            number(row.measured),
            _error(row.error_ratio(row.before)),
            _error(row.error_ratio(row.after)),
            "-" if row.left_out is None else _error(row.error_ratio(row.left_out)),
            "fitted" if row.used else "predicted",
        ]
        for row in found.rows
    ]
    blocks = [
        f"{found.profile.name} fitted to {found.measurements.path.name}",
        "\nFitted (a factor is 1 before; low and high: two standard errors)\n"
        + table(["parameter", "before", "fitted", "std error", "low", "high", "bounds"], parameters, left=(0, 6)),
        "\nPredicted / measured - 1\n"
        + table(["row", "quantity", "scope", "measured", "before", "after", "left out", ""], rows, left=(0, 1, 2, 7)),
        "\n" + _summary(found),
    ]
    if len(found.fitted) > 1:
        names = [f.parameter.name for f in found.fitted]
        pairs = [
            f"{names[i]} with {names[j]} {found.correlation[i, j]:+.2f}"
            for i in range(len(names))
            for j in range(i + 1, len(names))
        ]
        blocks.append("correlation: " + ", ".join(pairs))
    return "\n".join(blocks)


def _error(ratio: float) -> str:
    return f"{'+' if ratio > 0 else ''}{percent(ratio)}"


def _summary(found: Calibration) -> str:
    """Median absolute errors."""

    def median(values: list[float]) -> str:
        return percent(float(np.median(np.abs(values))))

    used = [row for row in found.rows if row.used]
    other = [row for row in found.rows if not row.used]
    left_out = [row.error_ratio(row.left_out) for row in used if row.left_out is not None]
    lines = [
        f"median absolute error of what was fitted: {median([r.error_ratio(r.before) for r in used])} before,"
        f" {median([r.error_ratio(r.after) for r in used])} after",
    ]
    if left_out:
        lines.append(f"median absolute error of each row left out of the fit: {median(left_out)}")
    else:
        lines.append("no row can be left out: the rest does not determine the fit")
    if other:
        lines.append(
            f"median absolute error of what was only predicted: {median([r.error_ratio(r.before) for r in other])}"
            f" before, {median([r.error_ratio(r.after) for r in other])} after"
        )
    return "\n".join(lines)


def record_text(record: CalibrationRecord) -> str:
    """The record that a calibrated profile carries, for ``profile show``."""
    fitted = [[f.name, f"{f.value:.4g}", f"{f.low:.4g}", f"{f.high:.4g}", str(len(f.numbers))] for f in record.fitted]
    rows = [
        [
            row.row,
            row.quantity,
            number(row.measured),
            _error(row.error_before_ratio),
            _error(row.error_after_ratio),
            "-" if row.error_left_out_ratio is None else _error(row.error_left_out_ratio),
            "fitted" if row.fitted else "predicted",
        ]
        for row in record.rows
    ]
    return (
        f"calibrated: {record.base} fitted to {record.measurements} (sha256 {record.measurements_sha256[:12]})\n"
        + table(["parameter", "fitted", "low", "high", "numbers"], fitted, left=(0,))
        + "\n"
        + table(["row", "quantity", "measured", "before", "after", "left out", ""], rows, left=(0, 1, 6))
    )
