"""ngspice inside a worker process: one deck in, waveforms out, and nothing left behind for the next deck.

Import this module in worker processes only: libngspice may end or spoil the process it lives in.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi

from cosim.simulator.commands import is_plain
from cosim.simulator.completeness import check_complete
from cosim.simulator.deck import (
    SETTINGS,
    Analysis,
    DcSweep,
    Deck,
    OperatingPoint,
    Start,
    Transient,
    called_as_node,
    flat_deck,
    started,
    undrawable,
)
from cosim.simulator.diagnosis import doubtful_solution, fallbacks, load_failure, run_failure, spoils
from cosim.simulator.errors import Reason, SimulationError
from cosim.simulator.expressions import NotEvaluable
from cosim.simulator.flattening import FlatDeck
from cosim.simulator.waveforms import FloatArray, Waveforms

LIBRARY_NAMES = ("libngspice.so", "libngspice.so.0", "libngspice.dylib")
# A behavioural source may complain at every iteration.
LOG_END_LINES = 1000
_NOWHERE = ("/proc/self", "/")
_START = Path(__file__).parent / "start"
"""Where ngspice is started: its `.spiceinit` says what `SETTINGS` does."""
OPERATING_POINT_RELTOL = 3e-6
"""Relative tolerance at which an operating point is looked for; Newton's last step leaves far less."""
_SETTLE, _DO_NOT_SETTLE = "optran 0 0 0 1e-3 0.1 0", "optran 1 1 1 100n 10u 0"
"""How ngspice is told to let a circuit settle for 0.1 s in the place of an operating point, and to go its own ways again.

The 0.1 pA that leak off a floating node take a volt off it in some milliseconds. The last of ngspice's ways settles for 10 us.
"""
_COMMAND_LENGTH = 1000
_KEPT_BY_NGSPICE = frozenset({"inputdir", "prompt", "rndseed", "sim_status", "sourcepath"})
_NOT_FOUND = (
    "libngspice was not found; install it (Debian, Ubuntu: apt install libngspice0; Fedora: dnf install libngspice; "
    "macOS: brew install libngspice) or set NGSPICE_LIBRARY_PATH to the file"
)


_TRANSIENT_DONE = re.compile(r"tran: +(\d+(?:\.\d+)?) ?%")


