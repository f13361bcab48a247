"""Where the shipped YAML files are: hardware profiles, workloads and validation targets.

An installed wheel carries them inside the package (`foldsim/_data/`); a checkout keeps them in its top-level
folders `hw_profiles/`, `workloads/` and `validation/`. Everything that reads a shipped file finds it through this
module.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from foldsim.errors import nearest

Kind = Literal["hw_profiles", "workloads", "validation"]

_PACKAGE = Path(__file__).resolve().parent
_WORD = {"hw_profiles": "profile", "workloads": "workload", "validation": "validation group"}
_SUFFIXES = (".yaml", ".yml")
_SEPARATORS = tuple({"/", os.sep, os.altsep or os.sep})


class UnknownNameError(LookupError):
    """No shipped file has this name.

    Attributes
    ----------
    kind : "hw_profiles", "workloads" or "validation".
    name : what was asked for.
    known : every shipped name, sorted.
    suggestion : the closest shipped name, or None when none is close.
    """

    def __init__(self, kind: Kind, name: str, known: list[str], suggestion: str | None = None) -> None:
        super().__init__(kind, name, known, suggestion)  # all of them in args: the error survives pickling
        self.kind = kind
        self.name = name
        self.known = known
        self.suggestion = suggestion

    def __str__(self) -> str:
        hint = f"did you mean {self.suggestion!r}? " if self.suggestion else ""
        shipped_names = ", ".join(self.known) or "none"
        return (
            f"no {_WORD[self.kind]} named {self.name!r}; {hint}shipped: {shipped_names}; or give a path ending in .yaml"
        )


def data_dir(kind: Kind) -> Path:
    """Folder of the shipped files of one kind.

    The copy packaged in an installed wheel when there is one, else the folder of the checkout.

    Raises
    ------
    ValueError : `kind` is not one of these.
    FileNotFoundError : neither is there (a broken install).
    """
    if kind not in _WORD:
        raise ValueError(f"unknown kind of data {kind!r}; one of: {', '.join(_WORD)}")
    packaged = _PACKAGE / "_data" / kind
    if packaged.is_dir():
        return packaged
    for root in _PACKAGE.parents:
        if root.name in ("site-packages", "dist-packages"):
            break  # installed: a project around the virtual environment is not foldsim's checkout
        folder = root / kind
        if folder.is_dir() and (root / "pyproject.toml").is_file():
            return folder
    raise FileNotFoundError(
        f"foldsim's {kind} are missing: no {packaged}, nor a checkout with {kind} around {_PACKAGE}; "
        "install foldsim again, or run it from a complete checkout"
    )


def shipped(kind: Kind) -> dict[str, Path]:
    """Every shipped file of one kind, name (without suffix) -> path, sorted by name."""
    files = {path.stem: path for path in data_dir(kind).glob("*.yaml") if path.is_file()}
    return dict(sorted(files.items()))


def shipped_dram() -> dict[str, Path]:
    """Every shipped record of a DRAM type, name (without suffix) -> path, sorted by name."""
    folder = data_dir("hw_profiles") / "dram"
    return {path.stem: path for path in sorted(folder.glob("*.yaml")) if path.is_file()}


def schema_path(name: str) -> Path:
    """Path of a JSON Schema, `profile` or `dram`, for editors.

    It is in an installed wheel and in a checkout, but not checked here: an editor does without.
    """
    packaged = _PACKAGE / "_data" / "schemas"
    folder = packaged if packaged.is_dir() else data_dir("hw_profiles").parent / "schemas"
    return folder / f"{name}.schema.json"


def resolve(kind: Kind, name_or_path: str | os.PathLike[str]) -> Path:
    """Path of a shipped file given by name, or of the user's own file given by path.

    A `pathlib.Path`, a text that ends in `.yaml` or `.yml` and a text with a path separator are paths,
    returned as they are whether or not the file exists. Any other text is a shipped name.

    Raises
    ------
    UnknownNameError : no shipped file has that name.
    """
    if not isinstance(name_or_path, str):
        return Path(name_or_path)
    name = name_or_path
    if name.lower().endswith(_SUFFIXES) or any(separator in name for separator in _SEPARATORS):
        return Path(name)
    files = shipped(kind)
    if name in files:
        return files[name]
    raise UnknownNameError(kind, name, list(files), _closest(name, list(files)))


def _closest(name: str, known: list[str]) -> str | None:
    """The known name most like `name`, or None; upper and lower case, `-` and `_` are alike."""
    plain = {_plain(candidate): candidate for candidate in known}
    found = nearest(_plain(name), plain)
    return None if found is None else plain[found]


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
