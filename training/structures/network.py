"""Structures on the layers of a network: put there, encoded, decoded, and taken away with the weights left as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils import parametrize

from training.errors import TrainingError
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.structures.assignment import LEVELS, levels_decoded
from training.structures.code import DENSE, LayerCode, dense_code
from training.structures.masks import Masks, Rule, wired
from training.structures.plan import AnyStructure, MasksPlan, SupermaskPlan, TernaryPlan, ToeplitzPlan
from training.structures.structure import Span, Structure, structure_of, structures_of
from training.structures.supermask import Supermask
from training.structures.ternary import Ternary
from training.structures.toeplitz import Toeplitz

DECODERS: dict[str, Callable[[LayerCode], NDArray[np.float32]]] = {
    DENSE: lambda code: code.reals["weight"].reshape(code.shape),
    LEVELS: levels_decoded,
    **{one.kind: one.decoded for one in (Ternary, Masks, Supermask, Toeplitz)},
}


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
    shape, span = tuple(layer.weight.shape), Span.of(layer.weight_range)
    coats = getattr(plan, "coats", 1)
    if span.smallest * coats > span.largest:
        raise StructureError(
            f"coats: {coats} times the smallest weight of the cell, {span.smallest:.3g}, is more than its largest, "
            f"{span.largest:.3g}"
        )
    match plan:
        case TernaryPlan():
            return Ternary(shape, span, block=plan.block, nonzeros=plan.nonzeros, pruned_at=plan.pruned_at)
        case SupermaskPlan():
            return Supermask(shape, span, coats=plan.coats)
        case ToeplitzPlan():
            return Toeplitz(shape, span, block=plan.block)
        case MasksPlan():
            of_rule: Any = plan.model_dump(exclude={"kind", "layers", "file", "sha256"})
            rule = Rule(**of_rule, number=number)
            return Masks(shape, span, rule, None if "C" in plan.learn else wired(rule, shape, plan.file))


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
