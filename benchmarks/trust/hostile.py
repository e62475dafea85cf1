"""Cells and libraries that would write, open, run or set something: refused, or without effect."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure
from cosim.errors import InputError
from cosim.simulator import admit
from cosim.simulator.commands import is_plain
from cosim.simulator.deck import Deck, OperatingPoint, flat_deck
from netlists.errors import LibraryError
from netlists.models.pdk import own_pdk
from netlists.models.pruning import DeviceUse, prune
from sky130_models.pdk import NAMES

MARKS = (">OUT", ">>OUT", "<IN", "|tee", ";shell", "&", "`id`", '"x', "^a^b", "$(id)")
CARDS = (
    "r9{} a 0 1k", "r9 a{} 0 1k", "m1 d g s b n{} w=1 l=1", "m1 d g s b n w{}=1 l=1", ".model n{} nmos level=1",
    ".model n nmos level{}=1", ".param p{}=1", ".subckt s{} a\nr1 a 0 1\n.ends", ".subckt s a{}\nr1 a 0 1\n.ends",
)  # fmt: skip
COMMANDS = (
    ".control\nshell touch OUT\n.endc", ".exec touch OUT", "*# shell touch OUT",
    "a1 1 2 reader\n.model reader filesource (file=OUT)",
    "v1 a 0 pwl file=OUT", ".include /etc/passwd", ".lib /etc/passwd tt", ".csparam x=1", ".option wnflag=1",
    "shell touch OUT x y",
)  # fmt: skip
LIBRARY = (
    ".option reltol=0.1",
    ".global d",
    "r1 a 0 1",
    "v1 a 0 1",
    ".include /etc/passwd",
    ".ic v(a)=1",
    ".temp 100",
    ".control",
)


def figures(quick: bool) -> Iterator[Figure]:
    """All of them, also if `quick`: they take a second."""
    cards = [card.format(mark) for card, mark in itertools.product(CARDS, MARKS)] + list(COMMANDS)
    with tempfile.TemporaryDirectory() as folder:
        effects = [card for card in cards if cell_has_effect(card, Path(folder))]
        effects += [card for card in LIBRARY if library_has_effect(card, Path(folder))]
    commands = [name for name in (f"r9{mark}" for mark in MARKS) if drawn_by_a_command(name)]
    tried = len(cards) + len(LIBRARY) + len(MARKS)
    yield Figure("trust.hostile_inputs", tried, "", "150", "cards of cells and of own libraries, and names in decks that draw")
    yield Figure(
        "trust.hostile_effects", len(effects) + len(commands), "", "0", "; ".join([*effects, *commands])[:200] or "all refused"
    )


def cell_has_effect(card: str, folder: Path) -> bool:
    """Whether anything of it is left in an admitted cell; what stands behind a `;` is a comment."""
    try:
        left = admit(f"r0 a 0 1k\n{card}\n", [folder]).text.removeprefix("r0 a 0 1k\n")
    except InputError:
        return False
    return any(mark in left for mark in (*MARKS, "OUT", "passwd", "wnflag", "csparam"))


def library_has_effect(card: str, folder: Path) -> bool:
    """Whether a model library with it is taken."""
    library = folder / "own.lib"
    library.write_text(f".lib TT\n.subckt nfet d g s b\nm0 d g s b nch\n.ends\n.model nch nmos level=1\n{card}\n.endl TT\n")
    try:
        prune(own_pdk(library, {"tt": "TT"}, NAMES), "tt", [DeviceUse("nfet")])
    except LibraryError:
        return False
    return True


def drawn_by_a_command(name: str) -> bool:
    """Whether a device of this name, whose value a seed draws, stands in a command."""
    deck = Deck("t", f"v1 a 0 1\n{name} a 0 {{agauss(1000,10,1)}}", "", OperatingPoint(), ("v(a)",), seed=1)
    flat = flat_deck(deck.base)
    return flat is not None and any(slot.command is not None and not is_plain(slot.command) for slot in flat.slots)
