"""DRAM by type: records of what a byte, an open row and a waiting die cost, and the levels that are filled from them.

A record splits the energy of a byte into the core of the device, its interface, the controller (with PHY and network)
on the chip's side, and the opening of rows. Rows enter as ``activate_pj / (row_bytes x row_used_ratio)`` per byte: a
stream of weights uses most of a row before the row is closed, so the energy of opening it spreads over many bytes.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from foldsim.data import shipped_dram
from foldsim.hardware.derivation import RULES
from foldsim.hardware.technology import Band
from foldsim.schema import Document, Finding, InputError, Problem, locate, read_yaml
from foldsim.schema.layering import LayeredDocument, Origin, origin_of, plant
from foldsim.schema.quantity import (
    NonNegative,
    Positive,
    PositiveShare,
    Quantity,
    Record,
    Source,
    collect_sourced_findings,
    used_sources,
)

FACTS: Final = {"kind": "dram", "on_chip": False, "keeps_data": True, "clock": "own"}
"""What every DRAM level is."""
TYPED: Final = (
    "bandwidth_gb_per_s",
    "read_pj_per_byte",
    "write_pj_per_byte",
    "static_mw",
    "retention_mw",
    "background",
)
"""Keys of a level that belong to one type of DRAM."""
FILLED: Final = (*FACTS, *TYPED, "bandwidth_efficiency_ratio")
"""Keys of a level that a record fills."""
STATES: Final = ("active_standby_mw", "power_down_mw", "self_refresh_mw")
_SUFFIXES = (".yaml", ".yml")
_STAND_IN = "lpddr4"  # fills a level whose type is unknown, so that only the type is told


class DramSpec(Record):
    """A type of DRAM: energies by part, background power of one die by state."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Short name, the same as the file's.")
    title: str = Field(min_length=1, description="What it is, in a line.")
    summary: str = Field(min_length=1, description="What is measured, what is derived, what is missing.")
    sources: dict[str, Source] = Field(min_length=1, description="Where the numbers come from, by key.")
    max_data_rate_mt_per_s: Positive = Field(description="Fastest data rate of the type.")
    die_width_bits: Positive = Field(description="Width of the die that the background powers are of.")
    core_read_pj_per_byte: NonNegative = Field(description="Array and data path of the device, reading.")
    core_write_pj_per_byte: NonNegative = Field(description="Array and data path of the device, writing.")
    io_read_pj_per_byte: NonNegative = Field(description="Interface of the device, reading.")
    io_write_pj_per_byte: NonNegative = Field(description="Interface of the device, writing.")
    controller_pj_per_byte: NonNegative = Field(description="Controller, PHY and network on the chip's side.")
    activate_pj: NonNegative = Field(description="Opening and closing one row of one die.")
    row_bytes: Positive = Field(description="Bytes of one row of one die.")
    row_used_ratio: PositiveShare = Field(description="Share of a row that is read or written before it is closed.")
    active_standby_mw: NonNegative = Field(description="One die, clocked, rows open, without refresh: IDD3N.")
    power_down_mw: NonNegative = Field(description="One die, clock stopped, without refresh: IDD2P.")
    refresh_mw: NonNegative = Field(description="Refreshing one die in these two states, on average.")
    self_refresh_mw: NonNegative = Field(description="One die, keeping its contents by itself: IDD6.")
    bandwidth_efficiency_ratio: PositiveShare = Field(description="Share of the peak bandwidth reached when streaming.")


def check_dram(record: DramSpec) -> list[Problem]:
    """Sources that no number of a record uses."""
    unused = set(record.sources) - used_sources(record)
    return [
        Problem(("sources", key), f"source {key!r} is used by no number", severity="warning", at_key=True)
        for key in record.sources
        if key in unused
    ]


