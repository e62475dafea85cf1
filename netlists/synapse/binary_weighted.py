"""The ratioed, binary-weighted synapse: a digital weight of 3 to 6 bits and a sign."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netlists.errors import NetlistError
from netlists.process import Role
from netlists.section import FetSize, Volt
from netlists.sheet import FET_HEIGHT, Sheet, volts
from netlists.spice import Circuit, SubCircuit, define, new_subcircuit, shared_level
from netlists.synapse.cell import Sign, SynapseCell, SynapseNodes, SynapseSection, SynapseSetting, synapse


class BinaryWeightedSection(SynapseSection):
    """1, 2, 4, ... unit transistors for each sign, switched by bits at the rails: the code is how many unit currents flow."""

    kind: Literal["binary_weighted"] = "binary_weighted"
    bits: Annotated[int, Field(ge=3, le=6)] = 4
    nmos: FetSize = Field(description="unit memory transistor; bit switches and selector are as large")
    pmos: FetSize = Field(description="unit memory transistor; bit switches and selector are as large")
    nmos_bias_v: Volt = Field(description="gate bias of all NMOS memory transistors: the unit current")
    pmos_bias_v: Volt = Field(description="gate bias of all PMOS memory transistors: the unit current")
    bias_fields: ClassVar = ("nmos_bias_v", "pmos_bias_v")


@synapse(BinaryWeightedSection)
class BinaryWeightedSynapse(SynapseCell[BinaryWeightedSection]):
    """For each bit 2^b unit memory transistors at the membrane and a bit switch; one selector for each sign at its rail.

    The bits are static levels at the rails (a latch in reality); the code is the number of unit currents, 1 .. 2^bits - 1.
    """

    code_name = "unit_currents"
    code_unit = "units"
    code_step = 1.0
    logarithmic_code = True

    def subcircuit(self) -> SubCircuit:
        """The cell: nodes membrane spike spike_bar n_bias p_bias, n_bit_<b> and p_bit_<b> (low is on), supply."""
        d = self.dimensions
        bits = [f"{branch}_bit_{bit}" for branch in "np" for bit in range(d.bits)]
        cell = new_subcircuit("synapse_binary_weighted", "membrane", "spike", "spike_bar", "n_bias", "p_bias", *bits, "supply")
        for branch, role, size, rail, gate in (
            ("n", Role.NMOS, d.nmos, "0", "spike"),
            ("p", Role.PMOS, d.pmos, "supply", "spike_bar"),
        ):
            for bit in range(d.bits):
                memory, middle, tail = f"{branch}_memory_{bit}", f"{branch}_middle_{bit}", f"{branch}_tail"
                self.process.fet(cell, memory, role, "membrane", f"{branch}_bias", middle, rail, size, units=2**bit)
                self.process.fet(cell, f"{branch}_switch_{bit}", role, middle, f"{branch}_bit_{bit}", tail, rail, size)
            self.process.fet(cell, f"{branch}_selector", role, f"{branch}_tail", gate, rail, rail, size)
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
        """Which bits of a sign are on, the smallest first. Raises `NetlistError` for no whole number of unit currents."""
        code = setting.code if setting and setting.sign == sign else 0
        if code != int(code) or not 0 <= code < 2**self.dimensions.bits:
            raise NetlistError(f"code {code:g}: must be a whole number from 0 to {2**self.dimensions.bits - 1}")
        return [bool(int(code) >> bit & 1) for bit in range(self.dimensions.bits)]

    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        largest = 2**self.dimensions.bits - 1
        return np.unique(np.geomspace(1, largest, count).round()) if count < largest else np.arange(1.0, largest + 1)

    def bias_source(self, name: str, sign: Sign) -> str:
        return f"Vsynapse_{'n' if sign > 0 else 'p'}_bias"

    def draw(self, sheet: Sheet) -> None:
        """The first bit and any other, b."""
        apart = 7.5
        sheet.wire((0, 0), (apart + 3.4, 0))
        sheet.port((apart + 3.4, 0), "membrane", "right")
        sheet.dot((0, 0), (apart, 0))
        self._branch(sheet, "n", apart)
        self._branch(sheet, "p", apart)
        sheet.text((apart + 1.5, -3.9), f"b = 1 … {self.dimensions.bits - 1}: 2ᵇ units side by side", "left")

    def _branch(self, sheet: Sheet, name: str, apart: float) -> None:
        """Memory and bit switch of two bits, and the selector that they share: the PMOS above the membrane, the NMOS below it."""
        above, d = name == "p", self.dimensions
        role, size, line, level = (
            (Role.PMOS, d.pmos, "spike_bar", d.pmos_bias_v) if above else (Role.NMOS, d.nmos, "spike", d.nmos_bias_v)
        )
        h, side, start = FET_HEIGHT, 1 if above else -1, 0.5
        # A transistor hangs from its upper terminal.
        memory, switch, selector = (side * (start + k * h) + (h if above else 0) for k in range(3))
        for x, bit in ((0.0, "0"), (apart, "b")):
            sheet.wire((x, 0), (x, side * start))
            sheet.fet(f"{name}_memory_{bit}", role, size, (x, memory), "left", f"{name}_bias", volts(level))
            sheet.fet(f"{name}_switch_{bit}", role, size, (x, switch), "left", f"{name}_bit_{bit}")
        tail = side * (start + 2 * h)
        sheet.wire((0, tail), (apart, tail))
        sheet.dot((apart / 2, tail))
        sheet.fet(f"{name}_selector", role, size, (apart / 2, selector), "left", line)
        end = (apart / 2, side * (start + 3 * h))
        if above:
            sheet.supply(end)
        else:
            sheet.ground(end)
