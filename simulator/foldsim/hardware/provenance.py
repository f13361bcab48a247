"""Checks derived values against their rule and inputs.

A value with a named rule is computed again from ``from:`` and the rule, and must agree to rounding in the last digit
written (at least two digits): the value to the nearest, the ends of the range in either direction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Final

from pydantic import BaseModel

from foldsim.data import UnknownNameError
from foldsim.errors import nearest
from foldsim.hardware.derivation import RULES, NamedRule, all_rules
from foldsim.hardware.memory.dram import dram_path, read_dram
from foldsim.hardware.numbers import children
from foldsim.hardware.technology import Band
from foldsim.schema import Document, InputError, Problem
from foldsim.schema.findings import Path
from foldsim.schema.quantity import Fact, Quantity, Rule, quantities
from foldsim.schema.validation import part_problems

LEAST_DIGITS: Final = 2
MOST_DIGITS: Final = 12
SUGGESTED_DIGITS: Final = 3
SAME: Final = RULES["ratio"].model_validate({"name": "ratio", "ratio": 1.0})
"""Rule of a single input without a named rule."""
Loader = Callable[[str, FilePath], BaseModel]


class NotFoundError(LookupError):
    """A reference to a value that does not exist."""

    def __init__(self, message: str, allowed: Iterable[str] = (), wanted: str = "") -> None:
        super().__init__(message)
        names = list(allowed)
        self.allowed = ", ".join(names) or None
        self.suggestion = nearest(wanted, names)


def derivation_problems(record: BaseModel, document: Document, load: Loader) -> Iterator[Problem]:
    """Check every named rule below a record.

    Parameters
    ----------
    record, document : a profile or a DRAM record, and its document.
    load : returns the record of another profile by name or file, relative to a folder.
    """
    for path, quantity in quantities(record):
        yield from _quantity_problems(record, path, quantity, document, load)


def _quantity_problems(
    record: BaseModel, path: Path, quantity: Quantity, document: Document, load: Loader
) -> list[Problem]:
    inputs, problems = _inputs(record, path, quantity, document, load)
    if isinstance(quantity.rule, Rule):
        rule, rule_problems = _rule(quantity.rule, document, path)
        problems += rule_problems
        if rule is None or problems:
            return problems
        name = quantity.rule.name
        return _input_problems(rule, name, inputs, path, quantity) or _disagreement(rule, name, inputs, path, quantity)
    if quantity.rule is None and len(inputs) > 1:
        message = "several values are listed, but no rule that combines them"
        problems.append(Problem((*path, "from"), message, ", ".join(all_rules()), at_key=True))
    elif quantity.rule is None and inputs and not problems:
        problems += _disagreement(SAME, "ratio (1 by default)", inputs, path, quantity)
    return problems


def _inputs(
    record: BaseModel, path: Path, quantity: Quantity, document: Document, load: Loader
) -> tuple[list[Band], list[Problem]]:
    """The values listed in ``from:``, and the references that lead to none."""
    bands: list[Band] = []
    problems: list[Problem] = []
    home, _ = document.home((*path, "from"))
    for index, item in enumerate(quantity.origin if isinstance(quantity.origin, list) else ()):
        if isinstance(item, Fact):
            ends = (item.value if end is None else end for end in (item.low, item.high))
            bands.append(Band(item.value, *ends))
            continue
        try:
            referenced = find_number(item, record, FilePath(home.file).parent, load)
            bands.append(Band(referenced.value, referenced.low, referenced.high))
        except NotFoundError as error:
            problems.append(Problem((*path, "from", index), str(error), error.allowed, error.suggestion))
    return bands, problems


def _rule(called: Rule, document: Document, path: Path) -> tuple[NamedRule | None, list[Problem]]:
    rules = all_rules()
    if called.name not in rules:
        message = f"rule {called.name!r} not found"
        return None, [Problem((*path, "rule", "name"), message, ", ".join(rules), nearest(called.name, rules))]
    return part_problems(document, (*path, "rule"), rules[called.name])


def _input_problems(
    rule: NamedRule, name: str, inputs: Sequence[Band], path: Path, quantity: Quantity
) -> list[Problem]:
    fewest, most = rule.inputs
    if len(inputs) < fewest or (most is not None and len(inputs) > most):
        allowed = f"{fewest}" if most == fewest else f"{fewest} or more" if most is None else f"{fewest} to {most}"
        actual = "text" if isinstance(quantity.origin, str) else f"{len(inputs)} values"
        message = f"the rule {name} takes {allowed} value{'s' * (allowed != '1')} from a list in `from`, not {actual}"
        return [Problem((*path, "rule"), message)]
    key = str(path[-1])
    if rule.units and not key.endswith(tuple("_" + unit for unit in rule.units)):
        message = f"the rule {name} gives a value in {' or '.join(rule.units)}, which {key!r} is not"
        return [Problem((*path, "rule"), message)]
    return []


def _disagreement(rule: NamedRule, name: str, inputs: Sequence[Band], path: Path, quantity: Quantity) -> list[Problem]:
    try:
        computed = rule.give(inputs)
    except (ArithmeticError, ValueError):
        computed = Band(math.nan, math.nan, math.nan)
    if not all(math.isfinite(x) for x in computed):
        return [Problem((*path, "rule"), f"the rule {name} gives no finite value for these inputs")]
    tolerances = {"value": 0.5, "low": 1.0, "high": 1.0}
    differing = [
        end for end, units in tolerances.items() if not agrees(getattr(quantity, end), getattr(computed, end), units)
    ]
    if not differing:
        return []
    ends = "; ".join(f"{end} {getattr(quantity, end):g} instead of {getattr(computed, end):.4g}" for end in differing)
    suggestion = ", ".join(f"{end}: {_rounded(getattr(computed, end)):g}" for end in tolerances)
    message = f"the value does not follow from its rule {name}: {ends}"
    return [Problem((*path, differing[0]), message, "the result of the rule, rounded", suggestion)]


def agrees(written: float, computed: float, units: float = 0.5) -> bool:
    """Whether two values agree to a tolerance in units of the last written digit of the first.

    >>> agrees(0.3, 0.304), agrees(0.30, 0.306), agrees(0.3, 0.306, units=1.0), agrees(42.1, 42.109)
    (True, False, True, True)
    """
    if written == 0 or computed == 0:
        return abs(written - computed) < 1e-12
    digits = max(LEAST_DIGITS, _digits(written))
    unit = 10.0 ** (math.floor(math.log10(abs(written))) - digits + 1)
    return abs(written - computed) <= units * unit * (1.0 + 1e-9)


def _digits(number: float) -> int:
    """Significant digits of a written number."""
    text = f"{abs(number):.{MOST_DIGITS - 1}e}".partition("e")[0].replace(".", "").rstrip("0")
    return len(text)


def _rounded(number: float) -> float:
    return float(f"{number:.{SUGGESTED_DIGITS - 1}e}")


def find_number(reference: str, record: BaseModel, folder: FilePath, load: Loader) -> Quantity:
    """The value that a reference of ``from:`` names.

    ``:path`` is a value of the record itself, ``PROFILE:path`` of another profile (a shipped name, or a file in the
    same folder), ``dram/TYPE:field`` of the record of a DRAM type.

    Raises
    ------
    NotFoundError
        If the value does not exist; lists the allowed names.
    """
    where, colon, path = reference.rpartition(":")
    if not colon:
        message = f"{reference!r} is not a reference; write PROFILE:path, or :path for a value of this file"
        raise NotFoundError(message)
    if not where:
        root: BaseModel = record
    elif where.startswith("dram/"):
        root = _dram(where.removeprefix("dram/"), folder)
    else:
        try:
            root = load(where, folder)
        except UnknownNameError as error:
            raise NotFoundError(f"profile {where!r} not found", error.known, where) from None
        except InputError:
            raise NotFoundError(f"the profile {where!r} is not valid") from None
    return quantity_at(root, path)


def _dram(name: str, folder: FilePath) -> BaseModel:
    file = dram_path(name, folder)
    if file is None or not file.is_file():
        raise NotFoundError(f"DRAM type {name!r} not found")
    record = read_dram(file)[0]
    if record is None:
        raise NotFoundError(f"the DRAM record {name!r} is not valid")
    return record


def quantity_at(record: BaseModel, path: str) -> Quantity:
    """The value at a path such as ``memory_levels.dram.read_pj_per_byte``; list items by name or index.

    Raises
    ------
    NotFoundError
        If the value does not exist; lists the allowed names.
    """
    node: object = record
    where = "the top level"
    for key in path.split("."):
        nested = _nested(node)
        if key not in nested:
            raise NotFoundError(f"{key!r} not found in {where}", nested, key)
        node, where = nested[key], key
    if not isinstance(node, Quantity):
        raise NotFoundError(f"{path!r} is not a value with a range", _nested(node))
    return node


def _nested(node: object) -> dict[str, object]:
    """Records, mappings and lists directly below a node, by name."""
    return {name: child for name, _, child in children(node) if isinstance(child, (BaseModel, dict, list))}
