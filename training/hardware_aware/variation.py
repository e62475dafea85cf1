"""Synapses and neurons as they are made: noise and mismatch on a network."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from training.firing import NeuronVariation
from training.gates import GateShift
from training.hardware import HardwareModelError
from training.hardware import Variation as MeasuredVariation
from training.hardware.variation import DISCHARGER_CURRENT, SWING, current_at_rest
from training.layer import RCSpikeLayer, Variation

Sigma = Annotated[float, Field(ge=0.0, le=2.0)]


@dataclass(frozen=True)
class Mismatch:
    """Relative standard deviations: of each device by itself, and of all devices of a die together.

    Those of synapses are of their currents, which are the weights, sign by sign; those of neurons of their threshold (normal) and
    of the current that discharges them. Currents are lognormal, as in weak inversion, and their median is what was asked for.
    The defaults are the foundry deck's mismatch of the reference circuit (docs/datasheet.md; its continuous models overstate it).
    With `by_gate` a synapse is off by a shift of its gate bias, which gives its current this spread at the middle code, more in
    weak inversion and less in strong.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")  # where it is the section of a study

    device_plus: Sigma = 0.32
    device_minus: Sigma = 0.19
    device_threshold: Sigma = 0.019
    device_discharger: Sigma = 0.16
    die_plus: Sigma = 0.0
    die_minus: Sigma = 0.0
    die_threshold: Sigma = 0.0
    die_discharger: Sigma = 0.0
    by_gate: bool = False

    def __post_init__(self) -> None:
        for name, sigma in vars(self).items():
            if name != "by_gate" and not 0.0 <= sigma <= 2.0:
                raise ValueError(f"{name}: {sigma} must lie in 0 .. 2 (a share of the nominal value)")

    @classmethod
    def of(cls, variation: MeasuredVariation) -> Mismatch:
        """What the Monte Carlo dies of a circuit showed (`training.hardware.HardwareModel.variation`), at its middle weights.

        Raises `HardwareModelError` where the variation does not hold it, or spreads further than dies can be drawn.
        """
        sigmas: dict[str, Any] = {}
        for part, name in _MEASURED_AS.items():
            if name not in variation.names:
                raise HardwareModelError(f"variation: has no {name}; the datasheet of a circuit gives one")
            sigmas[f"die_{part}"], sigmas[f"device_{part}"] = _relative(variation, name)
        try:
            return cls(**sigmas)
        except ValueError as error:
            raise HardwareModelError(f"variation: {error}") from error

    def of_devices(self) -> Mismatch:
        """Each device by itself, all dies of a nominal process."""
        return replace(self, die_plus=0.0, die_minus=0.0, die_threshold=0.0, die_discharger=0.0)


_MEASURED_AS = {
    "plus": current_at_rest(1),
    "minus": current_at_rest(-1),
    "threshold": SWING,
    "discharger": DISCHARGER_CURRENT,
}
"""The parameter of a circuit that is each part's spread. Not its weights: the threshold of the neuron is in them."""


def _relative(variation: MeasuredVariation, name: str) -> tuple[float, float]:
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

    def __post_init__(self) -> None:
        if not 0.0 <= self.share < math.inf:
            raise ValueError(f"share: {self.share} must be 0 or more (a share of the largest weight)")


@dataclass(frozen=True)
class DynamicMismatch:
    """Mismatch of another die for every batch."""

    mismatch: Mismatch


@dataclass(frozen=True)
class FrozenMismatch:
    """Mismatch of one die, always the same for the same number."""

    mismatch: Mismatch
    die: int


@dataclass(frozen=True)
class CommonShift:
    """All devices of a kind off by the same share of what they should be: currents of synapses, by the sign of their weight,
    thresholds, and currents that discharge."""

    plus: float = 0.0
    minus: float = 0.0
    threshold: float = 0.0
    discharger: float = 0.0


VariationKind = WeightNoise | DynamicMismatch | FrozenMismatch | CommonShift


