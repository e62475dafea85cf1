"""Read one corner of a SPICE model library: follow its includes."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from netlists.errors import LibraryError
from netlists.spice_text import Statement, arguments, calls_file, library_section, statements

_MOST_BYTES = 1 << 30
_REMARK = re.compile(r"(^|\s)\$(\s.*|$)")


def read_netlist(netlist: Path, brought: Callable[[str], bool]) -> list[Statement]:
    """The statements of a netlist with what it includes in place, its title and `.control` blocks left out.

    Files that are `brought` otherwise, such as models, are not read. Raises `LibraryError`, also for an include that is missing.
    """
    source = _Source(None, (), brought)
    try:
        return [inner for statement in source.netlist(netlist) for inner in source.expand(statement, netlist)]
    except RecursionError:
        raise LibraryError(f"{netlist}: includes itself") from None


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
    """The files of a library; each is read once, however many of its sections are taken in.

    With `left_out` they are those of a netlist: it says which files are not read; commands and remarks are none of the circuit.
    """

    def __init__(self, root: Path | None, within: Sequence[Path], left_out: Callable[[str], bool] | None = None) -> None:
        self.root = root
        self.within = within
        self.left_out = left_out
        self.read: dict[Path, list[Statement]] = {}

    def section(self, library: Path, section: str) -> Iterator[Statement]:
        found = library_section(self._statements(library), section)
        if found is None:
            there = sorted({one.words[1] for one in self._statements(library) if one.words[0] == ".lib" and len(one.words) == 2})
            has = f"; it has {', '.join(there)}" if there else ""
            raise LibraryError(f"{library}: no section {section!r} in this model library{has}")
        for statement in found:
            yield from self.expand(statement, library)

    def netlist(self, path: Path) -> list[Statement]:
        """The statements of a netlist itself."""
        title, *lines = [*self._lines(path), ""]
        # A part of a netlist has no title: its first line is a card, or an element with its sizes.
        return list(statements([title, *lines] if title.lstrip().startswith(".") or "=" in title else lines))

    def expand(self, statement: Statement, origin: Path) -> Iterator[Statement]:
        if not calls_file(statement):
            if statement.words[0] != ".end":
                yield statement
            return
        name, *section = arguments(statement.text)
        if self.left_out and self.left_out(name):
            return
        path = self._place(name, origin)
        if statement.words[0] == ".lib":
            yield from self.section(path, section[0])
        else:
            for inner in self._statements(path):
                yield from self.expand(inner, path)

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
            self.read[file] = list(statements(self._lines(path)))
        return self.read[file]

    def _lines(self, path: Path) -> list[str]:
        try:
            lines = _text(path).splitlines()
        except OSError as error:
            raise LibraryError(f"{path}: cannot be read: {error.strerror}") from error
        return lines if self.left_out is None else list(_outside_control(_REMARK.sub("", line) for line in lines))


def _outside_control(lines: Iterable[str]) -> Iterator[str]:
    """Lines that are circuit, not commands."""
    inside = False
    for line in lines:
        word = line.strip().lower()
        inside = (inside or word.startswith(".control")) and not word.startswith(".endc")
        if not inside and not word.startswith(".endc"):
            yield line


def _text(path: Path) -> str:
    """Raises `OSError`, also for a device, which never ends, and for a file that is larger than any library."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is not a file")
    if path.stat().st_size > _MOST_BYTES:
        raise OSError(errno.EFBIG, f"has more than the {_MOST_BYTES >> 20} MB of any model library")
    return path.read_text(encoding="utf-8", errors="replace")
