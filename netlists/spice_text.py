"""SPICE as text: numbers, statements, definitions and calls of other files. Nothing here simulates or needs PySpice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
"""Pattern of a number without sign and scale factor, in lower case."""

SCALE_FACTOR = "meg|mil|[tgkmunpfa]"
"""Pattern of what may follow a number at once; letters behind it, such as a unit, say nothing."""

SCALE = {
    "": 1.0, "t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "mil": 25.4e-6, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15,
    "a": 1e-18,
}  # fmt: skip

DRAWING = {"agauss": 3, "gauss": 3, "aunif": 2, "unif": 2, "limit": 2}
"""Functions that draw a random number around their first argument -> how many arguments each takes."""

FILE_CALLS = {".include": 1, ".inc": 1, ".lib": 2}
"""Keyword of a card that calls for a file -> its arguments: the file, and of a library the section."""

_SIGNED_NUMBER = re.compile(rf"([+-]?{NUMBER})({SCALE_FACTOR})?[a-z]*", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_ASSIGNMENT = re.compile(r"([a-z_]\w*)\s*=(?!=)\s*", re.IGNORECASE)
_QUOTED = re.compile(r"\{[^{}]*\}|'[^']*'|\"[^\"]*\"")
_ARGUMENT = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")
_WORD = re.compile(r"\{[^{}]*\}|'[^']*'|\S+")
_DRAW = re.compile(rf"\b({'|'.join(sorted(DRAWING))})\s*\(", re.IGNORECASE)
_BIN_SUFFIX = re.compile(r"\.\d+$")


def spice_number(text: str) -> float:
    """The value of a SPICE number with an optional scale factor (`1.5u`, `2meg`, `10pF`). Raises ValueError."""
    match = _SIGNED_NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a number")
    mantissa, factor = match.groups()
    return float(mantissa) * SCALE[(factor or "").lower()]


def assignments(text: str) -> list[tuple[str, str]]:
    """The `name = value` pairs of a statement in their order, values as written, names in lower case."""
    if "=" not in text:  # as in the long cards of sources
        return []
    # Quoted expressions may hold a comparison or spaces: blank them out while looking for the names.
    masked = _QUOTED.sub(lambda match: "#" * len(match.group()), text)
    found = list(_ASSIGNMENT.finditer(masked))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return [(match[1].lower(), text[match.end() : end].strip()) for match, end in zip(found, ends, strict=False)]


def words_and_values(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The words of an element before its first `name = value`, quoted expressions whole, and these pairs."""
    first = _ASSIGNMENT.search(_QUOTED.sub(lambda match: "#" * len(match.group()), text)) if "=" in text else None
    words = _WORD.findall(text[: first.start()] if first else text)
    return [word for word in words if word.lower() != "params:"], assignments(text)


def with_draws(text: str, written: Callable[[str, list[str]], str]) -> str:
    """The text with each draw of a random number as `written` puts it, of the function's name and its arguments."""
    parts, position = [], 0
    while match := _DRAW.search(text, position):
        found = _call_arguments(text, match.end())
        if found is None:
            break
        given, end = found
        parts += [text[position : match.start()], written(match[1].lower(), [with_draws(one, written) for one in given])]
        position = end
    return "".join([*parts, text[position:]])


def without_spread(text: str) -> str:
    """The text in which every random number is its nominal value, the first argument of what draws it.

    The functions stay: what ngspice makes of a parameter depends on whether it draws.
    """
    return with_draws(text, lambda function, given: f"{function}({','.join([*given[:1], '0', '1'][: DRAWING[function]])})")


