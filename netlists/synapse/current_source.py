"""The current-source synapse of the reference circuit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit, SubCircuit

from netlists.synapse.cell import SIGNS, Sign, SynapseCell, SynapseNodes, SynapseSetting, define, fet
from netlists.synapse_dimensions import CascodeDimensions, CurrentSourceDimensions
from sky130_models.devices import Fet


def attach_biases(
    circuit: Circuit, name: str, setting: SynapseSetting | None, supply_v: float
) -> tuple[tuple[str, str], list[str]]:
    """A bias source for each sign, that of the other sign at its rail; returns their lines and their names."""
    n_bias = setting.code if setting and setting.sign > 0 else 0.0
    p_bias = setting.code if setting and setting.sign < 0 else supply_v
    lines = f"{name}_n_bias", f"{name}_p_bias"
    for line, volts in zip(lines, (n_bias, p_bias), strict=True):
        circuit.V(line, line, 0, volts)
    return lines, [own_bias_source(name, sign) for sign in SIGNS]


def own_bias_source(name: str, sign: Sign) -> str:
    """The source of a cell that has a bias of its own for each sign."""
    return f"V{name}_{'n' if sign > 0 else 'p'}_bias"


def bias_codes(dimensions: CurrentSourceDimensions | CascodeDimensions, sign: Sign, count: int) -> NDArray[np.float64]:
    """Gate biases from the weakest to the strongest."""
    return np.linspace(*(dimensions.nmos_bias_v if sign > 0 else dimensions.pmos_bias_v), count)


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
        fet(cell, "n_memory", Fet.NFET, "membrane", "n_bias", "n_middle", "0", nmos)
        fet(cell, "n_selector", Fet.NFET, "n_middle", "spike", "0", "0", nmos)
        fet(cell, "p_memory", Fet.PFET, "membrane", "p_bias", "p_middle", "supply", pmos)
        fet(cell, "p_selector", Fet.PFET, "p_middle", "spike_bar", "supply", "supply", pmos)
        return cell

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        define(circuit, self.subcircuit())
        biases, sources = attach_biases(circuit, name, setting, self.supply_v)
        circuit.X(name, "synapse_current_source", nodes.membrane, nodes.spike, nodes.spike_bar, *biases, nodes.supply)
        return sources

    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        return bias_codes(self.dimensions, sign, count)

    def bias_source(self, name: str, sign: Sign) -> str:
        return own_bias_source(name, sign)
