"""Texts made from model libraries, kept on disk for as long as no file of the library changes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import platformdirs

_FOLDER_VARIABLE = "COSIM_CACHE"


def folder() -> Path:
    """Where the cache lies: `COSIM_CACHE` if set, else the user's cache folder."""
    configured = os.environ.get(_FOLDER_VARIABLE)
    return Path(configured).expanduser() if configured else platformdirs.user_cache_path("cosim")


def text(library: Path, section: str, request: str, make: Callable[[], tuple[str, Sequence[Path]]]) -> str:
    """The text for `request` from a library section, made by `make` unless it is there; `make` also gives the files it read.

    A changed size or date of any of these files makes the entry void. A folder that cannot be written costs time, not results.
    """
    models = folder() / "models"
    listing = models / f"{_digest(str(library), section)}.files"
    with contextlib.suppress(OSError):
        files = [Path(line) for line in listing.read_text(encoding="utf-8").splitlines()]
        return (models / f"{_key(files, request)}.spice").read_text(encoding="utf-8")
    made, files_read = make()
    with contextlib.suppress(OSError):
        models.mkdir(parents=True, exist_ok=True)
        _replace(models / f"{_key(files_read, request)}.spice", made)
        _replace(listing, "\n".join(map(str, files_read)))
    return made


def _key(files: Sequence[Path], request: str) -> str:
    states = [(path, path.stat()) for path in files]
    return _digest(request, *(f"{path} {state.st_size} {state.st_mtime_ns}" for path, state in states))


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:32]


def _replace(path: Path, content: str) -> None:
    # Several workers may write the same entry: each writes its own file and renames it.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as temporary:
        temporary.write(content)
    Path(temporary.name).replace(path)
