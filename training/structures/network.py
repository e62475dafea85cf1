"""Structures on the layers of a network: put there, assigned, encoded, decoded, and taken away with the weights as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from training.errors import TrainingError
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.solvers.connection import Convolution, Dense
from training.structures.assigned import Assigned
from training.structures.assignment import made_up, second_moments
from training.structures.code import DENSE, LayerCode, dense_code
from training.structures.commuting import Commuting
from training.structures.factorised import Factorised
from training.structures.levels import Levels
from training.structures.masks import Masks, Rule, wired
from training.structures.plan import (
    AnyStructure,
    CommutingPlan,
    FactorsPlan,
    LevelsPlan,
    MasksPlan,
    SupermaskPlan,
    TernaryPlan,
    ToeplitzPlan,
)
from training.structures.structure import Span, Structure, structure_of, structures_of
from training.structures.supermask import Supermask
from training.structures.ternary import Ternary
from training.structures.toeplitz import Toeplitz

DECODERS: dict[str, Callable[[LayerCode], NDArray[np.float32]]] = {
    DENSE: lambda code: code.reals["weight"].reshape(code.shape),
    **{one.kind: one.decoded for one in (Ternary, Masks, Supermask, Toeplitz, Commuting, Levels, Factorised)},
}


MADE: dict[type[AnyStructure], Callable[..., Structure]] = {
    TernaryPlan: Ternary, SupermaskPlan: Supermask, ToeplitzPlan: Toeplitz, CommutingPlan: Commuting, LevelsPlan: Levels,
    FactorsPlan: Factorised,
}  # fmt: skip
"""What has an argument for each field of its plan."""

BATCH = 500
"""Samples that a layer sees at once."""


class StructureError(TrainingError):
    """A structure that a network cannot have, or a code that is none of it. One line."""


def put_structure(network: RCSpikeNetwork, plan: AnyStructure) -> None:
    """Let the layers that a plan names hold weights of its structure alone; weights that are there stay as near as it can.

    A layer whose links are wired before training has no devices elsewhere. Raises `StructureError` where the plan leaves no
    layer, or the cell cannot do its coats, and `WiringError`.
    """
    layers = list(network)
    chosen = list(zip(count(), layers, strict=False))
    chosen = chosen[1:-1] if plan.layers == "inner" else chosen
    if not chosen:
        raise StructureError(f'layers: "inner" leaves none of the {len(layers)} layers; take layers = "all"')
    if any(layer.normalisation is not None for _, layer in chosen):
        raise StructureError("normalise: a gain of each neuron would break the structure of its weights; train without")
    made = [(layer, _structure(plan, layer, number)) for number, layer in chosen]
    for layer, structure in made:
        parametrize.register_parametrization(layer, "weight", structure)
        if structure.links is not None:
            layer.wire(structure.links)
    network.wire_lines()


def _structure(plan: AnyStructure, layer: RCSpikeLayer, number: int) -> Structure:
    try:
        return _made(plan, layer, number)
    except ValueError as error:
        raise error if isinstance(error, TrainingError) else StructureError(f"layer {number}: {error}") from error


def _made(plan: AnyStructure, layer: RCSpikeLayer, number: int) -> Structure:
    shape, span = tuple(layer.weight.shape), Span.of(layer.weight_range)
    coats = getattr(plan, "coats", 1)
    if span.smallest * coats > span.largest:
        raise StructureError(
            f"coats: {coats} times the smallest weight of the cell, {span.smallest:.3g}, is more than its largest, "
            f"{span.largest:.3g}"
        )
    match plan:
        case MasksPlan():
            of_rule: Any = plan.model_dump(exclude={"kind", "layers", "file", "sha256"})
            rule = Rule(**of_rule, number=number)
            return Masks(shape, span, rule, None if "C" in plan.learn else wired(rule, shape, plan.file))
        case _:
            made = MADE[type(plan)]
            return made(shape, span, **plan.model_dump(exclude={"kind", "layers"}))


@torch.no_grad()
def assign(network: RCSpikeNetwork, t: Tensor, seed: int = 0, make_up: bool = True) -> None:
    """Find the codes of the layers whose weights are assigned after training, one layer after the other.

    Every layer sees what those before it then send, and shall do what it did for what they sent before.

    Args:
        t: spike times of the inputs, [samples, inputs] or images of them.
        seed: of the annealing.
        make_up: first move the weights of a layer to where they make up for what those before it are off, as far as they can.
    """
    if not any(isinstance(structure, Assigned) for _, structure in structures_of(network)):
        return
    was_training, meant = network.training, t
    network.eval()
    for module in network.layers:
        structure = structure_of(module)
        if isinstance(module, RCSpikeLayer) and isinstance(structure, Assigned):
            structure.advance(0.0)  # as it was trained
            meant, before = _sent(module, meant), meant
            moments, crossed = _moments(module, t, before)
            rows = module.stored.flatten(1).double().cpu().numpy()
            rows = made_up(rows, moments, crossed) if make_up else rows
            structure.assign(torch.from_numpy(rows).view(module.stored.shape), moments, seed)
        else:
            meant = _sent(module, meant)
        t = _sent(module, t)
    network.train(was_training)


def _sent(module: nn.Module, t: Tensor) -> Tensor:
    if not isinstance(module, RCSpikeLayer):
        passed: Tensor = module(t)
        return passed
    return torch.cat([module(part).spike_times for part in torch.split(t, BATCH)])


def _moments(layer: RCSpikeLayer, t: Tensor, meant: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Second moments of what a neuron sees of its inputs, and of that with what it was meant to see; over all positions of a
    convolution."""
    assert isinstance(layer.connection, Dense | Convolution)
    found, crossed, count = np.zeros(()), np.zeros(()), 0
    for parts in zip(torch.split(t, BATCH), torch.split(meant, BATCH), strict=True):
        seen, wanted = (layer.connection.patches(part, layer.weight).double().cpu().numpy() for part in parts)
        found, count = found + len(seen) * second_moments(seen), count + len(seen)
        crossed = crossed + len(seen) * second_moments(wanted, seen)
    return np.asarray(found / count), np.asarray(crossed / count)


def encode(network: RCSpikeNetwork) -> list[LayerCode]:
    """The code of every layer."""
    codes = []
    for layer in network:
        structure = structure_of(layer)
        with torch.no_grad():
            codes.append(
                dense_code(layer.weight.detach().float().numpy())
                if structure is None
                else structure.code(layer.stored.detach().float())
            )
    return codes


def decode(codes: Sequence[LayerCode]) -> list[NDArray[np.float32]]:
    """The weights of every layer, bit by bit those that were encoded. Raises `StructureError` for a code that is none."""
    return [_decoded(number, code) for number, code in enumerate(codes)]


def _decoded(number: int, code: LayerCode) -> NDArray[np.float32]:
    try:
        if code.kind not in DECODERS:
            raise ValueError(f"kind: {code.kind!r} is none of {', '.join(DECODERS)}")
        return DECODERS[code.kind](code)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise StructureError(f"layers.{number}: {said}") from error


def settle(network: RCSpikeNetwork) -> None:
    """Take the structures away and leave the weights, and the links, as they are: a plain network."""
    for layer, structure in list(structures_of(network)):
        structure.advance(1.0)
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
