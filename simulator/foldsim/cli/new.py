"""``foldsim profile new`` and ``workload new``: a commented file to fill in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from foldsim.cli.guard import check_yaml_output, say, stop
from foldsim.data import Kind, schema_path
from foldsim.sweeps.results import write_atomically

WORDS = {"hw_profiles": "profile", "workloads": "workload"}


def run_new(kind: Kind, name: str, preset: str, output: Path | None, force: bool) -> None:
    """Print or write the file; an existing file is only replaced with ``force``."""
    word = WORDS[kind]
    check_yaml_output(output)
    if output is not None and output.exists() and not force:
        stop(f"error: {output} already exists; give another name, or --force to replace it")
    text = _skeleton(kind, name, preset, output)
    if output is None:
        sys.stdout.write(text)
        return
    write_atomically(output, text.encode())
    say(f"{output}: a copy of {preset} to change; next: foldsim {word} validate {output}")


def _skeleton(kind: Kind, name: str, preset: str, output: Path | None) -> str:
    """The text of the new file, with a comment at every key."""
    if kind == "workloads":
        from foldsim.workload.skeleton import new_workload
        from foldsim.workload.workload import load_workload

        return new_workload(name, load_workload(preset))
    from foldsim.hardware.profile import load_profile
    from foldsim.hardware.skeleton import new_profile

    return new_profile(name, load_profile(preset), _schema(output), preset)


def _schema(output: Path | None) -> str:
    """The schema as an editor finds it: a relative path within the checkout, else the full path."""
    schema = schema_path("profile").resolve()
    root = schema.parents[1]
    if output is not None and root in output.resolve().parents and (root / "pyproject.toml").is_file():
        return Path(os.path.relpath(schema, output.resolve().parent)).as_posix()
    return schema.as_posix()
