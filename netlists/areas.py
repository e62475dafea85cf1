"""The area that a cell's devices are drawn with: what a schematic knows of the area of a layout.

Wells, contacts, wires and what lies between devices are not in it, and a capacitor may lie above transistors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netlists.crossbar import Cells
from netlists.process import Role
from netlists.section import FetSize
from netlists.spice import new_circuit
from netlists.synapse import SynapseNodes, SynapseSetting


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


class _Surveyor:
    """Stands in for a process: where a cell adds a device, it takes down its area."""

    def __init__(self, process: Any) -> None:
        self.process, self.area = process, DrawnArea()

    def fet(
        self, circuit: Any, name: str, role: Role, drain: str, gate: str, source: str, bulk: str, size: FetSize, units: int = 1
    ) -> None:
        self.area += DrawnArea(active_um2=units * size.width_um * (size.length_um + 2 * self.process.diffusion_um))

    def capacitor(self, circuit: Any, name: str, top: str, bottom: str, width_um: float, length_um: float) -> None:
        self.area += DrawnArea(capacitor_um2=width_um * length_um)

    def resistor(self, circuit: Any, name: str, a: str, b: str, bulk: str, width_um: float, length_um: float) -> None:
        self.area += DrawnArea(resistor_um2=width_um * length_um)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.process, name)


def synapse_area(cells: Cells, setting: SynapseSetting | None) -> DrawnArea:
    """Of one synapse; none of a cell whose devices stand in a netlist of the user's."""
    surveyor: Any = _Surveyor(cells.synapse.process)
    cell = type(cells.synapse)(cells.synapse.dimensions, surveyor, cells.supply_v)
    cell.attach(new_circuit("area"), "synapse", SynapseNodes("membrane", "spike", "spike_bar", "supply"), setting)
    found: DrawnArea = surveyor.area
    return found


def neuron_area(cells: Cells) -> DrawnArea:
    """Of one neuron with the driver of its spike line."""
    surveyor: Any = _Surveyor(cells.neuron.process)
    type(cells.neuron)(cells.neuron.dimensions, surveyor).define(new_circuit("area"))
    found: DrawnArea = surveyor.area
    return found
