"""Gates that are off by a voltage: what a device as made gives at the bias of a weight.

A shift of a threshold voltage is a shift of the gate bias. Unlike a factor of the current it says what the device does at every
other bias, and about what it does at another temperature.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.hardware import HardwareModelError, NormalisedModel, NormalisedSynapse


class GateCurve:
    """ln |w| of one sign over the gate bias in volts, both ways: straight between the model's points, and on beyond them.

    Raises `HardwareModelError` for cells whose weight no gate bias sets.
    """

    def __init__(self, synapse: NormalisedSynapse, like: Tensor) -> None:
        if synapse.gate_v is None:
            raise HardwareModelError("code: no gate bias sets the weights of these cells, so that no shift of one varies them")
        self.log_w = torch.as_tensor(np.log(synapse.magnitude)).to(like)
        self.bias_v = torch.as_tensor(synapse.gate_v.copy()).to(like)
        self._rises = bool(synapse.gate_v[-1] > synapse.gate_v[0])

    def bias(self, log_w: Tensor) -> Tensor:
        """Gate bias (V) of ln |w|, any shape; differentiable."""
        return interpolated(log_w, self.log_w, self.bias_v)

    def log_weight(self, bias_v: Tensor) -> Tensor:
        """ln |w| of a gate bias (V), any shape; differentiable."""
        if self._rises:
            return interpolated(bias_v, self.bias_v, self.log_w)
        return interpolated(-bias_v, -self.bias_v, self.log_w)

    def slope_at_middle(self) -> float:
        """e-folds of current a volt at the middle code; negative where the current falls with the bias."""
        middle, step_v = (self.bias_v[0] + self.bias_v[-1]) / 2, 1e-3
        return float((self.log_weight(middle + step_v) - self.log_weight(middle - step_v)) / (2 * step_v))


class GateShift:
    """Effective weights to those of devices whose gates are off by a voltage; one of weight 0 stays off.

    Args:
        model: of the cells.
        plus, minus: shift of the gate bias (V) of the devices of either sign, shaped as the weights; positive is a higher bias.
    """

    def __init__(self, model: NormalisedModel, plus: Tensor, minus: Tensor) -> None:
        self._curves = GateCurve(model.plus, plus), GateCurve(model.minus, minus)
        self.plus, self.minus = plus, minus

    @classmethod
    def of_factors(cls, model: NormalisedModel, plus: Tensor, minus: Tensor) -> GateShift:
        """Of devices whose current at the middle code is these factors of what it should be."""
        slopes = [GateCurve(sign, plus).slope_at_middle() for sign in (model.plus, model.minus)]
        return cls(model, plus.log() / slopes[0], minus.log() / slopes[1])

    def __call__(self, weight: Tensor) -> Tensor:
        on = weight != 0.0
        log_w = torch.where(on, weight, 1.0).abs().log()
        positive = weight > 0
        shifts = (self.plus, self.minus)
        plus, minus = (curve.log_weight(curve.bias(log_w) + shift) for curve, shift in zip(self._curves, shifts, strict=True))
        magnitude = torch.where(positive, plus, minus).exp()
        return torch.where(on, magnitude * weight.detach().sign(), weight)


def interpolated(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Straight lines through (knots, values), continued beyond both ends."""
    with torch.no_grad():
        below = (torch.searchsorted(knots, x.detach().contiguous(), right=True) - 1).clamp_(0, len(knots) - 2)
        start, low = knots[below], values[below]
        slope = (values[below + 1] - low) / (knots[below + 1] - start)
    return low + slope * (x - start)
