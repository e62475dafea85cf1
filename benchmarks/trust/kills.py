"""`cosim sweep` and `cosim run`, killed at random moments and started again: what lives on, what is left, what comes out."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pandas as pd

from benchmarks.figure import Figure

KILLS, OF_RUN = 200, 24
"""So many in all; so many of these are of `cosim run`."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
GONE_WITHIN_S = 10.0
"""A process that has been told to end, and all that it has started, are not there any more."""

ROOT = Path(__file__).parents[2]
_REFERENCE = ROOT / "designs/iris_5_5_5.toml"
_DESIGN = """name = "killed"
[accuracy]
reltol = 1e-4
max_step_s = 20e-9
[network]
dataset = "table"
layers = [5, 3]
test_samples = 10
[network.table]
file = "table.csv"
label = "kind"
[characterization]
codes = 4
membrane_points = 6
firing_points = 16
[training]
epochs = 20
[mapping]
conventional = false
[validation]
samples = 1
mismatch_dies = 1
mismatch_samples = 1
accuracy_samples = 1
"""
SWEEPS = (
    f"sweep {_REFERENCE} --measure synapse_current --seeds 0:6",
    f"sweep {_REFERENCE} --measure switching_threshold --measure leakage --corners tt,ss --check-accuracy 1",
    f"sweep {_REFERENCE} --measure firing_time --corners tt,ss --seeds 0:3",
)
RUNS = ("run @/design.toml --no-pdf", "run @/design.toml")
"""`@` stands for the folder of the command."""
MOST_IN_A_ROW = 12
_FOUND = ("characterization.", "training.", "validation.", "circuit.", "energy.")
"""Metrics that the clock has no say in."""
_MARK = "COSIM_KILLED"
_OF_THE_CLOCK = ("cpu_s", "wall_s")


@dataclass
class Place:
    """A folder for one command: what it reads and what it writes, its temporary files, its cache; nothing of it is elsewhere."""

    folder: Path
    words: str

    def __post_init__(self) -> None:
        self.temporary.mkdir(parents=True)
        (self.folder / "design.toml").write_text(_DESIGN)
        random = Random(1)
        rows = [[*(f"{random.gauss(kind * (j + 1) % 3, 0.4):.3f}" for j in range(5)), "xyz"[kind]] for kind in [0, 1, 2] * 20]
        (self.folder / "table.csv").write_text("\n".join(map(",".join, [["a", "b", "c", "d", "e", "kind"], *rows])) + "\n")

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def start(self) -> subprocess.Popen[str]:
        """The command, in a process group of its own."""
        words = [word.replace("@", str(self.folder)) for word in f"{self.words} --out @/run --jobs 2".split()]
        environment = {
            **os.environ, "TMPDIR": str(self.temporary), "COSIM_CACHE": str(self.folder / "cache"), _MARK: str(self.folder),
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "cosim", *words], env=environment, cwd=self.folder, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def alive(self) -> list[int]:
        """Processes that have been started here, however they came to be."""
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if self._marked(path)]

    def _marked(self, environment: Path) -> bool:
        with contextlib.suppress(OSError):
            return f"{_MARK}={self.folder}\0".encode() in environment.read_bytes()
        return False

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}

    def results(self) -> dict[str, object]:
        """What the command has found out, by file; what the clock says is left out."""
        found: dict[str, object] = {}
        for path in sorted(self.run.rglob("*")):
            name = str(path.relative_to(self.run))
            match path.suffix:
                case ".parquet":
                    table = pd.read_parquet(path)
                    found[name] = table.drop(columns=[column for column in table.columns if column in _OF_THE_CLOCK])
                case ".safetensors" | ".spice" if path.parent.name != "checkpoints":  # written when the clock says so
                    found[name] = path.read_bytes()
        with contextlib.suppress(FileNotFoundError):
            metrics = json.loads((self.run / "metrics.json").read_text())
            found["metrics"] = {
                name: value for name, value in metrics.items() if name.startswith(("char", "train", "valid", "circ"))
            }
        return found


def different(one: dict[str, object], other: dict[str, object]) -> list[str]:
    """In what two commands have not found the same, to the last bit."""

    def equal(mine: object, theirs: object) -> bool:
        return mine.equals(theirs) if isinstance(mine, pd.DataFrame) else mine == theirs

    return sorted(name for name in one.keys() | other.keys() if not equal(one.get(name), other.get(name)))


