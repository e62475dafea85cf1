"""Who simulates: processes of this machine, or a cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from cosim.simulator.batch import Pool
from cosim.simulator.workers import WorkerPool


@contextlib.contextmanager
def open_pool(
    jobs: int, timeout_s: float, scheduler: str = "", at_once: bool = False, say: Callable[[str], None] = lambda line: None
) -> Iterator[Pool]:
    """`jobs` processes, started when they are needed or `at_once`, or the Dask cluster at the address `scheduler`.

    `say` hears what there is to wait for.
    """
    if scheduler:
        from cosim.simulator.cluster import ClusterPool

        with ClusterPool(scheduler, timeout_s, say) as cluster:
            yield cluster
    else:
        with WorkerPool(jobs, timeout_s) as local:
            if at_once:
                local.prepare()
            yield local


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
