"""Lines that feed a network as the wires that they are: their resistance, and what it does to spikes.

The circuit is that of the first samples of the run that `layout.spikes` reads, on ideal lines, where it is known, and on rails:
some 15 s of CPU time a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.figure import Figure, stored
from benchmarks.layout.checks import REFERENCE, cells
from benchmarks.layout.spikes import run_folder
from cosim.bench.bench import Bench
from cosim.design import Design, load_design
from cosim.mapping.circuit import sample_point
from cosim.mapping.network import NetworkRun, mapped_networks
from cosim.networks.training import in_double, spike_data
from cosim.simulator import Row, Store
from layouts.extraction.conductors import FlatCell
from layouts.extraction.rails import Rail, node_of, rails
from layouts.project import draw
from training.hardware import HardwareModel

SAMPLES = 2
NAMES = {"0": "ground"}

FloatArray = NDArray[np.float64]


def figures(quick: bool) -> Iterator[Figure]:
    """Those that are stored where there is no run."""
    folder = run_folder()
    if folder is None:
        yield from stored("layout.rails")
        return
    drawn = draw(cells(), REFERENCE, "network").network
    for rail in rails(drawn, FlatCell(drawn.cell)):
        yield from _of_rail(rail)
    yield from _in_the_circuit(folder)


def _of_rail(rail: Rail) -> Iterator[Figure]:
    size, name = "_".join(map(str, REFERENCE)), NAMES.get(rail.net, rail.net)
    alone = rail.drop_ohm()
    farthest = max(alone, key=alone.__getitem__)
    yield Figure(f"layout.rail_{size}_{name}_ohm", alone[farthest], "ohm", "", f"from the pins to {farthest}, the farthest row")
    together = rail.drop_v({node_of(rail.net, row): 1.0 for row in rail.rows})[farthest]
    yield Figure(f"layout.rail_{size}_{name}_all_ohm", together, "V/A", "", f"at {farthest}, of the same current in every row")


def _in_the_circuit(folder: Path) -> Iterator[Figure]:
    """How far spikes move between ideal lines and rails."""
    design = load_design(folder / "design.toml")
    on = [_rows(design, folder, own) for own in (False, True)]
    for layer in range(1, len(design.network.layers) + 1):
        ideal, railed = (np.stack([row[f"layer_{layer}_spike_s"] for row in rows]) for rows in on)
        fires = np.minimum(ideal, railed) < design.timing.phase_s * 0.98
        moved = (railed - ideal)[fires]
        name = "output" if layer == len(design.network.layers) else "hidden"
        told = f"{name} spikes on rails less those on ideal lines, circuit, {len(ideal)} samples, {fires.sum()} spikes"
        yield Figure(f"layout.rails_moved_{name}_rmse_s", float(np.sqrt(np.mean(moved**2))), "s", "", told)
        yield Figure(f"layout.rails_moved_{name}_mean_s", float(moved.mean()), "s", "", told)


def _rows(design: Design, folder: Path, on_rails: bool) -> list[Row]:
    """Of the circuit, of the first samples."""
    design = design.model_copy(update={"process": design.process.model_copy(update={"rails": on_rails})})
    hardware = HardwareModel.load(folder / "hardware.json")
    mapped = mapped_networks(pd.read_parquet(folder / "mapping.parquet"))["ode"]
    times = in_double(spike_data(design.network)).test_t[:SAMPLES].numpy()
    with Store(folder / "points.sqlite") as store:
        bench = Bench(design, design.process.pdk(), store, jobs=1)
        of_layers = bench.cells_of_layers(hardware)
        points = [
            sample_point(bench, of_layers, NetworkRun(mapped, t, _condition(design, bench, k), bench.working, keep_start=k == 0))
            for k, t in enumerate(times)
        ]
        return [one.row for one in bench.run(points).alive]


def _condition(design: Design, bench: Bench, sample: int) -> dict[str, object]:
    return {"sample": sample, "die": None, "corner": str(design.process.corner), "reltol": bench.working.reltol}
