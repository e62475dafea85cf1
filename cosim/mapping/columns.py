"""A mapped network at transistor level, column by column: what the neurons of a layer send is what switches the next layer.

A column is a neuron with its synapses, and everything that it knows of the rest of the network comes over its spike lines
(`netlists.columns`). So a network is as many small simulations as it has neurons: they run side by side, are stored one by one,
and a changed weight costs what it touches. What is known to be silent need not be simulated. A sample's row is that of
`cosim.mapping.circuit.network_response`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.bench.bench import Accuracy, Bench, with_bias
from cosim.bench.results import Results
from cosim.mapping.circuit import (
    ENERGY_GROUPS,
    WAVEFORM_POINTS,
    SourceGroups,
    drawn_energy,
    end_of_accumulation,
    energy_vectors,
    source_groups,
    spike_time,
)
from cosim.mapping.network import NetworkRun
from cosim.mapping.recorded import can_be_moved, line_waveform, moved_rise, on_common_falls, on_common_knots, recorded
from cosim.simulator import Point, Row, Transient, Waveforms
from netlists.columns import INPUT_LINE, MEMBRANE, OUTPUT_LINE, ColumnBench, LineWaveform, Place, column_bench, input_bench
from netlists.crossbar import Cells
from netlists.network import SETTLE_PHASES, layer_name
from netlists.neuron import SpikeLine
from netlists.stimulus import PhaseWindow
from netlists.synapse import SIGNS, Sign, SynapseSetting

FloatArray = NDArray[np.float64]
Setting = SynapseSetting | None

TEMPLATE_PHASES = 0.5
"""When the input fires whose line all others are moved from."""


@dataclass(frozen=True)
class Frame:
    """The times of a column's simulation (s), the same for all layers."""

    window: PhaseWindow
    stop_s: float
    fall_s: float
    """Of the lines of inputs, when it is still far from beginning."""

    @classmethod
    def of(cls, cells: Cells) -> Frame:
        window = PhaseWindow.regular(SETTLE_PHASES * cells.timing.phase_s, cells.timing)
        return cls(window, window.end_s + SETTLE_PHASES * cells.timing.phase_s, window.fire_s - 2 * cells.timing.edge_s)

    @property
    def after_template_s(self) -> float:
        """Half way from the spike of a template to the end of the phase."""
        return self.window.fire_s - (1 - TEMPLATE_PHASES) / 2 * (self.window.fire_s - self.window.accumulate_s)


def simulate_columns(bench: Bench, cells: Sequence[Cells], runs: Sequence[NetworkRun]) -> list[Row | None]:
    """Rows of the runs in their order, as `network_response` makes them; None where a simulation of the run failed.

    Args:
        cells: of each layer.
    """
    lines = _input_lines(bench, cells[0], runs)
    rows: list[Row | None] = [None if found is None else found.energy() for found in lines]
    for number, own in enumerate(cells, 1):
        lines = _layer(bench, own, number, runs, lines)
        rows = [
            row | found.response(layer_name(number), row) if row is not None and found else None
            for row, found in zip(rows, lines, strict=True)
        ]
    return rows


@dataclass(frozen=True)
class _Sent:
    """What the neurons of a layer, or the inputs, sent in one run: their simulations' rows, and their lines."""

    rows: Sequence[Row]
    lines: Sequence[LineWaveform]

    def energy(self) -> Row:
        return {f"{group}_energy_j": sum(row[f"{group}_energy_j"] for row in self.rows) for group in ENERGY_GROUPS}

    def response(self, layer: str, before: Row) -> Row:
        """Spikes, membranes and waveforms of a layer, and the energy with that of what stands before it."""
        arrays = {
            f"{layer}_spike_s": np.array([row["spike_s"] for row in self.rows]),
            f"{layer}_membrane_v": np.array([row["membrane_v"] for row in self.rows]),
            f"{layer}_waveform_v": np.concatenate([row["waveform_v"] for row in self.rows]),
        }
        return {**arrays, **{name: before[name] + joule for name, joule in self.energy().items()}}


