"""``foldsim profile measure``: a profile of this machine."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from foldsim.cli.guard import check_choice, check_yaml_output, say, stop

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_LOADED_WARNING = 0.5  # running processes other than this one, above which a measurement is unreliable
DEFAULT_PRECISION = "int8"  # of the default workload


def run_measure(name: str | None, output: Path | None, runtime: str, threads: int, quick: bool) -> None:
    """Measure this machine and write or print its profile."""
    for variable in _THREAD_VARIABLES:  # read by the libraries when they are loaded, which happens below
        os.environ[variable] = str(threads)
    from foldsim.hardware.measurement.build import default_name, profile_text
    from foldsim.hardware.measurement.runtime import RUNTIMES
    from foldsim.hardware.measurement.runtimes import open_runtime
    from foldsim.hardware.measurement.session import measure
    from foldsim.hardware.measurement.timing import cpu_clock

    check_choice("--runtime", runtime, RUNTIMES)
    if name is None and output is not None:
        name = output.stem.lower()
    if name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        stop(f"error: {name!r} cannot name a profile: use small letters, digits, dots and hyphens")
    check_yaml_output(output)
    library = open_runtime(runtime, threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > _LOADED_WARNING:
        say(f"note: load average {load:.1f}: other programs are running, which widens the ranges")
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
        return
    output.write_text(text, encoding="utf-8")
    say(f"{time.monotonic() - start:5.0f} s  {output} written; next: {next_command(output, library.precisions)}")


def next_command(profile: Path, precisions: Sequence[str]) -> str:
    """A sweep on the measured profile, in a number format that was measured; the default workload is int8.

    >>> next_command(Path("host.yaml"), ("fp32", "int8"))
    'foldsim sweep -p host.yaml'
    """
    from foldsim.hardware.profile import precision_options  # loads numpy

    command = f"foldsim sweep -p {shlex.quote(str(profile))}"
    return command if DEFAULT_PRECISION in precisions else f"{command} {precision_options(precisions[0])}"
