"""The command line: options here, work in the modules that the commands import when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldsim.cli.guard import guarded

app = typer.Typer(
    name="foldsim",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Power, memory and latency of streaming speech recognisers on a chip, baseline or folded,"
    " before anything is trained.\n\nStart with: foldsim sweep",
)
profile_app = typer.Typer(
    help="Hardware profiles: list, show, validate, schema.", no_args_is_help=True, rich_markup_mode=None
)
workload_app = typer.Typer(help="Workloads: list, show, validate, schema.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(profile_app, name="profile")
app.add_typer(workload_app, name="workload")

# Options shared by sweep and simulate.
FoldLayers = Annotated[
    str | None,
    typer.Option(
        metavar="WHICH",
        help="Layers to fold: all, 1-10, 1,4,7 or every:2; layers count from 1."
        " [default: the workload's own, else all]",
    ),
]
FoldScope = Annotated[
    str | None,
    typer.Option(
        metavar="SCOPE", help="attention, or attention+feedforward. [default: the workload's own, else attention]"
    ),
]
FoldHeads = Annotated[
    str | None,
    typer.Option(metavar="POLICY", help="keep_head_dim (heads divide by N) or keep_heads. [default: keep_head_dim]"),
]
Policy = Annotated[
    str | None,
    typer.Option(
        metavar="POLICY",
        help="Operating point: race-to-idle, slowest-real-time, or a point's name. [default: the profile's own]",
    ),
]
Placement = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE", help="Homes of weights and state: auto, dram, or pinned:COMPONENT,... [default: auto]"
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUES",
        help="Change a number: profile.memory_levels.dram.read_pj_per_byte=60 or workload.precision.weights=int4;"
        " repeatable. The number's range closes to the value; end the path in .value to keep it. foldsim sweep takes"
        " several values, 60,80 or 0:100:20.",
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        from foldsim._version import __version__

        typer.echo(f"foldsim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
@guarded
def sweep(
    design: Annotated[
        Path | None,
        typer.Argument(metavar="[DESIGN.yaml]", help="Design space in YAML; options override it."),
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            "--workload", "-w", metavar="NAME|FILE", help="Workload; repeatable. [default: emformer-rnnt-base]"
        ),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            "--profile", "-p", metavar="NAME|FILE", help="Hardware profile; repeatable. [default: all shipped]"
        ),
    ] = None,
    chunk_ms: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Chunk sizes: 40:1280:40 (first:last:step) or 40,80,160. [default: 40,80,160,320,640,1280]",
        ),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Folding factors N; 1 is the baseline. [default: 1,2]"),
    ] = None,
    fold_layers: FoldLayers = None,
    fold_scope: FoldScope = None,
    fold_heads: FoldHeads = None,
    policy: Policy = None,
    placement: Placement = None,
    sets: Sets = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL", help="Rows per design: total, component, op, term, level or tensor. [default: total]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write results to FILE.csv, .jsonl or .parquet."),
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="FORMAT", help="What to print without -o: table, csv or jsonl. [default: table]"
        ),
    ] = None,
) -> None:
    """Predict power, memory and latency over chunk sizes, folding factors and chips.

    With no arguments: the shipped Emformer transducer, baseline and folded, on every shipped chip; prints a table and
    writes results and plots to foldsim-results/.
    """
    from foldsim.cli.sweep import run_sweep

    run_sweep(
        design,
        {
            "workloads": workload,
            "profiles": profile,
            "chunk_ms": chunk_ms,
            "fold": fold,
            "fold_layers": fold_layers,
            "fold_scope": fold_scope,
            "fold_heads": fold_heads,
            "policy": policy,
            "placement": placement,
            "sets": sets,
            "by": by,
        },
        output,
        output_format,
    )


@app.command()
@guarded
def simulate(
    workload: Annotated[str, typer.Argument(metavar="WORKLOAD", help="Shipped name or file.")] = "emformer-rnnt-base",
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Shipped name or file.")] = "phone-npu",
    chunk_ms: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Chunk duration. [default: the workload's own]"),
    ] = None,
    fold: Annotated[int | None, typer.Option(metavar="N", help="Folding factor. [default: the workload's own]")] = None,
    fold_layers: FoldLayers = None,
    fold_scope: FoldScope = None,
    fold_heads: FoldHeads = None,
    policy: Policy = None,
    placement: Placement = None,
    sets: Sets = None,
    top: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Ops to list, largest energy first; 0 lists all.")
    ] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Explain one design: where each milliwatt goes, what bounds each op, what lives where."""
    from foldsim.cli.simulate import run_simulate

    run_simulate(
        workload, profile, chunk_ms, fold, (fold_layers, fold_scope, fold_heads), policy, placement, sets, top, as_json
    )


