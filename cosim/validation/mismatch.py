"""What the model expects of mismatch dies, from the spread of the hardware model alone: to lay beside simulated dies."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from training.hardware import HardwareModel, HardwareModelError
from training.hardware_aware.variation import FrozenMismatch, Mismatch, varied
from training.network import RCSpikeNetwork

DIES = 200
"""Enough for the rms over dies to be within some per cent."""


def predicted_mismatch(network: RCSpikeNetwork, inputs: Tensor, classes: int, hardware: HardwareModel) -> dict[str, float]:
    """Metrics of `DIES` dies with mismatch and a nominal process, as `validation` simulates them.

    None where the hardware model does not hold their spread.

    Args:
        inputs: spike times in phases, [samples, inputs]: the samples that are simulated on dies.
        classes: the first so many outputs are the classes.
    """
    if hardware.variation is None:
        return {}
    try:
        mismatch = replace(
            Mismatch.of(hardware.variation).of_devices(), by_gate=all(layer.model.plus.gate_v is not None for layer in network)
        )
    except HardwareModelError:  # it holds the spread of other parameters, which is no reason to give up a validation
        return {}
    nominal = _output(network, inputs)
    errors, agreements = [], []
    for die in range(1, DIES + 1):
        with varied(network, FrozenMismatch(mismatch, die)):
            spikes = _output(network, inputs)
        errors.append((spikes - nominal).square().mean())
        agreements.append((spikes[:, :classes].argmin(1) == nominal[:, :classes].argmin(1)).double().mean())
    return {
        "validation.mismatch.predicted_spike_rmse_s": float(torch.stack(errors).mean().sqrt()) * hardware.phase_s,
        "validation.mismatch.predicted_label_agreement": float(torch.stack(agreements).mean()),
    }


@torch.no_grad()
def _output(network: RCSpikeNetwork, inputs: Tensor) -> Tensor:
    outputs: Tensor = network(inputs)[-1].spike_times
    return outputs
