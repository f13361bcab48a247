"""Measure foldsim's speed: design points per second on one core, and the wall time of whole commands.

    make bench                    measure and print
    make bench ARGS=--write       and record benchmarks/results.json
    make bench ARGS="--runs 9"    more runs of everything

What the figures mean: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.json"
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
WORKLOAD = "emformer-rnnt-base"
PROFILES = ("phone-npu", "pixel5-cpu")

# Whole commands: name, arguments, target in seconds (None: no target), whether a run is repeated less often.
COMMANDS: tuple[tuple[str, tuple[str, ...], float | None, bool], ...] = (
    ("foldsim --help", ("--help",), 0.25, False),
    ("foldsim simulate", ("simulate", WORKLOAD, "phone-npu", "--chunk-ms", "160", "--fold", "2"), 0.6, False),
    (
        "foldsim sweep, 12 designs to CSV",
        ("sweep", "-p", "phone-npu", "--chunk-ms", "40,80,160,320,640,1280", "--fold", "1,2", "-o", "sweep.csv"),
        0.6,
        False,
    ),
    ("foldsim sweep, all defaults with plots", ("sweep",), 10.0, True),
)


def timed(run: Callable[[], object], runs: int) -> list[float]:
    """Wall times of several runs [s], after one that is not counted."""
    run()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def one_core() -> str:
    """Keep this process, and those it starts, on one core where the system allows; say what was done."""
    if not hasattr(os, "sched_setaffinity"):
        return "one thread"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"one thread on core {core}"


def throughput(runs: int) -> list[dict[str, Any]]:
    """Design points per second of the engine: 32 chunk sizes x 3 factors x 32 capacities x 33 energies of
    DRAM reads."""
    from foldsim import load_profile, load_workload
    from foldsim.sweeps.engine import run
    from foldsim.sweeps.space import DesignSpace

    workload = load_workload(WORKLOAD)
    rows = []
    for name in PROFILES:
        profile = load_profile(name)
        inner = profile.spec.memory_levels[0].name
        capacities = tuple(1_000_000 + round(15_000_000 * i / 31) for i in range(32))
        energies = tuple(40.0 + 100.0 * i / 32 for i in range(33))
        space = DesignSpace(
            [workload],
            [profile],
            chunk_ms=[40.0 * i for i in range(1, 33)],
            fold=[1, 2, 4],
            sets={
                f"profile.memory_levels.{inner}.capacity_bytes": capacities,
                "profile.memory_levels.dram.read_pj_per_byte": energies,
            },
        )
        points = len(run(space)["power_mw"])
        if points != 32 * 3 * 32 * 33:
            raise SystemExit(f"the sweep has {points} points, not {32 * 3 * 32 * 33}")
        times = timed(lambda space=space: run(space), runs)  # type: ignore[misc]
        median = statistics.median(times)
        rows.append(
            {
                "profile": name,
                "design_points": points,
                "median_s": median,
                "fastest_s": min(times),
                "slowest_s": max(times),
                "points_per_s": points / median,
            }
        )
    return rows


def foldsim_command() -> list[str]:
    """The installed command beside this Python, else the module."""
    script = Path(sys.executable).with_name("foldsim")
    return [str(script)] if script.exists() else [sys.executable, "-m", "foldsim"]


def whole_process(command: Sequence[str], runs: int) -> list[float]:
    """Wall times of a command from start to end [s], in an empty folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return timed(lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True), runs)


def commands(runs: int) -> list[dict[str, Any]]:
    """Medians of whole processes beside the bare interpreter."""
    bare = statistics.median(whole_process([sys.executable, "-c", "pass"], runs))
    rows = [{"command": "python -c pass", "median_s": bare, "times_python": 1.0, "target_s": None}]
    for name, arguments, target_s, slow in COMMANDS:
        times = whole_process([*foldsim_command(), *arguments], max(3, runs // 2) if slow else runs)
        median = statistics.median(times)
        rows.append({"command": name, "median_s": median, "times_python": median / bare, "target_s": target_s})
    return rows


def machine(pinning: str) -> dict[str, str]:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "pydantic", "typer", "matplotlib")}
    return {
        "cpu": cpu,
        "pinning": pinning,
        "system": platform.system(),
        "python": platform.python_version(),
        **versions,
    }


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as text, the first column to the left."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]))
    return "\n".join(lines)


def report(result: dict[str, Any]) -> str:
    """All figures as text."""
    engine = table(
        ["sweep of the whole transducer on", "design points", "median s", "fastest", "slowest", "points/s"],
        [
            [
                row["profile"],
                f"{row['design_points']:,}",
                *(f"{row[key]:.3f}" for key in ("median_s", "fastest_s", "slowest_s")),
                f"{row['points_per_s']:,.0f}",
            ]
            for row in result["throughput"]
        ],
    )
    whole = table(
        ["whole process", "median s", "x python", "target s", "met"],
        [
            [
                row["command"],
                f"{row['median_s']:.3f}",
                f"{row['times_python']:.1f}",
                "" if row["target_s"] is None else f"{row['target_s']:g}",
                "" if row["target_s"] is None else "yes" if row["median_s"] < row["target_s"] else "no",
            ]
            for row in result["commands"]
        ],
    )
    where = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    return f"{engine}\n\n{whole}\n\n{where}"


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description="Measure foldsim's speed.")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs of everything; medians are shown")
    parser.add_argument("--write", action="store_true", help=f"record the figures in {RESULTS.name} beside this file")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs is at least 1")
    os.environ.update(dict.fromkeys(THREADS, "1"))  # before numpy is loaded
    pinning = one_core()
    result = {
        "machine": machine(pinning),
        "runs": options.runs,
        "throughput": throughput(options.runs),
        "commands": commands(options.runs),
    }
    print(report(result))
    if options.write:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten to {RESULTS}")


if __name__ == "__main__":
    main()
