"""A user's own cell: from a SPICE file, as xschem and others export it, to a sub-circuit that decks can hold."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from cosim.design.cell_capacitors import without_floating_metal
from cosim.design.cell_nets import check_nets
from cosim.design.cell_sizes import evaluated, in_units_of, rescaled
from cosim.errors import InputError, InputRemark
from cosim.simulator.netlist_cards import Card
from cosim.simulator.netlist_guard import AdmittedNetlist, Brought, admit
from cosim.texts import text_of
from netlists.errors import NetlistError
from netlists.multipliers import written_out
from netlists.neuron import SUBCIRCUITS
from netlists.process import ProcessSection
from netlists.spice_text import FILE_CALLS, arguments
from netlists.synapse.from_netlist import NetlistSection, pins_of

_GROUND = frozenset({"0", "gnd"})
_MOST_NAMED = 6


def admitted_cell(section: NetlistSection, folder: Path, process: ProcessSection) -> NetlistSection:
    """The section with the admitted cards of its cell: of the sub-circuit and of those that it calls, sizes as numbers.

    Args:
        folder: of the design file; the cell's file and what it includes lie in it or below it.
        process: whose devices the cell calls; cards that call for its models are left out, for decks bring them.

    Raises `InputError` with the field, and with file and line where a card is refused. What was left out is a `InputRemark`.
    """
    if section.file and section.cards:
        raise InputError("synapse.file: give either file or cards")
    source = folder / section.file if section.file else Path("synapse.cards")
    names = process.process.names
    brought = Brought(process.brings, frozenset({names.mismatch, names.process}))
    admitted = admit(_text(source) if section.file else section.cards, [folder], source, brought)
    cell = _Cell(admitted.cards, section.subcircuit, source)
    _check_pins(section, cell.pins)
    cards = cell.cards
    if admitted.scale and admitted.scale_m is not None:
        if process.library:
            raise admitted.scale.refuse("scale: unknown for the devices of your own library; give `ext2spice scale off` in Magic")
        cards = rescaled(cards, admitted.scale_m * 1e6 * names.um)
    cards = evaluated(cards, section.subcircuit, names)
    cards, converted = in_units_of(cards, names, process.process.title)
    cards, floating = without_floating_metal(cards)
    check_nets(cards, section.subcircuit, names)
    _tell(source, [*_left_out(admitted, source), *_read_otherwise(admitted, converted, floating)])
    return section.model_copy(update={"cards": _multipliers_written_out(cards, source)})


def _multipliers_written_out(cards: Iterable[Card], source: Path) -> str:
    try:
        return written_out("".join(f"{card.text}\n" for card in cards))
    except NetlistError as error:
        raise InputError(f"{source}: {error}") from error


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except OSError as error:
        raise InputError(f"synapse.file: {path} cannot be read: {error.strerror}; give the SPICE file of your cell") from error


def _tell(source: Path, remarks: list[str]) -> None:
    if remarks:
        warnings.warn(f"{source}: {'; '.join(remarks)}", InputRemark, stacklevel=1)


def _left_out(admitted: AdmittedNetlist, source: Path) -> Iterator[str]:
    if left_out := admitted.left_out:
        cards = [f"{_named(card)} ({_place(card, source)})" for card in left_out]
        yield f"left out, as models, corner, statistics and outputs are the design's: {_some(cards)}"


def _read_otherwise(admitted: AdmittedNetlist, converted: list[Card], floating: list[str]) -> Iterator[str]:
    if admitted.scale:
        yield f"sizes are counted in {admitted.scale_m:g} m, as {admitted.scale.text} says, and were converted"
    if converted:
        yield f"sizes in another unit than the process's were converted: {_some([card.words[0] for card in converted])}"
    if floating:
        yield f"metal that is connected to nothing became the capacitances between its neighbours: {_some(floating)}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _named(card: Card) -> str:
    """A card in few words: of a file its name alone."""
    if card.keyword not in FILE_CALLS:
        return card.text[:60]
    file, *section = arguments(card.text)
    return " ".join([card.keyword, file.replace("\\", "/").rpartition("/")[2], *section])


def _place(card: Card, source: Path) -> str:
    return f"line {card.line}" if card.source == str(source) else f"{Path(card.source).name}:{card.line}"


class _Cell:
    """The cards of one sub-circuit of a file, with those that it rests on, in their order."""

    def __init__(self, cards: Iterable[Card], subcircuit: str, source: Path) -> None:
        self.top: list[Card] = []
        self.bodies: dict[str, list[Card]] = {}
        self._sort(cards, source)
        if subcircuit.lower() not in self.bodies:
            there = f"it has {', '.join(self.bodies)}" if self.bodies else "it has none"
            raise InputError(f"synapse.subcircuit: {source} has no sub-circuit {subcircuit!r}; {there}")
        if taken := sorted(set(SUBCIRCUITS) & set(self.bodies)):
            raise InputError(f"{source}: sub-circuit {taken[0]!r} has the name of one of ours; give it another")
        self.subcircuit = subcircuit.lower()

    def _sort(self, cards: Iterable[Card], source: Path) -> None:
        """Cards by the outermost sub-circuit that they stand in. Raises `InputError` for what would act on the testbench."""
        depth, body = 0, list[Card]()
        for card in cards:
            depth += card.keyword == ".subckt"
            if depth:
                body.append(card)
            elif _belongs(card, source):
                self.top.append(card)
            depth -= card.keyword == ".ends"
            if body and not depth:
                name = body[0].words[1].lower()
                if name in self.bodies:
                    raise body[0].refuse(f"sub-circuit {name} is there twice")
                self.bodies[name], body = body, []

    @property
    def pins(self) -> list[str]:
        return pins_of(self.bodies[self.subcircuit][0].text, self.subcircuit)

    @property
    def cards(self) -> list[Card]:
        """What stands outside sub-circuits, and the sub-circuits in use."""
        wanted, pending = set[str](), [self.subcircuit]
        while pending:
            name = pending.pop()
            if name not in wanted:
                wanted.add(name)
                words = {word.lower() for card in self.bodies[name] if card.keyword[0] == "x" for word in card.words[1:]}
                pending += words & self.bodies.keys()
        return self.top + [card for name, body in self.bodies.items() if name in wanted for card in body]


def _belongs(card: Card, source: Path) -> bool:
    """Whether a card outside a sub-circuit goes into the decks."""
    if card.keyword == ".global":
        if others := [name for name in card.words[1:] if name.lower() not in _GROUND]:
            raise InputError(f"{source}: node {others[0]} is global, but nothing drives it; make it a pin of the sub-circuit")
        return False
    if not card.keyword.startswith("."):
        raise InputError(f"{source}: {card.text[:60]!r} stands outside a sub-circuit; stimuli are ours")
    return True


def _check_pins(section: NetlistSection, pins: list[str]) -> None:
    named = {pin.lower(): f"pins.{role}" for role, pin in section.pins.items()}
    named |= {pin.lower(): f"fixed_v.{pin}" for pin in section.fixed_v}
    named |= {pin.lower(): f"below_supply_v.{pin}" for pin in section.below_supply_v}
    if unknown := [pin for pin in named if pin not in pins]:
        raise InputError(
            f"synapse.{named[unknown[0]]}: sub-circuit {section.subcircuit} has no pin {unknown[0]!r}; it has {', '.join(pins)}"
        )
    if unnamed := [pin for pin in pins if pin not in named]:
        raise InputError(
            f"synapse.pins: nothing is said of pin {unnamed[0]!r} of sub-circuit {section.subcircuit}; name it in pins, "
            "or give its level in fixed_v or below_supply_v"
        )
