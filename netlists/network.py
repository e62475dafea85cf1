"""The whole network at transistor level: layers one phase apart, input spikes in, output spikes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netlists.crossbar import Cells, Crossings, Settings, Sources, attach_biases, attach_input, attach_layer, attach_supplies
from netlists.neuron import SpikeLine
from netlists.spice import Circuit, new_circuit
from netlists.stimulus import PhaseWindow, control_lines

SETTLE_PHASES = 0.05
"""Length of the first and last reset (in phases): the operating point is already the reset state."""


def layer_name(layer: int) -> str:
    """What a layer, counted from 1, is called in a netlist."""
    return f"layer_{layer}"


@dataclass(frozen=True)
class NetworkBench:
    """A netlist of the whole network for one sample, and where to look in it."""

    netlist: str
    windows: tuple[PhaseWindow, ...]
    stop_s: float
    membranes: tuple[tuple[str, ...], ...]
    spikes: tuple[tuple[str, ...], ...]
    sources: Sources


def network_bench(
    cells: Sequence[Cells],
    settings: Sequence[Settings],
    input_times: Sequence[float],
    crossings: Sequence[Crossings] = (),
    own_biases_v: Sequence[Sequence[float]] | None = None,
) -> NetworkBench:
    """Build the network of `settings` (one per layer) for one sample.

    Args:
        cells: of each layer, which differ in what characterisation set: every layer has bias lines of its own.
        settings: synapse settings per layer, [layer][neuron][synapse].
        input_times: arrival of each input in phases after the start of accumulation; 1 or more never arrives.
        crossings: input line of every synapse, shaped as `settings`; left out where every neuron is on every line.
        own_biases_v: of every discharger, [layer][neuron], each on a line of its own; those of the cells where None, on one line
            a layer unless the design gives each neuron its own.
    """
    timing, sources = cells[0].timing, Sources()
    phase = timing.phase_s
    start = SETTLE_PHASES * phase
    windows = tuple(PhaseWindow.regular(start + k * phase, timing) for k in range(len(settings)))
    stop = windows[-1].end_s + SETTLE_PHASES * phase
    circuit = new_circuit("network")
    attach_supplies(circuit, cells[0], sources)
    lines = _input_lines(circuit, cells[0], input_times, windows[0], sources)
    membranes, spikes, loads = [], [], dict[str, float]()
    for k, (own, rows, window) in enumerate(zip(cells, settings, windows, strict=True)):
        layer = layer_name(k + 1)
        attach_biases(circuit, own, sources, f"{layer}_")
        sources.control += control_lines(circuit, layer, own.supply_v, window, timing, stop)
        biases = None if own_biases_v is None else own_biases_v[k]
        if biases is None and own.neuron.dimensions.own_discharger_bias:
            biases = [own.discharger_bias_v] * len(rows)
        crossing = crossings[k] if crossings else None
        lines = attach_layer(circuit, layer, own, rows, lines, sources, f"{layer}_", crossing, biases)
        membranes.append(tuple(f"v({layer}_membrane_{j})" for j in range(len(rows))))
        spikes.append(tuple(f"v({line.true})" for line in lines))
        loads |= own.loads(lines)
    netlist = cells[0].netlist(circuit, sources, loads)
    return NetworkBench(netlist, windows, stop, tuple(membranes), tuple(spikes), sources)


def _input_lines(
    circuit: Circuit, cells: Cells, input_times: Sequence[float], window: PhaseWindow, sources: Sources
) -> list[SpikeLine]:
    """Input spikes: a line rises at its spike and falls at the end of accumulation."""
    phase, edge = cells.timing.phase_s, cells.timing.edge_s
    lines = []
    for j, time in enumerate(input_times):
        rise = window.accumulate_s + time * phase
        # a pulse shorter than its own edges cannot be drawn: the spike never arrives
        high = [(rise, window.fire_s)] if rise < window.fire_s - edge else []
        lines.append(attach_input(circuit, cells, f"input_{j}", high, sources))
    return lines
