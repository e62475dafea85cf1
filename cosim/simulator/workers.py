"""Processes that simulate and may die: each failure, time-out and crash costs one point, never the batch."""

from __future__ import annotations

import contextlib
import itertools
import math
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType

from cosim.simulator.deck import Transient
from cosim.simulator.errors import Reason, SimulationError
from cosim.simulator.points import Outcome, Point
from cosim.simulator.tasks import Reply, Task, outcome_of
from cosim.simulator.worker import PROGRESS, Order, Ready

START_TIMEOUT_S = 60.0

MOST_FALSE_STARTS, FALSE_START_PAUSE_S = 4, 0.5
"""A worker that takes the place of another is tried so often in a row, after longer and longer pauses."""

AHEAD_S = 0.2
"""A worker is given as many short simulations ahead as fill this time, so that it never waits for the next one."""
MOST_AHEAD = 64

_GRACE_S = 2.0
"""A process that has hung up is about to end; its own exit code says more than that of a kill."""

_COMMAND = "from cosim.simulator.worker import main; main({}, {})"


_NOT_READ = ("SPICE_SCRIPTS",)
"""Variables by which ngspice would run a start-up file of this machine."""


def _environment() -> dict[str, str]:
    """That of a worker: it finds modules where this process does, but none in the folder that happens to be the current one."""
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_READ}
    return {**inherited, "PYTHONPATH": os.pathsep.join(_search_path())}


def _search_path() -> list[str]:
    """Where this process looks for modules; the current folder last, so that no file in it stands in for a module of Python."""
    fixed = [str(Path(path).absolute()) for path in sys.path if path]
    return fixed if "" not in sys.path else [*fixed, str(Path.cwd())]


def _mortal_parent() -> int | None:
    """This process, if the thread that starts a worker lives as long as it does: the kernel goes by the thread."""
    return os.getpid() if threading.current_thread() is threading.main_thread() else None