def _layer(
    bench: Bench, cells: Cells, number: int, runs: Sequence[NetworkRun], inputs: Sequence[_Sent | None]
) -> list[_Sent | None]:
    """What a layer sends in each run."""
    points = [
        [] if found is None else _columns(bench, cells, number, run, found.lines) for run, found in zip(runs, inputs, strict=True)
    ]
    results = bench.run([point for own in points for point in own if point is not None])
    return [_sent(cells, results, own, run) if own else None for own, run in zip(points, runs, strict=True)]


def _sent(cells: Cells, results: Results, points: Sequence[Point | None], run: NetworkRun) -> _Sent | None:
    rows = [results.row(point) if point else _silent_row(cells) for point in points]
    done = [row for row in rows if row is not None]
    if len(done) < len(rows):
        return None
    fall_s = Frame.of(cells).window.end_s - 2 * cells.timing.edge_s
    lines = done if run.loosely == 1.0 else on_common_falls(done, fall_s, run.loosely)
    return _Sent(done, [line_waveform(row, -cells.timing.phase_s) for row in lines])


def _silent_row(cells: Cells) -> Row:
    """As `column_response`, of a neuron that is silent and was not simulated: what nobody knows of it is not a number."""
    unknown = {"membrane_v": math.nan, "waveform_v": np.full(WAVEFORM_POINTS, math.nan)}
    energy = {f"{group}_energy_j": math.nan for group in ENERGY_GROUPS}
    line = {"line_s": np.zeros(1), "true_v": np.zeros(1), "bar_v": np.full(1, cells.supply_v)}
    return {"spike_s": cells.timing.phase_s, **unknown, **energy, **line}


def _columns(bench: Bench, cells: Cells, number: int, run: NetworkRun, lines: Sequence[LineWaveform]) -> list[Point | None]:
    """The columns of a layer, counted from 1, in one run; None for those that are not simulated."""
    frame = Frame.of(cells)
    points = list[Point | None]()
    for k, settings in enumerate(run.mapped.settings[number - 1]):
        if not run.simulates(number, k):
            points.append(None)
            continue
        own = [lines[j] for j in run.mapped.lines[number - 1][k]]
        biased = cells if run.mapped.biases_v is None else with_bias(cells, run.mapped.biases_v[number - 1][k])
        column = column_bench(
            biased, settings, own, _row(cells, run, number, k), frame.window, frame.stop_s, _place(run, number, k)
        )
        extract = partial(
            column_response, window=frame.window, level_v=cells.supply_v / 2, guard_s=2 * cells.timing.edge_s,
            sources=source_groups(column.sources),
        )  # fmt: skip
        condition = {"measurement": "column", "mapping": run.mapped.name, "layer": number, "neuron": k, **run.condition}
        nodes = (MEMBRANE, OUTPUT_LINE.true, OUTPUT_LINE.bar)
        points.append(_point(bench, cells, run.accuracy, column, condition, nodes, extract, run.die))
    return points


def _row(cells: Cells, run: NetworkRun, layer: int, number: int) -> tuple[Setting, ...]:
    """The synapses that a neuron of a layer drives, those of the outputs none; of layer 0 an input."""
    row = tuple(run.mapped.on_line(layer, number).values())
    return lumped(cells, row) if run.die is None else row


def _place(run: NetworkRun, layer: int, number: int) -> Place | None:
    """Whose column it is, where a die tells devices apart."""
    if run.die is None:
        return None
    inputs = run.mapped.lines[layer - 1][number] if layer else ()
    return Place(layer, number, inputs, tuple(run.mapped.on_line(layer, number)))


def lumped(cells: Cells, row: Sequence[Setting]) -> tuple[Setting, ...]:
    """A row whose synapses of one sign all have the middle code, so that they are one device of so many units.

    A line feels how many of its synapses are on, and next to nothing of what each of them is set to: another weight there is not
    another simulation.
    """
    middle = {setting.sign: _middle(cells, setting.sign) for setting in row if setting}
    return tuple(setting and middle[setting.sign] for setting in row)


