"""The networks of a study in several processes: each failure and each death costs one network, never the study."""

from __future__ import annotations

import contextlib
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait

from cosim.networks.process import start
from cosim.networks.study.attempt import Failure, Row, Work
from cosim.networks.study.worker import Refused
from training.study.plan import StudyError
from training.study.runs import Run
from training.trainer import Epoch

Heard = Callable[[Run, Epoch], None]

_GRACE_S = 2.0
"""A process that has hung up is about to end; its own exit code says more than that of a kill."""


class _Trainer:
    """A process, the socket to it, and the networks that it shall train, the one at hand first."""

    def __init__(self, work: Work) -> None:
        self._process, self.connection = start("cosim.networks.study.worker")
        self.group: deque[Run] = deque()
        self._send(work)

    def take(self, group: deque[Run]) -> None:
        """Train the first network of a group."""
        self.group = group
        self._send(group[0])

    def hear(self) -> Epoch | Row | Failure | Refused | None:
        """The next message; None if the process died without one."""
        try:
            message: Epoch | Row | Failure | Refused = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return None
        return message

    def end(self, grace_s: float = 0.0) -> int:
        """Wait so long for the process to end by itself, then kill it; its exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        self._process.kill()
        self.connection.close()
        return self._process.wait()

    def _send(self, message: object) -> None:
        # A process that has just died shows as a closed socket when its reply is read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)


def train_in_processes(groups: Iterable[list[Run]], work: Work, jobs: int, heard: Heard) -> Iterator[tuple[Run, Row | Failure]]:
    """Train `jobs` groups at a time, the networks of a group one after the other; yields each network as it ends, in any order.

    `heard` is told of every epoch. Raises `StudyError` for what is wrong with the study itself.
    """
    waiting, trainers = deque(deque(group) for group in groups), list[_Trainer]()
    try:
        while waiting or trainers:
            while waiting and len(trainers) < jobs:
                trainers.append(_Trainer(work))
                trainers[-1].take(waiting.popleft())
            ready = wait([trainer.connection for trainer in trainers])
            for trainer in [trainer for trainer in trainers if trainer.connection in ready]:
                match trainer.hear():
                    case Epoch() as epoch:
                        heard(trainer.group[0], epoch)
                    case Refused(message=message):
                        raise StudyError(message)
                    case Row() | Failure() as outcome:
                        yield trainer.group.popleft(), outcome
                        if group := trainer.group or (waiting.popleft() if waiting else None):
                            trainer.take(group)
                        else:
                            trainers.remove(trainer)
                            trainer.end()
                    case None:
                        trainers.remove(trainer)
                        lost = trainer.group.popleft()
                        if trainer.group:
                            waiting.appendleft(trainer.group)
                        yield lost, Failure(f"the process that trained it died (exit code {trainer.end(_GRACE_S)})")
    finally:
        for trainer in trainers:
            trainer.end()
