"""``foldsim profile new``: a commented profile to fill in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from foldsim.cli.guard import say, stop
from foldsim.data import schema_path
from foldsim.explore.results import write_atomically
from foldsim.hardware.profile import load_profile
from foldsim.hardware.skeleton import new_profile


def run_new(name: str, preset: str, output: Path | None, force: bool) -> None:
    """Print or write the skeleton; a file that is there stays unless it is to be replaced."""
    if output is not None and output.suffix.lower() not in (".yaml", ".yml"):
        stop(f"error: -o {output}: a profile's file ends in .yaml")
    if output is not None and not output.parent.is_dir():
        stop(f"error: the folder {str(output.parent)!r} does not exist")
    if output is not None and output.exists() and not force:
        stop(f"error: {output} is there already; give another name, or --force to replace it")
    text = new_profile(name, load_profile(preset), _schema(output), preset)
    if output is None:
        sys.stdout.write(text)
        return
    write_atomically(output, text.encode())
    say(f"{output}: a copy of {preset} to change; then: foldsim profile validate {output}")


def _schema(output: Path | None) -> str:
    """The schema as an editor finds it: beside a file of the same checkout, else by its full path."""
    schema = schema_path("profile").resolve()
    root = schema.parents[1]
    if output is not None and root in output.resolve().parents and (root / "pyproject.toml").is_file():
        return Path(os.path.relpath(schema, output.resolve().parent)).as_posix()
    return schema.as_posix()
