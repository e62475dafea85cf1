"""The resistive synapse behind a transmission gate."""

from __future__ import annotations

from typing import Literal

from netlists.process import Role
from netlists.section import FetSize
from netlists.sheet import FET_HEIGHT, Sheet
from netlists.spice import SubCircuit, new_subcircuit
from netlists.synapse.cell import SynapseSetting, synapse
from netlists.synapse.resistive import ResistorSection, ResistorSynapse


class TransmissionGateSection(ResistorSection):
    """A transmission gate at the membrane and a high-resistance poly resistor to either rail; its length sets the weight."""

    kind: Literal["transmission_gate"] = "transmission_gate"
    nmos: FetSize
    pmos: FetSize


@synapse(TransmissionGateSection)
class TransmissionGateSynapse(ResistorSynapse[TransmissionGateSection]):
    """A transmission gate at the membrane and a poly resistor from it to ground (w > 0) or to the supply (w < 0)."""

    def subcircuit(self, name: str, setting: SynapseSetting) -> SubCircuit:
        cell, d = new_subcircuit(name, "membrane", "spike", "spike_bar", "supply"), self.dimensions
        rail = "0" if setting.sign > 0 else "supply"
        self.process.fet(cell, "n_switch", Role.NMOS, "membrane", "spike", "switch", "0", d.nmos)
        self.process.fet(cell, "p_switch", Role.PMOS, "membrane", "spike_bar", "switch", "supply", d.pmos)
        self.process.resistor(cell, "weight", "switch", rail, "0", d.resistor_width_um, setting.code)
        return cell

    def draw(self, sheet: Sheet) -> None:
        h, apart, reach, d = FET_HEIGHT, 11.2, 4.2, self.dimensions
        for x, towards_rail in ((0.0, -1), (apart, 1)):
            middle, near, far = x + reach / 2, towards_rail * h / 2, towards_rail * 2 * h
            sheet.fet("n_switch", Role.NMOS, d.nmos, (x, h / 2), "left", "spike")
            sheet.fet("p_switch", Role.PMOS, d.pmos, (x + reach, h / 2), "right", "spike_bar")
            for y in (near, -near):
                sheet.wire((x, y), (x + reach, y))
            sheet.resistor("weight", d.resistor, (middle, max(near, far)), (middle, min(near, far)))
            sheet.wire((middle, -near), (middle, -1.6 * near))
            sheet.dot((middle, near), (middle, -near))
            sheet.port((middle, -1.6 * near), "membrane", "right")
        sheet.ground((reach / 2, -2 * h))
        sheet.supply((apart + reach / 2, 2 * h))
        sheet.text((reach / 2, -2 * h - 1.2), "w > 0: towards the threshold", "center")
        sheet.text((apart + reach / 2, -2 * h - 1.2), "w < 0: away from the threshold", "center")
