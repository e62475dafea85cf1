"""The area that a cell's devices are drawn with: what a schematic knows of the area of a layout.

Wells, contacts, wires and what lies between devices are not in it, and a capacitor may lie above transistors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netlists.crossbar import Cells
from netlists.devices import Device, driver_devices, neuron_devices, synapse_devices
from netlists.process import Process, Role
from netlists.synapse import SynapseSetting


@dataclass(frozen=True)
class DrawnArea:
    """Areas in um^2: transistors with their drains and sources, plates of capacitors, resistors."""

    active_um2: float = 0.0
    capacitor_um2: float = 0.0
    resistor_um2: float = 0.0

    @property
    def total_um2(self) -> float:
        return self.active_um2 + self.capacitor_um2 + self.resistor_um2

    def __add__(self, other: DrawnArea) -> DrawnArea:
        return DrawnArea(
            self.active_um2 + other.active_um2,
            self.capacitor_um2 + other.capacitor_um2,
            self.resistor_um2 + other.resistor_um2,
        )


def synapse_area(cells: Cells, setting: SynapseSetting | None) -> DrawnArea:
    """Of one synapse; none of a cell whose devices stand in a netlist of the user's."""
    return _area(synapse_devices(cells, setting), cells.synapse.process)


def neuron_area(cells: Cells) -> DrawnArea:
    """Of one neuron with the driver of its spike line."""
    return _area((*neuron_devices(cells), *driver_devices(cells)), cells.neuron.process)


def _area(devices: Iterable[Device], process: Process) -> DrawnArea:
    found = DrawnArea()
    for device in devices:
        plate_um2 = device.width_um * device.length_um
        match device.role:
            case None:
                continue
            case Role.CAPACITOR:
                found += DrawnArea(capacitor_um2=plate_um2)
            case Role.RESISTOR:
                found += DrawnArea(resistor_um2=plate_um2)
            case _:
                active_um2 = device.units * device.width_um * (device.length_um + 2 * process.diffusion_um)
                found += DrawnArea(active_um2=active_um2)
    return found
