"""Deliberate attacks: what leaks, what writes, what damage passes for data. Each part is a module with `figures(quick)`."""

from __future__ import annotations

PACKAGES = ("PySpice",)

PARTS = {
    "files": "files in which something else lies than should",
    "damage": "one bit flipped in what is kept",
    "hostile": "cells and libraries that would write, open, run or set something",
    "leaks": "what a deck leaves behind for the next",
    "expressions": "expressions, fast against plain",
    "kills": "sweeps and runs killed at random moments",
    "pace": "points a second at the start and at the end of 20 000",
    "memory": "the most that the parent of a sweep holds",
    "mutated": "decks changed at random, fast and plain against ngspice -b",
}
"""In the order in which they are measured, and what each is about; the names of their figures begin with "trust."."""
