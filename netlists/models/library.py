"""Read one corner of a SPICE model library: follow its includes."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from pathlib import Path

from netlists.errors import LibraryError
from netlists.spice_text import Statement, arguments, calls_file, library_section, statements

_MOST_BYTES = 1 << 30


def read_section(
    library: Path, section: str, root: Path | None = None, within: Sequence[Path] = ()
) -> tuple[list[Statement], list[Path]]:
    """The statements of one `.lib` section with every include in place, and the files they come from.

    An included file that does not lie beside the one that names it is looked for in `root`. Where `within` is given, each must
    lie below one of these folders. Raises `LibraryError` if a file cannot be read or the section does not exist.
    """
    source = _Source(root, [folder.resolve() for folder in within])
    try:
        return list(source.section(library, section)), sorted(source.read)
    except RecursionError:
        raise LibraryError(f"{library}: section {section!r} includes itself") from None


class _Source:
    """The files of a library; each is read once, however many of its sections are taken in."""

    def __init__(self, root: Path | None, within: Sequence[Path]) -> None:
        self.root = root
        self.within = within
        self.read: dict[Path, list[Statement]] = {}

    def section(self, library: Path, section: str) -> Iterator[Statement]:
        found = library_section(self._statements(library), section)
        if found is None:
            raise LibraryError(f"{library}: no section {section!r} in this model library")
        for statement in found:
            yield from self._expand(statement, library)

    def _expand(self, statement: Statement, origin: Path) -> Iterator[Statement]:
        if not calls_file(statement):
            if statement.words[0] != ".end":
                yield statement
            return
        name, *section = arguments(statement.text)
        path = self._place(name, origin)
        if statement.words[0] == ".lib":
            yield from self.section(path, section[0])
        else:
            for inner in self._statements(path):
                yield from self._expand(inner, path)

    def _place(self, name: str, origin: Path) -> Path:
        beside = origin.parent / name
        elsewhere = self.root / name if self.root else beside
        return elsewhere if elsewhere.is_file() and not beside.is_file() else beside

    def _statements(self, path: Path) -> list[Statement]:
        file = path.resolve()
        if self.within and not any(file.is_relative_to(folder) for folder in self.within):
            raise LibraryError(
                f"{path}: lies neither below the folder of your model library nor below the installed process; copy it beside "
                "the library"
            )
        if file not in self.read:
            try:
                self.read[file] = list(statements(_text(path).splitlines()))
            except OSError as error:
                raise LibraryError(f"{path}: cannot be read: {error.strerror}") from error
        return self.read[file]


def _text(path: Path) -> str:
    """Raises `OSError`, also for a device, which never ends, and for a file that is larger than any library."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is not a file")
    if path.stat().st_size > _MOST_BYTES:
        raise OSError(errno.EFBIG, f"has more than the {_MOST_BYTES >> 20} MB of any model library")
    return path.read_text(encoding="utf-8", errors="replace")
