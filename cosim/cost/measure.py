"""What the cells of a network cost, by simulations of single columns.

A neuron: a column whose synapses are all off, its membrane put somewhere by an ideal current before it fires, its line loaded as
in the network. A synapse: one that a recorded line switches on and off in such a column while the membrane accumulates. An input:
its driver by itself, with a spike and without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.bench.bench import Bench
from cosim.bench.post_layout import post_layout
from cosim.bench.results import Results
from cosim.characterize.held_membrane import integral
from cosim.characterize.switching import more_on_lines
from cosim.cost.cells import CellEnergies, LayerEnergy, SynapseEnergy
from cosim.errors import CosimError
from cosim.mapping.circuit import (
    ENERGY_GROUPS,
    SourceGroups,
    drawn_energy,
    end_of_accumulation,
    energy_vectors,
    source_groups,
)
from cosim.mapping.columns import Frame, input_response, lumped
from cosim.mapping.recorded import line_waveform
from cosim.simulator import Point, Row, Transient, Waveforms
from netlists.columns import COLUMN, INPUT_LINE, MEMBRANE, ColumnBench, LineWaveform, column_bench, input_bench
from netlists.crossbar import Cells
from netlists.stimulus import PhaseWindow
from netlists.synapse import SIGNS, SynapseSetting
from netlists.testbenches import Injection
from training.hardware import Curve, HardwareModel, columns_of_layers
from training.shapes import NetworkShape

FloatArray = NDArray[np.float64]
Setting = SynapseSetting | None

DISPLACEMENTS = (-0.55, -0.15, -0.04, -0.02, -0.01, 0.0, 0.01, 0.02, 0.035, 0.06, 0.45, 0.8, 0.9, 0.97, 1.1, 1.3)
"""Where a membrane is put before it fires (thresholds from rest): densest about rest, where the phase ends before or after the
sensing inverter starts, and about the threshold, where the inverter has started when the phase does."""

INJECTED_PHASES = 0.1, 0.8
"""When, in the accumulation phase."""

ON_PHASES, OFF_PHASES = 0.3, 0.5
"""When the line of a synapse rises and falls, in the accumulation phase."""

SPIKE_LINES = (f"{COLUMN}_spike", f"{COLUMN}_spike_bar")
"""Of the neuron of a column."""

FIRED_PHASES = 0.5
"""When an input spikes."""

SETTLED = 0.5
"""From this share of its on-time a synapse's current counts as settled."""

SUPPLY = "i(vsupply)"


class CostError(CosimError):
    """A simulation without which there is no cost has failed."""

    exit_code = 3


@dataclass(frozen=True)
class ColumnCost:
    """A layer: its cells as characterised, synapses on a membrane, on each of its input lines, and on each output line; and what
    lines of outputs have beyond those of hidden neurons in a layout, either to ground and the two between them (F): less."""

    cells: Cells
    hardware: HardwareModel
    synapses: int
    neurons: int
    fan_out: int
    unsent_f: tuple[float, float]

    @property
    def column(self) -> tuple[int, int]:
        """What layers whose synapses cost the same have in common."""
        return self.synapses, self.neurons

    @property
    def size(self) -> tuple[int, int, int]:
        """What layers whose neurons cost the same have in common."""
        return self.synapses, self.neurons, self.fan_out

    @property
    def window(self) -> PhaseWindow:
        return Frame.of(self.cells).window

    @property
    def stop_s(self) -> float:
        return Frame.of(self.cells).stop_s

    def at(self, phases: float) -> float:
        """A time in the accumulation phase (s)."""
        return self.window.accumulate_s + phases * self.cells.timing.phase_s

    def row(self, count: int) -> tuple[Setting, ...]:
        """So many synapses on a line, every other one of each sign, all with the middle code."""
        return lumped(self.cells, [SynapseSetting(SIGNS[k % 2], 0.0) for k in range(count)])


def cell_energies(bench: Bench, hardware: HardwareModel, shape: NetworkShape) -> CellEnergies:
    """Measure the cells of a network.

    Raises `CostError` where a simulation fails.
    """
    layers = columns_of_cost(bench, hardware, shape)
    first = layers[0]
    neurons = {layer.size: list(neuron_points(bench, layer)) for layer in layers}
    lines = {layer.column: _line_point(bench, layer, (ON_PHASES, OFF_PHASES)) for layer in layers}
    fired, silent = _line_point(bench, first, (FIRED_PHASES, 1.0)), _line_point(bench, first, None)
    results = bench.run([*(point for own in neurons.values() for point in own), *lines.values(), fired, silent])
    synapses = {
        layer.column: list(_synapse_points(bench, layer, line_waveform(_row(results, lines[layer.column])))) for layer in layers
    }
    switched = bench.run([point for own in synapses.values() for point in own])
    return CellEnergies(
        supply_v=first.cells.supply_v,
        layers=tuple(
            _layer_energy(
                layer,
                [_row(results, point) for point in neurons[layer.size]],
                [_row(switched, point) for point in synapses[layer.column]],
            )
            for layer in layers
        ),
        input_fired_j=_row(results, fired)["spike_lines_energy_j"],
        input_silent_j=_row(results, silent)["spike_lines_energy_j"],
    )


