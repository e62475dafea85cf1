"""User netlists are code: a deck can run shell commands and read any file. A cell is admitted card by card, the rest is refused.

What is admitted: devices, `.param`, `.func`, `.model`, `.global`, `.subckt`/`.ends`, comments, and `.include`/`.lib` of files
below allowed folders, which are held to the same rules and put in place of the card, so that the result is complete in itself.
What schematic and layout tools add around a cell is left out and told: outputs, the solver's options, the process's own models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cosim.simulator.netlist_cards import Card, cards_of
from cosim.texts import text_of
from netlists.names import unfit_name
from netlists.spice_text import FILE_CALLS, arguments, assignments, library_section, spice_number

# Fewest words of a card. No `a`: XSPICE code models start processes and read files.
_DEVICES = {
    "b": 4, "c": 4, "d": 4, "e": 4, "f": 5, "g": 4, "h": 5, "i": 3, "j": 5, "k": 4, "l": 4,
    "m": 6, "q": 5, "r": 4, "s": 6, "t": 5, "v": 3, "w": 5, "x": 3,
}  # fmt: skip
_MODELS = {"r", "res", "c", "l", "d", "npn", "pnp", "njf", "pjf", "nmos", "pmos", "vdmos", "vdmosn", "vdmosp", "sw", "csw"}
_CARDS = {".param": 2, ".func": 2, ".model": 3, ".global": 2, ".subckt": 2, ".ends": 1}
_FILE_ARGUMENT = re.compile(r"\bfile\s*=|`", re.IGNORECASE)
_OUTPUTS = frozenset({".save", ".print", ".plot", ".probe", ".four", ".meas", ".measure", ".width", ".temp"})
_MARKS = frozenset({".end", ".title"})
_OPTIONS = frozenset({".option", ".options", ".opt"})
_HARMLESS_OPTIONS = frozenset(
    {
        "savecurrents", "acct", "noacct", "list", "node", "nopage", "nomod", "opts", "post", "probe", "ingold", "numdgt",
        "interp", "reltol", "abstol", "vntol", "chgtol", "trtol", "pivtol", "pivrel", "gmin", "gminsteps", "srcsteps", "method",
        "maxord", "itl1", "itl2", "itl4", "itl5", "itl6", "klu", "sparse", "warn", "autostop", "seed", "measdgt", "runlvl",
    }
)  # fmt: skip
"""What is printed and how decks are solved; neither is a cell's."""


@dataclass(frozen=True)
class Brought:
    """What decks bring along whatever a cell says.

    Args:
        models: whether a file, as a card names it, is one of the process's own model files.
        parameters: names that belong to the model library, such as its switches of mismatch.
    """

    models: Callable[[str], bool] = lambda file: False
    parameters: frozenset[str] = frozenset()


@dataclass(frozen=True)
class AdmittedNetlist:
    """The cards of a cell with the files that it includes in place; what was left out; `.option scale` (m), None without one."""

    cards: list[Card]
    left_out: list[Card] = field(default_factory=list)
    scale: Card | None = None

    @property
    def text(self) -> str:
        return "".join(f"{card.text}\n" for card in self.cards)

    @property
    def scale_m(self) -> float | None:
        """What sizes are counted in, where the netlist says so."""
        return None if self.scale is None else spice_number(dict(assignments(self.scale.text))["scale"])


def admit(
    text: str, allowed_roots: Sequence[Path], source: Path | str = "netlist", brought: Brought = Brought()
) -> AdmittedNetlist:
    """The admitted cards of a user's cell, comments dropped and included files put in place.

    Relative includes start at the folder of `source`, if that is a file. Raises `InputError` naming the line and the reason.
    """
    roots = [root.resolve() for root in allowed_roots]
    path = Path(source)
    folder = path.resolve().parent if path.is_file() else (roots[0] if roots else Path("/nonexistent"))
    guard = _Guard(roots, brought)
    cards = list(guard.admitted(cards_of(text, str(source)), folder, ()))
    _check_nesting(cards)
    return AdmittedNetlist(cards, guard.left_out, guard.scale)


