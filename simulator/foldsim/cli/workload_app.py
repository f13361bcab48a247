"""The commands of ``foldsim workload``; the modules that do the work are imported when a command runs."""

from __future__ import annotations

from typing import Annotated

import typer

from foldsim.cli import options
from foldsim.cli.file_commands import add_list, add_new
from foldsim.cli.guard import guarded

workload_app = typer.Typer(
    help="Workloads: list, show, compare, write and check.", no_args_is_help=True, rich_markup_mode=None
)
DESIGN_HELP = "Shipped name or file, also with changes: NAME,fold=2."
add_list(
    workload_app,
    "workloads",
    "List the shipped workloads.\n\nchunk ms: the workload's own chunk size; any multiple of step ms is possible.",
)


@workload_app.command("show")
@guarded
def workload_show(
    name: Annotated[str, options.name_argument("workloads", "NAME|FILE", DESIGN_HELP)],
    chunk_ms: options.ChunkMs = None,
    fold: options.Fold = None,
    variant: options.Variant = None,
    as_json: options.Json = False,
) -> None:
    """Show the components and ops of a workload, with their sizes.

    Sizes are shapes, parameters, MACs, and bytes of weights and state.
    """
    from foldsim.cli.workloads import run_show

    run_show(name, chunk_ms, fold, variant, as_json)


@workload_app.command("diff")
@guarded
def workload_diff(
    first: Annotated[str, options.name_argument("workloads", "A", DESIGN_HELP)],
    second: Annotated[
        str | None, options.name_argument("workloads", "B", "The same. [default: A, changed by --variant]")
    ] = None,
    variant: options.Variant = None,
    chunk_ms: options.ChunkMs = None,
    as_json: options.Json = False,
) -> None:
    """Compare two workloads, or one with a variant of it.

    Prints sizes and work by component, and the options that differ.
    """
    from foldsim.cli.workload_diff import run_diff

    run_diff(first, second, variant, chunk_ms, as_json)


add_new(
    workload_app,
    "workloads",
    "Write a workload to fill in, with a comment at every key.\n\n"
    "The comments say what a key means, what is allowed, and where to find it.",
)


@workload_app.command("validate")
@guarded
def workload_validate(files: options.WorkloadFiles, output_format: options.FindingsFormat = "text") -> None:
    """Check workloads; findings have file, line and column.

    Exits 1 if there are errors, 2 if a file cannot be read.
    """
    from foldsim.cli.checking import run_validate_files

    run_validate_files("workloads", files, output_format=output_format)


@workload_app.command("schema")
@guarded
def workload_schema() -> None:
    """Print the JSON Schema of workloads, for editors."""
    from foldsim.cli.checking import print_schema

    print_schema("workloads")
