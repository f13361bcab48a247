"""``foldsim report``: one self-contained page from a result file."""

from __future__ import annotations

from pathlib import Path

from foldsim.cli.guard import say
from foldsim.cli.progress import Progress
from foldsim.report import check_output, write_report
from foldsim.sweeps.results import read_results
from foldsim.units import BYTES_PER_MB


def run_report(results: Path, output: Path) -> None:
    """Write the page and report the file."""
    check_output(output)
    with Progress("writing the report"):
        rows = read_results(results)
        write_report(rows, output)
    say(f"{output} ({len(rows):,} designs, {output.stat().st_size / BYTES_PER_MB:.1f} MB): open it in a browser")
