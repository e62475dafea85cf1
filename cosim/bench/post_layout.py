"""The cells of a design and its network as they were drawn, in the place of their schematics."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cosim.design import Design
from cosim.design.cells import cells_of
from layouts.errors import LayoutError, ToolNotFound
from netlists.multipliers import written_out
from netlists.network import layer_name
from netlists.neuron import SUBCIRCUITS
from netlists.synapse import SYNAPSES
from training.hardware import LayerPlaces

if TYPE_CHECKING:
    from layouts.extraction import Capacitances
    from layouts.extraction.rails import Rail


FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LineEffects:
    """What capacitance on the lines of a spike does.

    Attributes:
        delay_per_f: how much later the spike of a neuron comes where either line has more to ground (s/F).
        delay_per_pair_f: the same where there is more between the two.
        off_per_f, off_tail_per_f: charge of switching off where either line has more to ground, of positive and negative weights,
            and its tail per e-fold of time (C/F).
        unsent_s: how much later the spike of an output comes than that of a neuron without a synapse on its line (s).
    """

    delay_per_f: float
    delay_per_pair_f: float
    off_per_f: tuple[float, float]
    off_tail_per_f: tuple[float, float]
    unsent_s: float = 0.0


@dataclass(frozen=True)
class PlacedLayer:
    """What the wires of one layer are beyond what stands in the cells, farad.

    Attributes:
        membranes: of each, to all but the other membranes of its layer, [neurons].
        between: from membrane to membrane, [neurons, neurons].
        spikes: from each membrane to the spike line of each input, less that to its complement, [neurons, inputs].
        outputs: of the lines of each neuron's spike, true and complement, as their mean, [neurons]; not what is between the two.
        output_pairs: between the two, [neurons].
        falling: what the lines of each input have, as their mean, while both fall, beyond those of an input, [inputs]: what is
            between the two counts twice.
        crosstalk: from the lines of each input to those of the others that move the other way where these fall too, as the mean
            of its lines, [inputs, inputs].
        sent: whether its outputs have lines to a next layer.
        drops: of ground and supply, voltage of each row by the current of each (ohm), [2, neurons, neurons].
    """

    membranes: FloatArray
    between: FloatArray
    spikes: FloatArray
    outputs: FloatArray
    output_pairs: FloatArray
    falling: FloatArray
    crosstalk: FloatArray
    sent: bool = True
    drops: FloatArray = field(default_factory=lambda: np.zeros((2, 0, 0)))

    @property
    def lines(self) -> tuple[float, float]:
        """What its output lines have beyond what cells have, as the mean: either to ground, and the two between them."""
        return float(self.outputs.mean()), float(self.output_pairs.mean())

    def placed(self, supply_v: float, effects: LineEffects, on_rails: bool = False) -> LayerPlaces:
        """The same as a hardware model has it; a line that rises pulls a membrane away from its threshold. `on_rails`: lines that
        feed it have resistance."""
        ground, pair = (0.0, 0.0) if self.sent else self.lines  # what those of outputs lack is simulated as it is
        delays = effects.delay_per_f * (self.outputs - ground) + effects.delay_per_pair_f * (self.output_pairs - pair)
        return LayerPlaces(
            capacitance_f=_row(self.membranes),
            between_f=tuple(map(_row, self.between)),
            charge_on_c=tuple(map(_row, -supply_v * self.spikes)),
            delay_s=_row(delays + (0.0 if self.sent else effects.unsent_s)),
            falling_f=_row(self.falling),
            crosstalk_f=tuple(map(_row, self.crosstalk)),
            off_per_f=effects.off_per_f,
            off_tail_per_f=effects.off_tail_per_f,
            drop_ohm=tuple(tuple(map(_row, lines)) for lines in self.drops) if on_rails else (),
        )


def _row(values: FloatArray) -> tuple[float, ...]:
    return tuple(values.tolist())


@dataclass(frozen=True)
class PostLayout:
    """What a layout puts in the place of schematics.

    Attributes:
        cells: sub-circuits by name: devices with the diffusions that were drawn, and the cell's own wires as capacitances. What
            the array adds to a membrane and to a spike line stands in them too, to ground or between true line and complement, as
            the mean over the network; but not what lies between membranes, which fall alike. A synapse has its share of an
            input's line, a neuron what the line of a hidden one has beyond that.
        network: devices and capacitances of the whole network, without its sources.
        railed: the same, with the resistance of the lines that feed it.
        places: what differs between the places of each layer.
    """

    cells: Mapping[str, str]
    network: str
    railed: str
    places: tuple[PlacedLayer, ...]

    def in_cells(self, netlist: str) -> str:
        """A netlist with every sub-circuit as it was drawn. Raises `LayoutError` for one that was not."""
        for name, drawn in self.cells.items():
            body = re.compile(rf"^\.subckt {re.escape(name)} ([^\n]*)\n.*?^\.ends {re.escape(name)}\n", _LINES)
            if found := body.search(netlist):
                counted = "=" in found[1]
                netlist = netlist[: found.start()] + (_counted(drawn) if counted else drawn) + netlist[found.end() :]
        if other := next((one for one in re.findall(r"^\.subckt (\S+)", netlist, re.MULTILINE) if one not in self.cells), ""):
            raise LayoutError(f"process.layout: {other} was not drawn, and would be simulated as its schematic")
        return netlist

    def in_network(self, netlist: str, rails: bool = False) -> str:
        """A netlist of the whole network: its sources, and what was drawn; `rails`: on lines that have resistance."""
        outside = re.sub(r"^\.subckt .*?^\.ends[^\n]*\n", "", netlist, flags=_LINES)
        sources = [line for line in outside.splitlines() if line and line[0] not in "Xx"]
        network = self.railed if rails else self.network
        return "\n".join([*sources, *_grounded(network.splitlines(), _held(sources)), ""])


_LINES = re.MULTILINE | re.DOTALL


def _held(sources: Iterable[str]) -> set[str]:
    """The nets that a source holds at one voltage."""
    cards = (line.split() for line in sources if line[0] in "Vv")
    return {"0"} | {card[1] for card in cards if len(card) == 4 and card[2] == "0" and _NUMBER.fullmatch(card[3])}


_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?")


def _grounded(network: Iterable[str], held: set[str]) -> Iterator[str]:
    """The cards of a network, with what lies between a net and one that is held as a capacitor to ground.

    It draws the same current from that net; two thirds of the capacitors of a crossbar go to biases, and take most of the time.
    """
    farads: dict[tuple[str, str], float] = {}
    for line in network:
        if line[:1] != "C":
            yield line
            continue
        _, *ends, written = line.split()
        one, other = sorted("0" if net in held else net for net in ends)
        if one != other:
            farads[one, other] = farads.get((one, other), 0.0) + float(written)
    for number, ((one, other), value) in enumerate(farads.items(), 1):
        yield f"C{number} {one} {other} {value:.9g}"


def _counted(drawn: str) -> str:
    """A sub-circuit that calls can have several times, as `netlists.multipliers` writes it."""
    _, name, *pins = drawn.partition("\n")[0].split()
    return written_out(f"{drawn}Xmany {' '.join(pins)} {name} m=2\n").partition("Xmany")[0]


def post_layout(design: Design) -> PostLayout:
    """Draw and extract the network of a design, once. Raises `LayoutError` for a cell that cannot be drawn."""
    key = design.model_dump_json(include={"process": {"name"}, "synapse": True, "neuron": True, "network": {"layers"}})
    if key not in _KNOWN:
        _KNOWN[key] = _drawn(design)
    return _KNOWN[key]


_KNOWN: dict[str, PostLayout] = {}


def _drawn(design: Design) -> PostLayout:
    if design.synapse.kind == "netlist":
        raise LayoutError("process.layout: a cell of your own is not drawn here; leave it out, and give the cell extracted")
    if SYNAPSES[design.synapse.kind].weight_is_drawn:
        raise LayoutError(
            f"process.layout: each weight of {design.synapse.kind} is a drawing of its own, and what layouts add is known of one "
            "cell for all; leave it out, or take a synapse whose weight a bias sets"
        )
    if importlib.util.find_spec("klayout") is None:
        raise ToolNotFound("process.layout: klayout is not installed: pip install 'cosim[layout]'")
    from layouts.extraction.conductors import FlatCell
    from layouts.extraction.extract import extract_conductors
    from layouts.extraction.netlist import capacitor_cards, device_cards
    from layouts.extraction.rails import rails
    from layouts.project import draw

    cells = cells_of(design)
    project = draw(cells, design.network.sizes, "network")
    *parts, whole = (FlatCell(subject.cell) for subject in project.subjects)
    found = {flat.name: extract_conductors(flat.conductors()) for flat in parts}
    wires = extract_conductors(whole.conductors())
    (synapse,) = found.keys() - set(SUBCIRCUITS)
    nets = _Nets(found, synapse, wires.total(), wires.pairs())
    layers = [_Layer(nets, number, *size) for number, size in enumerate(pairwise(design.network.sizes), 1)]
    added = _added(layers)
    texts = {
        flat.name: "\n".join(
            [
                f".subckt {flat.name} {' '.join(subject.pins)}",
                *device_cards(flat),
                *capacitor_cards(found[flat.name]),
                *(
                    f"Cplace_{one}_{other} {one} {other} {farads:.6g}"
                    for (one, other), farads in added.get(flat.name, {}).items()
                ),
                f".ends {flat.name}\n",
            ]
        )
        for flat, subject in zip(parts, project.subjects, strict=False)
    }
    lines = rails(project.network, whole)
    places = tuple(
        replace(layer.beyond(added, after), drops=_drops(lines, layer.number)) for layer, after in zip_longest(layers, layers[1:])
    )
    resistors = [card for rail in lines for card in rail.cards()]
    network = "\n".join([*device_cards(whole), *capacitor_cards(wires)])
    railed = "\n".join([*device_cards(whole, lines), *resistors, *capacitor_cards(wires)])
    return PostLayout(texts, network, railed, places)


def _drops(lines: Sequence[Rail], layer: int) -> FloatArray:
    """Of ground and supply in the rows of a layer."""
    by_net = {line.net: line for line in lines}
    return np.stack([by_net[net].resistance(f"{layer_name(layer)}_") for net in ("0", "supply")])


@dataclass(frozen=True)
class _Nets:
    """Wires of cells, each by itself, and of the network: of each net, and of each pair in alphabetical order (F)."""

    cells: Mapping[str, Capacitances]
    synapse: str
    total: Mapping[str, float]
    pairs: Mapping[tuple[str, str], float]

    def own(self, cell: str, pin: str) -> float:
        return self.cells[cell].total()[pin]

    def pair(self, cell: str) -> float:
        """Between the lines of a spike."""
        return self.cells[cell].between(*LINES)

    def between(self, some: Sequence[str], others: Sequence[str]) -> FloatArray:
        """From each net to each of others, [some, others]."""
        return np.array([[self.pairs.get((min(one, other), max(one, other)), 0.0) for other in others] for one in some])

    def beyond(self, names: Sequence[str], alone: float) -> FloatArray:
        """What each net has beyond what its cells have alone."""
        return np.array([self.total[name] - alone for name in names])


@dataclass(frozen=True)
class _Layer:
    """A layer of the network, counted from 1."""

    nets: _Nets
    number: int
    inputs: int
    neurons: int

    @property
    def driver(self) -> str:
        """Of its input lines."""
        return "spike_driver" if self.number == 1 else "neuron"

    @property
    def names(self) -> list[str]:
        """Of its membranes."""
        return [f"{layer_name(self.number)}_membrane_{k}" for k in range(self.neurons)]

    @property
    def between(self) -> FloatArray:
        """From membrane to membrane, [neurons, neurons]."""
        return self.nets.between(self.names, self.names)

    @property
    def membranes(self) -> FloatArray:
        """What the array adds to each membrane, [neurons].

        What lies between two membranes is left out: when they fire, all fall alike, and it is not charged.
        """
        alone = self.nets.own("neuron", "membrane") + self.inputs * self.nets.own(self.nets.synapse, "membrane")
        return np.asarray(self.nets.beyond(self.names, alone) - self.between.sum(1))

    def lines(self, pin: str) -> FloatArray:
        """What the array adds to each of its spike lines, or of their complements, [inputs]; not what lies between the two."""
        alone = self.nets.own(self.driver, pin) + self.neurons * self.nets.own(self.nets.synapse, pin)
        return np.asarray(self.nets.beyond(self._input_lines(pin), alone) - self.pairs)

    @property
    def pairs(self) -> FloatArray:
        """What the array adds between each spike line and its complement, [inputs]."""
        whole = np.diag(self.nets.between(*map(self._input_lines, LINES)))
        return np.asarray(whole - self.nets.pair(self.driver) - self.neurons * self.nets.pair(self.nets.synapse))

    def beyond(self, added: Added, after: _Layer | None) -> PlacedLayer:
        """Its places, beyond what was added to the cells; `after` is the layer that its outputs are sent to."""
        cell = self.nets.cells[self.nets.synapse]
        alone = cell.between("membrane", "spike") - cell.between("membrane", "spike_bar")
        true, bar = (self.nets.between(self.names, self._input_lines(pin)) for pin in LINES)
        return PlacedLayer(
            membranes=self.membranes - added["neuron"]["membrane", "0"],
            between=self.between,
            spikes=true - bar - alone,
            outputs=np.mean([self._outputs(pin, added, after) for pin in LINES], axis=0),
            output_pairs=self._output_pairs(added, after),
            falling=self._falling(added),
            crosstalk=self._crosstalk,
            sent=after is not None,
        )

    def _outputs(self, pin: str, added: Added, after: _Layer | None) -> FloatArray:
        """What its output lines, or their complements, have beyond what cells have, [neurons]."""
        own = added["neuron"].get((pin, "0"), 0.0)
        if after:
            return np.asarray(after.lines(pin) - after.neurons * added[self.nets.synapse][pin, "0"] - own)
        names = _line_names(f"{layer_name(self.number)}_spike", self.neurons, pin)
        return np.asarray(self.nets.beyond(names, self.nets.own("neuron", pin)) - self._unsent_pairs - own)

    def _output_pairs(self, added: Added, after: _Layer | None) -> FloatArray:
        """The same of what is between the two."""
        own = added["neuron"].get(LINES, 0.0)
        if after:
            return np.asarray(after.pairs - after.neurons * added[self.nets.synapse][LINES] - own)
        return np.asarray(self._unsent_pairs - own)

    @property
    def _unsent_pairs(self) -> FloatArray:
        """What the array adds between the lines of outputs, [neurons]."""
        lines = (_line_names(f"{layer_name(self.number)}_spike", self.neurons, pin) for pin in LINES)
        return np.asarray(np.diag(self.nets.between(*lines)) - self.nets.pair("neuron"))

    def _falling(self, added: Added) -> FloatArray:
        synapse, nets = added[self.nets.synapse], self.nets
        sender = np.mean([nets.own(self.driver, pin) - nets.own("spike_driver", pin) for pin in LINES])
        ground = np.mean([self.lines(pin) - self.neurons * synapse[pin, "0"] for pin in LINES], axis=0)
        return np.asarray(sender + ground + 2 * (self.pairs - self.neurons * synapse[LINES]))

    @property
    def _crosstalk(self) -> FloatArray:
        true, bar = map(self._input_lines, LINES)
        between = self.nets.between
        opposed, together = between(true, bar) + between(bar, true), between(true, true) + between(bar, bar)
        mean = (opposed - together) / 2
        return np.asarray(mean - np.diag(np.diag(mean)))

    def _input_lines(self, pin: str) -> list[str]:
        return _line_names("input" if self.number == 1 else f"{layer_name(self.number - 1)}_spike", self.inputs, pin)


LINES = ("spike", "spike_bar")

Added = Mapping[str, Mapping[tuple[str, str], float]]
"""By cell, what is added between two of its pins, or a pin and ground (F)."""


def _line_names(name: str, count: int, pin: str) -> list[str]:
    return [f"{name}_{k}{'_bar' if pin == 'spike_bar' else ''}" for k in range(count)]


def _added(layers: Sequence[_Layer]) -> Added:
    """What the array adds to the pins of cells, as means (F)."""
    first, hidden = layers[0], layers[1:]
    synapse = {(pin, "0"): float(first.lines(pin).mean()) / first.neurons for pin in LINES}
    synapse[LINES] = float(first.pairs.mean()) / first.neurons
    neuron = {("membrane", "0"): float(np.concatenate([layer.membranes for layer in layers]).mean())}
    if hidden:
        for ends, share in synapse.items():
            lines = [(layer.pairs if ends == LINES else layer.lines(ends[0])) - layer.neurons * share for layer in hidden]
            neuron[ends] = float(np.concatenate(lines).mean())
    return {first.nets.synapse: synapse, "neuron": neuron}
