"""Follow a pydantic error location through a model and its data.

A location mixes keys and indices of the document with names that pydantic inserts: the tag of a discriminated union
(`kind`), the label of a union member, `[key]` for the key of a mapping. Only the model tells them apart.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, Discriminator, RootModel, Tag
from pydantic.fields import FieldInfo

from foldsim.schema.findings import Path

MISSING: Final = object()
"""Stands for data that the document does not have."""
_SEQUENCES: Final = (list, tuple, set, frozenset)


@dataclass(frozen=True, slots=True)
class Slot:
    """What a model wants at one place: a type free of Annotated, aliases and None, and its constraints."""

    type: Any
    constraints: tuple[Any, ...] = ()
    nullable: bool = False
    discriminator: str | Callable[[Any], Any] | None = None

    @property
    def origin(self) -> Any:
        """The generic type (`list` for `list[int]`), or the type itself."""
        return get_origin(self.type) or self.type

    @property
    def is_union(self) -> bool:
        """Whether values of several types are accepted, apart from None."""
        return self.origin in (Union, types.UnionType)

    @property
    def model(self) -> type[BaseModel] | None:
        """The model class, if one is wanted."""
        return self.type if isinstance(self.type, type) and issubclass(self.type, BaseModel) else None

    @property
    def literals(self) -> tuple[Any, ...]:
        """The values of a Literal or Enum; empty for other types."""
        if self.origin is Literal:
            return get_args(self.type)
        if isinstance(self.type, type) and issubclass(self.type, Enum):
            return tuple(member.value for member in self.type)
        return ()

    def members(self) -> list[Slot]:
        """The alternatives of a union; the slot itself if it is none."""
        return [make_slot(arg) for arg in get_args(self.type) if arg is not type(None)] if self.is_union else [self]

    def item(self, index: int = 0) -> Slot | None:
        """What is wanted of the items of a list."""
        args = get_args(self.type)
        if self.origin not in _SEQUENCES or not args:
            return None
        if self.origin is tuple and args[-1:] != (Ellipsis,):
            return make_slot(args[index]) if index < len(args) else None
        return make_slot(args[0])

    def key(self) -> Slot | None:
        """What is wanted of the keys of a mapping."""
        args = get_args(self.type)
        return make_slot(args[0]) if self.origin is dict and args else None

    def value(self) -> Slot | None:
        """What is wanted of the values of a mapping."""
        args = get_args(self.type)
        return make_slot(args[1]) if self.origin is dict and args else None

    def tags(self) -> dict[str, Slot]:
        """The alternatives of a discriminated union, by tag."""
        found: dict[str, Slot] = {}
        for arg in get_args(self.type):
            slot = make_slot(arg)
            for tag in _tags_of(arg, slot, self.discriminator):
                found.setdefault(tag, slot)
        return found


@dataclass(frozen=True, slots=True)
class Branch:
    """A union that a location passes: where it stands, and which member the error is about."""

    path: Path
    slot: Slot
    label: str


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an error location leads.

    `slot` is what the model wants there, None if it knows no such key. `owners` are the models on the way with their
    places, outermost first. With `at_key` the error is about the key of the last path element.
    """

    path: Path
    slot: Slot | None
    owners: tuple[tuple[Path, type[BaseModel]], ...] = ()
    branches: tuple[Branch, ...] = ()
    at_key: bool = False


