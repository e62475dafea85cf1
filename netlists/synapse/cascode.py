"""The current-source synapse with a cascode: a reversal potential many times as far away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit, SubCircuit

from netlists.synapse.cell import Sign, SynapseCell, SynapseNodes, SynapseSetting, define, fet, shared_level
from netlists.synapse.current_source import attach_biases, bias_codes, own_bias_source
from netlists.synapse_dimensions import CascodeDimensions
from sky130_models.devices import Fet


class CascodeSynapse(SynapseCell):
    """Cascode at the membrane, memory transistor behind it, selector at the rail; NMOS for w >= 0, PMOS for w < 0."""

    code_name = "gate_bias"
    code_unit = "V"

    def __init__(self, dimensions: CascodeDimensions, supply_v: float):
        self.dimensions = dimensions
        self.supply_v = supply_v

    def subcircuit(self) -> SubCircuit:
        """The cell: nodes membrane spike spike_bar n_bias p_bias n_cascode p_cascode supply."""
        lines = ("membrane", "spike", "spike_bar", "n_bias", "p_bias", "n_cascode", "p_cascode", "supply")
        cell, d = SubCircuit("synapse_cascode", *lines), self.dimensions
        fet(cell, "n_cascode", Fet.NFET, "membrane", "n_cascode", "n_drain", "0", d.nmos_cascode)
        fet(cell, "n_memory", Fet.NFET, "n_drain", "n_bias", "n_middle", "0", d.nmos)
        fet(cell, "n_selector", Fet.NFET, "n_middle", "spike", "0", "0", d.nmos)
        fet(cell, "p_cascode", Fet.PFET, "membrane", "p_cascode", "p_drain", "supply", d.pmos_cascode)
        fet(cell, "p_memory", Fet.PFET, "p_drain", "p_bias", "p_middle", "supply", d.pmos)
        fet(cell, "p_selector", Fet.PFET, "p_middle", "spike_bar", "supply", "supply", d.pmos)
        return cell

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        define(circuit, self.subcircuit())
        biases, sources = attach_biases(circuit, name, setting, self.supply_v)
        sources += shared_level(circuit, "synapse_n_cascode", self.dimensions.nmos_cascode_v)
        sources += shared_level(circuit, "synapse_p_cascode", self.dimensions.pmos_cascode_v)
        lines = (nodes.membrane, nodes.spike, nodes.spike_bar, *biases, "synapse_n_cascode", "synapse_p_cascode", nodes.supply)
        circuit.X(name, "synapse_cascode", *lines)
        return sources

    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        return bias_codes(self.dimensions, sign, count)

    def bias_source(self, name: str, sign: Sign) -> str:
        return own_bias_source(name, sign)
