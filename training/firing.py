"""The firing phase of neurons that are not as they were designed."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class NeuronVariation(NamedTuple):
    """Neurons as made, each [out], over the neurons as designed: thresholds, and currents that discharge them."""

    threshold: Tensor
    discharger: Tensor


def seen_by_design(v: Tensor, threshold: Tensor, e_dis: float) -> tuple[Tensor, Tensor]:
    """The membrane that is as far in time from the threshold 1 as `v` is from `threshold`, under one discharger, and its slope.

    With b = 1/e_dis either time is proportional to ln(1 - b v) - ln(1 - b threshold) (docs/physics.md, equation 3). A threshold
    at e_dis or beyond is never reached.

    Args:
        v: membranes in thresholds as designed, any shape.
        threshold: in the same unit, broadcasts against `v`.
        e_dis: reversal of the discharger in the same unit, above 1; inf: a current source.

    Returns:
        the membrane, shaped as `v`, and its derivative by `v`, shaped as `threshold`.
    """
    b = 1.0 / e_dis
    left = (1.0 - b * threshold).clamp_min(1e-6)
    return (v * (1.0 - b) + (1.0 - threshold)) / left, (1.0 - b) / left
