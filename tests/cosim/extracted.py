"""The hardware model of designs/iris_5_5_5.toml (SKY130 continuous, tt, 27 C) as `cosim characterize` gave it."""

from pathlib import Path

import numpy as np

from training.hardware import HardwareModel
from training.hardware_variation import Variation, VariedParameter

HARDWARE = Path(__file__).parents[1] / "data" / "hardware_iris_5_5_5.json"


def reference_hardware() -> HardwareModel:
    return HardwareModel.load(HARDWARE)


def device_variation(**sigmas: float) -> Variation:
    """Monte Carlo dies whose devices spread by so much of their nominal value, plus, minus, threshold and discharger."""
    names = {
        "plus": "current_plus_middle_a", "minus": "current_minus_middle_a",
        "threshold": "v_th_v", "discharger": "discharger_current_a",
    }  # fmt: skip
    nothing = np.zeros((len(names), len(names)))
    return Variation(
        parameters=tuple(VariedParameter(name=name, unit="", nominal=1.0) for name in names.values()),
        die_covariance=tuple(map(tuple, nothing + 0.01)),
        device_covariance=tuple(map(tuple, np.diag([sigmas.get(part, 0.0) ** 2 for part in names]))),
        dies=100,
    )
