"""The resistance of the lines that feed a network, as drawn."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figure import Figure
from benchmarks.layout.checks import REFERENCE, cells
from layouts.extraction.conductors import FlatCell
from layouts.extraction.rails import Rail, node_of, rails
from layouts.project import draw

NAMES = {"0": "ground"}


def figures(quick: bool) -> Iterator[Figure]:
    """Of the 5-5-5; what it does to spikes is measured by `layout.switched`."""
    project = draw(cells(), REFERENCE, "network")
    for rail in rails(project.network, FlatCell(project.network.cell)):
        yield from _of_rail(rail)


def _of_rail(rail: Rail) -> Iterator[Figure]:
    size, name = "_".join(map(str, REFERENCE)), NAMES.get(rail.net, rail.net)
    alone = rail.drop_ohm()
    farthest = max(alone, key=alone.__getitem__)
    yield Figure(f"layout.rail_{size}_{name}_ohm", alone[farthest], "ohm", "", f"from the pins to {farthest}, the farthest row")
    together = rail.drop_v({node_of(rail.net, row): 1.0 for row in rail.rows})[farthest]
    yield Figure(f"layout.rail_{size}_{name}_all_ohm", together, "V/A", "", f"at {farthest}, of the same current in every row")
