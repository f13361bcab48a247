"""The numbers of a profile by name, as ``--set``, derivations and calibration spell them."""

from __future__ import annotations

from pydantic import BaseModel

from foldsim.schema.findings import Path
from foldsim.schema.quantity import Quantity, quantities


def numbers_by_name(record: BaseModel) -> dict[str, tuple[Path, Quantity]]:
    """Every number with a range below a record: dotted name, where list items go by their name, to path and number.

    >>> from foldsim.hardware.profile import load_profile
    >>> numbers_by_name(load_profile("phone-npu").spec)["memory_levels.dram.bandwidth_gb_per_s"][1].value
    67.2
    """
    return {dotted(record, path): (path, quantity) for path, quantity in quantities(record)}


def dotted(record: BaseModel, path: Path) -> str:
    """A path below a record as a dotted name."""
    node: object = record
    parts = []
    for key in path:
        node = node[key] if isinstance(node, (list, dict)) else getattr(node, str(key))  # type: ignore[index]
        parts.append(str(getattr(node, "name", key) if isinstance(key, int) else key))
    return ".".join(parts)
