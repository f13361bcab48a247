"""What the tests of foldsim.schema share: both parsers, and models that use everything validation has words for."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal, Union

import pytest
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, RootModel, model_validator
from pydantic_core import PydanticCustomError

from foldsim.schema import reader

LOADERS = [pytest.param(yaml.SafeLoader, id="python")]
if hasattr(yaml, "CSafeLoader"):
    LOADERS.append(pytest.param(yaml.CSafeLoader, id="libyaml"))


@pytest.fixture(params=LOADERS)
def loader(request, monkeypatch):
    """Run a test with PyYAML's own parser and with libyaml."""
    monkeypatch.setattr(reader, "_LOADER", request.param)
    return request.param


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Number(Strict):
    value: float
    low: float
    high: float
    source: str
    origin: str | None = Field(default=None, alias="from")

    @model_validator(mode="after")
    def _ordered(self) -> Number:
        if not self.low <= self.value <= self.high:
            raise PydanticCustomError("range_order", "the range {low} to {high} is out of order", dict(self))
        return self


def _not_negative(number: Number) -> Number:
    if number.low < 0:
        raise ValueError("must not be negative")
    return number


Quantity = Annotated[Number, AfterValidator(_not_negative)]


class Attention(Strict):
    kind: Literal["attention"]
    heads: int = Field(ge=1, le=64, description="Heads side by side.")
    chunk: float | None = None


class Conv(Strict):
    kind: Literal["conv", "convolution"]
    width: int


Layer = Annotated[Union[Attention, Conv], Field(discriminator="kind")]  # noqa: UP007


class Level(Strict):
    name: str = Field(min_length=1, max_length=8)
    capacity_bytes: int = Field(gt=0, description="Usable size.")
    clock_hz: float | None = Field(default=None, gt=0, lt=1e12)
    bandwidth_gb_per_s: float = 1.0
    latency_ms: float = 0.0
    read_pj_per_byte: Quantity | None = None
    on_chip: bool = True


class Grade(Enum):
    GOOD = "good"
    BAD = "bad"


class Names(RootModel[list[str]]):
    pass


class Chip(Strict):
    name: str = Field(pattern="^[a-z]+$")
    memory: list[Level] = Field(default=[], max_length=3)
    layers: tuple[Layer, ...] = ()
    extra_layer: Layer | None = None
    by_name: dict[str, Layer] = {}
    rates: dict[Literal["int4", "int8"], float] = {}
    policy: Literal["race-to-idle", "slowest-real-time"] = "race-to-idle"
    bits: Literal[4, 8] = 8
    grade: Grade = Grade.GOOD
    fold: Literal["auto"] | Annotated[int, Field(gt=0)] = "auto"
    which: str | list[int] = "all"
    power: float | Number = 1.0
    pair: tuple[int, float] = (1, 1.0)
    steps: Annotated[int, Field(multiple_of=8)] = 8
    names: Names = Names([])
    finite: FiniteFloat = 1.0
    truth: bool = True


@pytest.fixture(scope="session")
def chip_model():
    """The model that most documents of these tests are checked against."""
    return Chip


@pytest.fixture(scope="session")
def level_model():
    """One memory level of `chip_model`."""
    return Level