def columns_of_cost(bench: Bench, hardware: HardwareModel, shape: NetworkShape) -> list[ColumnCost]:
    """The layers of a network as their columns are loaded."""
    unsent_f = post_layout(bench.design).places[-1].lines if bench.design.process.layout else (0.0, 0.0)
    return [
        ColumnCost(bench.cells(own), own, layer.synapses, layer.rows, fan_out, (0.0, 0.0) if fan_out else unsent_f)
        for own, layer, fan_out in zip(columns_of_layers(hardware, shape.crossbars), shape.crossbars, shape.fan_outs, strict=True)
    ]


def _row(results: Results, point: Point) -> Row:
    row = results.row(point)
    if row is None:
        told = ", ".join(f"{name} {value}" for name, value in point.condition.items())
        raise CostError(f"{told}: its simulation failed; see characterization/failures.parquet")
    return row


def _point(
    bench: Bench, layer: ColumnCost, condition: Mapping[str, Any], circuit: ColumnBench, nodes: Sequence[str], extract: Any
) -> Point:
    condition = {"measurement": "energy", "synapses": layer.synapses, "fan_out": layer.fan_out, **condition}
    title = ", ".join(f"{name} {value}" for name, value in condition.items())
    saved = [*nodes, *energy_vectors(source_groups(circuit.sources))]
    analysis = Transient(layer.stop_s, layer.cells.timing.phase_s / 100, bench.working.max_step_s)
    return Point(condition, bench.deck(title, circuit.netlist, analysis, list(dict.fromkeys(saved)), bench.working), extract)


def _low(layer: ColumnCost) -> LineWaveform:
    return LineWaveform(((0.0, 0.0),), ((0.0, layer.cells.supply_v),))


def neuron_points(bench: Bench, layer: ColumnCost) -> Iterator[Point]:
    """A neuron with idle synapses, fired from several membranes."""
    neuron, (start, end) = layer.hardware.neuron, map(layer.at, INJECTED_PHASES)
    for displacement in DISPLACEMENTS:
        injection = Injection(displacement * neuron.v_th_v * neuron.capacitance_f / (end - start), start, end)
        column = column_bench(
            layer.cells, [None] * layer.synapses, [_low(layer)] * layer.synapses, layer.row(layer.fan_out), layer.window,
            layer.stop_s, injection=injection,
        )  # fmt: skip
        if any(layer.unsent_f):
            column = replace(column, netlist=column.netlist + more_on_lines(SPIKE_LINES, *layer.unsent_f))
        extract = partial(
            neuron_response, window=layer.window, guard_s=2 * layer.cells.timing.edge_s, sources=source_groups(column.sources)
        )
        yield _point(bench, layer, {"cell": "neuron", "displacement": displacement}, column, [MEMBRANE], extract)


def neuron_response(waveforms: Waveforms, window: PhaseWindow, guard_s: float, sources: SourceGroups) -> Row:
    """Membrane at the end of accumulation (V), and the energy drawn from each group of sources (J)."""
    membrane_v = end_of_accumulation(waveforms, MEMBRANE, window, guard_s)
    return {"membrane_v": membrane_v, **drawn_energy(waveforms, sources)}


def _line_point(bench: Bench, layer: ColumnCost, high: tuple[float, float] | None) -> Point:
    """A line as an input of the layer drives it, loaded as the lines of the layer are, high between two times (phases)."""
    spikes = [] if high is None else [(layer.at(high[0]), layer.at(high[1]))]
    circuit = input_bench(layer.cells, spikes, layer.row(layer.neurons))
    fall = layer.at(high[1] if high else 1.0) - 2 * layer.cells.timing.edge_s
    extract = partial(input_response, from_s=layer.window.accumulate_s, fall_s=fall, sources=source_groups(circuit.sources))
    return _point(
        bench, layer, {"cell": "input", "high": high and list(high)}, circuit, [INPUT_LINE.true, INPUT_LINE.bar], extract
    )


def _synapse_points(bench: Bench, layer: ColumnCost, line: LineWaveform) -> Iterator[Point]:
    """One synapse behind a line that rises and falls, the others idle behind lines that stay low: first with its line low as
    well, then switched while its weight is 0, then those of `_codes`."""
    extract = partial(
        synapse_response, on_s=layer.at(ON_PHASES), off_s=layer.at(OFF_PHASES),
        start_s=layer.at(ON_PHASES) - 10 * layer.cells.timing.edge_s,
        end_s=layer.window.fire_s - 4 * layer.cells.timing.edge_s,
    )  # fmt: skip
    low = _low(layer)
    for own, setting in ((low, None), (line, None), *((line, setting) for setting in _codes(layer))):
        column = column_bench(
            layer.cells, [setting, *[None] * (layer.synapses - 1)], [own, *[low] * (layer.synapses - 1)], [], layer.window,
            layer.stop_s,
        )  # fmt: skip
        condition = {"switched": own is line, "sign": setting and setting.sign, "code": setting and setting.code}
        yield _point(bench, layer, {"cell": "synapse", **condition}, column, [MEMBRANE], extract)


