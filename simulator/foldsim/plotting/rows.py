"""Result rows arranged for figures: whole designs, panels and series; imports numpy only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from foldsim.errors import UserError
from foldsim.sweeps.columns import columns
from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Level = Literal["total", "component", "op", "term", "level", "tensor", "validation", "tipping"]
Label = tuple[tuple[str, ...], str, str]  # key of a folding, legend label, short label

MAX_PANELS = 24
REFERENCE_CHUNK_MS = 160.0
SYSTEM = "system"  # the component of idle time and waking
_FOLDING = ("fold_factor", "fold_layers", "fold_scope", "fold_heads")
# Columns that identify a row within a design, for levels at which each may occur only once.
_WITHIN: dict[str, tuple[str, ...]] = {"total": (), "term": ("term",), "tensor": ("tensors", "level")}
_WHERE = ("workload", "profile", "policy", "placement", "compression")


class PlotError(UserError):
    """Rows that a figure cannot show; the message says what it needs and the command that creates it."""


@dataclass(frozen=True)
class Series:
    """Rows of one folding, sorted by chunk size.

    Attributes
    ----------
    label : in legends, e.g. ``folded, N = 2``.
    short : below a bar, e.g. ``2``.
    index : position among all foldings of the figure; selects colour and marker.
    """

    label: str
    short: str
    index: int
    rows: Results

    @property
    def is_baseline(self) -> bool:
        """Whether these rows are unfolded."""
        return bool(len(self.rows)) and float(self.rows["fold_factor"][0]) == 1.0


@dataclass(frozen=True)
class Panel:
    """Rows of one workload on one profile (at one value of every ``--set``)."""

    workload: str
    profile: str
    details: tuple[str, ...]  # what distinguishes it from other panels, beyond workload and profile
    rows: Results
    series: tuple[Series, ...]


def as_results(rows: Results | pd.DataFrame) -> Results:
    """Results from results or from the DataFrame of a sweep."""
    if isinstance(rows, Results):
        return rows
    return Results({str(name): rows[name].to_numpy() for name in rows.columns}, dict(rows.attrs.get("foldsim") or {}))


_LEVEL_COLUMNS: tuple[tuple[str, Level], ...] = (
    ("keys_tokens", "tipping"), ("predicted", "validation"), ("tensors", "tensor"), ("level", "level"),
    ("term", "term"), ("op", "op"), ("component", "component"),
)  # fmt: skip


def level_of(results: Results) -> Level:
    """What one row describes: a whole design, or the part of one selected by ``--by``."""
    for name, level in _LEVEL_COLUMNS:
        if name in results.columns:
            return level
    return "total"


def numbers(rows: Results, name: str) -> FloatArray:
    """A column as numbers; values that are not finite become NaN, which figures leave out."""
    try:
        values = np.asarray(rows[name], dtype=np.float64)
    except (TypeError, ValueError):
        text = next((str(v) for v in rows[name].tolist() if not _is_number(v)), "?")
        raise PlotError(f"the column {name} must contain numbers, but contains {text[:40]!r}") from None
    return np.where(np.isfinite(values), values, np.nan)


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def missing_columns(results: Results, names: Sequence[str]) -> list[str]:
    """Those of the columns that the rows lack."""
    return [name for name in names if name not in results.columns]


def column_problem(results: Results, name: str) -> None:
    """Raise :class:`PlotError` if a column of the dictionary is present with values of another type."""
    if name in results.columns and columns()[name].type != "text":
        (flags if columns()[name].type == "flag" else numbers)(results, name)


def flags(rows: Results, name: str) -> BoolArray:
    """A column of true and false, as booleans."""
    values = [str(value).lower() for value in rows[name].tolist()]
    other = next((value for value in values if value not in ("true", "false")), None)
    if other is not None:
        raise PlotError(f"the column {name} must contain true or false, but contains {other[:40]!r}")
    return np.array([value == "true" for value in values], dtype=np.bool_)


def texts(rows: Results, name: str) -> list[str]:
    """A column as text."""
    return [str(value) for value in rows[name].tolist()]


def equal_to(rows: Results, name: str, value: str) -> BoolArray:
    """Mask of the rows with a text in a column."""
    return np.array([text == value for text in texts(rows, name)], dtype=np.bool_)


def all_series(panels: Sequence[Panel]) -> list[Series]:
    """One series per folding in the panels, by index."""
    return [s for _, s in sorted({s.index: s for panel in panels for s in panel.series}.items())]


def set_paths(results: Results) -> list[str]:
    """Columns that ``--set`` added: those not in the column dictionary."""
    return [name for name in results.columns if name not in columns()]


def designs(results: Results) -> Results:
    """One row per design: additive columns of ``--by`` rows are summed, of peaks the largest is kept, others are equal.

    Raises
    ------
    PlotError
        If some rows of a design are missing.
    """
    if level_of(results) not in ("component", "op"):
        return results
    known = columns()
    group = _group_of(results, [name for name in results.columns if name not in known or known[name].group == "design"])
    first = np.unique(group, return_index=True)[1]
    out: dict[str, np.ndarray] = {}
    for name, values in results.columns.items():
        if name in known and known[name].group == "by":
            continue
        if name in known and known[name].additive:
            out[name] = np.bincount(group, weights=numbers(results, name))
        elif name == "activation_peak_bytes":
            out[name] = np.maximum.reduceat(numbers(results, name)[np.argsort(group, kind="stable")], _starts(group))
        else:
            out[name] = values[first]
    _check_complete(results, group, out)
    return Results(out, results.provenance)


def _starts(group: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.bincount(group))[:-1]])


def _group_of(results: Results, names: Sequence[str]) -> NDArray[np.int64]:
    """Per row, the index of its combination of values in the named columns, in order of appearance; (rows,)."""
    seen: dict[tuple[object, ...], int] = {}
    keys = zip(*(results[name].tolist() for name in names if name in results.columns), strict=True)
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def _check_complete(results: Results, group: NDArray[np.int64], totals: dict[str, np.ndarray]) -> None:
    has_system = np.zeros(len(_starts(group)), dtype=np.bool_)
    has_system[group[np.array(texts(results, "component")) == SYSTEM]] = True
    complete = bool(has_system.all())
    if complete and {"rtf", "busy_ms_per_chunk", "chunk_ms"} <= totals.keys():
        busy = totals["busy_ms_per_chunk"] / np.asarray(totals["chunk_ms"], dtype=np.float64)
        complete = np.allclose(busy, np.asarray(totals["rtf"], dtype=np.float64), rtol=1e-3)
    if not complete:
        raise PlotError(
            "these rows are only some of the components or ops of a design, so they do not add up to it; "
            "use all rows of the result file, or rows made without --by"
        )


def merged(rows: Results) -> list[Panel]:
    """One panel per workload and profile, for figures whose points do not form lines."""
    group = _panel_groups(rows, _WHERE[:2])[1]
    labels = _series_labels(rows)
    return [_panel(rows.where(group == g), labels, (), "op") for g in range(int(group.max()) + 1)]


def _panel_groups(results: Results, where: Sequence[str], hint: str = "") -> tuple[list[str], NDArray[np.int64]]:
    """Columns that distinguish panels, and the panel of each row."""
    present = [name for name in where if name in results.columns]
    group = _group_of(results, present)
    count = int(group.max()) + 1
    if count > MAX_PANELS:
        varied = [name for name in present if len(set(texts(results, name))) > 1]
        raise PlotError(
            f"these rows contain {count} combinations of {', '.join(varied)}, one panel each; at most {MAX_PANELS} "
            f"panels are drawn. Select fewer{hint}"
        )
    return present, group


def panels(results: Results, level: Level = "total", over: Sequence[str] = ()) -> list[Panel]:
    """One panel per workload, profile and ``--set`` values, each with one series per folding.

    Parameters
    ----------
    over : columns that vary within a series, in addition to the chunk size.

    Raises
    ------
    PlotError
        If there are more than :data:`MAX_PANELS` panels, or two rows of one design.
    """
    hint = ", or use the kind trade-off, which takes any number of --set values" if set_paths(results) else ""
    names = [name for name in (*_WHERE, *set_paths(results)) if name not in over]
    where, group = _panel_groups(results, names, hint)
    count = int(group.max()) + 1
    labels = _series_labels(results)
    details = _details(results, group, where[2:])
    return [_panel(results.where(group == g), labels, details[g], level, over) for g in range(count)]


def _panel(
    rows: Results, labels: Sequence[Label], details: tuple[str, ...], level: Level, over: Sequence[str] = ()
) -> Panel:
    series = tuple(_series_of(rows, labels, level, over))
    return Panel(str(rows["workload"][0]), str(rows["profile"][0]), details, rows, series)


def _series_of(
    rows: Results, labels: Sequence[Label], level: Level = "total", over: Sequence[str] = ()
) -> Iterator[Series]:
    """The series of some rows, baseline first; index 0 is reserved for the baseline."""
    keys = _folding_keys(rows)
    first = 0 if labels and labels[0][2] == "1" else 1
    for index, (key, label, short) in enumerate(labels, first):
        mask = np.array([k == key for k in keys], dtype=np.bool_)
        if not mask.any():
            continue
        own = rows.where(mask)
        own = own.where(np.argsort(numbers(own, "chunk_ms"), kind="stable"))
        if level in _WITHIN:
            _check_unique(own, label, ["chunk_ms", *over, *_WITHIN[level]])
        yield Series(label, short, index, own)


def _check_unique(own: Results, label: str, names: Sequence[str]) -> None:
    """Raise if two rows of a series describe one design."""
    group = _group_of(own, names)
    twice = np.flatnonzero(np.bincount(group) > 1)
    if len(twice):
        chunk = numbers(own, "chunk_ms")[np.argmax(group == twice[0])]
        raise PlotError(
            f"two rows describe one design ({own['workload'][0]} on {own['profile'][0]}, {label}, "
            f"chunk {chunk:g} ms); keep the rows of one sweep"
        )


def _folding_keys(rows: Results) -> list[tuple[str, ...]]:
    present = [name for name in _FOLDING if name in rows.columns]
    return list(zip(*(texts(rows, name) for name in present), strict=True))


def _series_labels(results: Results) -> list[Label]:
    """Key, legend label and short label of every folding in the rows, by increasing factor."""
    factors = numbers(results, "fold_factor")
    keys = _folding_keys(results)
    ordered = sorted({(factor, key) for factor, key in zip(factors.tolist(), keys, strict=True)})
    labels = []
    for factor, key in ordered:
        same = [other for f, other in ordered if f == factor]
        differing = [key[i] for i in range(1, len(key)) if len({other[i] for other in same}) > 1]
        label = "baseline" if factor == 1 else f"folded, N = {factor:g}"
        labels.append((key, ", ".join([label, *differing]), f"{factor:g}"))
    return labels


def _details(results: Results, group: NDArray[np.int64], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Per panel, the values that distinguish it from other panels of its workload and profile."""
    first = np.unique(group, return_index=True)[1]
    heads = list(zip(*([texts(results, n)[i] for i in first] for n in _WHERE[:2]), strict=True))
    details: list[tuple[str, ...]] = []
    for g, row in enumerate(first):
        peers = [first[i] for i, head in enumerate(heads) if head == heads[g]]
        details.append(
            tuple(
                f"{'.'.join(name.split('.')[-2:])} = {_shown(results[name][row])}"
                for name in names
                if len({str(results[name][i]) for i in peers}) > 1
            )
        )
    return details


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)


