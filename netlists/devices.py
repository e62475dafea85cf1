"""The devices that the cells of a circuit are made of: what a schematic knows of its parts, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netlists.crossbar import Cells
from netlists.neuron import SUBCIRCUITS
from netlists.process import Process, Role
from netlists.section import FetSize
from netlists.spice import Circuit, SubCircuit, new_circuit
from netlists.synapse import SynapseNodes, SynapseSetting


@dataclass(frozen=True)
class Device:
    """A device of a cell: its name there, what it is, and its drawn size in um; `units` of them stand side by side.

    What a user's own netlist calls is a cell without role and size, `model` being the name of its sub-circuit.
    """

    name: str
    model: str
    role: Role | None = None
    width_um: float = float("nan")
    length_um: float = float("nan")
    units: int = 1


class _Surveyor:
    """Stands in for a process: where a cell adds a device, it takes it down."""

    def __init__(self, process: Process) -> None:
        self.process, self.found = process, list[Device]()

    def fet(
        self, circuit: Any, name: str, role: Role, drain: str, gate: str, source: str, bulk: str, size: FetSize, units: int = 1
    ) -> None:
        self._add(name, role, size.width_um, size.length_um, units)

    def capacitor(self, circuit: Any, name: str, top: str, bottom: str, width_um: float, length_um: float) -> None:
        self._add(name, Role.CAPACITOR, width_um, length_um)

    def resistor(self, circuit: Any, name: str, a: str, b: str, bulk: str, width_um: float, length_um: float) -> None:
        self._add(name, Role.RESISTOR, width_um, length_um)

    def _add(self, name: str, role: Role, width_um: float, length_um: float, units: int = 1) -> None:
        self.found.append(Device(name, self.process.model(role), role, width_um, length_um, units))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.process, name)


def synapse_devices(cells: Cells, setting: SynapseSetting | None) -> tuple[Device, ...]:
    """Of one synapse; a cell of the user's own netlist is one device."""
    surveyor: Any = _Surveyor(cells.synapse.process)
    circuit = new_circuit("survey")
    cell = type(cells.synapse)(cells.synapse.dimensions, surveyor, cells.supply_v)
    cell.attach(circuit, "synapse", SynapseNodes("membrane", "spike", "spike_bar", "supply"), setting)
    known = {defined.name for defined in circuit.subcircuits}
    return (*surveyor.found, *(Device("cell", called) for called in _calls(circuit) if called not in known))


def neuron_devices(cells: Cells) -> tuple[Device, ...]:
    """Of one neuron, without the driver of its spike line."""
    surveyor: Any = _Surveyor(cells.neuron.process)
    type(cells.neuron)(cells.neuron.dimensions, surveyor).subcircuit()
    return tuple(surveyor.found)


def driver_devices(cells: Cells) -> tuple[Device, ...]:
    """Of one driver of a spike line."""
    surveyor: Any = _Surveyor(cells.neuron.process)
    type(cells.neuron)(cells.neuron.dimensions, surveyor).driver_subcircuit()
    return tuple(surveyor.found)


def drivers_of_a_neuron(cells: Cells) -> int:
    """How many drivers a neuron calls."""
    return sum(called == SUBCIRCUITS[1] for called in _calls(cells.neuron.subcircuit()))


def _calls(circuit: Circuit | SubCircuit) -> Iterator[str]:
    """The sub-circuits that are called, once a call."""
    for name in circuit.element_names:
        if name.startswith("X"):
            yield str(circuit[name].subcircuit_name)
