"""Arguments and options that several commands take, each declared once, and what the shell may complete for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from foldsim.data import Kind

DEFAULT_WORKLOAD = "emformer-rnnt-base"
DEFAULT_PROFILE = "phone-npu"


def shipped_names(kind: Kind) -> Callable[[str], list[str]]:
    """Completion of the shipped names of one kind; only file names are read."""

    def complete(incomplete: str) -> list[str]:
        from foldsim.data import shipped

        return [name for name in shipped(kind) if name.startswith(incomplete)]

    return complete


def name_argument(kind: Kind, metavar: str, description: str = "Shipped name or file.") -> Any:
    """The argument that takes a shipped name or the path of a file."""
    return typer.Argument(metavar=metavar, help=description, autocompletion=shipped_names(kind))


def name_option(kind: Kind, *names: str, description: str) -> Any:
    """The option that takes a shipped name or the path of a file."""
    return typer.Option(*names, metavar="NAME|FILE", help=description, autocompletion=shipped_names(kind))


def choice(*names: str, metavar: str, description: str, words: Sequence[str]) -> Any:
    """An option with a fixed list of words to complete; other values may be allowed too. The command checks them."""
    return typer.Option(
        *names,
        metavar=metavar,
        help=description,
        autocompletion=lambda incomplete: [word for word in words if word.startswith(incomplete)],
    )


def _plot_kinds(incomplete: str) -> list[str]:
    from foldsim.plotting.kinds import KINDS

    return [name for name in KINDS if name.startswith(incomplete)]


_row_suffixes = "FILE.csv, .jsonl or .parquet"

# ---- what is evaluated ----------------------------------------------------------------------------------------------

WorkloadName = Annotated[str, name_argument("workloads", "WORKLOAD")]
WorkloadFiles = Annotated[list[str], name_argument("workloads", "NAME|FILE", "Shipped names or files.")]
ProfileName = Annotated[str, name_argument("hw_profiles", "PROFILE")]
ProfileFiles = Annotated[list[str], name_argument("hw_profiles", "NAME|FILE", "Shipped names or files.")]
ProfileNames = Annotated[
    list[str] | None,
    name_argument("hw_profiles", "PROFILE", f"Shipped names or files. [default: {DEFAULT_PROFILE}]"),
]
WorkloadsOption = Annotated[
    list[str] | None,
    name_option("workloads", "--workload", "-w", description=f"Workload; repeatable. [default: {DEFAULT_WORKLOAD}]"),
]
ProfilesOption = Annotated[
    list[str] | None,
    name_option(
        "hw_profiles",
        "--profile",
        "-p",
        description="Hardware profile; repeatable. [default: one of each class of device]",
    ),
]
ReferenceWorkload = Annotated[
    str | None,
    name_option(
        "workloads",
        "--workload",
        "-w",
        description=f"Workload of the sweep. [default: {DEFAULT_WORKLOAD}; mlperf-tiny-sww if it does not fit]",
    ),
]
ChunkMs = Annotated[
    float | None, typer.Option(metavar="MS", help="Chunk duration in ms. [default: the workload's own]")
]
ChunkList = Annotated[
    str | None,
    typer.Option(
        "--chunk-ms",
        metavar="LIST",
        help="Chunk sizes in ms: 40,80,160 or first:last:step, 40:1280:40."
        " [default: the workload's published sizes, else 40,80,160,320,640,1280]",
    ),
]
Fold = Annotated[
    int | None, typer.Option(metavar="N", help="Folding factor; 1: not folded. [default: the workload's own]")
]
FoldList = Annotated[
    str | None,
    typer.Option("--fold", metavar="LIST", help="Folding factors N; 1 is the unfolded baseline. [default: 1,2]"),
]
FoldLayers = Annotated[
    str | None,
    typer.Option(
        metavar="LAYERS",
        help="Layers to fold, counted from 1: all, 1-10, 1,4,7 or every:2. [default: the workload's own, else all]",
    ),
]
FoldScope = Annotated[
    str | None,
    choice(
        metavar="SCOPE",
        description="Folded parts: attention, or attention+feedforward. [default: the workload's own, else attention]",
        words=("attention", "attention+feedforward"),
    ),
]
FoldHeads = Annotated[
    str | None,
    choice(
        metavar="RULE",
        description="keep_head_dim (the number of heads is divided by N) or keep_heads. [default: keep_head_dim]",
        words=("keep_head_dim", "keep_heads"),
    ),
]
_COMPRESS = (
    "COMPONENT[.CLASS]=METHOD[+METHOD], separated by commas, such as joiner=int4-g32,encoder.feedforward=2:4; or none."
    " CLASS: attention, feedforward, convolution, recurrent, embedding, linear. METHOD: int2..int8[-gN[-sB]], qsq,"
    " codebook-gN-bB, prune-0.5, 2:4, lowrank-R, drop-everyK, drop-1-3."
)
Compress = Annotated[
    str | None,
    typer.Option(metavar="RULES", help=f"Weight compression: {_COMPRESS} [default: the workload's own]"),
]
CompressList = Annotated[
    list[str] | None,
    typer.Option(
        "--compress",
        metavar="RULES",
        help=f"Weight compression; repeatable, one design each: {_COMPRESS} [default: none, and the workload's own]",
    ),
]
Variant = Annotated[
    str | None,
    typer.Option(
        metavar="CHANGES",
        help="Change the workload (in diff: B): fold=2,fold_layers=1-10, attention=favor, compress=joiner:int4-g32 ...",
    ),
]
Policy = Annotated[
    str | None,
    choice(
        metavar="POLICY",
        description="race-to-idle, slowest-real-time, or the name of an operating point. [default: the profile's own]",
        words=("race-to-idle", "slowest-real-time"),
    ),
]
Placement = Annotated[
    str | None,
    choice(
        metavar="PLACEMENT",
        description="Where weights and state are stored: auto, dram, or pinned:COMPONENT,... [default: auto]",
        words=("auto", "dram", "pinned:"),
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a value of the workload or profile: workload.precision.weights=int4 or"
        " profile.memory_levels.dram.read_pj_per_byte=60; repeatable. The value then has no range; a path that ends in"
        " .value keeps the range. foldsim sweep also takes several values: 60,80 or 0:100:20.",
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample",
        metavar="N",
        help="Draw N joint samples of all ranges, and report the 5 to 95 % band of latency, energy, power and saving.",
    ),
]
Method = Annotated[
    str | None,
    choice(
        "--method",
        metavar="METHOD",
        description="How --sample draws: lhs, sobol (needs SciPy) or random. [default: lhs]",
        words=("lhs", "sobol", "random"),
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="SEED", help="Seed of --sample; the same seed draws the same samples. [default: 0]"),
]

# ---- what is written ------------------------------------------------------------------------------------------------

RowsOutput = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help=f"Write the rows to {_row_suffixes}.")
]
RowsFormat = Annotated[
    str | None,
    choice(
        "--format",
        metavar="FORMAT",
        description="Format of what is printed without -o: table, csv or jsonl. [default: table]",
        words=("table", "csv", "jsonl"),
    ),
]
By = Annotated[
    str | None,
    choice(
        metavar="LEVEL",
        description="Rows per design: total, component, op, term, level or tensor. [default: total]",
        words=("total", "component", "op", "term", "level", "tensor"),
    ),
]
FindingsFormat = Annotated[
    str,
    choice(
        "--format",
        metavar="FORMAT",
        description="text, json, or github (annotations of GitHub Actions).",
        words=("text", "json", "github"),
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

# ---- figures and pages ----------------------------------------------------------------------------------------------

PlotKinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        "-k",
        metavar="KIND",
        help="Kind of figure; repeatable. [default: all that the rows allow]",
        autocompletion=_plot_kinds,
    ),
]
PlotStyle = Annotated[
    str,
    choice(
        metavar="STYLE",
        description="light, or print (one column wide, readable in greyscale).",
        words=("light", "print"),
    ),
]
PlotData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help=f"Write the plotted points of one kind to {_row_suffixes}; no figure is drawn unless -o is given.",
    ),
]
Runtime = Annotated[
    str,
    choice(
        metavar="RUNTIME",
        description="Library whose kernels are measured: numpy, torch or onnxruntime.",
        words=("numpy", "torch", "onnxruntime"),
    ),
]
Groups = Annotated[
    list[str] | None,
    name_option(
        "validation", "--group", "-g", description="Group of measured targets; repeatable. [default: all shipped]"
    ),
]
