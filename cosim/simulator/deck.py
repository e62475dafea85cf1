"""A deck: everything that one simulation needs, as data; its text is a file that plain `ngspice -b` runs elsewhere."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cosim.errors import InputError
from cosim.simulator import netlist_values
from cosim.simulator.expressions import NotEvaluable
from cosim.simulator.flattening import PINS, FlatDeck, flatten
from netlists.spice_text import statements, with_draws, without_spread, words_and_values

SETTINGS = ("set num_threads=1",)
"""What ngspice is told whatever deck it runs."""

_HEAD = "* Settings that every deck of this project expects; ngspice reads them from .spiceinit in the folder it is started in."


def spiceinit(setup: Sequence[str]) -> str:
    """The .spiceinit that a deck with these settings expects."""
    return "\n".join([_HEAD, *setup, *SETTINGS]) + "\n"


_BEHAVIOUR = re.compile(r"\s*set\s+ngbehavior\s*=\s*\"?(\w+)", re.IGNORECASE)
_INCLUDE = re.compile(r"^\s*\.(?:inc|include|lib)\s+[\"']?(?P<path>[^\s\"']+)", re.IGNORECASE | re.MULTILINE)

# The node or source inside v() and i() may be hierarchical; @device[parameter] reads a device.
_SAVE = re.compile(r"[vi]\([\w.#:+/!%~-]+\)|@[\w.#:+/!%~-]+\[\w+\]", re.IGNORECASE)


Start = tuple[tuple[str, float], ...]
"""Nodes, as ngspice names them, and their voltages (V)."""


@dataclass(frozen=True)
class SolverOptions:
    """How ngspice solves; the fields are ngspice's own options (manual, chapter 15.1), SI units."""

    reltol: float = 3e-6
    abstol: float = 1e-15
    vntol: float = 1e-8
    chgtol: float = 1e-18
    method: Literal["trap", "gear"] = "trap"
    gmin: float = 1e-12
    temperature_c: float = 27.0

    def cards(self) -> str:
        tolerances = " ".join(f"{name}={getattr(self, name)!r}" for name in ("reltol", "abstol", "vntol", "chgtol", "gmin"))
        return f".options {tolerances} method={self.method}\n.temp {self.temperature_c!r}"


@dataclass(frozen=True)
class OperatingPoint:
    """One DC operating point."""

    def card(self) -> str:
        return ".op"


@dataclass(frozen=True)
class DcSweep:
    """A DC sweep of a source (or of `temp`); with `outer` a nested one, flat arrays, the outer slowest."""

    source: str
    start: float
    stop: float
    step: float
    outer: DcSweep | None = None

    def __post_init__(self) -> None:
        # ngspice sweeps for ever when the step does not lead from start to stop.
        if not (all(map(math.isfinite, (self.start, self.stop, self.step))) and self.step * (self.stop - self.start) > 0):
            raise InputError(f"DC sweep of {self.source}: step {self.step!r} does not lead from {self.start!r} to {self.stop!r}")
        if self.outer is not None and self.outer.outer is not None:
            raise InputError(f"DC sweep of {self.source}: ngspice nests two sweeps at most")

    @property
    def points(self) -> int:
        """Points of this sweep alone."""
        return math.floor((self.stop - self.start) / self.step * (1 + 1e-12) + 1e-9) + 1

    def _arguments(self) -> str:
        return f"{self.source} {self.start!r} {self.stop!r} {self.step!r}"

    def card(self) -> str:
        return f".dc {self._arguments()}" + (f" {self.outer._arguments()}" if self.outer else "")


@dataclass(frozen=True)
class Transient:
    """A transient from 0 to `stop_s`, recorded from `start_s`, in steps of at most `max_step_s` (seconds)."""

    stop_s: float
    print_step_s: float
    max_step_s: float
    start_s: float = 0.0
    use_initial_conditions: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.start_s < self.stop_s < math.inf and self.print_step_s > 0 and self.max_step_s > 0):
            raise InputError(f"transient: needs 0 <= start_s < stop_s and positive steps, not {self}")

    def card(self) -> str:
        times = f".tran {self.print_step_s!r} {self.stop_s!r} {self.start_s!r} {self.max_step_s!r}"
        return times + (" uic" if self.use_initial_conditions else "")


Analysis = OperatingPoint | DcSweep | Transient


