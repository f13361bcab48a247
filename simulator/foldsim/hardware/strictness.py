"""What ``profile validate --strict`` refuses: numbers that nobody can look up or that rest on nothing."""

from __future__ import annotations

from collections.abc import Iterator

from foldsim.hardware.spec import ProfileSpec
from foldsim.schema import Problem
from foldsim.schema.quantity import Fact, Quantity, Source, quantities

ENERGIES = ("_pj", "_pj_per_mac", "_pj_per_byte", "_uw_per_mhz_v2")
"""Ends of the keys of energy terms: what work costs. Static, idle and wake powers are accounting as much as physics."""
READ = ("measured", "datasheet", "paper")


def strict_problems(profile: ProfileSpec) -> Iterator[Problem]:
    """Errors of strict validation, beyond those that every profile must be free of."""
    for key, source in profile.sources.items():
        yield from _source(key, source)
    for path, quantity in quantities(profile):
        source_of = profile.sources.get(quantity.source)
        if source_of is None or (quantity.value == 0 and quantity.high == 0):
            continue
        if source_of.kind == "assumption" and str(path[-1]).endswith(ENERGIES) and _unfounded(quantity, profile):
            yield Problem(
                (*path, "source"),
                f"the energy `{path[-1]}` rests on an assumption alone ({quantity.source!r})",
                "a measured, datasheet, paper or derived source, or from and rule",
                "derive it: from: [...], rule: {name: datapath | sram | ratio, ...}",
            )
        if source_of.kind == "derived" and quantity.origin is None and not (source_of.note or _place(source_of)):
            message = f"`{path[-1]}` is derived, but neither the number nor its source says from what"
            yield Problem((*path, "source"), message, "from and rule, or a note of the source")


def _unfounded(quantity: Quantity, profile: ProfileSpec) -> bool:
    """Whether a number is derived from nothing, or from assumptions alone."""
    if not isinstance(quantity.origin, list):
        return quantity.origin is None
    return all(isinstance(x, Fact) and profile.sources[x.source].kind == "assumption" for x in quantity.origin)


def _source(key: str, source: Source) -> Iterator[Problem]:
    if source.kind in READ and not _place(source):
        message = f"the source {key!r} is {source.kind}, but cannot be looked up"
        yield Problem(("sources", key), message, "a url or doi", at_key=True)
    if source.kind == "assumption" and not source.note:
        message = f"the source {key!r} is an assumption without a reason"
        yield Problem(("sources", key), message, "a note that says why", at_key=True)


def _place(source: Source) -> bool:
    return bool(source.url or source.doi)
