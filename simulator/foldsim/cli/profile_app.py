"""Options of ``foldsim profile``; the work is in the modules that the commands import when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldsim.cli.guard import guarded

profile_app = typer.Typer(
    help="Hardware profiles: list, show, new, validate, diff, calibrate, rules, schema.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@profile_app.command("list")
@guarded
def profile_list() -> None:
    """List the shipped profiles."""
    from foldsim.cli.profiles import run_list

    run_list()


@profile_app.command("show")
@guarded
def profile_show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE")],
    sources: Annotated[bool, typer.Option("--sources", help="List the sources and what rests on each.")] = False,
) -> None:
    """Show a profile's numbers with their ranges and sources."""
    from foldsim.cli.profiles import run_show

    run_show(name, sources)


@profile_app.command("new")
@guarded
def profile_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new profile, such as my-chip.")],
    preset: Annotated[
        str,
        typer.Option("--from", metavar="PRESET", help="Profile to start from: a shipped name, or a file."),
    ] = "phone-npu",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.yaml", help="Write to a file. [default: standard output]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE.yaml if it is there.")] = False,
) -> None:
    """Write a profile to fill in: every number says what it is, what is usual and where a data sheet has it."""
    from foldsim.cli.profile_new import run_new

    run_new(name, preset, output, force)


@profile_app.command("validate")
@guarded
def profile_validate(
    files: Annotated[list[str], typer.Argument(metavar="NAME|FILE...")],
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Refuse unused sources, sources that cannot be looked up and energies that are assumed outright.",
        ),
    ] = False,
    output_format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, json, or github for annotations in GitHub Actions.")
    ] = "text",
) -> None:
    """Check profiles; every finding with file, line and column. Exit 1 if there are errors.

    Warns of what is physically implausible, and computes derived numbers again from their rules.
    """
    from foldsim.cli.checking import run_validate_files

    run_validate_files("hw_profiles", files, strict, output_format)


@profile_app.command("diff")
@guarded
def profile_diff(
    first: Annotated[str, typer.Argument(metavar="A", help="Shipped name or file.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Shipped name or file.")],
    workload: Annotated[
        str | None,
        typer.Option(
            "--workload",
            "-w",
            metavar="NAME|FILE",
            help="Workload of the reference sweep. [default: emformer-rnnt-base, or mlperf-tiny-sww where that does not"
            " fit]",
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Differences to list, largest effect first; 0 lists all.")
    ] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Compare two profiles: every parameter that differs, the ratio, and what it alone does to power."""
    from foldsim.cli.profile_diff import run_diff

    run_diff(first, second, workload, top, as_json)


@profile_app.command("calibrate")
@guarded
def profile_calibrate(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Shipped name or file.")],
    measurements: Annotated[
        Path, typer.Argument(metavar="MEASUREMENTS.csv", help="Measured rows; docs/profile-calibrate.md says how.")
    ],
    fit: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME...]",
            help="What to fit: latency_efficiency, energy_overhead, bandwidth_efficiency[.LEVEL],"
            " compute_efficiency[.UNIT], overlap[.UNIT], dispatch[.UNIT], static_power[.UNIT], idle_power, busy_power,"
            " or a number by its name. [default: latency_efficiency if times are given, energy_overhead if energies]",
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(metavar="ROW[,ROW...]", help="Rows to fit on; the others are only predicted. [default: all]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="NEW.yaml", help="Write the calibrated profile.")
    ] = None,
) -> None:
    """Fit a few numbers of a profile to measured latency, energy and power; needs SciPy.

    Prints every row before and after, left out and predicted. Writes a profile that extends the original and says what
    was fitted on which rows, with the uncertainty of the fit as ranges.
    """
    from foldsim.cli.calibrate import run_calibrate

    run_calibrate(profile, measurements, fit, rows, output)


@profile_app.command("rules")
@guarded
def profile_rules(
    name: Annotated[str | None, typer.Argument(metavar="[RULE]", help="One rule in full. [default: all]")] = None,
) -> None:
    """List the named rules by which numbers may be derived, with their parameters and sources."""
    from foldsim.cli.profiles import run_rules

    run_rules(name)


@profile_app.command("measure")
@guarded
def profile_measure(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Name of the profile. [default: the file's, or this-machine-RUNTIME]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to FILE. [default: standard output]")
    ] = None,
    runtime: Annotated[
        str,
        typer.Option(metavar="RUNTIME", help="Library whose kernels are measured: numpy, torch or onnxruntime."),
    ] = "numpy",
    threads: Annotated[int, typer.Option(min=1, max=1024, metavar="COUNT", help="Threads of the library.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="A third of the time, with wider ranges.")] = False,
) -> None:
    """Build a profile of this machine from microbenchmarks, in under two minutes. Power is assumed without a meter."""
    from foldsim.cli.measure import run_measure

    run_measure(name, output, runtime, threads, quick)


@profile_app.command("schema")
@guarded
def profile_schema(
    dram: Annotated[bool, typer.Option("--dram", help="That of records of DRAM types instead.")] = False,
) -> None:
    """Print the JSON Schema of profiles, for editors: keys, meanings, usual ranges, where to find each number."""
    from foldsim.cli.checking import print_schema

    print_schema("hw_profiles", dram)
