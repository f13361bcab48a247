"""The constants of each hardware profile that carry the most power in a sweep, with their ranges and sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.explore.columns import columns
from foldsim.explore.results import Results
from foldsim.report.errors import ReportError
from foldsim.units import MS_PER_S, UNIT_SUFFIXES

if TYPE_CHECKING:
    from foldsim.explore.space import DesignSpace
    from foldsim.hardware.profile import Profile
    from foldsim.model.evaluate import Evaluation
    from foldsim.schema.quantity import Quantity, Source

SHOWN = 8
MAX_CHUNKS = 48  # evaluated per profile; a longer list of chunk sizes is thinned
AGREEMENT = 1e-6

# Energy and power coefficients, in which power is linear, and the shares that multiply them.
_POWER_SUFFIXES = ("_pj", "_pj_per_mac", "_pj_per_byte", "_mw", "_uj", "_uw_per_mhz_v2")
_POWER_SHARES = ("charged_ratio", "activity_ratio", "stalled_ratio")

_Path = tuple[str | int, ...]


def profile_notes(results: Results) -> list[dict[str, Any]]:
    """For each profile of the rows: what it is and the constants that matter most, or why they cannot be told."""
    inputs = [i for i in results.provenance.get("inputs", []) if isinstance(i, dict)]
    notes = []
    for name in dict.fromkeys(str(v) for v in results["profile"].tolist()):
        note: dict[str, Any] = {"name": name}
        try:
            profile: Profile = _load("profile", name, inputs, results)
            spec = profile.spec
            note |= {"title": spec.title, "summary": spec.summary, "grade": spec.grade, "class": spec.device_class}
            note |= _heaviest(results, profile, inputs)
        except ReportError as error:
            note["problem"] = str(error)
        notes.append(note)
    return notes


def _load(kind: str, name: str, inputs: Sequence[dict[str, Any]], results: Results) -> Any:
    """The very input that the rows were made from: shipped, or a file among the sweep's arguments."""
    from foldsim.errors import UserError
    from foldsim.hardware.profile import load_profile
    from foldsim.schema import InputError
    from foldsim.workload.workload import load_workload

    load: Callable[[str | Path], Any] = load_profile if kind == "profile" else load_workload
    wanted = [i for i in inputs if i.get("kind") == kind and i.get("name") == name]
    if not wanted:
        raise ReportError(f"the result file does not say which file {kind} {name} came from")
    arguments = [a for a in results.provenance.get("arguments", []) if isinstance(a, str)]
    places: list[str | Path] = [name] if "/" not in name and "\\" not in name else []
    places += [Path(a) for a in arguments if Path(a).name == wanted[0].get("file")]
    for place in places:
        try:
            found = load(place)
        except (InputError, LookupError, OSError, UserError):
            continue
        if found.sha256 == wanted[0].get("sha256"):
            return found
    raise ReportError(
        f"{kind} {name} as the sweep used it (sha256 {str(wanted[0].get('sha256'))[:12]}…) is neither shipped with "
        "this foldsim nor found under the path given to the sweep"
    )


