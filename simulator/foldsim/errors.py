"""Errors in what a user asked for, as opposed to faults of foldsim, and the suggestion that goes with them."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(ValueError):
    """An error whose message is meant for the user: what was found and what is allowed. Commands print it as it is."""


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name most similar to ``name``, or None if none is similar.

    Parameters
    ----------
    cutoff : least similarity, 0 to 1, of :func:`difflib.get_close_matches`.

    >>> nearest("phone-nqu", ["gap9", "phone-npu"])
    'phone-npu'
    """
    import difflib  # only needed for messages

    found = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return found[0] if found else None
