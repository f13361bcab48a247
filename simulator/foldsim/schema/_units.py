"""Recognise a key with the wrong unit suffix, and say what its value is in the unit foldsim wants.

This serves error messages only, and therefore knows spellings that foldsim itself never uses (`kb`, `gbps`, `mhz`).
Everything else converts through the named constants of `foldsim.units`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from foldsim.errors import nearest
from foldsim.schema._scalars import yaml_float
from foldsim.units import UNIT_SUFFIXES


@dataclass(frozen=True, slots=True)
class Meaning:
    """One meaning of a unit: how many base units it is, and a note where the spelling has several meanings."""

    factor: Fraction
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as a key may end in it. `dimension` names what it measures; equal dimensions can be converted."""

    spelling: str
    dimension: str
    meanings: tuple[Meaning, ...] = (Meaning(Fraction(1)),)


@dataclass(frozen=True, slots=True)
class UnitMistake:
    """A key that names the right thing in the wrong unit, or without its unit."""

    wanted: str  # the key foldsim knows
    message: str
    converted: str | None  # the value in the wanted unit, as YAML


_POWERS: Final = {"p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "g": 9, "t": 12}
_DECIMAL: Final = {"k": 3, "m": 6, "g": 9, "t": 12}


def _simple_units() -> dict[str, Unit]:
    units: dict[str, Unit] = {}

    def add(spellings: str, dimension: str, *meanings: Meaning) -> None:
        for spelling in spellings.split():
            units[spelling] = Unit(spelling, dimension, meanings or (Meaning(Fraction(1)),))

    def scaled(base: str, dimension: str, prefixes: str, powers: Mapping[str, int] = _POWERS) -> None:
        for prefix in prefixes:
            add(prefix + base, dimension, Meaning(Fraction(10) ** powers[prefix]))
        add(base, dimension)

    scaled("s", "time", "pnum")
    add("sec secs second seconds", "time")
    add("msec", "time", Meaning(Fraction(1, 1000)))
    add("usec", "time", Meaning(Fraction(1, 10**6)))
    add("min mins minutes", "time", Meaning(Fraction(60)))
    scaled("hz", "frequency", "kmgt", _DECIMAL)
    scaled("j", "energy", "pnum")
    add("fj", "energy", Meaning(Fraction(1, 10**15)))
    scaled("w", "power", "pnumk")
    scaled("v", "voltage", "um")
    add("byte bytes", "data")
    add("bit bits", "data", Meaning(Fraction(1, 8)))
    for power, prefix in enumerate("kmgt", start=1):
        binary, decimal = Fraction(1024) ** power, Fraction(1000) ** power
        add(
            f"{prefix}b {prefix}byte {prefix}bytes",
            "data",
            Meaning(binary, f"if 1 {prefix}b is {binary} bytes"),
            Meaning(decimal, f"if it is {decimal}"),
        )
        add(f"{prefix}ib", "data", Meaning(binary))
        add(f"{prefix}bit {prefix}bits", "data", Meaning(decimal / 8))
        add(
            f"{prefix}bps",
            "data per time",
            Meaning(decimal, f"if {prefix}bps is meant as bytes per second"),
            Meaning(decimal / 8, "if as bits per second"),
        )
        add(f"{prefix}bs", "data per time", Meaning(decimal))
        add(f"{prefix}macs", "macs", Meaning(decimal))
        add(f"{prefix}ops", "ops", Meaning(decimal))
    add("mac macs", "macs")
    add("op ops", "ops")
    add("mm2", "area", Meaning(Fraction(1, 10**6)))
    add("um2", "area", Meaning(Fraction(1, 10**12)))
    add("ratio fraction", "ratio")
    add("pct percent", "ratio", Meaning(Fraction(1, 100)))
    for counted in ("token", "frame", "cycle", "layer", "head", "sample", "symbol", "chunk", "param", "element"):
        add(f"{counted} {counted}s", counted)
    add("count", "count")
    return units


_SIMPLE: Final = _simple_units()


@lru_cache(maxsize=4096)
def parse_unit(spelling: str) -> Unit | None:
    """Return the unit that a suffix such as `mhz` or `pj_per_byte` spells, or None."""
    if (simple := _SIMPLE.get(spelling)) is not None:
        return simple
    head, per, tail = spelling.rpartition("per_")
    if per and (not head or head.endswith("_")) and (below := _SIMPLE.get(tail)) is not None:
        above = parse_unit(head.removesuffix("_")) if head else Unit("", "count")
        if above is not None:
            # In a rate or per unit of data, kb, mb and gb are decimal: that is how they are quoted.
            factor = above.meanings[-1].factor / below.meanings[-1].factor
            return Unit(spelling, f"{above.dimension} per {below.dimension}", (Meaning(factor),))
    return Unit(spelling, spelling) if spelling in UNIT_SUFFIXES else None


def split_unit(name: str) -> tuple[str, Unit | None]:
    """Split a key into its stem and its unit; the longest suffix that is a unit counts.

    >>> stem, unit = split_unit("read_pj_per_byte")
    >>> stem, unit.spelling
    ('read', 'pj_per_byte')
    """
    parts = name.lower().split("_")
    for start in range(max(1, len(parts) - 5), len(parts)):
        if (unit := parse_unit("_".join(parts[start:]))) is not None:
            return "_".join(parts[:start]), unit
    return name.lower(), None


def unit_words(name: str) -> str | None:
    """Return the unit that a key ends in, in words, or None."""
    _, unit = split_unit(name)
    return None if unit is None else UNIT_SUFFIXES.get(unit.spelling, unit.spelling.replace("_", " "))


def find_unit_mistake(key: str, value: Any, known: Iterable[str]) -> UnitMistake | None:
    """Return the known key that names the same thing as `key` in another unit, if there is one."""
    stem, unit = split_unit(key)
    if not stem or len(key) > 100:
        return None
    pairs = [(name, *split_unit(name)) for name in known]
    fits = [(name, wanted) for name, its_stem, wanted in pairs if its_stem == stem and (unit or wanted) and name != key]
    if not fits and unit is not None:  # a slip in the stem as well
        united = {its_stem: (name, wanted) for name, its_stem, wanted in pairs if wanted and wanted != unit}
        fits = [united[close]] if (close := nearest(stem, united, cutoff=0.85)) else []
    if not fits:
        return None
    fits.sort(key=lambda fit: (unit is None or fit[1] is None or fit[1].dimension != unit.dimension, fit[0]))
    name, wanted = fits[0]
    if wanted is None:
        return UnitMistake(name, f"this key carries no unit; it is `{name}`", None)
    words = UNIT_SUFFIXES.get(wanted.spelling, wanted.spelling.replace("_", " "))
    if unit is None:
        return UnitMistake(name, f"the unit belongs in the name; foldsim wants {words}: `{name}`", None)
    return UnitMistake(name, f"wrong unit; foldsim wants {words}: `{name}`", _converted(value, unit, wanted))


def convert_text(text: str, name: str) -> str | None:
    """Return a number that was written with its unit (`8 MB`) in the unit of the key it stands under, as YAML."""
    match = _WITH_UNIT.fullmatch(text.strip())
    _, wanted = split_unit(name)
    if match is None or wanted is None:
        return None
    spelled = match[2].replace("µ", "u").replace("μ", "u")
    if spelled[0] == "M" and spelled.lower() in _MILLI_IN_LOWER_CASE:
        return None
    spelling = spelled.lower().replace("/", "_per_").replace(" per ", "_per_")
    parts = ["bytes" if part == "b" else part for part in spelling.split("_")]
    unit = parse_unit("_".join(parts))
    return None if unit is None else _converted(float(match[1]), unit, wanted)


_WITH_UNIT: Final = re.compile(r"([-+]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})) ?([A-Za-zµμ][A-Za-z/ ]{0,20})")
_MILLI_IN_LOWER_CASE: Final = frozenset({"ms", "mj", "mw", "mv"})


def _converted(value: Any, unit: Unit, wanted: Unit) -> str | None:
    if unit.dimension != wanted.dimension:
        return None
    target = wanted.meanings[-1].factor
    scales = [(meaning.factor / target, meaning.note) for meaning in unit.meanings]
    first = _scaled(value, scales[0][0])
    if first is None:
        return None
    notes = [scales[0][1], *(f"{_scaled(value, scale)} {note}" for scale, note in scales[1:])]
    if len(scales) == 1 or _scaled(value, scales[1][0]) == first:
        return first
    return f"{first} ({'; '.join(notes)})"


def _scaled(value: Any, scale: Fraction) -> str | None:
    """Return a number, or the numbers of a record {value, low, high, ...}, times `scale`, as YAML."""
    if isinstance(value, dict):
        numbers = {key: _scaled(value.get(key), scale) for key in ("value", "low", "high")}
        if numbers["value"] is None:
            return None
        return "{" + ", ".join(f"{key}: {number}" for key, number in numbers.items() if number is not None) + ", ...}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    # Exact decimals, so that 1.5 us is 0.0015 ms and not 0.0015000000000000002.
    result = Fraction(repr(value)) * scale
    if result.denominator == 1 and abs(result) <= 10**15:
        return str(int(result))
    try:
        return yaml_float(float(result))
    except OverflowError:
        return None
