"""A layer: a crossbar of synapses, one membrane and one neuron per output, and the lines that drive it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PySpice.Spice.Netlist import Circuit

from netlists.dimensions import NeuronDimensions, Timing
from netlists.neuron import neuron_subcircuit, spike_driver_subcircuit
from netlists.stimulus import digital_line
from netlists.synapse import SynapseCell, SynapseNodes, SynapseSetting

Settings = Sequence[Sequence[SynapseSetting | None]]
"""What every synapse of a layer is set to, [out][in]; None is off."""


@dataclass(frozen=True)
class Cells:
    """The cells of a circuit, their timing, and what characterisation sets: the bias of the dischargers, and how long before a
    spike an input's ideal edge comes, so that a spike time is that of the spike line."""

    synapse: SynapseCell
    neuron: NeuronDimensions
    timing: Timing
    supply_v: float
    discharger_bias_v: float
    input_lead_s: float = 0.0


@dataclass
class Sources:
    """Names of the voltage sources by what they feed: the rows of the energy table."""

    supply: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    control: list[str] = field(default_factory=list)
    spike_lines: list[str] = field(default_factory=list)
    bias: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SpikeLine:
    """A spike line, true and complement."""

    true: str
    bar: str


def attach_layer(
    circuit: Circuit, layer: str, cells: Cells, settings: Settings, inputs: Sequence[SpikeLine], sources: Sources
) -> list[SpikeLine]:
    """Add the neurons and synapses of one layer; returns its output spike lines.

    The layer's membranes are `<layer>_membrane_<k>`; it needs the lines `<layer>_phase`, `<layer>_reset` and their `_bar`.
    """
    define_neuron(circuit, cells.neuron)
    outputs = []
    for k, row in enumerate(settings):
        if len(row) != len(inputs):
            raise ValueError(f"{layer} neuron {k}: {len(row)} synapse settings for {len(inputs)} inputs")
        membrane, line = f"{layer}_membrane_{k}", SpikeLine(f"{layer}_spike_{k}", f"{layer}_spike_{k}_bar")
        control = (f"{layer}_phase", f"{layer}_phase_bar", f"{layer}_reset", f"{layer}_reset_bar")
        biases = ("rest", "pullup_bias", "discharger_bias")
        circuit.X(f"{layer}_neuron_{k}", "neuron", membrane, *biases, *control, line.true, line.bar, "supply")
        for j, (setting, wire) in enumerate(zip(row, inputs, strict=True)):
            nodes = SynapseNodes(membrane, wire.true, wire.bar, "supply")
            sources.bias += cells.synapse.attach(circuit, f"{layer}_synapse_{k}_{j}", nodes, setting)
        outputs.append(line)
    return outputs


def define_neuron(circuit: Circuit, dimensions: NeuronDimensions) -> None:
    """Make the neuron and its spike driver known to the circuit, once."""
    if "neuron" not in {cell.name for cell in circuit.subcircuits}:
        circuit.subcircuit(spike_driver_subcircuit(dimensions))
        circuit.subcircuit(neuron_subcircuit(dimensions))


def attach_input(circuit: Circuit, cells: Cells, name: str, high: Sequence[tuple[float, float]], sources: Sources) -> SpikeLine:
    """An input of the network: an ideal source behind the same driver as a neuron's, on a supply of its own.

    `high` holds the (rise, fall) times: the rise that of the spike line, the fall that of the control edge that ends the phase.
    """
    if not sources.spike_lines:
        circuit.V("spike_supply", "spike_supply", 0, cells.supply_v)
        sources.spike_lines.append("Vspike_supply")
    define_neuron(circuit, cells.neuron)
    line = SpikeLine(name, f"{name}_bar")
    driven = [(rise - cells.input_lead_s, fall) for rise, fall in high]
    sources.spike_lines.append(digital_line(circuit, f"{name}_drive", cells.supply_v, driven, cells.timing.edge_s))
    circuit.X(f"{name}_driver", "spike_driver", f"{name}_drive", "spike_supply", line.true, line.bar, "spike_supply")
    return line


def attach_supplies(circuit: Circuit, cells: Cells, sources: Sources) -> None:
    """Supply, rest level and the two biases that all neurons share."""
    for group, name, volts in (
        (sources.supply, "supply", cells.supply_v),
        (sources.rest, "rest", cells.neuron.rest_v),
        (sources.bias, "pullup_bias", cells.neuron.pullup_bias_v),
        (sources.bias, "discharger_bias", cells.discharger_bias_v),
    ):
        circuit.V(name, name, 0, volts)
        group.append(f"V{name}")


def netlist_text(circuit: Circuit) -> str:
    """The cards of a PySpice circuit without its title line."""
    return "\n".join(line for line in str(circuit).splitlines() if not line.startswith(".title")) + "\n"
