"""``foldsim sweep``: build the space, run it, print or write the rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from foldsim.cli.guard import check_choice, say, stop
from foldsim.cli.options import DEFAULT_WORKLOAD
from foldsim.cli.progress import Progress
from foldsim.cli.sweep_table import ranking, sweep_table
from foldsim.cli.tables import paragraph, size
from foldsim.sweeps.engine import run
from foldsim.sweeps.options import build_space, read_design
from foldsim.sweeps.provenance import provenance
from foldsim.sweeps.results import Results, check_suffix, write_csv, write_jsonl, write_results
from foldsim.sweeps.space import DesignSpace

# One of each class, phones first.
DEFAULT_PROFILES = ("phone-npu", "pixel5-cpu", "watch-npu", "coral-edge-tpu", "gap9")
# No microcontroller can hold the default workload: the main job runs a model of their size on theirs.
MICROCONTROLLER, SMALL_WORKLOAD = "gap9", "mlperf-tiny-sww"
RESULTS_FOLDER = "foldsim-results"
MAIN_PLOTS = ("power-vs-chunk", "saving-vs-chunk", "latency-vs-chunk", "memory-vs-chunk", "power-breakdown")
FORMATS = ("table", "csv", "jsonl")


def check_output(output: Path | None, output_format: str | None) -> None:
    """Stop if rows cannot be written or printed as asked."""
    if output_format is not None:
        check_choice("--format", output_format, FORMATS)
    if output_format and output:
        stop("error: --format picks what is printed; with -o the suffix of the file picks the format")
    if output is not None:
        check_suffix(output)


def show_rows(results: Results, output: Path | None, output_format: str | None, text: Callable[[], str]) -> None:
    """Write the rows to a file, or print them in a format; ``text`` makes the table."""
    if output is not None:
        write_results(results, output)
        say(f"{len(results):,} rows in {output}")
    elif output_format in (None, "table"):
        print(text())
    else:
        (write_csv if output_format == "csv" else write_jsonl)(results, sys.stdout)


def run_sweep(design: Path | None, options: dict[str, Any], output: Path | None, output_format: str | None) -> None:
    """Run the sweep that the design file and the options describe; with nothing at all, the main job."""
    check_output(output, output_format)
    given = {key: value for key, value in options.items() if value not in (None, [], "")}
    empty = [key for key, value in options.items() if value == ""]
    if empty:
        stop("\n".join(f"error: --{key.replace('_', '-')} is empty" for key in empty))
    if not given and design is None and output is None and output_format is None:
        run_main_job()
        return
    if design is not None:
        given = {**read_design(design), **given}
    space = build_space(given, [DEFAULT_WORKLOAD], DEFAULT_PROFILES)
    results = results_of(space, sys.argv[1:])
    show_rows(results, output, output_format, lambda: sweep_table(results, space) + ranking(results, space))


def results_of(space: DesignSpace, arguments: Sequence[str]) -> Results:
    """Evaluate a space and attach its provenance."""
    with Progress("evaluating design points") as update:
        return Results(run(space, update), provenance(space, arguments))


def main_job_space() -> DesignSpace:
    """The default workload on one chip of each class, and a smaller one on the microcontroller."""
    space = build_space({"workloads": [DEFAULT_WORKLOAD, SMALL_WORKLOAD], "profiles": DEFAULT_PROFILES})
    larger = [(DEFAULT_WORKLOAD, name) for name in DEFAULT_PROFILES if name != MICROCONTROLLER]
    return replace(space, only_pairs=[*larger, (SMALL_WORKLOAD, MICROCONTROLLER)])


def run_main_job() -> None:
    """Print the table of the main job, write its results and plots to a folder, and say where."""
    from foldsim import plotting

    folder = Path(RESULTS_FOLDER)
    folder.mkdir(exist_ok=True)
    space = main_job_space()
    results, by_op = (
        results_of(replace(space, by=by), ["sweep", *extra]) for by, extra in (("total", ()), ("op", ("--by", "op")))
    )
    print(sweep_table(results, space))
    print(paragraph(_why_smaller(space)))
    write_results(results, folder / "sweep.csv")
    write_results(by_op, folder / "sweep_by_op.csv")
    say("")
    say(f"results  {folder / 'sweep.csv'} ({len(results)} designs), {folder / 'sweep_by_op.csv'} ({len(by_op):,} rows)")
    large, large_by_op = (rows.where(rows["workload"] == DEFAULT_WORKLOAD) for rows in (results, by_op))
    files = []
    for kind, rows in [*((kind, large) for kind in MAIN_PLOTS), ("roofline", large_by_op)]:
        files.append(folder / f"{kind}.png")
        plotting.save(plotting.draw(rows, kind), files[-1])
    say("plots    " + "\n         ".join(str(file) for file in files))
    say(f"next     foldsim simulate {DEFAULT_WORKLOAD} phone-npu --chunk-ms 160 --fold 2   (where each milliwatt goes)")


def _why_smaller(space: DesignSpace) -> str:
    """Why the microcontroller runs another model."""
    chip = next(profile for profile in space.profiles if profile.name == MICROCONTROLLER)
    params = sum(space.workloads[0].params().values())
    return (
        f"{chip.name} keeps {size(chip.kept_bytes())}, too little for the {params / 1e6:.0f} M weights of"
        f" {DEFAULT_WORKLOAD}; it runs {SMALL_WORKLOAD} instead. To see it all the same: foldsim sweep -p {chip.name}"
    )
