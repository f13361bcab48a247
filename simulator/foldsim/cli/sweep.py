"""``foldsim sweep``: build the space, run it, print or write the rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from foldsim.cli.guard import say, stop
from foldsim.cli.sweep_table import sweep_table
from foldsim.sweeps.engine import run
from foldsim.sweeps.options import build_space, read_design
from foldsim.sweeps.provenance import provenance
from foldsim.sweeps.results import Results, check_suffix, write_csv, write_jsonl, write_results
from foldsim.sweeps.space import DesignSpace

DEFAULT_WORKLOAD = "emformer-rnnt-base"
# One of each class, phones first. The whole library would bury the answer.
DEFAULT_PROFILES = ("phone-npu", "pixel5-cpu", "watch-npu", "coral-edge-tpu", "gap9")
RESULTS_FOLDER = "foldsim-results"
MAIN_PLOTS = ("power-vs-chunk", "saving-vs-chunk", "latency-vs-chunk", "memory-vs-chunk", "power-breakdown")
PROGRESS_POINTS = 100_000


def run_sweep(design: Path | None, options: dict[str, Any], output: Path | None, output_format: str | None) -> None:
    """Run the sweep that the design file and the options describe; with nothing at all, the main job."""
    if output_format not in (None, "table", "csv", "jsonl"):
        stop(f"error: --format {output_format!r} is not known; allowed: table, csv, jsonl")
    if output_format and output:
        stop("error: --format picks what is printed; with -o the suffix of the file picks the format")
    if output is not None:
        check_suffix(output)
    given = {key: value for key, value in options.items() if value not in (None, [], "")}
    empty = [key for key, value in options.items() if value == ""]
    if empty:
        stop("\n".join(f"error: --{key.replace('_', '-')} is empty" for key in empty))
    main_job = not given and design is None and output is None and output_format is None
    if main_job:
        Path(RESULTS_FOLDER).mkdir(exist_ok=True)
    if design is not None:
        given = {**read_design(design), **given}
    space = build_space(given, [DEFAULT_WORKLOAD], DEFAULT_PROFILES)
    results = results_of(space, sys.argv[1:], _progress(space.point_count()))
    if main_job:
        print(sweep_table(results, space))
        write_main_job(space, results)
    elif output is not None:
        write_results(results, output)
        say(f"{len(results):,} rows in {output}")
    elif output_format in (None, "table"):
        print(sweep_table(results, space))
    else:
        (write_csv if output_format == "csv" else write_jsonl)(results, sys.stdout)


def results_of(
    space: DesignSpace, arguments: Sequence[str], progress: Callable[[int, int], None] | None = None
) -> Results:
    """Evaluate a space and attach its provenance."""
    return Results(run(space, progress), provenance(space, arguments))


def _progress(points: int) -> Callable[[int, int], None] | None:
    """A progress line on stderr for long sweeps at a terminal."""
    if points < PROGRESS_POINTS or not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\n" if done >= total else ""
        print(f"\r{done:,} of {total:,} design points", end=end, file=sys.stderr, flush=True)

    return show


def write_main_job(space: DesignSpace, results: Results) -> None:
    """Write results and plots of the main job to their folder, and say where."""
    from dataclasses import replace

    from foldsim import plotting

    folder = Path(RESULTS_FOLDER)
    arguments = ["sweep"]
    write_results(results, folder / "sweep.csv")
    by_op = results_of(replace(space, by="op"), [*arguments, "--by", "op"])
    write_results(by_op, folder / "sweep_by_op.csv")
    say("")
    say(f"results  {folder / 'sweep.csv'} ({len(results)} designs), {folder / 'sweep_by_op.csv'} ({len(by_op):,} rows)")
    files = []
    for kind, rows in [*((kind, results) for kind in MAIN_PLOTS), ("roofline", by_op)]:
        files.append(folder / f"{kind}.png")
        plotting.save(plotting.draw(rows, kind), files[-1])
    say("plots    " + "\n         ".join(str(file) for file in files))
    say(f"next     foldsim simulate {DEFAULT_WORKLOAD} phone-npu --chunk-ms 160 --fold 2   (where each milliwatt goes)")
