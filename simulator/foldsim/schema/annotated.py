"""A document as YAML with a comment at every key: what it is, what is allowed, where to find it.

Each key of each kind of record is explained where it first occurs, and keys that are left out stand there as comments.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from foldsim.schema._scalars import yaml_float
from foldsim.schema._units import unit_words
from foldsim.schema._walk import Slot, field_slot, keys_of
from foldsim.schema._wording import describe

COMMENT_WIDTH = 100
FLOW_WIDTH = 118
_STEP = "  "
Hints = Mapping[tuple[str, str], str]


def annotated_yaml(model: type[BaseModel], data: Mapping[str, Any], hints: Hints, short_items: bool = True) -> str:
    """YAML of a document that a model describes.

    Parameters
    ----------
    data : the document, as the reader gives it.
    hints : (name of a record's class or of one it inherits from, key) -> a sentence on where a person finds the value.
    short_items : write items of lists in one line once every key of theirs was explained.
    """
    return "\n".join(_Writer(hints, short_items).record(model, data, "")) + "\n"


class _Writer:
    """Remembers what was explained already."""

    def __init__(self, hints: Hints, short_items: bool) -> None:
        self._hints = hints
        self._short_items = short_items
        self._explained: set[tuple[str, str | None]] = set()

    def record(self, model: type[BaseModel], data: Mapping[str, Any], indent: str, dash: bool = False) -> Iterator[str]:
        """A record in block style, keys in the order of the model; as an item of a list it begins with a dash."""
        inner = indent + _STEP if dash else indent
        for key, field in keys_of(model).items():
            present = key in data and data[key] is not None
            first = (key, field.description) not in self._explained
            self._explained.add((key, field.description))
            if first:
                yield from [] if indent or dash else [""]
                yield from self._comment(model, key, field, indent if dash else inner, told=present)
            if present:
                for line in self._entry(key, data[key], field_slot(field), inner):
                    yield f"{indent}- {line[len(inner) :]}" if dash else line
                    dash = False
            elif first:
                yield f"{indent if dash else inner}# {key}: {_default(field)}".rstrip()

    def _comment(self, model: type[BaseModel], key: str, field: FieldInfo, indent: str, told: bool) -> Iterator[str]:
        """What a key is, what is allowed, and where to find it."""
        words = (field.description or key).rstrip(".") + "."
        if allowed := _allowed(key, field_slot(field)):
            words += f" Allowed: {allowed}."
        if not field.is_required():
            words += " Optional" + ("." if told else "; left out here.")
        for base in model.__mro__:
            if hint := self._hints.get((base.__name__, key)):
                words += f" {hint}"
                break
        for line in textwrap.wrap(words, COMMENT_WIDTH - len(indent) - 2, break_on_hyphens=False):
            yield f"{indent}# {line}"

    def _entry(self, key: str, value: Any, slot: Slot, indent: str) -> Iterator[str]:
        """A key with its value."""
        item = slot.item()
        if isinstance(value, list) and item is not None and any(isinstance(v, dict) for v in value):
            yield f"{indent}{key}:"
            for entry in value:
                yield from self._item(_model_of(item, entry), entry, indent + _STEP)
        elif slot.origin is dict and isinstance(value, dict):
            inner = slot.value()
            yield f"{indent}{key}:"
            for name, entry in value.items():
                yield from self._entry(str(name), entry, inner or slot, indent + _STEP)
        elif isinstance(value, dict):
            yield from self._section(key, _model_of(slot, value), value, indent)
        elif isinstance(value, str):
            yield from _text(key, " ".join(value.split()), indent)
        else:
            yield from _wrapped(f"{indent}{key}: {_flow(value)}", indent)

    def _section(self, key: str, model: type[BaseModel] | None, value: Mapping[str, Any], indent: str) -> Iterator[str]:
        """A record below a key: explained in block style the first time, in one line after that."""
        if model is None or self._known(model) or "value" in keys_of(model):
            yield from _wrapped(f"{indent}{key}: {_flow(value)}", indent)
        else:
            yield f"{indent}{key}:"
            yield from self.record(model, value, indent + _STEP)

    def _item(self, model: type[BaseModel] | None, value: Any, indent: str) -> Iterator[str]:
        """An item of a list of records."""
        nested = isinstance(value, dict) and any(
            isinstance(v, list) and any(isinstance(x, dict) for x in v) for v in value.values()
        )
        if model is None or (self._short_items and self._known(model) and not nested):
            yield from _wrapped(f"{indent}- {_flow(value)}", indent + _STEP)
        else:
            yield from self.record(model, value, indent, dash=True)

    def _known(self, model: type[BaseModel]) -> bool:
        """Whether every key of a record was explained before."""
        return all((key, field.description) in self._explained for key, field in keys_of(model).items())


def _allowed(key: str, slot: Slot) -> str | None:
    """Allowed values with their unit; None where there is nothing to choose, or a record whose keys follow."""
    plain_text = slot.origin is str and not any(getattr(c, "pattern", None) for c in slot.constraints)
    tag = len(slot.literals) == 1
    records = any(
        inner.model is not None or inner.discriminator is not None
        for member in slot.members()
        for inner in (member, member.item() or member.value() or member)
    )
    if plain_text or tag or records:
        return None
    words, unit = describe(slot), unit_words(key)
    return f"{words} ({unit})" if words and unit and not key.endswith("_count") else words


def _model_of(slot: Slot, value: Any) -> type[BaseModel] | None:
    """The record that a mapping is, by its tag where there are several."""
    if slot.model is not None:
        return slot.model
    if isinstance(slot.discriminator, str) and isinstance(value, dict):
        chosen = slot.tags().get(str(value.get(slot.discriminator)))
        return chosen.model if chosen is not None else None
    return None


def _default(field: FieldInfo) -> str:
    """The default as a document would say it; nothing where it is a record or none."""
    value = field.default
    if value is PydanticUndefined or value is None or (isinstance(value, (BaseModel, Sequence)) and not _short(value)):
        return ""
    return _flow(value)


def _short(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, Sequence) and bool(value) and all(isinstance(v, (str, int)) for v in value)
    )


def _text(key: str, value: str, indent: str) -> Iterator[str]:
    """A text; folded over several lines where it is long."""
    line = f"{indent}{key}: {yaml.safe_dump(value, width=1_000_000).removesuffix('...' + chr(10)).strip()}"
    if len(line) <= COMMENT_WIDTH:
        yield line
        return
    yield f"{indent}{key}: >-"
    inner = indent + _STEP
    yield from textwrap.wrap(
        value,
        COMMENT_WIDTH,
        initial_indent=inner,
        subsequent_indent=inner,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else "null"
    if isinstance(value, float):
        return yaml_float(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(v)}" for key, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, int):
        return str(value)
    # The dumper quotes what would be read as something else; in a list it also minds commas and brackets.
    return yaml.safe_dump([" ".join(str(value).split())], default_flow_style=True, width=1_000_000).strip()[1:-1]


def _wrapped(line: str, indent: str) -> Iterator[str]:
    """A line, wrapped between words of a flow collection where it is too long."""
    if len(line) <= FLOW_WIDTH:
        yield line
        return
    yield from textwrap.wrap(
        line,
        FLOW_WIDTH,
        subsequent_indent=indent + _STEP,
        break_on_hyphens=False,
        break_long_words=False,
    )
