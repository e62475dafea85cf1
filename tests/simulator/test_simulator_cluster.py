"""The same batch on a loopback Dask cluster of two worker processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulator_decks import broken, endless, everything, rc

from cosim.errors import InputError
from cosim.simulator import Outcome, Point, Reason, Store, cluster, simulate
from cosim.simulator.cluster import ClusterPool, SchedulerLostError

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


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("tcp://127.0.0.1:1", "Connection refused"), ("nonsense", "missing port number in address 'nonsense'"),
        ("foo://127.0.0.1:1", "unknown address scheme 'foo'"),
        ("tls://127.0.0.1:1", "Dask's settings name no certificate and key"),
    ],
)  # fmt: skip
def test_nothing_at_the_address_is_one_clear_error(wrong: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER_WITHIN_S", 8.0)  # a busy machine takes its time to refuse
    with pytest.raises(InputError, match=rf"--scheduler {wrong}: no Dask scheduler answers there: .*{why}.*; give the address"):
        ClusterPool(wrong)


def test_something_that_says_nothing_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask waits for it for ever."""
    monkeypatch.setattr(cluster, "ANSWER_WITHIN_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match=rf"{address}: no Dask scheduler answers there: it does not answer"):
            ClusterPool(address)


def test_a_worker_is_no_scheduler(address: str) -> None:
    with distributed.Client(address) as client:
        [worker, *_] = client.scheduler_info()["workers"]
    with pytest.raises(
        InputError, match=rf"--scheduler {worker}: a Dask worker answers there; give the address of its scheduler"
    ):
        ClusterPool(worker)


@contextlib.contextmanager
def cluster_of_processes(folder: Path, host: str = "127.0.0.1", **settings: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler and a worker as a user starts them: the address, and the scheduler's process."""
    search = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": search, **settings}
    file, quiet = folder / "scheduler.json", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}

    def start(program: str, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *words], **quiet)  # type: ignore[call-overload,no-any-return]

    processes = [start("dask_scheduler", "--host", host, "--port", "0", "--scheduler-file", str(file))]
    try:
        deadline = time.monotonic() + 120
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        processes.append(start("dask_worker", address, "--nthreads", "1", "--no-nanny"))
        yield address, processes[0]
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_a_scheduler_that_is_lost_is_one_line_and_what_came_back_is_kept(
    end: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was a traceback of seventy lines where the scheduler died, and no end where it hung."""
    monkeypatch.setattr(cluster, "ASKED_EVERY_S", 1.0)
    batch, heard = points(400, steps=20000), list[Outcome]()
    with (
        cluster_of_processes(tmp_path) as (address, scheduler),
        Store(tmp_path / "points.sqlite") as store,
        ClusterPool(address) as pool,
    ):
        monkeypatch.setattr(cluster, "ANSWER_WITHIN_S", 2.0)

        def end_it_at_the_third(outcome: Outcome) -> None:
            heard.append(outcome)
            if len(heard) == 3:
                scheduler.send_signal(end)

        with pytest.raises(
            SchedulerLostError, match=rf"--scheduler {address}: the scheduler is lost \(.+\); the results"
        ) as lost:
            simulate(batch, store, pool=pool, on_outcome=end_it_at_the_third)
    with Store(tmp_path / "points.sqlite") as store:
        assert 3 <= len(heard) == store.count() < len(batch)
    assert lost.value.exit_code == 3 and "run the same command with its address" in str(lost.value)
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority of one's own, and a certificate of it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    for words in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
        "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 2 -subj /CN=another",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=cosim",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out certificate.pem -days 2",
    ):
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
    return folder


def dask_settings(certificates: Path) -> dict[str, str]:
    """As environment variables: those of docs/simulation.md."""
    tls, roles = "DASK_DISTRIBUTED__COMM__TLS", ("CLIENT", "WORKER", "SCHEDULER")
    files = {"CERT": str(certificates / "certificate.pem"), "KEY": str(certificates / "key.pem")}
    own = {f"{tls}__{role}__{what}": file for role in roles for what, file in files.items()}
    return {**own, f"{tls}__CA_FILE": str(certificates / "ca.pem"), "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}


def test_a_cluster_with_certificates_works_for_those_who_have_them(certificates: Path, tmp_path: Path) -> None:
    settings = dask_settings(certificates)
    design = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"

    def sweep(address: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = ["sweep", str(design), "--measure", "leakage", "--scheduler", address, "--out", str(tmp_path / "run")]
        return subprocess.run(
            [sys.executable, "-m", "cosim", *words], capture_output=True, text=True, check=False, timeout=120,
            env={**os.environ, "PYTHONPATH": str(design.parents[1]), **environment},
        )  # fmt: skip

    with cluster_of_processes(tmp_path, "tls://127.0.0.1", **settings) as (address, _):
        assert address.startswith("tls://")
        assert "1 points, 0 of them known, 0 failed" in sweep(address, **settings).stdout
        refusals = {
            "Dask's settings name no certificate and key": sweep(address),
            "hangs up|reset|closed": sweep(address.replace("tls", "tcp")),
            "CERTIFICATE_VERIFY_FAILED": sweep(
                address, **{**settings, "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(certificates / "other.pem")}
            ),
            "a certificate or key that Dask's settings name is not there": sweep(
                address, **{**settings, "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": "/nowhere.pem"}
            ),
        }
    for why, done in refusals.items():
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith("cosim: --scheduler t") and re.search(why, line), line


def test_workers_that_still_queue_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch system starts workers when it has processors: minutes after the scheduler, or hours."""
    monkeypatch.setattr("cosim.simulator.cluster.WORKER_WITHIN_S", 0.2)
    said: list[str] = []
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
    ) as local:

        def come_now(line: str) -> None:
            said.append(line)
            local.scale(1)

        with ClusterPool(local.scheduler_address, say=come_now) as pool:
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
