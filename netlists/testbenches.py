"""Testbenches of the cells: circuits that a characterisation runs. None holds a trained weight or a data sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from netlists.crossbar import Cells, Sources, attach_biases, attach_input, attach_layer, attach_supplies, neuron_nodes
from netlists.neuron import NeuronNodes, SpikeLine
from netlists.spice import Circuit, in_parallel, netlist_text, new_circuit
from netlists.stimulus import PhaseWindow, control_lines, current_pulse
from netlists.synapse import SIGNS, SynapseNodes, SynapseSetting

COLUMN = "column"
SYNAPSE = "synapse"
"""The one synapse of `synapse_iv`."""
MEMBRANE = "v(column_membrane_0)"
SPIKE = "v(column_spike_0)"


@dataclass(frozen=True)
class Injection:
    """A known charge put on a membrane: an ideal current (A, positive towards ground) from start to end."""

    current_a: float
    start_s: float
    end_s: float


def synapse_iv(cells: Cells, setting: SynapseSetting | None) -> str:
    """One synapse (None: a weight of zero) switched on, its membrane held by the source `Vmembrane` (swept)."""
    circuit = new_circuit("synapse_iv")
    circuit.V("supply", "supply", 0, cells.supply_v)
    circuit.V("membrane", "membrane", 0, cells.neuron.rest_v)
    circuit.V("spike", "spike", 0, cells.supply_v)
    circuit.V("spike_bar", "spike_bar", 0, 0.0)
    cells.synapse.attach(circuit, SYNAPSE, SynapseNodes("membrane", "spike", "spike_bar", "supply"), setting)
    return netlist_text(circuit)


def discharger_iv(cells: Cells) -> str:
    """A neuron in its firing phase, its membrane held by the source `Vmembrane` (swept)."""
    circuit = new_circuit("discharger_iv")
    attach_supplies(circuit, cells, Sources())
    attach_biases(circuit, cells, Sources())
    circuit.V("membrane", "membrane", 0, cells.neuron.rest_v)
    for name, high in (("phase", True), ("reset", False)):
        circuit.V(name, name, 0, cells.supply_v if high else 0.0)
        circuit.V(f"{name}_bar", f"{name}_bar", 0, 0.0 if high else cells.supply_v)
    lines = ("phase", "phase_bar", "reset", "reset_bar")
    cells.neuron.attach(circuit, "neuron", NeuronNodes("membrane", "rest", *lines, SpikeLine("spike", "spike_bar"), "supply"))
    return netlist_text(circuit)


@dataclass(frozen=True)
class Sender:
    """A neuron that sends a line: its column is like that of the testbench, charged before its firing phase starts."""

    window: PhaseWindow
    injection: Injection


def standing(cells: Cells, count: int) -> list[SynapseSetting | None]:
    """So many synapses as they stand in a network while nothing arrives: middle codes of the signs in turn.

    Biased transistors hang on a membrane with a little more than those whose gates are at the rail. Off, where the code of a cell
    decides what hangs on the membrane, since that is measured code by code.
    """
    if cells.synapse.loads_by_code:
        return [None] * count
    codes = {sign: cells.synapse.codes(sign, 3) for sign in SIGNS}
    middle = [SynapseSetting(sign, float(own[len(own) // 2])) for sign, own in codes.items() if len(own)]
    return [middle[k % len(middle)] for k in range(count)]


def column(
    cells: Cells,
    settings: Sequence[SynapseSetting | None],
    spikes: Sequence[tuple[float, float] | None],
    window: PhaseWindow,
    stop_s: float,
    injection: Injection | None = None,
    fan_out: int = 0,
    rows: int | None = None,
    merged: bool = False,
    sender: Sender | None = None,
) -> str:
    """One neuron with its column of synapses, through reset, accumulation and firing.

    Args:
        settings: one per synapse; None is off.
        spikes: (on, off) times of each synapse's spike line in seconds, None for a line that stays low.
        injection: a known charge on the membrane.
        fan_out: synapses that the output line drives; they hang on the rest level, as the `standing` of a column.
        rows: synapses that an active input line drives, this column's among them; as many as `fan_out` where None.
        merged: synapses that are set alike behind lines alike become one of so many units, with their lines, likewise the
            synapses that load a line. Exact for a circuit without mismatch.
        sender: a neuron that sends the lines that are not low, whatever their times, in the place of the inputs' drivers.
    """
    circuit = new_circuit("column")
    sources, edge_s = Sources(), cells.timing.edge_s
    attach_supplies(circuit, cells, sources)
    attach_biases(circuit, cells, sources)
    control_lines(circuit, COLUMN, cells.supply_v, window, cells.timing, stop_s)
    synapses = Counter(zip(settings, spikes, strict=True)) if merged else None
    alone = list(synapses) if synapses else list(zip(settings, spikes, strict=True))
    lines = []
    for j, (setting, on_off) in enumerate(alone):
        count = synapses[setting, on_off] if synapses else 1
        if on_off and sender:
            line = _sent_line(circuit, cells, f"input_{j}", sender, count, len(settings))
        else:
            high = [on_off] if on_off else []
            line = in_parallel(circuit, count, partial(attach_input, circuit, cells, f"input_{j}", high, sources))
        if on_off:
            _load(circuit, cells, f"input_{j}", line, ((fan_out if rows is None else rows) - 1) * count, merged)
        lines.append(line)
    (output,) = attach_layer(circuit, COLUMN, cells, [[setting for setting, _ in alone]], lines, sources)
    for j, (one, line) in enumerate(zip(alone, lines, strict=True)):
        further = synapses[one] - 1 if synapses else 0
        if further:
            nodes = SynapseNodes(f"{COLUMN}_membrane_0", line.true, line.bar, "supply")
            in_parallel(circuit, further, partial(cells.synapse.attach, circuit, f"{COLUMN}_further_{j}", nodes, one[0]))
    _load(circuit, cells, "output", output, fan_out, merged)
    if injection is not None:
        current_pulse(
            circuit, "injection", f"{COLUMN}_membrane_0", injection.current_a, injection.start_s, injection.end_s, edge_s
        )
    return cells.netlist(circuit, sources, cells.loads([output]))


def _sent_line(circuit: Circuit, cells: Cells, name: str, sender: Sender, count: int, synapses: int) -> SpikeLine:
    """So many equal lines, each of a neuron with so many synapses behind lines that stay low."""
    line, layer, timing = SpikeLine(name, f"{name}_bar"), f"{name}_sender", cells.timing
    control_lines(circuit, layer, cells.supply_v, sender.window, timing, sender.window.end_s + timing.phase_s)
    nodes = neuron_nodes(layer, f"{layer}_membrane", line)
    in_parallel(circuit, count, partial(cells.neuron.attach, circuit, layer, nodes))
    crossing = SynapseNodes(nodes.membrane, "0", "supply", "supply")
    for k, (setting, alike) in enumerate(Counter(standing(cells, synapses)).items()):
        in_parallel(circuit, count * alike, partial(cells.synapse.attach, circuit, f"{layer}_synapse_{k}", crossing, setting))
    pulse = sender.injection
    current_pulse(
        circuit, f"{layer}_injection", nodes.membrane, count * pulse.current_a, pulse.start_s, pulse.end_s, timing.edge_s
    )
    return line


def _load(circuit: Circuit, cells: Cells, name: str, line: SpikeLine, count: int, merged: bool) -> None:
    """Synapses on a line, whose membranes are at the rest level."""
    nodes, settings = SynapseNodes("rest", line.true, line.bar, "supply"), standing(cells, count)
    loads = list(Counter(settings).items()) if merged else [(setting, 1) for setting in settings]
    for k, (setting, units) in enumerate(loads):
        in_parallel(circuit, units, partial(cells.synapse.attach, circuit, f"{name}_load_{k}", nodes, setting))
