"""Faults put into clean cells, one each, and how the check that finds it names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import klayout.db as kdb

from layouts.drc import check
from layouts.gds import new_layout
from layouts.lvs import compare
from layouts.project import LayoutProject, Subject, draw_cell
from layouts.technology import LABELS, LAYERS
from netlists.synapse.cell import SynapseCell, SynapseSetting
from netlists.synapse.resistive import ResistorSynapse

SYNAPSE, NEURON, RESISTIVE = "synapse_current_source", "neuron", "synapse_resistive"


class Patient:
    """A copy of a cell that can be spoilt. Lengths in nm; shapes are counted from the left, then from below."""

    def __init__(self, subject: Subject) -> None:
        self.layout = subject.layout.dup()
        self.cell = self.layout.cell(subject.cell.name)
        self.spice, self.circuit = subject.spice, subject.circuit

    def boxes(self, layer: str) -> list[kdb.Box]:
        """Of the merged shapes of a layer."""
        found = kdb.Region(self.cell.begin_shapes_rec(self._layer(layer))).merged()
        return sorted((one.bbox() for one in found.each()), key=lambda box: (box.left, box.bottom))

    def add(self, layer: str, left: int, bottom: int, right: int, top: int) -> None:
        """One more box."""
        self.cell.shapes(self._layer(layer)).insert(kdb.Box(left, bottom, right, top))

    def cut(self, layer: str, left: int, bottom: int, right: int, top: int) -> None:
        """Take a box out of a layer."""
        shapes = self.cell.shapes(self._layer(layer))
        rest = kdb.Region(shapes) - kdb.Region(kdb.Box(left, bottom, right, top))
        shapes.clear()
        shapes.insert(rest)

    def drop(self, layer: str, index: int | None = None) -> None:
        """Take a shape of a layer out, or all."""
        for k, box in enumerate(self.boxes(layer)):
            if index in (None, k):
                self.cut(layer, box.left, box.bottom, box.right, box.top)

    def move(self, layer: str, index: int, dx: int, dy: int = 0) -> None:
        """Move a shape."""
        box = self.boxes(layer)[index]
        self.drop(layer, index)
        self.add(layer, box.left + dx, box.bottom + dy, box.right + dx, box.top + dy)

    def resize(self, layer: str, index: int, left: int = 0, bottom: int = 0, right: int = 0, top: int = 0) -> None:
        """Move the edges of a shape, inwards where negative."""
        box = self.boxes(layer)[index]
        self.drop(layer, index)
        self.add(layer, box.left - left, box.bottom - bottom, box.right + right, box.top + top)

    def rename(self, layer: str, names: dict[str, str]) -> None:
        """Change labels; a name that becomes empty goes."""
        shapes = self.cell.shapes(self.layout.layer(*LABELS[layer]))
        texts = [shape.text for shape in shapes.each() if shape.is_text()]
        shapes.clear()
        for text in texts:
            if new := names.get(text.string, text.string):
                shapes.insert(kdb.Text(new, text.trans))

    def _layer(self, layer: str) -> int:
        index: int = self.layout.layer(*LAYERS[layer])
        return index


@dataclass(frozen=True)
class Fault:
    """What is done to a cell, which check has to find it (`drc` or `lvs`), and what it has to say: a rule, or words."""

    what: str
    cell: str
    found_by: str
    says: str
    spoil: Callable[[Patient], object]


def _beside(patient: Patient, layer: str, index: int, space: int, size: int, added: str = "") -> None:
    """A square next to a shape, of the same layer or another."""
    box = patient.boxes(layer)[index]
    patient.add(added or layer, box.right + space, box.bottom, box.right + space + size, box.bottom + size)


def _spice(old: str, new: str) -> Callable[[Patient], None]:
    """The netlist says otherwise."""

    def spoil(patient: Patient) -> None:
        if old not in patient.spice:
            raise LookupError(f"the netlist has no {old}")
        patient.spice = patient.spice.replace(old, new)

    return spoil


def _lone(layer: str, width: int, height: int) -> Callable[[Patient], None]:
    """A shape far from all others."""
    return lambda patient: patient.add(layer, 50_000, 0, 50_000 + width, height)


def _two(layer: str, size: int, space: int, height: int = 0) -> Callable[[Patient], None]:
    """Two shapes far from all others."""

    def spoil(patient: Patient) -> None:
        for left in (50_000, 50_000 + size + space):
            patient.add(layer, left, 0, left + size, height or size)

    return spoil


def _bridge(patient: Patient) -> None:
    """From the lower head of the first bar of a resistor to its upper one."""
    box = patient.boxes("poly_res")[0]
    patient.add("li1", box.left, box.bottom - 500, box.right, box.top + 500)


_EXTRA = "Xextra membrane 0 0 0 sky130_fd_pr__nfet_01v8 w=1 l=0.25\n"

RULES = (
    Fault("a narrow well", SYNAPSE, "drc", "nwell.1", _lone("nwell", 800, 5000)),
    Fault("two wells too near", SYNAPSE, "drc", "nwell.2a", _two("nwell", 2000, 1200)),
    Fault("a well without tap", SYNAPSE, "drc", "nwell.4", lambda p: p.drop("tap", 1)),
    Fault("diffusions too near", SYNAPSE, "drc", "difftap.3", lambda p: _beside(p, "diff", 0, 200, 500)),
    Fault("a channel of 0.4 um", NEURON, "drc", "difftap.2", lambda p: p.resize("diff", 0, bottom=-20)),
    Fault("well too near around p-diffusion", SYNAPSE, "drc", "difftap.8", lambda p: p.resize("nwell", 0, left=-20)),
    Fault("well too near to n-diffusion", SYNAPSE, "drc", "difftap.9", lambda p: p.resize("nwell", 0, left=700)),
    Fault("well too near around its tap", SYNAPSE, "drc", "difftap.10", lambda p: p.resize("nwell", 0, right=-20)),
    Fault("no substrate tap", SYNAPSE, "drc", "LU.2", lambda p: p.drop("tap", 0)),
    Fault("narrow poly", SYNAPSE, "drc", "poly.1a", _lone("poly", 140, 2000)),
    Fault("poly too near", SYNAPSE, "drc", "poly.2", _two("poly", 300, 200)),
    Fault("poly beside diffusion", SYNAPSE, "drc", "poly.4", lambda p: p.add("poly", 1360, 50, 1600, 200)),
    Fault("diffusion ends at the gate", SYNAPSE, "drc", "poly.7", lambda p: p.resize("diff", 0, left=-100)),
    Fault("gate ends at the diffusion", SYNAPSE, "drc", "poly.8", lambda p: p.cut("poly", 0, -1200, 6000, -1100)),
    Fault("no n implant", SYNAPSE, "drc", "nsd.0", lambda p: p.drop("nsdm", 0)),
    Fault("small n implant", SYNAPSE, "drc", "nsd.5a", lambda p: p.resize("nsdm", 0, bottom=-20)),
    Fault("small p implant", SYNAPSE, "drc", "psd.5a", lambda p: p.resize("psdm", 1, bottom=-20)),
    Fault("both implants", SYNAPSE, "drc", "psd.0", lambda p: p.resize("psdm", 1, left=1500)),
    Fault("no nitride cut", SYNAPSE, "drc", "licon.15", lambda p: p.drop("npc")),
    Fault("a contact of 0.18 um", SYNAPSE, "drc", "licon.1", lambda p: p.resize("licon1", 0, right=10)),
    Fault("contacts too near", SYNAPSE, "drc", "licon.2", lambda p: p.move("licon1", 0, 0, 30)),
    Fault("a contact at the gate", SYNAPSE, "drc", "licon.11", lambda p: p.move("licon1", 4, 20)),
    Fault("poly pad off its contact", SYNAPSE, "drc", "licon.8", lambda p: p.move("licon1", 2, 40)),
    Fault("narrow li1", SYNAPSE, "drc", "li.1", _lone("li1", 160, 2000)),
    Fault("li1 too near", SYNAPSE, "drc", "li.3", _two("li1", 300, 160)),
    Fault("a speck of li1", SYNAPSE, "drc", "li.6", _lone("li1", 200, 200)),
    Fault("mcon beside li1", SYNAPSE, "drc", "ct.4", lambda p: p.move("mcon", 0, 20)),
    Fault("narrow met1", SYNAPSE, "drc", "m1.1", _lone("met1", 130, 2000)),
    Fault("met1 too near", SYNAPSE, "drc", "m1.2", _two("met1", 500, 130)),
    Fault("met1 beside wide met1", SYNAPSE, "drc", "m1.3ab", _two("met1", 4000, 200)),
    Fault("via beside met1", SYNAPSE, "drc", "via.4a", lambda p: p.move("via", 0, 60)),
    Fault("a speck of met2", SYNAPSE, "drc", "m2.6", _lone("met2", 200, 200)),
    Fault("met3 too near", SYNAPSE, "drc", "m3.2", lambda p: p.add("met3", 0, 0, 5000, 310)),
    Fault("met4 beside wide met4", NEURON, "drc", "m4.5ab", _two("met4", 4000, 350)),
    Fault("narrow met5", NEURON, "drc", "m5.1", _lone("met5", 1500, 5000)),
    Fault("met4 ends with its plate", NEURON, "drc", "cap2m.3", lambda p: p.resize("cap2m", 0, left=140)),
    Fault("via3 under a plate", NEURON, "drc", "cap2m.8", lambda p: p.add("via3", 10_000, 0, 10_200, 200)),
    Fault("met4 near a plate", NEURON, "drc", "cap2m.11", lambda p: p.resize("cap2m", 0, left=500)),
    Fault("a plate cut to an L", NEURON, "drc", "cap2m.7", lambda p: p.cut("cap2m", 0, 0, 9000, 9000)),
    Fault("no low threshold around its gate", NEURON, "drc", "lvtn.4b", lambda p: p.resize("lvtn", 0, bottom=-50)),
    Fault("high threshold too small", NEURON, "drc", "hvtp.3", lambda p: p.resize("hvtp", 0, bottom=-50)),
    Fault("an antenna", SYNAPSE, "drc", "ar_met2", lambda p: p.add("met2", -300_000, 1330, 600, 1470)),
    Fault("a slot too short", RESISTIVE, "drc", "licon.1bc", lambda p: p.resize("licon1", len(p.boxes("licon1")) - 1, top=-500)),
    Fault("marker too near around a resistor", RESISTIVE, "drc", "urpm.3", lambda p: p.resize("urpm", 0, right=-50)),
    Fault("implant too near around a resistor", RESISTIVE, "drc", "urpm.4", lambda p: p.resize("psdm", 1, right=-50)),
    Fault("nitride cut too near around a resistor", RESISTIVE, "drc", "urpm.5", lambda p: p.resize("npc", 1, right=-50)),
    Fault("n implant near a resistor", RESISTIVE, "drc", "urpm.6", lambda p: _beside(p, "urpm", 0, 100, 1000, "nsdm")),
    Fault("poly near a resistor's marker", RESISTIVE, "drc", "urpm.7", lambda p: _beside(p, "urpm", 0, 100, 1000, "poly")),
    Fault("diffusion near a resistor", RESISTIVE, "drc", "poly.9", lambda p: _beside(p, "urpm", 0, 220, 1000, "diff")),
    Fault("poly near a resistor", RESISTIVE, "drc", "poly.9b", lambda p: _beside(p, "urpm", 0, 220, 1000, "poly")),
    Fault("off the grid", SYNAPSE, "drc", "x.1a", _lone("met1", 502, 1000)),
)  # fmt: skip

NETS = (
    Fault("a strap cut", SYNAPSE, "lvs", "n_bias", lambda p: p.cut("met1", 2300, 600, 2700, 900)),
    Fault("a via missing", SYNAPSE, "lvs", "membrane", lambda p: p.drop("via", 3)),
    Fault("membrane on ground", SYNAPSE, "lvs", "short: nets 0 and membrane", lambda p: p.add("met2", 3000, -700, 3140, -280)),
    Fault("supply on spike_bar", SYNAPSE, "lvs", "nets spike_bar and supply", lambda p: p.add("met2", 4800, 560, 5100, 1400)),
    Fault("names exchanged", SYNAPSE, "lvs", "spike", lambda p: p.rename("met2", {"spike": "n_bias", "n_bias": "spike"})),
    Fault("a pin without a name", SYNAPSE, "lvs", "spike_bar", lambda p: p.rename("met2", {"spike_bar": ""})),
    Fault("two pins of one name", SYNAPSE, "lvs", "open: net spike", lambda p: p.rename("met2", {"n_bias": "spike"})),
    Fault("gates exchanged in the netlist", SYNAPSE, "lvs", "n_selector", _spice("n_middle spike 0", "n_middle n_bias 0")),
    Fault("wrong W", SYNAPSE, "lvs", "n_memory", _spice("w=1\nXn_selector", "w=1.05\nXn_selector")),
    Fault("wrong L drawn", SYNAPSE, "lvs", "p_selector", lambda p: p.add("poly", 4000, -1130, 4130, 310)),
    Fault("a transistor too many in the netlist", SYNAPSE, "lvs", "extra", _spice("Xn_selector", f"{_EXTRA}Xn_selector")),
    Fault("high threshold missing", NEURON, "lvs", "sensing_p", lambda p: p.drop("hvtp")),
    Fault("low threshold missing", NEURON, "lvs", "sensing_n", lambda p: p.drop("lvtn")),
    Fault("a plate too small", NEURON, "lvs", "membrane", lambda p: p.resize("cap2m", 0, right=-500)),
    Fault("a plate upside down", NEURON, "lvs", "membrane", _spice("Xmembrane membrane 0", "Xmembrane 0 membrane")),
    Fault("a bar too short", RESISTIVE, "lvs", "weight", lambda p: p.resize("poly_res", 0, top=-200)),
    Fault("a bar bridged", RESISTIVE, "lvs", "weight", _bridge),
    Fault("a wider resistor in the netlist", RESISTIVE, "lvs", "weight", _spice("0p35", "0p69")),
    Fault("a p implant missing", SYNAPSE, "lvs", "p_memory", lambda p: p.drop("psdm")),
)  # fmt: skip

FAULTS = (*RULES, *NETS)


def patients(project: LayoutProject, resistive: SynapseCell[Any]) -> list[Subject]:
    """The cells that there are faults for: those of a project, and a synapse with a resistor, drawn here."""
    if not isinstance(resistive, ResistorSynapse):
        raise TypeError(f"{resistive}: is no synapse with a resistor")
    resistor = resistive.subcircuit(RESISTIVE, SynapseSetting(1, 40.0))
    return [*project.subjects, draw_cell(new_layout(), resistor)]


def found(fault: Fault, subjects: Iterable[Subject]) -> str:
    """What the check says of the fault where that names it; empty where it does not."""
    subject = next(one for one in subjects if one.cell.name == fault.cell)
    patient = Patient(subject)
    fault.spoil(patient)
    if fault.found_by == "drc":
        hits = [one for one in check(patient.cell) if one.rule == fault.says and one.cell == fault.cell]
        return hits[0].line() if hits else ""
    comparison = compare(patient.layout, patient.cell, patient.spice, patient.circuit)
    said = [line for line in comparison.differences if fault.says in line]
    return said[0] if said and not comparison.matches else ""
