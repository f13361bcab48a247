"""The command that makes rows like those of a result, from the axes that it records."""

from __future__ import annotations

import shlex
from typing import Any

from foldsim.designs.axes import AXES, SETS
from foldsim.sweeps.results import Results

MOST_NAMED = 5  # inputs named in a command


def command_of(results: Results, **changed: str) -> str:
    """A ``foldsim sweep`` that makes rows like these, with some axes changed (empty: not given).

    ``sets`` is one ``path=values``, used in place of the values of that path.
    """
    recorded = results.provenance.get("space")
    if not isinstance(recorded, dict):  # rows of another origin: by the names in them
        recorded = {axis: _names(results, axis) for axis in ("workloads", "profiles")}
    given = {name: _texts(name, value) for name, value in recorded.items() if name in AXES}
    if text := changed.pop(SETS, ""):
        path = text.partition("=")[0]
        given[SETS] = [*(kept for kept in given.get(SETS, []) if kept.partition("=")[0] != path), text]
        if path == "profile.policy":
            given.pop("policy", None)
    given |= {name: [value] if value else [] for name, value in changed.items()}
    words = [
        word for name in AXES for text in given.get(name, []) for word in (AXES[name].short or AXES[name].option, text)
    ]
    return " ".join(["foldsim sweep", *map(shlex.quote, words), "-o results.csv"])


def _names(results: Results, axis: str) -> list[str]:
    """Distinct values of an axis in the rows; none if they are many."""
    column = AXES[axis].column
    names = list(dict.fromkeys(map(str, results[column].tolist()))) if column in results.columns else []
    return names if len(names) <= MOST_NAMED else []


def _texts(name: str, value: Any) -> list[str]:
    """Values of an axis as the command line takes them, one text for each time the option is given."""
    if name == SETS:
        return [f"{path}={','.join(map(_text, values))}" for path, values in value.items()]
    if name in ("chunk_ms", "fold"):
        return [",".join(map(_text, value))]
    return [_text(item) for item in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
