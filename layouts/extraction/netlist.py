"""A layout as a netlist: its devices as they were drawn, and its wires as capacitances, for a simulator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import klayout.db as kdb

from layouts.devices import CAPACITOR, GROUND, RESISTOR, RESISTORS
from layouts.extraction.capacitances import Capacitances
from layouts.extraction.conductors import FlatCell
from layouts.extraction.extract import extract_conductors
from layouts.extraction.model import Corner
from layouts.extraction.rails import Rail

LEAST_F = 1e-20
"""A capacitance below this is left out: ten thousand of them are a millivolt on nothing."""


def extracted_netlist(cell: kdb.Cell, pins: Sequence[str] = (), corner: Corner = Corner.NOMINAL, least_f: float = LEAST_F) -> str:
    """A sub-circuit of the cell's name: devices with their drawn diffusions, capacitances between all nets.

    Sizes are in um and um^2, as SKY130's models count them; ground is node 0. A cell of one's own (kind `netlist`) can be made of
    it.

    Args:
        pins: in the order that calls shall have; the nets with a label otherwise.
    """
    flat = FlatCell(cell)
    found = extract_conductors(flat.conductors(), corner)
    labelled = [net.name for net in flat.circuit.each_net() if net.name and net.name != GROUND]
    header = f".subckt {cell.name} {' '.join(pins or sorted(labelled))}"
    return "\n".join([header, *device_cards(flat), *capacitor_cards(found, least_f), f".ends {cell.name}", ""])


def device_cards(flat: FlatCell, rails: Sequence[Rail] = ()) -> Iterator[str]:
    """A call of its model for each device, with the diffusions that the layout has; where it hangs on a rail, in its row."""
    lines = {rail.net: rail for rail in rails}
    for number, device in enumerate(flat.circuit.each_device(), start=1):
        kind = device.device_class().name
        ends, sizes = _ENDS_AND_SIZES.get(kind, _TRANSISTOR)
        names = [flat.name_of(device.net_for_terminal(end)) for end in ends]
        nets = " ".join(lines[name].node_at(device.trans.disp.y) if name in lines else name for name in names)
        given = " ".join(f"{name}={device.parameter(size):.6g}" for name, size in sizes)
        yield f"X{number} {nets} {_model(device)} {given}"


def _model(device: kdb.Device) -> str:
    """Resistors of each width have a model of their own."""
    kind: str = device.device_class().name
    if kind != RESISTOR:
        return kind
    width = round(1000 * device.parameter("W"))
    return next(model for model, nm in RESISTORS.items() if nm == width)


_TRANSISTOR = (
    ("D", "G", "S", "B"),
    (("l", "L"), ("w", "W"), ("ad", "AD"), ("as", "AS"), ("pd", "PD"), ("ps", "PS")),
)
_ENDS_AND_SIZES = {
    CAPACITOR: (("top", "bottom"), (("w", "SHORT"), ("l", "LONG"))),
    RESISTOR: (("A", "B", "W"), (("l", "L"),)),
}


def capacitor_cards(found: Capacitances, least_f: float = LEAST_F) -> Iterator[str]:
    """A capacitor for each pair of nets that has at least so much."""
    for number, (one, other, farads) in enumerate(found, start=1):
        if farads >= least_f:
            yield f"C{number} {one} {other} {farads:.6g}"
