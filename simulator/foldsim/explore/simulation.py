"""One design, explained: totals, energy terms, time terms, homes of tensors, and every op."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foldsim import units as u
from foldsim.explore.breakdown import op_rows, term_times
from foldsim.explore.compression_summary import Transformed, transformed
from foldsim.explore.engine import evaluate_plan, plan_for, totals_of
from foldsim.explore.space import DesignSpace
from foldsim.model.energy import Term
from foldsim.model.power import chunk_terms
from foldsim.workload.compression_text import describe_compression
from foldsim.workload.folding import describe_layers


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


@dataclass(frozen=True)
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
    compression : what became of each class of compressed weights; empty where nothing is compressed.
    """

    design: dict[str, Any]
    totals: dict[str, Any]
    power_terms: list[PowerTerm]
    time_terms_ms: dict[str, float]
    homes: list[Home]
    ops: dict[str, list[Any]]
    compression: list[Transformed] = field(default_factory=list)

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


def explain(space: DesignSpace) -> Simulation:
    """Evaluate the one design of a space (one workload, profile, chunk and factor) and keep every term.

    Raises
    ------
    SpaceError
        If the design cannot be evaluated; lists every reason.
    """
    space.check()
    (workload,), (profile,), (chunk,) = space.workloads, space.profiles, space.chunks(space.workloads[0].spec)
    *_, entries = space.compressions(workload.spec)  # none, and the workload's own where it has one
    spec = workload.spec.model_copy(update={"compression": list(entries)})
    (factor,) = space.fold_factors(spec)
    plan = plan_for(space, spec, (), profile)
    bands = profile.bands(spec.precision.activations)
    lowered, result = evaluate_plan(space, plan, bands)
    at = int(np.flatnonzero(plan.wanted)[0])
    totals = {name: _plain(values[at]) for name, values in totals_of(space, plan, bands, result).items()}
    rows = op_rows(result, lowered)
    count = len(lowered.rows) + 1
    mine = slice(at * count, (at + 1) * count)
    period = float(result.plan.period_s[at])
    by_end = [
        chunk_terms(result.activity, result.plan, hardware, supply)
        for hardware, supply in (
            (result.bands.nominal, result.supply),
            (result.bands.low, result.low_supply),
            (result.bands.high, result.high_supply),
        )
    ]
    terms = [
        PowerTerm(nominal.name, nominal.part, *(_mean_power(t, at, period) for t in (nominal, low, high)))
        for nominal, low, high in zip(*by_end, strict=True)
    ]
    spent = term_times(result)[:, :, at].sum(axis=1) * u.MS_PER_S
    recogniser = result.recogniser
    calls = recogniser.invocations_per_chunk[recogniser.group_component, at] / recogniser.chunk_s[at]
    homes = [
        Home(
            name,
            float(recogniser.group_bytes[g, at]),
            float(calls[g]),
            {lv.name: float(result.homes.served_ratio[i, g, at]) for i, lv in enumerate(result.hardware.levels)},
        )
        for g, name in enumerate(recogniser.group_names)
    ]
    folding = space.fold_options.spec(spec, factor)
    folded = factor > 1
    design = {
        "workload": workload.name,
        "profile": profile.name,
        "chunk_ms": chunk,
        "fold_factor": factor,
        "fold_layers": describe_layers(folding.layers) if folded else "none",
        "fold_scope": folding.scope if folded else "none",
        "fold_heads": folding.heads if folded else "none",
        "compression": describe_compression(spec.compression),
        "operating_point": result.hardware.point_names[int(result.point[at])],
        "policy": space.policy or profile.spec.policy,
        "placement": space.placement,
    }
    return Simulation(
        design,
        totals,
        [t for t in terms if t.high_mw > 0],
        dict(zip(result.bottleneck_names, spent.tolist(), strict=True)),
        homes,
        {name: values[mine].tolist() for name, values in rows.items()},
        transformed(spec, round(chunk / spec.token_ms), factor, folding, result, at),
    )


def _mean_power(term: Term, at: int, period_s: float) -> float:
    energy = np.atleast_1d(term.energy_pj)
    return float(energy[at if energy.size > 1 else 0]) / (period_s * u.PJ_PER_MW_S)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
