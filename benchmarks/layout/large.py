"""What wires do at 64 x 32: coupling, and the drop on the lines that feed the array, as drawn, in the model of a classifier.

The classifier is that of `cosim map designs/digits_64_32_10.toml`, a run in the folder `runs` of the checkout or in the one that
COSIM_RUNS names; its circuit is a schematic. What is told is how far the spikes of a model that knows move from those of one that
does not, and, of some columns, how far those of the circuit move on the lines that were extracted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.figure import Figure, stored
from benchmarks.layout.columns_on_rails import columns_on_rails
from benchmarks.layout.placed import on_places, spikes
from benchmarks.layout.rails import NAMES
from benchmarks.probes import process_cpu_s
from cosim.design import Design, load_design
from cosim.design.cells import cells_of
from cosim.networks.training import in_double, load_networks, spike_data
from layouts.drawing.network import Drawn
from layouts.extraction import extract
from layouts.extraction.conductors import FlatCell
from layouts.extraction.rails import node_of, rails, spike_lines
from layouts.project import draw
from training.hardware import HardwareModel, LayerPlaces, columns_of_layers
from training.network import RCSpikeNetwork

RUN = "digits_64_32_10"
TILE_ROWS, IMAGES = 4, 40
FIRES = 0.98
"""Spikes before this, in phases, are compared."""

FloatArray = NDArray[np.float64]


def figures(quick: bool) -> Iterator[Figure]:
    """Those that are stored where there is no run; with `quick` without the drop."""
    folder = Path(os.environ.get("COSIM_RUNS", Path(__file__).parents[2] / "runs")) / RUN
    if not (folder / "network.safetensors").exists():
        yield from stored("layout.large")
        return
    design, hardware = load_design(folder / "design.toml"), HardwareModel.load(folder / "hardware.json")
    network = load_networks(folder)["ode"]
    images = in_double(spike_data(design.network)).test_t[:IMAGES]
    crossbars = design.shape.crossbars
    between = [_between_rows(design, layer.synapses) for layer in crossbars]
    places = [_places(layer.neurons, layer.synapses, farads) for layer, farads in zip(crossbars, between, strict=True)]
    coupled = on_places(network, hardware, crossbars, places)
    yield Figure("layout.coupling_64_32_f", between[0], "F", "", f"between membranes of neighbouring rows, tile 64 x {TILE_ROWS}")
    yield from _moved("coupling_64_32", spikes(coupled, images), spikes(network, images), hardware.phase_s)
    if not quick:
        yield from _dropped(design, hardware, network, images, folder)


def _between_rows(design: Design, inputs: int) -> float:
    """Between the membranes of two rows that have neighbours on both sides (F)."""
    project = draw(cells_of(design), (inputs, TILE_ROWS), "tile")
    return extract(project.network.cell).between("layer_1_membrane_1", "layer_1_membrane_2")


def _places(neurons: int, inputs: int, farads: float) -> LayerPlaces:
    nothing = (0.0,) * inputs
    between = farads * (np.eye(neurons, k=1) + np.eye(neurons, k=-1))
    return LayerPlaces(
        capacitance_f=(0.0,) * neurons,
        between_f=tuple(map(tuple, between.tolist())),
        charge_on_c=(nothing,) * neurons,
        delay_s=(0.0,) * neurons,
        falling_f=nothing,
        crosstalk_f=(nothing,) * inputs,
        off_per_f=(0.0, 0.0),
        off_tail_per_f=(0.0, 0.0),
    )


def _dropped(
    design: Design, hardware: HardwareModel, network: RCSpikeNetwork, images: torch.Tensor, folder: Path
) -> Iterator[Figure]:
    """The array's lines, what its synapses drop on them, in the model and in the circuit of some of its columns."""
    before = process_cpu_s()
    project = draw(cells_of(design), (design.network.sizes[0], design.network.sizes[1]), "array")
    flat = FlatCell(project.network.cell)
    lines = {rail.net: rail for rail in rails(project.network, flat)}
    took = process_cpu_s() - before
    crossbars = design.shape.crossbars
    drops = np.stack([lines[net].resistance() for net in ("0", "supply")])
    plain = [_places(layer.neurons, layer.synapses, 0.0) for layer in crossbars]
    of_lines = tuple(tuple(map(tuple, own.tolist())) for own in drops)
    on_rails = [plain[0].model_copy(update={"drop_ohm": of_lines}), *plain[1:]]
    weight = torch.as_tensor(network.effective_weights()[0])
    on = (1.0 - images.clamp_max(1.0)).mean(0)  # how much of accumulation an input is on, as the mean
    unit_a = columns_of_layers(hardware, crossbars)[0].unit_current_a
    for sign, net in ((1, "0"), (-1, "supply")):
        currents = ((sign * weight).clamp_min(0.0) @ on).numpy() * unit_a
        rail, name = lines[net], NAMES.get(net, net)
        drop = rail.drop_v({node_of(net, row): current for row, current in zip(rail.rows, currents.tolist(), strict=True)})
        told = f"highest of {len(rail.rows)} rows, {currents.sum():.3g} A in all; lines extracted in {took:.0f} s of CPU time"
        yield Figure(f"layout.rail_64_32_{name}_drop_v", max(drop.values()), "V", "", told)
        alone = max(rail.drop_ohm().values())
        yield Figure(f"layout.rail_64_32_{name}_ohm", alone, "ohm", "", "from the pins to the farthest row")
    yield from _of_spike_lines(project.network, flat, design)
    known, ideal = (spikes(on_places(network, hardware, crossbars, own), images) for own in (on_rails, plain))
    yield from _moved("rails_64_32", known, ideal, hardware.phase_s)
    yield from columns_on_rails(design, hardware, network, images, drops, (known[0] - ideal[0]) * hardware.phase_s, folder)


def _of_spike_lines(drawn: Drawn, flat: FlatCell, design: Design) -> Iterator[Figure]:
    """Of an input in the middle; capacitance from a tile of some rows, which is as much in every row."""
    inputs, neurons = design.network.sizes[0], design.network.sizes[1]
    tile = draw(cells_of(design), (inputs, TILE_ROWS), "tile")
    total = extract(tile.network.cell).total()
    line, _ = spike_lines(drawn, flat, 1, [inputs // 2])
    farads = total[line.net] * neurons / TILE_ROWS
    told = f"{line.net}, from its driver to the farthest row, {farads:.3g} F"
    yield Figure("layout.spike_line_64_32_ohm", max(line.drop_ohm().values()), "ohm", "", told)
    yield Figure("layout.spike_line_64_32_delay_s", line.delay_s(farads), "s", "", f"Elmore, {told}")


def _moved(what: str, known: Sequence[FloatArray], plain: Sequence[FloatArray], phase_s: float) -> Iterator[Figure]:
    """How far spikes are from those of a model that knows nothing of it."""
    for name, one, other in zip(("hidden", "output"), known, plain, strict=True):
        moved = (one - other)[np.minimum(one, other) < FIRES] * phase_s
        told = f"{name} spikes of a model that knows less those of one that does not, {len(one)} images, {moved.size} spikes"
        yield Figure(f"layout.{what}_{name}_rmse_s", float(np.sqrt(np.mean(moved**2))), "s", "", told)
