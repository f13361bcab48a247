"""Entry points by which installed packages add device classes (``foldsim.device_classes``) and rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from foldsim.errors import UserError

T = TypeVar("T")


class ExtensionError(UserError):
    """An entry point of an installed package that cannot be used."""


def with_extensions(
    built_in: Mapping[str, T], group: str, problem_of: Callable[[str, object], str | None]
) -> dict[str, T]:
    """A table of built-in entries, followed by those of an entry point group.

    Parameters
    ----------
    problem_of : the problem with an entry point, from its name and loaded object, or None.

    Raises
    ------
    ExtensionError
        If an entry point cannot be loaded, is not what the group requires, or repeats a name; names its distribution.
    """
    from importlib.metadata import entry_points  # slow to import, and needed by few commands

    table = dict(built_in)
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        try:
            loaded = entry.load()
        except Exception as error:  # whatever another package's import raises
            problem: str | None = f"cannot be loaded: {type(error).__name__}: {error}"
        else:
            problem = "repeats a name" if entry.name in table else problem_of(entry.name, loaded)
        if problem is not None:
            package = entry.dist.name if entry.dist else "an unknown package"
            raise ExtensionError(f"{package}: the entry point {entry.name!r} ({entry.value}) of {group} {problem}")
        table[entry.name] = loaded
    return table
