"""``extends:``: a profile that says only what is different about it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from foldsim.data import UnknownNameError, resolve, shipped
from foldsim.hardware.memory.dram import FILLED, TYPED
from foldsim.hardware.spec import ProfileSpec
from foldsim.schema import Document, Finding, InputError, Problem, locate, read_yaml
from foldsim.schema.layering import EXTENDS, LayeredDocument, Layering, lay_over

OWN = ("name", "title", "summary")
"""What every profile says of itself; inherited it would call itself what it is not."""
NOT_INHERITED = (*OWN, "calibration")
"""A calibration is of the numbers it was made on."""
ORDERED = "memory_levels"
MAX_BASES = 16


def is_derived(document: Document) -> bool:
    """Whether a document names a base that is not laid under it yet."""
    given = isinstance(document.data, dict) and isinstance(document.data.get(EXTENDS), str)
    return given and not isinstance(document, LayeredDocument)


def with_base(document: Document) -> Document:
    """The document laid over its base, which may have a base itself; unchanged if it extends nothing.

    Raises
    ------
    InputError
        If a base cannot be had: unknown, unreadable, or circular. The finding points at the ``extends`` that asks for
        it; what is wrong inside a base is found there.
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
        raise _no_base(document, f"no profile is called {name!r}", ", ".join(error.known), error.suggestion) from None
    if path.resolve() in above:
        chain = " -> ".join(p.name for p in [*above, path])
        raise _no_base(document, f"a profile cannot extend itself: {chain}")
    if len(above) > MAX_BASES:
        raise _no_base(document, f"this is the end of a chain of more than {MAX_BASES} bases")
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        close = difflib.get_close_matches(path.name, siblings, n=1)
        suggestion = str(Path(name).with_name(close[0])) if close else None
        raise _no_base(document, f"there is no file {str(path)!r}", suggestion=suggestion)
    base = read_yaml(path)
    if not isinstance(base.data, dict):
        raise _no_base(document, f"{str(path)!r} is no profile: it holds no mapping")
    return lay_over(_with_base(base, above), document, LAYERING)


def profile_path(name: str, folder: Path) -> Path:
    """The file that a profile means by a name: a shipped profile, or a file in its own folder.

    Raises
    ------
    UnknownNameError
        If nothing of that name is shipped.
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
    """Keys that an item needs to stand alone; a DRAM by type needs few."""
    needed = [key for key, info in _record_of(field).model_fields.items() if info.is_required()]
    filled = FILLED if "dram" in item else ()
    return [key for key in needed if key not in filled]


def _keys(field: str) -> list[str]:
    """Keys that an item may have."""
    return list(_record_of(field).model_fields)


def _displaced(field: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    """A level that names its type of DRAM no longer has the energies of the one it had."""
    use = item.get("dram")
    return TYPED if isinstance(use, dict) and "type" in use else ()


def _named_lists() -> dict[str, bool]:
    """The profile's lists of records with a name, and whether their order means something."""
    found = {}
    for name, info in ProfileSpec.model_fields.items():
        args = get_args(info.annotation)
        if len(args) == 1 and isinstance(args[0], type) and issubclass(args[0], BaseModel):
            found[name] = name == ORDERED
    return found


LAYERING = Layering(NOT_INHERITED, _named_lists(), _needed, _keys, _displaced)
