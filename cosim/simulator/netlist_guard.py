"""User netlists are code: a deck can run shell commands and read any file. A cell is admitted card by card, the rest is refused.

What is admitted: devices, `.param`, `.func`, `.model`, `.global`, `.subckt`/`.ends`, comments, and `.include`/`.lib` of files
below allowed folders, which are held to the same rules and put in place of the card, so that the result is complete in itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosim.errors import InputError
from netlists.spice_text import FILE_CALLS, arguments, library_section

# Fewest words of a card. No `a`: XSPICE code models start processes and read files.
_DEVICES = {
    "b": 4, "c": 4, "d": 4, "e": 4, "f": 5, "g": 4, "h": 5, "i": 3, "j": 5, "k": 4, "l": 4,
    "m": 6, "q": 5, "r": 4, "s": 6, "t": 5, "v": 3, "w": 5, "x": 3,
}  # fmt: skip
_MODELS = {"r", "res", "c", "l", "d", "npn", "pnp", "njf", "pjf", "nmos", "pmos", "vdmos", "vdmosn", "vdmosp", "sw", "csw"}
_CARDS = {".param": 2, ".func": 2, ".model": 3, ".global": 2, ".subckt": 2, ".ends": 1}
_FILE_ARGUMENT = re.compile(r"\bfile\s*=|`", re.IGNORECASE)


@dataclass(frozen=True)
class _Card:
    """One logical line (continuations joined) and where it starts."""

    source: str
    line: int
    text: str

    def refuse(self, why: str) -> InputError:
        return InputError(f"{self.source}:{self.line}: {why}")

    @property
    def words(self) -> list[str]:
        return self.text.split()


def check_cell_netlist(text: str, allowed_roots: Sequence[Path], source: Path | str = "netlist") -> str:
    """The admitted cards of a user's cell, comments dropped and included files put in place.

    Relative includes start at the folder of `source`, if that is a file. Raises `InputError` naming the line and the reason.
    """
    roots = [root.resolve() for root in allowed_roots]
    path = Path(source)
    folder = path.resolve().parent if path.is_file() else (roots[0] if roots else Path("/nonexistent"))
    cards = list(_admitted(_cards(text, str(source)), roots, folder, ()))
    _check_nesting(cards)
    return "".join(f"{card.text}\n" for card in cards)


def _cards(text: str, source: str) -> list[_Card]:
    """Logical lines without comments; `*#` would be run as a command, so no comment is kept."""
    cards: list[_Card] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.partition(";")[0].strip()
        if not line or line.startswith(("*", "$", "//", "#")):
            continue
        if not line.isprintable():
            raise InputError(f"{source}:{number}: holds a control character")
        if line.startswith("+"):
            if not cards:
                raise InputError(f"{source}:{number}: continues a line, but there is none before it")
            cards[-1] = _Card(source, cards[-1].line, f"{cards[-1].text} {line[1:].strip()}")
        else:
            cards.append(_Card(source, number, line))
    return cards


def _admitted(cards: Iterable[_Card], roots: list[Path], folder: Path, opened: tuple[Path, ...]) -> Iterator[_Card]:
    for card in cards:
        keyword = card.words[0].lower()
        if keyword in FILE_CALLS:
            yield from _included(card, roots, folder, opened)
        else:
            _check(card, keyword)
            yield card


def _check(card: _Card, keyword: str) -> None:
    if _FILE_ARGUMENT.search(card.text):
        raise card.refuse("a cell reads no files and runs no commands")
    if keyword.startswith("."):
        if keyword not in _CARDS:
            raise card.refuse(f"{keyword} is not allowed in a cell; it may hold devices, {', '.join(_CARDS)}, .include and .lib")
        _check_length(card, _CARDS[keyword])
        if keyword == ".model":
            _check_model(card)
    elif keyword[0] not in _DEVICES:
        raise card.refuse(f"{card.words[0]!r} is not a device that a cell may hold")
    else:
        _check_length(card, _DEVICES[keyword[0]])


def _check_length(card: _Card, fewest: int) -> None:
    if len(card.words) < fewest:
        raise card.refuse(f"{card.words[0]} has {len(card.words)} words; it needs at least {fewest}")


def _check_model(card: _Card) -> None:
    kind = card.words[2].partition("(")[0].lower()
    if kind not in _MODELS:
        raise card.refuse(f"a model of type {kind!r} is not allowed; allowed are {', '.join(sorted(_MODELS))}")


def _included(card: _Card, roots: list[Path], folder: Path, opened: tuple[Path, ...]) -> Iterator[_Card]:
    named, wanted = arguments(card.text), FILE_CALLS[card.words[0].lower()]
    if len(named) != wanted:
        raise card.refuse(f"{card.words[0]} needs a file" + (" and a section" if wanted > 1 else ""))
    path = (folder / named[0]).resolve()
    if not any(path.is_relative_to(root) for root in roots):
        raise card.refuse(f"{path} lies outside the folders that a cell may include from")
    if path in opened:
        raise card.refuse(f"{path} includes itself")
    if not path.is_file():
        raise card.refuse(f"{path} is not a file")
    try:
        cards = _cards(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise card.refuse(f"{path} cannot be read as text: {error}") from error
    section = library_section(cards, named[1]) if wanted > 1 else cards
    if section is None:
        raise card.refuse(f"the library has no section {named[1].lower()}")
    yield from _admitted(section, roots, path.parent, (*opened, path))


def _check_nesting(cards: list[_Card]) -> None:
    opened: list[_Card] = []
    for card in cards:
        keyword = card.words[0].lower()
        if keyword == ".subckt":
            opened.append(card)
        elif keyword == ".ends":
            if not opened:
                raise card.refuse(".ends without a .subckt")
            opened.pop()
    if opened:
        raise opened[-1].refuse(f"sub-circuit {opened[-1].words[1]} is not closed by .ends")