def _call_arguments(text: str, start: int) -> tuple[list[str], int] | None:
    """The arguments of a call that begin at `start`, and where it ends; None if it does not."""
    given, depth, begins = list[str](), 1, start
    for at in range(start, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0 or (depth == 1 and text[at] == ","):
            given.append(text[begins:at].strip())
            begins = at + 1
        if depth == 0:
            return given, at + 1
    return None


@dataclass(frozen=True)
class Statement:
    """One statement as written, continuation lines included, comments and blank lines left out."""

    lines: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """The statement in one line."""
        return " ".join([self.lines[0], *(line.lstrip()[1:] for line in self.lines[1:])])

    @cached_property
    def words(self) -> list[str]:
        """The first three words in lower case: keyword, name, type."""
        return self.text.lower().split(maxsplit=3)[:3]

    @cached_property
    def parts(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Its words and values, as `words_and_values` finds them; to be read alone."""
        return words_and_values(self.text)

    @property
    def names(self) -> frozenset[str]:
        """Every identifier in it, in lower case."""
        return frozenset(_IDENTIFIER.findall(self.text.lower()))


@dataclass(frozen=True)
class Definition:
    """One top-level item of a library: a parameter, a model or a sub-circuit; `name` is empty for any other statement."""

    name: str
    statements: tuple[Statement, ...]

    @property
    def is_parameter(self) -> bool:
        """Whether it is a `.param`."""
        return self.statements[0].words[0] == ".param"

    @property
    def is_subcircuit(self) -> bool:
        """Whether it is a `.subckt` with its body."""
        return self.statements[0].words[0] == ".subckt"

    @property
    def names(self) -> frozenset[str]:
        """Every identifier in it, in lower case."""
        return frozenset().union(*(statement.names for statement in self.statements))


def statements(lines: Iterable[str]) -> Iterator[Statement]:
    """Join continuation lines; drop comments and blank lines (a comment may stand between continuation lines)."""
    pending: list[str] = []
    for raw in lines:
        line = raw.partition(";")[0].strip()
        if not line or line[0] == "*" or line == "+":
            continue
        if line[0] == "+" and pending:
            pending.append(line)
            continue
        if pending:
            yield Statement(tuple(pending))
        pending = [line]
    if pending:
        yield Statement(tuple(pending))


def model_name(statement: Statement) -> str:
    """The name that devices call a `.model` by: without the number of its bin."""
    return _BIN_SUFFIX.sub("", statement.words[1])


def definitions(source: Iterable[Statement]) -> list[Definition]:
    """The top-level items in their order; a `.param` statement with several assignments gives one item for each."""
    found: list[Definition] = []
    body: list[Statement] = []
    depth = 0
    for statement in source:
        keyword = statement.words[0]
        depth += (keyword == ".subckt") - (keyword == ".ends")
        if depth or keyword == ".ends":
            body.append(statement)
        elif keyword == ".param":
            found += _parameters(statement)
        else:
            found.append(Definition(model_name(statement) if keyword == ".model" else "", (statement,)))
        if body and not depth:
            found.append(Definition(body[0].words[1], tuple(body)))
            body = []
    return found


def _parameters(statement: Statement) -> list[Definition]:
    return [Definition(name, (Statement((f".param {name} = {value}",)),)) for name, value in assignments(statement.text)]


class Card(Protocol):
    """One logical line; `words` are its words, in any case of letters, at least the first three."""

    @property
    def text(self) -> str: ...

    @property
    def words(self) -> Sequence[str]: ...


AnyCard = TypeVar("AnyCard", bound=Card)


def calls_file(card: Card) -> bool:
    """Whether it stands for the cards of a file."""
    return len(card.words) > FILE_CALLS.get(card.words[0].lower(), len(card.words))


def arguments(text: str) -> list[str]:
    """The words of a card behind its keyword; quotes hold words together and fall away."""
    return [word.strip("\"'") for word in _ARGUMENT.findall(text)[1:]]


def library_section(cards: Iterable[AnyCard], name: str) -> list[AnyCard] | None:
    """The cards between `.lib NAME` and `.endl`, of all places that hold the section; None if there is no such section."""
    section: list[AnyCard] = []
    inside = found = False
    for card in cards:
        keyword = card.words[0].lower()
        if keyword == ".lib" and len(card.words) == 2:
            inside = card.words[1].lower() == name.lower()
            found |= inside
        elif keyword == ".endl":
            inside = False
        elif inside:
            section.append(card)
    return section if found else None
