"""Processes that train: a Python of their own each, with a connection to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path


def start(module: str) -> tuple[subprocess.Popen[bytes], Connection]:
    """A process that runs `main` of a module on an open file descriptor, the other end of the connection.

    It is started as a plain command, as the simulator's workers are, which works from a notebook and from a script without a main
    guard; in a session of its own, where Ctrl-C does not reach it.
    """
    ours, theirs = socket.socketpair()
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    with ours, theirs:
        # With -P no folder that lies about where the command is given takes the place of a room.
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {module} import main; main({theirs.fileno()})"],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        return process, Connection(ours.detach())
