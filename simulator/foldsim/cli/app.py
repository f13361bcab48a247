"""The root of the command line and its commands; the modules that do the work are imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldsim.cli import options
from foldsim.cli.guard import guarded, stop
from foldsim.cli.profile_app import profile_app
from foldsim.cli.workload_app import workload_app

HELP_COLUMNS = 100  # a wider terminal does not widen the help further

app = typer.Typer(
    name="foldsim",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": HELP_COLUMNS},
    help="Predict power, memory and latency of streaming speech recognisers on a chip.\n\n"
    "Attention layers may be folded, and weights compressed; nothing needs to be trained first."
    " Start with: foldsim sweep\n\n"
    "Exit codes: 0 success, 1 findings (such as errors in a checked file), 2 wrong usage or unreadable input.",
)
app.add_typer(profile_app, name="profile")
app.add_typer(workload_app, name="workload")


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
        typer.Argument(metavar="DESIGN.yaml", help="File with the options of the sweep; those given here override."),
    ] = None,
    workload: options.WorkloadsOption = None,
    profile: options.ProfilesOption = None,
    chunk_ms: options.ChunkList = None,
    fold: options.FoldList = None,
    fold_layers: options.FoldLayers = None,
    fold_scope: options.FoldScope = None,
    fold_heads: options.FoldHeads = None,
    compress: options.CompressList = None,
    policy: options.Policy = None,
    placement: options.Placement = None,
    sets: options.Sets = None,
    by: options.By = None,
    sample: options.Sample = None,
    method: options.Method = None,
    seed: options.Seed = None,
    output: options.RowsOutput = None,
    output_format: options.RowsFormat = None,
) -> None:
    """Predict power, memory and latency of many designs.

    A design is a workload on a profile with a chunk size and a folding factor. With no arguments: the shipped Emformer
    transducer, baseline and folded, on one chip of each class; prints a table and writes results and plots to
    foldsim-results/.
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
            "compress": compress,
            "policy": policy,
            "placement": placement,
            "sets": sets,
            "by": by,
            "sample": sample,
            "method": method,
            "seed": seed,
        },
        output,
        output_format,
    )


@app.command()
@guarded
def simulate(
    workload: options.WorkloadName = options.DEFAULT_WORKLOAD,
    profile: options.ProfileName = options.DEFAULT_PROFILE,
    chunk_ms: options.ChunkMs = None,
    fold: options.Fold = None,
    fold_layers: options.FoldLayers = None,
    fold_scope: options.FoldScope = None,
    fold_heads: options.FoldHeads = None,
    compress: options.Compress = None,
    policy: options.Policy = None,
    placement: options.Placement = None,
    sets: options.Sets = None,
    sample: options.Sample = None,
    method: options.Method = None,
    seed: options.Seed = None,
    top: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Ops to list, largest energy first; 0 lists all.")
    ] = 12,
    as_json: options.Json = False,
) -> None:
    """Explain one design: power by term, time, memory, ops."""
    from foldsim.cli.simulate import run_simulate

    run_simulate(
        {
            "workload": workload,
            "profile": profile,
            "chunk_ms": chunk_ms,
            "fold": fold,
            "fold_layers": fold_layers,
            "fold_scope": fold_scope,
            "fold_heads": fold_heads,
            "compress": compress,
            "policy": policy,
            "placement": placement,
            "sets": sets,
            "sample": sample,
            "method": method,
            "seed": seed,
        },
        top,
        as_json,
    )


@app.command("tipping-point")
@guarded
def tipping_point(
    workload: options.WorkloadName = options.DEFAULT_WORKLOAD,
    profile: options.ProfileNames = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            metavar="CHANGES",
            help="Changes of the workload that may save something: fold=2,fold_layers=1-10,fold_heads=keep_heads,"
            " attention=favor,attention.features=266 or compress=joiner:int4-g32; repeatable, one table each."
            " [default: fold=2]",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="CHANGES|WORKLOAD",
            help="What it is compared with: other changes, another workload, or both: NAME,fold=2. [default: baseline]",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Some of macs,energy,latency,memory. [default: all]"),
    ] = None,
    chunk_ms: options.ChunkList = None,
    max_keys: Annotated[
        int, typer.Option(min=1, max=1_000_000, metavar="TOKENS", help="Largest number of keys searched.")
    ] = 65_536,
    policy: options.Policy = None,
    placement: options.Placement = None,
    sets: options.Sets = None,
    output: options.RowsOutput = None,
    output_format: options.RowsFormat = None,
) -> None:
    """Find the context and chunk sizes at which folding saves.

    Compares work, energy, latency and memory of a variant, folded by default, with a baseline. The left context grows
    from none at every chunk size; then the chunk grows at the workload's own left context.
    """
    from foldsim.cli.tipping import run_tipping

    run_tipping(
        workload,
        profile or [options.DEFAULT_PROFILE],
        variant,
        against,
        metric,
        chunk_ms,
        max_keys,
        policy,
        placement,
        sets,
        output,
        output_format,
    )


@app.command()
@guarded
def plot(
    results: Annotated[
        Path | None, typer.Argument(metavar="RESULTS", help="Result file, from foldsim sweep -o.")
    ] = None,
    kind: options.PlotKinds = None,
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
        typer.Option(
            metavar="MS",
            help="Only the rows of this chunk size. [default: all; 160 ms in kinds that show one chunk size]",
        ),
    ] = None,
    style: options.PlotStyle = "light",
    data: options.PlotData = None,
    list_kinds: Annotated[
        bool, typer.Option("--list", help="List the kinds, the rows each needs, and the question each answers.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --list: print JSON instead of text.")] = False,
) -> None:
    """Draw figures from a result file."""
    from foldsim.cli import plot as command

    if as_json and not list_kinds:
        stop("error: --json needs --list")
    if list_kinds:
        command.run_list(as_json)
    elif results is None:
        stop("error: give a result file (foldsim sweep -o results.csv writes one), or --list")
    else:
        command.run_plot(results, kind, output, style, data, chunk_ms)


@app.command()
@guarded
def report(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Result file, from foldsim sweep -o.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="Page to write.")] = Path(
        "report.html"
    ),
) -> None:
    """Write one HTML page: verdict, charts, table, sources.

    The page is self-contained: it can be sent to others and needs no network.
    """
    from foldsim.cli.report import run_report

    run_report(results, output)


@app.command()
@guarded
def validate(
    group: options.Groups = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if a target misses its tolerance or cannot be predicted.")
    ] = False,
    output: options.RowsOutput = None,
) -> None:
    """Compare predictions with published measurements.

    Prints the error of every target, the predicted band, and a summary per group.
    """
    from foldsim.cli.validate import run_validate

    run_validate(group or [], strict, output)
