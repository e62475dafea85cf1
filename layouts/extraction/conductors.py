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

_KINDS: Mapping[str, str] = {
    "nwell": "well", "n-end": "diff", "p-end": "diff", "n-tap": "diff", "p-tap": "diff", "wire": "poly", "li1": "li1",
    "met1": "met1", "met2": "met2", "met3": "met3", "met4": "met4", "plate": "cap2m", "met5": "met5",
}  # fmt: skip
"""What the layers of a layout's netlist are here. The body of a resistor is on none of them."""


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
        self._gates = kdb.Shapes()
        self._gates.insert(self._drawn.layers["gate"])
        self._heads = kdb.Shapes()
        self._heads.insert(self._drawn.layers["poly"].interacting(self._drawn.layers["body"]))

    def name_of(self, net: kdb.Net | None) -> str:
        """How a net is called in SPICE."""
        if net is None:
            raise LayoutError(f"{self.name}: a device has an end that is joined to nothing; draw a wire to it")
        return GROUND if _is_ground(net) else net.name or f"n${net.cluster_id}"

    def conductors(self) -> Conductors:
        """Its rectangles. Raises `LayoutError` for a shape that is not made of rectangles."""
        found = [
            (name, KINDS.index(kind), *corners)
            for layer, regions in self._regions().items()
            for name, region in regions.items()
            for kind, part in self._parts(layer, region)
            for corners in _rectangles(part, f"{self.name}: {kind} of net {name}")
        ]
        names = [GROUND, *sorted({name for name, *_ in found} - {GROUND})]
        place = {name: k for k, name in enumerate(names)}
        table = np.array([(place[name], *numbers) for name, *numbers in found], dtype=np.int64).reshape(-1, 6)
        return Conductors(tuple(names), np.ascontiguousarray(table[:, 2:]), table[:, 1].copy(), table[:, 0].copy())

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

    def _regions(self) -> dict[str, dict[str, kdb.Region]]:
        """By layer and net, of all nets at once."""
        extractor, layers = self._drawn.extractor, self._drawn.layers
        built = kdb.Layout()
        built.dbu = self._layout.dbu
        top = built.create_cell(self.name)
        numbers = {name: built.layer(number, 0) for number, name in enumerate(_KINDS)}
        mapping = extractor.const_cell_mapping_into(built, top)
        drawn = {number: layers[name] for name, number in numbers.items()}
        extractor.build_all_nets(mapping, built, drawn, None, "net", kdb.LayoutToNetlist.BNH_Flatten, None)
        names = {net.expanded_name(): self.name_of(net) for net in self.circuit.each_net()} if self.circuit else {}
        found: dict[str, dict[str, kdb.Region]] = {name: {} for name in numbers}
        for name, number in numbers.items():
            for shape in top.shapes(number).each():
                found[name].setdefault(names[shape.property("net")], kdb.Region()).insert(shape.polygon)
        return found

    def _parts(self, layer: str, region: kdb.Region) -> Iterator[tuple[str, kdb.Region]]:
        """What a region of a layer is. Poly over a diffusion is a gate; beside a resistor it is its head."""
        if layer != "wire":
            yield _KINDS[layer], region
            return
        for kind, shapes in (("gate", self._gates), ("head", self._heads)):
            near = kdb.Region([shape.polygon for shape in shapes.each_touching(region.bbox())])
            yield kind, region & near
            region = region - near
        yield "poly", region


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
