"""Weights from elsewhere, in the place of a training.

A run directory that was given weights keeps them: later commands on it map and validate these weights, and train none. Both
networks of the run hold them, so that the network mapped as it is stands beside the one mapped with two gains.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cosim.errors import InputError
from cosim.runs.given import GIVEN_WEIGHTS
from training.hardware import HardwareModel
from training.storage import read_tensors

if TYPE_CHECKING:
    from cosim.design.sections import Network


def read_weights(path: Path, network: Network) -> list[Tensor]:
    """Both weight matrices of a safetensors file, [hidden, inputs] and [outputs, hidden].

    They are called layers.0.weight and layers.1.weight, or are the only two tensors there, in the order of their names. Raises
    `InputError` or `NetworkFileError` with one line where they do not fit the design.
    """
    tensors, _ = read_tensors(path)
    named = [f"layers.{k}.weight" for k in (0, 1)]
    names = named if all(name in tensors for name in named) else sorted(tensors, key=_natural)
    if extra := sorted(name for name, tensor in tensors.items() if tensor.dim() != 2):
        raise InputError(
            f"{path}: {extra[0]}: has shape {list(tensors[extra[0]].shape)}, the circuit has weight matrices alone; "
            "a bias is the weight of a bias spike, the last input of the first layer"
        )
    if len(names) != 2:
        raise InputError(f"{path}: holds {len(names)} matrices ({', '.join(names) or 'none'}), the design has two layers")
    shapes = [(network.hidden, network.inputs), (network.outputs, network.hidden)]
    for name, shape in zip(names, shapes, strict=True):
        if tuple(tensors[name].shape) != shape:
            raise InputError(f"{path}: {name}: has shape {list(tensors[name].shape)}, the design needs {list(shape)} [out, in]")
        if tensors[name].is_complex():
            raise InputError(f"{path}: {name}: holds complex numbers, a weight is a real one")
    weights = [tensors[name].to(torch.get_default_dtype()) for name in names]
    for name, weight in zip(names, weights, strict=True):
        if not weight.isfinite().all():
            raise InputError(f"{path}: {name}: holds values that are not finite")
    return weights


def check_range(weights: list[Tensor], hardware: HardwareModel) -> None:
    """Raise `InputError` for a weight that is larger than the cell can do; one below its smallest code will be off."""
    for k, weight in enumerate(weights):
        for sign in (1, -1):
            reach, largest = float((sign * weight).max()), hardware.weight_range(sign)[1]
            if reach > largest * (1 + 1e-6):
                raise InputError(
                    f"{GIVEN_WEIGHTS}: matrix {k + 1}: holds the weight {sign * reach:+.4g}, the cell "
                    f"reaches {sign * largest:+.4g}; scale the weights, or widen the range of codes in the design"
                )


def _natural(name: str) -> list[tuple[int, str]]:
    """fc2 before fc10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
