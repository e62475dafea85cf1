"""A deck: everything that one simulation needs, as data; its text is a file that plain `ngspice -b` runs elsewhere."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from typing import Literal

from cosim.errors import InputError

SPICEINIT = """\
* Settings that every deck of this project expects; ngspice reads them from .spiceinit in the folder it is started in.
set ngbehavior=hsa
set ng_nomodcheck
set num_threads=1
"""

# Without a seed ngspice goes on drawing where the deck before it in the same process stopped.
DEFAULT_SEED = 1

# The node or source inside v() and i() may be hierarchical; @device[parameter] reads a device.
_SAVE = re.compile(r"[vi]\([\w.#:+/!%~-]+\)|@[\w.#:+/!%~-]+\[\w+\]", re.IGNORECASE)


@dataclass(frozen=True)
class SolverOptions:
    """How ngspice solves; the fields are ngspice's own options (manual, chapter 15.1), SI units."""

    reltol: float = 3e-6
    abstol: float = 1e-15
    vntol: float = 1e-8
    chgtol: float = 1e-18
    method: Literal["trap", "gear"] = "trap"
    gmin: float = 1e-12
    temperature_c: float = 27.0

    def cards(self) -> str:
        tolerances = " ".join(f"{name}={getattr(self, name)!r}" for name in ("reltol", "abstol", "vntol", "chgtol", "gmin"))
        return f".options {tolerances} method={self.method}\n.temp {self.temperature_c!r}"


@dataclass(frozen=True)
class OperatingPoint:
    """One DC operating point."""

    def card(self) -> str:
        return ".op"


@dataclass(frozen=True)
class DcSweep:
    """A DC sweep of a source (or of `temp`); with `outer` a nested one, flat arrays, the outer slowest."""

    source: str
    start: float
    stop: float
    step: float
    outer: DcSweep | None = None

    def __post_init__(self) -> None:
        # ngspice sweeps for ever when the step does not lead from start to stop.
        if not (all(map(math.isfinite, (self.start, self.stop, self.step))) and self.step * (self.stop - self.start) > 0):
            raise InputError(f"DC sweep of {self.source}: step {self.step!r} does not lead from {self.start!r} to {self.stop!r}")
        if self.outer is not None and self.outer.outer is not None:
            raise InputError(f"DC sweep of {self.source}: ngspice nests two sweeps at most")

    @property
    def points(self) -> int:
        """Points of this sweep alone."""
        return math.floor((self.stop - self.start) / self.step * (1 + 1e-12) + 1e-9) + 1

    def _arguments(self) -> str:
        return f"{self.source} {self.start!r} {self.stop!r} {self.step!r}"

    def card(self) -> str:
        return f".dc {self._arguments()}" + (f" {self.outer._arguments()}" if self.outer else "")


@dataclass(frozen=True)
class Transient:
    """A transient from 0 to `stop_s`, recorded from `start_s`, in steps of at most `max_step_s` (seconds)."""

    stop_s: float
    print_step_s: float
    max_step_s: float
    start_s: float = 0.0
    use_initial_conditions: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.start_s < self.stop_s < math.inf and self.print_step_s > 0 and self.max_step_s > 0):
            raise InputError(f"transient: needs 0 <= start_s < stop_s and positive steps, not {self}")

    def card(self) -> str:
        times = f".tran {self.print_step_s!r} {self.stop_s!r} {self.start_s!r} {self.max_step_s!r}"
        return times + (" uic" if self.use_initial_conditions else "")


Analysis = OperatingPoint | DcSweep | Transient


@dataclass(frozen=True)
class Deck:
    """One simulation.

    `netlist` holds the circuit's cards without title, analysis and `.end`; `library` the model text it needs; `save` the vectors
    to keep, as ngspice names them: `v(node)`, `i(vsource)`, `@device[parameter]`. `seed` (1 or more) starts ngspice's own random
    numbers (`agauss`, ...); without one every deck draws the same.
    """

    title: str
    netlist: str
    library: str
    analysis: Analysis
    save: tuple[str, ...]
    options: SolverOptions = SolverOptions()
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.title.strip() or len(self.title.splitlines()) != 1:
            raise InputError(f"deck: title: must be one line of text, not {self.title!r}")
        for name in self.save:
            if not _SAVE.fullmatch(name):
                raise InputError(f"deck {self.title}: save: {name!r} is not v(node), i(source) or @device[parameter]")
        if self.seed is not None and self.seed < 1:
            raise InputError(f"deck {self.title}: seed: must be 1 or more, not {self.seed}")
        if not self.save:
            raise InputError(f"deck {self.title}: save: name at least one vector")

    def cards(self) -> str:
        """All lines but the title."""
        cards = [
            self.options.cards(),
            f".option seed={DEFAULT_SEED if self.seed is None else self.seed}",
            self.library.strip("\n"),
            self.netlist.strip("\n"),
            ".save " + " ".join(self.save),
            self.analysis.card(),
            ".end",
        ]
        return "\n".join(card for card in cards if card) + "\n"

    def text(self) -> str:
        """The complete stand-alone deck. Run it with `ngspice -b -r out.raw DECK` beside a .spiceinit that holds `SPICEINIT`."""
        return f"{self.title}\n{self.cards()}"

    def digest(self) -> str:
        """SHA-256 of everything that decides the result; the title does not."""
        return hashlib.sha256((SPICEINIT + self.cards()).encode()).hexdigest()
