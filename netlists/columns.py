"""A network column by column: one neuron with its synapses, which sees the rest of the network through its spike lines alone.

A column is switched by the recorded waveforms of its lines, and its own line is loaded as the next layer loads it; what it sends
is recorded in turn. Synapses that lines of one waveform switch hang on one node, and what is set alike there is one device of so
many units; behind a line that never switches, what its cell says is as good as alike. Mismatch tells devices apart: then every
device is there by itself, under the name that it has in the whole network, so that a seed makes the same die of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netlists.crossbar import Cells, Sources, attach_biases, attach_input, attach_supplies, neuron_nodes
from netlists.network import layer_name
from netlists.neuron import SpikeLine
from netlists.spice import Circuit, new_circuit, pwl
from netlists.stimulus import PhaseWindow, control_lines, current_pulse
from netlists.synapse import SynapseNodes, SynapseSetting
from netlists.testbenches import Injection

Knots = tuple[tuple[float, float], ...]
"""A waveform as straight lines: times (s, rising) and voltages (V). A single one is a level."""

COLUMN, LINE = "column", "line"
MEMBRANE = "v(column_membrane)"
OUTPUT_LINE = SpikeLine("v(column_spike)", "v(column_spike_bar)")
INPUT_LINE = SpikeLine("v(line)", "v(line_bar)")
"""What to look at in a column, and at the line of an input."""


@dataclass(frozen=True)
class LineWaveform:
    """A spike line, true and complement, over the phases of the layer that it drives."""

    true: Knots
    bar: Knots

    @property
    def never_rises(self) -> bool:
        return len(self.true) == 1 and len(self.bar) == 1 and self.true[0][1] < self.bar[0][1]


@dataclass(frozen=True)
class Place:
    """Whose column it is: a layer, counted from 1, and a neuron, counted from 0; of layer 0 the input of that number.

    Attributes:
        inputs: on which lines its synapses hang, by number.
        driven: neurons of the next layer whose synapses hang on its own line.
    """

    layer: int
    number: int
    inputs: tuple[int, ...]
    driven: tuple[int, ...]

    @property
    def neuron(self) -> str:
        return f"{layer_name(self.layer)}_neuron_{self.number}"

    @property
    def driver(self) -> str:
        """Of an input."""
        return f"input_{self.number}_driver"

    def synapse(self, number: int) -> str:
        """The one of this number on the membrane."""
        return f"{layer_name(self.layer)}_synapse_{self.number}_{self.inputs[number]}"

    def driven_synapse(self, number: int) -> str:
        """The one of this number on the line, of the next layer."""
        return f"{layer_name(self.layer + 1)}_synapse_{self.driven[number]}_{self.number}"


@dataclass(frozen=True)
class ColumnBench:
    """A netlist, and the sources that feed it."""

    netlist: str
    sources: Sources


def column_bench(
    cells: Cells,
    settings: Sequence[SynapseSetting | None],
    lines: Sequence[LineWaveform],
    row: Sequence[SynapseSetting | None],
    window: PhaseWindow,
    stop_s: float,
    place: Place | None = None,
    injection: Injection | None = None,
) -> ColumnBench:
    """The neuron and its synapses through reset, accumulation and firing.

    Args:
        settings, lines: of each synapse, in the order of the inputs.
        row: settings of the synapses that the neuron's own line drives; their membranes are at the rest level.
        place: where in the network, for a circuit with mismatch; what is alike is one device of so many units where None.
        injection: a known charge on the membrane.
    """
    circuit, sources = new_circuit(COLUMN), Sources()
    attach_supplies(circuit, cells, sources)
    attach_biases(circuit, cells, sources)
    sources.control += control_lines(circuit, COLUMN, cells.supply_v, window, cells.timing, stop_s)
    output = SpikeLine(f"{COLUMN}_spike", f"{COLUMN}_spike_bar")
    nodes = neuron_nodes(COLUMN, f"{COLUMN}_membrane", output)
    cells.neuron.attach(circuit, place.neuron if place else "neuron", nodes)
    for number, (line, behind) in enumerate(_by_line(lines).items()):
        wire = _recorded_line(circuit, f"{LINE}_{number}", line)
        crossing = SynapseNodes(nodes.membrane, wire.true, wire.bar, nodes.supply)
        if place is None:
            asked = [settings[j] for j in behind]
            own = cells.synapse.while_off(asked) if line.never_rises else asked
            sources.bias += cells.attach_behind_one_line(circuit, f"synapse_{number}", crossing, own)
        else:
            for j in behind:
                sources.bias += cells.synapse.attach(circuit, place.synapse(j), crossing, settings[j])
    _attach_row(circuit, cells, output, row, place)
    if injection is not None:
        pulse = (injection.current_a, injection.start_s, injection.end_s, cells.timing.edge_s)
        current_pulse(circuit, "injection", nodes.membrane, *pulse)
    return ColumnBench(cells.netlist(circuit, sources, cells.loads([output])), sources)


def input_bench(
    cells: Cells, high: Sequence[tuple[float, float]], row: Sequence[SynapseSetting | None], place: Place | None = None
) -> ColumnBench:
    """An input of the network by itself: its driver, and the synapses on its line, whose membranes are at the rest level.

    `high` is as in `netlists.crossbar.attach_input`, `row` and `place` as in `column_bench`.
    """
    circuit, sources = new_circuit("input"), Sources()
    line = attach_input(circuit, cells, LINE, high, sources, place.driver if place else "")
    _attach_row(circuit, cells, line, row, place)
    return ColumnBench(cells.netlist(circuit, sources, {}), sources)


def _by_line(lines: Sequence[LineWaveform]) -> dict[LineWaveform, list[int]]:
    """Which synapses lie behind each waveform."""
    found: dict[LineWaveform, list[int]] = {}
    for j, line in enumerate(lines):
        found.setdefault(line, []).append(j)
    return found


def _recorded_line(circuit: Circuit, name: str, line: LineWaveform) -> SpikeLine:
    wire = SpikeLine(name, f"{name}_bar")
    for node, knots in ((wire.true, line.true), (wire.bar, line.bar)):
        circuit.V(node, node, 0, knots[0][1] if len(knots) == 1 else pwl(knots))
    return wire


def _attach_row(
    circuit: Circuit, cells: Cells, line: SpikeLine, row: Sequence[SynapseSetting | None], place: Place | None
) -> None:
    """The synapses of the next layer that a line drives, on sources of their own: their energy is that of their own columns."""
    if not row:
        return
    crossing = SynapseNodes("row_rest", line.true, line.bar, "row_supply")
    for node, volts in ((crossing.membrane, cells.neuron.rest_v), (crossing.supply, cells.supply_v)):
        circuit.V(node, node, 0, volts)
    if place is None:
        cells.attach_behind_one_line(circuit, "row", crossing, row)
        return
    for number, setting in enumerate(row):
        cells.synapse.attach(circuit, place.driven_synapse(number), crossing, setting)
