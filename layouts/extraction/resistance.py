"""Resistance of wires between places of a net, by square counting (klayout.pex). An option: in small cells it is a picosecond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import klayout.db as kdb
import numpy as np
from klayout import pex
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, dia_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from layouts.errors import LayoutError
from layouts.extraction.conductors import FlatCell
from layouts.gds import DBU_UM, dbu
from layouts.technology import CUT_OHM, CUTS, SHEET_OHM, WIRES

FloatArray = NDArray[np.float64]
Place: TypeAlias = tuple[str, float, float]
"""A wire's layer, x and y in um."""

_CUT_UM = {"licon1": 0.17, "mcon": 0.17, "via": 0.15, "via2": 0.20, "via3": 0.20, "via4": 0.80}
"""Side of a cut, which is square."""
_CUTS: Mapping[str, tuple[str, str, float]] = {
    "licon1": ("poly", "li1", CUT_OHM["licon_poly"]),
    **{cut: (lower, upper, CUT_OHM[cut]) for cut, (lower, upper) in CUTS.items()},
}


def resistance_ohm(cell: kdb.Cell, net: str, one: Place, other: Place) -> float:
    """Of the wires of a net, between two places on them. Raises `LayoutError` where there is no such net or no wire there."""
    return float(-1 / port_conductances(FlatCell(cell), net, (one, other))[0, 1])


def port_conductances(flat: FlatCell, net: str, places: Sequence[Place]) -> FloatArray:
    """What the wires of a net are to some places on them: currents into the places (A) by their voltages (V), [places, places].

    Raises `LayoutError` where there is no such net or no wire at a place.
    """
    network, ports = _network(flat, net, places)
    nodes = {node.object_id(): number for number, node in enumerate(network.each_node())}
    ends = [tuple(nodes[end.object_id()] for end in (element.a(), element.b())) for element in network.each_element()]
    siemens = np.array([1 / element.resistance() for element in network.each_element()])
    one, other = np.array(ends, dtype=int).reshape(-1, 2).T
    off = coo_array((-siemens, (one, other)), shape=(len(nodes), len(nodes))).tocsr()
    off = off + off.T
    conductance = (off - dia_array((off.sum(1), 0), shape=off.shape)).tocsc()
    kept = np.array([nodes[port] for port in ports])
    inner = np.setdiff1d(_joined(off, kept[0]), kept)
    outer = conductance[np.ix_(kept, kept)].toarray()
    if len(inner):
        between = conductance[np.ix_(inner, kept)].toarray()
        outer = outer - between.T @ splu(conductance[np.ix_(inner, inner)].tocsc()).solve(between)
    return np.asarray(outer)


def _joined(conductance: csr_array, node: int) -> NDArray[np.int64]:
    """The nodes that hang together with one: what touches nothing has no voltage."""
    _, part = connected_components(conductance, directed=False)
    return np.flatnonzero(part == part[node])


def _network(flat: FlatCell, net: str, places: Sequence[Place]) -> tuple[pex.RNetwork, list[int]]:
    """The resistors of a net, and the nodes of two places."""
    shapes = flat.wires_of(net)
    numbers = {layer: number for number, layer in enumerate((*WIRES, *_CUTS))}
    for layer, x, y in places:
        if not _covers(shapes[layer], x, y):
            raise LayoutError(f"{flat.name}: net {net} has no {layer} at {x:g}, {y:g} um; give a place on one of its wires")
    vertices = {number: [kdb.Point(dbu(x), dbu(y)) for on, x, y in places if on == layer] for layer, number in numbers.items()}
    network = pex.RNetExtractor(DBU_UM).extract(_technology(numbers), {numbers[k]: v for k, v in shapes.items()}, vertices, {})
    found = {}
    for node in network.each_node():
        if node.type() == pex.RNodeType.VertexPort:
            found[node.layer(), node.port_index()] = node.object_id()
    counts: dict[str, int] = {}
    ports = []
    for layer, _, _ in places:
        ports.append(found[numbers[layer], counts.setdefault(layer, 0)])
        counts[layer] += 1
    return network, ports


def _covers(region: kdb.Region, x: float, y: float) -> bool:
    spot = kdb.Box(dbu(x) - 1, dbu(y) - 1, dbu(x) + 1, dbu(y) + 1)
    return not (region & kdb.Region(spot)).is_empty()


def _technology(numbers: Mapping[str, int]) -> pex.RExtractorTech:
    technology = pex.RExtractorTech()
    for layer in WIRES:
        conductor = pex.RExtractorTechConductor()
        conductor.layer, conductor.resistance = numbers[layer], SHEET_OHM[layer]
        technology.add_conductor(conductor)
    for cut, (lower, upper, ohm) in _CUTS.items():
        via = pex.RExtractorTechVia()
        via.bottom_conductor, via.top_conductor, via.cut_layer = numbers[lower], numbers[upper], numbers[cut]
        via.resistance = ohm * _CUT_UM[cut] ** 2
        technology.add_via(via)
    return technology
