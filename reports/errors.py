"""What can be wrong with what a user gave to this room."""

from __future__ import annotations


class ReportError(ValueError):
    """A run directory that cannot be reported on; the message is one line: file and what is wrong."""
