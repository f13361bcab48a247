"""Words for what a model wants and for what a document holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf

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


def shorten(text: str) -> str:
    """Cut text that is too long to quote."""
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."


def _limits(slot: Slot) -> str:
    """Words for the constraints of a slot: `above 0 and at most 5`, `with at least 1 item`."""
    numbers: list[str] = []
    least: int | None = None
    most: int | None = None
    pattern: str | None = None
    for extra in slot.constraints:
        if isinstance(extra, (Interval, Len)):
            inner = _limits(Slot(slot.type, tuple(extra)))
            numbers += [inner] if inner else []
        elif isinstance(extra, Gt):
            numbers.append(f"above {spell(extra.gt)}")
        elif isinstance(extra, Ge):
            numbers.append(f"at least {spell(extra.ge)}")
        elif isinstance(extra, Lt):
            numbers.append(f"below {spell(extra.lt)}")
        elif isinstance(extra, Le):
            numbers.append(f"at most {spell(extra.le)}")
        elif isinstance(extra, MultipleOf):
            numbers.append(f"a multiple of {spell(extra.multiple_of)}")
        elif isinstance(extra, MinLen):
            least = extra.min_length
        elif isinstance(extra, MaxLen):
            most = extra.max_length
        elif isinstance(regex := getattr(extra, "pattern", None), str):
            pattern = regex
    thing = "character" if slot.origin is str else "entry" if slot.origin is dict else "item"
    if least:
        numbers.append(f"with at least {count(least, thing)}")
    if most is not None:
        numbers.append(f"with at most {count(most, thing)}")
    if pattern is not None:
        numbers.append(f"that matches {pattern}")
    return " and ".join(numbers)


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