class _Worker:
    """A process, the socket to it, and the points it has been given, the one at hand first."""

    def __init__(self, recycle_after: int, memory_limit_mb: float) -> None:
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as progress, ours, theirs:
            progress.write(PROGRESS.pack(-1, math.nan))
            progress.flush()
            self._progress = mmap.mmap(progress.fileno(), PROGRESS.size)
            files = (theirs.fileno(), progress.fileno())
            # In a group of its own, Ctrl-C does not reach it.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _COMMAND.format(*files)], pass_fds=files, start_new_session=True,
                env=_environment(), stdin=subprocess.DEVNULL,
            )  # fmt: skip
            self.connection = Connection(ours.detach())
        self._send(Order(_search_path(), recycle_after, memory_limit_mb, _mortal_parent()))
        self.ready = self.ends = False
        self.given: dict[int, Point] = {}
        self.heard_of = time.monotonic()
        self._mean_s = AHEAD_S

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def room(self) -> int:
        """How many more points it may be given."""
        if not self.ready or self.ends:
            return 0
        ahead = max(1, min(MOST_AHEAD, round(AHEAD_S / max(self._mean_s, 1e-9))))
        return ahead - len(self.given) if len(self.given) <= ahead // 2 else 0

    def give(self, points: dict[int, Point]) -> None:
        if not self.given:
            self.heard_of = time.monotonic()
        self.given |= points
        self._send([Task.of(index, point) for index, point in points.items()])

    def take_back(self, replies: list[Reply]) -> list[Outcome]:
        """Outcomes of replies."""
        self.heard_of = time.monotonic()
        for reply in replies:
            self._mean_s += 0.3 * (reply.wall_s - self._mean_s)
        return [outcome_of(reply, self.given.pop(reply.index)) for reply in replies]

    def hear(self) -> Ready | tuple[list[Reply], bool] | None:
        """The next message; None if the process died without one."""
        try:
            message: Ready | tuple[list[Reply], bool] = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return None
        return message

    def at_hand(self) -> tuple[int, Point] | None:
        """The point that it was simulating when it was last heard of, or when it died."""
        index = PROGRESS.unpack_from(self._progress)[0]
        return (index, self.given[index]) if index in self.given else next(iter(self.given.items()), None)

    @property
    def done(self) -> float:
        """The share of its transient that the point at hand had done; NaN below a thousandth, and where it is none."""
        return float(PROGRESS.unpack_from(self._progress)[1])

    def end(self, grace_s: float = 0.0) -> int:
        """Wait so long for the process to end by itself, then kill it; its exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        self._process.kill()
        self.connection.close()
        return self._process.wait()

    def _send(self, message: object) -> None:
        # A worker that has just died shows as a closed socket when its reply is read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)


class WorkerPool:
    """Runs points in `jobs` processes; a context manager.

    A simulation that takes longer than `timeout_s` is killed. A worker is replaced after `recycle_after` simulations, when it
    has ever held more than `memory_limit_mb`, and after any failed simulation. A worker that dies costs the point it had at hand.
    """

    def __init__(
        self, jobs: int = 2, timeout_s: float = 300.0, recycle_after: int = 5000, memory_limit_mb: float = 1024.0
    ) -> None:
        self._jobs = jobs
        self._timeout_s = timeout_s
        self._recycle_after = recycle_after
        self._memory_limit_mb = memory_limit_mb
        self._workers: list[_Worker] = []
        self._returned: deque[tuple[int, Point]] = deque()
        self._version = ""
        self._false_starts = 0

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers there are."""
        return [worker.pid for worker in self._workers]

    def prepare(self) -> None:
        """Start all processes, without waiting for them."""
        self._hire(self._jobs)

    def start(self) -> str:
        """Start a worker if there is none; ngspice's version. Raises `SimulationError` if it cannot simulate."""
        self._hire(1)
        while not self._version:
            list(self._listen())
        return self._version

    @property
    def version(self) -> str:
        """ngspice's, which its workers use, by a worker if no one in this process has asked yet. Raises `SimulationError`."""
        return self._version or _heard_version.get(os.environ.get("NGSPICE_LIBRARY_PATH", "")) or self.start()

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        """Outcomes as they end, in any order. Points are taken from the iterable only just before a worker is free for them."""
        self._returned.clear()
        fresh = enumerate(points)
        first = list(itertools.islice(fresh, self._jobs))
        tasks = _Waiting(self._returned, itertools.chain(first, fresh))
        pending = next(tasks, None)
        try:
            while pending or any(worker.given for worker in self._workers):
                if pending:
                    self._hire(len(first))
                while pending and (worker := self._free()):
                    worker.give(dict([pending, *itertools.islice(tasks, worker.room - 1)]))
                    pending = next(tasks, None)
                # A worker that died may have left points behind though all others are given.
                yield from self._listen()
                pending = pending or next(tasks, None)
        finally:
            for worker in [worker for worker in self._workers if worker.given]:
                self._dismiss(worker)

    def _hire(self, wanted: int) -> None:
        while len(self._workers) < wanted:
            self._workers.append(_Worker(self._recycle_after, self._memory_limit_mb))

    def _free(self) -> _Worker | None:
        return next((worker for worker in self._workers if worker.room > 0), None)

    def _dismiss(self, worker: _Worker, grace_s: float = 0.0) -> int:
        self._workers.remove(worker)
        return worker.end(grace_s)

    def _listen(self) -> Iterator[Outcome]:
        """Wait for the next messages or the next deadline, and act on them."""
        deadline = min((self._deadline(worker) for worker in self._workers), default=0.0)
        patience = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
        heard = wait([worker.connection for worker in self._workers], patience)
        for worker in list(self._workers):
            if worker.connection in heard:
                yield from self._hear(worker)
            elif time.monotonic() > self._deadline(worker):
                yield from self._overdue(worker)

    def _deadline(self, worker: _Worker) -> float:
        if not worker.ready:
            return worker.heard_of + START_TIMEOUT_S
        return worker.heard_of + self._timeout_s if worker.given else math.inf

    def _hear(self, worker: _Worker) -> Iterator[Outcome]:
        match worker.hear():
            case Ready(error=None, ngspice_version=version):
                worker.ready, self._version, worker.heard_of = True, version, time.monotonic()
                self._false_starts = 0
                _heard_version[os.environ.get("NGSPICE_LIBRARY_PATH", "")] = version
            case Ready(error=SimulationError() as error):
                raise error
            case (list() as replies, bool() as ends):
                outcomes = worker.take_back(replies)
                worker.ends = ends
                if ends:
                    self._dismiss(worker, _GRACE_S)
                    self._returned.extend(worker.given.items())
                yield from outcomes
            case None if not worker.ready:
                self._bear_false_start(self._dismiss(worker, _GRACE_S))
            case None:
                code = self._dismiss(worker, _GRACE_S)
                yield from self._lose(worker, Reason.WORKER_DIED, f"the simulator's process died (exit code {code})")

    def _overdue(self, worker: _Worker) -> Iterator[Outcome]:
        self._dismiss(worker)
        if not worker.given:
            self._bear_false_start(None)
            return
        _, point = worker.at_hand() or next(iter(worker.given.items()))
        yield from self._lose(worker, Reason.TIMEOUT, _stopped(point, self._timeout_s, worker.done))

    def _bear_false_start(self, code: int | None) -> None:
        """One that takes the place of another may fail to start, on a machine that is short of memory; not again and again."""
        self._false_starts += 1
        if not self._version or self._false_starts > MOST_FALSE_STARTS:
            raise _start_failure(code)
        time.sleep(FALSE_START_PAUSE_S * self._false_starts)

    def _lose(self, worker: _Worker, reason: Reason, what: str) -> Iterator[Outcome]:
        """The point at hand failed with its worker; the others that it had been given go to the next."""
        lost = worker.at_hand()
        self._returned.extend(task for task in worker.given.items() if task != lost)
        if lost:
            index, point = lost
            error = SimulationError(reason, f"{point.deck.title}: {what}", point.deck.text())
            yield Outcome(point=point, index=index, row=None, error=error, wall_s=time.monotonic() - worker.heard_of)


class _Waiting(Iterator[tuple[int, Point]]):
    """Points that came back from a worker, then new ones."""

    def __init__(self, returned: deque[tuple[int, Point]], fresh: Iterator[tuple[int, Point]]) -> None:
        self._returned, self._fresh = returned, fresh

    def __next__(self) -> tuple[int, Point]:
        return self._returned.popleft() if self._returned else next(self._fresh)


def _stopped(point: Point, timeout_s: float, done: float) -> str:
    """What happened to a simulation that took too long; one that oscillates is told by how little of it was done."""
    what = f"took longer than {timeout_s:g} s and was stopped"
    if not isinstance(point.deck.analysis, Transient):
        return what
    share = "less than 0.1" if math.isnan(done) else f"{100 * done:.3g}"
    return f"{what} with {share} % of its transient done; a circuit that oscillates takes ever smaller steps"


def _start_failure(code: int | None) -> SimulationError:
    how = f"ended with code {code}" if code is not None else f"was not ready after {START_TIMEOUT_S:g} s"
    return SimulationError(
        Reason.WORKER_DIED, f"a simulator process {how} before its first simulation; `cosim doctor` says what is missing"
    )


_heard_version: dict[str, str] = {}
"""ngspice's version by the library it was asked of."""


def ngspice_version() -> str:
    """The version of the ngspice library that simulations use, asked of a worker. Raises `SimulationError` if there is none."""
    with WorkerPool(jobs=1) as pool:
        return pool.version
