"""Fit parameters of a profile to measured rows by bounded least squares, and say how sure the fit is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foldsim import units as u
from foldsim.designs.design import Points
from foldsim.evidence.calibration_parameters import (
    ENERGY_OVERHEAD,
    LATENCY_EFFICIENCY,
    CalibrationError,
    Parameter,
    parameters,
)
from foldsim.evidence.measurements import QUANTITIES, Measurement, MeasurementFile
from foldsim.hardware.numbers import numbers_by_name
from foldsim.hardware.profile import Profile
from foldsim.model.energy import busy_terms
from foldsim.model.evaluate import Work
from foldsim.model.power import average_power
from foldsim.model.records import FloatArray, Hardware

TIMES = ("latency_ms", "busy_ms")
STEP_RATIO = 1.0e-4  # of the width between the bounds, for derivatives
FLAT = 1.0e-9  # change of the logarithm of a prediction that counts as none
COLLINEAR = 1.0e-3  # least singular value of the scaled Jacobian at which columns count as one
TAKES_PART = 0.3  # weight in the worst determined direction above which a parameter is named
MOST_MISFIT = 5.0  # stated uncertainties by which a row may be missed where the fit ended at a bound
STANDARD_ERRORS = 2.0  # half width of the ranges written: about 95 %
TOLERANCE = 1.0e-10  # of the solution
STARTS = (0.5, 0.2, 0.8)  # starting points between the bounds, in addition to the profile's values


@dataclass(frozen=True)
class Fitted:
    """One fitted parameter: its value, standard error and range, and whether it ended at a bound of the fit."""

    parameter: Parameter
    value: float
    standard_error: float
    low: float
    high: float
    at_bound: bool


@dataclass(frozen=True)
class RowResult:
    """One measured quantity of one row, with predictions before and after the fit and with the row left out of it."""

    row: str
    quantity: str
    measured: float
    before: float
    after: float
    left_out: float | None
    used: bool
    scope: str

    def error_ratio(self, predicted: float) -> float:
        """Predicted / measured - 1."""
        return predicted / self.measured - 1.0


@dataclass(frozen=True)
class Calibration:
    """A fit: its parameters, their correlation, and every measured quantity."""

    profile: Profile
    measurements: MeasurementFile
    fitted: tuple[Fitted, ...]
    correlation: FloatArray
    rows: tuple[RowResult, ...]


class _Bench:
    """Measured designs of one workload under one policy, lowered, ready for any number of parameter vectors."""

    def __init__(self, rows: Sequence[Measurement]) -> None:
        designs = [row.design for row in rows]
        chunks = np.array([design.chunk_ms for design in designs])
        factors = np.array([float(design.folding.factor) for design in designs])
        self.points = Points(designs[0], chunks, factors)
        self.lowered = self.points.lower()
        self.count = len(rows)

    def predict(self, numbers: Mapping[str, FloatArray], settings: int) -> dict[str, FloatArray]:
        """Every quantity that can be measured, each (settings, rows)."""
        spread = {name: np.repeat(values, self.count) for name, values in numbers.items()}
        design = self.points.design
        hardware = design.profile.hardware(design.spec.precision.activations, spread)
        lowered = self.lowered.take(np.tile(np.arange(self.count), settings))
        made = predicted(self.points.work(lowered, hardware), hardware)
        return {
            name: np.broadcast_to(made[name], (settings * self.count,)).reshape(settings, self.count)
            for name in QUANTITIES
        }


def predicted(done: Work, hardware: Hardware) -> dict[str, FloatArray]:
    """The quantities that can be measured, each (P,); defined in docs/profile-calibrate.md."""
    whole = average_power(done.activity, done.plan, hardware, done.supply)
    busy_pj = sum(np.asarray(term.energy_pj) for term in busy_terms(done.activity, hardware, done.supply))
    return {
        "latency_ms": (done.plan.wake_s + done.plan.busy_s) * u.MS_PER_S,
        "busy_ms": done.plan.busy_s * u.MS_PER_S,
        "energy_uj": whole.energy_per_chunk_uj,
        "energy_busy_uj": np.asarray(busy_pj) / u.PJ_PER_UJ,
        "power_mw": whole.power_mw,
    }


class _Problem:
    """Parameters on the fit's own scale (theta) against measurements, as residuals over their uncertainty."""

    def __init__(self, profile: Profile, chosen: Sequence[Parameter], rows: Sequence[Measurement]) -> None:
        self.chosen = chosen
        self.quantities = {name: quantity for name, (_, quantity) in numbers_by_name(profile.spec).items()}
        benches: dict[tuple[str, str], list[int]] = {}
        for i, row in enumerate(rows):
            benches.setdefault((row.design.workload.name, row.design.policy), []).append(i)
        self.benches = [(members, _Bench([rows[i] for i in members])) for members in benches.values()]
        self.keys = [(i, name) for i, row in enumerate(rows) for name in row.values]
        self.measured = np.array([rows[i].values[name] for i, name in self.keys])
        self.sigma = np.array([np.log1p(rows[i].uncertainty_ratio) for i, _ in self.keys])
        self.low, self.start, self.high = (
            np.array([self._theta(p, getattr(p, end)) for p in chosen]) for end in ("low", "value", "high")
        )
        self.moved = self.effects()

    @staticmethod
    def _theta(parameter: Parameter, value: float) -> float:
        return float(np.log(value)) if parameter.logarithmic else value

    def values(self, theta: FloatArray) -> FloatArray:
        """Parameters (..., n) from theta (..., n)."""
        logs = np.array([p.logarithmic for p in self.chosen])
        return np.where(logs, np.exp(np.where(logs, theta, 0.0)), theta)

    def predictions(self, thetas: FloatArray) -> FloatArray:
        """Predictions (K, N) at K settings (K, n)."""
        values = self.values(thetas)
        numbers = {
            name: np.asarray(p.moved(name, self.quantities[name], values[:, i]))
            for i, p in enumerate(self.chosen)
            for name in p.numbers
        }
        found: dict[tuple[int, str], FloatArray] = {}
        for members, bench in self.benches:
            made = bench.predict(numbers, len(thetas))
            found.update({(i, name): made[name][:, at] for at, i in enumerate(members) for name in made})
        return np.stack([found[key] for key in self.keys], axis=1)

    def residuals(self, thetas: FloatArray, rows: np.ndarray) -> FloatArray:
        """Logarithms of predicted / measured over their standard deviations (K, M), of the rows taken."""
        taken = self.taken(rows)
        made = self.predictions(thetas)[:, taken]
        return (np.log(np.maximum(made, np.finfo(float).tiny)) - np.log(self.measured[taken])) / self.sigma[taken]

    def taken(self, rows: np.ndarray) -> np.ndarray:
        """Which measured quantities belong to the rows taken, and depend on a parameter (N,)."""
        return rows[[i for i, _ in self.keys]] & self.moved.any(axis=0)

    def effects(self) -> np.ndarray:
        """Whether each parameter moves each measured quantity, anywhere between its bounds (n, N)."""
        count = len(self.chosen)
        ends = np.tile(self.start, (2 * count + 1, 1))
        for i in range(count):
            ends[i, i], ends[count + i, i] = self.low[i], self.high[i]
        made = np.log(np.maximum(self.predictions(ends), np.finfo(float).tiny))
        change = np.abs(made[:-1] - made[-1])
        return np.maximum(change[:count], change[count:]) > FLAT

    def jacobian(self, theta: FloatArray, rows: np.ndarray) -> FloatArray:
        """Derivatives of the residuals (M, n), central where the bounds leave room."""
        step = STEP_RATIO * (self.high - self.low)
        up, down = np.minimum(theta + step, self.high), np.maximum(theta - step, self.low)
        count = len(theta)
        thetas = np.tile(theta, (2 * count, 1))
        for i in range(count):
            thetas[i, i], thetas[count + i, i] = up[i], down[i]
        found = self.residuals(thetas, rows)
        return ((found[:count] - found[count:]) / (up - down)[:, None]).T

    def solve(self, starts: Sequence[FloatArray], rows: np.ndarray) -> FloatArray:
        """Theta of least squares over the rows taken; never worse than the first start."""
        least_squares = _least_squares()
        best, best_cost = starts[0], self.cost(starts[0], rows)
        for start in starts:
            found = least_squares(
                lambda theta: self.residuals(theta[None], rows)[0],
                start,
                jac=lambda theta: self.jacobian(theta, rows),
                bounds=(self.low, self.high),
                x_scale=self.high - self.low,
                xtol=TOLERANCE,
                ftol=TOLERANCE,
                gtol=TOLERANCE,
            )
            cost = self.cost(found.x, rows)
            if cost < best_cost:
                best, best_cost = found.x, cost
            if best_cost <= self.taken(rows).sum():
                break  # within the stated uncertainties: no other start is needed
        return best

    def cost(self, theta: FloatArray, rows: np.ndarray) -> float:
        """Sum of the squared residuals."""
        return float(np.square(self.residuals(theta[None], rows)).sum())

    def starts(self) -> list[FloatArray]:
        """The profile's values, and some places between the bounds."""
        return [self.start, *(self.low + share * (self.high - self.low) for share in STARTS)]


