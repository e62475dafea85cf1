"""Both signs of a normalised synapse as one table over the signed weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.hardware.curve import FloatArray, OutOfRange
from training.hardware.normalised import NormalisedModel

COLUMNS = ("beta", "kick_on", "kick_off", "kick_off_tail", "load", "lift", "gamma", "leakage", "kick_off_drift")
"""What a cell of a weight has, in the order of a table."""


@dataclass(frozen=True)
class WeightRange:
    """What a cell can do, sign by sign: smallest and largest |w|. Below the smallest a synapse is off."""

    plus: tuple[float, float]
    minus: tuple[float, float]

    @classmethod
    def of(cls, model: NormalisedModel) -> WeightRange:
        return cls((model.plus.smallest, model.plus.largest), (model.minus.smallest, model.minus.largest))


@dataclass(frozen=True)
class SynapseTable:
    """Linear interpolation of the synapse over the signed weight.

    `weight` [K] increases from the strongest negative to the strongest positive weight; the columns of `values` [K, 9] are
    `COLUMNS`. `idle` [9] holds them for a synapse that is off.
    """

    weight: FloatArray
    values: FloatArray
    idle: FloatArray

    @classmethod
    def of(cls, model: NormalisedModel) -> SynapseTable:
        columns = [np.stack([getattr(s, name) for name in COLUMNS], axis=1) for s in (model.minus, model.plus)]
        kicks = (model.idle_kick_on, model.idle_kick_off, model.idle_kick_off_tail)
        return cls(
            weight=np.concatenate([-model.minus.magnitude[::-1], model.plus.magnitude]),
            values=np.concatenate([columns[0][::-1], columns[1]]),
            idle=np.array([0.0, *kicks, 0.0, 0.0, 0.0, model.idle_leakage, model.idle_kick_off_drift]),
        )

    def __call__(self, weight: FloatArray) -> FloatArray:
        """The columns for weights of any shape, stacked in front: [9, ...].

        Raises `OutOfRange` for a weight that the cell cannot do.
        """
        weight = np.asarray(weight, dtype=float)
        low, high = self.weight[0], self.weight[-1]
        if np.any(weight < low * (1 + 1e-6)) or np.any(weight > high * (1 + 1e-6)):
            raise OutOfRange(f"weight: {weight.min():.6g} .. {weight.max():.6g} lies outside {low:.6g} .. {high:.6g}")
        looked_up = np.stack([np.interp(weight, self.weight, column) for column in self.values.T])
        return np.where(weight == 0.0, self.idle.reshape((-1,) + (1,) * weight.ndim), looked_up)


def constant_beta(model: NormalisedModel) -> tuple[float, float] | None:
    """beta of positive and of negative weights where that is all there is: not by weight, and no charge, load or leakage."""
    charges = [getattr(s, name).any() for s in (model.plus, model.minus) for name in COLUMNS[1:]]
    idle = (model.idle_kick_on, model.idle_kick_off, model.idle_kick_off_tail, model.idle_leakage, model.idle_kick_off_drift)
    if any(charges) or any(idle) or np.ptp(model.plus.beta) or np.ptp(model.minus.beta):
        return None
    return float(model.plus.beta[0]), float(model.minus.beta[0])
