"""The firing phase of neurons that are not as they were designed."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor


class NeuronVariation(NamedTuple):
    """Neurons as made, each [out], over the neurons as designed: thresholds, and currents that discharge them."""

    threshold: Tensor
    discharger: Tensor


def seen_by_design(v: Tensor, threshold: Tensor, e_dis: float) -> Tensor:
    """The membrane that is as far in time from the threshold 1 as `v` is from `threshold`, under one discharger.

    With b = 1/e_dis either time is proportional to ln(1 - b v) - ln(1 - b threshold) (docs/physics.md, equation 3). A threshold
    at e_dis or beyond is never reached.
    """
    if math.isinf(e_dis):
        return v + (1.0 - threshold)
    b = 1.0 / e_dis
    return (1.0 - (1.0 - b * v) * (1.0 - b) / (1.0 - b * threshold).clamp_min(1e-6)) / b
