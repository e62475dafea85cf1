"""The loop of one worker process: tasks come in, replies go out.

It is started as a plain command, not through multiprocessing: that works from a notebook, from a script without a main guard and
from a process that may have no children of its own, such as a cluster's.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import mmap
import os
import signal
import struct
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue

from cosim.simulator.errors import SimulationError
from cosim.simulator.tasks import Reply, Task, serve, start_session

_PR_SET_PDEATHSIG = 1

SEND_AFTER_S = 0.05
"""Replies to short simulations travel together."""

PROGRESS = struct.Struct("qd")
"""The index of the task at hand and the share of its transient that is done, in memory that outlives the process."""


@dataclass(frozen=True)
class Order:
    """First word to a worker."""

    path: list[str]
    recycle_after: int
    memory_limit_mb: float
    parent: int | None = None
    """The process without which this one ends, even inside a computation that lets no other thread run."""


@dataclass(frozen=True)
class Ready:
    """First word of a worker; `error` if it cannot simulate at all."""

    ngspice_version: str = ""
    error: SimulationError | None = None


def main(socket: int, progress: int) -> None:
    """Serve the parent at the other end of `socket`; both are open file descriptors."""
    # Ctrl-C is the parent's business, who then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(socket)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _work(connection, mmap.mmap(progress, PROGRESS.size))
    # A spoiled libngspice may crash in its own exit handlers.
    os._exit(0)


def _work(connection: Connection, progress: mmap.mmap) -> None:
    """Serve until the parent hangs up, or until this process has had enough."""
    order: Order = connection.recv()
    sys.path[:] = order.path
    if order.parent is not None:
        _die_with(order.parent)
    try:
        session = start_session()
    except SimulationError as error:
        connection.send(Ready(error=error))
        return
    connection.send(Ready(ngspice_version=session.version))
    inbox = _inbox(connection)
    session.on_progress(lambda share: PROGRESS.pack_into(progress, 0, PROGRESS.unpack_from(progress)[0], share))
    served, replies, last_sent = 0, list[Reply](), time.monotonic()
    while True:
        tasks = inbox.get()
        for task in tasks:
            PROGRESS.pack_into(progress, 0, task.index, math.nan)
            replies.append(serve(session, task))
            served += 1
            if ends := _has_had_enough(replies[-1], served, order):
                # Said last, so that the parent gives this process nothing more.
                connection.send((replies, ends))
                return
            if task is tasks[-1] or time.monotonic() - last_sent > SEND_AFTER_S:
                connection.send((replies, False))
                replies, last_sent = [], time.monotonic()


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (Linux; elsewhere the thread that reads tasks notices, in time)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had ended before
        os._exit(1)


def _has_had_enough(reply: Reply, served: int, order: Order) -> bool:
    return reply.spoiled or served >= order.recycle_after or reply.peak_memory_mb > order.memory_limit_mb


def _inbox(connection: Connection) -> SimpleQueue[list[Task]]:
    """Tasks as they come, read at once: a parent that waits to be rid of them could not take replies.

    When the parent is gone this process ends too, even in the middle of a simulation (ngspice releases the interpreter lock).
    """
    inbox: SimpleQueue[list[Task]] = SimpleQueue()

    def read() -> None:
        while True:
            try:
                inbox.put(connection.recv())
            except BaseException:
                os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return inbox