class Base(NamedTuple):
    """What decks have in common that differ in values and seed only: one circuit is loaded for all of them."""

    netlist: str
    library: str
    analysis: Analysis
    save: tuple[str, ...]
    options: SolverOptions
    value_names: tuple[str, ...]
    setup: tuple[str, ...] = ()

    def cards(self, netlist: str, seed: int | None) -> str:
        cards = [
            # In this order: ngspice 39 hands a multiplier on to calls below the one that has it alone.
            netlist.strip("\n"),
            self.library.strip("\n"),
            # Last: of an option that is given twice the later counts, and a row says what these are.
            self.options.cards(),
            # Nothing is left for ngspice to draw; if it drew, it would go on where the deck before it stopped.
            f".option seed={1 if seed is None else seed + 1}",
            ".save " + " ".join(self.save),
            self.analysis.card(),
            ".end",
        ]
        return "\n".join(card for card in cards if card) + "\n"


@dataclass(frozen=True)
class Deck:
    """One simulation.

    `netlist` holds the circuit's cards without title, analysis and `.end`; `library` the model text it needs; `save` the vectors
    to keep, as ngspice names them: `v(node)`, `i(vsource)`, `@device[parameter]`. `seed` decides the random numbers
    (`agauss`, ...); without one each is its nominal value. `values` are numbers that replace those of the netlist
    (`with_values`). `plain`: load the deck as it is, without any of the engine's short cuts. `setup`: what ngspice is told before
    it loads the deck, lines of a .spiceinit. `start` holds the voltages of its nodes at time zero, where they are known
    (`Waveforms.start`); the simulator finds them otherwise.
    """

    title: str
    netlist: str
    library: str
    analysis: Analysis
    save: tuple[str, ...]
    options: SolverOptions = SolverOptions()
    seed: int | None = None
    values: tuple[tuple[str, float], ...] = ()
    plain: bool = False
    setup: tuple[str, ...] = ()
    start: Start = ()

    def __post_init__(self) -> None:
        if not self.title.strip() or len(self.title.splitlines()) != 1:
            raise InputError(f"deck: title: must be one line of text, not {self.title!r}")
        if self.seed is not None and self.seed < 0:
            raise InputError(f"deck {self.title}: seed: must be 0 or more, not {self.seed}")
        _check_save(self.title, self.save)

    def with_values(self, values: Mapping[str, float], title: str | None = None) -> Deck:
        """The same circuit with other numbers on its top level.

        `values` names them: `element` is the value of a source, resistor, capacitor or inductor, `element[parameter]` a parameter
        of any element. Raises `InputError` for a name the netlist does not have, and for a number that is not finite.
        """
        given = {**dict(self.values), **{name.lower(): float(value) for name, value in values.items()}}
        _check_names(self.netlist, tuple(sorted(given)))
        for name, value in given.items():
            if not math.isfinite(value):
                raise InputError(f"deck {self.title}: {name}: must be a finite number, not {value}")
        return replace(self, title=title or self.title, values=tuple(sorted(given.items())))

    def with_seed(self, seed: int | None, title: str | None = None) -> Deck:
        """The same circuit with the random numbers of another seed."""
        return replace(self, title=title or self.title, seed=seed)

    def with_reltol(self, reltol: float) -> Deck:
        """The same simulation at another relative tolerance."""
        return replace(self, options=replace(self.options, reltol=reltol))

    @property
    def base(self) -> Base:
        names = tuple(name for name, _ in self.values)
        return Base(self.netlist, self.library, self.analysis, self.save, self.options, names, self.setup)

    def cards(self) -> str:
        """All lines but the title, as plain ngspice reads them."""
        return started(self._cards(), self.start)

    def _cards(self) -> str:
        netlist = netlist_values.replaced(self.netlist, self.values) if self.values else self.netlist
        cards = self.base.cards(netlist, self.seed)
        return _at_their_nominal_values(cards) if self.seed is None else cards

    def text(self) -> str:
        """The complete stand-alone deck. Run it with `ngspice -b -r out.raw DECK` beside the .spiceinit of `spiceinit(setup)`.

        One that draws random numbers comes with them in place, flat; without them where its seed makes an expression of them
        that has no value.
        """
        try:
            cards = self.whole_cards()
        except NotEvaluable:
            cards = self.cards()
        return f"{self.title}\n{cards}"

    def whole_cards(self) -> str:
        """All lines but the title, with the random numbers in place. Raises `NotEvaluable` for a seed whose numbers give none."""
        flat = flat_deck(self.base) if self.seed is not None else None
        if not (flat and flat.draws_numbers):
            return self.cards()
        return started(flat.text(flat.numbers(dict(self.values), self.seed)), self.start)

    def digest(self) -> str:
        """SHA-256 of everything that decides the result, the files it includes among it; the title does not."""
        parts = [_base_digest(self.base, _included(self.netlist, self.library)), self.values, self.seed, self.plain, self.start]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def started(cards: str, start: Start) -> str:
    """The cards of a deck with its node voltages at time zero."""
    held = "".join(f".ic v({node})={volts!r}\n" for node, volts in start)
    return cards.removesuffix(".end\n") + held + ".end\n" if held else cards


