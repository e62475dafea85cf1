"""The layout of the reference design and of larger arrays. Each part is a module with `figures(quick)`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from benchmarks.figure import Figure

PACKAGES = ("klayout", "numba", "PySpice")

PARTS = {
    "checks": "rules, comparison, seeded faults, time, area",
    "extraction": "how long the extraction of a network takes, and what its corners are",
    "gold": "the same layouts by magic and netgen, where these are",
}
"""In the order in which they are measured, and what each is about; the names of their figures begin with "layout."."""


def figures(quick: bool) -> Iterator[Figure]:
    """Every figure of every part."""
    for part in PARTS:
        yield from importlib.import_module(f"{__name__}.{part}").figures(quick)
