"""``foldsim workload new``: a commented workload to fill in."""

from __future__ import annotations

import sys
from pathlib import Path

from foldsim.cli.guard import say, stop
from foldsim.explore.results import write_atomically
from foldsim.workload.skeleton import new_workload
from foldsim.workload.workload import load_workload


def run_new(name: str, preset: str, output: Path | None, force: bool) -> None:
    """Print or write the skeleton; a file that is there stays unless it is to be replaced."""
    if output is not None and output.suffix.lower() not in (".yaml", ".yml"):
        stop(f"error: -o {output}: a workload's file ends in .yaml")
    if output is not None and not output.parent.is_dir():
        stop(f"error: the folder {str(output.parent)!r} does not exist")
    if output is not None and output.exists() and not force:
        stop(f"error: {output} is there already; give another name, or --force to replace it")
    text = new_workload(name, load_workload(preset))
    if output is None:
        sys.stdout.write(text)
        return
    write_atomically(output, text.encode())
    say(f"{output}: a copy of {preset} to change; then: foldsim workload validate {output}")
