"""Kinds of devices as netlists are compared by: terminals and sizes, in um."""

from __future__ import annotations

from collections.abc import Sequence

import klayout.db as kdb

from layouts.devices import CAPACITOR, RESISTOR, TRANSISTORS


def device_class(model: str) -> kdb.DeviceClass:
    """The kind of device that a model is of."""
    if model in TRANSISTORS:
        found: kdb.DeviceClass = kdb.DeviceClassMOS4Transistor()
    else:
        found = {CAPACITOR: plate_capacitor, RESISTOR: poly_resistor}[model]()
    found.name = model
    return found


def plate_capacitor() -> kdb.DeviceClass:
    """A capacitor whose plates are not to be exchanged; its sides in either order."""
    return _generic(("top", "bottom"), ("SHORT", "LONG"))


def poly_resistor() -> kdb.DeviceClass:
    """A resistor above the substrate (W), whose ends may be exchanged; several in a row are one of their whole length."""
    found = kdb.DeviceClassResistorWithBulk()
    for size, told in (("R", False), ("W", True), ("L", True)):
        found.enable_parameter(size, told)
    return found


def _generic(terminals: Sequence[str], sizes: Sequence[str]) -> kdb.DeviceClass:
    found = kdb.DeviceClass()
    for terminal in terminals:
        found.add_terminal(kdb.DeviceTerminalDefinition(terminal, ""))
    for size in sizes:
        found.add_parameter(kdb.DeviceParameterDefinition(size, "", 0.0, True, 1.0))
    return found
