"""Weights from elsewhere, in the place of a training.

A run directory that was given weights keeps them: later commands on it map and validate these weights, and train none. Both
networks of the run hold them, so that the network mapped as it is stands beside the one mapped with two gains.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cosim.errors import InputError
from cosim.runs.given import GIVEN_WEIGHTS
from training.data.names import network_sizes
from training.hardware import HardwareModel
from training.storage import read_tensors

if TYPE_CHECKING:
    from cosim.design.sections import Network


def sizes_of(network: Network) -> tuple[int, ...]:
    """Lines from the inputs to the outputs of a design's network, from its fields alone: these decide a training."""
    features = network.table.features if network.table else None
    return network_sizes(network.dataset, features, network.bias, network.layers)


def read_weights(path: Path, network: Network) -> list[Tensor]:
    """The weight matrix of every layer, [neurons, inputs], of a safetensors file.

    They are called layers.0.weight, layers.1.weight, ..., or are the only tensors there, in the order of their names. Raises
    `InputError` or `NetworkFileError` with one line where they do not fit the design.
    """
    tensors, _ = read_tensors(path)
    count = len(network.layers)
    named = [f"layers.{k}.weight" for k in range(count)]
    names = named if all(name in tensors for name in named) else sorted(tensors, key=_natural)
    if extra := sorted(name for name, tensor in tensors.items() if tensor.dim() != 2):
        raise InputError(
            f"{path}: {extra[0]}: has shape {list(tensors[extra[0]].shape)}, the circuit has weight matrices alone; "
            "a bias is the weight of a bias spike, the last input of the first layer"
        )
    if len(names) != count or len(tensors) != count:
        found = ", ".join(sorted(tensors, key=_natural)) or "none"
        raise InputError(f"{path}: holds {len(tensors)} matrices ({found}), network.layers of the design has {count}")
    shapes = [(neurons, inputs) for inputs, neurons in pairwise(sizes_of(network))]
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


def check_range(weights: list[Tensor], columns: list[HardwareModel]) -> None:
    """Raise `InputError` for a weight that is larger than its layer's cells can do; one below their smallest code will be off."""
    for k, (weight, column) in enumerate(zip(weights, columns, strict=True)):
        for sign in (1, -1):
            reach, largest = float((sign * weight).max()), column.weight_range(sign)[1]
            if reach > largest * (1 + 1e-6):
                raise InputError(
                    f"{GIVEN_WEIGHTS}: matrix {k + 1}: holds the weight {sign * reach:+.4g}, the cell "
                    f"reaches {sign * largest:+.4g}; scale the weights, or widen the range of codes in the design"
                )


def _natural(name: str) -> list[tuple[int, str]]:
    """fc2 before fc10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
