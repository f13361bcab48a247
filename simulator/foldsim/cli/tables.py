"""Plain text tables that fit a terminal, and JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

WIDTH = 100  # characters of running text; also where the width of the terminal is not known
MIN_LAST_COLUMN = 12  # a last column that would be narrower is left out


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is, or None for a pipe or a file; the variable COLUMNS overrides."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None


def print_json(value: Any) -> None:
    """Print one JSON value to stdout."""
    print(json.dumps(value, indent=2))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,), indent: int = 0) -> str:
    """Columns two spaces apart; those listed in ``left`` are left-aligned, the others right-aligned."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append((" " * indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def fitted_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """A table whose last column is cut to the width of the terminal; whole in a pipe or a file."""
    width = terminal_width()
    if width is not None and rows:
        others = sum(max(len(row[i]) for row in (header, *rows)) + 2 for i in range(len(header) - 1))
        room = width - others
        keep = len(header) if room >= MIN_LAST_COLUMN else len(header) - 1
        header = header[:keep]
        rows = [[*row[:-1], shorten(row[-1], room)][:keep] for row in rows]
    return table(header, rows, left)


def number(value: float) -> str:
    """Three to four significant digits without an exponent.

    >>> [number(x) for x in (0.01234, 1.234, 12.34, 123.4, 12345.6)]
    ['0.012', '1.23', '12.3', '123', '12,346']
    """
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or value == 0 else f"{value:.3f}"


def brief(value: float) -> str:
    """Two to three significant digits.

    >>> [brief(x) for x in (0.123, 3.61, 16.98, 161.9)]
    ['0.12', '3.6', '17', '162']
    """
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def count(value: float) -> str:
    """Counts and bytes with a decimal prefix.

    >>> [count(x) for x in (512, 4195328, 1.23e9)]
    ['512', '4.20 M', '1.23 G']
    """
    for limit, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            scaled = value / limit
            digits = 2 if scaled < 10 else 1 if scaled < 100 else 0
            return f"{scaled:.{digits}f} {prefix}"
    return f"{value:.0f}"


def size(value: float) -> str:
    """Bytes with a decimal prefix.

    >>> size(800), size(6239027)
    ('800 B', '6.24 MB')
    """
    text = count(value)
    return text + "B" if text[-1].isalpha() else text + " B"


def paragraph(text: str, indent: int = 0) -> str:
    """Running text wrapped to the terminal, without control characters; addresses stay whole."""
    import textwrap

    clean = "".join(c if c.isprintable() else " " for c in text)
    space = " " * indent
    return textwrap.fill(
        " ".join(clean.split()),
        min(WIDTH, terminal_width() or WIDTH),
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )


def percent(ratio: float) -> str:
    """A ratio as a percentage."""
    return f"{100 * ratio:.1f} %"


def yes_no(value: bool) -> str:
    """``yes`` or ``NO``; the capitals draw attention to the bad case."""
    return "yes" if value else "NO"


def shorten(text: str, width: int) -> str:
    """Text cut to a width, control characters made visible."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= width else clean[: width - 1] + "…"
