"""Read one corner of a SPICE model library: follow its includes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from netlists.errors import LibraryError
from netlists.spice_text import Statement, arguments, calls_file, library_section, statements


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
    found = library_section(_read(library, files), section)
    if found is None:
        raise LibraryError(f"{library}: no section {section!r} in this model library")
    for statement in found:
        yield from _expand(statement, library, files)


def _expand(statement: Statement, origin: Path, files: list[Path]) -> Iterator[Statement]:
    if not calls_file(statement):
        if statement.words[0] != ".end":
            yield statement
        return
    name, *section = arguments(statement.text)
    path = origin.parent / name
    if statement.words[0] == ".lib":
        yield from _section(path, section[0], files)
    else:
        for inner in _read(path, files):
            yield from _expand(inner, path, files)


def _read(path: Path, files: list[Path]) -> list[Statement]:
    files.append(path.resolve())
    try:
        return list(statements(path.read_text(encoding="utf-8", errors="replace").splitlines()))
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read: {error.strerror}") from error
