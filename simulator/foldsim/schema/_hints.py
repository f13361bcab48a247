"""Guesses at what a writer meant: a near name, a number without its unit, quotes that are missing or too many."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from foldsim.schema._scalars import Refusal, resolve_plain
from foldsim.schema._units import convert_text
from foldsim.schema._walk import Slot, keys_of
from foldsim.schema._wording import spell
from foldsim.schema.findings import Path

_SURE_RATIO = 0.8
_PLAIN_TOKEN = re.compile(r"[^\s,\[\]{}#]+")
_TRUTH = {
    "1": "true",
    "yes": "true",
    "on": "true",
    "true": "true",
    "0": "false",
    "no": "false",
    "off": "false",
    "false": "false",
}


@dataclass(frozen=True, slots=True)
class Close:
    """A known name near to a given one; `sure` if it can hardly be a coincidence."""

    name: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Guess:
    """What a value was meant to be, as YAML, and a remark for the message."""

    suggestion: str | None = None
    note: str | None = None


def close_name(name: str, known: Iterable[str]) -> Close | None:
    """Return the known name that `name` is probably a slip of, or None."""
    return _close_name(name[:100], tuple(known))


def close_value(value: Any, allowed: Sequence[Any]) -> str | None:
    """Return the allowed value that a wrong one is probably a slip of, as YAML, or None."""
    if not isinstance(value, str):
        return None
    close = close_name(value, [item for item in allowed if isinstance(item, str)])
    return close.name if close is not None else None


@lru_cache(maxsize=4096)
def _close_name(name: str, known: tuple[str, ...]) -> Close | None:
    folded = _fold(name)
    for candidate in known:
        if _fold(candidate) == folded:
            return Close(candidate, sure=True)
    by_folded = {_fold(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(folded, list(by_folded), n=1, cutoff=0.6)
    if not close:
        return None
    ratio = difflib.SequenceMatcher(None, close[0], folded).ratio()
    return Close(by_folded[close[0]], sure=ratio >= _SURE_RATIO)


def _fold(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def guess_value(slot: Slot | None, value: Any, path: Path, source_at: Callable[[Path], str | None]) -> Guess:
    """Guess what a value of the wrong type was meant to be. `source_at` gives the text that stands at a path."""
    if slot is None:
        return Guess()
    wanted = slot.members()
    types = {member.origin for member in wanted}
    literals = [value for member in wanted for value in member.literals]
    if (close := close_value(value, literals)) is not None:
        return Guess(close)
    if types & {int, float} and isinstance(value, str):
        return _guess_number(value, path)
    if int in types and isinstance(value, float) and value.is_integer():
        return Guess(str(int(value)))
    if bool in types and isinstance(value, (str, int)) and not isinstance(value, bool):
        return Guess(_TRUTH.get(str(value).lower()))
    text_wanted = str in types or any(isinstance(literal, str) for literal in literals)
    if text_wanted and isinstance(value, (bool, int, float)):
        quoted = _source_token(value, source_at(path)) or spell(value)
        return Guess(f'"{quoted}"' if not literals or quoted in literals else None)
    items = [item for member in wanted if (item := member.item()) is not None]
    if items and isinstance(value, (str, int, float)):
        return _guess_list(items[0], value)
    models = [member.model for member in wanted if member.model is not None]
    if models and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        record = _guess_record(keys_of(models[0]), value, path)
        if record is not None:
            return record
    if (models or dict in types) and isinstance(value, str) and re.search(r"\w:\S", value) and "://" not in value:
        return Guess(note="a space must follow a colon")
    return Guess()


def _guess_number(text: str, path: Path) -> Guess:
    keys = [part for part in path if isinstance(part, str)]
    stripped = text.strip()
    plain = resolve_plain(stripped)
    if isinstance(plain, Refusal):
        return Guess(plain.suggestion.split(" or ")[0] if plain.suggestion else None)
    if isinstance(plain, (int, float)) and not isinstance(plain, bool):
        return Guess(stripped, "without quotes it is one")
    for key in reversed(keys[-2:]):
        if (converted := convert_text(text, key)) is not None:
            return Guess(converted, "the unit belongs to the key")
    if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", stripped):
        return Guess(stripped.replace(",", ""))
    if re.match(r"[-+]?[0-9][0-9.]*#", stripped):
        return Guess(stripped.split("#")[0], "a space must stand before the `#` of a comment")
    return Guess()


def _guess_list(item: Slot, value: str | float) -> Guess:
    """A single item where a list of such items is wanted, or items without their brackets."""
    if isinstance(value, str) and (len(value) > 60 or not re.fullmatch(r"[\w.+-]+(, *[\w.+-]+)*", value)):
        return Guess()
    wanted = {type(literal) for literal in item.literals} or {item.origin}
    numbers = wanted & {int, float} and (not isinstance(value, str) or re.fullmatch(r"[\d.+, -]+", value))
    return Guess(f"[{spell(value)}]" if numbers or (str in wanted and isinstance(value, str)) else None)


def _guess_record(fields: dict[str, Any], value: float | str, path: Path) -> Guess | None:
    """A bare number where a record with its `value` is wanted."""
    required = [key for key, field in fields.items() if field.is_required()]
    if "value" not in required:
        return None
    if isinstance(value, str):
        guess = _guess_number(value, path)
        if guess.suggestion is None:
            return None
        number, _, doubt = guess.suggestion.partition(" (")
    else:
        number, doubt = spell(value), ""
    parts = [f"{key}: {number if key == 'value' else '...'}" for key in required]
    note = "it must say its range and its source" if {"low", "high", "source"} <= set(required) else None
    return Guess("{" + ", ".join(parts) + "}" + (f" ({doubt}" if doubt else ""), note)


def _source_token(value: Any, source: str | None) -> str | None:
    """Return how a number or truth value is spelled in the file (1.10 is the number 1.1), if it can be found."""
    match = _PLAIN_TOKEN.match(source or "")
    if match is None:
        return None
    plain = resolve_plain(match[0])
    return match[0] if type(plain) is type(value) and plain == value else None
