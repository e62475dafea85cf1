"""A neuron that senses its membrane with a plain inverter: no starved pull-up, so its threshold is near half the supply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from netlists.neuron import NeuronCell, NeuronSection, neuron
from netlists.neuron.cell import DRIVER_NODES
from netlists.process import Role
from netlists.section import FetSize, Micrometre, Volt, VoltRange, fet
from netlists.sheet import Sheet, volts
from netlists.spice import SubCircuit, new_subcircuit


class PlainInverterSection(NeuronSection):
    """Plate capacitor, reset gate, discharger, and an inverter that is enabled in the firing phase."""

    kind: Literal["plain_inverter"] = "plain_inverter"
    rest_v: Volt = 1.3
    discharger_bias_v: VoltRange = (0.40, 0.75)
    plate_um: tuple[Micrometre, Micrometre] = Field(default=(7.0, 7.0), description="drawn plate of the membrane, W and L")
    discharger: FetSize = fet(1.0, 0.5)
    nmos: FetSize = Field(default=fet(0.42, 0.15), description="all other NMOS")
    pmos: FetSize = Field(default=fet(0.84, 0.15), description="all PMOS")


@neuron(PlainInverterSection)
class PlainInverterNeuron(NeuronCell[PlainInverterSection]):
    """The output of the inverter and `phase` drive the spike line; the spike lasts to the end of the firing phase."""

    @property
    def drawn_capacitance_f(self) -> float:
        width, length = self.dimensions.plate_um
        return self.process.capacitance_f_per_um2 * width * length

    def biases_v(self, discharger_bias_v: float) -> dict[str, float]:
        return {"discharger_bias": discharger_bias_v}

    def subcircuit(self) -> SubCircuit:
        cell, d = new_subcircuit("neuron", *self.nodes), self.dimensions
        self.process.capacitor(cell, "membrane", "membrane", "0", *d.plate_um)
        self._nmos(cell, "reset_n", "membrane", "reset", "rest")
        self._pmos(cell, "reset_p", "membrane", "reset_bar", "rest")
        self.process.fet(cell, "discharger", Role.NMOS, "membrane", "discharger_bias", "tail", "0", d.discharger)
        self._nmos(cell, "discharger_switch", "tail", "phase", "0")
        self._pmos(cell, "header", "header_drain", "phase_bar", "supply")
        self._pmos(cell, "sensing_p", "out", "membrane", "header_drain")
        self._nmos(cell, "sensing_n", "out", "membrane", "0")
        self._nmos(cell, "output_clear", "out", "reset", "0")
        cell.X("driver", "spike_driver", "out", "phase", "spike", "spike_bar", "supply")
        return cell

    def driver_subcircuit(self) -> SubCircuit:
        """NAND(trigger, enable) is the complement, its inverse the true line."""
        cell = new_subcircuit("spike_driver", *DRIVER_NODES)
        self._pmos(cell, "nand_p_trigger", "spike_bar", "trigger", "supply")
        self._pmos(cell, "nand_p_enable", "spike_bar", "enable", "supply")
        self._nmos(cell, "nand_n_trigger", "spike_bar", "trigger", "nand_middle")
        self._nmos(cell, "nand_n_enable", "nand_middle", "enable", "0")
        self._pmos(cell, "spike_p", "spike", "spike_bar", "supply")
        self._nmos(cell, "spike_n", "spike", "spike_bar", "0")
        return cell

    def _nmos(self, cell: SubCircuit, name: str, drain: str, gate: str, source: str) -> None:
        self.process.fet(cell, name, Role.NMOS, drain, gate, source, "0", self.dimensions.nmos)

    def _pmos(self, cell: SubCircuit, name: str, drain: str, gate: str, source: str) -> None:
        self.process.fet(cell, name, Role.PMOS, drain, gate, source, "supply", self.dimensions.pmos)

    def drawings(self) -> dict[str, Callable[[Sheet], None]]:
        return {"neuron": self._draw}

    def _draw(self, sheet: Sheet) -> None:
        """From the membrane to the spike line, as blocks."""
        d = self.dimensions
        blocks = {
            "reset gate": f"{d.nmos}, {d.pmos}",
            "discharger": f"{d.discharger}, {volts(d.discharger_bias_v)}",
            "plate": f"{d.plate_um[0]:g} × {d.plate_um[1]:g} um",
            "inverter": f"{d.nmos}, {d.pmos}",
            "spike_driver": f"{d.nmos}, {d.pmos}",
        }
        sheet.port((-0.5, 0), "membrane", "left")
        for k, (name, size) in enumerate(blocks.items()):
            sheet.wire((3.5 * k - 0.5, 0), (3.5 * k, 0))
            sheet.box((3.5 * k, -1), (3.5 * k + 3, 1))
            sheet.lines((3.5 * k + 1.5, 0), "center", name, size)
