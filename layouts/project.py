"""The layout of a design: its cells and its network drawn, held to the rules and against the netlists that are simulated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import klayout.db as kdb

from layouts.devices import Devices, devices_of
from layouts.drawing.network import Drawn, draw_driver, draw_network, draw_synapse
from layouts.drawing.plan import network_plan
from layouts.drawing.resistor import nearest_drawn
from layouts.drc import Violation, check
from layouts.errors import LayoutError
from layouts.gds import new_layout
from layouts.lvs import Comparison, compare
from netlists.crossbar import Cells, Settings
from netlists.errors import NetlistError
from netlists.network import network_bench
from netlists.neuron import SUBCIRCUITS
from netlists.synapse.cell import SIGNS, SynapseCell, SynapseSetting

PROCESS = "SKY130"
"""The process that there are rules and drawings for, by its title."""


@dataclass(frozen=True)
class Subject:
    """A cell, and the netlist that it is of: a sub-circuit of a text, or its top."""

    layout: kdb.Layout
    cell: kdb.Cell
    spice: str
    circuit: str = ""

    @property
    def pins(self) -> tuple[str, ...]:
        """Of the sub-circuit, in the order of its netlist; none of a top."""
        for line in self.spice.splitlines():
            keyword, *words = line.split() or [""]
            if keyword.lower() == ".subckt" and self.circuit and words[0] == self.circuit:
                return tuple(word for word in words[1:] if "=" not in word)
        return ()


@dataclass(frozen=True)
class Verdict:
    """What the checks say of a cell."""

    name: str
    size_um: tuple[float, float]
    violations: tuple[Violation, ...]
    comparison: Comparison

    @property
    def clean(self) -> bool:
        return not self.violations and self.comparison.matches

    @property
    def area_um2(self) -> float:
        return self.size_um[0] * self.size_um[1]

    def as_dict(self) -> dict[str, Any]:
        """By name; lengths in um."""
        return {
            "cell": self.name,
            "width_um": self.size_um[0],
            "height_um": self.size_um[1],
            "area_um2": self.area_um2,
            "devices": self.comparison.devices,
            "drc_violations": [violation.line() for violation in self.violations],
            "lvs_match": self.comparison.matches,
            "lvs_differences": list(self.comparison.differences),
        }


@dataclass(frozen=True)
class LayoutProject:
    """A drawn design: its cells by themselves, and the network of them."""

    layout: kdb.Layout
    network: Drawn
    subjects: tuple[Subject, ...]
    devices: Mapping[str, Devices]
    """Of each cell but the network, by its name."""

    def areas_um2(self) -> dict[str, float]:
        """Of a synapse and a neuron in their row, of the lines that carry biases, and of everything."""
        parts, layers = self.network.parts, self.network.layers
        synapses = sum(len(row) for layer in layers for row in layer.plan.synapses)
        neurons = sum(len(layer.plan.neurons) for layer in layers)
        rows = [(layer, len(layer.plan.neurons)) for layer in layers]
        crossbars = sum(count * layer.neuron_x * layer.pitch for layer, count in rows)
        biases = sum(count * layer.neuron_x * layer.bias_height for layer, count in rows)
        cells = sum(count * max(parts.neuron.width, parts.neuron.row.width) * layer.pitch for layer, count in rows)
        box = self.network.cell.bbox()
        return {
            "synapse": crossbars / synapses / 1e6,
            "neuron": cells / neurons / 1e6,
            "network": box.width() * box.height() / 1e6,
            "bias_share_of_crossbars": biases / crossbars,
        }

    def verdicts(self) -> Iterator[Verdict]:
        """Of each cell and then of the network, as they are found."""
        for subject in self.subjects:
            yield verdict(subject)


def verdict(subject: Subject) -> Verdict:
    """Hold a cell to the rules and against its netlist."""
    box = subject.cell.dbbox()
    return Verdict(
        subject.cell.name,
        (round(box.width(), 3), round(box.height(), 3)),
        tuple(check(subject.cell)),
        compare(subject.layout, subject.cell, subject.spice, subject.circuit),
    )


def draw(cells: Cells, sizes: Sequence[int], name: str, settings: Sequence[Settings] = ()) -> LayoutProject:
    """Draw the cells of a design and the network of these sizes, inputs first.

    `settings` of its layers; where there are none and a device makes a weight it is drawn as `_settings` has it. Resistors come
    on the grid.

    Raises `LayoutError` for what has no drawing, `GeometryError` for a device that the process does not have.
    """
    process = cells.synapse.process
    if process.title != PROCESS:
        raise LayoutError(f"process.name: there are no layout rules for {process.title}; there are for {PROCESS}")
    bench = _bench(cells, sizes, settings)
    neuron, driver = cells.neuron.subcircuit(), cells.neuron.driver_subcircuit()
    plan = network_plan(bench)
    texts = _subcircuits(bench)
    plan = plan.with_cells(_alike(texts))
    if not plan.synapse_cells:
        raise LayoutError(f"{name}: every weight is 0, so that there is no synapse to be drawn; train it anew")
    made: dict[str, Devices] = {
        **{one: devices_of(_Text(one, texts[one])) for one in plan.synapse_cells},
        SUBCIRCUITS[0]: devices_of(neuron, (driver,)),
        SUBCIRCUITS[1]: devices_of(driver),
    }
    layout = new_layout()
    network = draw_network(layout, name, plan, made)
    alone = draw_driver(layout, SUBCIRCUITS[1], made[SUBCIRCUITS[1]])
    synapses = tuple(Subject(layout, row.cell, texts[one], one) for one, row in network.parts.synapses.items())
    subjects = (
        *synapses,
        Subject(layout, network.parts.neuron.row.cell, f"{driver}{neuron}", SUBCIRCUITS[0]),
        Subject(layout, alone.cell, str(driver), SUBCIRCUITS[1]),
        Subject(layout, network.cell, bench),
    )
    return LayoutProject(layout, network, subjects, made)


def draw_cell(layout: kdb.Layout, cell: Any) -> Subject:
    """Draw a synapse by itself, from its PySpice sub-circuit."""
    return Subject(layout, draw_synapse(layout, str(cell.name), devices_of(cell)).cell, str(cell), str(cell.name))


def _bench(cells: Cells, sizes: Sequence[int], settings: Sequence[Settings]) -> str:
    """The netlist of the network."""
    settings = settings or [_settings(cells.synapse, before, after) for before, after in pairwise(sizes)]
    settings = [[[_drawable(cells.synapse, one) for one in row] for row in layer] for layer in settings]
    try:
        return network_bench([cells] * len(settings), settings, [0.5] * sizes[0]).netlist
    except NetlistError as error:
        raise LayoutError(str(error)) from error


def _settings(synapse: SynapseCell[Any], inputs: int, neurons: int) -> Settings:
    """What the synapses of a layer are set to. Where biases set weights it is not seen in the drawing; where a device does, the
    weakest and the strongest of either sign stand side by side."""
    if not synapse.weight_is_drawn:
        return [[None] * inputs for _ in range(neurons)]
    ends = {sign: synapse.codes(sign, 2).tolist() for sign in SIGNS}
    return [
        [SynapseSetting(SIGNS[column % 2], ends[SIGNS[column % 2]][(column // 2 + row) % 2]) for column in range(inputs)]
        for row in range(neurons)
    ]


def _drawable(synapse: SynapseCell[Any], setting: SynapseSetting | None) -> SynapseSetting | None:
    """The same as it can be drawn: a resistor's length moves by 5 nm at most."""
    if setting is None or not synapse.weight_is_drawn:
        return setting
    width = round(1000 * synapse.dimensions.resistor_width_um)
    return replace(setting, code=nearest_drawn(round(1000 * setting.code), width) / 1000)


def _alike(texts: Mapping[str, str]) -> dict[str, str]:
    """For every sub-circuit the first one that has the same in it."""
    first = dict[str, str]()
    return {name: first.setdefault(text.replace(name, ""), name) for name, text in texts.items()}


@dataclass(frozen=True)
class _Text:
    """A sub-circuit as text."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.text


def _subcircuits(spice: str) -> dict[str, str]:
    """The definitions in a netlist, by name."""
    found, lines = dict[str, str](), list[str]()
    for line in spice.splitlines():
        if line.lower().startswith(".subckt"):
            lines = []
        lines.append(line)
        if line.lower().startswith(".ends"):
            found[lines[0].split()[1]] = "\n".join(lines) + "\n"
    return found
