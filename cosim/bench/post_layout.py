"""The cells of a design and its network as they were drawn, in the place of their schematics."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

from cosim.design import Design
from cosim.design.cells import cells_of
from layouts.errors import LayoutError, ToolNotFound
from netlists.multipliers import written_out
from netlists.network import layer_name
from netlists.neuron import SUBCIRCUITS

if TYPE_CHECKING:
    from layouts.extraction import Capacitances


@dataclass(frozen=True)
class PostLayout:
    """What a layout puts in the place of schematics.

    Attributes:
        cells: sub-circuits by name: devices with the diffusions that were drawn, and the cell's own wires as capacitances. What
            the array adds to a membrane and to a spike line stands in them too, to ground, as the mean over the network; but not
            what lies between membranes, which fall alike.
        network: devices and capacitances of the whole network, without its sources.
    """

    cells: Mapping[str, str]
    network: str

    def in_cells(self, netlist: str) -> str:
        """A netlist with every sub-circuit that was drawn as it was drawn."""
        for name, drawn in self.cells.items():
            body = re.compile(rf"^\.subckt {re.escape(name)} ([^\n]*)\n.*?^\.ends {re.escape(name)}\n", _LINES)
            if found := body.search(netlist):
                counted = "=" in found[1]
                netlist = netlist[: found.start()] + (_counted(drawn) if counted else drawn) + netlist[found.end() :]
        return netlist

    def in_network(self, netlist: str) -> str:
        """A netlist of the whole network: its sources, and what was drawn."""
        outside = re.sub(r"^\.subckt .*?^\.ends[^\n]*\n", "", netlist, flags=_LINES)
        sources = [line for line in outside.splitlines() if line and line[0] not in "Xx"]
        return "\n".join([*sources, self.network, ""])


_LINES = re.MULTILINE | re.DOTALL


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
    if importlib.util.find_spec("klayout") is None:
        raise ToolNotFound("process.layout: klayout is not installed: pip install 'cosim[layout]'")
    from layouts.extraction.conductors import FlatCell
    from layouts.extraction.extract import extract_conductors
    from layouts.extraction.netlist import capacitor_cards, device_cards
    from layouts.project import draw

    cells = cells_of(design)
    project = draw(cells, design.network.sizes, "network")
    *parts, whole = (FlatCell(subject.cell) for subject in project.subjects)
    found = {flat.name: extract_conductors(flat.conductors()) for flat in parts}
    wires = extract_conductors(whole.conductors())
    (synapse,) = found.keys() - set(SUBCIRCUITS)
    added = _added(wires, found, synapse, design.network.sizes)
    texts = {
        flat.name: "\n".join(
            [
                f".subckt {flat.name} {' '.join(subject.pins)}",
                *device_cards(flat),
                *capacitor_cards(found[flat.name]),
                *(f"Cplace_{pin} {pin} 0 {farads:.6g}" for pin, farads in added.get(flat.name, {}).items()),
                f".ends {flat.name}\n",
            ]
        )
        for flat, subject in zip(parts, project.subjects, strict=False)
    }
    return PostLayout(texts, "\n".join([*device_cards(whole), *capacitor_cards(wires)]))


def _added(
    wires: Capacitances, cells: Mapping[str, Capacitances], synapse: str, sizes: Sequence[int]
) -> dict[str, dict[str, float]]:
    """What the array adds to each membrane and to each synapse's share of a spike line (F), as the mean over the network.

    What lies between two membranes of a layer is left out: when they fire, all fall alike, and it is not charged.
    """
    total, pairs = wires.total(), wires.pairs()
    own = {name: found.total() for name, found in cells.items()}
    membranes, lines = list[float](), dict[str, list[float]]({"spike": [], "spike_bar": []})
    for layer, (inputs, outputs) in enumerate(pairwise(sizes), 1):
        alone = own["neuron"]["membrane"] + inputs * own[synapse]["membrane"]
        names = [f"{layer_name(layer)}_membrane_{k}" for k in range(outputs)]
        for name in names:
            between = sum(pairs.get((min(name, other), max(name, other)), 0.0) for other in names)
            membranes.append(total[name] - between - alone)
        source, driver = ("input", "spike_driver") if layer == 1 else (f"{layer_name(layer - 1)}_spike", "neuron")
        for k in range(inputs):
            for pin, name in (("spike", f"{source}_{k}"), ("spike_bar", f"{source}_{k}_bar")):
                alone = own[driver][pin] + outputs * own[synapse][pin]
                lines[pin].append((total[name] - alone) / outputs)
    return {"neuron": {"membrane": fmean(membranes)}, synapse: {pin: fmean(values) for pin, values in lines.items()}}
