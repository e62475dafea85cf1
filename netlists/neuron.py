"""The neuron: membrane capacitor, reset, discharger, sensing inverter and output logic."""

from __future__ import annotations

from PySpice.Spice.Netlist import SubCircuit

from netlists.dimensions import NeuronDimensions
from netlists.section import FetSize
from sky130_models.devices import Fet, mim_capacitor, mosfet

NEURON_NODES = (
    "membrane", "rest", "pullup_bias", "discharger_bias", "phase", "phase_bar", "reset", "reset_bar", "spike", "spike_bar",
    "supply",
)  # fmt: skip


DRIVER_NODES = ("trigger", "enable", "spike", "spike_bar", "supply")


def spike_driver_subcircuit(dimensions: NeuronDimensions) -> SubCircuit:
    """The stage that drives a spike line: NAND(trigger, enable) is the complement, its inverse the true line.

    Inputs of the network are driven by the same stage as the neurons' outputs: what a synapse does when it switches depends on
    how fast its lines move.
    """
    cell, d = SubCircuit("spike_driver", *DRIVER_NODES), dimensions
    _pfet(cell, "nand_p_trigger", "spike_bar", "trigger", "supply", d.logic_pmos)
    _pfet(cell, "nand_p_enable", "spike_bar", "enable", "supply", d.logic_pmos)
    _nfet(cell, "nand_n_trigger", "spike_bar", "trigger", "nand_middle", d.logic_nmos)
    _nfet(cell, "nand_n_enable", "nand_middle", "enable", "0", d.logic_nmos)
    _pfet(cell, "spike_p", "spike", "spike_bar", "supply", d.spike_pmos)
    _nfet(cell, "spike_n", "spike", "spike_bar", "0", d.spike_nmos)
    return cell


def neuron_subcircuit(dimensions: NeuronDimensions) -> SubCircuit:
    """The neuron as a sub-circuit with the nodes `NEURON_NODES`; `phase` is high while the neuron may fire.

    It calls the spike driver (`spike_driver_subcircuit`).
    """
    cell = SubCircuit("neuron", *NEURON_NODES)
    mim_capacitor(cell, "membrane", "membrane", "0", *dimensions.membrane_capacitor_um)
    if dimensions.wire_capacitance_f > 0:
        cell.C("wire", "membrane", 0, dimensions.wire_capacitance_f)
    _reset(cell, dimensions)
    _discharger(cell, dimensions)
    _sensing_inverter(cell, dimensions)
    # the spike lasts to the end of the firing phase
    cell.X("driver", "spike_driver", "out", "phase", "spike", "spike_bar", "supply")
    return cell


def _reset(cell: SubCircuit, d: NeuronDimensions) -> None:
    """A transmission gate: a PMOS alone leaves 3 mV of charge on the membrane, an NMOS alone does not reach the rest level."""
    _nfet(cell, "reset_n", "membrane", "reset", "rest", d.reset_nmos)
    _pfet(cell, "reset_p", "membrane", "reset_bar", "rest", d.reset_pmos)


def _discharger(cell: SubCircuit, d: NeuronDimensions) -> None:
    _nfet(cell, "discharger", "membrane", "discharger_bias", "discharger_tail", d.discharger)
    _nfet(cell, "discharger_switch", "discharger_tail", "phase", "0", d.discharger_switch)


def _sensing_inverter(cell: SubCircuit, d: NeuronDimensions) -> None:
    """A starved pull-up, an HVT PMOS and an LVT NMOS push the threshold down to about 0.43 V."""
    _pfet(cell, "pullup", "pullup_drain", "pullup_bias", "supply", d.pullup)
    _pfet(cell, "header", "header_drain", "phase_bar", "pullup_drain", d.header)
    _pfet(cell, "sensing_p", "out", "membrane", "header_drain", d.sensing_pmos, Fet.PFET_HVT)
    _nfet(cell, "sensing_n", "out", "membrane", "0", d.sensing_nmos, Fet.NFET_LVT)
    _nfet(cell, "output_clear", "out", "reset", "0", d.output_clear)


def _nfet(cell: SubCircuit, name: str, drain: str, gate: str, source: str, size: FetSize, kind: Fet = Fet.NFET) -> None:
    mosfet(cell, name, kind, drain, gate, source, "0", size.width_um, size.length_um)


def _pfet(cell: SubCircuit, name: str, drain: str, gate: str, source: str, size: FetSize, kind: Fet = Fet.PFET) -> None:
    mosfet(cell, name, kind, drain, gate, source, "supply", size.width_um, size.length_um)
