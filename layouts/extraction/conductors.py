"""Which rectangles a cell has, what each is, and which net it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import klayout.db as kdb
import numpy as np
from numpy.typing import NDArray

from layouts.devices import GROUND
from layouts.errors import LayoutError
from layouts.extraction.model import KINDS
from layouts.gds import flattened
from layouts.lvs.layout_netlist import LayoutNetlist
from layouts.technology import CUTS, WIRES

_LAYERS: Mapping[str, tuple[str, ...]] = {
    "well": ("nwell",),
    "diff": ("n-end", "p-end", "n-tap", "p-tap"),
    "li1": ("li1",),
    "met1": ("met1",),
    "met2": ("met2",),
    "met3": ("met3",),
    "met4": ("met4",),
    "cap2m": ("plate",),
    "met5": ("met5",),
}
"""Layers of a layout's netlist by what they are here; poly is its `wire`, which a gate divides."""


@dataclass(frozen=True)
class Conductors:
    """A cell as rectangles.

    Attributes:
        names: of the nets; the first is the field's.
        rectangles: [n][x1, y1, x2, y2] in nm; those of one plane do not overlap.
        kind: of each, its place in `KINDS`.
        net: of each, its place in `names`.
    """

    names: tuple[str, ...]
    rectangles: NDArray[np.int64]
    kind: NDArray[np.int64]
    net: NDArray[np.int64]


class FlatCell:
    """A cell with all that it holds as one circuit: its devices, and its wires by the nets that the devices know.

    Nets have the names of the cell's own labels; those without are `n$1`, `n$2`, ...; ground is 0 and lies under everything.
    """

    def __init__(self, cell: kdb.Cell) -> None:
        self.name = cell.name
        self._layout, copy = flattened(cell)
        self._drawn = LayoutNetlist(self._layout, copy)
        self.circuit: kdb.Circuit = self._drawn.circuit

    def name_of(self, net: kdb.Net | None) -> str:
        """How a net is called in SPICE."""
        if net is None:
            raise LayoutError(f"{self.name}: a device has an end that is joined to nothing; draw a wire to it")
        return GROUND if _is_ground(net) else net.name or f"n${net.cluster_id}"

    def conductors(self) -> Conductors:
        """Its rectangles. Raises `LayoutError` for a shape that is not made of rectangles."""
        nets = sorted(self.circuit.each_net(), key=lambda net: not _is_ground(net)) if self.circuit else []
        grounded = bool(nets) and _is_ground(nets[0])
        names = [*([] if grounded else [GROUND]), *map(self.name_of, nets)]
        found = [
            (*corners, KINDS.index(kind), place)
            for place, net in enumerate(nets, start=0 if grounded else 1)
            for kind, region in self._shapes(net)
            for corners in _rectangles(region, f"{self.name}: {kind} of net {names[place]}")
        ]
        table = np.array(found, dtype=np.int64).reshape(-1, 6)
        return Conductors(tuple(names), np.ascontiguousarray(table[:, :4]), table[:, 4].copy(), table[:, 5].copy())

    def wires_of(self, name: str) -> dict[str, kdb.Region]:
        """The wires of a net and the cuts that join them, by layer. Raises `LayoutError` where there is no such net."""
        net = next((net for net in self.circuit.each_net() if self.name_of(net) == name), None)
        if net is None:
            raise LayoutError(f"{self.name}: has no net {name}; give the name of one of its labels")
        extractor, layers = self._drawn.extractor, self._drawn.layers
        drawn = {
            "poly": "wire",
            "via4": "via4 beside",
            **{layer: layer for layer in (*WIRES[1:], "licon1", *CUTS) if layer != "via4"},
        }
        return {layer: extractor.shapes_of_net(net, layers[own], True) for layer, own in drawn.items()}

    def _shapes(self, net: kdb.Net) -> Iterator[tuple[str, kdb.Region]]:
        """Regions of a net, by what they are. A resistor's body belongs to none."""
        extractor, layers = self._drawn.extractor, self._drawn.layers
        for kind, names in _LAYERS.items():
            for name in names:
                yield kind, extractor.shapes_of_net(net, layers[name], True)
        poly = extractor.shapes_of_net(net, layers["wire"], True)
        gates = poly & layers["gate"]
        yield "gate", gates
        yield "poly", poly - gates


def conductors(cell: kdb.Cell) -> Conductors:
    """The conductors of a cell with all that it holds, flat. Raises `LayoutError` for a shape that is not made of rectangles."""
    return FlatCell(cell).conductors()


def _is_ground(net: kdb.Net) -> bool:
    """Whether a net is that of the substrate, which may have a label too."""
    return GROUND in net.name.split(",")


def _rectangles(region: kdb.Region, what: str) -> Iterator[tuple[int, int, int, int]]:
    """A region in rectangles that do not overlap."""
    for polygon in region.merged().decompose_trapezoids_to_region().each():
        if not polygon.is_box():
            raise LayoutError(f"{what} has a slanted edge at {polygon.bbox()}; only rectangles can be extracted")
        box = polygon.bbox()
        yield box.left, box.bottom, box.right, box.top
