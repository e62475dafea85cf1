"""A layer: a crossbar of synapses, one membrane and one neuron per output, and the lines that drive it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from netlists.board import IDEAL, Environment
from netlists.neuron import DISCHARGER_BIAS, NeuronCell, NeuronNodes, SpikeLine
from netlists.spice import Circuit, netlist_text
from netlists.stimulus import digital_line
from netlists.synapse import SynapseCell, SynapseNodes, SynapseSetting
from netlists.timing import Timing

Settings = Sequence[Sequence[SynapseSetting | None]]
"""What every synapse of a layer is set to, [neuron][synapse]; None is off."""

Crossings = Sequence[Sequence[int]]
"""The input line of every synapse of a layer, [neuron][synapse]."""


@dataclass(frozen=True)
class Cells:
    """The cells of a circuit, their timing, and what characterisation sets: the bias of the dischargers, and how long before a
    spike an input's ideal edge comes, so that a spike time is that of the spike line. And the board that their network is on, and
    whether their drawings take their place, in which a synapse is one piece."""

    synapse: SynapseCell[Any]
    neuron: NeuronCell[Any]
    timing: Timing
    supply_v: float
    discharger_bias_v: float
    input_lead_s: float = 0.0
    environment: Environment = IDEAL
    drawn: bool = False

    def attach_behind_one_line(
        self, circuit: Circuit, name: str, nodes: SynapseNodes, settings: Sequence[SynapseSetting | None]
    ) -> list[str]:
        """Synapses of one membrane that the same spike line switches, as few devices as they can be; returns their sources."""
        if self.drawn:
            return SynapseCell.attach_behind_one_line(self.synapse, circuit, name, nodes, settings)
        return self.synapse.attach_behind_one_line(circuit, name, nodes, settings)

    def netlist(self, circuit: Circuit, sources: Sources, loads: Mapping[str, float]) -> str:
        """The cards of a circuit of these cells, where their network stands; `loads` are on its nodes (F)."""
        return netlist_text(circuit, partial(self.environment.around, sources=sources, loads=loads, supply_v=self.supply_v))

    def loads(self, lines: Sequence[SpikeLine]) -> dict[str, float]:
        """What the board puts on the lines of neurons of these cells (F), by node."""
        return self.environment.loads(lines)


@dataclass
class Sources:
    """Names of the voltage sources by what they feed: the rows of the energy table."""

    supply: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    control: list[str] = field(default_factory=list)
    spike_lines: list[str] = field(default_factory=list)
    bias: list[str] = field(default_factory=list)


def attach_layer(
    circuit: Circuit,
    layer: str,
    cells: Cells,
    settings: Settings,
    inputs: Sequence[SpikeLine],
    sources: Sources,
    bias_prefix: str = "",
    crossings: Crossings | None = None,
    own_biases_v: Sequence[float] | None = None,
) -> list[SpikeLine]:
    """Add the neurons and synapses of one layer, every neuron on every line unless `crossings` say otherwise; returns its output
    spike lines.

    The layer's membranes are `<layer>_membrane_<k>`; it needs the lines `<layer>_phase`, `<layer>_reset` and their `_bar`, and
    the biases of `attach_biases`. With `own_biases_v` each neuron has a discharger bias of its own, on a line of its own.
    """
    outputs = []
    for k, row in enumerate(settings):
        lines = range(len(inputs)) if crossings is None else crossings[k]
        if len(row) != len(lines):
            raise ValueError(f"{layer} neuron {k}: {len(row)} synapse settings for {len(lines)} inputs")
        membrane, line = f"{layer}_membrane_{k}", SpikeLine(f"{layer}_spike_{k}", f"{layer}_spike_{k}_bar")
        name, own = f"{layer}_neuron_{k}", ""
        if own_biases_v is not None:
            own = attach_own_bias(circuit, sources, f"{name}_{DISCHARGER_BIAS}", own_biases_v[k])
        cells.neuron.attach(circuit, name, neuron_nodes(layer, membrane, line), bias_prefix, own)
        for j, setting in zip(lines, row, strict=True):
            nodes = SynapseNodes(membrane, inputs[j].true, inputs[j].bar, "supply")
            sources.bias += cells.synapse.attach(circuit, f"{layer}_synapse_{k}_{j}", nodes, setting)
        outputs.append(line)
    return outputs


def neuron_nodes(layer: str, membrane: str, spike: SpikeLine) -> NeuronNodes:
    """The lines of a neuron whose phases are those of a layer."""
    control = (f"{layer}_phase", f"{layer}_phase_bar", f"{layer}_reset", f"{layer}_reset_bar")
    return NeuronNodes(membrane, "rest", *control, spike, "supply")


def attach_input(
    circuit: Circuit, cells: Cells, name: str, high: Sequence[tuple[float, float]], sources: Sources, driver: str = ""
) -> SpikeLine:
    """An input of the network: an ideal source behind the same driver as a neuron's, on a supply of its own.

    `high` holds the (rise, fall) times: the rise that of the spike line, the fall that of the control edge that ends the phase.
    `driver` names the driver, otherwise after the input.
    """
    if not sources.spike_lines:
        circuit.V("spike_supply", "spike_supply", 0, cells.supply_v)
        sources.spike_lines.append("Vspike_supply")
    cells.neuron.define(circuit)
    line = SpikeLine(name, f"{name}_bar")
    driven = [(rise - cells.input_lead_s, fall) for rise, fall in high]
    sources.spike_lines.append(digital_line(circuit, f"{name}_drive", cells.supply_v, driven, cells.timing.edge_s))
    cells.neuron.attach_driver(circuit, driver or f"{name}_driver", f"{name}_drive", line, "spike_supply")
    return line


def attach_supplies(circuit: Circuit, cells: Cells, sources: Sources) -> None:
    """Supply and rest level."""
    for group, name, volts in ((sources.supply, "supply", cells.supply_v), (sources.rest, "rest", cells.neuron.rest_v)):
        circuit.V(name, name, 0, volts)
        group.append(f"V{name}")


def attach_own_bias(circuit: Circuit, sources: Sources, line: str, volts: float) -> str:
    """The discharger bias of one neuron; returns its line."""
    circuit.V(line, line, 0, volts)
    sources.bias.append(f"V{line}")
    return line


def attach_biases(circuit: Circuit, cells: Cells, sources: Sources, prefix: str = "") -> None:
    """The biases that the neurons of a layer share, as lines by their names behind `prefix`."""
    for name, volts in cells.neuron.biases_v(cells.discharger_bias_v).items():
        circuit.V(f"{prefix}{name}", f"{prefix}{name}", 0, volts)
        sources.bias.append(f"V{prefix}{name}")
