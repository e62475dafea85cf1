"""What the model expects of mismatch dies, from the spread of the hardware model alone: to lay beside simulated dies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor

from training.data.spikes import SpikeData
from training.evaluation import accuracy
from training.hardware import HardwareModel, HardwareModelError
from training.hardware_aware.variation import FrozenMismatch, Mismatch, varied
from training.network import RCSpikeNetwork

DIES = 200
"""Enough for the rms over dies to be within some per cent."""

MOST_IMAGES = 500
"""Of the test set, the first ones are classified on every die."""


@dataclass(frozen=True)
class ModelDies:
    """One row a die, and metrics over all of them; both empty where the hardware model does not hold their spread."""

    table: pd.DataFrame
    metrics: dict[str, float]


def model_dies(
    network: RCSpikeNetwork, inputs: Tensor, data: SpikeData, hardware: HardwareModel, good_from: float, dies: int = DIES
) -> ModelDies:
    """Dies with mismatch and a nominal process, as `validation` simulates them.

    The columns of the table: `die`; `spike_rmse_s` and `label_agreement`, against the nominal model, on the samples that are
    simulated on dies; `accuracy` on the test set. The yield is the share of the dies whose accuracy is `good_from` or more.

    Args:
        inputs: spike times in phases, [samples, inputs]: the samples that are simulated on dies.
        data: the whole test set.
    """
    mismatch = device_mismatch(network, hardware)
    if mismatch is None:
        return ModelDies(pd.DataFrame(), {})
    nominal, rows = output_spikes_of(network, inputs), []
    tests, labels = data.test_t[:MOST_IMAGES], data.test_labels[:MOST_IMAGES]
    for die in range(1, dies + 1):
        with varied(network, FrozenMismatch(mismatch, die)):
            spikes = output_spikes_of(network, inputs)
            right = accuracy(network, tests, labels, data.classes)
        same = spikes[:, : data.classes].argmin(1) == nominal[:, : data.classes].argmin(1)
        error_s = float((spikes - nominal).square().mean().sqrt()) * hardware.phase_s
        rows.append({"die": die, "spike_rmse_s": error_s, "label_agreement": float(same.double().mean()), "accuracy": right})
    table = pd.DataFrame(rows)
    return ModelDies(table, _metrics(table, good_from))


def _metrics(table: pd.DataFrame, good_from: float) -> dict[str, float]:
    found = {
        "spike_rmse_s": float(table.spike_rmse_s.pow(2).mean() ** 0.5),
        "label_agreement": float(table.label_agreement.mean()),
        "accuracy": float(table.accuracy.mean()),
        "worst_accuracy": float(table.accuracy.min()),
        "yield": float((table.accuracy >= good_from).mean()),
        "good_from": good_from,
    }
    return {f"validation.mismatch.predicted_{name}": value for name, value in found.items()}


def device_mismatch(network: RCSpikeNetwork, hardware: HardwareModel) -> Mismatch | None:
    """The spread of the devices; None where the hardware model has none, or that of other parameters, which is no reason to give
    up a validation."""
    if hardware.variation is None:
        return None
    try:
        of_devices = Mismatch.of(hardware.variation).of_devices()
    except HardwareModelError:
        return None
    return replace(of_devices, by_gate=all(layer.model.plus.gate_v is not None for layer in network))


@torch.no_grad()
def output_spikes_of(network: RCSpikeNetwork, inputs: Tensor) -> Tensor:
    """Spikes of the last layer in phases, [samples, outputs]."""
    outputs: Tensor = network(inputs)[-1].spike_times
    return outputs
