"""What stages that simulate work with: processes or a cluster, and a bench over the points that the run directory knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cosim.bench.monitored import MonitoredBench
from cosim.pipeline.workspace import Workspace
from cosim.simulator import Pool, Store
from cosim.simulator.pools import open_pool


def pool_of(space: Workspace) -> contextlib.AbstractContextManager[Pool]:
    """Who simulates."""
    return open_pool(space.jobs, space.design.accuracy.timeout_s, space.scheduler, say=space.monitor.remark)


@contextlib.contextmanager
def bench_of(space: Workspace) -> Iterator[MonitoredBench]:
    """A bench for the design's corner, over the points that the run directory knows."""
    pdk = space.design.process.pdk()
    with Store(space.points_file, space.monitor.remark) as store, pool_of(space) as pool:
        yield MonitoredBench(space.design, pdk, store, space.jobs, pool=pool, monitor=space.monitor, effort=space.effort)
