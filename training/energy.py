"""What an inference costs, as far as training can do something about it: differentiable, from what single cells cost.

A neuron costs what the membrane says that it fires from; a synapse what it takes from the supply while it drives the membrane.
What does not change with the weights is left out: drivers of the inputs, idle synapses, switching.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.layer import LayerOutput, RCSpikeLayer


@dataclass(frozen=True)
class LayerEnergy:
    """What the cells of a layer cost.

    Attributes:
        membrane: where a neuron fires from, rising, in thresholds; `neuron_j` what it costs there (J), held at both ends.
        plus_j, minus_j: energy from the supply (J) of a synapse of either sign that puts the charge 1 (C V_th) on the membrane.
    """

    membrane: tuple[float, ...]
    neuron_j: tuple[float, ...]
    plus_j: float
    minus_j: float

    def of_neurons(self, v: Tensor) -> Tensor:
        """Energies (J) of neurons that fire from membranes v, any shape; linear between the points."""
        x, y = (torch.as_tensor(values, dtype=v.dtype, device=v.device) for values in (self.membrane, self.neuron_j))
        cell = (torch.searchsorted(x, v.detach().contiguous(), right=True) - 1).clamp_(0, len(x) - 2)
        share = ((v - x[cell]) / (x[cell + 1] - x[cell])).clamp(0.0, 1.0)
        return y[cell] + share * (y[cell + 1] - y[cell])

    def of_synapses(self, layer: RCSpikeLayer, t: Tensor, output: LayerOutput) -> Tensor:
        """Energies (J) of all synapses of each neuron, shaped as the membranes.

        A synapse delivers |w| (1 - beta v) for 1 - t; v is taken as half of where the membrane comes to, which the energy of a
        5-5-5 feels by a per cent.

        Args:
            t: spikes on the lines into the layer, in phases.
        """
        synapses = layer.synapses()
        per_charge = torch.where(synapses.weight > 0, self.plus_j, self.minus_j) * synapses.weight.abs()
        on = (1.0 - t.to(per_charge.dtype)).clamp_min(0.0)
        held = layer.connection(on, per_charge * synapses.beta) * output.membrane / 2
        delivered: Tensor = layer.connection(on, per_charge) - held
        return delivered


@dataclass(frozen=True)
class NetworkEnergy:
    """What the cells of a network cost, layer by layer."""

    layers: tuple[LayerEnergy, ...]

    def __call__(self, network: Sequence[RCSpikeLayer], t: Tensor, outputs: Sequence[LayerOutput]) -> Tensor:
        """Mean energy (J) of an inference, a scalar.

        Args:
            network: its layers, and `outputs` what they did with the spikes `t` [batch, inputs].
        """
        total = torch.zeros((), dtype=outputs[0].membrane.dtype, device=t.device)
        arriving = t
        for cost, layer, output in zip(self.layers, network, outputs, strict=True):
            energy = cost.of_neurons(output.switched_membrane) + cost.of_synapses(layer, arriving, output)
            total = total + energy.flatten(1).sum(1).mean()
            arriving = output.spike_times
        return total
