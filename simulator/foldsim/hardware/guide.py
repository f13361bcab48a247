"""Usual range of each value of a profile and its place in data sheets (guide.csv), for validation and skeletons."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

_KEYED = "precisions"  # its keys are names, not fields
PLACES: Final = {
    "ProfileSpec": "",
    "ComputeUnit": "compute_units",
    "PrecisionRate": "compute_units.precisions",
    "KernelLibrary": "compute_units.precisions.kernels",
    "StreamPoint": "compute_units.precisions.kernels.stream_by_rows.by_run",
    "StreamCurve": "compute_units.precisions.kernels.stream_by_rows",
    "VectorUnit": "compute_units.vector",
    "EfficiencyPoint": "compute_units.efficiency_by_rows",
    "PowerLaw": "compute_units.power_law",
    "MemoryLevel": "memory_levels",
    "Background": "memory_levels.background",
    "DramUse": "memory_levels.dram",
    "System": "system",
    "OperatingPoint": "operating_points",
}
"""Paths of the records of a profile."""


@dataclass(frozen=True)
class Entry:
    """Usual range of a nominal value of a profile, and where to find the value."""

    low: float
    high: float
    where: str


@lru_cache(maxsize=1)
def guide() -> dict[tuple[str, str], Entry]:
    """Entries by field (without indices and names) and kind of memory, empty if it does not depend on the kind."""
    text = files("foldsim.hardware").joinpath("guide.csv").read_text(encoding="utf-8")
    return {
        (row["field"], row["kind"]): Entry(float(row["typical_low"]), float(row["typical_high"]), row["where"])
        for row in csv.DictReader(text.splitlines())
    }


def field_of(path: tuple[str | int, ...]) -> str:
    """A path without list indices and names of number formats; a format's curve over rows is like the unit's.

    >>> field_of(("compute_units", 0, "precisions", "int8", "macs_per_cycle"))
    'compute_units.precisions.macs_per_cycle'
    """
    before = ("", *path)
    field = ".".join(str(part) for last, part in zip(before, path, strict=False) if not _is_name(last, part))
    return field.replace(".precisions.kernels.efficiency_by_rows.", ".efficiency_by_rows.")


def _is_name(last: str | int, part: str | int) -> bool:
    return isinstance(part, int) or last == _KEYED


def entry_of(path: tuple[str | int, ...], kind: str = "") -> Entry | None:
    """The entry of a path; ``kind`` is that of the memory level."""
    field = field_of(path)
    return guide().get((field, kind)) or guide().get((field, ""))


@lru_cache(maxsize=1)
def advice() -> dict[tuple[str, str], str]:
    """Usual range and place to find a value, as text by record and key; by kind of memory where it matters."""
    sentences: dict[tuple[str, str], list[str]] = {}
    for (field, kind), entry in guide().items():
        place, _, key = field.rpartition(".")
        record = next(name for name, path in PLACES.items() if path == place)
        usual = f"{f'{kind}: u' if kind else 'U'}sually {entry.low:g} to {entry.high:g}."
        sentences.setdefault((record, key), []).append(f"{usual} Where: {entry.where.rstrip('.')}.")
    return {key: " ".join(texts) for key, texts in sentences.items()}
