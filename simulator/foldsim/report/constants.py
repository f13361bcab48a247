"""The constants of each hardware profile that carry the most power in a sweep, with their ranges and sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from foldsim.designs.design import Points
from foldsim.errors import UserError
from foldsim.hardware.numbers import dotted
from foldsim.hardware.profile import Profile
from foldsim.model.evaluate import Evaluation
from foldsim.model.power import chunk_terms, power_of
from foldsim.model.records import IntArray
from foldsim.report.errors import ReportError
from foldsim.schema import InputError
from foldsim.schema.quantity import Quantity, Source, quantities
from foldsim.sweeps.columns import columns
from foldsim.sweeps.provenance import designs_of, load_input
from foldsim.sweeps.results import Results
from foldsim.units import UNIT_SUFFIXES

SHOWN = 8
MAX_CHUNKS = 48  # evaluated per profile; of more chunk sizes, some are left out
AGREEMENT = 1e-6

# Energy and power coefficients, in which power is linear, and the shares that multiply them.
_POWER_SUFFIXES = ("_pj", "_pj_per_mac", "_pj_per_byte", "_mw", "_uj", "_uw_per_mhz_v2")
_POWER_SHARES = ("charged_ratio", "activity_ratio", "stalled_ratio")

_Path = tuple[str | int, ...]


def profile_notes(results: Results) -> list[dict[str, Any]]:
    """For each profile of the rows: what it is and the constants that matter most, or why they are not available."""
    notes = []
    for name in dict.fromkeys(str(v) for v in results["profile"].tolist()):
        note: dict[str, Any] = {"name": name}
        try:
            spec = load_input(results, "profile", name).spec
            note |= {"title": spec.title, "summary": spec.summary, "grade": spec.grade, "class": spec.device_class}
            note |= _heaviest(results, _rows(results, name))
        except (InputError, UserError) as error:
            note["problem"] = str(error)
        notes.append(note)
    return notes


def _rows(results: Results, profile: str) -> IntArray:
    """Rows of a profile with its first workload, compression and changed values, at no more than MAX_CHUNKS chunks."""
    here = results["profile"] == profile
    first = int(np.argmax(here))
    fixed = ["workload", "compression", "policy", "placement", *(n for n in results.columns if n not in columns())]
    for name in fixed:
        if name in results.columns:
            here &= results[name] == results[name][first]
    chunks = np.unique(results["chunk_ms"][here].astype(float))
    kept = chunks[np.unique(np.linspace(0, len(chunks) - 1, min(len(chunks), MAX_CHUNKS)).astype(int))]
    return np.flatnonzero(here & np.isin(results["chunk_ms"].astype(float), kept))


def _heaviest(results: Results, rows: IntArray) -> dict[str, Any]:
    """Constants by the share of power they carry, averaged over the designs of some rows."""
    factor = results["fold_factor"][rows].astype(float)
    (design,) = designs_of(results, [int(rows[np.argmax(factor)])])  # a folded one tells layers, scope and heads
    profile, precision = design.profile, design.spec.precision.activations
    points = Points(design, results["chunk_ms"][rows].astype(float), factor)
    evaluated = points.evaluate(points.lower(), profile.bands(precision))
    power_mw = evaluated.nominal.power_mw
    if not np.allclose(power_mw, results["power_mw"][rows].astype(float), rtol=AGREEMENT):
        raise ReportError("this foldsim computes other powers than the result file holds")
    found = []
    for path, quantity in _power_quantities(profile):
        terms = _terms_without(evaluated, profile, path, precision)
        share = float(np.mean(1.0 - power_of(terms, evaluated.plan).power_mw / power_mw))
        if share > 0:
            found.append((share, path, quantity))
    found.sort(key=lambda item: -item[0])
    sources = profile.spec.sources
    listed = [_listed(profile, share, path, q, sources[q.source]) for share, path, q in found[:SHOWN]]
    return {"constants": listed, "constants_of": design.workload.name, "constants_left": len(found) - len(listed)}


def _power_quantities(profile: Profile) -> Iterator[tuple[_Path, Quantity]]:
    for path, quantity in quantities(profile.spec):
        key = str(path[-1])
        if quantity.value and (key.endswith(_POWER_SUFFIXES) or key in _POWER_SHARES):
            yield path, quantity


def _terms_without(evaluated: Evaluation, profile: Profile, path: _Path, precision: str) -> list[Any]:
    """Energy terms with one quantity at zero: power is linear in each, so what is missing is what it carries."""
    spec = _zeroed(profile.spec, path)
    hardware = replace(profile, spec=spec).bands(precision).nominal
    supply = evaluated.supply
    if path[0] == "operating_points":
        static = np.where(evaluated.point == path[1], 0.0, supply.static_mw)
        supply = replace(supply, static_mw=np.where(np.isnan(supply.static_mw), np.nan, static))
    return chunk_terms(evaluated.activity, evaluated.plan, hardware, supply)


def _zeroed(node: Any, path: _Path) -> Any:
    """A copy of a record in which one quantity is zero; not validated, since zero may not be allowed there."""
    if not path:
        return node.model_copy(update={"value": 0.0, "low": 0.0, "high": 0.0})
    key = path[0]
    if isinstance(node, list):
        return [_zeroed(item, path[1:]) if index == key else item for index, item in enumerate(node)]
    if isinstance(node, dict):
        return {name: _zeroed(item, path[1:]) if name == key else item for name, item in node.items()}
    return node.model_copy(update={str(key): _zeroed(getattr(node, str(key)), path[1:])})


def _listed(profile: Profile, share: float, path: _Path, quantity: Quantity, source: Source) -> dict[str, Any]:
    return {
        "name": dotted(profile.spec, path),
        "unit": _unit(str(path[-1])),
        "value": quantity.value,
        "low": quantity.low,
        "high": quantity.high,
        "share": round(share, 6),
        "down": round(share * (quantity.low / quantity.value - 1.0), 6),
        "up": round(share * (quantity.high / quantity.value - 1.0), 6),
        "source": source.title,
        "kind": source.kind,
        "where": ", ".join(text for text in (source.doi, source.url, source.page) if text),
        "note": quantity.note or source.note or "",
    }


def _unit(key: str) -> str:
    found = [suffix for suffix in UNIT_SUFFIXES if key.endswith("_" + suffix)]
    unit = max(found, key=len, default="")
    return {
        "pj": "pJ",
        "pj_per_byte": "pJ/byte",
        "pj_per_mac": "pJ/MAC",
        "mw": "mW",
        "uj": "uJ",
        "uw_per_mhz_v2": "uW/MHz/V²",
    }.get(unit, unit)