class _Shared(NgSpiceShared):  # type: ignore[misc]
    """PySpice's shared library; what ngspice writes is kept in `lines` without the stream's name, of a long log both ends."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.on_progress: Callable[[float], None] = lambda share: None
        super().__init__()

    def send_char(self, message: str, ngspice_id: int) -> int:
        stream, _, content = str(message).partition(" ")
        self.lines.append(content if stream in ("stdout", "stderr") else str(message))
        if len(self.lines) > 4 * LOG_END_LINES:
            del self.lines[LOG_END_LINES:-LOG_END_LINES]
        return 0

    def send_stat(self, message: str, ngspice_id: int) -> int:
        """`tran: 12.3%`, some times a second."""
        if match := _TRANSIENT_DONE.match(str(message)):
            self.on_progress(float(match[1]) / 100)
        return 0


@dataclass
class _Loaded:
    """The flat circuit that ngspice holds, and the numbers it stands at."""

    title: str
    flat: FlatDeck
    fixed: list[float]
    numbers: list[float]
    start: Start = ()


class NgspiceSession:
    """The one ngspice of this process.

    After any `SimulationError` from `run` the process should be replaced: an undefined parameter leaves libngspice unusable, and
    which other failures do is not documented.
    """

    def __init__(self) -> None:
        # PySpice logs every line of ngspice's stderr as an error; diagnosis.py judges them instead.
        logging.getLogger("PySpice").setLevel(logging.CRITICAL + 1)
        # ngspice sets its own thread count, only this limit holds; threads make small circuits 20 times slower.
        os.environ["OMP_THREAD_LIMIT"] = "1"
        self._shared = _start_shared()
        self._runs = 0
        self._log: list[str] = []
        self._loaded: _Loaded | None = None
        self._setup: tuple[str, ...] = ()
        self._variables = self._variables_now()

    @property
    def version(self) -> str:
        return str(self._shared.ngspice_version)

    def on_progress(self, hear: Callable[[float], None]) -> None:
        """Have the share of a transient that is done told while it runs."""
        self._shared.on_progress = hear

    @property
    def fallbacks(self) -> int:
        """How many times the last `run` met a pseudo-transient instead of an operating point; no result rests on one."""
        return fallbacks(self._log)

    @property
    def spoiled(self) -> bool:
        """Whether the last `run` left something that no other can undo: the process should be replaced."""
        return spoils(self._log)

    def run(self, deck: Deck) -> Waveforms:
        """Simulate. Raises `SimulationError` unless every saved vector came back complete, finite and from this very deck.

        A deck is made flat; if the circuit that is loaded differs from it in numbers only, these are set on it. What that module
        does not know, and a `plain` deck, is loaded as it is.
        """
        self._log.clear()
        self._shared.lines.clear()
        try:
            if why := undrawable(deck):
                raise SimulationError(Reason.DRAWS, why)
            self._set_up(deck.setup)
            flat = None if deck.plain else flat_deck(deck.base)
            if flat is None:
                return self._run_plain(deck)
            return self._run_flat(deck, flat)
        except (SimulationError, NotEvaluable) as error:
            self._clear()
            reason, why = (error.reason, "") if isinstance(error, SimulationError) else (Reason.DRAWS, f"seed {deck.seed}: ")
            raise SimulationError(reason, f"{deck.title}: {why}{error}", deck.text(), "\n".join(self._log)) from None

    def _set_up(self, lines: tuple[str, ...]) -> None:
        """Tell ngspice the settings of a deck; those of the deck before no longer hold. What `osdi` loaded stays loaded."""
        if lines == self._setup:
            return
        self._clear()
        for line in self._setup:
            if line.startswith("set "):
                self._command(f"unset {line.split()[1].partition('=')[0]}")
        for line in lines:
            self._tell(line)
        self._hear()
        self._setup = lines
        self._variables = self._variables_now()

    def _run_plain(self, deck: Deck) -> Waveforms:
        if word := called_as_node(deck):
            raise SimulationError(Reason.LOAD, f"cannot be loaded: {word} stands where a node is expected")

        def stand(start: Start | None) -> str:
            self._clear()
            return self._load(started(deck.whole_cards(), start or ()))

        try:
            return self._solve(deck, stand)
        finally:
            self._clear()

    def _run_flat(self, deck: Deck, flat: FlatDeck) -> Waveforms:
        numbers = flat.numbers(dict(deck.values), deck.seed)
        # Numbers that no command sets are in the text; the others are set by command even on a circuit that was just loaded,
        # because ngspice reads a number in a netlist and in a command with different rounding.
        fixed = [number for number, slot in zip(numbers, flat.slots, strict=True) if slot.command is None]

        def stand(start: Start | None) -> str:
            loaded = self._loaded
            same = loaded is not None and loaded.flat is flat and loaded.fixed == fixed
            if loaded is None or not same or (start is not None and loaded.start != start):
                self._clear()
                nominal = [n if slot.command is None else slot.nominal for n, slot in zip(numbers, flat.slots, strict=True)]
                title = self._load(started(flat.text(nominal), start or ()))
                loaded = self._loaded = _Loaded(title, flat, fixed, [math.nan] * len(numbers), start or ())
            for slot, number, present in zip(flat.slots, numbers, loaded.numbers, strict=True):
                if slot.command is not None and number != present:
                    self._command(f"{slot.command}{number!r}")
            loaded.numbers = numbers
            return loaded.title

        try:
            return self._solve(deck, stand)
        finally:
            self._command("destroy all")

    def _solve(self, deck: Deck, stand: Callable[[Start | None], str]) -> Waveforms:
        """Simulate from an operating point that is one.

        `stand` makes ngspice hold the circuit, its nodes at a start at time zero (None: any, where nothing depends on it), and
        gives its title. At a tight tolerance the search for an operating point fails where many nodes float, and ngspice goes on
        from a false one. It is therefore solved at a tolerance at which it converges, and where it is known, it is where the
        analysis starts.
        """
        transient = isinstance(deck.analysis, Transient) and not deck.analysis.use_initial_conditions
        searched = deck.start or not transient or deck.options.reltol >= OPERATING_POINT_RELTOL
        if searched:
            try:
                return self._simulate(deck, stand(deck.start), deck.start)
            except SimulationError as error:
                if deck.start or not transient or error.reason is not Reason.OPERATING_POINT:
                    raise
        start = self._operating_point(deck, stand, settled=bool(searched))
        return self._simulate(deck, stand(start), start)

    def _operating_point(self, deck: Deck, stand: Callable[[Start | None], str], settled: bool) -> Start:
        """Node voltages at time zero; `settled`: not searched for, which failed. Raises `SimulationError` where there are none.

        A search that fails leaves a conductance from every node to ground in the circuit, a volt off what leaks no more than that
        holds, and the next search ends there without a word: so the circuit is loaded anew, and left to settle.
        """
        if settled:
            self._clear()
        stand(None)
        finding = self._find_point(deck, settled)
        start = self._node_voltages() if finding is None else ()
        # What the deck itself asks for holds again.
        for command in ("destroy all", "delete all", f"option reltol={deck.options.reltol!r}", *_saves(deck.save)):
            self._command(command)
        self._hear()
        if finding is not None and finding[0] is Reason.OPERATING_POINT and not settled:
            return self._operating_point(deck, stand, settled=True)
        if finding is not None:
            raise SimulationError(finding[0], f"{_NAMES.get(finding[0], 'cannot be run')}: {finding[1]}")
        return start

    def _find_point(self, deck: Deck, settled: bool) -> tuple[Reason, str] | None:
        """Solve the operating point of the circuit that is loaded; what is wrong with it, if anything."""
        reltol = max(OPERATING_POINT_RELTOL, deck.options.reltol)
        for command in ("destroy all", f"option reltol={reltol!r}", "save all"):
            self._command(command)
        if finding := load_failure(self._hear()):
            return finding
        if settled:
            self._command(_SETTLE)
        self._command("op")
        lines = self._hear()
        if settled:
            self._command(_DO_NOT_SETTLE)
        return run_failure(lines) or doubtful_solution(lines, settled)

    def _node_voltages(self) -> Start:
        """Of the operating point that was just solved; currents and what lies inside a device are left out."""
        shared = self._shared._ngspice_shared
        plot = shared.ngSpice_CurPlot()
        names: list[str] = []
        vectors = shared.ngSpice_AllVecs(plot)
        while vectors[len(names)] != ffi.NULL:
            names.append(ffi.string(vectors[len(names)]).decode())
        prefix = ffi.string(plot).decode()
        nodes = sorted(name for name in names if "#" not in name and "@" not in name)
        return tuple((name, float(self._vector(prefix, name)[0])) for name in nodes)

    def _load(self, cards: str) -> str:
        """Load a circuit and return its title."""
        # A deck that fails to load would leave the previous circuit in place and run it again: hence the unique title.
        # The deck's own title stays out: ngspice would substitute variables and commands in it when it is echoed.
        self._runs += 1
        title = f"cosim {self._runs}"
        with contextlib.suppress(NameError):  # PySpice's verdict, see diagnosis.py
            self._shared.load_circuit(f"{title}\n{cards}")
        if finding := load_failure(self._hear()):
            raise SimulationError(finding[0], f"{_NAMES.get(finding[0], 'cannot be loaded')}: {finding[1]}")
        return title

    def _simulate(self, deck: Deck, title: str, start: Start = ()) -> Waveforms:
        if finding := load_failure(self._hear()):
            raise SimulationError(finding[0], f"{_NAMES.get(finding[0], 'cannot be set')}: {finding[1]}")
        self._command("run")
        lines = self._hear()
        if finding := run_failure(lines) or doubtful_solution(lines):
            raise SimulationError(finding[0], f"{_NAMES.get(finding[0], 'cannot be run')}: {finding[1]}")
        return self._read(deck, title, start)

    def _read(self, deck: Deck, title: str, start: Start) -> Waveforms:
        self._tell("echo $curplottitle")
        if [line.strip() for line in self._hear()] != [title]:
            raise SimulationError(Reason.STALE, "ngspice holds no result of this deck")
        plot = ffi.string(self._shared._ngspice_shared.ngSpice_CurPlot()).decode()
        vectors = {name: self._vector(plot, name) for name in deck.save}
        axis = self._axis(plot, deck.analysis, len(next(iter(vectors.values()))))
        check_complete(deck.analysis, axis, vectors)
        return Waveforms(axis, vectors, _outer_axis(deck.analysis), start)

    def _axis(self, plot: str, analysis: Analysis, points: int) -> FloatArray:
        match analysis:
            case OperatingPoint():
                return np.zeros(points)
            case Transient():
                return self._vector(plot, "time")
            case DcSweep(source=source):
                kind = {"v": "v-sweep", "i": "i-sweep", "r": "res-sweep", "t": "temp-sweep"}.get(source[0].lower(), "v-sweep")
                return self._vector(plot, kind)

    def _vector(self, plot: str, name: str) -> FloatArray:
        """A copy of one vector: ngspice frees its own when the plot is destroyed."""
        info = self._shared._ngspice_shared.ngGet_Vec_Info(f"{plot}.{_vector_name(name)}".encode())
        if info == ffi.NULL:
            raise SimulationError(Reason.MISSING_VECTOR, f"the circuit has no {name}")
        if info.v_length == 0 or info.v_realdata == ffi.NULL:
            raise SimulationError(Reason.EMPTY, f"{name} has no points")
        return np.frombuffer(ffi.buffer(info.v_realdata, 8 * info.v_length), dtype=np.float64).copy()

    def _command(self, command: str) -> None:
        """A command in which names of a deck may stand. Raises `SimulationError` for one that would be more than a command."""
        if not is_plain(command):
            raise SimulationError(Reason.LOAD, f"{command!r}: a name that cannot stand in a command of ngspice; rename it")
        self._tell(command)

    def _tell(self, command: str) -> None:
        """A command of our own, or a process's."""
        with contextlib.suppress(NameError):
            self._shared.exec_command(command)

    def _hear(self) -> list[str]:
        """What ngspice wrote since this was last asked."""
        lines, self._shared.lines = self._shared.lines, []
        self._log += lines
        return lines

    def _clear(self) -> None:
        """Leave neither results nor a circuit behind, nor what its options set for the whole of ngspice, such as a scale."""
        self._command("destroy all")
        self._command("remcirc")
        self._shared.lines.clear()
        for name, value in self._variables_now().items():
            if name not in self._variables:
                self._command(f"unset {name}")
            elif value != self._variables[name]:
                self._command(f"set {name}={value}" if value else f"set {name}")
        self._shared.lines.clear()
        self._loaded = None

    def _variables_now(self) -> dict[str, str]:
        """ngspice's variables, but for those that it keeps itself."""
        self._shared.lines.clear()
        self._command("set")
        lines = [line.partition("\t") for line in self._shared.lines if not line.startswith("*")]
        self._shared.lines.clear()
        return {name: value for name, _, value in lines if name not in _KEPT_BY_NGSPICE}


