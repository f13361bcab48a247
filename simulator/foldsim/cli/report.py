"""``foldsim report``: one self-contained page from a result file."""

from __future__ import annotations

from pathlib import Path

from foldsim.cli.guard import say
from foldsim.explore.results import read_results
from foldsim.report import check_output, write_report
from foldsim.units import BYTES_PER_MB


def run_report(results: Path, output: Path) -> None:
    """Write the page and say where it is."""
    check_output(output)
    rows = read_results(results)
    write_report(rows, output)
    say(f"{output} ({len(rows):,} designs, {output.stat().st_size / BYTES_PER_MB:.1f} MB): open it in a browser")
