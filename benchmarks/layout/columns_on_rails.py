"""Some columns of a 64 x 32 array in the circuit, on ideal lines and on those that were extracted.

A column's synapses hang on a ground and a supply of their row, behind the resistance of its own current, on a source that has
what the model says the other rows of the array drop there. The cells are schematics, as in the run; spike lines rise ideally.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.figure import Figure
from cosim.bench.bench import Bench
from cosim.design import Design
from cosim.mapping.circuit import spike_time
from cosim.mapping.columns import Frame
from cosim.mapping.network import mapped_networks
from cosim.simulator import Point, Row, Transient, Waveforms
from netlists.columns import OUTPUT_LINE, LineWaveform, column_bench
from netlists.crossbar import Cells
from netlists.spice import pwl
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting
from training.hardware import HardwareModel, columns_of_layers, normalise
from training.network import RCSpikeNetwork
from training.trajectory import accumulation

COLUMNS, POINTS = 4, 100
FloatArray = NDArray[np.float64]


def columns_on_rails(
    design: Design,
    hardware: HardwareModel,
    network: RCSpikeNetwork,
    images: torch.Tensor,
    drops: FloatArray,
    moved_s: FloatArray,
    folder: Path,
) -> Iterator[Figure]:
    """How far spikes of the first image move, in the circuit and beside the model.

    Args:
        drops: voltage of each row by the current of each (ohm), of ground and of the supply, [2, rows, rows].
        moved_s: what the model says, [images, rows].
    """
    times = images[0].numpy()
    with torch.no_grad():
        fires = np.flatnonzero(next(iter(network))(images[:1]).spike_times[0].numpy() < 0.95)
    rows = fires[np.argsort(-np.abs(moved_s[0, fires]), kind="stable")][:: max(1, len(fires) // COLUMNS)][:COLUMNS]
    model = columns_of_layers(hardware, design.shape.crossbars)[0]
    currents = _currents(model, network.effective_weights()[0], times)
    settings = mapped_networks(pd.read_parquet(folder / "mapping.parquet"))["ode"].settings[0]
    bench = Bench(design, design.process.pdk(), None, jobs=1)
    points = {
        (int(row), on): _point(
            bench, bench.cells(model), settings[row], times, _dropped(drops if on else 0.0 * drops, row, currents)
        )
        for row in rows
        for on in (False, True)
    }
    results = bench.run(list(points.values()))
    spikes = {key: _spike_s(results.row(point)) for key, point in points.items()}
    circuit = np.array([spikes[row, True] - spikes[row, False] for row in map(int, rows)])
    told = f"{len(rows)} columns of one image, rows {', '.join(map(str, rows))}"
    rms = float(np.sqrt(np.mean(circuit**2)))
    yield Figure("layout.rails_64_32_circuit_rmse_s", rms, "s", "", f"hidden spikes on rails less those on ideal lines, {told}")
    left = float(np.sqrt(np.mean((circuit - moved_s[0, rows]) ** 2)))
    yield Figure("layout.rails_64_32_left_rmse_s", left, "s", "", f"the same less what the model says, {told}")


def _spike_s(row: Row | None) -> float:
    if row is None:
        raise RuntimeError("layout.large: a column's simulation failed")
    return float(row["spike_s"])


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


def _point(
    bench: Bench,
    cells: Cells,
    settings: Sequence[SynapseSetting | None],
    times: FloatArray,
    dropped: Sequence[tuple[float, FloatArray]],
) -> Point:
    frame, supply = Frame.of(cells), cells.supply_v
    lines = [_line(time, frame.window, cells) for time in times.tolist()]
    netlist = column_bench(cells, settings, lines, [], frame.window, frame.stop_s).netlist
    netlist = _on_lines_of_their_own(netlist) + _sources(dropped, frame.window, supply)
    analysis = Transient(frame.stop_s, cells.timing.phase_s / 200, bench.fine.max_step_s)
    deck = bench.deck("a column on rails", netlist, analysis, [OUTPUT_LINE.true], bench.fine)
    condition = {
        "measurement": "column_on_rails",
        "drop": [float(volts.sum()) for _, volts in dropped],
        "settings": str(settings),
    }
    return Point(condition, deck, partial(_response, window=frame.window, level_v=supply / 2))


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
