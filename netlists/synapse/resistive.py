"""Synapses whose weight is the length of a poly resistor."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit, SubCircuit

from netlists.synapse.cell import Sign, SynapseCell, SynapseNodes, SynapseSetting, fet
from netlists.synapse_dimensions import ResistiveDimensions, TransmissionGateDimensions
from sky130_models.devices import Fet, poly_resistor


class _PolySynapse(SynapseCell):
    """A resistor and a switch for one sign of the weight; nothing at w = 0."""

    code_name = "resistor_length"
    code_unit = "um"
    logarithmic_code = True
    dimensions: ResistiveDimensions | TransmissionGateDimensions

    @abstractmethod
    def subcircuit(self, name: str, setting: SynapseSetting) -> SubCircuit:
        """The cell of one weight: nodes membrane spike spike_bar supply."""

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        if setting is not None:
            kind = f"synapse_{self.dimensions.kind}_{name}"
            circuit.subcircuit(self.subcircuit(kind, setting))
            circuit.X(name, kind, nodes.membrane, nodes.spike, nodes.spike_bar, nodes.supply)
        return []

    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        # both signs share the range; conductance goes with 1/length, so space the codes logarithmically
        return np.geomspace(*self.dimensions.resistor_length_um, count)


class ResistiveSynapse(_PolySynapse):
    """A poly resistor at the membrane and a switch to ground (w > 0) or to the supply (w < 0)."""

    def __init__(self, dimensions: ResistiveDimensions):
        self.dimensions: ResistiveDimensions = dimensions

    def subcircuit(self, name: str, setting: SynapseSetting) -> SubCircuit:
        cell = SubCircuit(name, "membrane", "spike", "spike_bar", "supply")
        poly_resistor(cell, "weight", "membrane", "switch", "0", self.dimensions.resistor_width_um, setting.code)
        if setting.sign > 0:
            fet(cell, "n_switch", Fet.NFET, "switch", "spike", "0", "0", self.dimensions.nmos)
        else:
            fet(cell, "p_switch", Fet.PFET, "switch", "spike_bar", "supply", "supply", self.dimensions.pmos)
        return cell


class TransmissionGateSynapse(_PolySynapse):
    """A transmission gate at the membrane and a poly resistor from it to ground (w > 0) or to the supply (w < 0)."""

    def __init__(self, dimensions: TransmissionGateDimensions):
        self.dimensions: TransmissionGateDimensions = dimensions

    def subcircuit(self, name: str, setting: SynapseSetting) -> SubCircuit:
        cell = SubCircuit(name, "membrane", "spike", "spike_bar", "supply")
        rail = "0" if setting.sign > 0 else "supply"
        fet(cell, "n_switch", Fet.NFET, "membrane", "spike", "switch", "0", self.dimensions.nmos)
        fet(cell, "p_switch", Fet.PFET, "membrane", "spike_bar", "switch", "supply", self.dimensions.pmos)
        poly_resistor(cell, "weight", "switch", rail, "0", self.dimensions.resistor_width_um, setting.code)
        return cell
