"""Killed at any moment: nothing lives on, nothing is left lying, and the same command goes on to the same tables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.trust import kills
from cosim.simulator import WorkerPool, workers
from netlists.models import cache

ROOT = Path(__file__).parents[2]


def killed(code: str, **environment: str) -> None:
    """Run a few lines of Python, in which `killed` ends the process on the spot, as a signal would."""
    lines = f"import os\ndef killed(*given, **named): os._exit(9)\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", lines],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr


def test_what_is_left_of_a_cache_entry_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library.lib"
    library.write_text(".model n nmos\n")
    killed(
        "from pathlib import Path\nfrom netlists.models import cache\nPath.replace = killed\n"
        f"library = Path({str(library)!r})\ncache.text(library, 'tt', 'n', lambda: ('text', [library]))",
        COSIM_CACHE=str(tmp_path / "cache"),
    )
    assert len(list((tmp_path / "cache/models").iterdir())) == 1
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    assert cache.text(library, "tt", "n", lambda: ("text", [library])) == "text"
    assert sorted(path.suffix for path in (tmp_path / "cache/models").iterdir()) == [".files", ".spice"]
    assert cache.text(library, "tt", "n", lambda: ("another", [library])) == "text"


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="the system has no files without a name")
def test_a_probe_for_locks_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    killed(f"import fcntl, pathlib, cosim.locks\nfcntl.lockf = killed\ncosim.locks.locks_work(pathlib.Path({str(folder)!r}))")
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_worker_makes_no_file_to_start_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for ngspice's settings stayed where the worker was killed in it."""
    ending = "import os, tempfile; tempfile.mkdtemp = tempfile.mkstemp = lambda *given, **named: os._exit(9); "
    monkeypatch.setattr(workers, "_COMMAND", ending + workers._COMMAND)
    with WorkerPool(jobs=1) as pool:
        assert int(pool.start()) >= 36


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_sweeps_killed_at_random_moments() -> None:
    """A few of what `python -m benchmarks trust.kills` does 200 times."""
    count = kills.kill(kills=10, of_run=0, seed=3)
    assert count.faults == []
    assert (count.kills.total(), count.identical, count.orphans, count.leftovers) == (10, 10, 0, 0)
    assert len({kind.split()[0] for kind in count.kills}) > 1
