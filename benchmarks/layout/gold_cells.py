"""The cells of the other synapses, and small networks of them, by magic and netgen."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figure import Figure, stored
from benchmarks.layout.checks import OTHER_CELLS, cells
from benchmarks.layout.gold import verdicts
from layouts.errors import ToolNotFound
from layouts.gold import found_tools
from layouts.gold.verdict import gold_verdict
from layouts.project import draw

SIZES = (2, 2)


def figures(quick: bool) -> Iterator[Figure]:
    """Those that are stored where magic, netgen or their PDK are missing; with `quick` of the last cell alone."""
    try:
        tools = found_tools()
    except ToolNotFound:
        yield from stored("layout.gold_cells")
        return
    for name in OTHER_CELLS[-1:] if quick else OTHER_CELLS:
        project = draw(cells(name), SIZES, f"{name}_2_2")
        for subject in project.subjects:
            if subject.cell.name.startswith((name, f"synapse_{name}")):
                yield from verdicts(gold_verdict(tools, subject), tools)