def _heaviest(results: Results, profile: Profile, inputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Constants by the share of power they carry, averaged over the profile's designs of the first workload."""
    from foldsim.errors import UserError
    from foldsim.explore.engine import evaluate_plan, plan_for
    from foldsim.model.power import power_of
    from foldsim.schema import InputError

    mine = results.where(results["profile"] == profile.name)
    mine = mine.where(mine["workload"] == mine["workload"][0])
    workload = _load("workload", str(mine["workload"][0]), inputs, results)
    try:
        space, profile = _space(mine, workload, profile)
        spec = space.workloads[0].spec
        precision = spec.precision.activations
        _, evaluated = evaluate_plan(space, plan_for(space, spec, (), profile), profile.bands(precision))
    except (InputError, UserError) as error:
        raise ReportError(f"its designs cannot be evaluated again: {error}") from None
    power_mw = evaluated.nominal.power_mw
    if not _agrees(mine, evaluated):
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
    return {"constants": listed, "constants_of": str(mine["workload"][0]), "constants_left": len(found) - len(listed)}


def _space(mine: Results, workload: Any, profile: Profile) -> tuple[DesignSpace, Profile]:
    """The designs of the rows, at the first value of every --set."""
    from foldsim.explore.space import DesignSpace, FoldOptions
    from foldsim.explore.variants import SetAxis, apply_axis
    from foldsim.workload.compression_text import parse_compression

    known = columns()
    compression = str(mine["compression"][0]) if "compression" in mine.columns else "none"
    if "compression" in mine.columns:
        mine = mine.where(mine["compression"] == compression)
    workload = workload.compress(compression)
    for name in [name for name in mine.columns if name not in known]:
        value = mine[name].tolist()[0]
        axis = SetAxis(name, (value,))
        mine = mine.where(np.array([v == value for v in mine[name].tolist()]))
        if axis.target == "workload":
            (workload,) = apply_axis(workload, axis)
        else:
            (profile,) = apply_axis(profile, axis)
    chunks = np.unique(mine["chunk_ms"].astype(float))
    chunks = chunks[np.unique(np.linspace(0, len(chunks) - 1, min(len(chunks), MAX_CHUNKS)).astype(int))]
    factors = sorted({int(v) for v in mine["fold_factor"].tolist()})
    folded = mine.where(mine["fold_factor"] > 1)
    options = FoldOptions()
    if len(folded) and {"fold_layers", "fold_scope", "fold_heads"} <= set(folded.columns):
        options = FoldOptions(*(str(folded[f"fold_{key}"][0]) for key in ("layers", "scope", "heads")))
    space = DesignSpace(
        (workload,),
        (profile,),
        tuple(chunks.tolist()),
        tuple(factors),
        options,
        policy=str(mine["policy"][0]) if "policy" in mine.columns else None,
        placement=str(mine["placement"][0]) if "placement" in mine.columns else "auto",
        compress=[parse_compression(compression)],
    )
    space.check()
    return space, profile


def _agrees(mine: Results, evaluated: Evaluation) -> bool:
    """Whether the model gives the power of the rows' largest chunk and factor."""
    period_ms = evaluated.plan.period_s * MS_PER_S
    chunk, factor = float(mine["chunk_ms"].max()), float(mine["fold_factor"].max())
    here = (mine["chunk_ms"] == chunk) & (mine["fold_factor"] == factor)
    computed = evaluated.nominal.power_mw[np.isclose(period_ms, chunk)]
    told = mine["power_mw"][here]
    return bool(len(told)) and bool(np.any(np.isclose(computed, float(told[0]), rtol=AGREEMENT)))


def _power_quantities(profile: Profile) -> Iterator[tuple[_Path, Quantity]]:
    from foldsim.schema.quantity import quantities

    for path, quantity in quantities(profile.spec):
        key = str(path[-1])
        if quantity.value and (key.endswith(_POWER_SUFFIXES) or key in _POWER_SHARES):
            yield path, quantity


def _terms_without(evaluated: Evaluation, profile: Profile, path: _Path, precision: str) -> list[Any]:
    """Energy terms with one quantity at zero: power is linear in each, so what is missing is what it carries."""
    from foldsim.model.power import chunk_terms

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
        "name": _told(profile, path),
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


def _told(profile: Profile, path: _Path) -> str:
    """A path with names in place of list positions, as --set takes it."""
    words: list[str] = []
    node: Any = profile.spec
    for key in path:
        if isinstance(node, list):
            node = node[int(key)]
        else:
            node = node[key] if isinstance(node, dict) else getattr(node, str(key))
        words.append(str(getattr(node, "name", key)) if isinstance(key, int) else str(key))
    return ".".join(words)


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
