"""How long the extraction of a network takes, compiled code on disk, and what the corners say."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figure import Figure
from benchmarks.layout.checks import REFERENCE, cells
from benchmarks.probes import process_cpu_s
from layouts.extraction import Capacitances, Corner, conductors, extract_conductors
from layouts.project import draw

MEMBRANE = "layer_1_membrane_2"


def figures(quick: bool) -> Iterator[Figure]:
    """With `quick` only the 5-5-5."""
    for sizes in (REFERENCE,) if quick else (REFERENCE, (8, 8), (64, 32)):
        project = draw(cells(), sizes, "network")
        name = "_".join(map(str, sizes))
        before = process_cpu_s()
        drawn = conductors(project.network.cell)
        connected = process_cpu_s() - before
        found = extract_conductors(drawn)
        took = process_cpu_s() - before
        size = f"{len(drawn.kind)} rectangles, {len(found.farads)} pairs of {len(drawn.names)} nets"
        yield Figure(
            f"layout.extraction_s_{name}", took, "s", "", f"CPU time; {size}; {connected:.2f} s of it for nets and rectangles"
        )
        if sizes == REFERENCE:
            yield from _corners({corner: extract_conductors(drawn, corner) for corner in Corner})


def _corners(found: dict[Corner, Capacitances]) -> Iterator[Figure]:
    for corner, capacitances in found.items():
        value = capacitances.total()[MEMBRANE]
        yield Figure(
            f"layout.membrane_{corner}_f", value, "F", "", f"wires on {MEMBRANE} of the 5-5-5, capacitor and devices apart"
        )