@lru_cache(maxsize=1024)
def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by the key that the document uses for them (the alias, if there is one)."""
    return {_key_of(name, field): field for name, field in model.model_fields.items()}


def field_slot(field: FieldInfo) -> Slot:
    """Return what a field wants."""
    return make_slot(field.annotation, tuple(field.metadata), _discriminator(field.discriminator))


def make_slot(
    annotation: Any, constraints: tuple[Any, ...] = (), discriminator: str | Callable[[Any], Any] | None = None
) -> Slot:
    """Return the slot for an annotation, looking through Annotated, aliases, root models and `| None`."""
    nullable = False
    while True:
        if hasattr(annotation, "__metadata__"):
            for extra in annotation.__metadata__:
                if isinstance(extra, FieldInfo):
                    constraints += tuple(extra.metadata)
                    discriminator = discriminator or _discriminator(extra.discriminator)
                elif isinstance(extra, Discriminator):
                    discriminator = discriminator or _discriminator(extra)
                else:
                    constraints += (extra,)
            annotation = annotation.__origin__
        elif hasattr(annotation, "__value__"):  # type X = ...
            annotation = annotation.__value__
        elif hasattr(annotation, "__supertype__"):  # NewType
            annotation = annotation.__supertype__
        elif isinstance(annotation, type) and issubclass(annotation, RootModel):
            root = annotation.model_fields["root"]
            constraints += tuple(root.metadata)
            discriminator = discriminator or _discriminator(root.discriminator)
            annotation = root.annotation
        elif get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
            nullable = True
            rest = [arg for arg in get_args(annotation) if arg is not type(None)]
            annotation = Union[tuple(rest)]  # noqa: UP007
        else:
            return Slot(annotation, constraints, nullable, discriminator)


def follow(model: type[BaseModel], data: Any, loc: tuple[int | str, ...]) -> Spot:
    """Follow a pydantic error location from the root of a document."""
    slot: Slot | None = make_slot(model)
    owners: list[tuple[Path, type[BaseModel]]] = []
    path: list[str | int] = []
    branches: list[Branch] = []
    at_key = False
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if part == "[key]" and slot is not None and last and not _has(data, part):
            at_key = True
            slot = slot.key()
            break
        if slot is not None and slot.is_union:
            if slot.discriminator is not None:
                slot = slot.tags().get(str(part))
            else:
                branches.append(Branch(tuple(path), slot, str(part)))
                slot = _member_by_label(slot, str(part), data, loc[index + 1 : index + 2])
            continue
        if slot is not None and slot.model is not None:
            owners.append((tuple(path), slot.model))
            field = keys_of(slot.model).get(str(part)) or slot.model.model_fields.get(str(part))
            below = field_slot(field) if field is not None else None
            if below is None and not last and not _has(data, part):
                continue  # a label of a validator that wraps the model
        elif slot is not None and slot.origin is dict:
            # `[key]` follows the key that it is about: keep the mapping's own slot for it.
            below = slot if loc[index + 1 :] == ("[key]",) else slot.value()
        elif slot is not None and slot.origin in _SEQUENCES and isinstance(part, int):
            below = slot.item(part)
        else:
            below = None
            if not _has(data, part) and not (last and slot is None):
                continue
        path.append(part)
        data = _descend(data, part)
        slot = below
    return Spot(tuple(path), slot, tuple(owners), tuple(branches), at_key)


def value_at(data: Any, path: Path) -> Any:
    """Return the value at a path, or `MISSING`."""
    for part in path:
        data = _descend(data, part)
    return data


def models_below(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the keys of a model that hold another model (or a list or mapping of it), with that model."""
    for key, field in keys_of(model).items():
        for member in field_slot(field).members():
            inner = member.item() or member.value() or member
            for slot in inner.members():
                if slot.model is not None:
                    yield key, slot.model


def _descend(data: Any, part: str | int) -> Any:
    return data[part] if _has(data, part) else MISSING


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return isinstance(part, str) and part in data
    return isinstance(data, list) and isinstance(part, int) and 0 <= part < len(data)


def _key_of(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        alias = next((choice for choice in alias.choices if isinstance(choice, str)), None)
    return alias if isinstance(alias, str) else name


def _discriminator(given: str | Discriminator | None) -> str | Callable[[Any], Any] | None:
    return given.discriminator if isinstance(given, Discriminator) else given


def _tags_of(arg: Any, slot: Slot, discriminator: str | Callable[[Any], Any] | None) -> list[str]:
    for extra in getattr(arg, "__metadata__", ()):
        if isinstance(extra, Tag):
            return [extra.tag]
    if slot.is_union:  # a union within a union, with the same discriminator
        inner = Slot(slot.type, discriminator=slot.discriminator or discriminator)
        return list(inner.tags())
    if slot.model is None or not isinstance(discriminator, str):
        return []
    fields = slot.model.model_fields
    field = fields.get(discriminator) or keys_of(slot.model).get(discriminator)
    return [] if field is None else [_spell_tag(tag) for tag in field_slot(field).literals]


def _spell_tag(tag: Any) -> str:
    return str(tag.value if isinstance(tag, Enum) else tag)


def _member_by_label(union: Slot, label: str, data: Any, following: tuple[int | str, ...]) -> Slot | None:
    """Return the union member that pydantic labels so; by shape where the label is that of a wrapping validator."""
    members = union.members()
    for slot in members:
        if slot.model is not None and (label == slot.model.__name__ or f" {slot.model.__name__}]" in label):
            return slot
        if slot.model is None and not slot.is_union and label == getattr(slot.origin, "__name__", None):
            return slot
    for slot in members:
        name = getattr(slot.origin, "__name__", "")
        if name and (label.startswith(f"{name}[") or label == f"constrained-{name}"):
            return slot
        if slot.literals and label.startswith("literal["):
            return slot
        if slot.is_union and "union[" in label:
            return slot
    if following and isinstance(data, dict):
        return next((slot for slot in members if slot.model is not None), None)
    return None
