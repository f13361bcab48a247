"""``foldsim profile measure``."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import typer

from foldsim.cli.guard import say, stop

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_LOADED_WARNING = 0.5  # processes beside this one that make a measurement doubtful


def run_measure(name: str | None, output: Path | None, runtime: str, threads: int, quick: bool) -> None:
    """Measure this machine and write or print its profile."""
    for variable in _THREAD_VARIABLES:  # read by the libraries when they are loaded, which happens below
        os.environ[variable] = str(threads)
    from foldsim.hardware.measurement.build import default_name, profile_text
    from foldsim.hardware.measurement.runtime import RUNTIMES, open_runtime
    from foldsim.hardware.measurement.session import measure
    from foldsim.hardware.measurement.timing import cpu_clock

    if runtime not in RUNTIMES:
        raise typer.BadParameter(f"{runtime!r} is no runtime; allowed: {', '.join(RUNTIMES)}", param_hint="--runtime")
    if name is None and output is not None:
        name = output.stem.lower()
    if name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise typer.BadParameter(f"{name!r} is no name of a profile: small letters, digits, dots and hyphens")
    if output is not None and not output.parent.is_dir():
        stop(f"error: {output.parent} is not a folder")
    library = open_runtime(runtime, threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > _LOADED_WARNING:
        say(f"note: load average {load:.1f}: other programs are running, which makes the ranges wide")
    start = time.monotonic()
    measured = measure(
        library,
        threads,
        quick,
        progress=lambda step: say(f"{time.monotonic() - start:5.0f} s  {step}"),
        clock=cpu_clock(threads),
    )
    text = profile_text(measured, name or default_name(measured))
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
    say(f"{time.monotonic() - start:5.0f} s  done" + (f": {output}" if output else ""))
