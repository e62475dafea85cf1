"""The source that decides what a piece of work gives: every module that its imports reach, and the data files beside them.

Imports are read off the syntax tree, those inside functions too, so nothing is imported to know them. What only a type checker
imports does not count. An import whose name is not written out (an entry point) cannot be seen: who resolves one names the module
it leads to as one more root, as `cosim.pipeline.stages.roots` does for the cells of a design.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cosim import version
from cosim.version import ROOT

ROOMS = ("cosim", *version.ROOMS)
_LAST_IMPORT = re.compile(rb"\b(?:import\b[^\n(]*(?:\([^)]*\))?|import_module\b|__import__\b)[^\n]*")
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")


class SourceTree:
    """Modules of the rooms below one folder; each file is looked for, read and parsed once."""

    def __init__(self, root: Path = ROOT, rooms: Iterable[str] = ROOMS) -> None:
        self._folders: dict[str, Path | None] = dict.fromkeys(rooms, root)
        self._indexed: set[str] = set()
        self._sources: dict[str, Path] = {}
        self._data: dict[str, list[Path]] = {}
        self._imported: dict[str, frozenset[str]] = {}
        self._digests: dict[Path, str] = {}

    def closure(self, roots: Iterable[str]) -> frozenset[str]:
        """Names of the modules that are imported where `roots` are, themselves and their packages included."""
        found: set[str] = set()
        waiting = [package for name in roots for package in _with_packages(name)]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._imports(name)
        return frozenset(found)

    def modules_in(self, package: str) -> list[str]:
        """The modules right in a package."""
        self._knows(package)
        return sorted(name for name in self._sources if name.rpartition(".")[0] == package)

    def files(self, roots: Iterable[str]) -> list[Path]:
        """The files of the closure: sources, and what lies beside the packages that is no source (templates, tables)."""
        found = sorted(self.closure(roots))
        sources = [self._sources[name] for name in found if name in self._sources]
        return [*sources, *(data for name in found for data in self._data.get(name, ()))]

    def digest(self, roots: Iterable[str]) -> str:
        """SHA-256 of the closure; never the same twice where a root has no source to be found, as in a notebook."""
        roots = tuple(roots)
        digest = hashlib.sha256("\n".join(sorted(self.closure(roots))).encode())
        for file in self.files(roots):
            digest.update(f"{file.parent.name}/{file.name} {self._digest(file)}\n".encode())
        if not all(map(self._knows, roots)):
            digest.update(os.urandom(16))
        return digest.hexdigest()

    def _digest(self, file: Path) -> str:
        if file not in self._digests:
            self._digests[file] = hashlib.sha256(file.read_bytes()).hexdigest()
        return self._digests[file]

    def _imports(self, name: str) -> frozenset[str]:
        """Modules of the known rooms that a module imports, with their packages."""
        if name not in self._imported:
            names: tuple[str, ...] = ()
            if self._knows(name):
                source = self._sources[name]
                names = _named(source.read_bytes(), name, source.name == "__init__.py")
            own = [one for one in names if one.partition(".")[0] in self._folders and self._knows(one)]
            self._imported[name] = frozenset(package for one in own for package in _with_packages(one))
        return self._imported[name]

    def _knows(self, name: str) -> bool:
        """Whether a name is that of a module with a source, and not of what a module defines."""
        top = name.partition(".")[0]
        if top not in self._indexed:
            self._indexed.add(top)
            folder = self._folders.setdefault(top, _folder_of(top))
            if folder is not None:
                self._index(top, folder)
        return name in self._sources

    def _index(self, top: str, folder: Path) -> None:
        """Note the source of a module, or what there is in a package."""
        if (folder / f"{top}.py").is_file():
            self._sources[top] = folder / f"{top}.py"
        if (folder / top / "__init__.py").is_file():
            self._index_folder(top, folder / top, top)

    def _index_folder(self, name: str, folder: Path, package: str) -> None:
        """Sources by the name they are imported by; other files belong to `package`, the nearest that is one."""
        if (folder / "__init__.py").is_file():
            self._sources[name], package = folder / "__init__.py", name
        for entry in sorted(folder.iterdir()):
            if entry.name.startswith((".", "__")):
                continue
            if entry.suffix == ".py":
                self._sources.setdefault(f"{name}.{entry.stem}", entry)
            elif entry.is_dir():
                self._index_folder(f"{name}.{entry.name}", entry, package)
            elif entry.suffix != ".pyc":
                self._data.setdefault(package, []).append(entry)


@functools.cache
def own_sources() -> SourceTree:
    """The code that runs here."""
    return SourceTree()


def _with_packages(name: str) -> Iterator[str]:
    """`a`, `a.b`, `a.b.c` for a.b.c: who imports a module runs its packages."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _folder_of(top: str) -> Path | None:
    """Where a package from elsewhere lies, an extension's: the folder that holds it."""
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a notebook or a script
        return None
    path = Path(spec.origin) if spec and spec.has_location and spec.origin else None
    return path and (path.parent.parent if path.name == "__init__.py" else path.parent)


@functools.cache
def _named(source: bytes, module: str, is_package: bool) -> tuple[str, ...]:
    """What a module's import statements name; of `from a import b` both `a` and `a.b`, which may be a module."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    return tuple(name for node in _import_nodes(source) for name in _names_of(node, package))


def _names_of(node: ast.stmt | ast.Call, package: list[str]) -> Iterator[str]:
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom():
            above = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (origin, *(f"{origin}.{alias.name}" for alias in node.names))
        case ast.Call(args=[ast.Constant(value=str(name)), *_]):
            yield name


def _import_nodes(source: bytes) -> Iterator[ast.stmt | ast.Call]:
    """Import statements, and calls of `import_module` and `__import__`, that are carried out."""
    waiting: list[ast.AST] = list(_tree(source).body)
    by_call = b"import_module" in source or b"__import__" in source
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting += node.orelse
        elif by_call:
            waiting += ast.iter_child_nodes(node)
            if isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
                yield node
        else:
            waiting += [inner for name in _BODIES for inner in _statements(node, name)]


def _statements(node: ast.AST, field: str) -> list[ast.AST]:
    inner = getattr(node, field, ())
    return inner if isinstance(inner, list) else []  # the body of a lambda is an expression


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "id", getattr(node.func, "attr", "")))


def _tree(source: bytes) -> ast.Module:
    """The syntax tree as far as there are imports: most modules have theirs at the top, and parsing is what takes the time."""
    last = max((match.end() for match in _LAST_IMPORT.finditer(source)), default=0)
    try:
        return ast.parse(source[:last])
    except SyntaxError:  # cut inside a statement or a text
        return ast.parse(source)
