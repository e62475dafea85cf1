"""What can be wrong with something a user gave to this room. Each message is one line that says what would be right."""

from __future__ import annotations


class LayoutError(ValueError):
    """A layout that cannot be drawn, read or checked; base of the errors of this room."""


class ToolNotFound(LayoutError):
    """A program or package that this room needs is missing or too old."""
