"""One design, explained: totals, energy terms, time terms, homes of tensors, and every op."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foldsim import units as u
from foldsim.answers.compression_summary import Transformed, transformed
from foldsim.designs.axes import DesignError
from foldsim.designs.design import Design
from foldsim.model.energy import Term
from foldsim.model.evaluate import Evaluation
from foldsim.model.power import chunk_terms
from foldsim.notebook import simulation_html, simulation_text
from foldsim.sweeps.breakdown import op_rows, term_times
from foldsim.sweeps.engine import batch_of, totals_of
from foldsim.sweeps.sampling import Sampling

# Columns that describe the design of a simulation, in this order.
DESCRIBED = (
    "workload",
    "profile",
    "chunk_ms",
    "fold_factor",
    "fold_layers",
    "fold_scope",
    "fold_heads",
    "compression",
    "operating_point",
    "policy",
    "placement",
)


@dataclass(frozen=True)
class PowerTerm:
    """Average power of one energy term [mW], with the range that its coefficient's range gives."""

    name: str
    part: str  # compute | onchip | dram | static
    power_mw: float
    low_mw: float
    high_mw: float


@dataclass(frozen=True)
class Home:
    """Where a group of persistent tensors lives: share of its reads served by each memory level."""

    group: str
    stored_bytes: float
    reads_per_s: float
    served_ratio: dict[str, float]


@dataclass(frozen=True, repr=False)
class Simulation:
    """One design, explained.

    Attributes
    ----------
    design : what was evaluated (workload, profile, chunk, fold ...).
    totals : result columns of the design; units as in the column dictionary.
    power_terms : where each milliwatt goes; sums to ``totals["power_mw"]``.
    time_terms_ms : time each roofline term would take alone, per chunk; overlap and idle are not in it.
    homes : where weights and state live.
    ops : columns of ``--by op``, one entry per op row, the idle system last.
    compression : sizes of each class of compressed weights before and after; empty if nothing is compressed.
    """

    design: dict[str, Any]
    totals: dict[str, Any]
    power_terms: list[PowerTerm]
    time_terms_ms: dict[str, float]
    homes: list[Home]
    ops: dict[str, list[Any]]
    compression: list[Transformed] = field(default_factory=list)

    def __repr__(self) -> str:
        return simulation_text(self)

    def _repr_html_(self) -> str:
        return simulation_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {
            "design": self.design,
            "totals": self.totals,
            "power_terms": [vars(t) for t in self.power_terms],
            "time_terms_ms": self.time_terms_ms,
            "homes": [vars(h) for h in self.homes],
            "ops": self.ops,
            "compression": [vars(t) for t in self.compression],
        }


def explain(design: Design, sampling: Sampling | None = None) -> Simulation:
    """Evaluate one design and keep every term.

    Parameters
    ----------
    sampling : joint samples for the ``..._sampled_...`` totals; none if not given.

    Raises
    ------
    DesignError
        If the samples cannot be drawn; lists every reason.
    """
    if sampling and (problems := list(sampling.problems())):
        raise DesignError(problems)
    factor = design.folding.factor
    batch = batch_of(design, [design.chunk_ms], [factor])
    bands = design.profile.bands(design.spec.precision.activations)
    lowered = batch.points.lower()
    result = batch.points.evaluate(lowered, bands)
    at = int(np.flatnonzero(batch.wanted)[0])
    totals = {name: _plain(values[at]) for name, values in totals_of(batch, bands, result, sampling).items()}
    rows = op_rows(result, lowered)
    count = len(lowered.rows) + 1
    of_design = slice(at * count, (at + 1) * count)
    described = design.named()
    described["operating_point"] = result.hardware.point_names[int(result.point[at])]
    spent = term_times(result)[:, :, at].sum(axis=1) * u.MS_PER_S
    return Simulation(
        {name: described[name] for name in DESCRIBED},
        totals,
        [term for term in _power_terms(result, at) if term.high_mw > 0],
        dict(zip(result.bottleneck_names, spent.tolist(), strict=True)),
        _homes(result, at),
        {name: values[of_design].tolist() for name, values in rows.items()},
        transformed(design, result, at),
    )


def _power_terms(result: Evaluation, at: int) -> list[PowerTerm]:
    """Mean power of every energy term of one point."""
    period_s = float(result.plan.period_s[at])
    by_end = [
        chunk_terms(result.activity, result.plan, hardware, supply)
        for hardware, supply in (
            (result.bands.nominal, result.supply),
            (result.bands.low, result.low_supply),
            (result.bands.high, result.high_supply),
        )
    ]
    return [
        PowerTerm(nominal.name, nominal.part, *(_mean_power(t, at, period_s) for t in (nominal, low, high)))
        for nominal, low, high in zip(*by_end, strict=True)
    ]


def _homes(result: Evaluation, at: int) -> list[Home]:
    """Where every group of tensors of one point lives."""
    recogniser = result.recogniser
    calls = recogniser.invocations_per_chunk[recogniser.group_component, at] / recogniser.chunk_s[at]
    return [
        Home(
            name,
            float(recogniser.group_bytes[g, at]),
            float(calls[g]),
            {lv.name: float(result.homes.served_ratio[i, g, at]) for i, lv in enumerate(result.hardware.levels)},
        )
        for g, name in enumerate(recogniser.group_names)
    ]


def _mean_power(term: Term, at: int, period_s: float) -> float:
    energy = np.atleast_1d(term.energy_pj)
    return float(energy[at if energy.size > 1 else 0]) / (period_s * u.PJ_PER_MW_S)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
