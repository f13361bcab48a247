"""Pydantic's errors in plain language: what was found, what is allowed, what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from foldsim.schema._hints import close_name, close_value, guess_value
from foldsim.schema._units import find_unit_mistake
from foldsim.schema._walk import Branch, Slot, Spot, follow, keys_of, models_below, value_at
from foldsim.schema._wording import (
    count,
    describe,
    describe_key,
    found,
    inside,
    kind,
    names,
    one_of,
    shorten,
    spell_limit,
    subject,
)
from foldsim.schema.findings import Path, Problem, format_path

SourceAt = Callable[[Path], str | None]
"""Returns the source text that begins at a value, to the end of its line."""

# fmt: off
_MISMATCHES: Final = frozenset((
    "bool_type", "bool_parsing", "bytes_type", "dataclass_type", "dict_type", "float_type", "float_parsing",
    "frozen_set_type", "int_type", "int_parsing", "int_from_float", "int_parsing_size", "is_instance_of",
    "iterable_type", "list_type", "mapping_type", "model_type", "model_attributes_type", "none_required",
    "set_type", "string_type", "string_sub_type", "tuple_type",
))
# fmt: on
_LIMITS: Final = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
    "multiple_of": ("multiple_of", "a multiple of"),
}
_LENGTHS: Final = {
    "too_short": ("min_length", "at least"),
    "too_long": ("max_length", "at most"),
    "string_too_short": ("min_length", "at least"),
    "string_too_long": ("max_length", "at most"),
}
_AUTHORED: Final = {"value_error": "Value error, ", "assertion_error": "Assertion failed, "}


@dataclass(frozen=True, slots=True)
class _Item:
    error: ErrorDetails
    spot: Spot


def explain_errors(
    model: type[BaseModel], data: Any, errors: Sequence[ErrorDetails], source_at: SourceAt
) -> list[Problem]:
    """Translate the errors of one validation; several errors about one mistake become one problem."""
    items = [_Item(error, follow(model, data, error["loc"])) for error in errors]
    explainer = _Explainer(data, source_at)
    explainer.explain(items, 0)
    return explainer.problems()


class _Explainer:
    def __init__(self, data: Any, source_at: SourceAt) -> None:
        self.data = data
        self.source_at = source_at
        self.found: list[Problem] = []
        self.missing: list[tuple[Path, Problem]] = []
        self.meant: set[Path] = set()  # keys that an unknown key surely stands for

    def problems(self) -> list[Problem]:
        """Everything explained so far. A missing key is left out where an unknown key surely stands for it."""
        kept = [problem for path, problem in self.missing if path not in self.meant]
        return list(dict.fromkeys(self.found + kept))

    def explain(self, items: Sequence[_Item], depth: int) -> None:
        """Explain errors; at each union they pass (from the `depth`-th) only those of the member that was meant."""
        unions: dict[tuple[Path, int], list[_Item]] = {}
        for item in items:
            if len(item.spot.branches) > depth:
                unions.setdefault((item.spot.branches[depth].path, depth), []).append(item)
            else:
                self._explain_one(item)
        for group in unions.values():
            self._explain_union(group, depth)

    def _explain_union(self, items: Sequence[_Item], depth: int) -> None:
        branch = items[0].spot.branches[depth]
        labels: dict[str, list[_Item]] = {}
        for item in items:
            labels.setdefault(item.spot.branches[depth].label, []).append(item)
        fitting = [group for group in labels.values() if not all(self._rejects_type(item, branch) for item in group)]
        if fitting:
            self.explain(min(fitting, key=len), depth + 1)
        else:
            self._mismatch(branch.path, branch.slot)

    def _rejects_type(self, item: _Item, branch: Branch) -> bool:
        """Whether the error says that the union's value is of another type altogether."""
        if item.spot.path != branch.path or item.spot.at_key:
            return False
        return item.error["type"] in _MISMATCHES or item.error["type"] in ("literal_error", "enum")

    def _explain_one(self, item: _Item) -> None:
        error, spot = item.error, item.spot
        what, path, slot = error["type"], spot.path, spot.slot
        value = value_at(self.data, path)
        if what == "missing":
            self._missing(spot)
        elif what in ("extra_forbidden", "unexpected_keyword_argument"):
            self._unknown(spot, value)
        elif spot.at_key:
            self._bad_key(error, spot)
        elif what in ("union_tag_invalid", "union_tag_not_found"):
            self._tag(spot, value)
        elif what in _MISMATCHES or what in ("literal_error", "enum"):
            self._mismatch(path, slot)
        elif what in _LIMITS:
            name, words = _LIMITS[what]
            limit = spell_limit(error.get("ctx", {}).get(name))
            self._add(path, f"{subject(path)} must be {words} {limit}; found {found(value)}", slot)
        elif what in _LENGTHS:
            name, words = _LENGTHS[what]
            thing = "character" if what.startswith("string") else "entry"
            length = count(error.get("ctx", {}).get(name, 0), thing)
            self._add(path, f"{subject(path)} must have {words} {length}; found {found(value)}", slot)
        elif what == "finite_number":
            self._add(path, f"{subject(path)} must be a finite number; found {found(value)}", slot)
        elif what == "string_pattern_mismatch":
            self._add(path, f"{subject(path)} does not have the form that is wanted; found {found(value)}", slot)
        else:
            self._authored(error, path)

    def _add(self, path: Path, message: str, slot: Slot | None, suggestion: str | None = None) -> None:
        self.found.append(Problem(path, message, _describe(path, slot), suggestion))

    # ---- keys ------------------------------------------------------------------------------------------------

    def _missing(self, spot: Spot) -> None:
        *parent, key = spot.path
        owner_path = tuple(parent)
        if isinstance(key, int) or not spot.owners:
            problem = Problem(owner_path, f"{subject(owner_path)} lacks item {key}", describe(spot.slot))
        else:
            field = keys_of(spot.owners[-1][1]).get(key)
            about = f": {field.description.rstrip('.')}" if field is not None and field.description else ""
            problem = Problem(
                spot.path,
                f"the key `{key}` is missing{inside(owner_path)}{about}",
                None if spot.slot is None else describe_key(key, spot.slot),
            )
        self.missing.append((spot.path, problem))

    def _unknown(self, spot: Spot, value: Any) -> None:
        *parent, last = spot.path
        owner_path, key = tuple(parent), str(last)
        known = list(keys_of(spot.owners[-1][1])) if spot.owners else []
        given = value_at(self.data, owner_path)
        free = [name for name in known if not isinstance(given, dict) or name not in given]
        message, suggestion = f"unknown key `{shorten(key)}`{inside(owner_path)}", None
        if (head := key.partition(":")[0]) in known and head != key:
            message += "; a space must follow the colon"
            suggestion = f"{head}: {shorten(key.partition(':')[2])}"
            self.meant.add((*owner_path, head))
        elif (mistake := find_unit_mistake(key, value, known)) is not None:
            message += f": {mistake.message}"
            suggestion = mistake.wanted + (f": {mistake.converted}" if mistake.converted else "")
            self.meant.add((*owner_path, mistake.wanted))
            if mistake.wanted not in free:
                message += ", which is there as well"
        elif (close := close_name(key, free)) is not None:
            suggestion = close.name
            if close.sure:
                self.meant.add((*owner_path, close.name))
        elif (home := self._home_of(key, spot)) is not None:
            message += f"; {home}, so check the indentation"
        elif (close := close_name(key, known)) is not None:
            suggestion = f"{close.name}, which is there as well"
        self.found.append(Problem(spot.path, message, names(known) or None, suggestion, at_key=True))

    def _home_of(self, key: str, spot: Spot) -> str | None:
        """Say where an unknown key would be known: in an enclosing mapping, or in one further in."""
        for path, model in reversed(spot.owners[:-1]):
            if key in keys_of(model):
                return f"it belongs to {f'`{format_path(path)}`' if path else 'the top of the document'}"
        for _, model in spot.owners[-1:]:
            for holder, inner in models_below(model):
                if key in keys_of(inner):
                    return f"it belongs inside `{holder}`"
        return None

    def _bad_key(self, error: ErrorDetails, spot: Spot) -> None:
        key = spot.path[-1] if spot.path else ""
        literals = spot.slot.literals if spot.slot is not None else ()
        if literals:
            message = f"unknown key `{shorten(str(key))}`{inside(spot.path[:-1])}"
            self.found.append(Problem(spot.path, message, one_of(literals), close_value(key, literals), at_key=True))
        else:
            text = f"the key `{shorten(str(key))}` is not allowed here: {_plain(error['msg'])}"
            self.found.append(Problem(spot.path, text, describe(spot.slot), at_key=True))

    def _tag(self, spot: Spot, value: Any) -> None:
        """The key that says which kind of mapping this is has an unknown value, or is missing."""
        slot = spot.slot
        name = slot.discriminator if slot is not None else None
        if slot is None or not isinstance(name, str):
            self._add(spot.path, f"{subject(spot.path)} is of no known kind", slot)
            return
        tags = slot.tags()
        path = (*spot.path, name)
        if not isinstance(value, dict) or name not in value:
            message = f"the key `{name}` is missing{inside(spot.path)}; it says what kind of mapping this is"
            key = close_name(name, list(value) if isinstance(value, dict) else [])
            self.found.append(Problem(path, message, one_of(tags), f"{name} for {key.name}" if key else None))
            return
        tag = value[name]
        self.found.append(
            Problem(
                path,
                f"unknown {name}{inside(spot.path)}: found {found(tag)}",
                one_of(tags),
                close_value(tag, tuple(tags)),
            )
        )

    # ---- values ----------------------------------------------------------------------------------------------

    def _mismatch(self, path: Path, slot: Slot | None) -> None:
        value = value_at(self.data, path)
        guess = guess_value(slot, value, path, self.source_at)
        message = f"{subject(path)} must be {kind(slot)}; found {found(value)}"
        if guess.note:
            message += f" ({guess.note})"
        self._add(path, message, slot, guess.suggestion)

    def _authored(self, error: ErrorDetails, path: Path) -> None:
        """Errors that a model's author worded, and the rare ones of pydantic that have no words of ours."""
        message = error["msg"]
        if (prefix := _AUTHORED.get(error["type"])) is not None:
            message = message.removeprefix(prefix)
        elif re.match(r"(Input|String|Value|List|Tuple|Dictionary) should ", message):
            message = f"{subject(path)}: {_plain(message)}; found {found(value_at(self.data, path))}"
        self.found.append(Problem(path, message))


def _describe(path: Path, slot: Slot | None) -> str | None:
    keys = [part for part in path[-2:] if isinstance(part, str)]
    if slot is None or slot.model is not None or not keys:
        return describe(slot)
    return describe_key(keys[-1], slot)


def _plain(message: str) -> str:
    text = re.sub(r"^\w+ should", "it must", message)
    return text[:1].lower() + text[1:]
