"""Which crossings of a layer are linked, before anything is trained: rules with a seed, and files.

A rule draws from numpy's PCG64 by uniform numbers alone, whose stream numpy keeps; a digest of what was drawn goes into the code.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.errors import TrainingError
from training.tensors import NetworkFileError, read_tensors, write_tensors

Links = NDArray[np.bool_]


class WiringError(TrainingError):
    """Links that cannot be. One line: field or file, what is wrong."""


def draws(seed: int, layer: int, what: int) -> np.random.Generator:
    """A stream of its own for everything that is drawn of a layer, by the place of `what` is drawn."""
    return np.random.default_rng((seed, layer, what))


def regular(outputs: int, inputs: int, share: float, draw: np.random.Generator) -> Links:
    """As many links on every membrane, and as many on every line as far as that divides.

    Neuron by neuron: a line that needs all neurons that are left gets a link, the others by the odds of theirs (Gumbel's trick).
    """
    per_neuron = _count(share, inputs)
    whole, rest = divmod(outputs * per_neuron, inputs)
    left = np.full(inputs, whole)
    left[np.argsort(draw.random(inputs))[:rest]] += 1
    links = np.zeros((outputs, inputs), bool)
    for k in range(outputs):
        neurons_left = outputs - k
        with np.errstate(divide="ignore"):
            odds = np.log(left) - np.log(neurons_left - left)  # -inf: has all its links; inf: must have one here
        chosen = np.argsort(-(odds - np.log(-np.log(draw.random(inputs)))))[:per_neuron]
        links[k, chosen] = True
        left[chosen] -= 1
    return links


def random(outputs: int, inputs: int, share: float, draw: np.random.Generator) -> Links:
    """As many links on every membrane, wherever."""
    return _largest(draw.random((outputs, inputs)), _count(share, inputs))


def n_of_m(outputs: int, inputs: int, share: float, group: int, draw: np.random.Generator) -> Links:
    """In every `group` inputs of a neuron as many links. Raises `WiringError` where the groups do not come out even."""
    if inputs % group:
        raise WiringError(f"group: {group} does not divide the {inputs} inputs of a layer")
    grouped = draw.random((outputs * inputs // group, group))
    return _largest(grouped, _count(share, group)).reshape(outputs, inputs)


def searched(weight: NDArray[np.floating], share: float) -> Links:
    """The strongest links of every neuron of a trained layer [out, in]: a wiring that was searched once."""
    return _largest(np.abs(weight), _count(share, weight.shape[1]))


def _count(share: float, of: int) -> int:
    """A share of links in whole ones, at least one."""
    return max(round(share * of), 1)


def _largest(score: NDArray[np.floating], count: int) -> Links:
    """The so many largest of each row."""
    links = np.zeros(score.shape, bool)
    np.put_along_axis(links, np.argpartition(-score, count - 1, axis=1)[:, :count], True, axis=1)
    return links


def save_wiring(path: Path, layers: list[Links]) -> None:
    """Write the links of a network as layers.0.links, layers.1.links, ... Raises `OSError`."""
    write_tensors(path, {f"layers.{k}.links": torch.from_numpy(links.astype(np.uint8)) for k, links in enumerate(layers)})


def read_wiring(path: Path, number: int, shape: tuple[int, ...]) -> Links:
    """The links of a layer, counted from 0. Raises `WiringError` for a file that has none of its shape."""
    try:
        tensors, _ = read_tensors(path)
    except NetworkFileError as error:
        raise WiringError(str(error)) from error
    name = f"layers.{number}.links"
    links: Tensor | None = tensors.get(name)
    if links is None:
        raise WiringError(f"{path}: {name}: missing; the file holds {', '.join(sorted(tensors)) or 'nothing'}")
    if tuple(links.shape) != shape:
        raise WiringError(f"{path}: {name}: has shape {list(links.shape)}, the layer needs {list(shape)}")
    found = links.numpy()
    if not np.isin(found, (0, 1)).all():
        raise WiringError(f"{path}: {name}: holds {found.max()}; a link is there, 1, or not, 0")
    if not found.reshape(len(found), -1).any(1).all():
        raise WiringError(f"{path}: {name}: a neuron has no link")
    return found.astype(bool)


def digest(links: Links) -> str:
    """What a code says of its wiring, so that another one is found out."""
    return hashlib.blake2b(np.packbits(links).tobytes(), digest_size=8).hexdigest()
