"""The plotted data of a figure as a table, read from its axes.

Artists with a label are data; those without (limits, marks, bands) are not.
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
    kind, source : kind of figure and the rows it shows, for the provenance.

    Returns
    -------
    Results with ``panel``, ``series`` and ``mark`` (line, point, bar or cell); ``x`` and ``y`` in units of the axes;
    ``base``, the start of a bar; ``value``, the value of a cell or the area of a point; ``x_name`` and ``y_name``, the
    category on an axis of categories; ``x_label`` and ``y_label``, the labels of the axes. None if not applicable.
    """
    points = [
        (axes.get_label() or _one_line(axes.get_title(loc="left")), *point, *_names(axes, point), *_labels(axes))
        for axes in figure.axes
        for point in _points(axes)
    ]
    origin = {**(source.provenance if source else {}), **({"figure": kind} if kind else {})}
    return Results({name: _column([row[i] for row in points]) for i, name in enumerate(_COLUMNS)}, origin)


def _column(values: list[Any]) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _points(axes: Axes) -> Iterator[Point]:
    """Series, mark, x, y, base, value of every labelled artist."""
    from matplotlib.collections import PathCollection, QuadMesh
    from matplotlib.container import BarContainer

    for artists, kind, points in (
        (axes.get_lines(), object, _line_points),
        (axes.containers, BarContainer, _bar_points),
        (axes.collections, (PathCollection, QuadMesh), _collection_points),
    ):
        for artist in artists:
            label = artist.get_label()
            if isinstance(artist, kind) and isinstance(label, str) and label and not label.startswith("_"):
                name = label.strip().replace(r"\$", "$")
                yield from ((name, mark, *map(_plain, values)) for mark, *values in points(artist))


def _line_points(line: Any) -> Iterator[Point]:
    for x, y in np.asarray(line.get_xydata(), dtype=np.float64).tolist():
        yield "line", x, y, None, None


def _bar_points(bars: Any) -> Iterator[Point]:
    """The end of each bar, with its start as the base."""
    for bar in bars.patches:
        left, bottom, width, height = bar.get_x(), bar.get_y(), bar.get_width(), bar.get_height()
        if bars.orientation == "horizontal":
            yield "bar", left + width, bottom + height / 2, left, None
        else:
            yield "bar", left + width / 2, bottom + height, bottom, None


def _collection_points(collection: Any) -> Iterator[Point]:
    """Points with their areas, or the centres of cells with their values."""
    if hasattr(collection, "get_coordinates"):
        corners = np.asarray(collection.get_coordinates(), dtype=np.float64)
        centres = ((corners[:-1, :-1] + corners[1:, 1:]) / 2).reshape(-1, 2).tolist()
        values = np.ma.filled(np.ma.asarray(collection.get_array(), dtype=np.float64), np.nan).reshape(-1).tolist()
        yield from (("cell", x, y, None, value) for (x, y), value in zip(centres, values, strict=True))
    else:
        sizes = collection.get_sizes()
        for i, (x, y) in enumerate(np.asarray(collection.get_offsets(), dtype=np.float64).tolist()):
            yield "point", x, y, None, float(sizes[i % len(sizes)])


def _plain(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _names(axes: Axes, point: Point) -> tuple[str | None, str | None]:
    return _category(axes.xaxis, point[2]), _category(axes.yaxis, point[3])


def _category(axis: Axis, position: float | None) -> str | None:
    """Text of the tick at a position on an axis of categories; None on other axes."""
    from matplotlib.ticker import FixedLocator, ScalarFormatter

    formatter = axis.get_major_formatter()
    named = isinstance(axis.get_major_locator(), FixedLocator) and not isinstance(formatter, ScalarFormatter)
    if position is None or not named or axis.get_scale() != "linear":
        return None
    places = np.asarray(axis.get_majorticklocs(), dtype=np.float64)
    nearest = int(np.argmin(np.abs(places - position))) if len(places) else 0
    if not len(places) or abs(places[nearest] - position) >= 0.5:
        return None
    return _one_line(str(formatter(float(places[nearest]), nearest))).strip()


def _labels(axes: Axes) -> tuple[str, str]:
    return _one_line(axes.get_xlabel()), _one_line(axes.get_ylabel())


def _one_line(text: str) -> str:
    return text.replace("\n", " ")
