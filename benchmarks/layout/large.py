"""What wires do at 64 x 32: coupling, and the drop on the lines that feed the array, as drawn, in the model of a classifier.

The classifier is that of `cosim map designs/digits_64_32_10.toml`, a run in the folder `runs` of the checkout or in the one that
COSIM_RUNS names; its circuit is a schematic. What is told is how far the spikes of a model that knows move from those of one that
does not, and, of some columns, how far those of the circuit move on the lines that were extracted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.figure import Figure, stored
from benchmarks.layout.columns_of_array import Columns, among_lines, on_rails
from benchmarks.layout.placed import but, on_places, spikes
from benchmarks.layout.rails import NAMES
from benchmarks.probes import process_cpu_s
from cosim.bench.lines import rms
from cosim.design import Design, load_design
from cosim.design.cells import cells_of
from cosim.networks.training import in_double, load_networks, spike_data
from layouts.drawing.network import Drawn
from layouts.extraction import extract
from layouts.extraction.conductors import FlatCell
from layouts.extraction.positions import CrossbarNets
from layouts.extraction.rails import Rail, node_of, rails, spike_lines
from layouts.project import draw
from training.hardware import HardwareModel, LayerPlaces, columns_of_layers
from training.shapes import Crossbar

RUN = "digits_64_32_10"
TILE_ROWS, IMAGES = 4, 40
FIRES = 0.98
"""Spikes before this, in phases, are compared."""

FloatArray = NDArray[np.float64]


def figures(quick: bool) -> Iterator[Figure]:
    """Those that are stored where there is no run; with `quick` nothing of the circuit, and no drop."""
    folder = Path(os.environ.get("COSIM_RUNS", Path(__file__).parents[2] / "runs")) / RUN
    if not (folder / "network.safetensors").exists():
        yield from stored("layout.large")
        return
    large = _Large(folder)
    tile = _Tile.of(large.design, large.crossbars[0].synapses)
    yield from large.coupled(tile)
    yield from large.among_lines(tile, quick)
    if not quick:
        yield from large.on_rails(tile)


@dataclass(frozen=True)
class _Tile:
    """What lies between the wires of a row that has neighbours on both sides, and of two columns (F)."""

    between_membranes_f: float
    to_lines_f: FloatArray
    """From the membrane to the spike line of each input, and to its complement, [2, inputs]."""
    between_lines_f: float
    """A row's share of what lies between the lines of two neighbouring inputs, in the middle of the array."""
    line_f: float
    """A row's share of all that such a line has."""

    @classmethod
    def of(cls, design: Design, inputs: int) -> _Tile:
        project = draw(cells_of(design), (inputs, TILE_ROWS), "tile")
        found = extract(project.network.cell)
        nets = CrossbarNets.of(project.network.layers[0].plan, 1)
        own = [nets.membranes[1], nets.membranes[2]]
        one, other = nets.spikes[inputs // 2 - 1 : inputs // 2 + 1]
        return cls(
            found.between(*own),
            np.array([[found.between(own[0], line) for line in kind] for kind in zip(*nets.spikes, strict=True)]),
            sum(found.between(a, b) for a in one for b in other) / TILE_ROWS,
            found.total()[other[0]] / TILE_ROWS,
        )


class _Large:
    """The classifier in model and circuit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.design, self.hardware = load_design(folder / "design.toml"), HardwareModel.load(folder / "hardware.json")
        self.network = load_networks(folder)["ode"]
        self.images = in_double(spike_data(self.design.network)).test_t[:IMAGES]
        self.crossbars = self.design.shape.crossbars
        self.plain = [_nowhere(layer) for layer in self.crossbars]

    def spikes(self, **first: object) -> list[FloatArray]:
        """What the model says where the first layer's places have this."""
        places = [but(self.plain[0], **first), *self.plain[1:]]
        return spikes(on_places(self.network, self.hardware, self.crossbars, places), self.images)

    def coupled(self, tile: _Tile) -> Iterator[Figure]:
        """What lies between membranes."""
        neurons = self.crossbars[0].neurons
        between = tile.between_membranes_f * (np.eye(neurons, k=1) + np.eye(neurons, k=-1))
        told = f"between membranes of neighbouring rows, tile 64 x {TILE_ROWS}"
        yield Figure("layout.coupling_64_32_f", tile.between_membranes_f, "F", "", told)
        yield from self._moved("coupling_64_32", self.spikes(between_f=between.tolist()), self.spikes())

    def among_lines(self, tile: _Tile, quick: bool) -> Iterator[Figure]:
        """What spike lines do to membranes, and lie to each other."""
        true, bar = tile.to_lines_f
        told = f"a synapse of 64, mean of true and complement, tile 64 x {TILE_ROWS}"
        yield Figure("layout.line_to_membrane_64_32_f", tile.to_lines_f.mean(), "F", "", told)
        told = f"of what a line has, tile 64 x {TILE_ROWS}"
        yield Figure(
            "layout.between_lines_64_32_share",
            tile.between_lines_f / tile.line_f,
            "",
            "",
            f"to the next line or its complement, {told}",
        )
        neurons = self.crossbars[0].neurons
        held = {"capacitance_f": [tile.to_lines_f.sum()] * neurons}
        charge = np.tile(-self.design.process.supply_v * (true - bar), (neurons, 1)).tolist()
        known, plain = self.spikes(**held, charge_on_c=charge), self.spikes(**held)
        yield from self._moved("line_to_membrane_64_32", known, plain)
        if not quick:
            moved_s = (known[0] - plain[0])[0] * self.hardware.phase_s
            yield from among_lines(self._columns(moved_s), tile.to_lines_f, moved_s)

    def on_rails(self, tile: _Tile) -> Iterator[Figure]:
        """The array's lines, what its synapses drop on them, in the model and in the circuit of some of its columns."""
        before = process_cpu_s()
        size = self.design.network.sizes[0], self.design.network.sizes[1]
        project = draw(cells_of(self.design), size, "array")
        flat = FlatCell(project.network.cell)
        lines = {rail.net: rail for rail in rails(project.network, flat)}
        yield from self._of_rails(lines, process_cpu_s() - before)
        yield from self._of_spike_lines(project.network, flat, tile)
        drops = np.stack([lines[net].resistance() for net in ("0", "supply")])
        known, ideal = self.spikes(drop_ohm=drops.tolist()), self.spikes()
        yield from self._moved("rails_64_32", known, ideal)
        moved_s = (known[0] - ideal[0])[0] * self.hardware.phase_s
        yield from on_rails(self._columns(moved_s), drops, moved_s)

    def _columns(self, moved_s: FloatArray) -> Columns:
        return Columns(self.design, self.hardware, self.network, self.images[0], moved_s, self.folder)

    def _of_rails(self, lines: Mapping[str, Rail], took: float) -> Iterator[Figure]:
        weight = torch.as_tensor(self.network.effective_weights()[0])
        on = (1.0 - self.images.clamp_max(1.0)).mean(0)  # how much of accumulation an input is on, as the mean
        unit_a = columns_of_layers(self.hardware, self.crossbars)[0].unit_current_a
        for sign, net in ((1, "0"), (-1, "supply")):
            currents = ((sign * weight).clamp_min(0.0) @ on).numpy() * unit_a
            rail, name = lines[net], NAMES.get(net, net)
            drop = rail.drop_v({node_of(net, row): current for row, current in zip(rail.rows, currents.tolist(), strict=True)})
            told = f"highest of {len(rail.rows)} rows, {currents.sum():.3g} A in all; lines extracted in {took:.0f} s of CPU time"
            yield Figure(f"layout.rail_64_32_{name}_drop_v", max(drop.values()), "V", "", told)
            alone = max(rail.drop_ohm().values())
            yield Figure(f"layout.rail_64_32_{name}_ohm", alone, "ohm", "", "from the pins to the farthest row")

    def _of_spike_lines(self, drawn: Drawn, flat: FlatCell, tile: _Tile) -> Iterator[Figure]:
        """Of an input in the middle; capacitance from a tile of some rows, which is as much in every row."""
        line, _ = spike_lines(drawn, flat, 1, [self.crossbars[0].synapses // 2])
        farads = tile.line_f * self.crossbars[0].neurons
        told = f"{line.net}, from its driver to the farthest row, {farads:.3g} F"
        yield Figure("layout.spike_line_64_32_ohm", max(line.drop_ohm().values()), "ohm", "", told)
        yield Figure("layout.spike_line_64_32_delay_s", line.delay_s(farads), "s", "", f"Elmore, {told}")

    def _moved(self, what: str, known: Sequence[FloatArray], plain: Sequence[FloatArray]) -> Iterator[Figure]:
        """How far spikes are from those of a model that knows nothing of it."""
        for name, one, other in zip(("hidden", "output"), known, plain, strict=True):
            moved = (one - other)[np.minimum(one, other) < FIRES]
            told = f"{name} spikes of a model that knows less those of one that does not, {len(one)} images, {moved.size} spikes"
            yield Figure(f"layout.{what}_{name}_rmse_s", rms(moved) * self.hardware.phase_s, "s", "", told)


def _nowhere(layer: Crossbar) -> LayerPlaces:
    """Places that add nothing."""
    nothing = (0.0,) * layer.synapses
    return LayerPlaces(
        capacitance_f=(0.0,) * layer.neurons,
        between_f=((0.0,) * layer.neurons,) * layer.neurons,
        charge_on_c=(nothing,) * layer.neurons,
        delay_s=(0.0,) * layer.neurons,
        falling_f=nothing,
        crosstalk_f=(nothing,) * layer.synapses,
        off_per_f=(0.0, 0.0),
        off_tail_per_f=(0.0, 0.0),
    )
