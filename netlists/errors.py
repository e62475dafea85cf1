"""Base of what can be wrong with something a user gave to this room. Each message is one line that says what would be right."""

from __future__ import annotations


class NetlistError(ValueError):
    """A circuit that cannot be built or drawn."""
