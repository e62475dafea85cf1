"""Cells, libraries and decks that would write, open, run or set something, or never end: refused, or without effect."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure
from cosim.errors import InputError
from cosim.simulator import Point, Waveforms, admit, simulate
from cosim.simulator.commands import is_plain
from cosim.simulator.deck import Deck, OperatingPoint, flat_deck, undrawable, why_not_flat
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
    "shell touch OUT x y", ".save v(a) >OUT", ".print tran v(a) >OUT", ".plot tran v(a) |tee OUT", ".probe v(a) >>OUT",
    ".meas tran x max v(a) file=OUT", ".four 1k v(a) >OUT", ".write OUT v(a)", ".wrdata OUT v(a)", "write OUT v(a)",
    "b1 a 0 v=table(v(b),file=OUT)", "e1 a 0 table {v(b)} = (0,0) file=OUT", "r1 a 0 1k file=OUT", ".model m r file=OUT",
    ".param x=`touch OUT`", ".func f(x) {`touch OUT`}", ".option rawfile=OUT", ".option savecurrents inputdir=OUT", ".osdi OUT",
    "pre_osdi OUT", ".hdl OUT", "n1 a 0 OUT", "u1 a 0 OUT", ".if (1)\n.include OUT\n.endif", ".data x file=OUT", ".load OUT",
    "r1 a 0 1k\r.control\rshell touch OUT\r.endc", "r1 a 0 1k\x0c.exec touch OUT", "r1 a 0 1k\x85.exec touch OUT",
    "r1 a 0 1k\u2028.exec touch OUT", "r1 a\0b 0 OUT", "r\u202e1 a 0 OUT", "r1 \u03c3 0 OUT", "* x\n+ OUT\n.control",
    "*ng_script\nshell touch OUT x y", "r1 a 0 " + "1" * 60_000 + "OUT", ".subckt OUT a\n.subckt b c\n.ends",
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
    ".exec touch OUT",
    ".csparam x=1",
    ".save all",
    ".lib /etc/passwd tt",
    "a1 1 2 reader",
    ".model nch nmos level=1 vto=`touch OUT`",
)
SAVES = (
    "v(a)>OUT", "v(a>OUT)", "v(a);shell touch OUT", "@r1[i]|tee OUT", "v(a\n.exec touch OUT)", "v(`touch OUT`)", "all >OUT",
    "v(\0)",
)  # fmt: skip
TITLES = ("t\n.exec touch OUT", "t\r.exec touch OUT", "t\u2028.exec touch OUT", "")
DRAW = "agauss(1,0.1,1)"
ENDLESS = {
    "itself": ".param a=a+1\nr1 a 0 {a}",
    "itself with a draw": f".param a=a+{DRAW}\nr1 a 0 {{a}}",
    "each other": ".param a=b+1 b=a+1\nr1 a 0 {a}",
    "huge power": f"r1 a 0 {{int(1e300)**int(1e300)+{DRAW}}}",
    "huge power in a parameter": f".param p='int(1e300)**int(1e300)'\nr1 a 0 {{p+{DRAW}}}",
    "remainder of the infinite": f"r1 a 0 {{1e300%1e-300+{DRAW}}}",
    "parentheses": f"r1 a 0 {{{'(' * 5000}1{')' * 5000}}}",
    "signs": f"r1 a 0 {{{'-' * 3000}1}}",
    "negations": f"r1 a 0 {{{'!' * 3000}1}}",
    "draws in draws": f"r1 a 0 {{{'agauss(' * 300}1{',1,1)' * 300}}}",
    "chain": "\n".join(f".param p{k}=p{k + 1}+1" for k in range(3000)) + f"\n.param p3000={DRAW}\nr1 a 0 {{p0}}",
    "long sum": f"r1 a 0 {{{'+'.join(['1'] * 20000)}}}",
    "parameter of a call": ".subckt s a p={p+1}\nr1 a 0 {p}\n.ends\nx1 a s",
    "calls itself": ".subckt s a\nx1 a s\n.ends\nx1 a s",
    "call each other": ".subckt s a\nx1 a t\n.ends\n.subckt t a\nx1 a s\n.ends\nx1 a s",
    "function of itself": ".func f(x) {f(x)+1}\nr1 a 0 {f(1)}",
    "condition of itself": ".param a=a+1\n.if (a)\nr1 a 0 1\n.endif",
    "definitions in definitions": "\n".join(f".subckt s{k} a" for k in range(300)) + "\nr1 a 0 1" + "\n.ends" * 300 + "\nx1 a s0",
    "quotes without end": "r1 a 0 '" + "{" * 3000,
    "nodes without end": "x1 " + "a " * 20000 + "nosuch",
}
"""Decks that a careless reader evaluates for ever, or until its stack is at its end."""
LIMIT_S = 20.0


def figures(quick: bool) -> Iterator[Figure]:
    """All of them, also if `quick`: they take a second."""
    cards = [card.format(mark) for card, mark in itertools.product(CARDS, MARKS)] + list(COMMANDS)
    with tempfile.TemporaryDirectory() as folder:
        effects = [card for card in cards if cell_has_effect(card, Path(folder))]
        effects += [card for card in LIBRARY if library_has_effect(card, Path(folder))]
    commands = [name for name in (f"r9{mark}" for mark in MARKS) if drawn_by_a_command(name)]
    taken = [repr(name) for name in SAVES if deck_is_taken("t", name)] + [repr(t) for t in TITLES if deck_is_taken(t, "v(a)")]
    hanging = [name for name in ENDLESS if hangs(name)]
    tried = len(cards) + len(LIBRARY) + len(MARKS) + len(SAVES) + len(TITLES) + len(ENDLESS)
    yield Figure(
        "trust.hostile_inputs", tried, "", "150",
        "cards of cells and of own libraries, names in decks that draw, what decks save, titles, decks without an end",
    )  # fmt: skip
    all_of_them = [*effects, *commands, *taken, *hanging]
    yield Figure(
        "trust.hostile_effects", len(all_of_them), "", "0", "; ".join(all_of_them)[:200] or "all refused, or without effect"
    )


def deck_is_taken(title: str, save: str) -> bool:
    """Whether there is a deck with this title that saves this."""
    try:
        Deck(title, "r1 a 0 1", "", OperatingPoint(), (save,))
    except InputError:
        return False
    return True


def endless(name: str, seed: int | None = 3) -> Deck:
    return Deck("hostile", f"v1 a 0 1\n{ENDLESS[name]}", "", OperatingPoint(), ("i(v1)",), seed=seed)


def hangs(name: str) -> bool:
    """Whether the parent reads such a deck for long, or its simulation outlives its time."""
    started = time.process_time()
    deck = endless(name)
    why_not_flat(deck.base)
    undrawable(deck)
    deck.text()
    if time.process_time() - started > LIMIT_S:
        return True
    started = time.monotonic()
    simulate([Point({}, deck, Waveforms.last)], jobs=1, timeout_s=LIMIT_S)
    return time.monotonic() - started > 5 * LIMIT_S


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
