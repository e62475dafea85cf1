"""Weights from elsewhere, in the place of a training.

A run directory that was given weights keeps them: later commands on it map and validate these weights, and train none. Both
networks of the run hold them, so that the network mapped as it is stands beside the one mapped with two gains.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cosim.errors import InputError, InputRemark
from cosim.runs.given import GIVEN_WEIGHTS
from training.data.names import network_shape
from training.hardware import HardwareModel
from training.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from cosim.design.sections import Network

OWN_NETWORK = "ode"
"""Of the two in a network.safetensors of cosim: the one that was trained for its hardware."""

_ORIGIN = "origin"
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
_KERNEL = re.compile(r"(?:^|[./])kernel$")
_MOST_BY_SHAPE = 6

Shape = tuple[int, ...]


def keep_weights(source: Path, network: Network, run: Path) -> None:
    """Put the weights of a file into a run directory, as layers.0.weight, layers.1.weight, ...; raises as `read_weights`."""
    weights = read_weights(source, network)
    write_tensors(run / GIVEN_WEIGHTS, {_layer(k): weight for k, weight in enumerate(weights)}, {_ORIGIN: source.name})


def read_weights(path: Path, network: Network) -> list[Tensor]:
    """The weight matrix of every layer, [neurons, inputs], of a safetensors file.

    Their names give the order: they are layers.0.weight, layers.1.weight, ..., or differ in numbers alone, or their shapes leave
    one order. A `kernel` is [inputs, neurons], as Flax and Keras keep it, and is transposed; a network.safetensors of cosim gives
    its hardware-aware network. Both are told. Raises `InputError` or `NetworkFileError` with one line where they do not fit.
    """
    if path.suffix in _PICKLES and path.exists():
        raise InputError(
            f"{path}: is no safetensors file; a pickle can run anything and is not opened: save with "
            "safetensors.torch.save_file(model.state_dict(), ...)"
        )
    tensors = _network_of(path, read_tensors(path)[0])
    shapes = network_shape(network).weights
    axes = {len(shape) for shape in shapes}
    if extra := sorted(name for name, tensor in tensors.items() if tensor.dim() not in axes):
        raise InputError(
            f"{path}: {extra[0]}: has shape {list(tensors[extra[0]].shape)}, the circuit has {_what(axes)} alone; "
            "a bias is the weight of a bias spike, the last input of the first layer"
        )
    if len(tensors) != len(shapes):
        found = ", ".join(sorted(tensors, key=_natural)) or "none"
        raise InputError(f"{path}: holds {len(tensors)} matrices ({found}), the network of the design has {len(shapes)} layers")
    tensors = _as_rows_of_neurons(path, tensors)
    names = _in_order(path, tensors, shapes)
    for name, shape in zip(names, shapes, strict=True):
        _check(path, name, tensors[name], shape)
    return [tensors[name].to(torch.get_default_dtype()) for name in names]


def _what(axes: set[int]) -> str:
    return "weight matrices" if axes == {2} else "weight matrices and windows [out, in, kernel, kernel]"


def _layer(k: int) -> str:
    return f"layers.{k}.weight"


def _network_of(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, or of a file with the networks of a run those of one network."""
    own = {name.removeprefix(f"{OWN_NETWORK}."): tensor for name, tensor in tensors.items() if name.startswith(f"{OWN_NETWORK}.")}
    if not own:
        return dict(tensors)
    if len(own) < len(tensors):
        warnings.warn(f"{path}: network {OWN_NETWORK!r} of the two there is taken", InputRemark, stacklevel=1)
    return own


def _as_rows_of_neurons(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """[neurons, inputs], whichever way round the names say that they are kept."""
    kernels = [name for name in tensors if _KERNEL.search(name)]
    if not kernels:
        return tensors
    if windows := [name for name in kernels if tensors[name].dim() != 2]:
        raise InputError(
            f"{path}: {windows[0]}: a window is taken as [out, in, kernel, kernel] alone; turn it and call it weight"
        )
    if others := sorted(tensors.keys() - set(kernels)):
        raise InputError(f"{path}: {kernels[0]} is kept [in, out], {others[0]} is not said to be; name all of them alike")
    warnings.warn(f"{path}: {', '.join(kernels)} are [in, out], and were transposed", InputRemark, stacklevel=1)
    return {name: tensor.T for name, tensor in tensors.items()}


def _in_order(path: Path, tensors: Mapping[str, Tensor], shapes: Sequence[Shape]) -> list[str]:
    """The names from the inputs to the outputs. Raises `InputError` where neither names nor shapes tell the order."""
    names = sorted(tensors, key=_natural)
    if len({re.sub(r"\d+", "#", name) for name in names}) == 1:
        return names
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(names) <= _MOST_BY_SHAPE:
        fitting = [
            order for order in permutations(names) if all(found[name] == shape for name, shape in zip(order, shapes, strict=True))
        ]
        if len(fitting) == 1:
            return list(fitting[0])
    raise InputError(
        f"{path}: {', '.join(names)}: neither these names nor their shapes say which layer comes first; call them "
        f"{_layer(0)}, {_layer(1)}, ..., each [out, in]"
    )


def _check(path: Path, name: str, tensor: Tensor, shape: Shape) -> None:
    """Raises `InputError` for a matrix that is no layer's weights."""
    if tuple(tensor.shape) != shape:
        turned = "; it is [in, out]: transpose it" if tuple(tensor.shape) == shape[::-1] else ""
        raise InputError(f"{path}: {name}: has shape {list(tensor.shape)}, the design needs {list(shape)} [out, in]{turned}")
    if tensor.is_complex():
        raise InputError(f"{path}: {name}: holds complex numbers, a weight is a real one")
    if not tensor.to(torch.float64).isfinite().all():
        raise InputError(f"{path}: {name}: holds values that are not finite")


def check_range(run: Path, weights: list[Tensor], columns: list[HardwareModel]) -> None:
    """Raise `InputError` for a weight of a run that is larger than its layer's cells can do; one below their smallest code will
    be off."""
    for k, (weight, column) in enumerate(zip(weights, columns, strict=True)):
        for sign in (1, -1):
            reach, largest = float((sign * weight).max()), column.weight_range(sign)[1]
            if reach > largest * (1 + 1e-6):
                file = read_tensors(run / GIVEN_WEIGHTS)[1].get(_ORIGIN, GIVEN_WEIGHTS)
                raise InputError(
                    f"{file}: matrix {k + 1}: holds the weight {sign * reach:+.4g}, the cell "
                    f"reaches {sign * largest:+.4g}; scale the weights, or widen the range of codes in the design"
                )


def _natural(name: str) -> list[tuple[int, str]]:
    """fc2 before fc10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
