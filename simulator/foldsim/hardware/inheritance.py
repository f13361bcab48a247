"""``extends:``: a profile that lists only its differences from a base."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from foldsim.data import UnknownNameError, resolve, shipped
from foldsim.errors import nearest
from foldsim.hardware.memory.dram import FILLED, TYPED
from foldsim.hardware.spec import ProfileSpec
from foldsim.schema import Document, Finding, InputError, Problem, locate, read_yaml
from foldsim.schema.layering import EXTENDS, LayeredDocument, Layering, lay_over

OWN = ("name", "title", "summary")
"""Keys that describe the profile itself and are therefore not inherited."""
NOT_INHERITED = (*OWN, "calibration")
"""A calibration is valid only for the values it was fitted to."""
ORDERED = "memory_levels"
MAX_BASES = 16


def is_derived(document: Document) -> bool:
    """Whether a document names a base that is not merged yet."""
    given = isinstance(document.data, dict) and isinstance(document.data.get(EXTENDS), str)
    return given and not isinstance(document, LayeredDocument)


def with_base(document: Document) -> Document:
    """The document merged over its base, which may have a base itself; unchanged if it extends nothing.

    Raises
    ------
    InputError
        If a base is unknown, unreadable or circular. The finding points at the ``extends`` that names it; findings
        inside a base point there.
    """
    return _with_base(document, [])


def _with_base(document: Document, above: list[Path]) -> Document:
    if not is_derived(document):
        return document
    above = [*above, Path(document.file).resolve()]
    name: str = document.data[EXTENDS]
    try:
        path = profile_path(name, Path(document.file).parent)
    except UnknownNameError as error:
        raise _no_base(document, f"profile {name!r} not found", ", ".join(error.known), error.suggestion) from None
    if path.resolve() in above:
        chain = " -> ".join(p.name for p in [*above, path])
        raise _no_base(document, f"a profile cannot extend itself: {chain}")
    if len(above) > MAX_BASES:
        raise _no_base(document, f"the profile extends a chain of more than {MAX_BASES} bases")
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        sibling = nearest(path.name, siblings)
        suggestion = str(Path(name).with_name(sibling)) if sibling else None
        raise _no_base(document, f"file {str(path)!r} not found", suggestion=suggestion)
    base = read_yaml(path)
    if not isinstance(base.data, dict):
        raise _no_base(document, f"{str(path)!r} is not a profile: it contains no mapping")
    return lay_over(_with_base(base, above), document, LAYERING)


def profile_path(name: str, folder: Path) -> Path:
    """The file of a base: a shipped profile by name, or a file in the folder of the profile that names it.

    Raises
    ------
    UnknownNameError
        If no shipped profile has that name.
    """
    path = resolve("hw_profiles", name)
    return path if path in shipped("hw_profiles").values() else folder / path


def _no_base(document: Document, message: str, allowed: str | None = None, suggestion: str | None = None) -> InputError:
    finding: Finding = locate(document, Problem((EXTENDS,), message, allowed, suggestion))
    return InputError((finding,))


def _record_of(field: str) -> type[BaseModel]:
    """The record of the items of one of the profile's lists."""
    (record,) = get_args(ProfileSpec.model_fields[field].annotation)
    return record


def _needed(field: str, item: Mapping[str, Any]) -> list[str]:
    """Keys that a new item needs; a level with a DRAM type needs few."""
    needed = [key for key, info in _record_of(field).model_fields.items() if info.is_required()]
    filled = FILLED if "dram" in item else ()
    return [key for key in needed if key not in filled]


def _keys(field: str) -> list[str]:
    """Keys that an item may have."""
    return list(_record_of(field).model_fields)


def _displaced(field: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    """Inherited keys that an item drops: a level that names a DRAM type drops the values of the inherited one."""
    use = item.get("dram")
    return TYPED if isinstance(use, dict) and "type" in use else ()


def _named_lists() -> dict[str, bool]:
    """The profile's lists of named records, and whether their order matters."""
    named = {}
    for name, info in ProfileSpec.model_fields.items():
        args = get_args(info.annotation)
        if len(args) == 1 and isinstance(args[0], type) and issubclass(args[0], BaseModel):
            named[name] = name == ORDERED
    return named


LAYERING = Layering(NOT_INHERITED, _named_lists(), _needed, _keys, _displaced)