@contextlib.contextmanager
def varied(
    network: Iterable[RCSpikeLayer], kind: VariationKind | None, generator: torch.Generator | None = None
) -> Iterator[None]:
    """The network, or some of its layers, with synapses and neurons varied, for as long as the context lasts.

    `generator` draws what is drawn anew; a frozen die has a generator of its own, on the CPU, and is the same on every device.
    """
    if kind is None:
        yield
        return
    layers = list(network)
    if isinstance(kind, FrozenMismatch):
        generator = torch.Generator().manual_seed(kind.die)
    match kind:
        case WeightNoise(share):
            for layer in layers:
                _make_noise(layer, share, generator)
        case CommonShift():
            for layer in layers:
                _make_shift(layer, kind)
        case DynamicMismatch() | FrozenMismatch():
            _make_die(layers, kind.mismatch, generator)
    try:
        yield
    finally:
        for layer in layers:
            layer.variation = layer.bias_variation = layer.neuron_variation = None


def _make_noise(layer: RCSpikeLayer, share: float, generator: torch.Generator | None) -> None:
    bias = layer.bias_weight()
    programmed = [layer.effective_weight()] if bias is None else [layer.effective_weight(), bias]
    largest = torch.stack([weight.detach().abs().max() for weight in programmed]).max()

    def noise(weight: Tensor) -> partial[Tensor]:
        drawn = torch.randn(weight.shape, generator=generator, dtype=weight.dtype, device=weight.device)
        return partial(torch.add, share * largest * drawn)

    layer.variation = noise(layer.weight)
    if bias is not None:
        layer.bias_variation = noise(bias)


def _make_shift(layer: RCSpikeLayer, shift: CommonShift) -> None:
    plus, minus, threshold, discharger = (
        torch.tensor(1.0 + share).to(layer.weight) for share in (shift.plus, shift.minus, shift.threshold, shift.discharger)
    )
    layer.variation = partial(_as_made, plus=plus, minus=minus)
    if layer.bias_weight() is not None:
        layer.bias_variation = layer.variation
    count = len(layer.weight)
    layer.neuron_variation = NeuronVariation(threshold.expand(count), discharger.expand(count))


@dataclass(frozen=True)
class _Draw:
    """Draws from one generator, on its device."""

    generator: torch.Generator | None

    def normal(self, sigma: float, *shape: int) -> Tensor:
        device = self.generator.device if self.generator is not None else None
        return sigma * torch.randn(shape, generator=self.generator, device=device)

    def factors(self, sigma: float, *shape: int) -> Tensor:
        """Lognormal, of median 1 and a standard deviation of `sigma` times their mean."""
        return torch.exp(self.normal(math.sqrt(math.log1p(sigma**2)), *shape))


def _make_die(layers: list[RCSpikeLayer], mismatch: Mismatch, generator: torch.Generator | None) -> None:
    """A die has two devices for every synapse, one for each sign that its weight may take."""
    draw = _Draw(generator)
    plus, minus = draw.factors(mismatch.die_plus), draw.factors(mismatch.die_minus)
    threshold, discharger = 1.0 + draw.normal(mismatch.die_threshold), draw.factors(mismatch.die_discharger)

    def synapses(layer: RCSpikeLayer, weight: Tensor) -> Variation:
        own = draw.factors(mismatch.device_plus, *weight.shape), draw.factors(mismatch.device_minus, *weight.shape)
        factors = (plus * own[0]).to(weight), (minus * own[1]).to(weight)
        if mismatch.by_gate:
            return GateShift.of_factors(layer.model, *factors)
        return partial(_as_made, plus=factors[0], minus=factors[1])

    def neurons(weight: Tensor) -> NeuronVariation:
        count = len(weight)
        own = draw.normal(mismatch.device_threshold, count), draw.factors(mismatch.device_discharger, count)
        return NeuronVariation((threshold + own[0]).to(weight), (discharger * own[1]).to(weight))

    for layer in layers:
        layer.variation = synapses(layer, layer.weight)
        if (bias := layer.bias_weight()) is not None:
            layer.bias_variation = synapses(layer, bias)
        layer.neuron_variation = neurons(layer.weight)


def _as_made(weight: Tensor, plus: Tensor, minus: Tensor) -> Tensor:
    return weight * torch.where(weight >= 0, plus, minus)
