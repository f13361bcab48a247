"""Joint samples of every ranged number: what a sweep draws with ``--sample``.

Each number of the profile and of the workload's rates is drawn between its low and its high end with its value as the
median; design points share the draws, so that what is common to two designs cancels in their ratio.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel

from foldsim.designs.axes import DesignError, problem
from foldsim.hardware.numbers import numbers_by_name
from foldsim.hardware.profile import Profile
from foldsim.model.records import FloatArray, Hardware
from foldsim.schema import Problem
from foldsim.schema.quantity import Quantity
from foldsim.workload.spec import WorkloadSpec

METHODS = ("lhs", "sobol", "random")
BAND_QUANTILES = (0.05, 0.95)
"""A sampled band contains nine in ten of the samples."""
FEWEST_SAMPLES = 20  # one sample beyond either end of the band
MOST_SAMPLES = 1_000_000
_HALF = 0.5


@dataclass(frozen=True)
class Sampling:
    """How many joint samples to draw, and how.

    Attributes
    ----------
    count : samples.
    method : ``lhs`` (Latin hypercube: every number is stratified on its own), ``sobol`` (scrambled Sobol sequence; best
        with a power of two; needs SciPy) or ``random`` (independent).
    seed : the same seed gives the same samples.
    """

    count: int
    method: str = "lhs"
    seed: int = 0

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with it."""
        if not FEWEST_SAMPLES <= self.count <= MOST_SAMPLES:
            message = f"{self.count}: the band is the 5 to 95 % quantiles, which takes {FEWEST_SAMPLES} to"
            yield problem("sample", f"{message} {MOST_SAMPLES:,} samples")
        if self.method not in METHODS:
            yield problem("method", f"{self.method!r} does not exist", ", ".join(METHODS))
        if self.seed < 0:
            yield problem("seed", f"{self.seed}: a seed is zero or a whole number above")

    def shares(self, names: Sequence[str]) -> dict[str, FloatArray]:
        """Probabilities (count,) in (0, 1) by name, one array per distinct name.

        With ``lhs`` and ``random`` a name has the same draws whatever else is drawn, in any profile.
        """
        distinct = list(dict.fromkeys(names))
        if self.method == "sobol":
            points = self._sobol(len(distinct))
            return {name: points[:, i] for i, name in enumerate(distinct)}
        drawn = {}
        for name in distinct:
            rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
            uniform = rng.random(self.count)
            if self.method == "lhs":
                uniform = (rng.permutation(self.count) + uniform) / self.count
            drawn[name] = uniform
        return drawn

    def _sobol(self, dimensions: int) -> FloatArray:
        try:
            from scipy.stats import qmc
        except ImportError:
            message = "sobol needs SciPy: pip install 'foldsim[calibrate]' (or take lhs)"
            raise DesignError([problem("method", message)]) from None
        sequence = qmc.Sobol(max(dimensions, 1), scramble=True, rng=self.seed)
        points: FloatArray = sequence.random_base2((self.count - 1).bit_length())
        return points[: self.count]


def quantile(share: FloatArray, low: float, value: float, high: float) -> FloatArray:
    """The number below which a share (0 to 1) of the distribution of a ranged number lies.

    The value is the median: below and above it the density falls in a straight line to zero at the end. Where the value
    is in the middle that is the symmetric triangular distribution. An assumption: a range gives only its ends.

    >>> quantile(np.array([0.0, 0.125, 0.5, 1.0]), 0.0, 4.0, 20.0).tolist()
    [0.0, 2.0, 4.0, 20.0]
    """
    below = low + (value - low) * np.sqrt(2.0 * np.minimum(share, _HALF))
    above = high - (high - value) * np.sqrt(2.0 * (1.0 - np.maximum(share, _HALF)))
    return np.where(share < _HALF, below, above)


