"""The loop of one worker process: a task comes in, a reply goes out."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.simulator.deck import Deck
from cosim.simulator.errors import Reason, SimulationError
from cosim.simulator.points import Extract, Row
from cosim.simulator.waveforms import Waveforms

if TYPE_CHECKING:
    from cosim.simulator.session import NgspiceSession


@dataclass(frozen=True)
class Ready:
    """First word of a worker; `error` if it cannot simulate at all."""

    ngspice_version: str = ""
    error: SimulationError | None = None


@dataclass(frozen=True)
class Reply:
    """What came of one task. `retires`: the worker ends after it and must be replaced."""

    row: Row | None
    error: SimulationError | None
    cpu_s: float
    wall_s: float
    peak_memory_mb: float
    retires: bool


def work(connection: Connection, recycle_after: int, memory_limit_mb: float) -> None:
    """Serve tasks (deck, extract) until the parent hangs up, or until this process has had enough."""
    _die_with_parent()
    try:
        session = _start_session()
    except SimulationError as error:
        connection.send(Ready(error=error))
        return
    connection.send(Ready(ngspice_version=session.version))
    for served in range(1, recycle_after + 1):
        try:
            deck, extract = connection.recv()
        except EOFError:
            break
        reply = _serve(session, deck, extract, served == recycle_after, memory_limit_mb)
        connection.send(reply)
        if reply.retires:
            break
    connection.close()
    # A spoiled libngspice may crash in its own exit handlers.
    os._exit(0)


def _start_session() -> NgspiceSession:
    """Raises `SimulationError` (LIBRARY_MISSING). The import is late because it loads PySpice, for workers only."""
    try:
        from cosim.simulator.session import NgspiceSession
    except ModuleNotFoundError as error:
        message = f"the Python package {error.name} is missing; install it with: pip install 'cosim[simulation]'"
        raise SimulationError(Reason.LIBRARY_MISSING, message) from None
    return NgspiceSession()


def _serve(session: NgspiceSession, deck: Deck, extract: Extract, last: bool, memory_limit_mb: float) -> Reply:
    wall, cpu = time.perf_counter(), time.process_time()
    row, error, spoiled = None, None, True
    try:
        waveforms = session.run(deck)
        spoiled = False
        row = _extract(waveforms, deck, extract)
    except SimulationError as failure:
        error = failure
    memory = _peak_memory_mb()
    return Reply(
        row=row,
        error=error,
        cpu_s=time.process_time() - cpu,
        wall_s=time.perf_counter() - wall,
        peak_memory_mb=memory,
        retires=last or spoiled or memory > memory_limit_mb,
    )


def _extract(waveforms: Waveforms, deck: Deck, extract: Extract) -> Row:
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _die_with_parent() -> None:
    """End this process when the parent is gone, even in the middle of a simulation (ngspice releases the interpreter lock)."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