def _codes(layer: ColumnCost) -> list[SynapseSetting]:
    """The middle and the strongest code of each sign: of weaker ones the charge drowns in the tolerance of the simulator."""
    codes = {sign: layer.cells.synapse.codes(sign, 3) for sign in SIGNS}
    return [SynapseSetting(sign, float(own[at])) for sign, own in codes.items() for at in (len(own) // 2, -1)]


def synapse_response(waveforms: Waveforms, start_s: float, on_s: float, off_s: float, end_s: float) -> Row:
    """What the supply gives (C), from start to end and while the current is settled; and the membrane (V, at equal steps) over
    the on-time, and while it is settled."""
    time, current = waveforms.axis, -waveforms[SUPPLY]
    settled_s = on_s + SETTLED * (off_s - on_s)
    until_s = off_s - (settled_s - on_s) / 10
    return {
        "charge_c": integral(time, current, start_s, end_s),
        "settled_charge_c": integral(time, current, settled_s, until_s),
        "settled_s": until_s - settled_s,
        "on_v": waveforms.at(MEMBRANE, np.linspace(on_s, off_s, 101)),
        "settled_v": waveforms.at(MEMBRANE, np.linspace(settled_s, until_s, 51)),
    }


def _layer_energy(layer: ColumnCost, neurons: Sequence[Row], synapses: Sequence[Row]) -> LayerEnergy:
    """`synapses` in the order of `_synapse_points`."""
    fired = sorted(neurons, key=lambda row: float(row["membrane_v"]))
    reference, idle, *switched = synapses
    signs = {
        sign: _synapse_energy(
            layer, reference, [pair for pair in zip(_codes(layer), switched, strict=True) if pair[0].sign == sign]
        )
        for sign in SIGNS
    }
    return LayerEnergy(
        synapses=layer.synapses,
        fan_out=layer.fan_out,
        neuron={
            group: Curve(
                x=tuple(row["membrane_v"] for row in fired), y=tuple(row[f"{group}_energy_j"] for row in fired),
                x_name="membrane at the start of firing", x_unit="V", y_name=f"energy from {group}", y_unit="J",
            )
            for group in ENERGY_GROUPS
        },
        plus=signs[1],
        minus=signs[-1],
        idle_charge_c=idle["charge_c"] - reference["charge_c"],
    )  # fmt: skip


def _synapse_energy(layer: ColumnCost, reference: Row, rows: Sequence[tuple[SynapseSetting, Row]]) -> SynapseEnergy:
    """What the supply gives beyond what it gives a column that stays as it is, `reference`; the strongest code comes last."""
    strongest, row = rows[-1]
    settled_c = _charge(layer, strongest, row["settled_v"], row["settled_s"])
    share = (row["settled_charge_c"] - reference["settled_charge_c"]) / settled_c
    on_s = (OFF_PHASES - ON_PHASES) * layer.cells.timing.phase_s
    charges = [
        row["charge_c"] - reference["charge_c"] - share * _charge(layer, setting, row["on_v"], on_s) for setting, row in rows
    ]
    return SynapseEnergy(
        share=share,
        charge=Curve(
            x=tuple(_at_rest_a(layer.hardware, setting) for setting, _ in rows), y=tuple(charges), x_name="current at rest",
            x_unit="A", y_name="charge of switching", y_unit="C", log_x=True,
        ),
    )  # fmt: skip


def _at_rest_a(hardware: HardwareModel, setting: SynapseSetting) -> float:
    """The current of a code at rest."""
    curve = hardware.synapse(setting.sign).code.inverse()
    return float(curve(np.clip(setting.code, curve.x[0], curve.x[-1])))


def _charge(layer: ColumnCost, setting: SynapseSetting, membrane_v: FloatArray, seconds: float) -> float:
    """What a synapse that is on moves while its membrane goes through these voltages, at equal steps (C)."""
    hardware, at_rest_a = layer.hardware, _at_rest_a(layer.hardware, setting)
    curve = hardware.neuron.membrane.inverse()
    displacement = curve(np.clip(membrane_v, curve.x[0], curve.x[-1]))
    slope, curvature = hardware.synapse(setting.sign).slope_and_curvature(np.array(at_rest_a))
    return float(np.mean(at_rest_a * (1.0 - setting.sign * slope * displacement + curvature * displacement**2))) * seconds
