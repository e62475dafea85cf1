"""Whether what a simulator gave back is a whole result."""

from __future__ import annotations

import numpy as np

from cosim.simulator.deck import Analysis, DcSweep, OperatingPoint, Transient
from cosim.simulator.errors import Reason, SimulationError
from cosim.simulator.waveforms import FloatArray


def check_complete(analysis: Analysis, axis: FloatArray, vectors: dict[str, FloatArray]) -> None:
    """Raises `SimulationError` for what is no whole result; a run that does not converge gives what it had until then."""
    for name, values in vectors.items():
        if len(values) != len(axis):
            raise SimulationError(Reason.PARTIAL, f"{name} has {len(values)} points, its axis {len(axis)}")
        if not np.isfinite(values).all():
            raise SimulationError(Reason.NOT_FINITE, f"{name} is not finite")
    match analysis:
        case Transient(stop_s=stop) if abs(axis[-1] - stop) > 1e-9 * stop:
            raise SimulationError(Reason.PARTIAL, f"ended at {axis[-1]:.6g} s of {stop:.6g} s")
        case DcSweep(points=inner, outer=outer) if len(axis) != inner * (outer.points if outer else 1):
            raise SimulationError(Reason.PARTIAL, f"{len(axis)} of {inner * (outer.points if outer else 1)} points of the sweep")
        case OperatingPoint() if len(axis) != 1:
            raise SimulationError(Reason.PARTIAL, f"{len(axis)} points instead of one operating point")