@lru_cache(maxsize=64)
def read_dram(path: Path) -> tuple[DramSpec | None, Document, tuple[Finding, ...]]:
    """A record from its file, with everything that is wrong with it.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    document = read_yaml(path)
    spec, findings = collect_sourced_findings(document, DramSpec, (check_dram,))
    return spec, document, tuple(findings)


def dram_path(name: str, folder: Path) -> Path | None:
    """The file of a type by name, or of a record beside a profile by its path; None if nothing is shipped by it."""
    if name.lower().endswith(_SUFFIXES) or "/" in name:
        return folder / name
    return shipped_dram().get(name)


def source_key(name: str) -> str:
    """Key of the source that stands for a record in a profile."""
    return f"dram:{name}"


def with_dram(document: Document) -> Document:
    """The document with its ``dram:`` levels filled in, where they leave something out; unchanged if it has none.

    Filling again is harmless: numbers that were filled are worked out anew, numbers that were written stay.
    """
    levels = document.data.get("memory_levels") if isinstance(document.data, dict) else None
    if not isinstance(levels, list):
        return document
    uses = {i: lv for i, lv in enumerate(levels) if isinstance(lv, dict) and isinstance(lv.get("dram"), dict)}
    if not uses:
        return document
    filling = _Filling(document)
    for index, level in uses.items():
        filling.level(index, level)
    return filling.done()


class _Filling:
    """Levels of one document being filled from records."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.before: Mapping[tuple[str | int, ...], Any] = getattr(document, "filled", {})
        self.filled: dict[tuple[str | int, ...], Any] = {}
        self.levels: list[Any] = list(document.data["memory_levels"])
        self.sources: dict[str, Any] = {
            key: value
            for key, value in _mapping(document.data.get("sources")).items()
            if self.before.get(("sources", key)) is None
        }
        self.findings: list[Finding] = []
        self.records: list[Document] = []

    def level(self, index: int, level: dict[str, Any]) -> None:
        """Fill one level."""
        path = ("memory_levels", index)
        record = self._record(level["dram"], (*path, "dram"))
        if record is None:
            return
        self._check_rate(record, level["dram"], (*path, "dram"))
        values = level_values(record, level["dram"], str(level.get("name")))
        full = dict(level)
        for key, value in values.items():
            if key == "background":
                given = _mapping(level.get(key))
                merged = {k: self._choose((*path, key, k), given.get(k), v) for k, v in value.items()}
                full[key] = {**given, **merged}
            else:
                full[key] = self._choose((*path, key), level.get(key), value)
        self.levels[index] = full
        key = source_key(record.name)
        self.sources[key] = self.filled["sources", key] = source_of(record)

    def _choose(self, path: tuple[str | int, ...], given: Any, value: Any) -> Any:
        """What was written, if anything was, else the value of the record."""
        if given is None or given == self.before.get(path):
            self.filled[path] = value
            return value
        return given

    def _record(self, use: Mapping[str, Any], path: tuple[str | int, ...]) -> DramSpec | None:
        name = use.get("type")
        if not isinstance(name, str) or not name:
            return read_dram(shipped_dram()[_STAND_IN])[0]  # the model tells what is wrong
        home, _ = self.document.home((*path, "type"))
        file = dram_path(name, Path(home.file).parent)
        if file is None or not file.is_file():
            known = list(shipped_dram())
            close = difflib.get_close_matches(name.lower(), known, n=1)
            message = f"no DRAM type is called {name!r}" if file is None else f"there is no file {str(file)!r}"
            self._report(Problem((*path, "type"), message, ", ".join(known), close[0] if close else None))
            return read_dram(shipped_dram()[_STAND_IN])[0]
        try:
            record, document, findings = read_dram(file)
        except InputError as error:
            self.findings += error.findings
            return None
        self.findings += findings
        if document not in self.records:
            self.records.append(document)
        return record

    def _check_rate(self, record: DramSpec, use: Mapping[str, Any], path: tuple[str | int, ...]) -> None:
        rate, most = _band(use.get("data_rate_mt_per_s")), record.max_data_rate_mt_per_s.high
        if rate is not None and rate.value > most:
            message = f"{record.name} goes to {most:g} MT/s, not {rate.value:g}"
            self._report(
                Problem((*path, "data_rate_mt_per_s", "value"), message, f"at most {most:g}", severity="warning")
            )

    def _report(self, problem: Problem) -> None:
        self.findings.append(locate(self.document, problem))

    def done(self) -> LayeredDocument:
        """The filled document; what is filled in stands at its level's ``dram:`` in messages."""
        document = self.document
        origin = origin_of(document)
        for path in self.filled:
            if path[0] == "memory_levels":
                home, place = document.home((*path[:2], "dram"))
                origin = plant(origin, path, Origin(home, place))
        data = {**document.data, "memory_levels": self.levels, "sources": self.sources}
        laid: tuple[Finding, ...] = getattr(document, "findings", ()) if not self.before else ()
        parts = [*document.parts, *(record for record in self.records if record not in document.parts)]
        return LayeredDocument(
            document.file,
            document.text,
            data,
            document.value_positions,
            document.key_positions,
            origin,
            tuple(parts),
            (*laid, *self.findings),
            self.filled,
        )


