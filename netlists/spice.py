"""The one door to PySpice, opened when the first circuit is built: what a design says of cells can be read without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from netlists.multipliers import written_out

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

T = TypeVar("T")


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


def in_parallel(circuit: Circuit, count: int, attach: Callable[[], T]) -> T:
    """What `attach` adds to a circuit, `count` times in parallel: its calls of sub-circuits become so many units.

    Devices that see the same voltages are the same device of so many units, exactly, unless mismatch tells them apart.
    """
    before = set(circuit.element_names)
    result = attach()
    for name in circuit.element_names:
        if count > 1 and name not in before and name.startswith("X"):
            circuit[name].parameters["m"] = count
    return result


def pwl(points: Sequence[tuple[float, float]]) -> str:
    """A source that moves in straight lines through (time in s, value), exactly."""
    return "PWL(" + " ".join(f"{time!r} {value!r}" for time, value in points) + ")"


def netlist_text(circuit: Circuit, around: Callable[[str], str] = str) -> str:
    """The cards of a circuit without its title line; what stands for several in parallel says so device by device.

    `around` is given them before that, and says what they are on a board.
    """
    return written_out(around("\n".join(line for line in str(circuit).splitlines() if not line.startswith(".title")) + "\n"))
