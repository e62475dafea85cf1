"""The current-source synapse of the reference circuit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netlists.process import Role
from netlists.section import FetSize, VoltRange
from netlists.sheet import FET_HEIGHT, Sheet, volts
from netlists.spice import Circuit, SubCircuit, define, in_parallel, new_subcircuit
from netlists.synapse.cell import SIGNS, Sign, SynapseCell, SynapseNodes, SynapseSection, SynapseSetting, synapse


class BiasedPairs(SynapseSection):
    """An NMOS branch for w >= 0 whose gate bias rises with the weight, a PMOS branch for w < 0 whose gate bias falls."""

    nmos_bias_v: VoltRange = Field(description="weakest, strongest gate bias of the NMOS memory")
    pmos_bias_v: VoltRange = Field(description="weakest, strongest gate bias of the PMOS memory")
    bias_fields: ClassVar = ("nmos_bias_v", "pmos_bias_v")

    @model_validator(mode="after")
    def _ordered(self) -> BiasedPairs:
        if self.nmos_bias_v[0] >= self.nmos_bias_v[1]:
            raise ValueError("nmos_bias_v must rise from the weakest to the strongest bias")
        if self.pmos_bias_v[0] <= self.pmos_bias_v[1]:
            raise ValueError("pmos_bias_v must fall from the weakest to the strongest bias")
        return self


B = TypeVar("B", bound=BiasedPairs)


class BiasedSynapse(SynapseCell[B]):
    """A cell whose weight is set by a gate bias of its own for each sign."""

    code_name = "gate_bias"
    code_unit = "V"

    def attach_biases(self, circuit: Circuit, name: str, setting: SynapseSetting | None) -> tuple[tuple[str, str], list[str]]:
        """A bias source for each sign, that of the other sign at its rail; returns their lines and their names."""
        n_bias = setting.code if setting and setting.sign > 0 else 0.0
        p_bias = setting.code if setting and setting.sign < 0 else self.supply_v
        lines = f"{name}_n_bias", f"{name}_p_bias"
        for line, level in zip(lines, (n_bias, p_bias), strict=True):
            circuit.V(line, line, 0, level)
        return lines, [f"V{line}" for line in lines]

    def bias_source(self, name: str, sign: Sign) -> str:
        return f"V{name}_{'n' if sign > 0 else 'p'}_bias"

    def codes(self, sign: Sign, count: int) -> NDArray[np.float64]:
        return np.linspace(*(self.dimensions.nmos_bias_v if sign > 0 else self.dimensions.pmos_bias_v), count)


class CurrentSourceSection(BiasedPairs):
    """Memory transistor at the membrane, selector at the rail; an NMOS pair for w >= 0 and a PMOS pair for w < 0."""

    kind: Literal["current_source"] = "current_source"
    nmos: FetSize
    pmos: FetSize


@synapse(CurrentSourceSection)
class CurrentSourceSynapse(BiasedSynapse[CurrentSourceSection]):
    """NMOS pair to ground (w >= 0), PMOS pair to the supply (w < 0), memory transistor at the membrane."""

    def subcircuit(self) -> SubCircuit:
        """The cell, transistor by transistor: nodes membrane spike spike_bar n_bias p_bias supply."""
        cell = new_subcircuit("synapse_current_source", "membrane", "spike", "spike_bar", "n_bias", "p_bias", "supply")
        self._add_n_pair(cell)
        self._add_p_pair(cell)
        return cell

    def _add_n_pair(self, cell: SubCircuit) -> None:
        add, size = self.process.fet, self.dimensions.nmos
        add(cell, "n_memory", Role.NMOS, "membrane", "n_bias", "n_middle", "0", size)
        add(cell, "n_selector", Role.NMOS, "n_middle", "spike", "0", "0", size)

    def _add_p_pair(self, cell: SubCircuit) -> None:
        add, size = self.process.fet, self.dimensions.pmos
        add(cell, "p_memory", Role.PMOS, "membrane", "p_bias", "p_middle", "supply", size)
        add(cell, "p_selector", Role.PMOS, "p_middle", "spike_bar", "supply", "supply", size)

    def pairs(self) -> tuple[SubCircuit, SubCircuit]:
        """The two halves of the cell, each by itself: nodes membrane spike n_bias, and membrane spike_bar p_bias supply."""
        n_pair = new_subcircuit("synapse_current_source_n", "membrane", "spike", "n_bias")
        p_pair = new_subcircuit("synapse_current_source_p", "membrane", "spike_bar", "p_bias", "supply")
        self._add_n_pair(n_pair)
        self._add_p_pair(p_pair)
        return n_pair, p_pair

    def attach(self, circuit: Circuit, name: str, nodes: SynapseNodes, setting: SynapseSetting | None) -> list[str]:
        define(circuit, self.subcircuit())
        biases, sources = self.attach_biases(circuit, name, setting)
        circuit.X(name, "synapse_current_source", nodes.membrane, nodes.spike, nodes.spike_bar, *biases, nodes.supply)
        return sources

    def attach_behind_one_line(
        self, circuit: Circuit, name: str, nodes: SynapseNodes, settings: Sequence[SynapseSetting | None]
    ) -> list[str]:
        """Pair by pair: of the two pairs of a synapse one is off, and all that are off are alike."""
        sources = list[str]()
        lines = (("n", nodes.spike, 0.0, ()), ("p", nodes.spike_bar, self.supply_v, (nodes.supply,)))
        for sign, pair, (letter, line, off_v, rail) in zip(SIGNS, self.pairs(), lines, strict=True):
            define(circuit, pair)
            levels = Counter(setting.code if setting and setting.sign == sign else off_v for setting in settings)
            for k, (level, count) in enumerate(levels.items()):
                bias = f"{name}_{letter}_{k}_bias"
                circuit.V(bias, bias, 0, level)
                sources.append(f"V{bias}")
                attach = partial(circuit.X, f"{name}_{letter}_{k}", pair.name, nodes.membrane, line, bias, *rail)
                in_parallel(circuit, count, attach)
        return sources

    def while_off(self, settings: Sequence[SynapseSetting | None]) -> Sequence[SynapseSetting | None]:
        """Of each sign the weaker half and the stronger half have the middle code of their half.

        Behind a selector that stays off a memory transistor lends the membrane a part of its own capacitance. On a digit 30 of 64
        inputs never arrive: two codes a sign for them move spikes by 8 ps at most, and a column takes a third less time.
        """
        found = list(settings)
        for sign in SIGNS:
            own = sorted((setting.code, j) for j, setting in enumerate(settings) if setting and setting.sign == sign)
            for half in (own[: len(own) // 2], own[len(own) // 2 :]):
                for _, j in half:
                    found[j] = SynapseSetting(sign, half[len(half) // 2][0])
        return found

    def draw(self, sheet: Sheet) -> None:
        h, d = FET_HEIGHT, self.dimensions
        sheet.supply((0, 2 * h))
        sheet.fet("p_selector", Role.PMOS, d.pmos, (0, 2 * h), "left", "spike_bar")
        sheet.fet("p_memory", Role.PMOS, d.pmos, (0, h), "left", "p_bias", volts(d.pmos_bias_v))
        sheet.fet("n_memory", Role.NMOS, d.nmos, (0, 0), "left", "n_bias", volts(d.nmos_bias_v))
        sheet.fet("n_selector", Role.NMOS, d.nmos, (0, -h), "left", "spike")
        sheet.ground((0, -2 * h))
        draw_membrane(sheet, h)


def draw_membrane(sheet: Sheet, h: float) -> None:
    """The membrane of two branches, to the right of them, and what either does to it."""
    sheet.dot((0, 0))
    sheet.wire((0, 0), (4, 0))
    sheet.port((4, 0), "membrane", "right")
    sheet.lines((4, h), "left", "w < 0: current from the supply,", "away from the threshold")
    sheet.lines((4, -h), "left", "w ≥ 0: current to ground,", "towards the threshold")
