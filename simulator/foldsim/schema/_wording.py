"""Words for what a model wants and for what a document holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen, MultipleOf

from foldsim.schema._scalars import yaml_float
from foldsim.schema._units import unit_words
from foldsim.schema._walk import MISSING, Slot, keys_of, make_slot
from foldsim.schema.findings import Path, format_path

_PLAIN: Final[Mapping[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    set: "a list",
    frozenset: "a list",
    dict: "a mapping",
    Any: "any value",
    object: "any value",
}
_MAX_NAMES: Final = 24
_MAX_TEXT: Final = 60
_FEW: Final = 5


def subject(path: Path) -> str:
    """Name a place by its key, with the list indices that follow it.

    >>> subject(("memory", 1)), subject(("memory", 1, "name")), subject(())
    ('`memory[1]`', '`name`', 'the document')
    """
    start = max((i for i, part in enumerate(path) if isinstance(part, str)), default=0)
    return f"`{format_path(path[start:])}`" if path else "the document"


def inside(path: Path) -> str:
    """Say in which mapping something is: ` in `memory[1]``, or nothing for the top of the document."""
    return f" in `{format_path(path)}`" if path else ""


def kind(slot: Slot | None) -> str:
    """Name the type that is wanted, without its limits."""
    if slot is None:
        return "something else"
    if slot.literals:
        return one_of(slot.literals) if len(slot.literals) <= _FEW else "one of its allowed values"
    if slot.is_union and slot.discriminator is None:
        return " or ".join(dict.fromkeys(kind(member) for member in slot.members()))
    if slot.model is not None or slot.is_union:
        return "a mapping"
    return _PLAIN.get(slot.origin) or f"a {getattr(slot.origin, '__name__', slot.origin)}"


def describe(slot: Slot | None) -> str | None:
    """Say in full what is allowed: type, values, limits, keys. None if nothing is known."""
    if slot is None:
        return None
    if slot.literals:
        return one_of(slot.literals)
    if slot.is_union and slot.discriminator is not None:
        tags = slot.tags()
        return f"a mapping whose `{slot.discriminator}` is {one_of(tags)}" if tags else "a mapping"
    if slot.is_union:
        parts = [text for member in slot.members() if (text := describe(member)) is not None]
        return " or ".join(dict.fromkeys(parts)) or None
    limits = _limits(slot)
    if slot.model is not None:
        return f"a mapping with {_keys(slot)}"
    words = kind(slot)
    args = get_args(slot.type)
    if slot.origin is tuple and args and args[-1] is not Ellipsis:
        return f"a list of {count(len(args), 'item')}: {', then '.join(kind(make_slot(arg)) for arg in args)}"
    item = slot.item()
    if item is not None and item.type is not Any:
        words += f" of {_plural(item)}"
    value = slot.value()
    if value is not None and value.type is not Any:
        key = slot.key()
        keys = f" with keys {one_of(key.literals)} and" if key is not None and key.literals else " with"
        words += f"{keys} values that are each {kind(value)}"
    return f"{words} {limits}" if limits else words


def describe_key(key: str, slot: Slot | None) -> str | None:
    """Like `describe`, with the unit that the key ends in."""
    words, unit = describe(slot), unit_words(key)
    return words if words is None or unit is None else f"{words}; unit: {unit}"


def found(value: Any) -> str:
    """Say what the document holds, in words and with the value."""
    if value is MISSING:
        return "nothing"
    if value is None:
        return "nothing (the value is empty or null)"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int):
        return f"the number {value}"
    if isinstance(value, float):
        return f"the number {yaml_float(value)}"
    if isinstance(value, str):
        return f"the text `{shorten(value)}`" if value else "empty text"
    if isinstance(value, list):
        return f"a list of {count(len(value), 'item')}" if value else "an empty list"
    if isinstance(value, dict):
        return (
            f"a mapping with {'the key' if len(value) == 1 else 'the keys'} {names(value)}"
            if value
            else "an empty mapping"
        )
    return f"a {type(value).__name__}"


def one_of(values: Iterable[Any]) -> str:
    """List allowed values: `one of a, b, c`, or the value itself if there is but one."""
    spelled = [spell(value) for value in values]
    shown = ", ".join(spelled[:_MAX_NAMES]) + (", ..." if len(spelled) > _MAX_NAMES else "")
    return shown if len(spelled) == 1 else f"one of {shown}"


def names(keys: Iterable[Any]) -> str:
    """List keys, cut after a few."""
    every = [shorten(str(key)) for key in keys]
    return ", ".join(every[:_MAX_NAMES]) + (f", ... ({len(every)} in all)" if len(every) > _MAX_NAMES else "")


def spell(value: Any) -> str:
    """Spell a scalar as it would be written in YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return yaml_float(value) if isinstance(value, float) else str(value)


