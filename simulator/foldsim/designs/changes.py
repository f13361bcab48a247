"""Changes of one value in a workload or a profile: ``--set path=value``."""

from __future__ import annotations

import copy
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from foldsim.designs.axes import SETS, DesignError, parse_numbers
from foldsim.errors import UserError, nearest
from foldsim.hardware import profile as hardware_profile
from foldsim.hardware.profile import Profile
from foldsim.schema import Document, Finding, InputError, Problem
from foldsim.workload import workload as workload_module
from foldsim.workload.workload import Workload

SET_SOURCE = "set-option"
HolderT = TypeVar("HolderT", Workload, Profile)
Scalar = str | float | int | bool
TARGETS = ("workload", "profile")
REMEMBERED = 512  # changed inputs kept for the next design with the same changes
_EXAMPLE = "write path=value or path=v1,v2, such as profile.memory_levels.dram.read_pj_per_byte=60,80"


class SetError(DesignError):
    """A change that cannot be applied."""


class _ChangeError(UserError):
    """Why a change cannot be applied, without its path."""


def target_of(path: str) -> str:
    """``workload`` or ``profile``: what a path leads into."""
    return path.split(".", 1)[0]


def parse_set(text: str) -> tuple[str, tuple[Scalar, ...]]:
    """Read ``path=v1,v2`` or ``path=first:last:step`` as path and values.

    >>> parse_set("profile.system.idle_mw=0.5,1")
    ('profile.system.idle_mw', (0.5, 1))
    """
    path, equals, values = text.partition("=")
    path = path.strip()
    if not equals or not path or not values.strip():
        raise DesignError([Problem((SETS,), f"{text!r}: {_EXAMPLE}")])
    if target_of(path) not in TARGETS or "." not in path:
        raise DesignError([Problem((SETS,), f"{text!r}: the path starts with 'workload.' or 'profile.'")])
    if re.fullmatch(r"[\d.]+:[\d.]+:[\d.]+", values.strip()):
        numbers = parse_numbers(values, path, zero=True)
        return path, tuple(int(x) if "." not in values else x for x in numbers)
    return path, tuple(dict.fromkeys(_scalar(v.strip()) for v in values.split(",")))


def _scalar(text: str) -> Scalar:
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text):
        return float(text)
    if text in ("true", "false"):
        return text == "true"
    return text


def changed_document(document: Document, keys: Sequence[str], value: Scalar) -> Document:
    """A copy of a document with one value replaced.

    List items are found by their ``name`` or index. Of a value with a range, value, low and high all become the new
    value, and its source records the change.

    Raises
    ------
    UserError
        If the path does not exist; lists what does.
    """
    data = dict(document.data)
    node: Any = data
    slot: Any
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        where = ".".join(keys[:depth]) or "the top level"
        if isinstance(node, list):
            names = [str(item.get("name", i)) if isinstance(item, dict) else str(i) for i, item in enumerate(node)]
            if key in names:
                slot = names.index(key)
            elif key.isdigit() and int(key) < len(node):
                slot = int(key)
            else:
                raise _ChangeError(_no_such(key, where, names))
        elif isinstance(node, dict):
            if key not in node and not last:
                raise _ChangeError(_no_such(key, where, list(node)))
            slot = key
        else:
            raise _ChangeError(f"{where} is a plain value; it has no {key!r}")
        if last:
            present = node[slot] if isinstance(node, list) or slot in node else None
            node[slot] = _replacement(present, value)
            if isinstance(present, dict) and "value" in present:
                set_here = {"title": "Set on the command line", "kind": "assumption"}
                data["sources"] = {**data.get("sources", {}), SET_SOURCE: set_here}
        else:
            # Only what the path passes through is copied; the rest is shared with the original.
            node[slot] = copy.copy(node[slot])
            node = node[slot]
    return replace(document, data=data)


def _replacement(present: Any, value: Scalar) -> Any:
    if isinstance(present, dict) and "value" in present:
        return {"value": value, "low": value, "high": value, "source": SET_SOURCE}
    if isinstance(present, (dict, list)):
        raise _ChangeError(
            "the path names a whole section; name one value in it: "
            + ", ".join(str(x.get("name", i)) if isinstance(x, dict) else str(x) for i, x in enumerate(present))
        )
    if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _no_such(key: str, where: str, names: Sequence[str]) -> str:
    close = nearest(key, names)
    hint = f"; did you mean {close!r}?" if close else ""
    return f"{key!r} not found in {where}{hint} (available: {', '.join(names)})"


def change(holder: HolderT, path: str, value: Scalar) -> HolderT:
    """The workload or profile with one value changed, validated.

    Parameters
    ----------
    path : from ``workload.`` or ``profile.`` down, as ``--set`` takes it.

    Raises
    ------
    SetError
        If the path does not exist or the value is not allowed there.
    """
    module: Any = workload_module if isinstance(holder, Workload) else hardware_profile
    try:
        return module.from_document(changed_document(holder.document, path.split(".")[1:], value))
    except _ChangeError as error:
        raise SetError([Problem((SETS, path), str(error))]) from None
    except InputError as error:
        said = "; ".join(_plain(f) for f in error.findings if f.severity == "error")
        raise SetError([Problem((SETS, path), f"{value}: {said}")]) from None


def with_changes(workload: Workload, profile: Profile, changes: Mapping[str, Scalar]) -> tuple[Workload, Profile]:
    """Workload and profile with every change applied. The last :data:`REMEMBERED` results are kept and shared.

    Raises
    ------
    SetError
        If a change cannot be applied.
    """
    unknown = [path for path in changes if target_of(path) not in TARGETS]
    if unknown:
        raise SetError([Problem((SETS, path), "paths start with workload. or profile.") for path in unknown])
    for path, value in changes.items():
        if target_of(path) == "workload":
            workload = _remembered(workload, path, value)
        else:
            profile = _remembered(profile, path, value)
    return workload, profile


# Holder (kept alive, so that its identity stays its own) and changed holder, by identity, path and value.
_CHANGED: OrderedDict[tuple[int, str, str], tuple[Any, Any]] = OrderedDict()


def _remembered(holder: HolderT, path: str, value: Scalar) -> HolderT:
    key = id(holder), path, repr(value)
    if key not in _CHANGED:
        _CHANGED[key] = holder, change(holder, path, value)
        if len(_CHANGED) > REMEMBERED:
            _CHANGED.popitem(last=False)
    _CHANGED.move_to_end(key)
    found: HolderT = _CHANGED[key][1]
    return found


def _plain(finding: Finding) -> str:
    where = f"{finding.path}: " if finding.path else ""
    return f"{where}{finding.message}" + (f" (allowed: {finding.allowed})" if finding.allowed else "")
