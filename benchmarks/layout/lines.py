"""Lines of spikes as the wires that they are: their resistance, and how long their own capacitance takes behind it."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figure import Figure
from benchmarks.layout.checks import REFERENCE, cells
from layouts.extraction.conductors import FlatCell
from layouts.extraction.extract import extract_conductors
from layouts.extraction.rails import spike_lines
from layouts.project import draw


def figures(quick: bool) -> Iterator[Figure]:
    """Of the slowest line of each layer of the 5-5-5."""
    project = draw(cells(), REFERENCE, "network")
    flat = FlatCell(project.network.cell)
    total = extract_conductors(flat.conductors()).total()
    for layer, name in ((1, "input"), (2, "hidden")):
        lines = list(spike_lines(project.network, flat, layer, range(REFERENCE[layer - 1])))
        line = max(lines, key=lambda line: line.delay_s(total[line.net]))
        told = f"{line.net}, from what drives it to the farthest row, {total[line.net]:.3g} F; the slowest of {len(lines)} lines"
        yield Figure(f"layout.spike_line_{name}_ohm", max(line.drop_ohm().values()), "ohm", "", told)
        yield Figure(f"layout.spike_line_{name}_delay_s", line.delay_s(total[line.net]), "s", "", f"Elmore, {told}")
