"""Read one corner of a SPICE model library: follow its includes and split it into statements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from netlists.errors import LibraryError

_SUFFIX = {
    "t": 1e12,
    "g": 1e9,
    "meg": 1e6,
    "k": 1e3,
    "mil": 25.4e-6,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
    "a": 1e-18,
}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(meg|mil|[tgkmunpfa])?[a-z]*", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_ASSIGNMENT = re.compile(r"([a-z_]\w*)\s*=(?!=)\s*", re.IGNORECASE)
_QUOTED = re.compile(r"\{[^{}]*\}|'[^']*'|\"[^\"]*\"")
_BIN_SUFFIX = re.compile(r"\.\d+$")


def spice_number(text: str) -> float:
    """The value of a SPICE number with an optional scale factor (`1.5u`, `2meg`, `10pF`). Raises ValueError."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a number")
    mantissa, suffix = match.groups()
    return float(mantissa) * (_SUFFIX[suffix.lower()] if suffix else 1.0)


def assignments(text: str) -> list[tuple[str, str]]:
    """The `name = value` pairs of a statement in their order, values as written, names in lower case."""
    # Quoted expressions may hold a comparison or spaces: blank them out while looking for the names.
    masked = _QUOTED.sub(lambda match: "#" * len(match.group()), text)
    found = list(_ASSIGNMENT.finditer(masked))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return [(match[1].lower(), text[match.end() : end].strip()) for match, end in zip(found, ends, strict=False)]


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


def read_section(library: Path, section: str) -> tuple[list[Statement], list[Path]]:
    """The statements of one `.lib` section with every include in place, and the files they come from.

    Raises `LibraryError` if a file cannot be read or the section does not exist.
    """
    files: list[Path] = []
    try:
        return list(_section(library, section, files)), sorted(set(files))
    except RecursionError:
        raise LibraryError(f"{library}: section {section!r} includes itself") from None


def _section(library: Path, section: str, files: list[Path]) -> Iterator[Statement]:
    inside = found = False
    for statement in _read(library, files):
        words = statement.words
        if words[0] == ".lib" and len(words) == 2:
            inside = words[1] == section.lower()
            found |= inside
        elif words[0] == ".endl":
            inside = False
        elif inside:
            yield from _expand(statement, library, files)
    if not found:
        raise LibraryError(f"{library}: no section {section!r} in this model library")


def _expand(statement: Statement, origin: Path, files: list[Path]) -> Iterator[Statement]:
    keyword = statement.words[0]
    arguments = [argument.strip("\"'") for argument in statement.text.split()[1:]]
    if keyword in (".include", ".inc"):
        path = origin.parent / arguments[0]
        for inner in _read(path, files):
            yield from _expand(inner, path, files)
    elif keyword == ".lib" and len(arguments) > 1:
        yield from _section(origin.parent / arguments[0], arguments[1], files)
    elif keyword != ".end":
        yield statement


def _read(path: Path, files: list[Path]) -> list[Statement]:
    files.append(path.resolve())
    try:
        return list(statements(path.read_text(encoding="utf-8", errors="replace").splitlines()))
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read: {error.strerror}") from error
