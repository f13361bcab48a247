"""Errors of ``profile validate --strict``: sources without a reference and values without a basis."""

from __future__ import annotations

from collections.abc import Iterator

from foldsim.hardware.spec import ProfileSpec
from foldsim.schema import Problem
from foldsim.schema.findings import Path
from foldsim.schema.quantity import Fact, Quantity, Source, quantities

ENERGIES = ("_pj", "_pj_per_mac", "_pj_per_byte", "_uw_per_mhz_v2")
"""Suffixes of the keys of dynamic energies. Other powers also depend on the share charged to the workload."""
READ = ("measured", "datasheet", "paper")


def strict_problems(profile: ProfileSpec) -> Iterator[Problem]:
    """Errors that only strict validation reports."""
    for key, source in profile.sources.items():
        yield from _source_problems(key, source)
    for path, quantity in quantities(profile):
        if quantity.source in profile.sources and (quantity.value != 0 or quantity.high != 0):
            yield from _quantity_problems(path, quantity, profile)


def _quantity_problems(path: Path, quantity: Quantity, profile: ProfileSpec) -> Iterator[Problem]:
    source = profile.sources[quantity.source]
    if source.kind == "assumption" and str(path[-1]).endswith(ENERGIES) and _is_only_assumed(quantity, profile):
        yield Problem(
            (*path, "source"),
            f"the energy `{path[-1]}` is only an assumption ({quantity.source!r})",
            "a measured, datasheet, paper or derived source, or from and rule",
            "derive it: from: [...], rule: {name: datapath | sram | ratio, ...}",
        )
    if source.kind == "derived" and quantity.origin is None and not (source.note or _reference(source)):
        message = f"`{path[-1]}` is derived, but neither the value nor its source states from what"
        yield Problem((*path, "source"), message, "from and rule, or a note in the source")


def _is_only_assumed(quantity: Quantity, profile: ProfileSpec) -> bool:
    """Whether a value is derived from nothing, or from assumptions only."""
    if not isinstance(quantity.origin, list):
        return quantity.origin is None
    return all(isinstance(x, Fact) and profile.sources[x.source].kind == "assumption" for x in quantity.origin)


def _source_problems(key: str, source: Source) -> Iterator[Problem]:
    if source.kind in READ and not _reference(source):
        message = f"the source {key!r} is {source.kind}, but has no reference"
        yield Problem(("sources", key), message, "a url or doi", at_key=True)
    if source.kind == "assumption" and not source.note:
        message = f"the source {key!r} is an assumption without a reason"
        yield Problem(("sources", key), message, "a note with the reason", at_key=True)


def _reference(source: Source) -> bool:
    return bool(source.url or source.doi)
