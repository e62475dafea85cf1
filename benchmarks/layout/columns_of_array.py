"""Some columns of a 64 x 32 array in the circuit, with and without what the array's wires do to them.

The cells are schematics, as in the run; spike lines rise ideally. On rails a column's synapses hang on a ground and a supply of
their row, behind the resistance of its own current, on a source that has what the model says the other rows of the array drop
there. Among lines its membrane has the extracted capacitances to the spike lines that cross it, or as much to ground.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.figure import Figure
from cosim.bench.bench import Bench
from cosim.bench.lines import rms
from cosim.design import Design
from cosim.mapping.circuit import spike_time
from cosim.mapping.columns import Frame
from cosim.mapping.network import mapped_networks
from cosim.simulator import Point, Row, Transient, Waveforms
from netlists.columns import OUTPUT_LINE, LineWaveform, column_bench
from netlists.crossbar import Cells
from netlists.spice import pwl
from netlists.stimulus import PhaseWindow
from training.hardware import HardwareModel, columns_of_layers, normalise
from training.network import RCSpikeNetwork
from training.trajectory import accumulation

COLUMNS, POINTS = 4, 100
FloatArray = NDArray[np.float64]


class Columns:
    """Columns of the first layer, of one image: those of `COLUMNS` neurons that fire, from what moves them most to least."""

    def __init__(
        self,
        design: Design,
        hardware: HardwareModel,
        network: RCSpikeNetwork,
        image: torch.Tensor,
        moved_s: FloatArray,
        folder: Path,
    ) -> None:
        """`moved_s`: what the model says rows are moved by, [rows]."""
        self.times = image.numpy()
        with torch.no_grad():
            fires = np.flatnonzero(next(iter(network))(image[None]).spike_times[0].numpy() < 0.95)
        ordered = fires[np.argsort(-np.abs(moved_s[fires]), kind="stable")]
        self.rows: list[int] = ordered[:: max(1, len(fires) // COLUMNS)][:COLUMNS].tolist()
        self.model = columns_of_layers(hardware, design.shape.crossbars)[0]
        self.weights: FloatArray = network.effective_weights()[0]
        self._settings = mapped_networks(pd.read_parquet(folder / "mapping.parquet"))["ode"].settings[0]
        self._bench = Bench(design, design.process.pdk(), None, jobs=1)
        self.cells = self._bench.cells(self.model)
        self.frame = Frame.of(self.cells)
        self.lines = [_line(time, self.frame.window, self.cells) for time in self.times.tolist()]

    @property
    def told(self) -> str:
        return f"{len(self.rows)} columns of one image, rows {', '.join(map(str, self.rows))}"

    def spike_s(self, what: str, wired: Callable[[int, str], str]) -> FloatArray:
        """When they fire (s), [rows]; `wired` puts the wires of a row into its netlist."""
        points = [self._point(what, row, wired) for row in self.rows]
        results = self._bench.run(points)
        found = [results.row(point) for point in points]
        if missing := [row for row, one in zip(self.rows, found, strict=True) if one is None]:
            raise RuntimeError(f"layout.large: {what}: the simulation of row {missing[0]} failed")
        return np.array([row["spike_s"] for row in found if row is not None])

    def _point(self, what: str, row: int, wired: Callable[[int, str], str]) -> Point:
        window, supply, bench = self.frame.window, self.cells.supply_v, self._bench
        plain = column_bench(self.cells, self._settings[row], self.lines, [], window, self.frame.stop_s).netlist
        analysis = Transient(self.frame.stop_s, self.cells.timing.phase_s / 200, bench.fine.max_step_s)
        deck = bench.deck(f"a column {what}", wired(row, plain), analysis, [OUTPUT_LINE.true], bench.fine)
        return Point({"measurement": what, "row": row}, deck, partial(_response, window=window, level_v=supply / 2))

    def moved(self, name: str, words: str, circuit: FloatArray, model: FloatArray) -> Iterator[Figure]:
        """How far spikes move in the circuit, and how much of it a model [rows of the array] leaves (s)."""
        told = f"{words}, {self.told}"
        yield Figure(f"layout.{name}_64_32_circuit_rmse_s", rms(circuit), "s", "", f"hidden spikes {told}")
        yield Figure(
            f"layout.{name}_64_32_left_rmse_s",
            rms(circuit - model[self.rows]),
            "s",
            "",
            f"the same less what the model says, {told}",
        )


def on_rails(columns: Columns, drops: FloatArray, moved_s: FloatArray) -> Iterator[Figure]:
    """How far spikes move on lines that have resistance, in the circuit and beside the model.

    Args:
        drops: voltage of each row by the current of each (ohm), of ground and of the supply, [2, rows, rows].
        moved_s: what the model says, [rows].
    """
    currents = _currents(columns.model, columns.weights, columns.times)

    def wired(row: int, netlist: str, ohm: FloatArray) -> str:
        sources = _sources(_dropped(ohm, row, currents), columns.frame.window, columns.cells.supply_v)
        return _on_lines_of_their_own(netlist) + sources

    on, off = (columns.spike_s("on rails", partial(wired, ohm=ohm)) for ohm in (drops, 0.0 * drops))
    yield from columns.moved("rails", "on rails less those on ideal lines", on - off, moved_s)


def among_lines(columns: Columns, farads: FloatArray, moved_s: FloatArray) -> Iterator[Figure]:
    """How far spikes move among spike lines that couple to membranes, in the circuit and beside the model.

    Args:
        farads: from a membrane to the line of each input, and to its complement, [2, inputs].
        moved_s: what the model says, [rows].
    """

    def wired(_: int, netlist: str, to: str) -> str:
        return netlist + to

    on, off = (columns.spike_s("among lines", partial(wired, to=to)) for to in _crossing(columns.lines, farads))
    yield from columns.moved(
        "line_to_membrane", "among lines that couple to membranes less those among lines that do not", on - off, moved_s
    )


def _crossing(lines: Sequence[LineWaveform], farads: FloatArray) -> tuple[str, str]:
    """From the membrane to each node of a line, and as much to ground."""
    nodes = {line: f"line_{number}" for number, line in enumerate(dict.fromkeys(lines))}
    sums: dict[str, float] = {}
    for line, true, bar in zip(lines, *farads.tolist(), strict=True):
        for node, own in ((nodes[line], true), (f"{nodes[line]}_bar", bar)):
            sums[node] = sums.get(node, 0.0) + own
    cards = [f"Ccrossing_{node} column_membrane {node} {own:.9g}\n" for node, own in sums.items()]
    return "".join(cards), f"Ccrossing column_membrane 0 {farads.sum():.9g}\n"


def _currents(model: HardwareModel, weights: FloatArray, times: FloatArray) -> FloatArray:
    """What rows draw from ground and from the supply over the accumulation phase (A), [2, points, rows]."""
    normalised, at = normalise(model), np.linspace(0.0, 1.0, POINTS)
    v = accumulation(normalised, weights, times, at)
    arrived = times <= at[:, None]
    found = []
    for sign, e in zip((1.0, -1.0), normalised.reversals, strict=True):
        found.append(arrived @ np.maximum(sign * weights, 0.0).T * (1.0 - v / e) * model.unit_current_a)
    return np.stack(found)


def _dropped(drops: FloatArray, row: int, currents: FloatArray) -> list[tuple[float, FloatArray]]:
    """Of each of the two lines the resistance of the row's own current (ohm), and what the other rows drop (V), [points]."""
    others = np.arange(drops.shape[1]) != row
    return [(float(lines[row, row]), own[:, others] @ lines[row, others]) for lines, own in zip(drops, currents, strict=True)]


