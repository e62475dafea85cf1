"""Coupling and the drop on lines, each switched on and off in the circuit of a network in its layout, and in its model.

Coupling is off where each capacitor between two nets lies from both of them to ground instead: nets keep what they have to
charge, and none moves another. The circuit is that of the first samples of the run that `layout.spikes` reads. As it was drawn it
is known; what is switched takes some 30 s of CPU time a sample.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.figure import Figure, stored
from benchmarks.layout.placed import but, on_places, spikes
from benchmarks.layout.spikes import run_folder
from cosim.bench.bench import Bench
from cosim.bench.lines import rms
from cosim.bench.post_layout import post_layout
from cosim.design import load_design
from cosim.mapping.circuit import sample_point
from cosim.mapping.network import NetworkRun, mapped_networks
from cosim.networks.training import in_double, load_networks, spike_data
from cosim.simulator import Point, Store
from netlists.network import layer_name
from training.hardware import HardwareModel, LayerPlaces

SAMPLES, FIRES = 2, 0.98
"""Spikes before `FIRES`, in phases, are compared."""
RAILS = "rails"

_MEMBRANE = re.compile(r"layer_(\d+)_membrane_(\d+)")
_LINE = re.compile(r"(input|layer_\d+_spike)_(\d+)(_bar)?")
_CAPACITOR = re.compile(r"^(C\S+) (\S+) (\S+) (\S+)$", re.MULTILINE)

FloatArray = NDArray[np.float64]
Spikes = Sequence[FloatArray]
Belongs = Callable[[str, str], bool]


def _between_membranes(one: str, other: str) -> bool:
    return bool(_MEMBRANE.fullmatch(one) and _MEMBRANE.fullmatch(other))


def _line_to_membrane(one: str, other: str) -> bool:
    return any(_LINE.fullmatch(a) and _MEMBRANE.fullmatch(b) for a, b in ((one, other), (other, one)))


def _between_lines(one: str, other: str) -> bool:
    """Of two spikes: a line and its complement are one."""
    found = _LINE.fullmatch(one), _LINE.fullmatch(other)
    return bool(found[0] and found[1] and found[0].groups()[:2] != found[1].groups()[:2])


COUPLINGS: Mapping[str, Belongs] = {
    "between_membranes": _between_membranes,
    "line_to_membrane": _line_to_membrane,
    "between_lines": _between_lines,
}
"""Which pairs of nets each is."""


def figures(quick: bool) -> Iterator[Figure]:
    """Those that are stored where there is no run; with `quick` of one sample."""
    folder = run_folder()
    if folder is None:
        yield from stored("layout.switched")
        return
    run = _Run(folder, 1 if quick else SAMPLES)
    drawn, known = run.circuit(), run.model(run.places)
    for name, belongs in COUPLINGS.items():
        unknown = run.model(run.places_without(name))
        yield from run.compared(name, (drawn, known), (run.circuit(name, belongs), unknown))
    yield from run.compared(RAILS, (run.circuit(RAILS), run.model(run.places_on_rails())), (drawn, known))


class _Run:
    """The first samples of a network in its layout, in circuit and model. Spikes are in phases."""

    def __init__(self, folder: Path, samples: int) -> None:
        self.folder, self.design = folder, load_design(folder / "design.toml")
        self.hardware = HardwareModel.load(folder / "hardware.json")
        self.places: tuple[LayerPlaces, ...] = tuple(self.hardware.places or ())
        self.network = load_networks(folder)["ode"]
        self.times = in_double(spike_data(self.design.network)).test_t[:samples]
        self.crossbars = self.design.shape.crossbars
        self.mapped = mapped_networks(pd.read_parquet(folder / "mapping.parquet"))["ode"]
        self.drawn = post_layout(self.design)

    def model(self, places: Sequence[LayerPlaces]) -> Spikes:
        """What the model says with such places."""
        return spikes(on_places(self.network, self.hardware, self.crossbars, places), self.times)

    def places_on_rails(self) -> list[LayerPlaces]:
        """With the resistance of the lines that feed the rows."""
        return [but(place, drop_ohm=own.drops.tolist()) for place, own in zip(self.places, self.drawn.places, strict=True)]

    def places_without(self, coupling: str) -> list[LayerPlaces]:
        """As the circuit has it whose nets of that kind move nothing."""
        wires = _Wires(self.drawn.network)
        found = []
        for number, place in enumerate(self.places, 1):
            membranes = np.array(place.capacitance_f) + place.between.sum(1)
            alone = np.array(place.charge_on_c) + self.design.process.supply_v * wires.line_to_membrane(number, place)
            update = {
                "between_membranes": {"capacitance_f": membranes, "between_f": 0.0 * place.between},
                "line_to_membrane": {"charge_on_c": alone},
                "between_lines": {"crosstalk_f": 0.0 * np.array(place.crosstalk_f)},
            }[coupling]
            found.append(but(place, **{name: value.tolist() for name, value in update.items()}))
        return found

    def circuit(self, name: str = "", belongs: Belongs | None = None) -> Spikes:
        """Simulated, or known: as drawn, on rails, or with the coupling between such nets off."""
        design = self.design
        if name == RAILS:
            design = design.model_copy(update={"process": design.process.model_copy(update={"rails": True})})
        with Store(self.folder / "points.sqlite") as store:
            bench = Bench(design, design.process.pdk(), store, jobs=1)
            points = [self._point(bench, sample, name, belongs) for sample in range(len(self.times))]
            rows = [one.row for one in bench.run(points).alive]
        if len(rows) < len(points):
            raise RuntimeError(f"layout.switched: {name or 'as drawn'}: a simulation failed")
        layers = range(1, len(self.crossbars) + 1)
        return [np.stack([row[f"{layer_name(layer)}_spike_s"] for row in rows]) / self.hardware.phase_s for layer in layers]

    def _point(self, bench: Bench, sample: int, name: str, belongs: Belongs | None) -> Point:
        corner = str(bench.design.process.corner)
        condition = {"sample": sample, "die": None, "corner": corner, "reltol": bench.working.reltol}
        run = NetworkRun(self.mapped, self.times[sample].numpy(), condition, bench.working, keep_start=sample == 0)
        point = sample_point(bench, bench.cells_of_layers(self.hardware), run)
        if belongs is None:
            return point
        deck = replace(point.deck, netlist=grounded(point.deck.netlist, belongs))
        return replace(point, condition={**point.condition, "off": name}, deck=deck)

    def compared(self, name: str, on: tuple[Spikes, Spikes], off: tuple[Spikes, Spikes]) -> Iterator[Figure]:
        """Circuit and model with what is switched, and without."""
        layers = zip(("hidden", "output"), *on, *off, strict=True)
        for layer, circuit, known, other, unknown in layers:
            fires = np.minimum.reduce([circuit, known, other, unknown]) < FIRES
            told = f"{layer} spikes end to end, {len(circuit)} samples, {fires.sum()} spikes"
            for what, one, two, words in (
                ("moved", circuit, other, "circuit with it less circuit without"),
                ("known", circuit, known, "circuit with it less model that knows it"),
                ("unknown", circuit, unknown, "circuit with it less model that does not"),
                ("off", other, unknown, "circuit without it less model that does not know it"),
            ):
                away = rms((one - two)[fires]) * self.hardware.phase_s
                yield Figure(f"layout.{name}_{layer}_{what}_rmse_s", away, "s", "", f"{words}; {told}")


class _Wires:
    """The capacitances of an extracted netlist."""

    def __init__(self, netlist: str) -> None:
        self._farads: dict[frozenset[str], float] = {}
        for _, one, other, farads in _CAPACITOR.findall(netlist):
            nets = frozenset((one, other))
            self._farads[nets] = self._farads.get(nets, 0.0) + float(farads)

    def line_to_membrane(self, layer: int, place: LayerPlaces) -> FloatArray:
        """What lies from each membrane of a layer to the spike line of each input, less that to its complement, [out, in]."""
        source = "input" if layer == 1 else f"{layer_name(layer - 1)}_spike"
        neurons, inputs = np.shape(place.charge_on_c)
        return np.array([
            [self._of(f"{layer_name(layer)}_membrane_{k}", f"{source}_{j}") for j in range(inputs)] for k in range(neurons)
        ])  # fmt: skip

    def _of(self, membrane: str, line: str) -> float:
        true, bar = (self._farads.get(frozenset((membrane, net)), 0.0) for net in (line, f"{line}_bar"))
        return true - bar


def grounded(netlist: str, belongs: Belongs) -> str:
    """A netlist whose capacitors between such nets lie from both of them to ground."""

    def cards(found: re.Match[str]) -> str:
        name, one, other, farads = found.groups()
        if not belongs(one, other):
            return found[0]
        return f"{name}_one {one} 0 {farads}\n{name}_other {other} 0 {farads}"

    return _CAPACITOR.sub(cards, netlist)
