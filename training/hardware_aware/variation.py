"""Synapses as they are made: noise and mismatch on the weights of a network."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from training.hardware import HardwareModelError
from training.hardware_variation import Variation
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork


@dataclass(frozen=True)
class Mismatch:
    """Relative standard deviation of the weights, sign by sign: of each device by itself, and of all devices of a die together.

    The defaults are the foundry deck's mismatch of the reference synapse, 1 um x 0.25 um in weak inversion (its continuous models
    overstate it). Weights are lognormal, as currents in weak inversion are, with a mean of what was asked for.
    """

    device_plus: float = 0.25
    device_minus: float = 0.21
    die_plus: float = 0.0
    die_minus: float = 0.0

    def __post_init__(self) -> None:
        for name, sigma in vars(self).items():
            if not 0.0 <= sigma <= 2.0:
                raise ValueError(f"{name}: {sigma} must lie in 0 .. 2 (a share of the weight)")

    @classmethod
    def of(cls, variation: Variation) -> Mismatch:
        """What the Monte Carlo dies of a circuit showed (`training.hardware.HardwareModel.variation`), at its middle weights.

        Raises `HardwareModelError` where the variation does not hold them.
        """
        names = ("weight_plus_middle", "weight_minus_middle")
        for name in names:
            if name not in variation.names:
                raise HardwareModelError(f"variation: has no {name}; the datasheet of a circuit gives one")
        (die_plus, plus), (die_minus, minus) = (_relative(variation, name) for name in names)
        return cls(plus, minus, die_plus, die_minus)


def _relative(variation: Variation, name: str) -> tuple[float, float]:
    """Standard deviations of a parameter per die and per device, over its mean."""
    parameter = variation.parameters[variation.names.index(name)]
    die, device = variation.sigma(name)
    if parameter.scale == "log":
        return math.sqrt(math.expm1(die**2)), math.sqrt(math.expm1(device**2))
    return die / abs(parameter.nominal), device / abs(parameter.nominal)


@dataclass(frozen=True)
class WeightNoise:
    """Noise injection: Gaussian noise of this share of a layer's largest |w| on every weight, drawn anew for every batch."""

    share: float = 0.05


@dataclass(frozen=True)
class DynamicMismatch:
    """Mismatch of another die for every batch."""

    mismatch: Mismatch


@dataclass(frozen=True)
class FrozenMismatch:
    """Mismatch of one die, always the same for the same number."""

    mismatch: Mismatch
    die: int


VariationKind = WeightNoise | DynamicMismatch | FrozenMismatch


@contextlib.contextmanager
def varied(network: RCSpikeNetwork, kind: VariationKind | None, generator: torch.Generator | None = None) -> Iterator[None]:
    """The network with its synapses varied, for as long as the context lasts.

    `generator` draws what is drawn anew; a frozen die has a generator of its own, on the CPU, and is the same on every device.
    """
    if kind is None:
        yield
        return
    layers = list(network)
    if isinstance(kind, FrozenMismatch):
        generator = torch.Generator().manual_seed(kind.die)
    if isinstance(kind, WeightNoise):
        for layer in layers:
            _make_noise(layer, kind.share, generator)
    else:
        _make_die(layers, kind.mismatch, generator)
    try:
        yield
    finally:
        for layer in layers:
            layer.variation = layer.bias_variation = None


def _make_noise(layer: RCSpikeLayer, share: float, generator: torch.Generator | None) -> None:
    largest = torch.stack([weight.detach().abs().max() for weight in layer.crossbar()]).max()

    def noise(weight: Tensor) -> partial[Tensor]:
        drawn = torch.randn(weight.shape, generator=generator, dtype=weight.dtype, device=weight.device)
        return partial(torch.add, share * largest * drawn)

    layer.variation = noise(layer.weight)
    if layer.bias is not None:
        layer.bias_variation = noise(layer.bias.weight)


def _make_die(layers: list[RCSpikeLayer], mismatch: Mismatch, generator: torch.Generator | None) -> None:
    """A die has two devices for every synapse, one for each sign that its weight may take."""
    device = generator.device if generator is not None else None

    def factors(sigma: float, shape: tuple[int, ...]) -> Tensor:
        spread = math.sqrt(math.log1p(sigma**2))
        return torch.exp(spread * torch.randn(shape, generator=generator, device=device) - spread**2 / 2)

    die = [factors(sigma, ()) for sigma in (mismatch.die_plus, mismatch.die_minus)]

    def device_factors(weight: Tensor) -> partial[Tensor]:
        devices = [factors(sigma, weight.shape) for sigma in (mismatch.device_plus, mismatch.device_minus)]
        plus, minus = ((common * own).to(weight) for common, own in zip(die, devices, strict=True))
        return partial(_as_made, plus=plus, minus=minus)

    for layer in layers:
        layer.variation = device_factors(layer.weight)
        if layer.bias is not None:
            layer.bias_variation = device_factors(layer.bias.weight)


def _as_made(weight: Tensor, plus: Tensor, minus: Tensor) -> Tensor:
    return weight * torch.where(weight >= 0, plus, minus)
