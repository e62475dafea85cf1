"""What a simulation returns: float64 arrays over one axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cosim.simulator.errors import Reason, SimulationError

FloatArray = NDArray[np.float64]


class Waveforms:
    """Vectors of one simulation over their axis.

    `axis` [n] is the time (s), the swept value, or a single 0 for an operating point; `outer_axis` [n] is the value of the
    slower sweep of a nested one, else None. `start` holds the nodes and voltages (V) that a transient was made to start from.
    """

    def __init__(
        self,
        axis: FloatArray,
        vectors: Mapping[str, FloatArray],
        outer_axis: FloatArray | None = None,
        start: tuple[tuple[str, float], ...] = (),
    ) -> None:
        self.axis = axis
        self.outer_axis = outer_axis
        self.start = start
        self._vectors = {name.lower(): values for name, values in vectors.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the saved vectors, in lower case."""
        return tuple(self._vectors)

    def __getitem__(self, name: str) -> FloatArray:
        """Values [n] of a saved vector, by its SPICE name in any case. Raises `SimulationError` (MISSING_VECTOR)."""
        try:
            return self._vectors[name.lower()]
        except KeyError:
            raise SimulationError(
                Reason.MISSING_VECTOR, f"{name} was not saved; the deck saves {', '.join(self.names)}"
            ) from None

    def last(self) -> dict[str, float]:
        """The last value of each vector by its name; of an operating point, the value."""
        return {name: float(values[-1]) for name, values in self._vectors.items()}

    def crossings(self, name: str, level: float, rising: bool = True, after: float = 0.0) -> FloatArray:
        """Times (linearly interpolated, increasing) at which a vector reaches `level` in one direction, none before `after`."""
        values = self[name] if rising else -self[name]
        level = level if rising else -level
        before = np.flatnonzero((values[:-1] < level) & (values[1:] >= level))
        share = (level - values[before]) / (values[before + 1] - values[before])
        times = self.axis[before] + share * (self.axis[before + 1] - self.axis[before])
        return np.asarray(times[times >= after])

    def at(self, name: str, time: float | FloatArray) -> FloatArray:
        """A vector at `time` (any shape), linearly interpolated. Raises ValueError outside the axis."""
        time = np.asarray(time, dtype=float)
        slack = 1e-9 * (self.axis[-1] - self.axis[0])
        if time.size and (time.min() < self.axis[0] - slack or time.max() > self.axis[-1] + slack):
            raise ValueError(
                f"{name}: {time.min():.6g} .. {time.max():.6g} lies outside {self.axis[0]:.6g} .. {self.axis[-1]:.6g}"
            )
        return np.asarray(np.interp(time, self.axis, self[name]))
