"""The netlist that a layout is held against: the SPICE text that is simulated, without its sources."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import klayout.db as kdb

from layouts.devices import CAPACITOR, GROUND, RESISTOR, RESISTORS, TRANSISTORS
from layouts.errors import LayoutError
from layouts.lvs.device_classes import device_class


class _Reader(kdb.NetlistSpiceReaderDelegate):  # type: ignore[misc]
    """Makes devices of calls of models. Sources and capacitors of no model are not of the silicon."""

    def wants_subcircuit(self, name: str) -> bool:
        return name.lower() in (*TRANSISTORS, CAPACITOR, *RESISTORS)

    def element(
        self, circuit: kdb.Circuit, kind: str, name: str, model: str, value: float, nets: Any, parameters: dict[str, Any]
    ) -> bool:
        if kind != "X":
            return True
        model = model.lower()
        kind = RESISTOR if model in RESISTORS else model
        device = circuit.create_device(self._device_class(circuit.netlist(), kind), name)
        for terminal, net in enumerate(_terminals(model, nets)):
            device.connect_terminal(terminal, net)
        for parameter, size in _sizes(model, parameters).items():
            device.set_parameter(parameter, size)
        return True

    def _device_class(self, netlist: kdb.Netlist, model: str) -> kdb.DeviceClass:
        found = netlist.device_class_by_name(model)
        if found is None:
            found = device_class(model)
            netlist.add(found)
        return found


def _terminals(model: str, nets: Any) -> list[kdb.Net]:
    if model in TRANSISTORS:
        drain, gate, source, bulk = nets
        return [source, gate, drain, bulk]
    return list(nets)


def _sizes(model: str, parameters: dict[str, Any]) -> dict[str, float]:
    given = {key.upper(): value for key, value in parameters.items()}
    if model in TRANSISTORS:
        return {"W": given["W"] * given.get("M", 1.0), "L": given["L"]}
    if model in RESISTORS:
        return {"W": RESISTORS[model] / 1000, "L": given["L"]}
    short, long = sorted((given["W"], given["L"]))
    return {"SHORT": short, "LONG": long}


def reference_circuit(spice: str, name: str = "") -> tuple[kdb.Netlist, kdb.Circuit]:
    """The sub-circuit of this name, or the top of the text, taken apart into devices, in its netlist, which has to be held while
    it is used. Raises `LayoutError`."""
    netlist = kdb.Netlist()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reference.spice"
        path.write_text(f".global {GROUND}\n{spice}", encoding="utf-8")
        try:
            netlist.read(str(path), kdb.NetlistSpiceReader(_Reader()))
        except RuntimeError as error:
            raise LayoutError(f"the netlist cannot be read: {error}") from None
    found = netlist.circuit_by_name(name.upper()) if name else next(netlist.each_circuit_top_down(), None)
    if found is None:
        raise LayoutError(f"the netlist has no sub-circuit {name}")
    for other in [one for one in netlist.each_circuit() if one is not found]:
        netlist.flatten_circuit(other)
    return netlist, found
