"""The ratioed, binary-weighted synapse: a digital weight of 3 to 6 bits and a sign."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit, SubCircuit

from netlists.errors import NetlistError
from netlists.synapse.cell import Sign, SynapseCell, SynapseNodes, SynapseSetting, define, fet, shared_level
from netlists.synapse_dimensions import BinaryWeightedDimensions
from sky130_models.devices import Fet


class BinaryWeightedSynapse(SynapseCell):
    """For each bit 2^b unit memory transistors at the membrane and a bit switch; one selector for each sign at its rail.

    The bits are static levels at the rails (a latch in reality); the code is the number of unit currents, 1 .. 2^bits - 1.
    """

    code_name = "unit_currents"
    code_unit = "units"
    code_step = 1.0
    logarithmic_code = True

    def __init__(self, dimensions: BinaryWeightedDimensions):
        self.dimensions = dimensions

    def subcircuit(self) -> SubCircuit:
        """The cell: nodes membrane spike spike_bar n_bias p_bias, n_bit_<b> and p_bit_<b> (low is on), supply."""
        d = self.dimensions
        bits = [f"{branch}_bit_{bit}" for branch in "np" for bit in range(d.bits)]
        cell = SubCircuit(
            "synapse_binary_weighted", "membrane", "spike", "spike_bar", "n_bias", "p_bias", *bits, "supply"
        )  # fmt: skip
        for branch, kind, size, rail, gate in (
            ("n", Fet.NFET, d.nmos, "0", "spike"),
            ("p", Fet.PFET, d.pmos, "supply", "spike_bar"),
        ):
            for bit in range(d.bits):
                middle, tail = f"{branch}_middle_{bit}", f"{branch}_tail"
                fet(cell, f"{branch}_memory_{bit}", kind, "membrane", f"{branch}_bias", middle, rail, size, units=2**bit)
                fet(cell, f"{branch}_switch_{bit}", kind, middle, f"{branch}_bit_{bit}", tail, rail, size)
            fet(cell, f"{branch}_selector", kind, f"{branch}_tail", gate, rail, rail, size)
        return cell

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        define(circuit, self.subcircuit())
        sources = shared_level(circuit, "synapse_n_bias", self.dimensions.nmos_bias_v)
        sources += shared_level(circuit, "synapse_p_bias", self.dimensions.pmos_bias_v)
        n_bits = [nodes.supply if on else "0" for on in self.bits(setting, 1)]
        p_bits = ["0" if on else nodes.supply for on in self.bits(setting, -1)]
        biases = ("synapse_n_bias", "synapse_p_bias")
        lines = (nodes.membrane, nodes.spike, nodes.spike_bar, *biases, *n_bits, *p_bits, nodes.supply)
        circuit.X(name, "synapse_binary_weighted", *lines)
        return sources

    def bits(self, setting: SynapseSetting | None, sign: Sign) -> list[bool]:
        """Which bits of a sign are on, the smallest first. Raises `NetlistError` for a code of no whole units."""
        code = setting.code if setting and setting.sign == sign else 0
        if code != int(code) or not 0 <= code < 2**self.dimensions.bits:
            raise NetlistError(f"code {code:g}: must be a whole number from 0 to {2**self.dimensions.bits - 1}")
        return [bool(int(code) >> bit & 1) for bit in range(self.dimensions.bits)]

    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        largest = 2**self.dimensions.bits - 1
        return np.unique(np.geomspace(1, largest, count).round()) if count < largest else np.arange(1.0, largest + 1)

    def bias_source(self, name: str, sign: Sign) -> str:
        """All cells of a circuit share it."""
        return "Vsynapse_n_bias" if sign > 0 else "Vsynapse_p_bias"
