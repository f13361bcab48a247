"""Arguments and options that several commands take, each declared once, and what the shell may complete for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from foldsim.data import Kind
from foldsim.designs.axes import AXES

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


def axis(name: str, metavar: str = "", meaning: str = "", default: str = "") -> Any:
    """The option of an axis of a design; what is given replaces the texts of the table of axes."""
    entry = AXES[name]
    default = default or entry.default
    help_text = f"{meaning or entry.meaning}." + (f" [default: {default}]" if default else "")
    words = _SHIPPED.get(name) or (lambda incomplete: [word for word in entry.words if word.startswith(incomplete)])
    names = [each for each in (entry.option, entry.short) if each]
    return typer.Option(*names, metavar=metavar or entry.metavar, help=help_text, autocompletion=words)


_SHIPPED = {"workloads": shipped_names("workloads"), "profiles": shipped_names("hw_profiles")}
OWN = "the workload's own"


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
WorkloadsOption = Annotated[list[str] | None, axis("workloads")]
ProfilesOption = Annotated[list[str] | None, axis("profiles")]
ReferenceWorkload = Annotated[
    str | None,
    name_option(
        "workloads",
        "--workload",
        "-w",
        description=f"Workload of the sweep. [default: {DEFAULT_WORKLOAD}; mlperf-tiny-sww if it does not fit]",
    ),
]
ChunkMs = Annotated[float | None, axis("chunk_ms", "MS", "Chunk duration in ms", OWN)]
ChunkList = Annotated[str | None, axis("chunk_ms")]
Fold = Annotated[int | None, axis("fold", "N", "Folding factor; 1: not folded", OWN)]
FoldList = Annotated[str | None, axis("fold")]
FoldLayers = Annotated[str | None, axis("fold_layers")]
FoldScope = Annotated[str | None, axis("fold_scope")]
FoldHeads = Annotated[str | None, axis("fold_heads")]
Compress = Annotated[str | None, axis("compress", default=OWN)]
CompressList = Annotated[list[str] | None, axis("compress")]
Policy = Annotated[str | None, axis("policy")]
Placement = Annotated[str | None, axis("placement")]
Sets = Annotated[list[str] | None, axis("sets")]
By = Annotated[str | None, axis("by")]
Sample = Annotated[int | None, axis("sample")]
Method = Annotated[str | None, axis("method")]
Seed = Annotated[int | None, axis("seed")]
Variant = Annotated[
    str | None,
    typer.Option(
        metavar="CHANGES",
        help="Change the workload (in diff: B): fold=2,fold_layers=1-10, attention=favor, compress=joiner:int4-g32 ...",
    ),
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
