"""The firing phase: when a membrane spikes, of neurons as designed and as made."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from training import elementwise
from training.hardware import NormalisedModel

LATEST = 8.0
"""Phases: where a spike that may come later than its phase is held."""


class NeuronVariation(NamedTuple):
    """Neurons as made, each [out], over the neurons as designed: thresholds, and currents that discharge them."""

    threshold: Tensor
    discharger: Tensor

    @property
    def is_differentiated(self) -> bool:
        return self.threshold.requires_grad or self.discharger.requires_grad


def seen_by_design(v: Tensor, threshold: Tensor, e_dis: float) -> tuple[Tensor, Tensor]:
    """The membrane that is as far in time from the threshold 1 as `v` is from `threshold`, under one discharger, and its slope.

    With b = 1/e_dis either time is proportional to ln(1 - b v) - ln(1 - b threshold) (docs/physics.md, equation 3). A threshold
    at e_dis or beyond is never reached.

    Args:
        v: membranes in thresholds as designed, any shape.
        threshold: in the same unit, broadcasts against `v`.
        e_dis: reversal of the discharger in the same unit, above 1; inf: a current source.

    Returns:
        the membrane, shaped as `v`, and its derivative by `v`, shaped as `threshold`.
    """
    b = 1.0 / e_dis
    left = (1.0 - b * threshold).clamp_min(1e-6)
    return (v * (1.0 - b) + (1.0 - threshold)) / left, (1.0 - b) / left


class FiringCurve(nn.Module):
    """The firing curve of a hardware model, held in buffers that are not saved.

    A neuron whose discharger carries d times the current, or whose membrane has c times the capacitance, gets to its threshold
    in c/d of the time. A membrane that is past it when the phase starts fires after `t_min` whatever the discharger does:
    start-up and delay of the logic, which do not scale (docs/physics.md, equation 4).

    Args:
        fan_out: synapses on the output line; each moves the spike by the model's load delay.
        leak: size of d t_out / d v where the neuron is silent or at its earliest spike. The true slope there is 0.
        open_ended: spikes may come later than the phase lasts, as the curve says of them.
    """

    v: Tensor
    t: Tensor
    slope: Tensor

    def __init__(self, model: NormalisedModel, fan_out: int, leak: float, *, open_ended: bool = False) -> None:
        super().__init__()
        self.leak, self.e_dis = leak, model.e_dis
        t = model.firing_t + (fan_out - model.fan_out) * model.load_delay
        for name, values in (("v", model.firing_v), ("t", t), ("slope", np.diff(model.firing_t) / np.diff(model.firing_v))):
            self.register_buffer(name, torch.as_tensor(values.copy()), persistent=False)
        self._t_min = float(t.min())
        self._t_max = LATEST if open_ended else 1.0

    def forward(self, v: Tensor, made: NeuronVariation | None = None, capacitance: Tensor | None = None) -> Tensor:
        """Spike times of membranes v, any shape: the curve, continued at its ends and clipped to [t_min, 1].

        Gradient: the curve's slope, but never flatter than `leak`; to neurons as made and `capacitance` where the neuron fires.

        Args:
            made: neurons as made, whose parts broadcast against `v`; as designed where None.
            capacitance: of the neurons over that of the curve's; broadcasts against `v`.
        """
        if made is None and capacitance is None and not v.is_cpu:
            fired: Tensor = elementwise.fire(v, self.v, self.t, self.slope, self._t_min, self._t_max, self.leak)
            return fired
        with torch.no_grad():
            seen, per_v, slower = self._as_designed(v, made)
            value, slope = elementwise.on_curve(seen, self.v, self.t, self.slope)
            if made is not None or capacitance is not None:
                slower = slower if capacitance is None else slower * capacitance
                value, slope = self._t_min + (value - self._t_min) * slower, slope * slower
            inside = (value > self._t_min) & (value < self._t_max)
            value = value.clamp_(self._t_min, self._t_max)
            by_v = torch.where(inside, slope * per_v, 0.0).clamp_max_(-self.leak)
        fired = value + by_v * (v - v.detach())
        if made is not None and made.is_differentiated:
            fired = fired + self._to_neurons(v.detach(), value, torch.where(inside, slope, 0.0), inside, made)
        if capacitance is None:
            return fired
        scaled = (value - self._t_min) / capacitance.detach()
        return fired + torch.where(inside, scaled, 0.0) * (capacitance - capacitance.detach())

    def _to_neurons(self, v: Tensor, value: Tensor, slope: Tensor, inside: Tensor, made: NeuronVariation) -> Tensor:
        """Zero, with the gradient of the spikes to the neurons as made."""
        b, fixed = 1.0 / self.e_dis, NeuronVariation(made.threshold.detach(), made.discharger.detach())
        left = (1.0 - b * fixed.threshold).clamp_min(1e-6)
        by_threshold = slope * (b * v - 1.0) * (1.0 - b) / left**2
        by_discharger = torch.where(inside, (self._t_min - value) / fixed.discharger, 0.0)
        threshold, discharger = made.threshold - fixed.threshold, made.discharger - fixed.discharger
        return by_threshold * threshold + by_discharger * discharger

    def _as_designed(self, v: Tensor, made: NeuronVariation | None) -> tuple[Tensor, Tensor | float, Tensor | float]:
        """The membrane that would fire likewise in a neuron as designed, its slope over v, and how much longer that takes."""
        if made is None:
            return v, 1.0, 1.0
        return *seen_by_design(v, made.threshold, self.e_dis), 1.0 / made.discharger
