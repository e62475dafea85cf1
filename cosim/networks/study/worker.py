"""A process that trains the networks that its parent sends it, one at a time."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue

from cosim.networks.study.attempt import Work, attempt
from training.data.spikes import SpikeData
from training.errors import TrainingError
from training.study.runs import Run, study_data


@dataclass(frozen=True)
class Refused:
    """The study cannot be trained at all: one line that says why."""

    message: str


def main(socket: int) -> None:
    """Serve the parent at the other end of `socket`, an open file descriptor, until it hangs up or is killed."""
    # Ctrl-C is the parent's business, who then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(socket)
    work: Work = connection.recv()
    inbox = _inbox(connection)
    data: SpikeData | None = None
    while True:
        run = inbox.get()
        try:
            data = data or study_data(run.study, work.data, work.held_out)
            connection.send(attempt(run, data, work, connection.send))
        except TrainingError as error:
            connection.send(Refused(str(error)))


def _inbox(connection: Connection) -> SimpleQueue[Run]:
    """Networks as they come. When the parent is gone this process ends too, in the middle of an epoch."""
    inbox: SimpleQueue[Run] = SimpleQueue()

    def read() -> None:
        while True:
            try:
                inbox.put(connection.recv())
            except BaseException:
                os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return inbox
