"""Check that derived numbers follow from what they say they were derived from.

A number with a named rule is computed again from ``from:`` and the rule, and must agree but for rounding, in the last
digit that is written, of two digits at least: the value to the nearest, the ends of the range in either direction.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from foldsim.data import UnknownNameError
from foldsim.hardware.derivation import RULES, NamedRule
from foldsim.hardware.memory.dram import dram_path, read_dram
from foldsim.hardware.technology import Band
from foldsim.schema import Document, InputError, Problem
from foldsim.schema.quantity import Fact, Quantity, Rule, quantities
from foldsim.schema.validation import part_problems

LEAST_DIGITS: Final = 2
MOST_DIGITS: Final = 12
SUGGESTED_DIGITS: Final = 3
SAME: Final = RULES["ratio"].model_validate({"name": "ratio", "ratio": 1.0})
"""What a single number without a rule is taken by."""
Loader = Callable[[str, Path], BaseModel]
Path_ = tuple[str | int, ...]


class NotFoundError(LookupError):
    """A reference that leads to no number."""

    def __init__(self, message: str, known: Sequence[str] = (), wanted: str = "") -> None:
        super().__init__(message)
        self.known = ", ".join(known) or None
        close = difflib.get_close_matches(wanted, known, n=1)
        self.suggestion = close[0] if close else None


def derivation_problems(record: BaseModel, document: Document, load: Loader) -> Iterator[Problem]:
    """Check every named rule below a record.

    Parameters
    ----------
    record, document : a profile or a DRAM record, and where it was written.
    load : gives the record of another profile by name or file, relative to a folder.
    """
    for path, quantity in quantities(record):
        yield from _one(record, path, quantity, document, load)


def _one(record: BaseModel, path: Path_, quantity: Quantity, document: Document, load: Loader) -> Iterable[Problem]:
    origin, called = quantity.origin, quantity.rule
    numbers: list[Band] = []
    problems: list[Problem] = []
    home, _ = document.home((*path, "from"))
    for number, item in enumerate(origin if isinstance(origin, list) else ()):
        if isinstance(item, Fact):
            ends = (item.value if end is None else end for end in (item.low, item.high))
            numbers.append(Band(item.value, *ends))
            continue
        try:
            found = find_number(item, record, Path(home.file).parent, load)
            numbers.append(Band(found.value, found.low, found.high))
        except NotFoundError as error:
            problems.append(Problem((*path, "from", number), str(error), error.known, error.suggestion))
    if not isinstance(called, Rule):
        if called is None and len(numbers) > 1:
            message = "several numbers are given, but no rule that makes one of them"
            problems.append(Problem((*path, "from"), message, ", ".join(RULES), at_key=True))
        elif called is None and numbers and not problems:
            problems += _disagreement(SAME, "of being the same", numbers, path, quantity)
        return problems
    rule, wrong = _rule(called, document, path)
    problems += wrong
    if rule is None or problems:
        return problems
    problems += _input_problems(rule, called.name, numbers, path, quantity)
    return problems or _disagreement(rule, called.name, numbers, path, quantity)


def _rule(called: Rule, document: Document, path: Path_) -> tuple[NamedRule | None, list[Problem]]:
    known = RULES.get(called.name)
    if known is None:
        close = difflib.get_close_matches(called.name, list(RULES), n=1)
        message = f"no rule is called {called.name!r}"
        return None, [Problem((*path, "rule", "name"), message, ", ".join(RULES), close[0] if close else None)]
    return part_problems(document, (*path, "rule"), known)


def _input_problems(
    rule: NamedRule, name: str, numbers: Sequence[Band], path: Path_, quantity: Quantity
) -> list[Problem]:
    fewest, most = rule.inputs
    if len(numbers) < fewest or (most is not None and len(numbers) > most):
        wanted = f"{fewest}" if most == fewest else f"{fewest} or more" if most is None else f"{fewest} to {most}"
        told = "words" if isinstance(quantity.origin, str) else f"{len(numbers)} numbers"
        message = f"the rule {name} takes {wanted} number{'s' * (wanted != '1')} from a list in `from`, not {told}"
        return [Problem((*path, "rule"), message)]
    key = str(path[-1])
    if rule.units and not key.endswith(tuple("_" + unit for unit in rule.units)):
        message = f"the rule {name} gives a number in {' or '.join(rule.units)}, which {key!r} is not"
        return [Problem((*path, "rule"), message)]
    return []


def _disagreement(
    rule: NamedRule, name: str, numbers: Sequence[Band], path: Path_, quantity: Quantity
) -> Iterable[Problem]:
    try:
        given = rule.give(numbers)
    except (ArithmeticError, ValueError):
        given = Band(math.nan, math.nan, math.nan)
    if not all(math.isfinite(x) for x in given):
        return [Problem((*path, "rule"), f"the rule {name} gives no number for these")]
    units = {"value": 0.5, "low": 1.0, "high": 1.0}
    wrong = [end for end, off in units.items() if not agrees(getattr(quantity, end), getattr(given, end), off)]
    if not wrong:
        return []
    told = "; ".join(f"{end} {getattr(quantity, end):g} instead of {getattr(given, end):.4g}" for end in wrong)
    suggestion = ", ".join(f"{end}: {_rounded(getattr(given, end)):g}" for end in ("value", "low", "high"))
    message = f"the number does not follow from its rule {name}: {told}"
    return [Problem((*path, wrong[0]), message, "what the rule gives, rounded", suggestion)]


def agrees(written: float, computed: float, units: float = 0.5) -> bool:
    """Whether a number is another one but for so many units of the last digit that it is written with.

    >>> agrees(0.3, 0.304), agrees(0.30, 0.306), agrees(0.3, 0.306, units=1.0), agrees(42.1, 42.109)
    (True, False, True, True)
    """
    if written == 0 or computed == 0:
        return abs(written - computed) < 1e-12
    digits = max(LEAST_DIGITS, _digits(written))
    unit = 10.0 ** (math.floor(math.log10(abs(written))) - digits + 1)
    return abs(written - computed) <= units * unit * (1.0 + 1e-9)


def _digits(number: float) -> int:
    """Significant digits that a number is written with."""
    text = f"{abs(number):.{MOST_DIGITS - 1}e}".partition("e")[0].replace(".", "").rstrip("0")
    return len(text)


def _rounded(number: float) -> float:
    return float(f"{number:.{SUGGESTED_DIGITS - 1}e}")


def find_number(reference: str, record: BaseModel, folder: Path, load: Loader) -> Quantity:
    """The number that a reference of ``from:`` leads to.

    ``:path`` leads into the record itself, ``PROFILE:path`` into another profile (a shipped name, or a file beside this
    one), ``dram/TYPE:field`` into the record of a DRAM type.

    Raises
    ------
    NotFoundError
        If there is no such number; says what there is.
    """
    where, colon, path = reference.rpartition(":")
    if not colon:
        raise NotFoundError(f"{reference!r} is no reference; write PROFILE:path, or :path for a number of this file")
    if not where:
        root: BaseModel = record
    elif where.startswith("dram/"):
        root = _dram(where.removeprefix("dram/"), folder)
    else:
        try:
            root = load(where, folder)
        except UnknownNameError as error:
            raise NotFoundError(f"no profile is called {where!r}", error.known, where) from None
        except InputError:
            raise NotFoundError(f"the profile {where!r} cannot be used") from None
    return quantity_at(root, path)


def _dram(name: str, folder: Path) -> BaseModel:
    file = dram_path(name, folder)
    if file is None or not file.is_file():
        raise NotFoundError(f"no DRAM type is called {name!r}")
    record = read_dram(file)[0]
    if record is None:
        raise NotFoundError(f"the DRAM record {name!r} cannot be used")
    return record


def quantity_at(record: BaseModel, path: str) -> Quantity:
    """The number at a path such as ``memory_levels.dram.read_pj_per_byte``; list items by name or index.

    Raises
    ------
    NotFoundError
        If there is no such number; says what there is.
    """
    node: Any = record
    where = "the top level"
    for key in path.split("."):
        children = _children(node)
        if key not in children:
            raise NotFoundError(f"there is no {key!r} in {where}", list(children), key)
        node, where = children[key], key
    if not isinstance(node, Quantity):
        raise NotFoundError(f"{path!r} is no number with a range", list(_children(node)))
    return node


def _children(node: Any) -> dict[str, Any]:
    """What is below a node, by the names that paths use."""
    if isinstance(node, Quantity):
        return {}
    if isinstance(node, BaseModel):
        every = {name: getattr(node, name) for name in type(node).model_fields}
    elif isinstance(node, dict):
        every = node
    elif isinstance(node, list):
        every = {str(getattr(item, "name", index)): item for index, item in enumerate(node)}
    else:
        every = {}
    return {str(key): value for key, value in every.items() if isinstance(value, (BaseModel, dict, list))}
