"""Which devices an output spike depends on: the trained network with one kind of device of one layer off, as its model says.

Weights and biases stay what they are programmed to: it is what happens to a chip whose devices are not those of the design.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
from torch import Tensor

from cosim.validation.mismatch import device_mismatch, output_spikes_of
from training.hardware import HardwareModel
from training.hardware_aware.variation import CommonShift, FrozenMismatch, Mismatch, varied
from training.network import RCSpikeNetwork

DEVICES = ("plus", "minus", "threshold", "discharger")
"""Kinds of devices, as `Mismatch` names them."""

STEP = 0.001
"""By how much a kind is off on either side, as a share: small enough for the slope, large against rounding."""

DIES = 40
"""Enough for the rms over dies to be within a tenth or so."""

NONE = Mismatch(device_plus=0.0, device_minus=0.0, device_threshold=0.0, device_discharger=0.0)


def sensitivity_table(network: RCSpikeNetwork, inputs: Tensor, hardware: HardwareModel) -> pd.DataFrame:
    """One row a kind of device and layer: how the output spikes move when they are off, the rest being as designed.

    `per_percent_s`: rms over samples and outputs when all of them are off by the same 1 %, from the slope; `sigma`: the relative
    spread of one by itself, and `dies_rmse_s` what dies with that alone are off by, rms: NaN where the hardware model holds none.

    Args:
        inputs: spike times in phases, [samples, inputs].
    """
    mismatch, nominal = device_mismatch(network, hardware), output_spikes_of(network, inputs)
    rows = [
        (device, number, *(phases * hardware.phase_s for phases in _slope(network, number, device, inputs)),
         *_on_dies(network, number, device, inputs, nominal, mismatch, hardware.phase_s))
        for number in range(1, len(list(network)) + 1) for device in DEVICES
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["device", "layer", "per_percent_s", "mean_per_percent_s", "sigma", "dies_rmse_s"])


def _slope(network: RCSpikeNetwork, number: int, device: str, inputs: Tensor) -> Iterator[float]:
    """Rms and mean (phases) of how far the outputs move for 1 %."""
    layer = [list(network)[number - 1]]
    ends = []
    for share in (STEP, -STEP):
        with varied(layer, CommonShift(**{device: share})):
            ends.append(output_spikes_of(network, inputs))
    moved = (ends[0] - ends[1]) * (0.01 / (2 * STEP))
    yield float(moved.square().mean().sqrt())
    yield float(moved.mean())


def _on_dies(
    network: RCSpikeNetwork, number: int, device: str, inputs: Tensor, nominal: Tensor, mismatch: Mismatch | None, phase_s: float
) -> tuple[float, float]:
    """Spread of one device, and rms of what dies with it alone are off by (s)."""
    if mismatch is None:
        return float("nan"), float("nan")
    sigma = float(getattr(mismatch, f"device_{device}"))
    alone = replace(NONE, **{f"device_{device}": sigma}, by_gate=mismatch.by_gate)
    layer, squares = [list(network)[number - 1]], 0.0
    for die in range(1, DIES + 1):
        with varied(layer, FrozenMismatch(alone, die)):
            squares += float((output_spikes_of(network, inputs) - nominal).square().mean())
    return sigma, (squares / DIES) ** 0.5 * phase_s
