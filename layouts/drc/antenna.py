"""Antennas: wires that collect charge while they are etched, when all that they are joined to below is gates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import klayout.db as kdb

from layouts.drc.kinds import Rule, Shapes
from layouts.technology import HEIGHT_UM, WIRES


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
        extractor, layers = _connected(shapes, self.layer)
        thickness = HEIGHT_UM[self.layer][1]
        found = extractor.antenna_check(
            layers["gate"], 1.0, 0.0, layers[self.layer], 0.0, thickness, self.ratio, [[layers["outlet"], 0.0]]
        )
        return [one.bbox() for one in found.merged().each()]


def _connected(shapes: Shapes, top: str) -> tuple[kdb.LayoutToNetlist, dict[str, kdb.Region]]:
    """Nets of everything up to a layer: gates as a conductor of their own, what a charge leaves through another."""
    extractor = kdb.LayoutToNetlist("antenna", 0.001)
    regions = {
        "gate": shapes["gate"],
        "outlet": (shapes["diff or tap"] - shapes["gate"]).merged(),
        "licon1": shapes["licon1"],
    }
    wires = WIRES[: WIRES.index(top) + 1]
    cuts = ("mcon", "via", "via2", "via3", "via4")[: max(0, len(wires) - 2)]
    regions |= {name: shapes[name] for name in (*wires, *cuts)}
    if "via4" in regions:
        regions["via4"] = shapes["via4 beside cap2m"]
    layers = {name: shape.dup() for name, shape in regions.items()}
    for name, layer in layers.items():
        extractor.register(layer, name)
        extractor.connect(layer)
    extractor.connect(layers["gate"], layers["poly"])
    if "li1" in layers:
        for below in ("poly", "outlet"):
            extractor.connect(layers["licon1"], layers[below])
        extractor.connect(layers["licon1"], layers["li1"])
    for cut, lower, upper in zip(cuts, wires[1:], wires[2:], strict=False):
        extractor.connect(layers[cut], layers[lower])
        extractor.connect(layers[cut], layers[upper])
    extractor.extract_netlist()
    return extractor, layers
