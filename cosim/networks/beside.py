"""A network trained beside another one, in a process of its own.

All that comes of it is its checkpoint: who trains the network afterwards goes on from there. So a process that dies costs time
and no result, and what is wrong with a training is told where it is trained last.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from cosim.networks.process import start
from training.checkpoint import continued
from training.data.spikes import SpikeData
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.trainer import Progress, train

WORTH_EPOCHS = 300
"""Fewer epochs of a small network take less time than the start of a process."""


class Beside:
    """A training that goes on elsewhere; `progress` hears of its epochs when it is asked for them."""

    def __init__(self, connection: Connection, progress: Progress) -> None:
        self._connection, self._progress = connection, progress

    def hear(self) -> None:
        """Tell of the epochs that are done by now."""
        self._tell(self._connection.poll)

    def wait(self) -> None:
        """Tell of all epochs that are left, as they are done."""
        self._tell(lambda: True)

    def _tell(self, more: Callable[[], bool]) -> None:
        with contextlib.suppress(EOFError, ConnectionResetError):
            while more():
                self._progress(self._connection.recv())


@contextlib.contextmanager
def beside(network: RCSpikeNetwork, data: SpikeData, recipe: Recipe, checkpoint: Path, progress: Progress) -> Iterator[Beside]:
    """Train the network as far as its checkpoint, in another process, which is gone afterwards."""
    process, connection = start(__name__)
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            # Not by `send`: torch would pass its tensors through shared memory, to a child of this very process alone.
            connection.send_bytes(pickle.dumps((network, data, recipe, checkpoint)))
        yield Beside(connection, progress)
    finally:
        process.kill()
        connection.close()
        process.wait()


def main(socket: int) -> None:
    """The process. It ends with its parent: at the first epoch that nobody hears of."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business, who then ends this process
    connection = Connection(socket)
    torch.set_num_threads(1)
    with contextlib.suppress(Exception):  # the parent meets it again, and says it
        network, data, recipe, checkpoint = pickle.loads(connection.recv_bytes())
        continued(partial(train, network, data, recipe, connection.send, checkpoint), checkpoint)
