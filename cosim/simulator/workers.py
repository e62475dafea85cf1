"""Processes that simulate and may die: each failure, time-out and crash costs one point, never the batch."""

from __future__ import annotations

import contextlib
import functools
import math
import multiprocessing
import signal
import time
from collections.abc import Iterable, Iterator, Sized
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import TracebackType

from cosim.simulator.errors import Reason, SimulationError
from cosim.simulator.points import Outcome, Point
from cosim.simulator.worker import Ready, Reply, work

START_TIMEOUT_S = 60.0


class _Worker:
    """A process, the pipe to it, and the task it is busy with."""

    def __init__(self, recycle_after: int, memory_limit_mb: float) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=work, args=(theirs, recycle_after, memory_limit_mb), daemon=True, name="ngspice"
        )
        with _interrupts_blocked():
            self._process.start()
        theirs.close()
        self.ready = False
        self.task: tuple[int, Point] | None = None
        self.started = time.monotonic()

    def give(self, task: tuple[int, Point]) -> None:
        self.task, self.started = task, time.monotonic()
        # A worker that has just died shows as a closed pipe when its reply is read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((task[1].deck, task[1].extract))

    def hear(self) -> Ready | Reply | None:
        """The next message; None if the process died without one."""
        try:
            message: Ready | Reply = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return None
        return message

    def kill(self) -> int | None:
        """End the process at once; its exit code."""
        self._process.join(0)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self.connection.close()
        return code if code is not None else self._process.exitcode


class WorkerPool:
    """Runs points in `jobs` processes; a context manager.

    A simulation that takes longer than `timeout_s` is killed. A worker is replaced after `recycle_after` simulations, when it
    has ever held more than `memory_limit_mb`, and after any failed simulation.
    """

    def __init__(
        self, jobs: int = 2, timeout_s: float = 300.0, recycle_after: int = 1000, memory_limit_mb: float = 1024.0
    ) -> None:
        self._jobs = jobs
        self._timeout_s = timeout_s
        self._recycle_after = recycle_after
        self._memory_limit_mb = memory_limit_mb
        self._workers: list[_Worker] = []
        self.ngspice_version = ""

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def start(self) -> str:
        """Start a worker if there is none; ngspice's version. Raises `SimulationError` if it cannot simulate."""
        self._hire(1)
        while not self.ngspice_version:
            list(self._listen())
        return self.ngspice_version

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        """Outcomes as they end, in any order. A point is taken from the iterable only just before a worker is free for it."""
        wanted = min(self._jobs, len(points)) if isinstance(points, Sized) else self._jobs
        tasks = enumerate(points)
        pending = next(tasks, None)
        try:
            while pending or any(worker.task for worker in self._workers):
                if pending:
                    self._hire(wanted)
                while pending and (worker := self._free()):
                    worker.give(pending)
                    pending = next(tasks, None)
                yield from self._listen()
        finally:
            for worker in [worker for worker in self._workers if worker.task]:
                self._dismiss(worker)

    def _hire(self, wanted: int) -> None:
        while len(self._workers) < wanted:
            self._workers.append(_Worker(self._recycle_after, self._memory_limit_mb))

    def _free(self) -> _Worker | None:
        return next((worker for worker in self._workers if worker.ready and not worker.task), None)

    def _dismiss(self, worker: _Worker) -> int | None:
        self._workers.remove(worker)
        return worker.kill()

    def _listen(self) -> Iterator[Outcome]:
        """Wait for the next messages or the next deadline, and act on them."""
        deadline = min((self._deadline(worker) for worker in self._workers), default=0.0)
        heard = wait([worker.connection for worker in self._workers], max(0.0, deadline - time.monotonic()))
        for worker in list(self._workers):
            if worker.connection in heard:
                yield from self._hear(worker)
            elif time.monotonic() > self._deadline(worker):
                yield self._overdue(worker)

    def _deadline(self, worker: _Worker) -> float:
        if not worker.ready:
            return worker.started + START_TIMEOUT_S
        return worker.started + self._timeout_s if worker.task else math.inf

    def _hear(self, worker: _Worker) -> Iterator[Outcome]:
        task = worker.task
        match worker.hear():
            case Ready(error=None, ngspice_version=version):
                worker.ready, self.ngspice_version = True, version
            case Ready(error=SimulationError() as error):
                raise error
            case Reply() as reply if task:
                worker.task = None
                if reply.retires:
                    self._dismiss(worker)
                yield _outcome(task, reply)
            case None if not worker.ready:
                raise _start_failure(self._dismiss(worker))
            case None:
                code = self._dismiss(worker)
                if task:
                    yield _lost(task, Reason.WORKER_DIED, f"the simulator's process died (exit code {code})", worker.started)

    def _overdue(self, worker: _Worker) -> Outcome:
        self._dismiss(worker)
        if worker.task is None:
            raise _start_failure(None)
        return _lost(worker.task, Reason.TIMEOUT, f"took longer than {self._timeout_s:g} s and was stopped", worker.started)


def _outcome(task: tuple[int, Point], reply: Reply) -> Outcome:
    return Outcome(
        point=task[1], index=task[0], row=reply.row, error=reply.error,
        cpu_s=reply.cpu_s, wall_s=reply.wall_s, peak_memory_mb=reply.peak_memory_mb,
    )  # fmt: skip


def _lost(task: tuple[int, Point], reason: Reason, what: str, started: float) -> Outcome:
    deck = task[1].deck
    error = SimulationError(reason, f"{deck.title}: {what}", deck.text())
    return Outcome(point=task[1], index=task[0], row=None, error=error, wall_s=time.monotonic() - started)


def _start_failure(code: int | None) -> SimulationError:
    how = f"ended with code {code}" if code is not None else f"was not ready after {START_TIMEOUT_S:g} s"
    return SimulationError(
        Reason.WORKER_DIED,
        f"a simulator process {how} before its first simulation; a script that simulates needs `if __name__ == '__main__':`",
    )


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process started inside inherits the blocked signal: Ctrl-C is the parent's business, who then kills the workers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@functools.cache
def ngspice_version() -> str:
    """The version of the ngspice library that simulations use, asked of a worker. Raises `SimulationError` if there is none."""
    with WorkerPool(jobs=1) as pool:
        return pool.start()