def _least_squares() -> Any:
    try:
        from scipy.optimize import least_squares
    except ImportError:
        raise CalibrationError("calibration needs SciPy: pip install 'foldsim[calibrate]'") from None
    return least_squares


def default_fit(measurements: Sequence[Measurement]) -> list[str]:
    """At most two constants per chip: one for time and one for energy, for what was measured."""
    measured = {name for row in measurements for name in row.values}
    names = [LATENCY_EFFICIENCY] if measured & set(TIMES) else []
    return names + ([ENERGY_OVERHEAD] if measured - set(TIMES) else [])


def calibrate(
    profile: Profile, measurements: MeasurementFile, names: Sequence[str] | None = None, rows: Sequence[str] = ()
) -> Calibration:
    """Fit parameters to measured rows.

    Parameters
    ----------
    names : what to fit; None: :func:`default_fit`.
    rows : names of the rows to fit on; the others are predicted. Empty: all.

    Raises
    ------
    CalibrationError
        If a name is unknown, SciPy is missing, or the rows do not determine the parameters, with the reason.
    """
    every = measurements.rows
    unknown = [name for name in rows if name not in {row.name for row in every}]
    if unknown:
        raise CalibrationError(f"--rows {unknown[0]}: no such row (there: {', '.join(row.name for row in every)})")
    used = np.array([not rows or row.name in rows for row in every])
    taken = [row for row, use in zip(every, used, strict=True) if use]
    chosen = parameters(profile, default_fit(taken) if names is None else names)
    problem = _Problem(profile, chosen, every)
    theta = _determined(problem, used)
    spread = _covariance(problem, theta, used)
    _check_errors(problem, np.sqrt(np.diag(spread)))
    counted = problem.taken(used)
    before, after = problem.predictions(np.stack([problem.start, theta]))
    left_out = _left_out(problem, theta, used)
    results = tuple(
        RowResult(
            every[i].name,
            name,
            float(problem.measured[k]),
            float(before[k]),
            float(after[k]),
            left_out.get(k),
            bool(counted[k]),
            every[i].scope,
        )
        for k, (i, name) in enumerate(problem.keys)
    )
    _check_misfit(problem, theta, results)
    errors = np.sqrt(np.diag(spread))
    correlation = spread / np.outer(errors, errors)
    return Calibration(profile, measurements, tuple(_fitted(problem, theta, errors)), correlation, results)


