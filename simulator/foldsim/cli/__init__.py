"""The ``foldsim`` command."""

from __future__ import annotations


def main() -> None:
    """Entry point of the ``foldsim`` command."""
    from foldsim.cli.app import app

    app()