@app.command()
@guarded
def plot(
    results: Annotated[
        Path | None,
        typer.Argument(metavar="RESULTS", help="Result file of foldsim sweep -o."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", "-k", metavar="KIND", help="Kind of figure; repeatable. [default: all that the rows allow]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="A .png, .svg or .pdf file for one kind, else a folder. [default: the folder of RESULTS]",
        ),
    ] = None,
    chunk_ms: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Keep this chunk size only. Kinds that show one take 160 ms otherwise."),
    ] = None,
    style: Annotated[
        str, typer.Option("--style", metavar="STYLE", help="light, or print (one column wide, safe in greyscale).")
    ] = "light",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="Write the plotted points of one kind to FILE.csv, .jsonl or .parquet; without -o no figure is drawn.",
        ),
    ] = None,
    list_kinds: Annotated[bool, typer.Option("--list", help="List the kinds with the question each answers.")] = False,
) -> None:
    """Draw design-space figures from a result file."""
    from foldsim.cli import plot as command

    if list_kinds:
        command.run_list()
    elif results is None:
        raise typer.BadParameter("give a result file (foldsim sweep -o results.csv makes one), or --list")
    else:
        command.run_plot(results, kind, output, style, data, chunk_ms)


@app.command()
@guarded
def report(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Result file of foldsim sweep -o.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="Page to write.")] = Path(
        "report.html"
    ),
) -> None:
    """Make one self-contained HTML page: verdict, linked charts, table and sources."""
    from foldsim.cli.report import run_report

    run_report(results, output)


@app.command()
@guarded
def validate(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the rows to FILE.csv, .jsonl or .parquet."),
    ] = None,
) -> None:
    """Compare predictions with published claims; assumptions stand in the same table."""
    from foldsim.cli.validate import run_validate

    run_validate(output)


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


@profile_app.command("validate")
@guarded
def profile_validate(
    files: Annotated[list[str], typer.Argument(metavar="NAME|FILE...")],
) -> None:
    """Check profiles; every finding with file, line and column. Exit 1 if there are errors."""
    from foldsim.cli.checking import run_validate_files

    run_validate_files("hw_profiles", files)


@profile_app.command("schema")
@guarded
def profile_schema() -> None:
    """Print the JSON Schema of profiles, for editors."""
    from foldsim.cli.checking import print_schema

    print_schema("hw_profiles")


@workload_app.command("list")
@guarded
def workload_list() -> None:
    """List the shipped workloads."""
    from foldsim.cli.workloads import run_list

    run_list()


@workload_app.command("show")
@guarded
def workload_show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE")],
    chunk_ms: Annotated[float | None, typer.Option(metavar="MS", help="Chunk duration.")] = None,
    fold: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Folding factor. [default: the workload's own]")
    ] = None,
) -> None:
    """Show a workload's components and ops with shapes, parameters and MACs."""
    from foldsim.cli.workloads import run_show

    run_show(name, chunk_ms, fold)


@workload_app.command("validate")
@guarded
def workload_validate(
    files: Annotated[list[str], typer.Argument(metavar="NAME|FILE...")],
) -> None:
    """Check workloads; every finding with file, line and column. Exit 1 if there are errors."""
    from foldsim.cli.checking import run_validate_files

    run_validate_files("workloads", files)


@workload_app.command("schema")
@guarded
def workload_schema() -> None:
    """Print the JSON Schema of workloads, for editors."""
    from foldsim.cli.checking import print_schema

    print_schema("workloads")
