"""The one door to PySpice, opened when the first circuit is built: what a design says of cells can be read without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import Circuit, SubCircuit
else:
    Circuit = SubCircuit = Any

__all__ = [
    "Circuit",
    "SubCircuit",
    "define",
    "in_parallel",
    "netlist_text",
    "new_circuit",
    "new_subcircuit",
    "pwl",
    "shared_level",
]


def new_circuit(title: str) -> Circuit:
    """An empty circuit."""
    from PySpice.Spice.Netlist import Circuit

    return Circuit(title)


def new_subcircuit(name: str, *nodes: str) -> SubCircuit:
    """An empty sub-circuit with these nodes."""
    from PySpice.Spice.Netlist import SubCircuit

    return SubCircuit(name, *nodes)


def define(circuit: Circuit, cell: SubCircuit) -> None:
    """Make a sub-circuit known to the circuit, once."""
    if cell.name not in {known.name for known in circuit.subcircuits}:
        circuit.subcircuit(cell)


def shared_level(circuit: Circuit, node: str, volts: float) -> list[str]:
    """A level that all cells of a circuit share; returns the name of its source if this call added it."""
    if f"V{node}" in circuit.element_names:
        return []
    circuit.V(node, node, 0, volts)
    return [f"V{node}"]


def in_parallel(circuit: Circuit, count: int, attach: Callable[[str], object]) -> None:
    """What `attach` adds to a circuit under names that end as it is told, `count` times in parallel.

    Devices that see the same voltages are one device of so many units, exactly, unless mismatch tells them apart. Each device
    says it itself: ngspice hands the multiplier of a call on to some calls inside, and not to others. What is not a sub-circuit
    of devices alone (text of a user, cells in cells) is there `count` times.
    """
    before = set(circuit.element_names)
    attach("")
    calls = [circuit[name] for name in circuit.element_names if name not in before and name.startswith("X")]
    cells = {cell.name: cell for cell in circuit.subcircuits}
    if all(_is_of_devices(circuit, cells, call.subcircuit_name) for call in calls):
        for call in calls if count > 1 else ():
            _make_units(circuit, cells, call, count)
    else:
        for k in range(1, count):
            attach(f"_{k}")


def _is_of_devices(circuit: Circuit, cells: Mapping[str, SubCircuit], called: str) -> bool:
    """Whether what is called is a device of the process, or a sub-circuit of such alone."""
    if called not in cells:
        return not circuit.raw_spice
    elements = cells[called].elements
    return all(element.name.startswith("X") and element.subcircuit_name not in cells for element in elements)


def _make_units(circuit: Circuit, cells: Mapping[str, SubCircuit], call: Any, count: int) -> None:
    """Have a call stand for so many: of the device itself, or of every device of the sub-circuit, of which a copy is defined."""
    called = call.subcircuit_name
    if called not in cells:
        call.parameters["m"] = count
        return
    call.subcircuit_name = f"{called}_of_{count}"
    if call.subcircuit_name not in {known.name for known in circuit.subcircuits}:
        units = new_subcircuit(call.subcircuit_name, *cells[called].external_nodes)
        for device in cells[called].elements:
            many = {**device.parameters, "m": count * int(device.parameters.get("m", 1))}
            units.X(device.name[1:], device.subcircuit_name, *(pin.node.name for pin in device.pins), **many)
        circuit.subcircuit(units)


def pwl(points: Sequence[tuple[float, float]]) -> str:
    """A source that moves in straight lines through (time in s, value), exactly."""
    return "PWL(" + " ".join(f"{time!r} {value!r}" for time, value in points) + ")"


def netlist_text(circuit: Circuit) -> str:
    """The cards of a circuit without its title line."""
    return "\n".join(line for line in str(circuit).splitlines() if not line.startswith(".title")) + "\n"
