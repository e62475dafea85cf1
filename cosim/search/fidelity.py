"""How far the spikes of a circuit lie from those of its model at least: what the extraction leaves open, through the network.

Of the fits it is known how badly they describe what was simulated: the parabola through a synapse's current (rms, over the
current at rest), the delay of the output spike and the threshold (standard deviations). Networks whose layers are each off by a
draw of that size tell what it makes of the output spikes. Nothing is fitted to a network, and no circuit of one is simulated.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from training.evaluation import evaluate
from training.hardware import HardwareModel, NormalisedModel, NormalisedSynapse
from training.network import RCSpikeNetwork

DRAWS = 16
"""Of which the rms is known within an eighth."""

TYPICAL_THRESHOLDS = 0.5
"""Membrane at which a current that is off by the residual counts as off: halfway to the threshold."""


def expected_spike_error(
    network: RCSpikeNetwork,
    columns: Sequence[HardwareModel],
    inputs: Tensor,
    labels: Tensor,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """Rms error (phases) of the output spikes that the residuals of the extraction make.

    Args:
        network: in double, on the hardware of `columns`, one per layer.
        inputs: spikes [samples, inputs] in phases; `labels` [samples].
    """
    random, nominal = np.random.default_rng(seed), [layer.model for layer in network]
    outputs, moved = evaluate(network, inputs, labels).spike_times, copy.deepcopy(network)
    off = []
    for _ in range(draws):
        moved.bind([drawn(model, column, random) for model, column in zip(nominal, columns, strict=True)])
        off.append(evaluate(moved, inputs, labels).spike_times - outputs)
    return float(torch.stack(off).square().mean().sqrt())


def drawn(model: NormalisedModel, column: HardwareModel, random: np.random.Generator) -> NormalisedModel:
    """The model of a layer, off by as much as its extraction leaves open: synapses of a sign alike, all neurons alike."""
    neuron = column.neuron
    delay = random.normal() * neuron.delay.residual / column.phase_s
    threshold = random.normal() * neuron.threshold.residual / neuron.v_th_v
    return dataclasses.replace(
        model,
        plus=_drawn_synapse(model.plus, 1, current_residual(column, 1), random),
        minus=_drawn_synapse(model.minus, -1, current_residual(column, -1), random),
        firing_v=model.firing_v + threshold,
        firing_t=model.firing_t + delay,
    )


def current_residual(column: HardwareModel, sign: int) -> float:
    """Rms deviation of a synapse's current from its fit, over the current at rest."""
    synapse = column.synapse(sign)
    return (synapse.reversal if synapse.slope is None else synapse.slope).residual


def _drawn_synapse(synapse: NormalisedSynapse, sign: int, residual: float, random: np.random.Generator) -> NormalisedSynapse:
    return dataclasses.replace(synapse, beta=synapse.beta + sign * random.normal() * residual / TYPICAL_THRESHOLDS)
