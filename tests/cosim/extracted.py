"""Monte Carlo dies as a datasheet gives them."""

import numpy as np

from training.hardware import Variation, VariedParameter
from training.hardware.variation import DISCHARGER_CURRENT, SWING, current_at_rest


def device_variation(**sigmas: float) -> Variation:
    """Monte Carlo dies whose devices spread by so much of their nominal value, plus, minus, threshold and discharger."""
    names = {
        "plus": current_at_rest(1), "minus": current_at_rest(-1), "threshold": SWING, "discharger": DISCHARGER_CURRENT,
    }  # fmt: skip
    nothing = np.zeros((len(names), len(names)))
    return Variation(
        parameters=tuple(VariedParameter(name=name, unit="", nominal=1.0) for name in names.values()),
        die_covariance=tuple(map(tuple, nothing + 0.01)),
        device_covariance=tuple(map(tuple, np.diag([sigmas.get(part, 0.0) ** 2 for part in names]))),
        dies=100,
    )
