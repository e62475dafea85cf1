"""A user's own cell: from a SPICE file, as xschem and others export it, to a sub-circuit that decks can hold."""

from __future__ import annotations

import re
from pathlib import Path

from cosim.errors import InputError
from cosim.simulator.netlist_guard import check_cell_netlist
from netlists.neuron import SUBCIRCUITS
from netlists.spice_text import FILE_CALLS, Definition, arguments, definitions, statements
from netlists.synapse.from_netlist import NetlistSection, pins_of

_COMMENTED_HEADER = re.compile(r"^\*\*(\.(?:subckt|ends)\b.*)$", re.IGNORECASE | re.MULTILINE)
_END = re.compile(r"^\s*\.end\s*$", re.IGNORECASE | re.MULTILINE)
_END_OF_LINE_COMMENT = re.compile(r"\s\$(?:\s.*)?$")
_GROUND = frozenset({"0", "gnd"})


def admitted_cell(section: NetlistSection, folder: Path, libraries: frozenset[str] = frozenset()) -> NetlistSection:
    """The section with the admitted cards of its cell.

    Args:
        folder: of the design file; the cell's file and what it includes lie in it or below it.
        libraries: file names of model libraries; a card that calls for one is left out, for decks bring their models.

    Raises `InputError` with the field, and with file and line where a card is refused.
    """
    if section.file and section.cards:
        raise InputError("synapse.file: give either file or cards")
    source = folder / section.file if section.file else Path("synapse.cards")
    text = _text(source) if section.file else section.cards
    plain = _without_export_marks(text, section.subcircuit, libraries)
    cards = check_cell_netlist(plain, [folder], source)
    items = definitions(statements(cards.splitlines()))
    cards = "".join(f"{line}\n" for item in items if _belongs(item, source) for card in item.statements for line in card.lines)
    _check_subcircuit(section, items, source)
    _check_pins(section, pins_of(cards, section.subcircuit))
    return section.model_copy(update={"cards": cards})


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"synapse.file: {path} cannot be read: {error.strerror}; give the SPICE file of your cell") from error
    except UnicodeDecodeError as error:
        raise InputError(f"synapse.file: {path} is not text; give the SPICE file of your cell") from error


def _without_export_marks(text: str, subcircuit: str, libraries: frozenset[str]) -> str:
    """The same lines without `.end`, `.save` and calls of the process's library, with the header that xschem comments out."""
    if not re.search(rf"^\s*\.subckt\s+{re.escape(subcircuit)}\b", text, re.IGNORECASE | re.MULTILINE):
        text = _COMMENTED_HEADER.sub(r"\1", text)
    lines, left_out = list[str](), False
    for line in _END.sub("", text).splitlines():
        if not line.lstrip().startswith(("+", "*")):  # which go on with the card before
            left_out = line.lower().split()[:1] == [".save"] or _calls_library(line, libraries)
        lines.append("" if left_out else _END_OF_LINE_COMMENT.sub("", line))
    return "\n".join(lines)


def _calls_library(line: str, libraries: frozenset[str]) -> bool:
    keyword = next(iter(line.lower().split()), "")
    return keyword in FILE_CALLS and any(Path(name).name in libraries for name in arguments(line)[:1])


def _belongs(item: Definition, source: Path) -> bool:
    """Whether an item goes into the decks. Raises `InputError` for what would act on the testbench around the cell."""
    first = item.statements[0]
    keyword, *names = first.text.lower().split()
    if keyword == ".global":
        if others := [name for name in names if name not in _GROUND]:
            raise InputError(f"{source}: node {others[0]} is global, but nothing drives it; make it a pin of the sub-circuit")
        return False
    if not keyword.startswith("."):
        raise InputError(f"{source}: {first.text[:60]!r} stands outside a sub-circuit; stimuli are ours")
    return True


def _check_subcircuit(section: NetlistSection, items: list[Definition], source: Path) -> None:
    defined = [item.name for item in items if item.statements[0].words[0] == ".subckt"]
    if section.subcircuit.lower() not in defined:
        there = f"it has {', '.join(defined)}" if defined else "it has none"
        raise InputError(f"synapse.subcircuit: {source} has no sub-circuit {section.subcircuit!r}; {there}")
    if taken := sorted(set(SUBCIRCUITS) & set(defined)):
        raise InputError(f"{source}: sub-circuit {taken[0]!r} has the name of one of ours; give it another")


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
