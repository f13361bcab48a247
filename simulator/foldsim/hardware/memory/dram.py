"""DRAM types: records of the energy per byte, the energy of opening a row and the background power of a die.

The energy of a byte is that of the device core, its interface, the controller (with PHY and network) on the chip, and
``activate_pj / (row_bytes x row_used_ratio)`` for opening rows: streaming weights uses most of a row before it closes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from foldsim.data import shipped_dram
from foldsim.hardware.derivation import RULES
from foldsim.hardware.numbers import unused_source_problems
from foldsim.hardware.technology import Band
from foldsim.schema import Document, Finding, Problem, read_yaml
from foldsim.schema.quantity import (
    NonNegative,
    Positive,
    PositiveShare,
    Quantity,
    Record,
    Source,
    collect_sourced_findings,
)

FACTS: Final = {"kind": "dram", "on_chip": False, "keeps_data": True, "clock": "own"}
"""Values that every DRAM level has."""
TYPED: Final = (
    "bandwidth_gb_per_s",
    "read_pj_per_byte",
    "write_pj_per_byte",
    "static_mw",
    "retention_mw",
    "background",
)
"""Keys of a level whose values belong to one DRAM type."""
FILLED: Final = (*FACTS, *TYPED, "bandwidth_efficiency_ratio")
"""Keys of a level that are filled in from a record."""
STATES: Final = ("active_standby_mw", "power_down_mw", "self_refresh_mw")
_SUFFIXES = (".yaml", ".yml")


class DramSpec(Record):
    """A DRAM type: energies by part, background power of one die by state."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Short name, the same as the file's.")
    title: str = Field(min_length=1, description="One-line description.")
    summary: str = Field(min_length=1, description="Which values are measured, derived or missing.")
    sources: dict[str, Source] = Field(min_length=1, description="Sources of the values, by key.")
    max_data_rate_mt_per_s: Positive = Field(description="Fastest data rate of the type.")
    die_width_bits: Positive = Field(description="Width of the die whose background powers are given.")
    core_read_pj_per_byte: NonNegative = Field(description="Array and data path of the device, reading.")
    core_write_pj_per_byte: NonNegative = Field(description="Array and data path of the device, writing.")
    io_read_pj_per_byte: NonNegative = Field(description="Interface of the device, reading.")
    io_write_pj_per_byte: NonNegative = Field(description="Interface of the device, writing.")
    controller_pj_per_byte: NonNegative = Field(description="Controller, PHY and on-chip network.")
    activate_pj: NonNegative = Field(description="Opening and closing one row of one die.")
    row_bytes: Positive = Field(description="Bytes of one row of one die.")
    row_used_ratio: PositiveShare = Field(description="Share of a row read or written before the row is closed.")
    active_standby_mw: NonNegative = Field(description="One die, clocked, rows open, without refresh: IDD3N.")
    power_down_mw: NonNegative = Field(description="One die, clock stopped, without refresh: IDD2P.")
    refresh_mw: NonNegative = Field(description="Average refresh power of one die in these two states.")
    self_refresh_mw: NonNegative = Field(description="One die in self-refresh: IDD6.")
    bandwidth_efficiency_ratio: PositiveShare = Field(description="Share of the peak bandwidth reached when streaming.")


def check_dram(record: DramSpec) -> list[Problem]:
    """Warnings about sources that no value of a record uses."""
    return unused_source_problems(record, record.sources)


