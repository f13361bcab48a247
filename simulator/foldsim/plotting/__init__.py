"""Figures of results. Each kind answers one question; :data:`KINDS` lists them.

>>> from foldsim.plotting import KINDS
>>> KINDS["latency-vs-chunk"].question
'How long does the work of a chunk take, and does it end before the next chunk is complete?'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from foldsim.errors import nearest
from foldsim.plotting.canvas import lay_out
from foldsim.plotting.checks import problem_of
from foldsim.plotting.kinds import KINDS, PlotKind
from foldsim.plotting.points import plotted_points
from foldsim.plotting.rows import PlotError, as_results
from foldsim.plotting.style import STYLES, StyleName, styled
from foldsim.sweeps.results import Results, write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "FIGURE_SUFFIXES",
    "KINDS",
    "STYLES",
    "PlotError",
    "PlotKind",
    "draw",
    "plot_kinds_for",
    "plotted_points",
    "save",
]

# Metadata of files: no dates and no versions, so that equal figures give equal bytes.
_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": "foldsim"},
    ".svg": {"Date": None, "Creator": "foldsim"},
    ".pdf": {"CreationDate": None, "Creator": "foldsim", "Producer": None},
}
FIGURE_SUFFIXES = tuple(_METADATA)


def draw(results: Results | pd.DataFrame, kind: str, style: StyleName = "light") -> Figure:
    """Draw one kind of figure.

    Parameters
    ----------
    results : rows of a sweep, or the DataFrame of ``foldsim.sweep``. For kinds that need whole designs, rows made with
        ``--by component`` or ``--by op`` are summed.
    kind : one of :data:`KINDS`.
    style : ``light`` for screens, ``print`` for a greyscale column of 3.5 in.

    Raises
    ------
    PlotError
        If the kind or style does not exist, or the rows are not sufficient; names the command that creates them.
    """
    rows = as_results(results)
    if kind not in KINDS:
        raise PlotError(_unknown("kind", kind, list(KINDS)))
    if style not in STYLES:
        raise PlotError(_unknown("style", style, list(STYLES)))
    problem = problem_of(rows, KINDS[kind])
    if problem:
        raise PlotError(problem)
    with styled(style):
        figure = KINDS[kind].draw(rows)
        lay_out(figure)
    return figure


def _unknown(what: str, name: str, allowed: list[str]) -> str:
    close = nearest(name, allowed)
    hint = f"; did you mean {close!r}?" if close else ""
    return f"unknown {what} {name!r}; allowed: {', '.join(allowed)}{hint}"


def plot_kinds_for(results: Results | pd.DataFrame) -> list[str]:
    """Names of the kinds that can be drawn from these rows, in the order of :data:`KINDS`."""
    rows = as_results(results)
    return [kind.name for kind in KINDS.values() if problem_of(rows, kind) is None]


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the suffix (.png, .svg or .pdf). Equal figures give equal bytes.

    Raises
    ------
    PlotError
        If the suffix is not supported or the folder does not exist.
    """
    import io
    import warnings

    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        raise PlotError(f"unknown format of {str(path)!r}; the name must end in {', '.join(FIGURE_SUFFIXES)}")
    if not path.parent.is_dir():
        raise PlotError(f"the folder {str(path.parent)!r} of {path.name!r} does not exist")
    data = io.BytesIO()
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # drawn as boxes
        figure.savefig(data, format=suffix[1:], metadata=_METADATA[suffix])
    write_atomically(path, _with_palette(data.getvalue()) if suffix == ".png" else data.getvalue())


def _with_palette(png: bytes) -> bytes:
    """The same picture in a palette of 256 colours, a third of the size."""
    import io

    from PIL import Image, PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "foldsim")
    data = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        few = image.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(data, "PNG", optimize=True, pnginfo=info, dpi=image.info.get("dpi"))
    return data.getvalue()
