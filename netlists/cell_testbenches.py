"""Testbenches of a datasheet: small circuits around one neuron or one synapse, its nodes held or driven by ideal sources.

Cells have the same names in all of them (`neuron`, `synapse`), so that one seed is one die with the same devices in every
testbench.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from netlists.crossbar import Cells, Sources, attach_biases, attach_supplies, neuron_nodes
from netlists.neuron import SpikeLine
from netlists.spice import Circuit, in_parallel, netlist_text, new_circuit, pwl
from netlists.stimulus import PhaseWindow, control_lines, digital_line
from netlists.synapse import SynapseNodes, SynapseSetting

MEMBRANE_SOURCE = "i(vmembrane)"
SUPPLY_SOURCE = "i(vsupply)"
LINE_CURRENTS = ("i(vspike_true)", "i(vspike_bar)")


@dataclass(frozen=True)
class Levels:
    """Whether the neuron may fire (`phase`) and is being reset."""

    phase: bool = False
    reset: bool = False


def held_neuron(cells: Cells, membrane: Sequence[tuple[float, float]] | None, levels: Levels, synapses: int = 0) -> str:
    """A neuron whose membrane the source `Vmembrane` holds at rest, or moves through (time, voltage) points.

    `synapses` of weight zero hang on it, their spike lines low. Its output is v(spike).
    """
    circuit = new_circuit("held_neuron")
    _neuron(circuit, cells)
    for name, high in (("phase", levels.phase), ("reset", levels.reset)):
        circuit.V(name, f"neuron_{name}", 0, cells.supply_v if high else 0.0)
        circuit.V(f"{name}_bar", f"neuron_{name}_bar", 0, 0.0 if high else cells.supply_v)
    circuit.V("membrane", "membrane", 0, cells.neuron.rest_v if membrane is None else pwl(membrane))
    _idle_synapses(circuit, cells, synapses)
    return netlist_text(circuit)


def followed_device(cells: Cells, device: str) -> str:
    """A device of the neuron whose current a bias circuit would hold, by itself: its gate at `V<device>_bias`, its drain held by
    `Vmembrane` half way up the supply."""
    circuit, field = new_circuit(device), cells.neuron.dimensions.followed_biases[device]
    circuit.V("supply", "supply", 0, cells.supply_v)
    circuit.V(f"{device}_bias", f"{device}_bias", 0, getattr(cells.neuron.dimensions, field))
    circuit.V("membrane", "membrane", 0, cells.supply_v / 2)
    cells.neuron.attach_followed(circuit, device, "membrane", f"{device}_bias", "supply")
    return netlist_text(circuit)


def switched_synapse(cells: Cells, setting: SynapseSetting | None, on_s: float, off_s: float) -> str:
    """A synapse on a membrane that `Vmembrane` holds at rest, its lines `Vspike_true` and `Vspike_bar` driven by ideal edges."""
    circuit = new_circuit("switched_synapse")
    circuit.V("supply", "supply", 0, cells.supply_v)
    circuit.V("membrane", "membrane", 0, cells.neuron.rest_v)
    for line, inverted in (("spike_true", False), ("spike_bar", True)):
        digital_line(circuit, line, cells.supply_v, [(on_s, off_s)], cells.timing.edge_s, inverted)
    cells.synapse.attach(circuit, "synapse", SynapseNodes("membrane", "spike_true", "spike_bar", "supply"), setting)
    return netlist_text(circuit)


def moved_synapse(cells: Cells, setting: SynapseSetting | None, on: bool, membrane: Sequence[tuple[float, float]]) -> str:
    """A synapse that stays on or off on a membrane which `Vmembrane` moves through (time, voltage) points."""
    circuit = new_circuit("moved_synapse")
    circuit.V("supply", "supply", 0, cells.supply_v)
    circuit.V("membrane", "membrane", 0, pwl(membrane))
    for line, high in (("spike_true", on), ("spike_bar", not on)):
        circuit.V(line, line, 0, cells.supply_v if high else 0.0)
    cells.synapse.attach(circuit, "synapse", SynapseNodes("membrane", "spike_true", "spike_bar", "supply"), setting)
    return netlist_text(circuit)


def resting_neuron(cells: Cells, window: PhaseWindow, stop_s: float, synapses: int) -> str:
    """A neuron and its idle synapses through reset, accumulation without a spike, and firing."""
    circuit = new_circuit("resting_neuron")
    _neuron(circuit, cells)
    control_lines(circuit, "neuron", cells.supply_v, window, cells.timing, stop_s)
    _idle_synapses(circuit, cells, synapses)
    return netlist_text(circuit)


def _neuron(circuit: Circuit, cells: Cells) -> None:
    attach_supplies(circuit, cells, Sources())
    attach_biases(circuit, cells, Sources())
    cells.neuron.attach(circuit, "neuron", neuron_nodes("neuron", "membrane", SpikeLine("spike", "spike_bar")))


def _idle_synapses(circuit: Circuit, cells: Cells, count: int) -> None:
    """One synapse of weight zero, and one more that stands for all others: to a membrane they are a capacitance."""
    nodes = SynapseNodes("membrane", "0", "supply", "supply")
    for name, units in (("synapse", 1), ("others", count - 1)):
        if 0 < units <= count:
            in_parallel(circuit, units, partial(cells.synapse.attach, circuit, name, nodes, None))