def chunk_sizes(results: Results) -> list[float]:
    """Every chunk size, increasing [ms]."""
    return [float(c) for c in np.unique(numbers(results, "chunk_ms")) if np.isfinite(c)]


def reference_chunk(results: Results) -> float:
    """The chunk size of figures that show one: 160 ms if swept, else the smallest [ms]."""
    sizes = chunk_sizes(results)
    return REFERENCE_CHUNK_MS if REFERENCE_CHUNK_MS in sizes else sizes[0]


def reference_panels(results: Results, level: Level) -> tuple[float, list[Panel]]:
    """The reference chunk size [ms] and the panels of its rows."""
    chunk = reference_chunk(results)
    return chunk, panels(results.where(numbers(results, "chunk_ms") == chunk), level)


def chosen_chunks(sizes: Sequence[float], limit: int) -> list[float]:
    """At most ``limit`` chunk sizes, evenly spaced in their logarithm; doublings of the smallest if there are several.

    >>> chosen_chunks([40.0 * i for i in range(1, 33)], 6)
    [40.0, 80.0, 160.0, 320.0, 640.0, 1280.0]
    """
    if len(sizes) < 2 or limit < 2:
        return list(sizes[:limit])
    gap = np.log2(sizes[-1] / sizes[0]) / (limit + 1)
    if len(sizes) <= limit and float(np.diff(np.log2(sizes)).min()) >= gap:
        return list(sizes)
    doublings = [s for s in sizes if abs(np.log2(s / sizes[0]) - round(np.log2(s / sizes[0]))) < 1e-6]
    kept: list[float] = []
    for size in doublings if len(doublings) > 2 else sizes:
        if not kept or np.log2(size / kept[-1]) >= gap:
            kept.append(size)
    return kept[:limit]


def clean(text: str) -> str:
    """Text without characters that cannot be shown (controls, direction marks) and with single spaces."""
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() or c.isspace() else "�" for c in text)).strip()