def spell_limit(limit: Any) -> str:
    """Spell a limit; whole numbers without a point, since pydantic makes floats of them."""
    return str(int(limit)) if isinstance(limit, float) and limit.is_integer() and abs(limit) < 1e15 else spell(limit)


def shorten(text: str) -> str:
    """Cut text that is too long to quote."""
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."


def _limits(slot: Slot) -> str:
    """Words for the constraints of a slot: `above 0 and at most 5`, `with at least 1 item`."""
    words: list[str] = []
    least: list[Any] = []
    most: list[Any] = []
    thing = "character" if slot.origin is str else "entry" if slot.origin is dict else "item"
    for extra in _ungrouped(slot.constraints):
        if isinstance(extra, Gt):
            words.append(f"above {spell_limit(extra.gt)}")
        elif isinstance(extra, Ge):
            least.append(extra.ge)
        elif isinstance(extra, Lt):
            words.append(f"below {spell_limit(extra.lt)}")
        elif isinstance(extra, Le):
            most.append(extra.le)
        elif isinstance(extra, MultipleOf):
            words.append(f"that is a multiple of {spell_limit(extra.multiple_of)}")
        elif isinstance(extra, MinLen) and extra.min_length:
            words.append(f"with at least {count(extra.min_length, thing)}")
        elif isinstance(extra, MaxLen):
            words.append(f"with at most {count(extra.max_length, thing)}")
        elif isinstance(pattern := getattr(extra, "pattern", None), str):
            words.append(f"that matches {pattern}")
    if least and most:
        words.insert(0, f"from {spell_limit(least[0])} to {spell_limit(most[0])}")
    else:
        words += [f"at least {spell_limit(limit)}" for limit in least]
        words += [f"at most {spell_limit(limit)}" for limit in most]
    return " and ".join(words)


def _ungrouped(constraints: Iterable[Any]) -> Iterator[Any]:
    for extra in constraints:
        if isinstance(extra, GroupedMetadata):
            yield from _ungrouped(extra)
        else:
            yield extra


def _keys(slot: Slot) -> str:
    assert slot.model is not None
    fields = keys_of(slot.model)
    required = [key for key, field in fields.items() if field.is_required()]
    optional = [key for key, field in fields.items() if not field.is_required()]
    text = f"the keys {names(required)}" if required else ""
    if optional:
        text += f"{' (optional: ' if text else 'the optional keys '}{names(optional)}{')' if text else ''}"
    return text or "no keys"


def _plural(item: Slot) -> str:
    if item.literals:
        return f"values, each {one_of(item.literals)}"
    if item.model is not None:
        return "mappings"
    if item.is_union and item.discriminator is not None:
        return f"mappings whose `{item.discriminator}` is {one_of(item.tags())}"
    plain = {int: "whole numbers", float: "numbers", str: "texts", bool: "truth values"}.get(item.origin)
    limits = _limits(item)
    return f"{plain} {limits}".rstrip() if plain else f"values that are each {kind(item)}"


def count(number: int, thing: str) -> str:
    """Say how many of a thing there are, in the singular or plural."""
    if number == 1:
        return f"1 {thing}"
    return f"{number} {thing[:-1]}ies" if thing.endswith("y") else f"{number} {thing}s"
