"""Testbenches of the cells: circuits that a characterisation runs. None holds a trained weight or a data sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from netlists.crossbar import Cells, Sources, attach_biases, attach_input, attach_layer, attach_supplies
from netlists.neuron import NeuronNodes, SpikeLine
from netlists.spice import Circuit, in_parallel, netlist_text, new_circuit
from netlists.stimulus import PhaseWindow, control_lines, current_pulse
from netlists.synapse import SynapseNodes, SynapseSetting

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
) -> str:
    """One neuron with its column of synapses, through reset, accumulation and firing.

    Args:
        settings: one per synapse; None is off.
        spikes: (on, off) times of each synapse's spike line in seconds, None for a line that stays low.
        injection: a known charge on the membrane.
        fan_out: synapses that the output line drives; they hang on the rest level.
        rows: synapses that an active input line drives, this column's among them; as many as `fan_out` where None.
        merged: synapses that are off behind a line that stays low become one of so many units, likewise the synapses that load
            a line. Exact for a circuit without mismatch.
    """
    circuit = new_circuit("column")
    sources, edge_s = Sources(), cells.timing.edge_s
    attach_supplies(circuit, cells, sources)
    attach_biases(circuit, cells, sources)
    control_lines(circuit, COLUMN, cells.supply_v, window, cells.timing, stop_s)
    synapses = list(zip(settings, spikes, strict=True))
    alone = [synapse for synapse in synapses if synapse != (None, None)] if merged else synapses
    lines = []
    for j, (_, on_off) in enumerate(alone):
        line = attach_input(circuit, cells, f"input_{j}", [on_off] if on_off else [], sources)
        if on_off:
            _load(circuit, cells, f"input_{j}", line, (fan_out if rows is None else rows) - 1, merged)
        lines.append(line)
    (output,) = attach_layer(circuit, COLUMN, cells, [[setting for setting, _ in alone]], lines, sources)
    _idle(circuit, cells, len(synapses) - len(alone), sources)
    _load(circuit, cells, "output", output, fan_out, merged)
    if injection is not None:
        current_pulse(
            circuit, "injection", f"{COLUMN}_membrane_0", injection.current_a, injection.start_s, injection.end_s, edge_s
        )
    return netlist_text(circuit)


def _idle(circuit: Circuit, cells: Cells, count: int, sources: Sources) -> None:
    """So many synapses of the column that are off, each behind an input of its own that stays low."""

    def one() -> None:
        line = attach_input(circuit, cells, "input_idle", [], sources)
        nodes = SynapseNodes(f"{COLUMN}_membrane_0", line.true, line.bar, "supply")
        cells.synapse.attach(circuit, f"{COLUMN}_synapse_idle", nodes, None)

    if count:
        in_parallel(circuit, count, one)


def _load(circuit: Circuit, cells: Cells, name: str, line: SpikeLine, count: int, merged: bool) -> None:
    """Synapses on a line whose membranes are at the rest level."""
    nodes, units = SynapseNodes("rest", line.true, line.bar, "supply"), max(count, 1) if merged else 1
    for k in range(count // units):
        in_parallel(circuit, units, partial(cells.synapse.attach, circuit, f"{name}_load_{k}", nodes, None))