_NAMES = {
    Reason.UNDEFINED_PARAMETER: "undefined parameter",
    Reason.UNKNOWN_SUBCIRCUIT: "unknown sub-circuit",
    Reason.UNKNOWN_MODEL: "unknown model",
    Reason.MISSING_INCLUDE: "missing file",
    Reason.NO_CONVERGENCE: "no convergence",
    Reason.SINGULAR_MATRIX: "singular matrix",
    Reason.OPERATING_POINT: "no operating point",
    Reason.MISSING_VECTOR: "missing vector",
}


def _start_shared() -> _Shared:
    """Load libngspice with our settings only. Raises `SimulationError` (LIBRARY_MISSING).

    The process stays in a folder in which nobody can make a file: what ngspice would write beside a deck is not written, and no
    file that lies there is read.
    """
    _Shared.LIBRARY_PATH = _find_library()
    # The .spiceinit of the current folder wins over the one at home. Ours is installed: one that is made for this process would
    # be left behind where that is killed.
    if not (_START / ".spiceinit").is_file():
        raise SimulationError(Reason.LIBRARY_MISSING, f"{_START / '.spiceinit'}: is missing; install cosim again")
    os.chdir(_START)
    shared = _Shared()
    os.chdir(next(filter(os.path.isdir, _NOWHERE)))
    for line in SETTINGS:
        with contextlib.suppress(NameError):
            shared.exec_command(line)
    return shared


