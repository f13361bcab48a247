"""The report: one self-contained HTML page of the rows of a sweep."""

from __future__ import annotations

from pathlib import Path

from foldsim.report.errors import ReportError
from foldsim.sweeps.results import Results, write_atomically

__all__ = ["ReportError", "render_report", "write_report"]


def render_report(results: Results) -> str:
    """The page as text. Equal results give equal pages.

    Raises
    ------
    ReportError
        If the rows cannot be reported or plotly is not installed; says why and what to do.
    """
    from foldsim.report.page import render

    return render(results)


def write_report(results: Results, path: Path) -> None:
    """Write the page to ``path`` atomically.

    Parameters
    ----------
    results : rows of a sweep, one per design (no ``--by``).
    path : ends in .html or .htm.

    Raises
    ------
    ReportError
        If the rows cannot be reported, plotly is not installed, or ``path`` cannot be written.
    """
    check_output(path)
    write_atomically(path, render_report(results).encode())


def check_output(path: Path) -> None:
    """Raise :class:`ReportError` if a page cannot be written there."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise ReportError(f"unknown format of {str(path)!r}; the name of a report must end in .html")
    if path.is_dir():
        raise ReportError(f"{path}: is a folder")
    if not path.parent.is_dir():
        raise ReportError(f"the folder {str(path.parent)!r} of {path.name!r} does not exist")
