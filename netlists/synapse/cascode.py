"""The current-source synapse with a cascode: a reversal potential many times as far away."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from netlists.process import Role
from netlists.section import FetSize, Volt
from netlists.sheet import FET_HEIGHT, Sheet, volts
from netlists.spice import Circuit, SubCircuit, define, new_subcircuit, shared_level
from netlists.synapse.cell import SynapseNodes, SynapseSetting, synapse
from netlists.synapse.current_source import BiasedPairs, BiasedSynapse, draw_membrane


class CascodeSection(BiasedPairs):
    """A current source with a cascode between memory transistor and membrane, its gate at a level that all cells share."""

    kind: Literal["cascode"] = "cascode"
    nmos: FetSize = Field(description="memory and selector")
    pmos: FetSize = Field(description="memory and selector")
    nmos_cascode: FetSize
    pmos_cascode: FetSize
    nmos_cascode_v: Volt = Field(description="gate of the NMOS cascode")
    pmos_cascode_v: Volt = Field(description="gate of the PMOS cascode")
    supply_levels: ClassVar = ("pmos_cascode_v",)


@synapse(CascodeSection)
class CascodeSynapse(BiasedSynapse[CascodeSection]):
    """Cascode at the membrane, memory transistor behind it, selector at the rail; NMOS for w >= 0, PMOS for w < 0."""

    def subcircuit(self) -> SubCircuit:
        """The cell: nodes membrane spike spike_bar n_bias p_bias n_cascode p_cascode supply."""
        lines = ("membrane", "spike", "spike_bar", "n_bias", "p_bias", "n_cascode", "p_cascode", "supply")
        cell, add, d = new_subcircuit("synapse_cascode", *lines), self.process.fet, self.dimensions
        add(cell, "n_cascode", Role.NMOS, "membrane", "n_cascode", "n_drain", "0", d.nmos_cascode)
        add(cell, "n_memory", Role.NMOS, "n_drain", "n_bias", "n_middle", "0", d.nmos)
        add(cell, "n_selector", Role.NMOS, "n_middle", "spike", "0", "0", d.nmos)
        add(cell, "p_cascode", Role.PMOS, "membrane", "p_cascode", "p_drain", "supply", d.pmos_cascode)
        add(cell, "p_memory", Role.PMOS, "p_drain", "p_bias", "p_middle", "supply", d.pmos)
        add(cell, "p_selector", Role.PMOS, "p_middle", "spike_bar", "supply", "supply", d.pmos)
        return cell

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        define(circuit, self.subcircuit())
        biases, sources = self.attach_biases(circuit, name, setting)
        sources += shared_level(circuit, "synapse_n_cascode", self.dimensions.nmos_cascode_v)
        sources += shared_level(circuit, "synapse_p_cascode", self.dimensions.pmos_cascode_v)
        lines = (nodes.membrane, nodes.spike, nodes.spike_bar, *biases, "synapse_n_cascode", "synapse_p_cascode", nodes.supply)
        circuit.X(name, "synapse_cascode", *lines)
        return sources

    def draw(self, sheet: Sheet) -> None:
        h, d = FET_HEIGHT, self.dimensions
        sheet.supply((0, 3 * h))
        sheet.fet("p_selector", Role.PMOS, d.pmos, (0, 3 * h), "left", "spike_bar")
        sheet.fet("p_memory", Role.PMOS, d.pmos, (0, 2 * h), "left", "p_bias", volts(d.pmos_bias_v))
        sheet.fet("p_cascode", Role.PMOS, d.pmos_cascode, (0, h), "left", "p_cascode (shared)", volts(d.pmos_cascode_v))
        sheet.fet("n_cascode", Role.NMOS, d.nmos_cascode, (0, 0), "left", "n_cascode (shared)", volts(d.nmos_cascode_v))
        sheet.fet("n_memory", Role.NMOS, d.nmos, (0, -h), "left", "n_bias", volts(d.nmos_bias_v))
        sheet.fet("n_selector", Role.NMOS, d.nmos, (0, -2 * h), "left", "spike")
        sheet.ground((0, -3 * h))
        draw_membrane(sheet, h)
