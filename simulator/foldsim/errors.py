"""What a person asked for that cannot be done, as opposed to a fault of foldsim."""

from __future__ import annotations


class UserError(ValueError):
    """An error whose message is for the person: what was found, what is allowed. The command line shows it as it is."""
