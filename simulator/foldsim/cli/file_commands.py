"""Commands that ``foldsim profile`` and ``foldsim workload`` share: ``list`` and ``new``."""

from pathlib import Path
from typing import Annotated

import typer

from foldsim.cli.guard import guarded
from foldsim.cli.options import DEFAULT_PROFILE, DEFAULT_WORKLOAD, Json, name_option
from foldsim.data import Kind

# No deferred annotations here: the completion of --from depends on the kind.


def add_list(app: typer.Typer, kind: Kind, description: str) -> None:
    """Add the command ``list``."""

    @app.command("list", help=description)
    @guarded
    def list_shipped(as_json: Json = False) -> None:
        from foldsim.cli.listing import run_list

        run_list(kind, as_json)


def add_new(app: typer.Typer, kind: Kind, description: str) -> None:
    """Add the command ``new``."""
    word = "workload" if kind == "workloads" else "profile"

    @app.command("new", help=description)
    @guarded
    def new(
        name: Annotated[str, typer.Argument(metavar="NAME", help=f"Name of the new {word}.")],
        preset: Annotated[
            str,
            name_option(kind, "--from", description=f"Start from a copy of this {word}."),
        ] = DEFAULT_WORKLOAD if kind == "workloads" else DEFAULT_PROFILE,
        output: Annotated[
            Path | None,
            typer.Option("--output", "-o", metavar="FILE.yaml", help="Write to a file. [default: standard output]"),
        ] = None,
        force: Annotated[bool, typer.Option("--force", help="Replace FILE.yaml if it exists.")] = False,
    ) -> None:
        from foldsim.cli.new import run_new

        run_new(kind, name, preset, output, force)