def _find_library() -> str:
    """The first name that the dynamic linker finds: distributions install `.so.0` alone, PySpice looks for `.so`."""
    configured = os.environ.get("NGSPICE_LIBRARY_PATH")
    for name in (configured,) if configured else LIBRARY_NAMES:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)
            return name
    raise SimulationError(Reason.LIBRARY_MISSING, _NOT_FOUND)


def _saves(names: tuple[str, ...]) -> list[str]:
    """Commands that keep these vectors; PySpice takes lines of 1023 characters."""
    commands = [""]
    for name in names:
        if len(commands[-1]) + len(name) > _COMMAND_LENGTH:
            commands.append("")
        commands[-1] += f" {name}"
    return [f"save{words}" for words in commands]


def _vector_name(name: str) -> str:
    """ngspice's name of a vector within a plot: v(a) is `a`, i(vdd) is `vdd#branch`."""
    name = name.lower()
    if name.startswith("v("):
        return name[2:-1]
    if name.startswith("i("):
        return f"{name[2:-1]}#branch"
    return name


def _outer_axis(analysis: Analysis) -> FloatArray | None:
    if not (isinstance(analysis, DcSweep) and analysis.outer):
        return None
    outer = analysis.outer
    return np.repeat(outer.start + outer.step * np.arange(outer.points), analysis.points)
