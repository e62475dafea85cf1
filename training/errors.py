"""Base of what can be wrong with something a user gave to this room. Each message is one line that says what would be right."""

from __future__ import annotations


class TrainingError(ValueError):
    """A file, a study or a network that cannot be used."""
