"""One bit flipped in the result store, in the cache of model texts, and in a file of weights: noticed, or another number."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from benchmarks.figure import Figure
from cosim.errors import CosimError
from cosim.simulator import Outcome, Point, Store
from cosim.simulator.deck import Deck, OperatingPoint
from cosim.simulator.waveforms import Waveforms
from netlists.models import cache
from training.hardware import HardwareModel
from training.hardware.curve import HardwareModelError

FLIPS = 100
_ROWS = 20


def figures(quick: bool) -> Iterator[Figure]:
    """So many flips in each place; a tenth of them if `quick`."""
    count, random = FLIPS // (10 if quick else 1), Random(14)
    with tempfile.TemporaryDirectory() as folder:
        silent = {
            "store": sum(_store_lies(Path(folder) / f"{k}.sqlite", random) for k in range(count)),
            "cache": sum(_cache_lies(Path(folder) / f"cache {k}", random) for k in range(count)),
            "hardware model": sum(_model_lies(Path(folder) / f"{k}.json", random) for k in range(count)),
        }
    flips = count * len(silent)
    detail = ", ".join(f"{place}: {wrong} of {count} in silence" for place, wrong in silent.items())
    yield Figure("trust.bit_flips", flips, "", "400", "one bit each, anywhere in the file")
    yield Figure("trust.bit_flips_noticed", flips - sum(silent.values()), "", "all", f"or without any effect; {detail}")


def flip(path: Path, random: Random) -> None:
    content, bit = bytearray(path.read_bytes()), random.randrange(8 * path.stat().st_size)
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def _store_lies(path: Path, random: Random) -> bool:
    """Whether a result comes back that was never stored."""
    point = Point({}, Deck("t", "r1 a 0 1", "", OperatingPoint(), ("v(a)",)), Waveforms.last)
    with Store(path) as store:
        for k in range(_ROWS):
            store.put(str(k), Outcome(point=point, row={"value": k + 0.5}, error=None))
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    flip(path, random)
    try:
        with Store(path) as store:
            return any(row not in (None, {"value": k + 0.5}) for k, row in enumerate(map(store.get, map(str, range(_ROWS)))))
    except CosimError:
        return False


def _cache_lies(folder: Path, random: Random) -> bool:
    """Whether a model text comes back that was never made."""
    before = os.environ.get("COSIM_CACHE")
    os.environ["COSIM_CACHE"] = str(folder)
    try:
        folder.mkdir()
        library = folder / "library.lib"
        library.write_text(".model n nmos vto=0.4\n")
        text = ".model n nmos vto=0.4\n" * 20
        cache.text(library, "tt", "n", lambda: (text, [library]))
        flip(random.choice(sorted((folder / "models").iterdir())), random)
        return cache.text(library, "tt", "n", lambda: (text, [library])) != text
    finally:
        os.environ.pop("COSIM_CACHE") if before is None else os.environ.update(COSIM_CACHE=before)


def _model_lies(path: Path, random: Random) -> bool:
    """Whether a hardware model is read that is another one."""
    model = HardwareModel.reference()
    model.save(path)
    flip(path, random)
    try:
        return HardwareModel.load(path) != model
    except HardwareModelError:
        return False
