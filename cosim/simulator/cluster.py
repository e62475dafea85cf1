"""The same work on a Dask cluster: `--scheduler ADDRESS`.

Decks carry their device models with them, so the workers need libngspice and this package, but no PDK. Each Dask worker runs its
simulations in a process of its own, as a local run does: one that hangs or crashes costs its point.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from cosim.errors import CosimError, InputError
from cosim.simulator.errors import Reason, SimulationError
from cosim.simulator.points import Outcome, Point
from cosim.simulator.store import SIMULATOR_VERSION
from cosim.simulator.tasks import Reply, outcome_of
from cosim.simulator.workers import WorkerPool, ngspice_version

CHUNK_S = 1.0
"""Short simulations are sent together, about this much work at a time."""
MOST_IN_CHUNK = 1000
WORKER_WITHIN_S = 5.0
"""After this long without a worker there is something to be said."""
CHUNKS_AHEAD = 2
"""Chunks in flight for each thread of the cluster."""
ANSWER_WITHIN_S = 10.0
"""A scheduler that says nothing for so long is not there."""
ASKED_EVERY_S, LOOK_EVERY_S = 30.0, 0.01
"""While nothing comes from a scheduler it is asked so often whether it is there; so often is looked whether something comes."""

_LOGS = ("distributed", "distributed.client")
"""Where Dask says of a lost scheduler in twenty lines what ours says in one."""

Chunk = list[tuple[int, Point, str]]


class SchedulerLostError(CosimError):
    """The scheduler is gone in the middle of the work."""

    exit_code = 3


class ClusterPool:
    """Runs points on the workers of a Dask cluster; a context manager. Its `map` is that of `WorkerPool`."""

    def __init__(self, address: str, timeout_s: float = 300.0, say: Callable[[str], None] = lambda line: None) -> None:
        """Connect, and wait for the first worker, which may still stand in a queue; `say` hears that it does.

        Raises `InputError` if no scheduler answers at `address`, or a worker has another ngspice or cosim; `SchedulerLostError`.
        """
        distributed = _distributed()
        _check_answers(address)
        self._timeout_s = timeout_s
        self._address = address
        self._is_lost = False
        self._levels = {name: logging.getLogger(name).level for name in _LOGS}
        with self._explained():
            self._client = distributed.Client(address, timeout=ANSWER_WITHIN_S, set_as_default=False)
        try:
            self._wait_for_a_worker(say)
            self.version = self._agreed()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ClusterPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; the scheduler and its workers stay."""
        try:
            with contextlib.suppress(Exception):
                self._client.close(timeout=1.0 if self._is_lost else ANSWER_WITHIN_S)
        finally:
            for name, level in self._levels.items():
                logging.getLogger(name).setLevel(level)

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        """Outcomes as they end, in any order. A lost worker's chunk is done by another. Raises `SchedulerLostError`."""
        import distributed

        tasks = ((index, point, point.deck.digest()) for index, point in enumerate(points))
        size = 1
        futures = distributed.as_completed(loop=self._client.loop)
        chunks: dict[Any, Chunk] = {}
        agreed = (SIMULATOR_VERSION, self.version)

        def send() -> None:
            room = CHUNKS_AHEAD * max(1, self._threads()) - len(chunks)
            for _ in range(room):
                if chunk := list(itertools.islice(tasks, size)):
                    with self._explained():
                        future = self._client.submit(simulate_chunk, chunk, self._timeout_s, agreed, pure=False, retries=3)
                        futures.add(future)
                    chunks[future] = chunk

        try:
            send()
            while chunks:
                future = self._next(futures)
                chunk = chunks.pop(future)
                with self._explained():
                    replies, given = _replies(future, chunk), {index: point for index, point, _ in chunk}
                mean_s = sum(reply.wall_s for reply in replies) / len(replies)
                size = max(1, min(MOST_IN_CHUNK, round(CHUNK_S / max(mean_s, 1e-9)), 2 * size))
                send()
                yield from (outcome_of(reply, given[reply.index]) for reply in replies)
        finally:
            if chunks and not self._is_lost:
                with contextlib.suppress(Exception):
                    self._ask(self._client.cancel, list(chunks), asynchronous=True)

    def _next(self, futures: Any) -> Any:
        """The next chunk that has ended. Raises `SchedulerLostError` where the scheduler is not there any more."""
        asked = time.monotonic()
        while not futures.has_ready():
            if time.monotonic() - asked > ASKED_EVERY_S:
                self._threads()
                asked = time.monotonic()
            time.sleep(LOOK_EVERY_S)
        return next(futures)

    def _threads(self) -> int:
        """Of all workers there are. Raises `SchedulerLostError`."""
        return sum(self._ask(self._client.scheduler.ncores).values())

    def _ask(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """What the scheduler answers in time. Raises `SchedulerLostError`."""
        with self._explained():
            return self._client.sync(function, *given, **named, callback_timeout=ANSWER_WITHIN_S)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """What Dask raises where its scheduler is gone, hangs or drops what it was given: one line."""
        try:
            yield
        except (OSError, RuntimeError, concurrent.futures.CancelledError, asyncio.CancelledError) as error:
            self._is_lost = True
            for name in _LOGS:
                logging.getLogger(name).setLevel(logging.CRITICAL)
            raise SchedulerLostError(
                f"--scheduler {self._address}: the scheduler is lost ({_why(error)}); the results that had come back are kept: "
                "start it and its workers again, and run the same command with its address"
            ) from error

    def _wait_for_a_worker(self, say: Callable[[str], None]) -> None:
        """As long as it takes: a batch system gives processors when it has them. Raises `SchedulerLostError`."""
        until = time.monotonic() + WORKER_WITHIN_S
        while not self._threads():
            if time.monotonic() > until:
                say(f"--scheduler {self._address}: no worker has come yet; waiting (Ctrl-C ends it, nothing is lost)")
                until = time.monotonic() + WORKER_WITHIN_S
            time.sleep(min(0.1, WORKER_WITHIN_S))

    def _agreed(self) -> str:
        """The ngspice version of all workers. Raises `InputError` if they differ, from each other or from this cosim."""
        with self._explained():
            found = self._client.run(_environment, on_error="return")
        for worker, answer in found.items():
            if isinstance(answer, Exception):
                raise InputError(f"--scheduler {self._address}: worker {worker} cannot simulate: {answer}")
            if answer[0] != SIMULATOR_VERSION:
                raise InputError(
                    f"--scheduler {self._address}: worker {worker} has another cosim (engine version {answer[0]}, here "
                    f"{SIMULATOR_VERSION}); install the same everywhere"
                )
        versions = {answer[1] for answer in found.values()}
        if len(versions) != 1:
            listing = ", ".join(f"{worker}: ngspice {answer[1]}" for worker, answer in sorted(found.items()))
            raise InputError(f"--scheduler {self._address}: the workers differ ({listing}); results would depend on the worker")
        return str(versions.pop())


def simulate_chunk(chunk: Chunk, timeout_s: float, agreed: tuple[int, str]) -> list[Reply]:
    """What a Dask worker does: the replies to a chunk, simulated in this thread's own simulating process.

    `agreed` are the versions of the engine and of ngspice that all workers had at the start; a worker that came later may differ.
    """
    if (here := _environment()) != agreed:
        message = f"a worker that came later differs (engine and ngspice {here}, those before {agreed})"
        return [_failed(index, Reason.WORKER_DIED, f"{point.deck.title}: {message}", point) for index, point, _ in chunk]
    refused = [_refused(index, point) for index, point, digest in chunk if point.deck.digest() != digest]
    wanted = [(index, point) for index, point, digest in chunk if point.deck.digest() == digest]
    outcomes = _pool(timeout_s, threading.get_ident()).map([point for _, point in wanted])
    return refused + [_reply(wanted[outcome.index][0], outcome) for outcome in outcomes]


@functools.cache
def _pool(timeout_s: float, thread: int) -> WorkerPool:
    return WorkerPool(jobs=1, timeout_s=timeout_s)


def _environment() -> tuple[int, str]:
    return SIMULATOR_VERSION, ngspice_version()


def _reply(index: int, outcome: Outcome) -> Reply:
    """An outcome without its point, which need not travel back."""
    return Reply(
        index, outcome.row, outcome.error, outcome.cpu_s, outcome.wall_s, outcome.peak_memory_mb,
        fallbacks=outcome.fallbacks, not_flat=outcome.not_flat,
    )  # fmt: skip


def _refused(index: int, point: Point) -> Reply:
    message = f"{point.deck.title}: a file that the deck includes differs on the cluster's worker, or is not there"
    return _failed(index, Reason.MISSING_INCLUDE, message, point)


def _failed(index: int, reason: Reason, message: str, point: Point) -> Reply:
    return Reply(index, None, SimulationError(reason, message, point.deck.text()), 0.0, 0.0, 0.0)


def _replies(future: Any, chunk: Chunk) -> list[Reply]:
    """What came of a chunk; where Dask gave it up, each of its points has failed."""
    if future.status == "finished":
        return list(future.result())
    if future.status in ("cancelled", "lost"):  # by the scheduler's end, or by someone who cleared it
        raise concurrent.futures.CancelledError("it has dropped what it was given")
    why = str(future.exception()).splitlines()[0]
    message = f"the cluster gave the work up: {why}"
    return [_failed(index, Reason.WORKER_DIED, f"{point.deck.title}: {message}", point) for index, point, _ in chunk]


def _check_answers(address: str) -> None:
    """Raises `InputError` unless a scheduler answers at an address, of the kind of encryption that Dask is set to."""
    try:
        # In a thread of its own: a notebook has a loop of its own in this one.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            found = thread.submit(asyncio.run, _identity(address)).result()
    except (OSError, TypeError, ValueError, RuntimeError, ImportError) as error:
        raise InputError(
            f"--scheduler {address}: no Dask scheduler answers there: {_why(error)}; give the address that it says at its start, "
            "such as tcp://HOST:8786, or tls://HOST:8786 where Dask is set to certificates"
        ) from None
    if found != "Scheduler":
        raise InputError(f"--scheduler {address}: a Dask {found.lower()} answers there; give the address of its scheduler")


async def _identity(address: str) -> str:
    import distributed
    from distributed.comm import connect
    from distributed.core import send_recv

    async def asked() -> str:
        comm = await connect(address, timeout=ANSWER_WITHIN_S / 2, **distributed.Security().get_connection_args("client"))
        try:
            answer = await send_recv(comm, op="identity")
        finally:
            comm.abort()
        return str(answer.get("type", "server"))

    return await asyncio.wait_for(asked(), ANSWER_WITHIN_S)


def _why(error: BaseException) -> str:
    """What lies behind an error, in one line: Dask wraps what the network says."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    match causes[-1]:
        case FileNotFoundError():
            return "a certificate or key that Dask's settings name is not there"
        case TypeError():
            return "Dask's settings name no certificate and key (distributed.comm.tls)"
        case TimeoutError() | asyncio.CancelledError():
            return "it does not answer"
        case OSError(strerror=str() as why):
            return why
    return next((str(one).splitlines()[0] for one in reversed(causes) if str(one)), type(error).__name__)


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError:
        raise InputError("--scheduler: needs Dask; install it with: pip install 'cosim[cluster]'") from None
    return distributed