def level_values(record: DramSpec, use: Mapping[str, Any], level: str) -> dict[str, Any]:
    """What a record says about a level: plain data as a profile would write it, each number with its derivation."""
    key, own = source_key(record.name), f":memory_levels.{level}.dram."
    kind_of = use.get("type", record.name)
    width = _band(use.get("width_bits")) or _of(record.die_width_bits)
    rate = _band(use.get("data_rate_mt_per_s")) or _of(record.max_data_rate_mt_per_s)
    dies = _band(use.get("dies_count"))

    def refer(*fields: str) -> list[str]:
        return [f"dram/{kind_of}:{field}" for field in fields]

    def number(band: Band, source: str, **more: Any) -> dict[str, Any]:
        return {**band._asdict(), "source": source, **more}

    def access(kind: str) -> dict[str, Any]:
        parts = [f"core_{kind}_pj_per_byte", f"io_{kind}_pj_per_byte", "controller_pj_per_byte"]
        parts += ["activate_pj", "row_bytes", "row_used_ratio"]
        energy = _apply("dram_access", *(_of(getattr(record, part)) for part in parts))
        return number(energy, key, **{"from": refer(*parts), "rule": {"name": "dram_access"}})

    def state(field: str) -> dict[str, Any]:
        powers = [field] if field == "self_refresh_mw" else [field, "refresh_mw"]
        bands = [_of(getattr(record, power)) for power in powers]
        if dies is not None:
            rule, origin = {"name": "dies", "counted": True}, [*refer(*powers), own + "dies_count"]
            bands.append(dies)
        else:
            rule, origin = {"name": "dies"}, [*refer(*powers), own + "width_bits", *refer("die_width_bits")]
            bands += [width, _of(record.die_width_bits)]
        return number(RULES["dies"].model_validate(rule).give(bands), key, **{"from": origin, "rule": rule})

    def nothing() -> dict[str, Any]:
        return number(Band(0.0, 0.0, 0.0), key, note="see background")

    charged = use.get("charged_ratio")
    rate_source = _mapping(use.get("data_rate_mt_per_s")).get("source")
    bus = {"from": [own + "width_bits", own + "data_rate_mt_per_s"], "rule": {"name": "bus"}}
    return {
        **FACTS,
        "bandwidth_gb_per_s": number(
            _apply("bus", width, rate), rate_source if isinstance(rate_source, str) else key, **bus
        ),
        "bandwidth_efficiency_ratio": number(
            _of(record.bandwidth_efficiency_ratio),
            key,
            **{"from": refer("bandwidth_efficiency_ratio"), "rule": {"name": "sum"}},
        ),
        "read_pj_per_byte": access("read"),
        "write_pj_per_byte": access("write"),
        "static_mw": nothing(),
        "retention_mw": nothing(),
        "background": {
            **{field: state(field) for field in STATES},
            "idle_state": use.get("idle_state", "self_refresh"),
            "charged_ratio": charged if isinstance(charged, dict) else number(Band(1.0, 1.0, 1.0), key),
        },
    }


def sourced_ratio(record: DramSpec, key: str) -> float:
    """Share of a number that a record fills in whose own numbers do not rest on an assumption.

    Parts of a sum count by themselves; a product counts if none of its factors is assumed.
    """

    def given(*fields: str) -> float:
        """The product of numbers (the first) and quotients (the others), or zero where one is assumed."""
        numbers = [getattr(record, field) for field in fields]
        if any(record.sources[number.source].kind == "assumption" for number in numbers):
            return 0.0
        return float(numbers[0].value / math.prod(number.value for number in numbers[1:]))

    def whole(*fields: str) -> float:
        first, *others = (getattr(record, field).value for field in fields)
        return float(first / math.prod(others))

    if key in ("read_pj_per_byte", "write_pj_per_byte"):
        kind = key.partition("_")[0]
        terms: list[tuple[str, ...]] = [(f"core_{kind}_pj_per_byte",), (f"io_{kind}_pj_per_byte",)]
        terms += [("controller_pj_per_byte",), ("activate_pj", "row_bytes", "row_used_ratio")]
    elif key in STATES:
        terms = [(key, "die_width_bits")]
        terms += [] if key == "self_refresh_mw" else [("refresh_mw", "die_width_bits")]
    else:
        return 1.0  # nothing is filled in there but zero
    every = sum(whole(*term) for term in terms)
    return sum(given(*term) for term in terms) / every if every else 1.0


def source_of(record: DramSpec) -> dict[str, Any]:
    """The source that stands for a record in a profile's own table."""
    parts = ("core_read", "io_read", "controller")
    told = [f"{part.replace('_read', '')} {_told(getattr(record, f'{part}_pj_per_byte'), record)}" for part in parts]
    return {
        "title": f"DRAM record {record.name}: {record.title}",
        "kind": "derived",
        "note": f"{record.summary} Reading one byte [pJ]: {'; '.join(told)}.",
    }


def _told(quantity: Quantity, record: DramSpec) -> str:
    return f"{quantity.value:g} ({quantity.low:g}-{quantity.high:g}, {record.sources[quantity.source].kind})"


def _apply(rule: str, *bands: Band) -> Band:
    return RULES[rule].model_validate({"name": rule}).give(bands)


def _of(quantity: Quantity) -> Band:
    return Band(quantity.value, quantity.low, quantity.high)


def _band(raw: Any) -> Band | None:
    """A number of plain data, if it is one above zero with an ordered range."""
    ends = [_mapping(raw).get(end) for end in ("value", "low", "high")]
    numbers = [float(end) for end in ends if isinstance(end, (int, float)) and not isinstance(end, bool)]
    if len(numbers) < len(ends) or not 0 < numbers[1] <= numbers[0] <= numbers[2]:
        return None
    return Band(*numbers)


def _mapping(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}
