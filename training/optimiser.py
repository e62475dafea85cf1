"""The optimiser of a recipe, and the moving average of what it trains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from training.network import RCSpikeNetwork
from training.recipe import Recipe


def optimiser_of(recipe: Recipe, network: RCSpikeNetwork) -> torch.optim.Optimizer:
    """One of torch's, fused. On a GPU its learning rate is a tensor, and nothing of a step waits for the host."""
    on_gpu = next(network.parameters()).is_cuda
    options: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, "fused": True}
    if on_gpu:
        options["lr"] = torch.tensor(recipe.learning_rate, device=next(network.parameters()).device)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(_groups(recipe, network), momentum=recipe.momentum, nesterov=recipe.momentum > 0, **options)
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    optimiser = kind(_groups(recipe, network), capturable=on_gpu, **options)
    # torch warns of steps that are not recorded; the first few never are (`training.captured`).
    vars(optimiser)["_warned_capturable_if_run_uncaptured"] = True
    return optimiser


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give the next step this learning rate."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _groups(recipe: Recipe, network: RCSpikeNetwork) -> list[dict[str, Any]]:
    """What is trained, in two parts where the weights decay: the weights, and gains and bias spikes, which do not."""
    if not recipe.weight_decay:
        return [{"params": list(network.parameters())}]
    weights = [layer.stored for layer in network]
    others = [one for one in network.parameters() if not any(one is weight for weight in weights)]
    return [{"params": weights}, {"params": others, "weight_decay": 0.0}]


class MovingAverage:
    """Exponential moving average of a network over the steps: a <- decay a + (1 - decay) p, first what it starts from.

    p are its parameters and the running statistics that it keeps; `tensors` are the averages, in the same order.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._parameters = [one for one in network.state_dict().values() if one.is_floating_point()]
        self._update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self.tensors = [parameter.detach().clone() for parameter in self._parameters]

    def update(self) -> None:
        """After a step."""
        self._update(self.tensors, self._parameters, None)

    def state(self, small: bool) -> dict[str, Tensor]:
        """The averages by name; where they shall be `small`, what they are off the parameters, in bfloat16."""
        if not small:
            return {f"average.{i}": average for i, average in enumerate(self.tensors)}
        pairs = enumerate(zip(self.tensors, self._parameters, strict=True))
        return {f"average_off.{i}": (average - parameter).bfloat16() for i, (average, parameter) in pairs}

    def resume(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`, the parameters being those of then."""
        for i, (average, parameter) in enumerate(zip(self.tensors, self._parameters, strict=True)):
            if (off := state.get(f"average_off.{i}")) is not None:
                average.copy_(parameter + off.to(parameter))
            else:
                average.copy_(state[f"average.{i}"])

    @torch.no_grad()
    def settle(self) -> None:
        """Leave the averages in the place of the parameters."""
        for parameter, average in zip(self._parameters, self.tensors, strict=True):
            parameter.copy_(average)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The averages in the place of the parameters, for as long as the context lasts."""
        kept = [parameter.detach().clone() for parameter in self._parameters]
        self.settle()
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, own in zip(self._parameters, kept, strict=True):
                    parameter.copy_(own)
