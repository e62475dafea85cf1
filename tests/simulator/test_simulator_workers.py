"""Workers that hang or die, batches that are interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import simulator_batch
from simulator_decks import broken, bulky, divider, endless, everything, kills_worker, rc

from cosim.simulator import Outcome, Point, Reason, SimulationError, Store, WorkerPool, ngspice_version, simulate, workers
from cosim.simulator.worker import PROGRESS

pytestmark = pytest.mark.slow

GOOD = Point({"deck": "rc"}, rc(), everything)


def reasons(outcomes: list[Outcome]) -> list[Reason | None]:
    return [outcome.error.reason if outcome.error else None for outcome in outcomes]


def waveform_bits(outcomes: list[Outcome]) -> list[bytes]:
    return [outcome.row["v(out)"].tobytes() for outcome in outcomes if outcome.row]


def test_time_out_costs_one_point() -> None:
    outcomes = simulate([GOOD, Point({"deck": "endless"}, endless(), everything), GOOD, GOOD], jobs=1, timeout_s=10.0)
    assert reasons(outcomes) == [None, Reason.TIMEOUT, None, None]
    assert outcomes[1].wall_s > 10.0 and "took longer than 10 s" in str(outcomes[1].error)
    assert re.search(r"with (less than )?0\.\d % of its transient done", str(outcomes[1].error))
    assert max(outcome.cpu_s for outcome in outcomes if outcome.row) < 10.0
    assert len(set(waveform_bits(outcomes))) == 1


def test_a_time_out_says_how_much_was_done() -> None:
    """A transient of 3 10^6 steps, of which two seconds do some per cent."""
    long = Point({"deck": "long"}, rc(stop_s=0.3, max_step_s=1e-7, title="long"), everything)
    (outcome,) = simulate([long], jobs=1, timeout_s=2.0)
    done = re.search(r"stopped with (\S+) % of its transient done; a circuit that oscillates takes ever ", str(outcome.error))
    assert done and 0.0 < float(done[1]) < 100.0


def test_killed_worker_costs_one_point() -> None:
    outcomes = simulate([GOOD, Point({}, rc(), kills_worker), GOOD], jobs=1)
    assert reasons(outcomes) == [None, Reason.WORKER_DIED, None]
    assert "exit code -9" in str(outcomes[1].error)
    assert len(set(waveform_bits(outcomes))) == 1


def test_worker_killed_from_outside_in_the_middle_of_a_simulation() -> None:
    with WorkerPool(jobs=1) as pool:

        def kill_at_work() -> None:
            while not any(PROGRESS.unpack_from(worker._progress)[0] == 0 for worker in pool._workers):
                time.sleep(0.05)
            (pid,) = pool.pids
            os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_at_work)
        killer.start()
        outcomes = simulate([Point({"deck": "endless"}, endless(), everything), GOOD], pool=pool)
        killer.join()
    assert reasons(outcomes) == [Reason.WORKER_DIED, None]


def test_results_do_not_depend_on_the_number_of_workers_nor_on_their_age() -> None:
    points = [Point({"k": k}, rc(1e3 + 10 * k), everything) for k in range(12)]
    one, two = simulate(points, jobs=1), simulate(points, jobs=2)
    with WorkerPool(jobs=1, recycle_after=2) as pool:
        young = simulate(points, pool=pool)
    assert waveform_bits(one) == waveform_bits(two) == waveform_bits(young)
    assert len(set(waveform_bits(one))) == 12
    assert [len({outcome.row["pid"] for outcome in batch if outcome.row}) for batch in (one, young)] == [1, 6]
    assert [outcome.point.condition["k"] for outcome in two] == list(range(12))
    assert all(outcome.cpu_s > 0 and outcome.peak_memory_mb > 10 for outcome in one)


def test_workers_are_replaced_when_they_have_grown() -> None:
    """With room for nothing each simulation has a process of its own, with room for all of them they share one."""
    served = {}
    for limit_mb in (1.0, 1e6):
        with WorkerPool(jobs=1, memory_limit_mb=limit_mb) as pool:
            outcomes = list(pool.map([GOOD, GOOD]))
        served[limit_mb] = len({outcome.row["pid"] for outcome in outcomes if outcome.row})
    assert served == {1.0: 2, 1e6: 1}


def test_what_the_parent_holds_is_not_counted_as_a_workers_memory() -> None:
    held = np.ones(100_000_000)  # 800 MB
    with WorkerPool(jobs=1, memory_limit_mb=400.0) as pool:
        outcomes = list(pool.map([GOOD] * 3))
    assert len({outcome.row["pid"] for outcome in outcomes if outcome.row}) == 1
    assert all(10 < outcome.peak_memory_mb < 400 for outcome in outcomes) and held[0] == 1.0


def test_points_are_taken_only_when_a_worker_is_free() -> None:
    taken = []

    def stream() -> Iterator[Point]:
        for k in range(20):
            taken.append(k)
            yield GOOD

    with WorkerPool(jobs=1) as pool:
        outcomes = pool.map(stream())
        next(outcomes)
        assert len(taken) <= 3
        assert len(list(outcomes)) == 19


def test_big_decks_and_big_rows_do_not_block_each_other() -> None:
    padding = "\n".join(f"* {k} {'-' * 1000}" for k in range(200))
    decks = [rc(1e3 + k, stop_s=2e-6, max_step_s=1e-9) for k in range(60)]
    points = [Point({"k": k}, dataclasses.replace(deck, library=f"{padding}\n* {k}"), bulky) for k, deck in enumerate(decks)]
    with WorkerPool(jobs=2, timeout_s=20.0) as pool:
        outcomes = simulate(points, pool=pool)
    assert reasons(outcomes) == [None] * 60
    assert all(outcome.row["bulk"].size == 200_000 for outcome in outcomes if outcome.row)


def test_an_extraction_that_a_worker_cannot_load_costs_its_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "passing_module.py").write_text("def extract(waveforms):\n    return {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    extract = importlib.import_module("passing_module").extract
    (tmp_path / "passing_module.py").unlink()
    outcomes = simulate([GOOD, Point({}, rc(), extract), GOOD], jobs=1, timeout_s=20.0)
    assert reasons(outcomes) == [None, Reason.EXTRACTION, None]
    assert "cannot be loaded in a worker: No module named 'passing_module'; define it in a module" in str(outcomes[1].error)


def test_pool_survives_a_batch_that_is_given_up() -> None:
    with WorkerPool(jobs=2) as pool:
        first = pool.map([GOOD, Point({"deck": "endless"}, endless(), everything)])
        next(first)
        first.close()
        assert waveform_bits(simulate([GOOD], pool=pool)) == waveform_bits(simulate([GOOD]))


def test_a_worker_needs_little_work_to_get_ready() -> None:
    """In processor time, which a busy machine does not stretch far; as much as a second is what imports would cost."""
    before = _children_cpu_s()
    with WorkerPool(jobs=1) as pool:
        assert int(pool.start()) >= 36
    assert 0.0 < _children_cpu_s() - before < 1.5


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_missing_library_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", "/nowhere/libngspice.so")
    with pytest.raises(SimulationError, match=r"apt install libngspice0") as raised:
        simulate([GOOD])
    assert raised.value.reason is Reason.LIBRARY_MISSING
    assert raised.value.exit_code == 3


def test_missing_pyspice_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "PySpice.py").write_text("raise ModuleNotFoundError('of purpose', name='PySpice')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SimulationError, match=r"package PySpice is missing; .* 'cosim\[simulation\]'") as raised:
        simulate([GOOD])
    assert raised.value.reason is Reason.LIBRARY_MISSING


def test_failures_are_stored_and_tried_again(tmp_path: Path) -> None:
    bad = Point({"deck": "bad", "level": np.float64(0.5)}, broken()["undefined_parameter"][0], everything)
    with Store(tmp_path / "points.sqlite") as store:
        first, second = simulate([GOOD, bad], store), simulate([GOOD, bad], store)
        assert [outcome.cached for outcome in first + second] == [False, False, True, False]
        assert waveform_bits(first) == waveform_bits(second)
        (failure,) = store.failures()
    assert failure["condition"] == {"deck": "bad", "level": 0.5}
    assert failure["reason"] == Reason.UNDEFINED_PARAMETER
    assert "nosuch" in failure["log"]
    assert failure["deck"] == bad.deck.text()


def test_everything_cached_needs_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [Point({"k": k}, divider(title=f"divider {k}"), everything) for k in range(3)]
    with Store(tmp_path / "points.sqlite") as store:
        simulate(points, store)
        assert store.count() == 1, "titles do not decide results"
        heard: list[Outcome] = []
        monkeypatch.setattr(workers, "_Worker", None)
        outcomes = simulate(points, store, on_outcome=heard.append)
    assert [outcome.cached for outcome in outcomes] == [True] * 3
    assert heard == outcomes


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_interrupted_batch_stops_at_once_and_resumes(signal_number: int, tmp_path: Path) -> None:
    count = 40
    path = tmp_path / "points.sqlite"
    process = _start_batch(path, count, "endless")
    pids = _wait_for_rows(path, 4)
    # Ctrl-C reaches the whole group, the workers perhaps first; kill -9 the parent alone.
    if signal_number == signal.SIGINT:
        assert all(_ignores_interrupts(pid) for pid in pids)
        for pid in pids:
            os.kill(pid, signal.SIGINT)
    (os.killpg if signal_number == signal.SIGINT else os.kill)(process.pid, signal_number)
    _, stderr = process.communicate(timeout=120)
    _wait_until_gone(pids)
    assert stderr.count("Traceback") == (1 if signal_number == signal.SIGINT else 0), stderr
    points = simulator_batch.points(count)
    with Store(path) as store:
        kept = store.count()
        assert 4 <= kept <= count
        resumed = simulate(points, store)
    assert sum(outcome.cached for outcome in resumed) == kept
    assert waveform_bits(resumed[:6]) == waveform_bits(simulate(points[:6]))


def test_two_batches_at_once_share_a_store(tmp_path: Path) -> None:
    path = tmp_path / "points.sqlite"
    for process in [_start_batch(path, 10), _start_batch(path, 10)]:
        _, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
    with Store(path) as store:
        assert store.count() == 10
        assert waveform_bits(simulate(simulator_batch.points(10), store)) == waveform_bits(simulate(simulator_batch.points(10)))


def _start_batch(path: Path, count: int, *last: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(Path(__file__).parent)])}
    command = [sys.executable, simulator_batch.__file__, str(path), str(count), "2", *last]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _wait_for_rows(path: Path, rows: int) -> set[int]:
    """Process ids of the workers, once so many rows are in the store."""
    version = ngspice_version()
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if path.exists():
            with Store(path) as store:
                found = [store.get(store.key(point, version)) for point in simulator_batch.points(rows + 4)]
            pids = {int(row["pid"]) for row in found if row}
            if sum(row is not None for row in found) >= rows:
                return pids
    raise AssertionError("the batch did not get going")


def _wait_until_gone(pids: set[int]) -> None:
    assert pids
    deadline = time.monotonic() + 60
    while pids and time.monotonic() < deadline:
        time.sleep(0.05)
        pids = {pid for pid in pids if _alive(pid)}
    assert pids == set()


def _ignores_interrupts(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.split("SigIgn:")[1].split()[0], 16) & 1 << (signal.SIGINT - 1))


def _alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_nothing_in_the_current_folder_is_run_read_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of Python by the names of those that a worker imports, a package of ours, ngspice's start-up files."""
    marks = tmp_path / "marks"
    marks.mkdir()
    for name in ("queue", "statistics", "cosim", "numpy", "selectors", "PySpice"):
        (tmp_path / f"{name}.py").write_text(f"import pathlib; pathlib.Path({str(marks)!r}, {name!r}).touch()\n")
    for name in (".spiceinit", "spinit"):
        (tmp_path / name).write_text(f"shell touch {marks}/{name}\nset num_threads=7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPICE_SCRIPTS", str(tmp_path))
    before = sorted(path.name for path in tmp_path.iterdir())
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + ISOLATED
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.stdout.strip() == "2 points", done.stderr
    assert list(marks.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == before


ROOT = Path(__file__).parents[2]
ISOLATED = """
from simulator_decks import everything, rc
from cosim.simulator import Point, simulate
outcomes = simulate([Point({}, rc(), everything), Point({}, rc(2e3), everything)])
print(sum(outcome.row is not None for outcome in outcomes), "points")
"""


def test_a_replacement_that_does_not_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine short of memory kills a process at its start; that aborted the sweep."""
    monkeypatch.setattr(workers, "FALSE_START_PAUSE_S", 0.01)
    with WorkerPool(jobs=1) as pool:
        pool.start()
        sound = workers._COMMAND
        commands = iter([sound.replace("import main", "import main; import os; os._exit(9)")] * 2)
        monkeypatch.setattr(workers, "_COMMAND", _Each(commands, sound))
        outcomes = simulate([Point({"deck": "dies"}, rc(), kills_worker), GOOD, GOOD], pool=pool)
    assert reasons(outcomes) == [Reason.WORKER_DIED, None, None]


def test_replacements_that_never_start_end_the_batch_and_what_was_done_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "FALSE_START_PAUSE_S", 0.01)
    starts = tmp_path / "starts"
    ending = f"open({str(starts)!r}, 'a').write('.'); import os; os._exit(9); "
    with WorkerPool(jobs=1) as pool, Store(tmp_path / "points.sqlite") as store:
        pool.start()
        monkeypatch.setattr(workers, "_COMMAND", ending + workers._COMMAND)
        with pytest.raises(SimulationError, match=r"ended with code 9 before its first simulation; `cosim doctor`"):
            simulate([GOOD, Point({}, rc(), kills_worker), Point({}, rc(2e3), everything)], store, pool=pool)
        assert (store.count(), len(store.failures())) == (1, 1)
    assert starts.read_text() == "." * (workers.MOST_FALSE_STARTS + 1)


class _Each:
    """A command that is another each time, and in the end the same."""

    def __init__(self, first: Iterator[str], then: str) -> None:
        self._first, self._then = first, then

    def format(self, *numbers: int) -> str:
        return next(self._first, self._then).format(*numbers)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own doing")
def test_a_worker_inside_a_computation_dies_with_its_parent() -> None:
    """One that lets no other thread run, so that the thread which would notice cannot."""
    with subprocess.Popen([sys.executable, "-c", ORPHANED], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(200):
        if not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text():
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the worker lives on")


ORPHANED = """
import os, subprocess, sys
code = "from cosim.simulator.worker import _die_with; _die_with(" + str(os.getpid()) + "); print(1, flush=True); 3**(10**9)"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