def cause(record: BaseModel, path: tuple[str | int, ...], name: str) -> str:
    """Numbers of one cause are drawn together: the same probability for all of them.

    As in the exact bands, leakage busy and asleep is one cause, and so are the states of a DRAM and the system's two
    powers. What a profile says twice (the clock and the frequencies of its operating points) or as a curve (efficiency
    over rows, power over operating points) is one too.
    """
    head, key = str(path[0]), str(path[-1])
    parts = name.split(".")
    if key in ("clock_hz", "frequency_hz"):
        return "clock"
    if key == "measured_mw":
        return "measured power"
    if head == "system" and key in ("idle_mw", "busy_mw"):
        return "system power"
    if head in ("compute_units", "operating_points") and key in ("static_mw", "idle_mw") and "power_law" not in parts:
        return "compute leakage"
    if head == "memory_levels" and key in ("static_mw", "retention_mw"):
        return f"{parts[1]} leakage"
    if head == "memory_levels" and "background" in parts and key.endswith("_mw"):
        return f"{parts[1]} background"
    for curve in ("efficiency_by_rows", "stream_by_rows"):
        if curve in parts:
            return ".".join(parts[: parts.index(curve) + 1]) + f" {key}"
    return name


@dataclass(frozen=True)
class Draws:
    """Joint samples of the numbers of one profile and one workload.

    Attributes
    ----------
    count : samples, S.
    hardware : the model's record, every ranged number an array (S,).
    rates : the workload's ranged rates by path, arrays (S,).
    """

    count: int
    hardware: Hardware
    rates: dict[tuple[str | int, ...], FloatArray]

    def workload(self, spec: WorkloadSpec, sample: np.ndarray) -> WorkloadSpec:
        """The workload whose rates are arrays over (sample,), for lowering; itself where none has a range."""
        return spec if not self.rates else _with_values(spec, {p: v[sample] for p, v in self.rates.items()})


def draw(sampling: Sampling, profile: Profile, workload: WorkloadSpec) -> Draws:
    """Sample every ranged number of a profile and the ranged rates of a workload.

    The length of an utterance shapes the ops and stays nominal. Numbers of things are rounded to whole ones.
    """
    numbers = {
        (f"profile.{cause(profile.spec, path, name)}", name): quantity
        for name, (path, quantity) in numbers_by_name(profile.spec).items()
    }
    rates = {
        path: quantity
        for _, (path, quantity) in numbers_by_name(workload).items()
        if path[-1] in ("symbols_per_s", "run_ratio") and quantity.low < quantity.high
    }
    rate_names = {path: "workload." + ".".join(map(str, path)) for path in rates}
    shares = sampling.shares([*(key for key, _ in numbers), *rate_names.values()])
    values = {
        name: _between(shares[key], quantity, name)
        for (key, name), quantity in numbers.items()
        if quantity.low < quantity.high
    }
    hardware = profile.hardware(workload.precision.activations, values)
    return Draws(
        sampling.count,
        hardware,
        {path: _between(shares[rate_names[path]], quantity, rate_names[path]) for path, quantity in rates.items()},
    )


def _between(share: FloatArray, quantity: Quantity, name: str) -> FloatArray:
    drawn = quantile(share, quantity.low, quantity.value, quantity.high)
    return np.maximum(np.rint(drawn), 1.0) if name.endswith("_count") else drawn


def _with_values(node: Any, values: dict[tuple[str | int, ...], FloatArray]) -> Any:
    """A copy of a record with the values at some paths replaced by arrays."""
    if isinstance(node, Quantity):
        return node.model_copy(update={"value": values[()]})
    below: dict[str | int, dict[tuple[str | int, ...], FloatArray]] = {}
    for path, array in values.items():
        below.setdefault(path[0], {})[path[1:]] = array
    if isinstance(node, list):
        return [_with_values(item, below[i]) if i in below else item for i, item in enumerate(node)]
    return node.model_copy(update={key: _with_values(getattr(node, str(key)), v) for key, v in below.items()})


def sampling_of(count: int | None, method: str | None, seed: int | None) -> Sampling | None:
    """The requested samples; None if none are requested.

    Raises
    ------
    DesignError
        If a method or a seed is given without a number of samples.
    """
    if count is None:
        if method is not None or seed is not None:
            raise DesignError([problem("sample", "method and seed apply to samples; give their number too")])
        return None
    return Sampling(count, method or "lhs", seed or 0)
