"""The error of the report."""

from __future__ import annotations

from foldsim.errors import UserError


class ReportError(UserError):
    """A report that cannot be created; the message says why and what to do."""
