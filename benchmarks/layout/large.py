"""What wires do at 64 x 32: coupling, and the drop on the lines that feed the array, as drawn, in the model of a classifier.

The classifier is that of `cosim map designs/digits_64_32_10.toml`, a run in the folder `runs` of the checkout or in the one that
COSIM_RUNS names; its circuit is a schematic. No circuit of the layout of 2048 synapses is simulated: what is told is how far the
spikes of a model that knows move from those of one that does not.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.figure import Figure, stored
from benchmarks.probes import process_cpu_s
from cosim.design import Design, load_design
from cosim.design.cells import cells_of
from cosim.networks.training import in_double, load_networks, spike_data
from layouts.extraction import extract
from layouts.extraction.conductors import FlatCell
from layouts.extraction.rails import node_of, rails
from layouts.project import draw
from training.hardware import HardwareModel, LayerPlaces, columns_of_layers, normalise
from training.network import RCSpikeNetwork
from training.shapes import Crossbar

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
    coupled = _coupled(network, hardware, crossbars, between)
    yield Figure("layout.coupling_64_32_f", between[0], "F", "", f"between membranes of neighbouring rows, tile 64 x {TILE_ROWS}")
    yield from _moved("coupling_64_32", _spikes(coupled, images), _spikes(network, images), hardware.phase_s)
    if not quick:
        yield from _dropped(design, hardware, network, images)


def _between_rows(design: Design, inputs: int) -> float:
    """Between the membranes of two rows that have neighbours on both sides (F)."""
    project = draw(cells_of(design), (inputs, TILE_ROWS), "tile")
    return extract(project.network.cell).between("layer_1_membrane_1", "layer_1_membrane_2")


def _coupled(
    network: RCSpikeNetwork, hardware: HardwareModel, crossbars: Sequence[Crossbar], between: Sequence[float]
) -> RCSpikeNetwork:
    """The same network, the membranes of neighbours coupled and everything else alike."""
    places = tuple(_places(layer.neurons, layer.synapses, farads) for layer, farads in zip(crossbars, between, strict=True))
    known = copy.deepcopy(network)
    models = columns_of_layers(hardware.model_copy(update={"places": places}), crossbars)
    known.bind([normalise(model) for model in models])
    return known.double().eval()


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


def _dropped(design: Design, hardware: HardwareModel, network: RCSpikeNetwork, images: torch.Tensor) -> Iterator[Figure]:
    """The array's lines, what its synapses drop on them as the mean over images and accumulation, and weights so much weaker."""
    before = process_cpu_s()
    drawn = draw(cells_of(design), (design.network.sizes[0], design.network.sizes[1]), "array").network
    lines = {rail.net: rail for rail in rails(drawn, FlatCell(drawn.cell))}
    took = process_cpu_s() - before
    model = columns_of_layers(hardware, design.shape.crossbars)[0]
    first = next(iter(network))
    weight = torch.as_tensor(network.effective_weights()[0])
    unit_a = model.neuron.capacitance_f * model.neuron.v_th_v / hardware.phase_s
    on = (1.0 - images.clamp_max(1.0)).mean(0)  # how much of accumulation an input is on, as the mean
    weaker = torch.zeros_like(weight)
    for sign, net, synapse in ((1, "0", model.plus), (-1, "supply", model.minus)):
        own = (sign * weight).clamp_min(0.0)
        rail = lines[net]
        currents = (own @ on * unit_a).tolist()
        drop = rail.drop_v({node_of(rail.net, row): current for row, current in zip(rail.rows, currents, strict=True)})
        volts = torch.tensor(list(drop.values()), dtype=weight.dtype)[:, None]
        weaker += own * volts * torch.as_tensor(_per_volt(synapse.code.x, synapse.code.y, own.numpy() * unit_a))
        name = {"0": "ground"}.get(net, net)
        told = f"highest of {len(rail.rows)} rows, {sum(currents):.3g} A in all; lines extracted in {took:.0f} s of CPU time"
        yield Figure(f"layout.rail_64_32_{name}_drop_v", float(volts.max()), "V", "", told)
        alone = max(rail.drop_ohm().values())
        yield Figure(f"layout.rail_64_32_{name}_ohm", alone, "ohm", "", "from the pins to the farthest row")
    known = copy.deepcopy(network)
    next(iter(known)).set_weight(first.weight - weaker * weight.sign())
    yield from _moved("rails_64_32", _spikes(known, images), _spikes(network, images), hardware.phase_s)


def _per_volt(current_a: Sequence[float], code_v: Sequence[float], own_a: FloatArray) -> FloatArray:
    """Share of a current by which it changes per volt of its bias (1/V), of currents [...] along a synapse's curve."""
    slope = np.abs(np.gradient(np.log(np.array(current_a)), np.array(code_v)))
    order = np.argsort(current_a)
    return np.asarray(np.interp(own_a, np.array(current_a)[order], slope[order]))


def _spikes(network: RCSpikeNetwork, images: torch.Tensor) -> list[FloatArray]:
    with torch.no_grad():
        return [layer.spike_times.numpy() for layer in network(images)]


def _moved(what: str, known: Sequence[FloatArray], plain: Sequence[FloatArray], phase_s: float) -> Iterator[Figure]:
    """How far spikes are from those of a model that knows nothing of it."""
    for name, one, other in zip(("hidden", "output"), known, plain, strict=True):
        moved = (one - other)[np.minimum(one, other) < FIRES] * phase_s
        told = f"{name} spikes of a model that knows less those of one that does not, {len(one)} images, {moved.size} spikes"
        yield Figure(f"layout.{what}_{name}_rmse_s", float(np.sqrt(np.mean(moved**2))), "s", "", told)
