"""What travels between the process that wants simulations and the one that makes them."""

from __future__ import annotations

import contextlib
import pickle
import resource
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.simulator.deck import Deck, why_not_flat
from cosim.simulator.errors import Reason, SimulationError
from cosim.simulator.points import Extract, Outcome, Point, Row
from cosim.simulator.waveforms import Waveforms

if TYPE_CHECKING:
    from cosim.simulator.session import NgspiceSession

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Task:
    """One simulation to be made; `index` is its place in the batch.

    `extract` is pickled apart, so that one that cannot be loaded in the worker costs this task only.
    """

    index: int
    deck: Deck
    extract: bytes

    @classmethod
    def of(cls, index: int, point: Point) -> Task:
        return cls(index, point.deck, pickle.dumps(point.extract))


@dataclass(frozen=True)
class Reply:
    """What came of one task; see `Outcome`. `spoiled`: the process that made it should not be used again."""

    index: int
    row: Row | None
    error: SimulationError | None
    cpu_s: float
    wall_s: float
    peak_memory_mb: float
    spoiled: bool = False
    fallbacks: int = 0
    not_flat: str = ""


def outcome_of(reply: Reply, point: Point) -> Outcome:
    """The reply together with the point it is about."""
    return Outcome(
        point=point, index=reply.index, row=reply.row, error=reply.error,
        cpu_s=reply.cpu_s, wall_s=reply.wall_s, peak_memory_mb=reply.peak_memory_mb, fallbacks=reply.fallbacks,
        not_flat=reply.not_flat,
    )  # fmt: skip


def serve(session: NgspiceSession, task: Task) -> Reply:
    """Simulate and extract."""
    wall, cpu = time.perf_counter(), time.process_time()
    row, error, spoiled = None, None, True
    try:
        extract = _loaded(task)
        waveforms = session.run(task.deck)
        spoiled = session.spoiled
        row = extracted(waveforms, task.deck, extract)
    except SimulationError as failure:
        error = failure
    return Reply(
        index=task.index,
        row=row,
        error=error,
        cpu_s=time.process_time() - cpu,
        wall_s=time.perf_counter() - wall,
        peak_memory_mb=_peak_memory_mb(),
        spoiled=spoiled,
        fallbacks=session.fallbacks,
        not_flat="" if task.deck.plain else why_not_flat(task.deck.base),
    )


def start_session() -> NgspiceSession:
    """Raises `SimulationError` (LIBRARY_MISSING). The import is late because it loads PySpice, for workers only."""
    try:
        from cosim.simulator.session import NgspiceSession
    except ModuleNotFoundError as error:
        message = f"the Python package {error.name} is missing; install it with: pip install 'cosim[simulation]'"
        raise SimulationError(Reason.LIBRARY_MISSING, message) from None
    return NgspiceSession()


def _loaded(task: Task) -> Extract:
    try:
        extract: Extract = pickle.loads(task.extract)
    except Exception as error:
        message = f"{task.deck.title}: the extraction cannot be loaded in a worker: {error}; define it in a module"
        raise SimulationError(Reason.EXTRACTION, message, task.deck.text(), traceback.format_exc()) from None
    return extract


def extracted(waveforms: Waveforms, deck: Deck, extract: Extract) -> Row:
    """What an extraction makes of waveforms, as it will come back from the store. Raises `SimulationError`."""
    try:
        return _plain(extract(waveforms))
    except SimulationError as error:
        raise SimulationError(error.reason, f"{deck.title}: {error}", deck.text(), error.log) from None
    except Exception as error:
        message = f"{deck.title}: extraction failed: {type(error).__name__}: {error}".splitlines()[0]
        raise SimulationError(Reason.EXTRACTION, message, deck.text(), traceback.format_exc()) from None


def _plain(row: Mapping[str, Any]) -> Row:
    """A row as it will come back from the store: Python numbers and float64 arrays. Raises TypeError for anything else."""
    return {str(name): _plain_value(name, value) for name, value in row.items()}


def _plain_value(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return np.asarray(value, dtype=np.float64)
    if isinstance(value, list | tuple):
        return [_plain_value(name, each) for each in value]
    if isinstance(value, bool | int | float | str | type(None)):
        return value
    raise TypeError(f"{name}: a row holds numbers, strings, lists and arrays, not {type(value).__name__}")


def _peak_memory_mb() -> float:
    """The most memory that this process has held (resident)."""
    # Linux counts what the parent held before this program was loaded into ru_maxrss, but not into VmHWM.
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
