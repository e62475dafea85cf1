"""Antennas: wires that collect charge while they are etched, when all that they are joined to below is gates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import klayout.db as kdb

from layouts.drc.kinds import Rule, Shapes
from layouts.technology import CUTS, HEIGHT_UM, LAYERS, WIRES

_BELOW = ("diff", "tap", "poly", "licon1", "cap2m")


@dataclass(frozen=True)
class Antenna(Rule):
    """Side area of the wires of one layer to the area of the gates that they are joined to by the time they are etched.

    Wires that are joined to a diffusion, through which the charge leaves, do not count.
    """

    layer: str
    ratio: float

    @property
    def what(self) -> str:
        return f"side area of {self.layer} at most {self.ratio:g} times the area of the gates on it, without a diffusion"

    def broken(self, shapes: Shapes) -> Iterable[kdb.Box]:
        extractor, layers = _connected(shapes.cell, self.layer)
        found = extractor.antenna_check(
            layers["gate"], 1.0, 0.0, layers[self.layer], 0.0, HEIGHT_UM[self.layer][1], self.ratio, [[layers["outlet"], 0.0]]
        )
        return [one.bbox() for one in found.merged().each()]


def _connected(cell: kdb.Cell, top: str) -> tuple[kdb.LayoutToNetlist, dict[str, kdb.Region]]:
    """Nets of everything up to a layer: gates as a conductor of their own, diffusions as another."""
    layout = cell.layout()
    extractor = kdb.LayoutToNetlist(kdb.RecursiveShapeIterator(layout, cell, []))
    wires = WIRES[: WIRES.index(top) + 1]
    cuts = [cut for cut, (_, upper) in CUTS.items() if upper in wires]
    layers = {name: extractor.make_layer(layout.layer(*LAYERS[name]), name) for name in dict.fromkeys((*_BELOW, *wires, *cuts))}
    layers["gate"] = layers["poly"] & layers["diff"]
    layers["outlet"] = (layers["diff"] | layers["tap"]) - layers["gate"]
    if "via4" in layers:
        layers["via4"] = layers["via4"] - layers["cap2m"]  # those on a plate are no way down
    for name in ("gate", "outlet", "licon1", *wires, *cuts):
        extractor.connect(layers[name])
    extractor.connect(layers["gate"], layers["poly"])
    if "li1" in wires:
        for joined in ("poly", "outlet", "li1"):
            extractor.connect(layers["licon1"], layers[joined])
    for cut in cuts:
        for joined in CUTS[cut]:
            extractor.connect(layers[cut], layers[joined])
    extractor.extract_netlist()
    return extractor, layers