class _Guard:
    """Goes through the cards of all files, and notes what it leaves out."""

    def __init__(self, roots: list[Path], brought: Brought) -> None:
        self.roots = roots
        self.brought = brought
        self.left_out: list[Card] = []
        self.scale: Card | None = None

    def admitted(self, cards: Iterable[Card], folder: Path, opened: tuple[Path, ...]) -> Iterator[Card]:
        for card in cards:
            if card.keyword in FILE_CALLS:
                yield from self._included(card, folder, opened)
            elif card.keyword in _OPTIONS:
                self._note_options(card)
            elif card.keyword == ".param":
                yield from self._own_parameters(card)
            elif card.keyword in _OUTPUTS:
                self.left_out.append(card)
            elif card.keyword not in _MARKS:
                _check(card)
                yield card

    def _note_options(self, card: Card) -> None:
        given = dict(assignments(card.text))
        names = [word.partition("=")[0].lower() for word in re.sub(r"\s*=\s*", "=", card.text).split()[1:]]
        if others := [name for name in names if name not in _HARMLESS_OPTIONS | {"scale"}]:
            raise card.refuse(f"{card.keyword} {others[0]} is not allowed in a cell; leave it out")
        if "scale" not in given:
            self.left_out.append(card)
            return
        try:
            value = spice_number(given["scale"])
        except ValueError as error:
            raise card.refuse(f"scale: {error}; give the length in metres that sizes are counted in") from error
        if value <= 0 or (self.scale and spice_number(dict(assignments(self.scale.text))["scale"]) != value):
            raise card.refuse("scale: must be one positive length in metres for the whole cell")
        self.scale = card

    def _own_parameters(self, card: Card) -> Iterator[Card]:
        """A `.param` without what belongs to the library."""
        given = assignments(card.text)
        kept = [(name, value) for name, value in given if name not in self.brought.parameters]
        if len(kept) < len(given):
            self.left_out.append(card)
            card = Card(card.source, card.line, " ".join([".param", *(f"{name}={value}" for name, value in kept)]))
        if kept or not given:
            _check(card)
            yield card

    def _included(self, card: Card, folder: Path, opened: tuple[Path, ...]) -> Iterator[Card]:
        named, wanted = arguments(card.text), FILE_CALLS[card.keyword]
        if named and self.brought.models(named[0]):
            self.left_out.append(card)
            return
        if len(named) != wanted:
            raise card.refuse(f"{card.words[0]} needs a file" + (" and a section" if wanted > 1 else ""))
        path = (folder / named[0]).resolve()
        if not any(path.is_relative_to(root) for root in self.roots):
            raise card.refuse(f"{path} lies outside the folders that a cell may include from; copy it beside the cell")
        if path in opened:
            raise card.refuse(f"{path} includes itself")
        if not path.is_file():
            raise card.refuse(f"{path} is not a file")
        try:
            cards = cards_of(text_of(path), str(path))
        except OSError as error:
            raise card.refuse(f"{path} cannot be read: {error}") from error
        section = library_section(cards, named[1]) if wanted > 1 else cards
        if section is None:
            raise card.refuse(f"the library has no section {named[1].lower()}")
        yield from self.admitted(section, path.parent, (*opened, path))


def _check(card: Card) -> None:
    keyword = card.keyword
    if _FILE_ARGUMENT.search(card.text):
        raise card.refuse("a cell reads no files and runs no commands")
    if (name := unfit_name(card.text)) is not None:
        raise card.refuse(f"{name!r} is not a name; letters, digits and . _ : # / $ [ ] may stand in one; rename it")
    if keyword.startswith("."):
        if keyword not in _CARDS:
            raise card.refuse(f"{keyword} is not allowed in a cell; it may hold devices, {', '.join(_CARDS)}, .include and .lib")
        _check_length(card, _CARDS[keyword])
        if keyword == ".model":
            _check_model(card)
    elif keyword[0] not in _DEVICES:
        what = "; a call of a sub-circuit begins with X" if keyword[0] == "u" else ""
        raise card.refuse(f"{card.words[0]!r} is not a device that a cell may hold{what}")
    else:
        _check_length(card, _DEVICES[keyword[0]])


def _check_length(card: Card, fewest: int) -> None:
    if len(card.words) < fewest:
        raise card.refuse(f"{card.words[0]} has {len(card.words)} words; it needs at least {fewest}")


def _check_model(card: Card) -> None:
    kind = card.words[2].partition("(")[0].lower()
    if kind not in _MODELS:
        raise card.refuse(f"a model of type {kind!r} is not allowed; allowed are {', '.join(sorted(_MODELS))}")


def _check_nesting(cards: list[Card]) -> None:
    opened: list[Card] = []
    for card in cards:
        if card.keyword == ".subckt":
            opened.append(card)
        elif card.keyword == ".ends":
            if not opened:
                raise card.refuse(".ends without a .subckt")
            opened.pop()
    if opened:
        raise opened[-1].refuse(f"sub-circuit {opened[-1].words[1]} is not closed by .ends")
