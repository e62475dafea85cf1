"""What a synapse cell is: something that puts a current of a given weight on a membrane while a spike line is high.

The membrane of the reference neuron is inverted: a positive weight pulls it down, towards the threshold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit, SubCircuit

from netlists.section import FetSize
from sky130_models.devices import Fet, mosfet

Sign = Literal[1, -1]
SIGNS: tuple[Sign, Sign] = (1, -1)


@dataclass(frozen=True)
class SynapseSetting:
    """What a synapse is set to: the sign of its weight and the code (gate bias in V, resistor length in um, unit currents)."""

    sign: Sign
    code: float


@dataclass(frozen=True)
class SynapseNodes:
    """The lines at a crossing of the crossbar."""

    membrane: str
    spike: str
    spike_bar: str
    supply: str


class SynapseCell(ABC):
    """A synapse at one crossing of the crossbar. A setting of None is a weight of zero."""

    code_name: str
    code_unit: str
    code_step: float = 0.0
    """Codes are multiples of it; 0 where any number will do."""
    logarithmic_code: bool = False
    """Whether the code goes with a power of the current (and not with its logarithm): how to interpolate between codes."""

    @abstractmethod
    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        """Add the cell `name` to the circuit; returns the names of the voltage sources that it adds."""

    @abstractmethod
    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        """At most `count` codes to sweep, from the weakest weight to the strongest; none where the cell lacks a sign."""

    def bias_source(self, name: str, sign: Sign) -> str | None:
        """The voltage source of the cell `name` that sets the size of a weight of this sign; None where no bias does."""
        return None


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


def fet(
    cell: SubCircuit, name: str, kind: Fet, drain: str, gate: str, source: str, bulk: str, size: FetSize, units: int = 1
) -> None:
    """Add `units` transistors of one size side by side."""
    mosfet(cell, name, kind, drain, gate, source, bulk, size.width_um, size.length_um, units)