@dataclass
class Undisturbed:
    """A command that nobody kills: how long it takes, what it finds, what files it leaves."""

    words: str
    seconds: float
    results: dict[str, object]
    files: set[str]

    @classmethod
    def of(cls, words: str, folder: Path) -> Undisturbed:
        place, started = Place(folder, words), time.monotonic()
        process = place.start()
        _, said = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"cosim {words}: exit code {process.returncode}: {said}")
        return cls(words, time.monotonic() - started, place.results(), place.files())


@dataclass
class Count:
    """What came of kills. `faults` says of each that was not borne what was wrong; `identical` counts those that were."""

    kills: Counter[str] = field(default_factory=Counter)
    identical: int = 0
    orphans: int = 0
    leftovers: int = 0
    tracebacks: int = 0
    faults: list[str] = field(default_factory=list)


def killed_till_done(undisturbed: Undisturbed, folder: Path, random: Random, most: int, within: float, count: Count) -> int:
    """Kill a command and start it again until it has come to its end, or so often; the number of kills.

    The moment is any `within` so much of the time that the undisturbed command took.
    """
    place, kills = Place(folder, undisturbed.words), list[str]()
    while len(kills) < most:
        number, of_group = random.choice(SIGNALS), random.random() < 0.5
        process = place.start()
        try:
            process.wait(random.uniform(0.0, within * undisturbed.seconds))
            process.communicate()
            break
        except subprocess.TimeoutExpired:
            (os.killpg if of_group else os.kill)(process.pid, number)
        kills.append(f"{number.name}{' of the group' if of_group else ''}")
        _look_after(place, process, kills[-1], undisturbed, count)
    process = place.start()
    _, said = process.communicate()
    left = place.files() - undisturbed.files
    other = [f"exit code {process.returncode}: {said[-300:]}"] if process.returncode else []
    other += different(place.results(), undisturbed.results)
    if left or other:
        count.faults.append(f"{place.words} after {', '.join(kills)}: {', '.join(other) or 'the same'}; left: {sorted(left)}")
    count.kills.update(kills)
    count.identical += 0 if other else len(kills)
    count.leftovers += len(left)
    return len(kills)


def _look_after(place: Place, process: subprocess.Popen[str], kill: str, undisturbed: Undisturbed, count: Count) -> None:
    """What is there after a kill that should not be."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while (alive := place.alive()) and time.monotonic() < deadline:
        process.poll()
        time.sleep(0.02)
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, said = process.communicate()
    temporary = {name for name in place.files() if name.startswith("temporary/")} - undisturbed.files
    shutil.rmtree(place.temporary)
    place.temporary.mkdir()
    count.orphans += len(alive)
    count.leftovers += len(temporary)
    count.tracebacks += "Traceback" in said
    if alive or temporary:
        count.faults.append(f"{place.words}, {kill}: {len(alive)} live on; {sorted(temporary)}")
    elif "Traceback" in said:
        count.faults.append(f"{place.words}, {kill}: {said[-1500:]}")


def kill(kills: int, of_run: int, seed: int = 14) -> Count:
    """So many kills in all, at moments that the seed draws."""
    count, random = Count(), Random(seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        _kill(SWEEPS, kills - of_run, 1.0, Path(folder) / "sweeps", random, count)
        # One that starts again and again within its first third comes to every stage, one after the other.
        _kill(RUNS, of_run, 0.3, Path(folder) / "runs", random, count)
    return count


def _kill(commands: Sequence[str], kills: int, within: float, folder: Path, random: Random, count: Count) -> None:
    """So many kills, of each command in turn."""
    undisturbed = [Undisturbed.of(words, folder / f"undisturbed-{k}") for k, words in enumerate(commands) if kills]
    done = 0
    for turn in itertools.count():
        if done >= kills:
            return
        one, most = undisturbed[turn % len(undisturbed)], min(kills - done, MOST_IN_A_ROW)
        done += killed_till_done(one, folder / str(turn), random, most, within, count)


def figures(quick: bool) -> Iterator[Figure]:
    """200 kills; a tenth of them if `quick`."""
    # What a shell starts in the background ignores SIGINT, and so would every command that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    share = 10 if quick else 1
    of_run, count = OF_RUN // share, kill(KILLS // share, OF_RUN // share)
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(count.kills.items()))
    left = f"{count.orphans} processes that lived on, {count.leftovers} files left"
    detail = f"{left}; {of_run} of cosim run, the others of cosim sweep; {kinds}"
    yield Figure("trust.kills", count.kills.total(), "", "200", detail)
    yield Figure("trust.kills_identical", count.identical, "", "all", "; ".join(count.faults)[:400] or "tables bit for bit")