@lru_cache(maxsize=64)
def read_dram(path: Path) -> tuple[DramSpec | None, Document, tuple[Finding, ...]]:
    """A record from its file, with all findings.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    document = read_yaml(path)
    spec, findings = collect_sourced_findings(document, DramSpec, (check_dram,))
    return spec, document, tuple(findings)


def dram_path(name: str, folder: Path) -> Path | None:
    """The file of a shipped type, or of a record by its path relative to a profile; None for an unknown type."""
    if name.lower().endswith(_SUFFIXES) or "/" in name:
        return folder / name
    return shipped_dram().get(name)


def source_key(name: str) -> str:
    """Key under which a profile lists a record as a source."""
    return f"dram:{name}"


def level_values(record: DramSpec, use: Mapping[str, Any], level: str) -> dict[str, Any]:
    """The values that a record gives a level, as plain profile data, each with its derivation."""
    key, level_path = source_key(record.name), f":memory_levels.{level}.dram."
    type_name = use.get("type", record.name)
    width = band_or_none(use.get("width_bits")) or _of(record.die_width_bits)
    rate = band_or_none(use.get("data_rate_mt_per_s")) or _of(record.max_data_rate_mt_per_s)
    dies = band_or_none(use.get("dies_count"))

    def refer(*fields: str) -> list[str]:
        return [f"dram/{type_name}:{field}" for field in fields]

    def value(band: Band, source: str, **more: Any) -> dict[str, Any]:
        return {**band._asdict(), "source": source, **more}

    def access(kind: str) -> dict[str, Any]:
        parts = [f"core_{kind}_pj_per_byte", f"io_{kind}_pj_per_byte", "controller_pj_per_byte"]
        parts += ["activate_pj", "row_bytes", "row_used_ratio"]
        energy = _apply("dram_access", *(_of(getattr(record, part)) for part in parts))
        return value(energy, key, **{"from": refer(*parts), "rule": {"name": "dram_access"}})

    def state(field: str) -> dict[str, Any]:
        powers = [field] if field == "self_refresh_mw" else [field, "refresh_mw"]
        bands = [_of(getattr(record, power)) for power in powers]
        if dies is not None:
            rule, origin = {"name": "dies", "counted": True}, [*refer(*powers), level_path + "dies_count"]
            bands.append(dies)
        else:
            rule, origin = {"name": "dies"}, [*refer(*powers), level_path + "width_bits", *refer("die_width_bits")]
            bands += [width, _of(record.die_width_bits)]
        return value(RULES["dies"].model_validate(rule).give(bands), key, **{"from": origin, "rule": rule})

    def zero() -> dict[str, Any]:
        return value(Band(0.0, 0.0, 0.0), key, note="see background")

    charged = use.get("charged_ratio")
    rate_source = mapping_or_empty(use.get("data_rate_mt_per_s")).get("source")
    bus = {"from": [level_path + "width_bits", level_path + "data_rate_mt_per_s"], "rule": {"name": "bus"}}
    return {
        **FACTS,
        "bandwidth_gb_per_s": value(
            _apply("bus", width, rate), rate_source if isinstance(rate_source, str) else key, **bus
        ),
        "bandwidth_efficiency_ratio": value(
            _of(record.bandwidth_efficiency_ratio),
            key,
            **{"from": refer("bandwidth_efficiency_ratio"), "rule": {"name": "sum"}},
        ),
        "read_pj_per_byte": access("read"),
        "write_pj_per_byte": access("write"),
        "static_mw": zero(),
        "retention_mw": zero(),
        "background": {
            **{field: state(field) for field in STATES},
            "idle_state": use.get("idle_state", "self_refresh"),
            "charged_ratio": charged if isinstance(charged, dict) else value(Band(1.0, 1.0, 1.0), key),
        },
    }


def sourced_ratio(record: DramSpec, key: str) -> float:
    """Share of a filled value that does not depend on an assumption of the record.

    Terms of a sum count separately; a product counts if none of its factors is assumed.
    """
    if key in ("read_pj_per_byte", "write_pj_per_byte"):
        kind = key.partition("_")[0]
        terms: list[tuple[str, ...]] = [(f"core_{kind}_pj_per_byte",), (f"io_{kind}_pj_per_byte",)]
        terms += [("controller_pj_per_byte",), ("activate_pj", "row_bytes", "row_used_ratio")]
    elif key in STATES:
        terms = [(key, "die_width_bits")]
        terms += [] if key == "self_refresh_mw" else [("refresh_mw", "die_width_bits")]
    else:
        return 1.0  # only zeros are filled in for other keys
    total = sourced = 0.0
    for term in terms:
        factors: list[Quantity] = [getattr(record, field) for field in term]
        size = factors[0].value / math.prod(factor.value for factor in factors[1:])
        total += size
        if all(record.sources[factor.source].kind != "assumption" for factor in factors):
            sourced += size
    return sourced / total if total else 1.0


def source_of(record: DramSpec) -> dict[str, Any]:
    """The entry for a record in the ``sources`` of a profile."""
    parts = {"core": "core_read", "io": "io_read", "controller": "controller"}
    read_energies = [
        f"{name} {_with_range(getattr(record, f'{field}_pj_per_byte'), record)}" for name, field in parts.items()
    ]
    return {
        "title": f"DRAM record {record.name}: {record.title}",
        "kind": "derived",
        "note": f"{record.summary} Reading one byte [pJ]: {'; '.join(read_energies)}.",
    }


def _with_range(quantity: Quantity, record: DramSpec) -> str:
    return f"{quantity.value:g} ({quantity.low:g}-{quantity.high:g}, {record.sources[quantity.source].kind})"


def _apply(rule: str, *bands: Band) -> Band:
    return RULES[rule].model_validate({"name": rule}).give(bands)


def _of(quantity: Quantity) -> Band:
    return Band(quantity.value, quantity.low, quantity.high)


def band_or_none(raw: Any) -> Band | None:
    """The band of a value in plain data; None unless it is above zero with an ordered range."""
    ends = [mapping_or_empty(raw).get(end) for end in ("value", "low", "high")]
    numbers = [float(end) for end in ends if isinstance(end, (int, float)) and not isinstance(end, bool)]
    if len(numbers) < len(ends) or not 0 < numbers[1] <= numbers[0] <= numbers[2]:
        return None
    return Band(*numbers)


def mapping_or_empty(raw: Any) -> dict[str, Any]:
    """``raw`` if it is a mapping, else an empty one."""
    return raw if isinstance(raw, dict) else {}
