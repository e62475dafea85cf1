"""How the parameters of a circuit vary from die to die and from device to device: means, covariances, and dies drawn from them.

A sample of a parameter is ``nominal + die + device`` (of its logarithm where it is spread over a factor, as currents in weak
inversion are): the first deviation is shared by every cell of a die, the second is each cell's own. Both are correlated between
parameters.

The names below are the contract between whoever measures dies and `training.hardware_aware.variation.Mismatch`, which draws new
ones; further parameters may have any name.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from training.hardware.curve import FloatArray, Record

Matrix = tuple[tuple[float, ...], ...]

SWING = "v_th_v"
"""Distance from rest to threshold, volt."""
DISCHARGER_CURRENT = "discharger_current_a"
"""Current of the discharger at rest, ampere."""
MIDDLE = "middle"
"""The code in the middle of a sign's range."""


def current_at_rest(sign: int, code: str = MIDDLE) -> str:
    """Name of the current at rest of one sign of the synapse at a code of its range, ampere."""
    return f"current_{'plus' if sign > 0 else 'minus'}_{code}_a"


class VariedParameter(Record):
    """One parameter of a cell over the Monte Carlo dies. `log`: its covariances are those of its natural logarithm."""

    name: str
    unit: str
    nominal: float
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _check(self) -> VariedParameter:
        if self.scale == "log" and self.nominal == 0:
            raise ValueError(f"{self.name}: the logarithm of zero does not vary")
        return self


class Variation(Record):
    """Joint distribution of cell parameters: covariance per die (shared by its cells) and per device, in the order of
    `parameters`; in the parameter's unit, or dimensionless where its scale is logarithmic."""

    parameters: tuple[VariedParameter, ...] = Field(min_length=1)
    die_covariance: Matrix
    device_covariance: Matrix
    dies: int = Field(ge=2, description="Monte Carlo dies behind it")
    source: str = Field(default="", description="whose statistics these are, and what they lack")

    @model_validator(mode="after")
    def _check(self) -> Variation:
        size = len(self.parameters)
        for name in ("die_covariance", "device_covariance"):
            matrix = np.asarray(getattr(self, name), dtype=float)
            if matrix.shape != (size, size):
                raise ValueError(f"{name}: must be {size} x {size}, as there are {size} parameters")
            scale = float(np.abs(matrix).max(initial=0.0))
            if np.abs(matrix - matrix.T).max(initial=0.0) > 1e-9 * scale:
                raise ValueError(f"{name}: must be symmetric")
            if np.diag(matrix).min() < 0:
                raise ValueError(f"{name}: {np.diag(matrix).min():.3g} stands on its diagonal, a variance is not negative")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    def sigma(self, name: str) -> tuple[float, float]:
        """Standard deviations per die and per device. Raises `KeyError` for a parameter that it does not hold."""
        if name not in self.names:
            raise KeyError(f"{name}: not among {', '.join(self.names)}")
        index = self.names.index(name)
        die, device = self.die_covariance[index][index], self.device_covariance[index][index]
        return max(die, 0.0) ** 0.5, max(device, 0.0) ** 0.5

    def draw(self, generator: np.random.Generator, dies: int, devices: int) -> FloatArray:
        """Parameters of `devices` cells on each of `dies` dies, [dies, devices, parameters], in their units.

        Deviations are normal (lognormal on a logarithmic scale).
        """
        size = len(self.parameters)
        shared = generator.standard_normal((dies, 1, size)) @ _root(self.die_covariance).T
        own = generator.standard_normal((dies, devices, size)) @ _root(self.device_covariance).T
        nominal = np.array([parameter.nominal for parameter in self.parameters])
        logarithmic = np.array([parameter.scale == "log" for parameter in self.parameters])
        deviation = shared + own
        return np.where(logarithmic, nominal * np.exp(np.where(logarithmic, deviation, 0.0)), nominal + deviation)


def _root(covariance: Matrix) -> FloatArray:
    """A matrix whose product with its transpose is the covariance; what rounding makes negative counts as zero."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, dtype=float))
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))
