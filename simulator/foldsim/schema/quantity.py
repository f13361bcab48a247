"""Numbers with a range and a source, and the strict base of every record: shared by workloads and profiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from foldsim.errors import nearest
from foldsim.schema.findings import Finding, InputError, Problem, position_order
from foldsim.schema.reader import Document
from foldsim.schema.validation import collect_findings, locate

MAX_MAGNITUDE = 1.0e18  # keeps every product of quantities finite
RecordT = TypeVar("RecordT", bound=BaseModel)

SourceKind = Literal["measured", "datasheet", "paper", "derived", "assumption"]


class Record(BaseModel):
    """Base of every record: unknown keys are errors, nothing is coerced, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Source(Record):
    """Where numbers come from. A file names its sources once and every number points at one."""

    title: str = Field(min_length=1, description="Title, with authors or publisher.")
    kind: SourceKind = Field(description="How the number is known: measured, datasheet, paper, derived or assumption.")
    url: str | None = Field(default=None, description="URL or repository@commit:path where it can be read.")
    doi: str | None = Field(default=None, description="DOI, if it has one.")
    page: str | None = Field(default=None, description="Page, table or figure.")
    note: str | None = Field(default=None, description="What a reader should know before trusting it.")


class Fact(Record):
    """A number read in a source, from which another one is derived."""

    what: str = Field(min_length=1, description="What the number is, with its unit.")
    value: float = Field(description="The number.")
    low: float | None = Field(default=None, description="Lowest plausible value; the value itself if left out.")
    high: float | None = Field(default=None, description="Highest plausible value; the value itself if left out.")
    source: str = Field(min_length=1, description="Key into the file's sources.")


class Rule(Record):
    """A rule of derivation by name, with its parameters beside it; `foldsim profile rules` lists them all."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str = Field(min_length=1, description="Name of the rule.")


class Quantity(Record):
    """A number with its range and its source; the unit is the suffix of the key that holds it."""

    value: float = Field(description="Nominal value.")
    low: float = Field(description="Lowest plausible value.")
    high: float = Field(description="Highest plausible value.")
    source: str = Field(min_length=1, description="Key into the file's sources.")
    note: str | None = Field(default=None, description="Anything a reader should know about this number.")
    origin: str | list[str | Fact] | None = Field(
        default=None,
        alias="from",
        description="What this number was derived from: in words, or a list of references (PROFILE:path, :path in this"
        " profile, dram/TYPE:field) and numbers from sources, which a named rule takes in this order.",
    )
    rule: str | Rule | None = Field(
        default=None,
        description="How it was derived: in words, or a named rule, which foldsim profile validate computes again.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Quantity:
        if not all(math.isfinite(number) for number in (self.value, self.low, self.high)):
            raise PydanticCustomError("non_finite", "value, low and high must be finite numbers")
        if max(abs(self.low), abs(self.high)) > MAX_MAGNITUDE:
            raise PydanticCustomError(
                "too_large", "numbers beyond {most} are not physical", {"most": f"{MAX_MAGNITUDE:g}"}
            )
        if not self.low <= self.value <= self.high:
            raise PydanticCustomError(
                "range_order",
                "the range is out of order: low {low} <= value {value} <= high {high} does not hold",
                {"low": self.low, "value": self.value, "high": self.high},
            )
        return self


def _bounded(least: float, most: float, *, least_open: bool = False) -> AfterValidator:
    def check(quantity: Quantity) -> Quantity:
        too_low = quantity.low <= least if least_open else quantity.low < least
        if too_low or quantity.high > most:
            left = "more than" if least_open else "at least"
            right = "" if math.isinf(most) else f" and at most {most:g}"
            raise PydanticCustomError(
                "out_of_range",
                "the range {low} to {high} is not allowed here; it must be {bounds}",
                {"low": quantity.low, "high": quantity.high, "bounds": f"{left} {least:g}{right}"},
            )
        return quantity

    return AfterValidator(check)


def _whole(quantity: Quantity) -> Quantity:
    if quantity.value != int(quantity.value):
        raise PydanticCustomError("not_whole", "a count must be a whole number, not {value}", {"value": quantity.value})
    return quantity


Positive = Annotated[Quantity, _bounded(0.0, math.inf, least_open=True)]
NonNegative = Annotated[Quantity, _bounded(0.0, math.inf)]
Share = Annotated[Quantity, _bounded(0.0, 1.0)]
PositiveShare = Annotated[Quantity, _bounded(0.0, 1.0, least_open=True)]
Count = Annotated[Quantity, _bounded(1.0, math.inf), AfterValidator(_whole)]


def quantities(record: BaseModel, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Quantity]]:
    """Yield every :class:`Quantity` below a record with its path, in document order."""

    def walk(value: Any, where: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Quantity]]:
        if isinstance(value, Quantity):
            yield where, value
        elif isinstance(value, BaseModel):
            yield from quantities(value, where)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from walk(item, (*where, index))
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from walk(item, (*where, key))

    for name in type(record).model_fields:
        yield from walk(getattr(record, name), (*path, name))


def sources_of(quantity: Quantity) -> set[str]:
    """Keys of the sources that a number names, those of the facts it is derived from too."""
    facts = quantity.origin if isinstance(quantity.origin, list) else ()
    return {quantity.source, *(fact.source for fact in facts if isinstance(fact, Fact))}


def used_sources(record: BaseModel) -> set[str]:
    """Keys of all sources that the numbers below a record name."""
    return {key for _, quantity in quantities(record) for key in sources_of(quantity)}


def dangling_sources(data: Any) -> Iterator[Problem]:
    """Yield every ``source:`` of a raw document that names no entry of its ``sources:``.

    Works on plain data so that it is told together with what else is wrong with the file.
    """
    known = data.get("sources") if isinstance(data, dict) else None
    if not isinstance(known, dict):
        return
    names = [str(name) for name in known]
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while pending:
        path, node = pending.pop()
        if isinstance(node, list):
            pending += [((*path, index), item) for index, item in enumerate(node)]
        elif isinstance(node, dict):
            pending += [((*path, key), item) for key, item in node.items()]
            source = node.get("source")
            if "value" in node and isinstance(source, str) and source not in known:
                message = f"source {source!r} not found"
                yield Problem((*path, "source"), message, ", ".join(names), nearest(source, names))


def collect_sourced_findings(
    document: Document, model: type[RecordT], checks: Sequence[Callable[[RecordT], Iterable[Problem]]]
) -> tuple[RecordT | None, list[Finding]]:
    """As ``collect_findings``, with dangling sources told whether or not the model accepts the document."""
    record, findings = collect_findings(document, model, checks)
    dangling = [locate(document, problem) for problem in dangling_sources(document.data)]
    return (None if dangling else record), sorted([*findings, *dangling], key=position_order)


def validate_sourced(
    document: Document, model: type[RecordT], checks: Sequence[Callable[[RecordT], Iterable[Problem]]]
) -> RecordT:
    """The record of a document without errors; raises ``InputError`` with every finding otherwise."""
    record, findings = collect_sourced_findings(document, model, checks)
    if record is None:
        raise InputError(tuple(findings))
    return record
