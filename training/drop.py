"""Lines that feed the rows of a layer have resistance: what the synapses of all rows draw makes those of each weaker.

Synapses of positive weight draw from ground, those of negative weight from the supply. Of one of the two, with R the voltage of
each row by the current of each, a synapse i of row k carries i_ki (1 - s_ki u_k), where u = R I, I_l the sum of |i_lj| over the
inputs j that have arrived, and s the share of its current that a volt at its gate is worth. To first order in R a row has lost

    sum over i, j of |i_ki| s_ki (R |i|)_kj g_k(min(1 - t_i, 1 - t_j)),   g_k(T) = (1 - e^{-f T})/f,

when its accumulation ends: both currents flow for T, and a charge that is missing would have flowed off through the synapses of
its row, f = sum of beta w of those that have arrived (its first four powers are kept). Currents are w (1 - beta v) at
two thirds of the membranes at the end, where they are when most of the inputs have arrived. What is lost is taken off at the
end of the phase, so that every way to solve it has it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from training.hardware import NormalisedModel
from training.hardware.normalised import POWERS, UNDER_WAY


class Drop(nn.Module):
    """The lines of a layer, held in buffers that are not saved.

    Attributes:
        volts: of ground and supply, by row and row, over the unit current (V), [2, out, out].
        magnitude, per_volt: |w| and the share of a current that a volt is worth (1/V), of positive and negative weights, [2, G].
        is_there: whether lines have resistance.
    """

    volts: Tensor
    magnitude: Tensor
    per_volt: Tensor

    def __init__(self, model: NormalisedModel) -> None:
        super().__init__()
        self.is_there = model.places is not None and bool(model.places.drop.any())
        values = dict.fromkeys(("volts", "magnitude", "per_volt"), np.zeros(0))
        if model.places is not None and self.is_there:
            signs = (model.plus, model.minus)
            of_synapses = {name: np.stack([getattr(one, name) for one in signs]) for name in ("magnitude", "per_volt")}
            values = {"volts": model.places.drop, **of_synapses}
        for name, value in values.items():
            self.register_buffer(name, torch.as_tensor(value.copy()), persistent=False)

    def forward(self, t: Tensor, weight: Tensor, beta: Tensor, membrane: Tensor, capacitance: Tensor | None) -> Tensor:
        """What membranes are moved by for it, [batch, out].

        Args:
            t: spike times of the inputs, [batch, in].
            weight, beta: of the synapses, over the unit current and over the threshold, beta weight >= 0, [out, in].
            membrane: at the end of accumulation, [batch, out].
            capacitance: of the neurons over that of the column, [out].
        """
        on = (1.0 - t).clamp(0.0, 1.0)
        together = torch.minimum(on[:, :, None], on[:, None, :])
        of_neuron = 1.0 if capacitance is None else capacitance
        flowing = (on > 0.0).to(on.dtype) @ (beta * weight).T / of_neuron
        current = weight * (1.0 - UNDER_WAY * beta * membrane[:, :, None])  # [batch, out, in]
        moved = torch.zeros_like(membrane)
        for sign, lines in enumerate(self.volts):
            drawn = torch.where(weight > 0 if sign == 0 else weight < 0, current, 0.0)
            weaker = drawn * self._per_volt(sign, weight.abs())
            dropped = (lines @ drawn.abs()).transpose(1, 2)  # [batch, in, out]
            for power in range(POWERS):
                share = (-flowing) ** power / math.factorial(power + 1)
                moved = moved - share * (weaker * (together ** (power + 1) @ dropped).transpose(1, 2)).sum(2)
        return moved / of_neuron

    def _per_volt(self, sign: int, own: Tensor) -> Tensor:
        """Between points of the grid linear in |w|; its slope is no matter to a first order."""
        grid, values = self.magnitude[sign], self.per_volt[sign]
        own = own.detach().contiguous()
        above = torch.bucketize(own, grid).clamp(1, len(grid) - 1)
        low, high = grid[above - 1], grid[above]
        return torch.lerp(values[above - 1], values[above], ((own - low) / (high - low)).clamp(0.0, 1.0))
