"""The ``foldsim`` command."""

from __future__ import annotations


def main() -> None:
    """Entry point of the ``foldsim`` command."""
    from foldsim.cli.app import app
    from foldsim.cli.guard import tolerate_encodings

    tolerate_encodings()
    app()
