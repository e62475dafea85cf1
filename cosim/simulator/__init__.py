"""Decks in, waveforms out: ngspice through PySpice in worker processes, typed errors, a result store."""

from cosim.simulator.batch import Pool, simulate, stream
from cosim.simulator.deck import Analysis, DcSweep, Deck, OperatingPoint, SolverOptions, Transient, spiceinit
from cosim.simulator.errors import Reason, SimulationError
from cosim.simulator.netlist_guard import admit
from cosim.simulator.points import Extract, Outcome, Point, Row
from cosim.simulator.store import Store
from cosim.simulator.waveforms import Waveforms
from cosim.simulator.workers import WorkerPool, ngspice_version

__all__ = [
    "Analysis",
    "DcSweep",
    "Deck",
    "Extract",
    "OperatingPoint",
    "Outcome",
    "Point",
    "Pool",
    "Reason",
    "Row",
    "SimulationError",
    "SolverOptions",
    "Store",
    "Transient",
    "Waveforms",
    "WorkerPool",
    "admit",
    "ngspice_version",
    "simulate",
    "spiceinit",
    "stream",
]
