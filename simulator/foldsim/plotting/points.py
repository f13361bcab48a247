"""The points of a figure as a table: what its axes show, whatever drew them.

What carries a label is data. Lines, markers and fills without one (limits, marks, bands) are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from foldsim.sweeps.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_COLUMNS = ("panel", "series", "mark", "x", "y", "base", "value", "x_name", "y_name", "x_label", "y_label")
Point = tuple[Any, ...]


def plotted_points(figure: Figure, kind: str = "", source: Results | None = None) -> Results:
    """Every labelled point, bar and cell of a figure.

    Parameters
    ----------
    kind, source : what was drawn and the rows it was drawn from, for the provenance.

    Returns
    -------
    Results with ``panel``, ``series`` and ``mark`` (line, point, bar or cell); ``x`` and ``y`` as the axes have them;
    ``base``, where a bar begins; ``value``, a cell's number; ``x_name`` and ``y_name``, the category where an axis
    has some; ``x_label`` and ``y_label``, the labels of the axes. What does not apply is None.
    """
    found = [
        (
            axes.get_label() or axes.get_title(loc="left").replace("\n", " "),
            *point,
            *_names(axes, point),
            *_labels(axes),
        )
        for axes in figure.axes
        for point in _points(axes)
    ]
    origin = {**(source.provenance if source else {}), **({"figure": kind} if kind else {})}
    return Results({name: _column([row[i] for row in found]) for i, name in enumerate(_COLUMNS)}, origin)


def _column(values: list[Any]) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _points(axes: Axes) -> Iterator[Point]:
    """Series, mark, x, y, base, value of everything that carries a label."""
    from matplotlib.collections import PathCollection, QuadMesh
    from matplotlib.container import BarContainer

    for line in axes.get_lines():
        if _shown(line):
            for x, y in np.asarray(line.get_xydata(), dtype=np.float64).tolist():
                yield _text(line), "line", _plain(x), _plain(y), None, None
    for held in axes.containers:
        if isinstance(held, BarContainer) and _shown(held):
            across = held.orientation == "horizontal"
            for bar in held.patches:
                middle = (bar.get_x() + bar.get_width() / 2, bar.get_y() + bar.get_height() / 2)
                x, y = (
                    (bar.get_x() + bar.get_width(), middle[1])
                    if across
                    else (middle[0], bar.get_y() + bar.get_height())
                )
                yield _text(held), "bar", _plain(x), _plain(y), _plain(bar.get_x() if across else bar.get_y()), None
    for collection in axes.collections:
        if isinstance(collection, PathCollection) and _shown(collection):
            sizes = collection.get_sizes()
            for i, (x, y) in enumerate(np.asarray(collection.get_offsets(), dtype=np.float64).tolist()):
                yield _text(collection), "point", _plain(x), _plain(y), None, _plain(float(sizes[i % len(sizes)]))
        elif isinstance(collection, QuadMesh) and _shown(collection):
            corners = np.asarray(collection.get_coordinates(), dtype=np.float64)
            middles = (corners[:-1, :-1] + corners[1:, 1:]) / 2
            values = np.ma.filled(np.ma.asarray(collection.get_array(), dtype=np.float64), np.nan).reshape(-1).tolist()
            for (x, y), value in zip(middles.reshape(-1, 2).tolist(), values, strict=True):
                yield _text(collection), "cell", x, y, None, _plain(value)


def _shown(artist: Any) -> bool:
    label = artist.get_label()
    return isinstance(label, str) and bool(label) and not label.startswith("_")


def _text(artist: Any) -> str:
    return str(artist.get_label()).strip().replace(r"\$", "$")


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _names(axes: Axes, point: Point) -> tuple[str | None, str | None]:
    return _category(axes.xaxis, point[2]), _category(axes.yaxis, point[3])


def _category(axis: Axis, position: float | None) -> str | None:
    """Text of the tick at a position of an axis of categories."""
    from matplotlib.ticker import FixedLocator, ScalarFormatter

    formatter = axis.get_major_formatter()
    named = isinstance(axis.get_major_locator(), FixedLocator) and not isinstance(formatter, ScalarFormatter)
    if position is None or not named or axis.get_scale() != "linear":
        return None
    places = np.asarray(axis.get_majorticklocs(), dtype=np.float64)
    nearest = int(np.argmin(np.abs(places - position))) if len(places) else 0
    if not len(places) or abs(places[nearest] - position) >= 0.5:
        return None
    return str(formatter(float(places[nearest]), nearest)).replace("\n", " ").strip()


def _labels(axes: Axes) -> tuple[str, str]:
    return axes.get_xlabel().replace("\n", " "), axes.get_ylabel().replace("\n", " ")
