"""A user's netlist as logical lines, whatever wrote it: tabs, comments, the header that xschem comments out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cosim.errors import InputError

_LONGEST = 50_000
"""Characters of a card, continuations included."""
_BLANKS = str.maketrans(dict.fromkeys("\t\f\v\xa0", " "))
_COMMENT = ("*", "$", "//", "#")
_END_OF_LINE_COMMENT = re.compile(r";.*|\s(?:\$|//)(?:\s.*)?$|\s\*\*FLOATING.*$")
_SUBCIRCUIT = re.compile(r"^\s*\.subckt\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_COMMENTED_HEADER = re.compile(r"^\*\*?(?P<header>\.subckt\s+(?P<name>\S+).*)$", re.IGNORECASE)
_COMMENTED_END = re.compile(r"^\*\*?(?P<end>\.ends\b.*)$", re.IGNORECASE)


@dataclass(frozen=True)
class Card:
    """One logical line (continuations joined, comments dropped) and where it starts."""

    source: str
    line: int
    text: str

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def keyword(self) -> str:
        """The first word, in lower case."""
        return self.words[0].lower()

    def refuse(self, why: str) -> InputError:
        return InputError(f"{self.source}:{self.line}: {why}")


def cards_of(text: str, source: str) -> list[Card]:
    """The logical lines of a netlist. `*#` would be run as a command, so no comment is kept.

    Raises `InputError` for a character that no card holds, and for a continuation of nothing.
    """
    cards: list[Card] = []
    for number, line in _with_headers(text):
        if not line:
            continue
        if len(line) > _LONGEST:
            raise InputError(f"{source}:{number}: has {len(line)} characters; no card has more than {_LONGEST}")
        if not line.isprintable():
            raise InputError(f"{source}:{number}: holds a control character")
        if not line.isascii():
            other = next(letter for letter in line if not letter.isascii())
            raise InputError(f"{source}:{number}: holds {other!r}; a card is written in plain ASCII (u for micro)")
        if line.startswith("+"):
            if not cards:
                raise InputError(f"{source}:{number}: continues a line, but there is none before it")
            cards[-1] = Card(source, cards[-1].line, f"{cards[-1].text} {line[1:].strip()}".rstrip())
            if len(cards[-1].text) > _LONGEST:
                raise cards[-1].refuse(f"goes on for more than {_LONGEST} characters, more than any card")
        else:
            cards.append(Card(source, number, line))
    return cards


def _with_headers(text: str) -> list[tuple[int, str]]:
    """Numbered lines without comments; `**.subckt` of an exported top level, `*+` and `**.ends` are what they were."""
    defined = {name.lower() for name in _SUBCIRCUIT.findall(text)}
    lines: list[tuple[int, str]] = []
    inside = in_header = False
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.translate(_BLANKS).strip()
        if (header := _COMMENTED_HEADER.match(line)) and header["name"].lower() not in defined:
            line, inside, in_header = header["header"], True, True
        elif inside and (end := _COMMENTED_END.match(line)):
            line, inside, in_header = end["end"], False, False
        elif in_header and line.startswith("*+"):
            line = line[1:]
        elif not line.startswith("+"):
            in_header = False
        lines.append((number, "" if line.startswith(_COMMENT) else _END_OF_LINE_COMMENT.sub("", line).strip()))
    return lines
