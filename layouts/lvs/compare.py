"""Compare what lies in a layout with what is simulated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import klayout.db as kdb

from layouts.lvs.layout_netlist import LayoutNetlist
from layouts.lvs.reference import reference_circuit


@dataclass(frozen=True)
class Comparison:
    """Whether layout and netlist match, how many devices were compared, and each difference in a line."""

    matches: bool
    devices: int
    differences: tuple[str, ...] = field(default=())


def compare(layout: kdb.Layout, cell: kdb.Cell, spice: str, circuit: str = "") -> Comparison:
    """Hold a cell against a sub-circuit of a netlist, or against its top.

    Nets with a name in both are held to be the same, so that pins which are alike by their surroundings cannot change places.
    Raises `LayoutError` for a netlist that cannot be read.
    """
    netlist, wanted = reference_circuit(spice, circuit)
    drawn = LayoutNetlist(layout, cell)
    differences = drawn.problems()
    if drawn.circuit is None:
        return Comparison(False, 0, (*differences, f"the layout of {cell.name} has no devices"))
    for one in (netlist, drawn.netlist):
        one.combine_devices()
        one.purge_nets()
    log = _Log()
    comparer = kdb.NetlistComparer(log)
    comparer.same_circuits(drawn.circuit, wanted)
    differences += _force_names(comparer, drawn.circuit, wanted)
    matches = comparer.compare(drawn.netlist, netlist)
    differences += log.lines
    if not matches and not differences:
        differences.append("the netlists do not match")
    return Comparison(matches and not differences, _count(wanted), tuple(dict.fromkeys(differences)))


def _count(circuit: kdb.Circuit) -> int:
    return sum(1 for _ in circuit.each_device())


def _force_names(comparer: kdb.NetlistComparer, drawn: kdb.Circuit, wanted: kdb.Circuit) -> list[str]:
    """Hold nets of one name to be the same; a line for each pin of the netlist that the layout has not."""
    drawn_nets = {net.name.lower(): net for net in drawn.each_net() if net.name}
    missing = []
    pins = {pin.name().lower() for pin in wanted.each_pin()}
    for net in wanted.each_net():
        name = net.name.lower()
        if name in drawn_nets:
            comparer.same_nets(drawn.netlist().circuit_by_name(drawn.name), wanted, drawn_nets[name], net, True)
        elif name in pins:
            missing.append(f"net {name}: the layout has no wire of this name")
    return missing


class _Log(kdb.GenericNetlistCompareLogger):  # type: ignore[misc]
    """Collects what differs."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def net_mismatch(self, drawn: kdb.Net | None, wanted: kdb.Net | None, message: str) -> None:
        self._say("net", drawn, wanted, message)

    def device_mismatch(self, drawn: kdb.Device | None, wanted: kdb.Device | None, message: str) -> None:
        self._say("device", drawn, wanted, message)

    def match_devices_with_different_parameters(self, drawn: kdb.Device, wanted: kdb.Device) -> None:
        self.lines.append(f"device {_name(wanted)}: {_sizes(drawn)} in the layout, {_sizes(wanted)} in the netlist")

    def match_devices_with_different_device_classes(self, drawn: kdb.Device, wanted: kdb.Device) -> None:
        self.lines.append(f"device {_name(wanted)}: {drawn.device_class().name} in the layout")

    def pin_mismatch(self, drawn: kdb.Pin | None, wanted: kdb.Pin | None, message: str) -> None:
        self._say("pin", drawn, wanted, message)

    def circuit_mismatch(self, drawn: object, wanted: object, message: str) -> None:
        pass  # said by what differs in it

    def _say(self, kind: str, drawn: object, wanted: object, message: str) -> None:
        only = "" if drawn and wanted else " only in the netlist" if wanted else " only in the layout"
        self.lines.append(f"{kind} {_name(wanted or drawn)}{only}" + (f": {message}" if message else ""))


def _sizes(device: kdb.Device) -> str:
    kinds = device.device_class().parameter_definitions()
    return " ".join(f"{one.name} = {device.parameter(one.name):g}" for one in kinds if one.is_primary)


def _name(thing: Any) -> str:
    """The name of a net, device or pin, and what a device is connected to."""
    if thing is None:
        return "?"
    if isinstance(thing, kdb.Pin):
        return str(thing.name()).lower()
    name = str(thing.expanded_name()).lower()
    if isinstance(thing, kdb.Device):
        nets = (thing.net_for_terminal(one.id()) for one in thing.device_class().terminal_definitions())
        kind = thing.device_class().name
        return f"{name} ({kind} on {', '.join(net.expanded_name().lower() if net else '-' for net in nets)})"
    return name
