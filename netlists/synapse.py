"""Synapse cells: what hangs a current of a given weight on a membrane while a spike line is high.

The membrane of the reference neuron is inverted: a positive weight pulls it down, towards the threshold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit, SubCircuit

from netlists.dimensions import CurrentSourceDimensions, FetSize, ResistiveDimensions
from sky130_models.devices import Fet, mosfet, poly_resistor

Sign = Literal[1, -1]
SIGNS: tuple[Sign, Sign] = (1, -1)


@dataclass(frozen=True)
class SynapseSetting:
    """What a synapse is set to: the sign of its weight and the code (gate bias in V, resistor length in um)."""

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

    @abstractmethod
    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        """Add the cell `name` to the circuit; returns the names of the voltage sources that hold its code."""

    @abstractmethod
    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        """Codes to sweep, from the weakest weight to the strongest."""


class CurrentSourceSynapse(SynapseCell):
    """NMOS pair to ground (w >= 0), PMOS pair to the supply (w < 0), memory transistor at the membrane."""

    code_name = "gate_bias"
    code_unit = "V"

    def __init__(self, dimensions: CurrentSourceDimensions, supply_v: float):
        self.dimensions = dimensions
        self.supply_v = supply_v

    def subcircuit(self) -> SubCircuit:
        """The cell, transistor by transistor: nodes membrane spike spike_bar n_bias p_bias supply."""
        cell = SubCircuit("synapse_current_source", "membrane", "spike", "spike_bar", "n_bias", "p_bias", "supply")
        nmos, pmos = self.dimensions.nmos, self.dimensions.pmos
        _fet(cell, "n_memory", Fet.NFET, "membrane", "n_bias", "n_middle", "0", nmos)
        _fet(cell, "n_selector", Fet.NFET, "n_middle", "spike", "0", "0", nmos)
        _fet(cell, "p_memory", Fet.PFET, "membrane", "p_bias", "p_middle", "supply", pmos)
        _fet(cell, "p_selector", Fet.PFET, "p_middle", "spike_bar", "supply", "supply", pmos)
        return cell

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        if "synapse_current_source" not in {cell.name for cell in circuit.subcircuits}:
            circuit.subcircuit(self.subcircuit())
        n_bias = setting.code if setting and setting.sign > 0 else 0.0
        p_bias = setting.code if setting and setting.sign < 0 else self.supply_v
        circuit.V(f"{name}_n_bias", f"{name}_n_bias", 0, n_bias)
        circuit.V(f"{name}_p_bias", f"{name}_p_bias", 0, p_bias)
        lines = (nodes.membrane, nodes.spike, nodes.spike_bar, f"{name}_n_bias", f"{name}_p_bias", nodes.supply)
        circuit.X(name, "synapse_current_source", *lines)
        return [f"V{name}_n_bias", f"V{name}_p_bias"]

    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        return np.linspace(*(self.dimensions.nmos_bias_v if sign > 0 else self.dimensions.pmos_bias_v), count)


class ResistiveSynapse(SynapseCell):
    """A poly resistor at the membrane and a switch to ground (w > 0) or to the supply (w < 0); nothing at w = 0."""

    code_name = "resistor_length"
    code_unit = "um"

    def __init__(self, dimensions: ResistiveDimensions):
        self.dimensions = dimensions

    def subcircuit(self, name: str, setting: SynapseSetting) -> SubCircuit:
        """The cell of one weight: nodes membrane spike spike_bar supply."""
        cell = SubCircuit(name, "membrane", "spike", "spike_bar", "supply")
        poly_resistor(cell, "weight", "membrane", "switch", "0", self.dimensions.resistor_width_um, setting.code)
        if setting.sign > 0:
            _fet(cell, "n_switch", Fet.NFET, "switch", "spike", "0", "0", self.dimensions.nmos)
        else:
            _fet(cell, "p_switch", Fet.PFET, "switch", "spike_bar", "supply", "supply", self.dimensions.pmos)
        return cell

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        if setting is not None:
            kind = f"synapse_resistive_{name}"
            circuit.subcircuit(self.subcircuit(kind, setting))
            circuit.X(name, kind, nodes.membrane, nodes.spike, nodes.spike_bar, nodes.supply)
        return []

    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        # both signs share the range; conductance goes with 1/length, so space the codes logarithmically
        return np.geomspace(*self.dimensions.resistor_length_um, count)


def synapse_cell(dimensions: CurrentSourceDimensions | ResistiveDimensions, supply_v: float) -> SynapseCell:
    """The synapse cell that a design asks for."""
    if isinstance(dimensions, CurrentSourceDimensions):
        return CurrentSourceSynapse(dimensions, supply_v)
    return ResistiveSynapse(dimensions)


def _fet(cell: SubCircuit, name: str, kind: Fet, drain: str, gate: str, source: str, bulk: str, size: FetSize) -> None:
    mosfet(cell, name, kind, drain, gate, source, bulk, size.width_um, size.length_um)