def typical_row(rows: Sequence[Sequence[Setting]]) -> tuple[Setting, ...]:
    """One lumped row for inputs of as many synapses: so many of each sign as they have on average.

    Then the lines of inputs that fire at the same time are the same, and so are the synapses that are off on them.
    """
    found = list[Setting]()
    for sign in SIGNS:
        own = [setting for row in rows for setting in row if setting and setting.sign == sign]
        found += own[:1] * round(len(own) / len(rows))
    return (*found, *[None] * (len(rows[0]) - len(found)))


def _middle(cells: Cells, sign: Sign) -> SynapseSetting:
    codes = cells.synapse.codes(sign, 3)
    return SynapseSetting(sign, float(codes[len(codes) // 2]))


def _point(
    bench: Bench,
    cells: Cells,
    accuracy: Accuracy,
    circuit: ColumnBench,
    condition: Mapping[str, Any],
    nodes: Sequence[str],
    extract: Callable[[Waveforms], Row],
    die: int | None,
) -> Point:
    energy = energy_vectors(source_groups(circuit.sources))
    title = ", ".join(f"{name} {value}" for name, value in condition.items() if value is not None)
    analysis = Transient(Frame.of(cells).stop_s, cells.timing.phase_s / 100, accuracy.max_step_s)
    deck = bench.deck(title, circuit.netlist, analysis, list(dict.fromkeys([*nodes, *energy])), accuracy, die)
    return Point(condition, deck, extract)


def column_response(
    waveforms: Waveforms,
    window: PhaseWindow,
    level_v: float,
    guard_s: float,
    sources: SourceGroups,
) -> Row:
    """Spike after the start of firing (s; none: the phase's length), membrane at the end of accumulation (V), its waveform over
    accumulation and firing, the energy drawn from each group of sources (J), and the line from the start of firing on."""
    times = np.linspace(window.accumulate_s, window.end_s, WAVEFORM_POINTS)
    return {
        "spike_s": spike_time(waveforms, OUTPUT_LINE.true, window, level_v),
        "membrane_v": end_of_accumulation(waveforms, MEMBRANE, window, guard_s),
        "waveform_v": waveforms.at(MEMBRANE, times),
        **drawn_energy(waveforms, sources),
        **_recorded(waveforms, OUTPUT_LINE, window.fire_s - guard_s, window.end_s - guard_s),
    }


def input_response(waveforms: Waveforms, from_s: float, fall_s: float, sources: SourceGroups) -> Row:
    """The line of an input from a time on, and the energy that its driver draws."""
    return {**drawn_energy(waveforms, sources), **_recorded(waveforms, INPUT_LINE, from_s, fall_s)}


def _recorded(waveforms: Waveforms, line: SpikeLine, from_s: float, fall_s: float) -> Row:
    return recorded(waveforms.axis, waveforms[line.true], waveforms[line.bar], from_s, fall_s)


def _input_lines(bench: Bench, cells: Cells, runs: Sequence[NetworkRun]) -> list[_Sent | None]:
    """The lines of the inputs in each run.

    The driver of an input knows no time: one simulation gives the line of every spike, moved to it. What fires so late that its
    line still rises when it falls again is simulated by itself.
    """
    drivers = [_at_least(bench.working, run) for run in runs]
    asked = [_asked(run, cells, None) for run in drivers]
    known = _driven(bench, cells, asked)
    late = [_asked(run, cells, [known.get(one) for one in own]) for run, own in zip(drivers, asked, strict=True)]
    known |= _driven(bench, cells, late)
    return [_moved(run, cells, own, known) for run, own in zip(runs, late, strict=True)]


def _at_least(accuracy: Accuracy, run: NetworkRun) -> NetworkRun:
    """The run, no less accurately than this: next to columns drivers cost nothing, and what they are off all spikes are."""
    return replace(run, accuracy=run.accuracy._replace(reltol=min(run.accuracy.reltol, accuracy.reltol)))


@dataclass(frozen=True)
class _Input:
    """What decides the line of an input: the synapses on it, how it is simulated, its die, when it fires (phases, or never)."""

    row: tuple[Setting, ...]
    accuracy: Accuracy
    place: Place | None
    die: int | None
    time: float | None


def _asked(run: NetworkRun, cells: Cells, templates: Sequence[Row | None] | None) -> list[_Input]:
    """What to simulate for the inputs of a run: their templates, or once these are known what follows from none of them."""
    phase, edge, between = cells.timing.phase_s, cells.timing.edge_s, Frame.of(cells).after_template_s
    rows = [_row(cells, run, 0, j) for j in range(len(run.times))]
    typical = {length: typical_row([row for row in rows if len(row) == length]) for length in {len(row) for row in rows}}
    found = []
    for j, time in enumerate(map(float, run.times)):
        when = TEMPLATE_PHASES if time * phase < phase - edge else None
        template = templates[j] if templates is not None else None
        if when is not None and template and not can_be_moved(template, (time - when) * phase, between):
            when = time
        if run.die is None:
            found.append(_Input(typical[len(rows[j])], run.accuracy, None, None, when))
        else:
            found.append(_Input(rows[j], run.accuracy, _place(run, 0, j), run.die, when))
    return found


def _driven(bench: Bench, cells: Cells, asked: Sequence[Sequence[_Input]]) -> dict[_Input, Row]:
    """The simulated lines, of each input of its kind one; those that failed are missing."""
    points = {one: _input_point(bench, cells, one) for one in dict.fromkeys(itertools.chain(*asked))}
    results = bench.run(points.values())
    return {one: row for one, point in points.items() if (row := results.row(point)) is not None}


def _moved(run: NetworkRun, cells: Cells, asked: Sequence[_Input], known: Mapping[_Input, Row]) -> _Sent | None:
    """The lines of a run's inputs, each moved to its time."""
    if any(one not in known for one in asked):
        return None
    phase, between = cells.timing.phase_s, Frame.of(cells).after_template_s
    rows = _together(asked, [known[one] for one in asked], Frame.of(cells).fall_s, run.loosely)
    lines = [
        line_waveform(row) if one.time is None else moved_rise(row, (max(float(time), 0.0) - one.time) * phase, between)
        for one, row, time in zip(asked, rows, run.times, strict=True)
    ]
    return _Sent(rows, lines)


def _together(asked: Sequence[_Input], rows: Sequence[Row], fall_s: float, loosely: float) -> list[Row]:
    """The rows, those of inputs that were simulated as firing at one time on common knots: on a die no two are alike."""
    found = list(rows)
    for time in {one.time for one in asked if one.time is not None}:
        alike = [j for j, one in enumerate(asked) if one.time == time]
        if len({asked[j] for j in alike}) > 1:
            for j, row in zip(alike, on_common_knots([rows[j] for j in alike], fall_s, loosely), strict=True):
                found[j] = row
    return found


def _input_point(bench: Bench, cells: Cells, asked: _Input) -> Point:
    frame, phase = Frame.of(cells), cells.timing.phase_s
    high = [] if asked.time is None else [(frame.window.accumulate_s + asked.time * phase, frame.window.fire_s)]
    circuit = input_bench(cells, high, asked.row, asked.place)
    start = frame.window.accumulate_s - 10 * cells.timing.edge_s
    extract = partial(input_response, from_s=start, fall_s=frame.fall_s, sources=source_groups(circuit.sources))
    condition = {"measurement": "input_line", "time": asked.time, "input": asked.place and asked.place.number, "die": asked.die}
    return _point(bench, cells, asked.accuracy, circuit, condition, (INPUT_LINE.true, INPUT_LINE.bar), extract, asked.die)
