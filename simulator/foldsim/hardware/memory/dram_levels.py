"""Fills the memory levels of a profile that name a DRAM type (``dram:``) from the record of the type."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from foldsim.data import shipped_dram
from foldsim.errors import nearest
from foldsim.hardware.memory.dram import (
    DramSpec,
    band_or_none,
    dram_path,
    level_values,
    mapping_or_empty,
    read_dram,
    source_key,
    source_of,
)
from foldsim.schema import Document, Finding, InputError, Problem, locate
from foldsim.schema.layering import LayeredDocument, Origin, origin_of, plant

FALLBACK_TYPE: Final = "lpddr4"
"""Fills a level whose type does not exist, so that the type is the only error reported."""


def with_dram(document: Document) -> Document:
    """The document with the missing keys of its ``dram:`` levels filled in; unchanged without such levels.

    Filling may be repeated: filled values are computed again, written values stay.
    """
    levels = document.data.get("memory_levels") if isinstance(document.data, dict) else None
    if not isinstance(levels, list):
        return document
    typed_levels = {i: lv for i, lv in enumerate(levels) if isinstance(lv, dict) and isinstance(lv.get("dram"), dict)}
    if not typed_levels:
        return document
    filling = _Filling(document)
    for index, level in typed_levels.items():
        filling.fill_level(index, level)
    return filling.filled_document()


class _Filling:
    """The levels of one document while they are filled from records."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.filled_before: Mapping[tuple[str | int, ...], Any] = getattr(document, "filled", {})
        self.filled: dict[tuple[str | int, ...], Any] = {}
        self.levels: list[Any] = list(document.data["memory_levels"])
        self.sources: dict[str, Any] = {
            key: value
            for key, value in mapping_or_empty(document.data.get("sources")).items()
            if self.filled_before.get(("sources", key)) is None
        }
        self.findings: list[Finding] = []
        self.records: list[Document] = []

    def fill_level(self, index: int, level: dict[str, Any]) -> None:
        path = ("memory_levels", index)
        record = self._record(level["dram"], (*path, "dram"))
        if record is None:
            return
        self._check_rate(record, level["dram"], (*path, "dram"))
        values = level_values(record, level["dram"], str(level.get("name")))
        full = dict(level)
        for key, value in values.items():
            if key == "background":
                given = mapping_or_empty(level.get(key))
                merged = {k: self._choose((*path, key, k), given.get(k), v) for k, v in value.items()}
                full[key] = {**given, **merged}
            else:
                full[key] = self._choose((*path, key), level.get(key), value)
        self.levels[index] = full
        key = source_key(record.name)
        self.sources[key] = self.filled["sources", key] = source_of(record)

    def _choose(self, path: tuple[str | int, ...], given: Any, value: Any) -> Any:
        """The written value, or the record's where none is written."""
        if given is None or given == self.filled_before.get(path):
            self.filled[path] = value
            return value
        return given

    def _record(self, use: Mapping[str, Any], path: tuple[str | int, ...]) -> DramSpec | None:
        name = use.get("type")
        if not isinstance(name, str) or not name:
            return read_dram(shipped_dram()[FALLBACK_TYPE])[0]  # validation reports the bad type
        home, _ = self.document.home((*path, "type"))
        file = dram_path(name, Path(home.file).parent)
        if file is None or not file.is_file():
            type_names = list(shipped_dram())
            message = f"DRAM type {name!r} not found" if file is None else f"file {str(file)!r} not found"
            self._report(Problem((*path, "type"), message, ", ".join(type_names), nearest(name.lower(), type_names)))
            return read_dram(shipped_dram()[FALLBACK_TYPE])[0]
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
        rate, max_rate = band_or_none(use.get("data_rate_mt_per_s")), record.max_data_rate_mt_per_s.high
        if rate is not None and rate.value > max_rate:
            message = f"{rate.value:g} MT/s is above the {max_rate:g} MT/s of {record.name}"
            where = (*path, "data_rate_mt_per_s", "value")
            self._report(Problem(where, message, f"at most {max_rate:g}", severity="warning"))

    def _report(self, problem: Problem) -> None:
        self.findings.append(locate(self.document, problem))

    def filled_document(self) -> LayeredDocument:
        """The filled document; messages about a filled value point at the ``dram:`` of its level."""
        document = self.document
        origin = origin_of(document)
        for path in self.filled:
            if path[0] == "memory_levels":
                home, place = document.home((*path[:2], "dram"))
                origin = plant(origin, path, Origin(home, place))
        data = {**document.data, "memory_levels": self.levels, "sources": self.sources}
        base_findings: tuple[Finding, ...] = getattr(document, "findings", ()) if not self.filled_before else ()
        parts = [*document.parts, *(record for record in self.records if record not in document.parts)]
        return LayeredDocument(
            document.file,
            document.text,
            data,
            document.value_positions,
            document.key_positions,
            origin,
            tuple(parts),
            (*base_findings, *self.findings),
            self.filled,
        )