def _check_misfit(problem: _Problem, theta: FloatArray, results: Sequence[RowResult]) -> None:
    """Refuse a fit that reached a bound and still misses its own rows by far."""
    edge = STEP_RATIO * (problem.high - problem.low)
    ended = [
        p.name
        for p, at, low, high, e in zip(problem.chosen, theta, problem.low, problem.high, edge, strict=True)
        if at - low < e or high - at < e
    ]
    missed = [
        f"{r.row} ({r.quantity}: measured {r.measured:g}, at the bound {r.after:g})"
        for r, sigma in zip(results, problem.sigma, strict=True)
        if r.used and abs(np.log(r.after / r.measured)) > MOST_MISFIT * sigma
    ]
    if ended and missed:
        raise CalibrationError(
            f"{' and '.join(ended)} ended at the bound of the fit and {', '.join(missed)} is still missed by far more"
            " than its uncertainty; check the unit (times are in ms, energies in uJ, powers in mW), or fit another"
        )


def _fitted(problem: _Problem, theta: FloatArray, errors: FloatArray) -> list[Fitted]:
    """Values and ranges of the parameters, no range beyond the bounds."""
    reach = STANDARD_ERRORS * errors
    ends = [np.array([getattr(p, end) for p in problem.chosen]) for end in ("low", "high")]
    value, low, high = (np.clip(problem.values(at), *ends) for at in (theta, theta - reach, theta + reach))
    edge = STEP_RATIO * (problem.high - problem.low)
    at_bound = (theta - problem.low < edge) | (problem.high - theta < edge)
    found = []
    for i, parameter in enumerate(problem.chosen):
        error = errors[i] * (value[i] if parameter.logarithmic else 1.0)
        found.append(Fitted(parameter, float(value[i]), float(error), float(low[i]), float(high[i]), bool(at_bound[i])))
    return found


