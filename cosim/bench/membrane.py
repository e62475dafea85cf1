"""A membrane of the neuron model as a voltage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.hardware import HardwareModel

FloatArray = NDArray[np.float64]


def membrane_voltage(v: FloatArray, hardware: HardwareModel) -> FloatArray:
    """Voltage of a normalised membrane v; NaN stays. Beyond what was measured the map goes on with unit slope."""
    curve = hardware.neuron.membrane
    displacement = v * hardware.neuron.v_th_v
    inside = np.clip(np.nan_to_num(displacement), curve.x[0], curve.x[-1])
    return np.where(np.isnan(v), np.nan, curve(inside) - (displacement - inside))
