"""The command line: options here, work in the modules that the commands import when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldsim.cli.guard import guarded
from foldsim.cli.profile_app import profile_app
from foldsim.cli.workload_app import workload_app

app = typer.Typer(
    name="foldsim",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Power, memory and latency of streaming speech recognisers on a chip, baseline or folded,"
    " before anything is trained.\n\nStart with: foldsim sweep",
)
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

Sample = Annotated[
    int | None,
    typer.Option(
        "--sample",
        metavar="N",
        help="Draw N joint samples of every ranged number, timing and rates too, and give the 5 to 95 % bands of"
        " latency, energy, power and saving.",
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method", metavar="METHOD", help="How --sample draws: lhs, sobol (needs SciPy) or random. [default: lhs]"
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="S", help="The same seed draws the same samples. [default: 0]"),
]


COMPRESS_HELP = (
    "none, or rules COMPONENT[.CLASS]=METHOD[+METHOD] with commas between them, such as"
    " joiner=int4-g32,encoder.feedforward=2:4. CLASS: attention, feedforward, convolution, recurrent, embedding,"
    " linear. METHOD: int2..int8[-gN[-sB]], qsq, codebook-gN-bB, prune-0.5, 2:4, lowrank-R, drop-everyK, drop-1-3."
)


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
            "--profile", "-p", metavar="NAME|FILE", help="Hardware profile; repeatable. [default: one of each class]"
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
    compress: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULES",
            help=f"Weight transformations; repeatable, one design each: {COMPRESS_HELP}"
            " [default: none, and the workload's own]",
        ),
    ] = None,
    policy: Policy = None,
    placement: Placement = None,
    sets: Sets = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL", help="Rows per design: total, component, op, term, level or tensor. [default: total]"
        ),
    ] = None,
    sample: Sample = None,
    method: Method = None,
    seed: Seed = None,
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

    With no arguments: the shipped Emformer transducer, baseline and folded, on a chip of each class; prints a table and
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
    compress: Annotated[
        str | None,
        typer.Option(metavar="RULES", help=f"Weight transformations: {COMPRESS_HELP} [default: the workload's own]"),
    ] = None,
    policy: Policy = None,
    placement: Placement = None,
    sets: Sets = None,
    sample: Sample = None,
    method: Method = None,
    seed: Seed = None,
    top: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Ops to list, largest energy first; 0 lists all.")
    ] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Explain one design: where each milliwatt goes, what bounds each op, what lives where."""
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
    workload: Annotated[str, typer.Argument(metavar="WORKLOAD", help="Shipped name or file.")] = "emformer-rnnt-base",
    profile: Annotated[
        list[str] | None, typer.Argument(metavar="PROFILE...", help="Shipped names or files. [default: phone-npu]")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            metavar="TEXT",
            help="What may pay: fold=2,fold_layers=1-10,fold_scope=attention+feedforward,fold_heads=keep_heads,"
            " attention=favor,attention.features=266, compress=joiner:int4-g32; repeatable, one table each."
            " [default: fold=2]",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT|WORKLOAD",
            help="What it is compared with: another variant, another workload, or both: NAME,fold=2."
            " [default: baseline]",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Of macs, energy, latency, memory. [default: all]"),
    ] = None,
    chunk_ms: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Chunk sizes: 40:1280:40 (first:last:step) or 40,80,160. [default: those that foldsim sweep takes]",
        ),
    ] = None,
    max_keys: Annotated[
        int, typer.Option(min=1, max=1_000_000, metavar="TOKENS", help="Search up to so many keys.")
    ] = 65_536,
    policy: Policy = None,
    placement: Placement = None,
    sets: Sets = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the rows to FILE.csv, .jsonl or .parquet."),
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="FORMAT", help="What to print without -o: table, csv or jsonl. [default: table]"
        ),
    ] = None,
) -> None:
    """Find where folding, or any variant, starts and stops paying: in work, energy, latency and memory.

    For every chunk size the left context grows from none; then the chunk grows at the workload's own left context.
    """
    from foldsim.cli.tipping import run_tipping

    run_tipping(
        workload,
        profile or ["phone-npu"],
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
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group", "-g", metavar="NAME|FILE", help="Group of targets; repeatable. [default: all that ship]"
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if a target misses its tolerance or cannot be predicted.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the rows to FILE.csv, .jsonl or .parquet."),
    ] = None,
) -> None:
    """Compare predictions with what was measured or published: error, band, and a summary per group."""
    from foldsim.cli.validate import run_validate

    run_validate(group or [], strict, output)