def _determined(problem: _Problem, rows: np.ndarray) -> FloatArray:
    """The solution, or a refusal that names what the rows do not determine."""
    names = [p.name for p in problem.chosen]
    mine = rows[[i for i, _ in problem.keys]]
    flat = [name for name, moved in zip(names, problem.moved[:, mine], strict=True) if not moved.any()]
    if flat:
        raise CalibrationError("\n".join(_without_effect(name, problem, mine) for name in flat))
    count = int(problem.taken(rows).sum())
    if len(names) > count:
        raise CalibrationError(
            f"{len(names)} parameters ({', '.join(names)}) cannot be fitted to {count} measured"
            f" number{'s' * (count != 1)} that depend{'s' * (count == 1)} on them; fit fewer, or give more rows"
        )
    theta = problem.solve(problem.starts(), rows)
    _check_jacobian(problem, theta, rows)
    return theta


def _without_effect(name: str, problem: _Problem, taken: np.ndarray) -> str:
    measured = sorted({quantity for (_, quantity), use in zip(problem.keys, taken, strict=True) if use})
    return (
        f"{name} cannot be fitted: it changes no prediction of the rows, which give {', '.join(measured)}"
        " (what it moves is absent there, or hidden behind something else over its whole range)"
    )


def _check_jacobian(problem: _Problem, theta: FloatArray, rows: np.ndarray) -> None:
    names = [p.name for p in problem.chosen]
    jacobian = problem.jacobian(theta, rows) * (problem.high - problem.low)
    size = np.linalg.norm(jacobian * problem.sigma[problem.taken(rows)][:, None], axis=0)
    flat = [name for name, s in zip(names, size, strict=True) if s < FLAT]
    if flat:
        raise CalibrationError(
            f"{', '.join(flat)} cannot be fitted: at the best fit no prediction of the rows depends on it any more, so"
            " that any value around it does as well"
        )
    _, singular, directions = np.linalg.svd(jacobian / np.linalg.norm(jacobian, axis=0), full_matrices=False)
    if singular[-1] < COLLINEAR:
        tied = [name for name, weight in zip(names, directions[-1], strict=True) if abs(weight) > TAKES_PART]
        raise CalibrationError(
            f"{' and '.join(tied)} cannot be fitted together: they change the predictions of the rows in the same"
            " proportion, so that only one combination of them is determined; fit one, or add rows that"
            " distinguish them (another chunk size, workload or operating point)"
        )


def _check_errors(problem: _Problem, errors: FloatArray) -> None:
    """Refuse parameters that the rows determine less than the bounds of the fit."""
    width = problem.high - problem.low
    vague = [p.name for p, wide in zip(problem.chosen, errors > width, strict=True) if wide]
    if vague:
        raise CalibrationError(
            f"{' and '.join(vague)} cannot be fitted: the rows constrain it less than the bounds of the fit (the"
            " standard error is wider than they are); fit fewer, or add rows on which the prediction depends more"
        )


def _covariance(problem: _Problem, theta: FloatArray, rows: np.ndarray) -> FloatArray:
    """Covariance of theta (n, n): from the stated uncertainties, and wider where the residuals are.

    Source: G. A. F. Seber and C. J. Wild, Nonlinear Regression (1989), section 2.1.
    """
    jacobian = problem.jacobian(theta, rows)
    spare = jacobian.shape[0] - jacobian.shape[1]
    scale = max(1.0, problem.cost(theta, rows) / spare) if spare else 1.0
    return np.asarray(scale * np.linalg.inv(jacobian.T @ jacobian))


def _left_out(problem: _Problem, theta: FloatArray, rows: np.ndarray) -> dict[int, float]:
    """Prediction of each measured number by a fit without its row; none where the rest does not determine the fit."""
    found = {}
    for row in np.flatnonzero(rows):
        rest = rows.copy()
        rest[row] = False
        if problem.taken(rest).sum() < len(theta):
            continue
        again = problem.solve([theta], rest)
        try:
            _check_jacobian(problem, again, rest)
        except CalibrationError:
            continue
        alone = np.zeros_like(rows)
        alone[row] = True
        made = problem.predictions(again[None])[0]
        found.update({int(k): float(made[k]) for k in np.flatnonzero(problem.taken(alone))})
    return found
