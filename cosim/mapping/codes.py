"""Weights to codes of the cell, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.errors import CosimError
from netlists.synapse import SynapseSetting
from training.hardware import HardwareModel

FloatArray = NDArray[np.float64]


class MappingError(CosimError):
    """A weight lies outside what the cell can do."""

    exit_code = 2


def setting_of_weight(weight: float, hardware: HardwareModel, where: str = "synapse") -> SynapseSetting | None:
    """The code that gives a weight, or the nearest one where codes have steps; zero is off.

    Raises `MappingError` for a weight that the cell cannot do.
    """
    if weight == 0.0:
        return None
    sign = 1 if weight > 0 else -1
    low, high = hardware.weight_range(sign)
    magnitude, slack = abs(weight), 1e-6
    if not low * (1 - slack) <= magnitude <= high * (1 + slack):
        raise MappingError(
            f"{where}: weight {weight:+.5g} is outside what the cell can do: {sign * low:+.4g} .. {sign * high:+.4g} or 0; "
            "train with this hardware.json, or widen the range of codes in the design"
        )
    current = min(max(magnitude, low), high) * hardware.unit_current_a
    synapse = hardware.synapse(sign)
    code = float(synapse.code(np.asarray(current)))
    if synapse.code_step:
        code = synapse.code_step * round(code / synapse.code_step)
    return SynapseSetting(1 if sign > 0 else -1, code)


def weight_of_setting(setting: SynapseSetting | None, hardware: HardwareModel) -> float:
    """The weight that a code gives: the inverse of `setting_of_weight` (bisection on the measured curve)."""
    if setting is None:
        return 0.0
    from scipy.optimize import brentq

    synapse = hardware.synapse(setting.sign)
    low, high = np.log(synapse.current_range_a)
    ends = [float(synapse.code(np.exp(x))) - setting.code for x in (low, high)]
    if min(abs(end) for end in ends) < 1e-9:
        log_current = low if abs(ends[0]) < abs(ends[1]) else high
    elif ends[0] * ends[1] > 0:
        raise MappingError(
            f"{synapse.code_name} {setting.code:.6g} {synapse.code_unit} lies outside the codes that were characterised: "
            f"{synapse.code.y[0]:.6g} .. {synapse.code.y[-1]:.6g}"
        )
    else:
        log_current = brentq(lambda x: float(synapse.code(np.exp(x))) - setting.code, low, high, xtol=1e-13)
    return float(setting.sign * np.exp(log_current) / hardware.unit_current_a)


def with_gains(
    weights: Sequence[FloatArray], gain_plus: float, gain_minus: float, columns: Sequence[HardwareModel]
) -> list[FloatArray]:
    """The conventional mapping's two gains; a weight pushed below the smallest code is off, one beyond the largest saturates."""
    scaled = [np.where(matrix > 0, gain_plus, gain_minus) * matrix for matrix in weights]
    return [to_range(matrix, column) for matrix, column in zip(scaled, columns, strict=True)]


def to_range(weights: FloatArray, hardware: HardwareModel) -> FloatArray:
    """Weights [any shape] clipped sign by sign to what the cell can do; below the smallest code a weight is off."""
    magnitude = np.abs(weights)
    result = np.zeros_like(weights)
    for sign in (1, -1):
        low, high = hardware.weight_range(sign)
        inside = (np.sign(weights) == sign) & (magnitude >= low)
        result[inside] = sign * np.minimum(magnitude[inside], high)
    return result
