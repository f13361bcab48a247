"""Options of ``foldsim workload``; the work is in the modules that the commands import when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldsim.cli.guard import guarded

workload_app = typer.Typer(
    help="Workloads: list, show, diff, new, validate, schema.", no_args_is_help=True, rich_markup_mode=None
)

ChunkMs = Annotated[float | None, typer.Option(metavar="MS", help="Chunk duration. [default: the workload's own]")]


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
    chunk_ms: ChunkMs = None,
    fold: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Folding factor. [default: the workload's own]")
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant",
            metavar="TEXT",
            help="Show a variant: fold=2,fold_layers=1-10, attention=favor, compress=joiner:int4-g32 ...",
        ),
    ] = None,
) -> None:
    """Show a workload's components and ops: shapes, parameters, MACs, bytes of weights and state."""
    from foldsim.cli.workloads import run_show

    run_show(name, chunk_ms, fold, variant)


@workload_app.command("diff")
@guarded
def workload_diff(
    first: Annotated[str, typer.Argument(metavar="A", help="Shipped name or file, or with a variant: NAME,fold=2.")],
    second: Annotated[
        str | None, typer.Argument(metavar="[B]", help="The same. [default: A, as --variant changes it]")
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant",
            metavar="TEXT",
            help="Transform B: fold=2,fold_layers=1-10, attention=favor, compress=joiner:int4-g32 ...",
        ),
    ] = None,
    chunk_ms: ChunkMs = None,
) -> None:
    """Compare two workloads, or one with a variant: sizes and work by component, and what differs in structure."""
    from foldsim.cli.workload_diff import run_diff

    run_diff(first, second, variant, chunk_ms)


@workload_app.command("new")
@guarded
def workload_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new workload, such as my-encoder.")],
    preset: Annotated[
        str,
        typer.Option("--from", metavar="PRESET", help="Workload to start from: a shipped name, or a file."),
    ] = "emformer-rnnt-base",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.yaml", help="Write to a file. [default: standard output]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE.yaml if it is there.")] = False,
) -> None:
    """Write a workload to fill in: every key says what it is, what is allowed and where to find it."""
    from foldsim.cli.workload_new import run_new

    run_new(name, preset, output, force)


@workload_app.command("validate")
@guarded
def workload_validate(
    files: Annotated[list[str], typer.Argument(metavar="NAME|FILE...")],
    output_format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, json, or github for annotations in GitHub Actions.")
    ] = "text",
) -> None:
    """Check workloads; every finding with file, line and column. Exit 1 if there are errors."""
    from foldsim.cli.checking import run_validate_files

    run_validate_files("workloads", files, output_format=output_format)


@workload_app.command("schema")
@guarded
def workload_schema() -> None:
    """Print the JSON Schema of workloads, for editors."""
    from foldsim.cli.checking import print_schema

    print_schema("workloads")
