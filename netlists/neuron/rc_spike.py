"""The neuron of the reference circuit: membrane capacitor, reset, discharger, sensing inverter and output logic."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field

from netlists.neuron.cell import DRIVER_NODES, NeuronCell, NeuronSection, neuron
from netlists.process import Role
from netlists.section import FetSize, Micrometre, Volt
from netlists.sheet import FET_HEIGHT, FET_REACH, Point, Sheet, volts
from netlists.spice import Circuit, SubCircuit, new_subcircuit


class RcSpikeSection(NeuronSection):
    """Membrane capacitor, reset, discharger, sensing inverter and output logic (sizes of the reference circuit)."""

    kind: Literal["rc_spike"] = "rc_spike"
    membrane_capacitor_um: tuple[Micrometre, Micrometre] = Field(description="drawn plate, W and L")
    wire_capacitance_f: float = Field(ge=0.0, le=1e-9, description="membrane wire to ground, a lumped stand-in for layout")
    pullup_bias_v: Volt = Field(description="gate of the PMOS that starves the sensing inverter")
    discharger: FetSize
    discharger_switch: FetSize
    pullup: FetSize
    header: FetSize
    sensing_pmos: FetSize
    sensing_nmos: FetSize
    output_clear: FetSize
    reset_nmos: FetSize
    reset_pmos: FetSize
    logic_nmos: FetSize
    logic_pmos: FetSize
    spike_nmos: FetSize
    spike_pmos: FetSize
    followed_biases: ClassVar = {"pullup": "pullup_bias_v"}


@neuron(RcSpikeSection)
class RcSpikeNeuron(NeuronCell[RcSpikeSection]):
    """See its section. NAND(out, phase) is the complement of the spike, its inverse the true line."""

    @property
    def drawn_capacitance_f(self) -> float:
        width, length = self.dimensions.membrane_capacitor_um
        return self.process.capacitance_f_per_um2 * width * length + self.dimensions.wire_capacitance_f

    def biases_v(self, discharger_bias_v: float) -> dict[str, float]:
        return {"pullup_bias": self.dimensions.pullup_bias_v, "discharger_bias": discharger_bias_v}

    def attach_followed(self, circuit: Circuit, device: str, drain: str, gate: str, supply: str) -> None:
        """The PMOS that starves the sensing inverter."""
        self.process.fet(circuit, "pullup", Role.PMOS, drain, gate, supply, supply, self.dimensions.pullup)

    def driver_subcircuit(self) -> SubCircuit:
        """NAND(trigger, enable) is the complement, its inverse the true line."""
        cell, d = new_subcircuit("spike_driver", *DRIVER_NODES), self.dimensions
        self._pfet(cell, "nand_p_trigger", "spike_bar", "trigger", "supply", d.logic_pmos)
        self._pfet(cell, "nand_p_enable", "spike_bar", "enable", "supply", d.logic_pmos)
        self._nfet(cell, "nand_n_trigger", "spike_bar", "trigger", "nand_middle", d.logic_nmos)
        self._nfet(cell, "nand_n_enable", "nand_middle", "enable", "0", d.logic_nmos)
        self._pfet(cell, "spike_p", "spike", "spike_bar", "supply", d.spike_pmos)
        self._nfet(cell, "spike_n", "spike", "spike_bar", "0", d.spike_nmos)
        return cell

    def subcircuit(self) -> SubCircuit:
        cell, d = new_subcircuit("neuron", *self.nodes), self.dimensions
        self.process.capacitor(cell, "membrane", "membrane", "0", *d.membrane_capacitor_um)
        if d.wire_capacitance_f > 0:
            cell.C("wire", "membrane", 0, d.wire_capacitance_f)
        self._reset(cell)
        self._discharger(cell)
        self._sensing_inverter(cell)
        # the spike lasts to the end of the firing phase
        cell.X("driver", "spike_driver", "out", "phase", "spike", "spike_bar", "supply")
        return cell

    def _reset(self, cell: SubCircuit) -> None:
        """A transmission gate: a PMOS alone leaves 3 mV of charge on the membrane, an NMOS alone does not reach its rest."""
        self._nfet(cell, "reset_n", "membrane", "reset", "rest", self.dimensions.reset_nmos)
        self._pfet(cell, "reset_p", "membrane", "reset_bar", "rest", self.dimensions.reset_pmos)

    def _discharger(self, cell: SubCircuit) -> None:
        self._nfet(cell, "discharger", "membrane", "discharger_bias", "discharger_tail", self.dimensions.discharger)
        self._nfet(cell, "discharger_switch", "discharger_tail", "phase", "0", self.dimensions.discharger_switch)

    def _sensing_inverter(self, cell: SubCircuit) -> None:
        """A starved pull-up, a PMOS of high and an NMOS of low threshold push the threshold down to about 0.43 V."""
        d = self.dimensions
        self._pfet(cell, "pullup", "pullup_drain", "pullup_bias", "supply", d.pullup)
        self._pfet(cell, "header", "header_drain", "phase_bar", "pullup_drain", d.header)
        self._pfet(cell, "sensing_p", "out", "membrane", "header_drain", d.sensing_pmos, Role.PMOS_HIGH_THRESHOLD)
        self._nfet(cell, "sensing_n", "out", "membrane", "0", d.sensing_nmos, Role.NMOS_LOW_THRESHOLD)
        self._nfet(cell, "output_clear", "out", "reset", "0", d.output_clear)

    def _nfet(
        self, cell: SubCircuit, name: str, drain: str, gate: str, source: str, size: FetSize, role: Role = Role.NMOS
    ) -> None:
        self.process.fet(cell, name, role, drain, gate, source, "0", size)

    def _pfet(
        self, cell: SubCircuit, name: str, drain: str, gate: str, source: str, size: FetSize, role: Role = Role.PMOS
    ) -> None:
        self.process.fet(cell, name, role, drain, gate, source, "supply", size)

    def drawings(self) -> dict[str, Callable[[Sheet], None]]:
        return {"neuron": self._draw, "spike_driver": self._draw_driver}

    def _draw(self, sheet: Sheet) -> None:
        self._draw_membrane_side(sheet)
        self._draw_sensing_side(sheet)

    def _draw_membrane_side(self, sheet: Sheet) -> None:
        """Reset gate, capacitors and discharger."""
        h, base, tail, d = FET_HEIGHT, 0.9, -2.1, self.dimensions
        sheet.port((-0.7, 0), "", "left")
        sheet.text((-0.7, 0.35), "membrane", "left")
        sheet.wire((-0.7, 0), (10.4 - FET_REACH, 0))
        sheet.fet("reset_n", Role.NMOS, d.reset_nmos, (1.7, base + h), "left", "reset")
        sheet.fet("reset_p", Role.PMOS, d.reset_pmos, (6.8, base + h), "right", "reset_bar")
        for x in (1.7, 6.8):
            sheet.wire((x, base), (x, 0))
        sheet.wire((1.7, base + h), (6.8, base + h))
        sheet.wire((4.25, base + h), (4.25, base + h + 0.7))
        sheet.port((4.25, base + h + 0.7), "rest", "right")
        width, length = d.membrane_capacitor_um
        sheet.capacitor("membrane", f"{width:g} × {length:g} um", (0.1, 0), (0.1, -1.5))
        sheet.ground((0.1, -1.5))
        if d.wire_capacitance_f > 0:
            sheet.capacitor("wire", f"{d.wire_capacitance_f * 1e15:g} fF", (3.9, 0), (3.9, -1.5), "layout")
            sheet.ground((3.9, -1.5))
            sheet.dot((3.9, 0))
        sheet.wire((7.9, 0), (7.9, tail))
        sheet.fet("discharger", Role.NMOS, d.discharger, (7.9, tail), "left", "discharger_bias", volts(d.discharger_bias_v))
        sheet.fet("discharger_switch", Role.NMOS, d.discharger_switch, (7.9, tail - h), "left", "phase")
        sheet.ground((7.9, tail - 2 * h))
        sheet.dot((0.1, 0), (1.7, 0), (6.8, 0), (7.9, 0), (4.25, base + h))

    def _draw_sensing_side(self, sheet: Sheet) -> None:
        """Starved sensing inverter, output clear and driver."""
        h, x, clear, low, driver, d = FET_HEIGHT, 10.4, 13.7, -1.6, 15.4, self.dimensions
        sheet.supply((x, 0.4 + 3 * h))
        sheet.fet("pullup", Role.PMOS, d.pullup, (x, 0.4 + 3 * h), "left", "pullup_bias", volts(d.pullup_bias_v))
        sheet.fet("header", Role.PMOS, d.header, (x, 0.4 + 2 * h), "left", "phase_bar")
        upper = sheet.fet("sensing_p", Role.PMOS_HIGH_THRESHOLD, d.sensing_pmos, (x, 0.4 + h), "left")
        sheet.wire((x, 0.4), (x, -0.4))
        lower = sheet.fet("sensing_n", Role.NMOS_LOW_THRESHOLD, d.sensing_nmos, (x, -0.4), "left")
        sheet.ground((x, -0.4 - h))
        sheet.wire(upper, lower)
        sheet.wire((x, 0), (driver, 0))
        sheet.text((x + 2.4, 0.3), "out", "center")
        sheet.wire((clear, 0), (clear, low))
        sheet.fet("output_clear", Role.NMOS, d.output_clear, (clear, low), "left", "reset")
        sheet.ground((clear, low - h))
        sheet.dot((upper[0], 0), (x, 0), (clear, 0))
        self._draw_driver_box(sheet, (driver, -0.5))

    @staticmethod
    def _draw_driver_box(sheet: Sheet, low: Point) -> None:
        """The neuron's call of the spike driver."""
        (x, y), width = low, 2.4
        sheet.box(low, (x + width, y + 2.4))
        sheet.lines((x + width / 2, y + 1.2), "center", "driver", "spike_driver")
        sheet.wire((x - 0.5, y + 1.9), (x, y + 1.9))
        sheet.port((x - 0.5, y + 1.9), "phase", "left")
        for name, height in (("spike", 1.9), ("spike_bar", 0.5)):
            sheet.wire((x + width, y + height), (x + width + 0.5, y + height))
            sheet.port((x + width + 0.5, y + height), name, "right")
        sheet.supply((x + width / 2, y + 2.4))

    def _draw_driver(self, sheet: Sheet) -> None:
        h, second, inverter, tap, d = FET_HEIGHT, 5.6, 10.9, 8.6, self.dimensions
        for name, x, signal in (("nand_p_trigger", 0.0, "trigger"), ("nand_p_enable", second, "enable")):
            sheet.supply((x, 0.4 + h))
            sheet.fet(name, Role.PMOS, d.logic_pmos, (x, 0.4 + h), "left", signal)
            sheet.wire((x, 0.4), (x, 0))
        sheet.fet("nand_n_trigger", Role.NMOS, d.logic_nmos, (0, 0), "left", "trigger")
        sheet.fet("nand_n_enable", Role.NMOS, d.logic_nmos, (0, -h), "left", "enable")
        sheet.ground((0, -2 * h))
        sheet.wire((0, 0), (inverter - FET_REACH, 0))
        sheet.supply((inverter, 0.4 + h))
        upper = sheet.fet("spike_p", Role.PMOS, d.spike_pmos, (inverter, 0.4 + h), "left")
        sheet.wire((inverter, 0.4), (inverter, -0.4))
        lower = sheet.fet("spike_n", Role.NMOS, d.spike_nmos, (inverter, -0.4), "left")
        sheet.ground((inverter, -0.4 - h))
        sheet.wire(upper, lower)
        sheet.wire((inverter, 0), (14.0, 0))
        sheet.port((14.0, 0), "spike", "right")
        sheet.wire((tap, 0), (tap, -2 * h), (14.0, -2 * h))
        sheet.port((14.0, -2 * h), "spike_bar", "right")
        sheet.dot((0, 0), (second, 0), (tap, 0), (upper[0], 0), (inverter, 0))