@functools.lru_cache(maxsize=256)
def _check_save(title: str, save: tuple[str, ...]) -> None:
    if not save:
        raise InputError(f"deck {title}: save: name at least one vector")
    for name in save:
        if not _SAVE.fullmatch(name):
            raise InputError(f"deck {title}: save: {name!r} is not v(node), i(source) or @device[parameter]")


@functools.lru_cache(maxsize=256)
def _check_names(netlist: str, names: tuple[str, ...]) -> None:
    netlist_values.check(netlist, names)


def flat_deck(base: Base) -> FlatDeck | None:
    """The base made flat, None if only ngspice can read it, or say what is wrong with it."""
    found = _read(base)
    return found if isinstance(found, FlatDeck) else None


def why_not_flat(base: Base) -> str:
    """What only ngspice can read, in one line; empty where the base was made flat."""
    found = _read(base)
    return found if isinstance(found, str) else ""


@functools.lru_cache(maxsize=32)
def _read(base: Base) -> FlatDeck | str:
    try:
        return flatten(base.cards(base.netlist, None), base.value_names, _is_hspice(base.setup))
    except (NotEvaluable, LookupError, ValueError, RecursionError) as error:  # a card with less on it than there should be
        return " ".join(str(error).split())[:200] or type(error).__name__


def undrawable(deck: Deck) -> str:
    """Why the random numbers of a deck cannot be those of its seed, or nominal without one, in one line; empty if they can.

    They are drawn while a deck is made flat. ngspice itself draws in the order of the cards: a device more shifts all others.
    """
    if deck.seed is None:
        drawing = next((path for path in _included_paths(deck.netlist, deck.library) if _draws(_text(path))), None)
        return f"{drawing} draws random numbers, which are nominal only in a deck that holds its cards itself" if drawing else ""
    texts = (deck.library, deck.netlist)
    why = why_not_flat(deck.base)
    if not why or not (any(map(_draws, texts)) or any(_draws(_text(path)) for path in _included_paths(*texts))):
        return ""
    return f"seed {deck.seed} means no die here: only ngspice can read the deck ({why}), and it draws in an order of its own"


def called_as_node(deck: Deck) -> str:
    """A word such as `abs(0)` where an element of the netlist has a node; empty if there is none.

    ngspice 39 refuses it, but after some other decks that define functions it does not.
    """
    return _called_as_node(deck.netlist)


@functools.lru_cache(maxsize=64)
def _called_as_node(netlist: str) -> str:
    for card in statements(netlist.splitlines()):
        words, _ = words_and_values(card.text)
        letter = card.text[0].lower()
        last = len(words) - 1 if letter == "x" else 1 + PINS[letter] if letter in "cdilmrv" else 0
        nodes = words[1:last]
        if found := next(filter(_CALL.fullmatch, nodes), ""):
            return found
    return ""


_CALL = re.compile(r"\w+\(.*")

_at_their_nominal_values = functools.lru_cache(maxsize=64)(without_spread)


@functools.lru_cache(maxsize=64)
def _draws(text: str) -> bool:
    return with_draws(text, lambda function, given: "") != text


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _is_hspice(setup: Sequence[str]) -> bool:
    """Whether ngspice is told to read decks as HSPICE does. Raises `NotEvaluable` for another dialect."""
    behaviours = {match[1].lower() for line in setup if (match := _BEHAVIOUR.match(line))}
    if behaviours - {"hs", "hsa"}:
        raise NotEvaluable(f"compatibility with {min(behaviours)}")
    return bool(behaviours)


@functools.lru_cache(maxsize=256)
def _base_digest(base: Base, included: tuple[Any, ...]) -> str:
    text = spiceinit(base.setup) + base.cards(base.netlist, None) + repr(included)
    return hashlib.sha256(text.encode()).hexdigest()


def _included(netlist: str, library: str) -> tuple[tuple[str, str], ...]:
    """Every file that a deck reads, with the digest of its content; a file that is not there has none."""
    return tuple((str(path), _file_digest(path)) for path in _included_paths(netlist, library))


@functools.lru_cache(maxsize=64)
def _included_paths(*texts: str) -> tuple[Path, ...]:
    found: list[Path] = []
    pending = [(text, Path()) for text in texts]
    while pending:
        text, folder = pending.pop()
        for match in _INCLUDE.finditer(text):
            path = folder / Path(match["path"]).expanduser()
            if path not in found and path.is_file():
                pending.append((path.read_text(encoding="utf-8", errors="replace"), path.parent))
            if path not in found:
                found.append(path)
    return tuple(found)


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
