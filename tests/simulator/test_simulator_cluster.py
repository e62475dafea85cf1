"""The same batch on a loopback Dask cluster of two worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulator_decks import broken, endless, everything, rc

from cosim.errors import InputError
from cosim.simulator import Outcome, Point, Reason, Store, simulate
from cosim.simulator.cluster import ClusterPool

pytestmark = pytest.mark.slow
distributed = pytest.importorskip("distributed")


def points(count: int, steps: int = 2000) -> list[Point]:
    return [Point({"k": k}, rc(1e3 + 10 * k, stop_s=steps * 1e-9, max_step_s=1e-9), everything) for k in range(count)]


@pytest.fixture
def address() -> Iterator[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])}
    # The Dask workers run under the settings that a user's own cluster has.
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, env=environment, silence_logs=50
    )
    with cluster:
        yield cluster.scheduler_address


def test_rows_are_those_of_a_local_run_and_failures_cost_their_point(address: str, tmp_path: Path) -> None:
    bad = [Point({"bad": "load"}, broken()["undefined_parameter"][0], everything), Point({"bad": "hangs"}, endless(), everything)]
    batch = [*points(10), *bad, *points(14)[10:]]
    with ClusterPool(address, timeout_s=10.0) as pool, Store(tmp_path / "points.sqlite") as store:
        outcomes = simulate(batch, store, pool=pool)
        again = simulate(batch[:10], store, pool=pool)
    assert [str(outcome.error.reason) for outcome in outcomes if outcome.error] == [Reason.UNDEFINED_PARAMETER, Reason.TIMEOUT]
    local = simulate(points(14), jobs=1)
    here, there = ([o.row["v(out)"].tobytes() for o in batch if o.row] for batch in (local, outcomes))
    assert here == there
    assert len({o.row["pid"] for o in outcomes if o.row}) >= 2
    assert [outcome.cached for outcome in again] == [True] * 10


def test_killed_worker_costs_nothing(address: str) -> None:
    with distributed.Client(address) as client:
        victim = next(iter(client.run(os.getpid).values()))
    batch = points(40, steps=20000)
    heard: list[Outcome] = []

    def kill_at_the_first(outcome: Outcome) -> None:
        if not heard:
            os.kill(victim, signal.SIGKILL)
        heard.append(outcome)

    with ClusterPool(address) as pool:
        outcomes = simulate(batch, pool=pool, on_outcome=kill_at_the_first)
    assert len(heard) == len(batch)
    assert all(outcome.error is None for outcome in outcomes)
    local = simulate(batch, jobs=2)
    assert [o.row["v(out)"].tobytes() for o in local if o.row] == [o.row["v(out)"].tobytes() for o in outcomes if o.row]


def test_nothing_at_the_address_is_one_clear_error() -> None:
    with pytest.raises(InputError, match=r"--scheduler tcp://127\.0\.0\.1:1: no Dask scheduler answers there"):
        ClusterPool("tcp://127.0.0.1:1")


def test_workers_that_still_queue_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch system starts workers when it has processors: minutes after the scheduler, or hours."""
    monkeypatch.setattr("cosim.simulator.cluster.WORKER_WITHIN_S", 0.2)
    said: list[str] = []
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
    ) as cluster:

        def come_now(line: str) -> None:
            said.append(line)
            cluster.scale(1)

        with ClusterPool(cluster.scheduler_address, say=come_now) as pool:
            assert pool.version
    assert said and "no worker has come yet; waiting" in said[0]


def test_a_worker_that_comes_later_and_differs_simulates_nothing() -> None:
    from cosim.simulator.cluster import simulate_chunk

    [reply] = simulate_chunk([(7, points(1)[0], points(1)[0].deck.digest())], 10.0, (0, "1"))
    assert reply.index == 7 and reply.row is None
    assert reply.error is not None and "a worker that came later differs" in str(reply.error)


def test_workers_with_another_engine_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosim.simulator.cluster.SIMULATOR_VERSION", 99)
    with pytest.raises(InputError, match=r"has another cosim \(engine version \d+, here 99\)"):
        ClusterPool(address)


def test_everything_works_without_a_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "no_guard.py"
    script.write_text("from simulator_decks import everything, rc\nfrom cosim.simulator import Point, simulate\n"
                      "print(len(simulate([Point({}, rc(), everything)])))\n")  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr


def test_a_sweep_works_on_the_cluster(address: str, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    words = ["sweep", str(root / "designs" / "iris_5_5_5.toml"), "--measure", "switching_threshold", "--corners", "tt,ss"]
    done = subprocess.run(
        [sys.executable, "-m", "cosim", *words, "--scheduler", address, "--out", str(tmp_path / "run")],
        capture_output=True, text=True, check=False, timeout=120, cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\n2 points, 0 of them known, 0 failed" in done.stdout
