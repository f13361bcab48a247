"""Style of all figures: style sheets, colours, markers and hatches that remain distinct in greyscale, safe text.

``light`` is for screens and slides. ``print`` is for a journal column of 3.5 in: greys, thin lines, small type.

The colours are those of Okabe and Ito, distinguishable with all kinds of colour vision
(https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal, get_args

from foldsim.plotting.rows import clean
from foldsim.sweeps.columns import columns

BLACK: Final = "#000000"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#767676"
LIGHT: Final = "#D9D9D9"
GRID: Final = "#E6E6E6"

SERIES_COLOURS: Final = (BLACK, BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY)
SERIES_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "p")
PART_COLOURS: Final = (BLUE, SKY, ORANGE, LIGHT, GREEN, PURPLE, YELLOW, VERMILLION)
PART_HATCHES: Final = ("", "///", "", "...", "", "xxx", "\\\\\\", "++")

# Print: distinct greys, combined with line styles, markers and hatches.
_PRINT_SERIES: Final = ("#000000", "#777777", "#B0B0B0", "#444444", "#999999", "#C8C8C8", "#222222", "#606060")
_PRINT_LINES: Final[Any] = ("-", "--", "-.", (0, (4, 1, 1, 1, 1, 1)), (0, (2, 1)), (0, (6, 2)), "-", "--")
_PRINT_PARTS: Final = ("#4D4D4D", "#D9D9D9", "#8C8C8C", "#FFFFFF", "#B3B3B3", "#EDEDED", "#FFFFFF", "#C0C0C0")
_PRINT_ACCENTS: Final = {
    ORANGE: "#8C8C8C",
    VERMILLION: BLACK,
    BLUE: "#4D4D4D",
    SKY: "#C8C8C8",
    GREEN: "#777777",
    PURPLE: "#303030",
}

StyleName = Literal["light", "print"]
STYLES: Final[tuple[StyleName, ...]] = get_args(StyleName)
_current: ContextVar[StyleName] = ContextVar("style", default="light")

PANEL_WIDTH_IN: Final = 3.5
PANEL_HEIGHT_IN: Final = 2.7
MAX_COLUMNS: Final = 3

# Groups of matplotlib's settings that change the appearance of a figure.
# fmt: off
_LOOKS: Final = (
    "agg", "axes", "errorbar", "figure", "font", "grid", "hatch", "image", "legend", "lines", "markers",
    "mathtext", "patch", "path", "pdf", "savefig", "scatter", "svg", "text", "xaxis", "xtick", "yaxis",
    "ytick",
)
# fmt: on
STYLE: Final[Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "patch.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "figure.titlesize": 10.0,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "figure.dpi": 110.0,
    "savefig.dpi": "figure",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "foldsim",
    "pdf.fonttype": 42,
    "text.usetex": False,
    "text.parse_math": True,
}
PRINT_STYLE: Final[Any] = STYLE | {
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.0,
    "axes.linewidth": 0.5,
    "axes.edgecolor": "#404040",
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "patch.linewidth": 0.4,
    "hatch.linewidth": 0.4,
    "legend.fontsize": 6.5,
    "figure.titlesize": 8.0,
    "figure.dpi": 300.0,
}


@contextmanager
def styled(name: StyleName = "light") -> Iterator[None]:
    """Apply a style sheet, independent of the user's matplotlibrc, and restore the user's settings afterwards."""
    import warnings

    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        # matplotlib.rcdefaults() is equivalent but reads every style file, which takes 0.1 s.
        plain: Any = {key: value for key, value in matplotlib.rcParamsDefault.items() if key.split(".")[0] in _LOOKS}
        plain.update(PRINT_STYLE if name == "print" else STYLE)
        matplotlib.rcParams.update(plain)
        before = _current.set(name)
        try:
            yield
        finally:
            _current.reset(before)


def printing() -> bool:
    """Whether the current style is ``print``."""
    return _current.get() == "print"


def colour(name: str) -> str:
    """A colour of the palette in the current style."""
    return _PRINT_ACCENTS.get(name, name) if printing() else name


def series_colour(index: int) -> str:
    """Colour of a folding."""
    colours = _PRINT_SERIES if printing() else SERIES_COLOURS
    return colours[index % len(colours)]


def series_line(index: int) -> Any:
    """Line style of a folding."""
    return _PRINT_LINES[index % len(_PRINT_LINES)] if printing() else "-"


def series_marker(index: int) -> str:
    """Marker of a folding."""
    return SERIES_MARKERS[index % len(SERIES_MARKERS)]


def part_look(index: int) -> dict[str, Any]:
    """Colour and hatch of a part of a stacked bar."""
    colours = _PRINT_PARTS if printing() else PART_COLOURS
    return {
        "facecolor": colours[index % len(colours)],
        "hatch": PART_HATCHES[index % len(PART_HATCHES)],
        "edgecolor": "#404040",
    }


def safe(text: str) -> str:
    """Text that matplotlib shows literally: no mathtext, no control characters, no hidden label.

    >>> safe("$x$")
    '\\\\$x\\\\$'
    """
    shown = clean(text).replace("$", r"\$")
    return " " + shown if shown.startswith("_") else shown


def wrapped(text: str, width: int = 40, lines: int = 2) -> str:
    """Safe text, wrapped, and shortened if it is too long."""
    parts = textwrap.wrap(clean(text), width, max_lines=lines, placeholder=" …", break_on_hyphens=False)
    return "\n".join(map(safe, parts))


def axis_label(name: str, unit: str | None = None) -> str:
    """Axis label of a column, in another unit than the column's if ``unit`` is given."""
    column = columns()[name]
    return f"{column.label} [{unit}]" if unit else column.axis_label


def short_number(value: float, digits: int = 2) -> str:
    """A number with at least that many significant digits and no exponent.

    >>> [short_number(v) for v in (1666.1, 22.24, 0.618)]
    ['1666', '22', '0.62']
    >>> [short_number(v, 3) for v in (22.24, 0.618)]
    ['22.2', '0.618']
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    decimals = min(9, max(0, digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits}g}"))))))
    return f"{value:,.{decimals}f}".replace(",", "\u2009" if abs(value) >= 9999.5 else "")