def _response(waveforms: Waveforms, window: PhaseWindow, level_v: float) -> Row:
    return {"spike_s": spike_time(waveforms, OUTPUT_LINE.true, window, level_v)}


def _line(time: float, window: PhaseWindow, cells: Cells) -> LineWaveform:
    """Of an input that arrives at a time in phases, up to the end of accumulation."""
    supply, edge = cells.supply_v, cells.timing.edge_s
    rise, fall = window.accumulate_s + time * cells.timing.phase_s, window.fire_s
    if rise > fall - 2 * edge:
        return LineWaveform(((0.0, 0.0),), ((0.0, supply),))
    knots = ((0.0, 0.0), (rise, 0.0), (rise + edge, 1.0), (fall, 1.0), (fall + edge, 0.0))
    return LineWaveform(
        tuple((at, supply * high) for at, high in knots), tuple((at, supply * (1.0 - high)) for at, high in knots)
    )


def _on_lines_of_their_own(netlist: str) -> str:
    """Synapses with their ground and their supply on the nodes `row_ground` and `row_supply`."""
    body = re.compile(r"^\.subckt synapse_current_source_n .*?^\.ends", re.MULTILINE | re.DOTALL)
    grounded = body.sub(lambda cell: re.sub(r" 0(?= )", " ground", cell[0]).replace(" n_bias", " n_bias ground", 1), netlist)
    called = re.sub(r"^(Xsynapse_.*) (synapse_current_source_n\b)", r"\1 row_ground \2", grounded, flags=re.MULTILINE)
    return re.sub(r"^(Xsynapse_.*) supply (synapse_current_source_p\b)", r"\1 row_supply \2", called, flags=re.MULTILINE)


def _sources(dropped: Sequence[tuple[float, FloatArray]], window: PhaseWindow, supply: float) -> str:
    cards = []
    for name, held, sign, (ohm, volts) in zip(("ground", "supply"), (0.0, supply), (1.0, -1.0), dropped, strict=True):
        at = np.linspace(window.accumulate_s, window.fire_s, len(volts))
        knots = [(float(time), held + sign * float(drop)) for time, drop in zip(at, volts, strict=True)]
        knots = [(0.0, held), *knots, (window.fire_s + 1e-9, held)]
        cards.append(f"Vothers_{name} others_{name} 0 {pwl(knots)}")
        cards.append(f"Rrow_{name} row_{name} others_{name} {max(ohm, 1e-3):.6g}")
    return "\n".join([*cards, ""])
