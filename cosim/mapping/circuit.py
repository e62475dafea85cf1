"""A mapped network at transistor level, sample by sample: the points to simulate and what is read off their waveforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.bench.bench import Bench
from cosim.bench.post_layout import post_layout
from cosim.mapping.network import NetworkRun
from cosim.simulator import Point, Row, Transient, Waveforms
from netlists.crossbar import Cells, Sources
from netlists.network import layer_name, network_bench
from netlists.stimulus import PhaseWindow

FloatArray = NDArray[np.float64]
WAVEFORM_POINTS = 121
"""Stored per membrane: enough to draw accumulation and firing."""

ENERGY_GROUPS = ("supply", "rest", "control", "spike_lines", "bias")
SourceGroups = Sequence[tuple[str, Sequence[str]]]
"""Names of voltage sources by what they feed."""


def sample_point(bench: Bench, cells: Sequence[Cells], run: NetworkRun, *, energy: bool = True) -> Point:
    """The whole network of a run as one circuit.

    Args:
        cells: of each layer.
        energy: also save all source currents.
    """
    circuit = network_bench(cells, run.mapped.settings, [float(t) for t in run.times], run.mapped.lines, run.mapped.biases_v)
    sources = source_groups(circuit.sources) if energy else ()
    nodes = [node for layer in (*circuit.membranes, *circuit.spikes) for node in layer]
    saved = list(dict.fromkeys([*nodes, *energy_vectors(sources)]))
    transient = Transient(circuit.stop_s, cells[0].timing.phase_s / 100, run.accuracy.max_step_s)
    told = ", ".join(f"{key} {value}" for key, value in run.condition.items() if value is not None)
    process, netlist = bench.design.process, circuit.netlist
    if process.layout:
        netlist = post_layout(bench.design).in_network(netlist, process.rails)
    deck = bench.deck(f"{run.mapped.name} network, {told}", netlist, transient, saved, run.accuracy, run.die)
    extract = partial(
        network_response,
        membranes=circuit.membranes,
        spikes=circuit.spikes,
        windows=circuit.windows,
        level_v=cells[0].supply_v / 2,
        guard_s=2 * cells[0].timing.edge_s,
        sources=sources,
        keep_start=run.keep_start,
    )
    return Point({"measurement": "network", "mapping": run.mapped.name, **run.condition}, deck, extract)


def output_spikes(layers: int) -> str:
    """Under what name the row of a point holds the spikes of the last of so many layers."""
    return f"{layer_name(layers)}_spike_s"


def network_response(
    waveforms: Waveforms,
    membranes: Sequence[Sequence[str]],
    spikes: Sequence[Sequence[str]],
    windows: Sequence[PhaseWindow],
    level_v: float,
    guard_s: float,
    sources: SourceGroups,
    keep_start: bool = False,
) -> dict[str, Any]:
    """Of layer N, counted from 1: spike times after the start of its firing phase (s; none: the phase's length), membranes at the
    end of accumulation (V), waveforms over accumulation and firing; and the energy drawn from each group of sources (J)."""
    row: dict[str, Any] = {}
    for number, (nodes, lines, window) in enumerate(zip(membranes, spikes, windows, strict=True), 1):
        layer = layer_name(number)
        times = np.linspace(window.accumulate_s, window.end_s, WAVEFORM_POINTS)
        row[f"{layer}_spike_s"] = np.array([spike_time(waveforms, line, window, level_v) for line in lines])
        row[f"{layer}_membrane_v"] = np.array([end_of_accumulation(waveforms, node, window, guard_s) for node in nodes])
        row[f"{layer}_waveform_v"] = np.concatenate([waveforms.at(node, times) for node in nodes])
    row |= drawn_energy(waveforms, sources)
    if keep_start:
        row["start_node"] = [node for node, _ in waveforms.start]
        row["start_v"] = np.array([volts for _, volts in waveforms.start])
    return row


def stand_alone(point: Point, row: Row | None) -> str:
    """The deck of a network as a file that `ngspice -b` runs as it was simulated here, and that prints its spikes.

    `row` is what came of the point, with `keep_start`; where it failed the deck starts from what ngspice finds. Each spike is
    measured from the start of its firing phase (s); one that does not come is a measurement that failed.
    """
    start = tuple(zip(row["start_node"], map(float, row["start_v"]), strict=True)) if row else ()
    response = point.extract.keywords  # type: ignore[attr-defined]
    level = response["level_v"]
    measures = [
        f".measure tran {line[2:-1]}_s trig at={window.fire_s!r} targ {line} val={level!r} rise=1 td={window.fire_s!r}"
        for lines, window in zip(response["spikes"], response["windows"], strict=True)
        for line in lines
    ]
    text = replace(point.deck, start=start).text()
    return text.removesuffix(".end\n") + "\n".join(measures) + "\n.end\n"


def spike_time(waveforms: Waveforms, line: str, window: PhaseWindow, level_v: float) -> float:
    """First rise of a spike line in the firing phase, from its start (s); the phase's length where it stays low."""
    rises = waveforms.crossings(line, level_v, rising=True, after=window.fire_s)
    length = window.end_s - window.fire_s
    return float(min(rises[0] - window.fire_s, length)) if len(rises) else length


def end_of_accumulation(waveforms: Waveforms, node: str, window: PhaseWindow, guard_s: float) -> float:
    """Membrane when accumulation ends (V), extrapolated over the guard time in which the lines already move."""
    last, earlier = waveforms.at(node, np.array([window.fire_s - guard_s, window.fire_s - 2 * guard_s]))
    return float(last + (last - earlier))


def source_groups(sources: Sources) -> SourceGroups:
    """The sources of a circuit by `ENERGY_GROUPS`."""
    return tuple((group, tuple(getattr(sources, group))) for group in ENERGY_GROUPS)


def energy_vectors(sources: SourceGroups) -> list[str]:
    """What a deck saves so that `drawn_energy` can be told."""
    names = [name.lower() for _, own in sources for name in own]
    return [*(f"i({name})" for name in names), *(f"v({name[1:]})" for name in names)]


def drawn_energy(waveforms: Waveforms, sources: SourceGroups) -> Row:
    """The energy that each group of sources gives (J)."""
    return {f"{group}_energy_j": float(sum(source_energy(waveforms, name) for name in names)) for group, names in sources}


def source_energy(waveforms: Waveforms, name: str) -> float:
    """Energy that a source gives (J): the integral of v * i, where ngspice counts i into the source."""
    power = -waveforms[f"v({name[1:]})"] * waveforms[f"i({name})"]
    return float(np.trapezoid(power, waveforms.axis))
