"""The commands of ``foldsim profile``; the modules that do the work are imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldsim.cli import options
from foldsim.cli.file_commands import add_list, add_new
from foldsim.cli.guard import guarded

profile_app = typer.Typer(
    help="Hardware profiles: list, show, check, measure, fit.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
add_list(profile_app, "hw_profiles", "List the shipped profiles.\n\nGrade: A measured, to D assumed.")


@profile_app.command("show")
@guarded
def profile_show(
    name: Annotated[str, options.name_argument("hw_profiles", "NAME|FILE")],
    sources: Annotated[bool, typer.Option("--sources", help="List the sources, and the values that use each.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show the values of a profile, with ranges and sources."""
    from foldsim.cli.profiles import run_show

    run_show(name, sources, as_json)


add_new(
    profile_app,
    "hw_profiles",
    "Write a profile to fill in, with a comment at every key.\n\n"
    "The comments say what a key means, which values are usual, and where a data sheet gives it.",
)


@profile_app.command("validate")
@guarded
def profile_validate(
    files: options.ProfileFiles,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Also report as errors: unused sources, sources without a reference, and energies that are only"
            " assumed.",
        ),
    ] = False,
    output_format: options.FindingsFormat = "text",
) -> None:
    """Check profiles; findings have file, line and column.

    Warns of physically implausible values, and recomputes derived values from their rules. Exits 1 if there are errors,
    2 if a file cannot be read.
    """
    from foldsim.cli.checking import run_validate_files

    run_validate_files("hw_profiles", files, strict, output_format)


@profile_app.command("diff")
@guarded
def profile_diff(
    first: Annotated[str, options.name_argument("hw_profiles", "A")],
    second: Annotated[str, options.name_argument("hw_profiles", "B")],
    workload: options.ReferenceWorkload = None,
    top: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Differences to list, largest effect first; 0 lists all.")
    ] = 30,
    as_json: options.Json = False,
) -> None:
    """Compare two profiles by parameter, with effects on power.

    The effect of a parameter is the change of power if that parameter alone takes the other profile's value.
    """
    from foldsim.cli.profile_diff import run_diff

    run_diff(first, second, workload, top, as_json)


@profile_app.command("calibrate")
@guarded
def profile_calibrate(
    profile: options.ProfileName,
    measurements: Annotated[
        Path, typer.Argument(metavar="MEASUREMENTS.csv", help="Measured rows; see docs/profile-calibrate.md.")
    ],
    fit: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME...]",
            help="Parameters to fit: latency_efficiency, energy_overhead, bandwidth_efficiency[.LEVEL],"
            " compute_efficiency[.UNIT], overlap[.UNIT], dispatch[.UNIT], static_power[.UNIT], idle_power, busy_power,"
            " or the path of a value. [default: latency_efficiency if times are given, energy_overhead if energies]",
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
    """Fit a few values of a profile to measurements; needs SciPy.

    Measured are latency, energy and power. Prints the error of every row before and after the fit, and when the row is
    left out of it. The calibrated profile extends the original; it records what was fitted on which rows, and gives the
    uncertainty of the fit as ranges.
    """
    from foldsim.cli.calibrate import run_calibrate

    run_calibrate(profile, measurements, fit, rows, output)


@profile_app.command("rules")
@guarded
def profile_rules(
    name: Annotated[str | None, typer.Argument(metavar="RULE", help="Show one rule in full. [default: all]")] = None,
    as_json: options.Json = False,
) -> None:
    """List the rules that derive values, with their parameters."""
    from foldsim.cli.profiles import run_rules

    run_rules(name, as_json)


@profile_app.command("measure")
@guarded
def profile_measure(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of the profile. [default: that of FILE, else this-machine-RUNTIME]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE. [default: standard output]")
    ] = None,
    runtime: options.Runtime = "numpy",
    threads: Annotated[int, typer.Option(min=1, max=1024, metavar="COUNT", help="Threads of the library.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Take a third of the time; the ranges are wider.")] = False,
) -> None:
    """Measure this machine and write its profile.

    Runs microbenchmarks for up to two minutes. Power is assumed, unless the machine has a power meter.
    """
    from foldsim.cli.measure import run_measure

    run_measure(name, output, runtime, threads, quick)


@profile_app.command("schema")
@guarded
def profile_schema(
    dram: Annotated[bool, typer.Option("--dram", help="Print the schema of DRAM records instead.")] = False,
) -> None:
    """Print the JSON Schema of profiles, for editors."""
    from foldsim.cli.checking import print_schema

    print_schema("hw_profiles", dram)
