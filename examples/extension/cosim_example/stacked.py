"""A current-source synapse whose memory is two transistors in series: twice the channel length out of short ones."""

from __future__ import annotations

from typing import Literal

from netlists.process import Role
from netlists.section import FetSize, VoltRange, fet
from netlists.sheet import FET_HEIGHT, Sheet, volts
from netlists.spice import Circuit, SubCircuit, define, new_subcircuit
from netlists.synapse import SynapseNodes, SynapseSetting, synapse
from netlists.synapse.current_source import BiasedPairs, BiasedSynapse


class StackedSection(BiasedPairs):
    """Two memory transistors in series at the membrane, their gates at one bias, selector at the rail."""

    kind: Literal["stacked"] = "stacked"
    memory_n: FetSize = fet(1.0, 0.25)
    memory_p: FetSize = fet(1.0, 0.25)
    selector_n: FetSize = fet(1.0, 0.15)
    selector_p: FetSize = fet(1.0, 0.15)
    nmos_bias_v: VoltRange = (0.42, 0.66)
    pmos_bias_v: VoltRange = (1.28, 1.02)


@synapse(StackedSection)
class StackedSynapse(BiasedSynapse[StackedSection]):
    """For each sign upper and lower memory transistor, then the selector. Bias sources and codes are those of `BiasedSynapse`."""

    def subcircuit(self) -> SubCircuit:
        """The cell: nodes membrane spike spike_bar n_bias p_bias supply."""
        cell = new_subcircuit("synapse_stacked", "membrane", "spike", "spike_bar", "n_bias", "p_bias", "supply")
        add, d = self.process.fet, self.dimensions
        add(cell, "n_upper", Role.NMOS, "membrane", "n_bias", "n_between", "0", d.memory_n)
        add(cell, "n_lower", Role.NMOS, "n_between", "n_bias", "n_tail", "0", d.memory_n)
        add(cell, "n_selector", Role.NMOS, "n_tail", "spike", "0", "0", d.selector_n)
        add(cell, "p_lower", Role.PMOS, "membrane", "p_bias", "p_between", "supply", d.memory_p)
        add(cell, "p_upper", Role.PMOS, "p_between", "p_bias", "p_tail", "supply", d.memory_p)
        add(cell, "p_selector", Role.PMOS, "p_tail", "spike_bar", "supply", "supply", d.selector_p)
        return cell

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        define(circuit, self.subcircuit())
        biases, sources = self.attach_biases(circuit, name, setting)
        circuit.X(name, "synapse_stacked", nodes.membrane, nodes.spike, nodes.spike_bar, *biases, nodes.supply)
        return sources

    def draw(self, sheet: Sheet) -> None:
        h, d = FET_HEIGHT, self.dimensions
        sheet.supply((0, 3 * h))
        sheet.fet("p_selector", Role.PMOS, d.selector_p, (0, 3 * h), "left", "spike_bar")
        sheet.fet("p_upper", Role.PMOS, d.memory_p, (0, 2 * h), "left", "p_bias", volts(d.pmos_bias_v))
        sheet.fet("p_lower", Role.PMOS, d.memory_p, (0, h), "left", "p_bias")
        sheet.fet("n_upper", Role.NMOS, d.memory_n, (0, 0), "left", "n_bias", volts(d.nmos_bias_v))
        sheet.fet("n_lower", Role.NMOS, d.memory_n, (0, -h), "left", "n_bias")
        sheet.fet("n_selector", Role.NMOS, d.selector_n, (0, -2 * h), "left", "spike")
        sheet.ground((0, -3 * h))
        sheet.wire((0, 0), (4, 0))
        sheet.port((4, 0), "membrane", "right")
