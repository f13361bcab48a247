"""Paths into a record, with list items by name, as ``--set``, derivations and calibration write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pydantic import BaseModel

from foldsim.schema import Problem
from foldsim.schema.findings import Path
from foldsim.schema.quantity import Quantity, quantities, used_sources

UNUSED: Final = "is not used by any value"
"""End of the message about an unused source; strict validation makes it an error."""


def children(node: object) -> Iterator[tuple[str, str | int, object]]:
    """Name, key and value of everything directly below a node; list items go by their ``name``, if they have one.

    Nothing is below a :class:`Quantity` or a plain value.
    """
    if isinstance(node, Quantity):
        return
    if isinstance(node, BaseModel):
        yield from ((key, key, getattr(node, key)) for key in type(node).model_fields)
    elif isinstance(node, dict):
        yield from ((str(key), key, item) for key, item in node.items())
    elif isinstance(node, list):
        yield from ((str(getattr(item, "name", index)), index, item) for index, item in enumerate(node))


def numbers_by_name(record: BaseModel) -> dict[str, tuple[Path, Quantity]]:
    """Every value with a range below a record: from its dotted name to its path and the value.

    >>> from foldsim.hardware.profile import load_profile
    >>> numbers_by_name(load_profile("phone-npu").spec)["memory_levels.dram.bandwidth_gb_per_s"][1].value
    67.2
    """
    return {dotted(record, path): (path, quantity) for path, quantity in quantities(record)}


def dotted(record: BaseModel, path: Path) -> str:
    """A path below a record as a dotted name."""
    node: object = record
    names = []
    for key in path:
        name, node = next((name, child) for name, at, child in children(node) if at == key)
        names.append(name)
    return ".".join(names)


def unused_source_problems(record: BaseModel, sources: Iterable[str]) -> list[Problem]:
    """A warning for every source that no value of a record uses."""
    used = used_sources(record)
    return [
        Problem(("sources", key), f"source {key!r} {UNUSED}", severity="warning", at_key=True)
        for key in sources
        if key not in used
    ]
