"""The synapse whose weight is the length of a poly resistor."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netlists.process import Role
from netlists.section import FetSize, Micrometre
from netlists.sheet import FET_HEIGHT, Sheet
from netlists.spice import Circuit, SubCircuit, new_subcircuit
from netlists.synapse.cell import Sign, SynapseCell, SynapseNodes, SynapseSection, SynapseSetting, synapse


class ResistorSection(SynapseSection):
    """A high-resistance poly resistor whose length sets the weight."""

    resistor_width_um: Micrometre = Field(description="one that resistors of the process come in")
    resistor_length_um: tuple[Micrometre, Micrometre] = Field(description="weakest (longest), strongest (shortest) resistor")

    @model_validator(mode="after")
    def _ordered(self) -> ResistorSection:
        if self.resistor_length_um[0] <= self.resistor_length_um[1]:
            raise ValueError("resistor_length_um must fall from the weakest to the strongest resistor")
        return self

    @property
    def resistor(self) -> str:
        """Width and range of lengths, as drawings show them."""
        return f"{self.resistor_width_um:g} / {self.resistor_length_um[0]:g} … {self.resistor_length_um[1]:g} um"


R = TypeVar("R", bound=ResistorSection)


class ResistorSynapse(SynapseCell[R]):
    """A resistor and a switch for one sign of the weight; nothing at w = 0."""

    code_name = "resistor_length"
    code_unit = "um"
    logarithmic_code = True
    weight_is_drawn = True

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

    def check(self) -> None:
        try:
            self.process.check_resistor_width(self.dimensions.resistor_width_um)
        except ValueError as error:
            raise ValueError(f"resistor_width_um: {error}") from None


class ResistiveSection(ResistorSection):
    """A high-resistance poly resistor at the membrane and a switch at either rail; the resistor's length sets the weight."""

    kind: Literal["resistive"] = "resistive"
    nmos: FetSize
    pmos: FetSize


@synapse(ResistiveSection)
class ResistiveSynapse(ResistorSynapse[ResistiveSection]):
    """A poly resistor at the membrane and a switch to ground (w > 0) or to the supply (w < 0)."""

    loads_by_code = True

    def subcircuit(self, name: str, setting: SynapseSetting) -> SubCircuit:
        cell, d = new_subcircuit(name, "membrane", "spike", "spike_bar", "supply"), self.dimensions
        self.process.resistor(cell, "weight", "membrane", "switch", "0", d.resistor_width_um, setting.code)
        if setting.sign > 0:
            self.process.fet(cell, "n_switch", Role.NMOS, "switch", "spike", "0", "0", d.nmos)
        else:
            self.process.fet(cell, "p_switch", Role.PMOS, "switch", "spike_bar", "supply", "supply", d.pmos)
        return cell

    def draw(self, sheet: Sheet) -> None:
        h, apart, d = FET_HEIGHT, 8.5, self.dimensions
        sheet.resistor("weight", d.resistor, (0, 2 * h), (0, 0))
        sheet.fet("n_switch", Role.NMOS, d.nmos, (0, 0), "left", "spike")
        sheet.ground((0, -h))
        sheet.port((0, 2 * h), "membrane", "right")
        sheet.text((0, -h - 1.2), "w > 0: towards the threshold", "center")
        sheet.supply((apart, 2 * h))
        sheet.fet("p_switch", Role.PMOS, d.pmos, (apart, 2 * h), "left", "spike_bar")
        sheet.resistor("weight", d.resistor, (apart, h), (apart, -h))
        sheet.port((apart, -h), "membrane", "right")
        sheet.text((apart, -h - 1.2), "w < 0: away from the threshold", "center")
