"""What is wrong with a report that was asked for."""

from __future__ import annotations

from foldsim.errors import UserError


class ReportError(UserError):
    """A report that cannot be made; the message says why and what to do."""
