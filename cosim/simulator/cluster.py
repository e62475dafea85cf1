"""The same work on a Dask cluster: `--scheduler ADDRESS`.

Decks carry their device models with them, so the workers need libngspice and this package, but no PDK. Each Dask worker runs its
simulations in a process of its own, as a local run does: one that hangs or crashes costs its point.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from cosim.errors import InputError
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

Chunk = list[tuple[int, Point, str]]


class ClusterPool:
    """Runs points on the workers of a Dask cluster; a context manager. Its `map` is that of `WorkerPool`."""

    def __init__(self, address: str, timeout_s: float = 300.0, say: Callable[[str], None] = lambda line: None) -> None:
        """Connect, and wait for the first worker, which may still stand in a queue; `say` hears that it does.

        Raises `InputError` if nothing answers at `address`, or a worker has another ngspice or cosim.
        """
        distributed = _distributed()
        try:
            self._client = distributed.Client(address, timeout=10, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(f"--scheduler {address}: no Dask scheduler answers there: {error}") from None
        self._timeout_s = timeout_s
        self._address = address
        self._wait_for_a_worker(say)
        self.version = self._agreed()

    def __enter__(self) -> ClusterPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        """Outcomes as they end, in any order. A lost worker's chunk is done by another."""
        import distributed

        tasks = ((index, point, point.deck.digest()) for index, point in enumerate(points))
        size = 1
        futures = distributed.as_completed(loop=self._client.loop)
        chunks: dict[Any, Chunk] = {}
        agreed = (SIMULATOR_VERSION, self.version)

        def send() -> None:
            room = CHUNKS_AHEAD * max(1, sum(self._client.nthreads().values())) - len(chunks)
            for _ in range(room):
                if chunk := list(itertools.islice(tasks, size)):
                    future = self._client.submit(simulate_chunk, chunk, self._timeout_s, agreed, pure=False, retries=3)
                    chunks[future] = chunk
                    futures.add(future)

        try:
            send()
            for future in futures:
                chunk = chunks.pop(future)
                replies, given = _replies(future, chunk), {index: point for index, point, _ in chunk}
                mean_s = sum(reply.wall_s for reply in replies) / len(replies)
                size = max(1, min(MOST_IN_CHUNK, round(CHUNK_S / max(mean_s, 1e-9)), 2 * size))
                send()
                yield from (outcome_of(reply, given[reply.index]) for reply in replies)
        finally:
            self._client.cancel(list(chunks))

    def _wait_for_a_worker(self, say: Callable[[str], None]) -> None:
        """As long as it takes: a batch system gives processors when it has them. Raises `InputError` if the scheduler goes."""
        import distributed

        while not self._client.nthreads():
            try:
                self._client.wait_for_workers(1, timeout=WORKER_WITHIN_S)
            except (TimeoutError, distributed.TimeoutError):
                say(f"--scheduler {self._address}: no worker has come yet; waiting (Ctrl-C ends it, nothing is lost)")
                if self._client.status != "running":
                    raise InputError(f"--scheduler {self._address}: the scheduler is gone") from None

    def _agreed(self) -> str:
        """The ngspice version of all workers. Raises `InputError` if they differ, from each other or from this cosim."""
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
    why = str(future.exception() if future.status == "error" else future.status).splitlines()[0]
    message = f"the cluster gave the work up: {why}"
    return [_failed(index, Reason.WORKER_DIED, f"{point.deck.title}: {message}", point) for index, point, _ in chunk]


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError:
        raise InputError("--scheduler: needs Dask; install it with: pip install 'cosim[cluster]'") from None
    return distributed
