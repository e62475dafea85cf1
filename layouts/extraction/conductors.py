"""Which rectangles a cell has, what each is, and which net it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import klayout.db as kdb
import numpy as np
from numpy.typing import NDArray

from layouts.errors import LayoutError
from layouts.extraction.model import KINDS
from layouts.technology import CUTS, LABELS, LAYERS

SUBSTRATE = "substrate"
"""The name of the field's net where no label on a tap gives it one."""


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


def conductors(cell: kdb.Cell) -> Conductors:
    """The conductors of a cell with all that it holds. Nets have the names of the cell's own labels, else `$1`, `$2`, ...

    Raises `LayoutError` for a shape that is not made of rectangles.
    """
    shapes = _shapes(cell)
    connected, layers = _connected(cell, shapes)
    circuit = connected.netlist().circuit_by_name(cell.name)
    nets = sorted(circuit.each_net(), key=lambda net: not _of_the_field(connected, layers, net))
    names = [net.expanded_name() for net in nets]
    if not nets or not _of_the_field(connected, layers, nets[0]):
        nets, names = [None, *nets], [SUBSTRATE, *names]
    found = [
        (*corners, KINDS.index(kind), place)
        for place, net in enumerate(nets)
        if net is not None
        for kind, layer in layers.items()
        if kind in KINDS
        for corners in _rectangles(connected.shapes_of_net(net, layer, True), f"{cell.name}: {kind} of net {names[place]}")
    ]
    table = np.array(found, dtype=np.int64).reshape(-1, 6)
    return Conductors(tuple(names), np.ascontiguousarray(table[:, :4]), table[:, 4].copy(), table[:, 5].copy())


def _shapes(cell: kdb.Cell) -> dict[str, kdb.Region]:
    """Layers by the kinds they stand for; diffusions end at gates, poly at gates and the bodies of resistors."""
    drawn = {name: kdb.Region(cell.begin_shapes_rec(cell.layout().layer(*layer))).merged() for name, layer in LAYERS.items()}
    diff, poly, body = drawn["diff"], drawn["poly"], drawn["poly_res"] & drawn["poly"]
    tap_in_well = drawn["tap"] & drawn["nwell"]
    shapes = {name: drawn[name] for name in ("li1", "met1", "met2", "met3", "met4", "met5", "licon1")}
    shapes |= {
        "well": drawn["nwell"],
        "diff": (diff - poly) + drawn["tap"],
        "gate": diff & poly,
        "poly": poly - diff - body,
        "resistor": body,
        "well tap": tap_in_well,
        "substrate tap": drawn["tap"] - drawn["nwell"],
        "capm": drawn["capm"],
        "cap2m": drawn["cap2m"],
    }
    plates = {"via3": drawn["capm"], "via4": drawn["cap2m"]}
    shapes |= {cut: drawn[cut] - plates.get(cut, kdb.Region()) for cut in CUTS}
    return shapes | {f"{cut} on a plate": drawn[cut] & plate for cut, plate in plates.items()}


def _joined() -> Iterator[tuple[str, str]]:
    """What touches and is then one net."""
    yield from (("well", "well tap"), ("diff", "well tap"), ("diff", "substrate tap"), ("gate", "poly"))
    yield from (("licon1", below) for below in ("diff", "poly"))
    yield "licon1", "li1"
    for cut, (lower, upper) in CUTS.items():
        yield from ((lower, cut), (cut, upper))
    for cut, plate, upper in (("via3 on a plate", "capm", "met4"), ("via4 on a plate", "cap2m", "met5")):
        yield from ((plate, cut), (cut, upper))


def _connected(cell: kdb.Cell, shapes: Mapping[str, kdb.Region]) -> tuple[kdb.LayoutToNetlist, dict[str, kdb.Region]]:
    """The nets of a cell, and its layers as they are known there."""
    connected = kdb.LayoutToNetlist(cell.name, cell.layout().dbu)
    connected.threads = 1
    for name, region in shapes.items():
        connected.register(region, name)
    texts = {name: kdb.Texts(cell.shapes(cell.layout().layer(*layer))) for name, layer in LABELS.items()}
    for name, label in texts.items():
        connected.register(label, f"{name} label")
    for region in shapes.values():
        connected.connect(region)
    for one, other in _joined():
        connected.connect(shapes[one], shapes[other])
    for name, label in texts.items():
        if (labelled := {"nwell": "well", "tap": "diff"}.get(name, name)) in shapes:
            connected.connect(shapes[labelled], label)
    connected.connect_global(shapes["substrate tap"], SUBSTRATE)
    connected.extract_netlist()
    return connected, dict(shapes)


def _of_the_field(connected: kdb.LayoutToNetlist, layers: Mapping[str, kdb.Region], net: kdb.Net) -> bool:
    return not connected.shapes_of_net(net, layers["substrate tap"], True).is_empty()


def _rectangles(region: kdb.Region, what: str) -> Iterator[tuple[int, int, int, int]]:
    """A region in rectangles that do not overlap."""
    for polygon in region.merged().decompose_trapezoids_to_region().each():
        if not polygon.is_box():
            raise LayoutError(f"{what} has a slanted edge at {polygon.bbox()}; only rectangles can be extracted")
        box = polygon.bbox()
        yield box.left, box.bottom, box.right, box.top
