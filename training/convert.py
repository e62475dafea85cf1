"""An ordinary trained network as layers of circuit neurons.

With spike times t = 1 - x and an ideal multiply-accumulate a neuron's membrane is v(1) = sum w (1 - t) + b, its bias b a spike at
t = 0, and its output spike t_out = 1 - clip(v, 0, 1): the network x_out = clip(W x + b, 0, 1). A network of rectified linear
units is that one as soon as no activation passes 1, which dividing each layer by its largest activation does (data-based
weight normalisation, Diehl et al. 2015). Batch normalisation folds into the layer before it. Maximum pooling is the earliest
spike of a window, before a rectifier or behind it. The outputs, which no unit rectifies, are shifted and scaled together into
0 .. 1, which leaves their order; so does a closing softmax, which is left out.

On real hardware this is where fine tuning starts: `training.trainer.train(..., keep_weights=True)`.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from training.convolution import RCSpikeConvolution
from training.errors import TrainingError
from training.evaluation import evaluate
from training.hardware import NormalisedModel
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.pooling import AverageSpikePool, EarliestSpikePool

# Nothing in evaluation.
_IDLE = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Identity)
_SUPPORTED = "Linear, Conv2d, BatchNorm, ReLU, ReLU6, MaxPool2d, AvgPool2d, Flatten, Dropout"


MOST_OFF, FEWEST_KEPT = 0.1, 0.9
"""A conversion of which a larger share of the weights is off, or that keeps a smaller share of the answers, is warned of."""
JUDGED = 200
"""So many of the samples tell what the circuit will answer."""


class ConversionWarning(UserWarning):
    """What a converted network will not do as the original did."""


class ConversionError(TrainingError):
    """A network cannot be turned into circuit layers. One line that begins with the name of the layer."""


@dataclass(frozen=True)
class _Stage:
    """One module of the network with its name, what it gives for the samples, and whether a unit rectifies it."""

    name: str
    module: nn.Module
    output: Tensor
    rectified: bool


def convert(network: nn.Sequential, samples: Tensor, model: NormalisedModel, **options: Any) -> RCSpikeNetwork:
    """Circuit layers that compute what a trained `network` does, as far as `model` is an ideal multiply-accumulate.

    Args:
        network: Linear and Conv2d, each but the last one with a ReLU behind it, a BatchNorm between them or not; MaxPool2d,
            AvgPool2d, Flatten, Dropout; a softmax at the end; in sequences, nested or not. It is left as it is.
        samples: typical inputs, 0 .. 1, [samples, ...] as the network takes them: the largest activation of every layer.
        model: hardware of every layer.
        options: keyword arguments of `RCSpikeLayer`.

    Returns:
        A network that takes spike times t = 1 - x, in evaluation mode. Where much is lost on the way, a `ConversionWarning`
        says what: weights below the smallest code of the cell, which are off, and answers that the circuit will not give.

    Raises:
        ConversionError: a layer that has no counterpart, or weights beyond what the cell can do.
    """
    if not isinstance(network, nn.Sequential):
        raise ConversionError(f"network: a {type(network).__name__}; convert takes an nn.Sequential, whose order it knows")
    if not len(samples):
        raise ConversionError("samples: there are none; give typical inputs")
    if not (float(samples.min()) >= 0.0 and float(samples.max()) <= 1.0):
        raise ConversionError(f"samples: {float(samples.min()):.4g} .. {float(samples.max()):.4g} must lie in 0 .. 1, t = 1 - x")
    stages = list(_walk(network, samples))
    weighted = [k for k, stage in enumerate(stages) if isinstance(stage.module, nn.Linear | nn.Conv2d)]
    if not weighted:
        raise ConversionError("network: has no Linear or Conv2d")
    for k in weighted[:-1]:
        if not stages[k].rectified:
            raise ConversionError(f"{stages[k].name}: needs a ReLU right behind it, as every layer but the last does")
    _check_end(stages, weighted[-1])
    layers: list[nn.Module] = []
    scale = 1.0
    for k, stage in enumerate(stages):
        if k not in weighted:
            layers.append(_passive(stage))
            continue
        fan_out = next((_taps(stages[later].module) for later in weighted if later > k), 0)
        layer = _circuit_layer(stage, model, fan_out, options).to(samples.dtype)
        scale = _load(layer, stage, scale, last=k == weighted[-1])
        layers.append(layer)
    sizes = [prod(samples.shape[1:]), *(prod(stages[k].output.shape[1:]) for k in weighted)]
    circuit = RCSpikeNetwork.of(sizes, layers).eval()
    _warn_of_losses(circuit, samples[:JUDGED], stages[-1].output[:JUDGED])
    return circuit


def _warn_of_losses(circuit: RCSpikeNetwork, samples: Tensor, outputs: Tensor) -> None:
    """Warn where many weights are off, or the circuit answers otherwise than the network, whose outputs these are."""
    with torch.no_grad():
        pairs = [(layer.effective_weight(), layer.weight) for layer in circuit]
    off = sum(int(((done == 0) & (asked != 0)).sum()) for done, asked in pairs)
    weights = sum(int((asked != 0).sum()) for _, asked in pairs)
    answers = outputs.flatten(1)
    found = evaluate(circuit, 1.0 - samples, answers.argmax(1), answers.shape[1], keep_layers=False)
    if off > MOST_OFF * weights or found.accuracy < FEWEST_KEPT:
        warnings.warn(
            f"{off / max(weights, 1):.0%} of the weights lie below the smallest code of the cell and are off; the drive "
            f"sum|w|/|E| is up to {max(found.drive):.2g}; on {len(samples)} samples the circuit gives {found.accuracy:.0%} of "
            "the network's own answers. Fine-tune it on this hardware (train(..., keep_weights=True)), or another "
            "cell",
            ConversionWarning,
            stacklevel=3,
        )


def _walk(network: nn.Sequential, x: Tensor) -> Iterator[_Stage]:
    """Modules with their outputs; a ReLU is told by the stage before it. Raises `ConversionError` for any that is unknown."""
    modules = _without_softmax(_rectified_first(list(_folded(_flat(network)))))
    for k, (name, module) in enumerate(modules):
        if isinstance(module, nn.ReLU | nn.ReLU6):
            if k == 0 or not isinstance(modules[k - 1][1], nn.Linear | nn.Conv2d):
                raise ConversionError(f"{name}: a {type(module).__name__} must stand right behind a Linear or Conv2d")
            continue
        _check(name, module)
        following = modules[k + 1][1] if k + 1 < len(modules) else None
        rectifier = following if isinstance(following, nn.ReLU | nn.ReLU6) else None
        with torch.no_grad():
            try:
                x = module(x) if rectifier is None else rectifier(module(x))
            except RuntimeError as error:
                reason = str(error).splitlines()[0]
                raise ConversionError(f"{name}: takes no samples of shape {tuple(x.shape[1:])}: {reason}") from error
        yield _Stage(name, module, x, rectifier is not None)


def _flat(network: nn.Sequential, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules of nested sequences one after the other, without those that do nothing."""
    for name, module in network.named_children():
        if isinstance(module, nn.Sequential):
            yield from _flat(module, f"{prefix}{name}.")
        elif not isinstance(module, _IDLE):
            yield f"{prefix}{name}", module


def _folded(modules: Iterable[tuple[str, nn.Module]]) -> Iterator[tuple[str, nn.Module]]:
    """Batch normalisation, by its running statistics, in the weights of the layer before it."""
    before: tuple[str, nn.Module] | None = None
    for name, module in modules:
        kind = type(module).__name__
        if not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            if before is not None:
                yield before
            before = name, module
        elif before is None or not isinstance(before[1], nn.Linear | nn.Conv2d):
            raise ConversionError(f"{name}: a {kind} must stand right behind a Linear or Conv2d, into which it folds")
        elif module.running_mean is None or module.running_var is None:
            raise ConversionError(f"{name}: a {kind} without running statistics cannot be folded into {before[0]}")
        else:
            fuse = fuse_linear_bn_eval if isinstance(before[1], nn.Linear) else fuse_conv_bn_eval
            pair = copy.deepcopy(before[1]).eval(), copy.deepcopy(module).eval()
            before = before[0], fuse(*pair)  # type: ignore[type-var]
    if before is not None:
        yield before


def _rectified_first(modules: list[tuple[str, nn.Module]]) -> list[tuple[str, nn.Module]]:
    """A ReLU behind a maximum pooling before it: what never falls picks the same pixel."""
    ordered: list[tuple[str, nn.Module]] = []
    for one in modules:
        place = len(ordered)
        while isinstance(one[1], nn.ReLU | nn.ReLU6) and place and isinstance(ordered[place - 1][1], nn.MaxPool2d):
            place -= 1
        ordered.insert(place, one)
    return ordered


def _without_softmax(modules: list[tuple[str, nn.Module]]) -> list[tuple[str, nn.Module]]:
    """A softmax over the outputs, or its logarithm, leaves their order, and is left out with a word."""
    if not modules or not isinstance(modules[-1][1], nn.Softmax | nn.LogSoftmax) or modules[-1][1].dim not in (1, -1):
        return modules
    name, module = modules[-1]
    warnings.warn(
        f"{name}: {type(module).__name__} is left out; it leaves the order of the outputs", ConversionWarning, stacklevel=2
    )
    return modules[:-1]


def _check(name: str, module: nn.Module) -> None:
    """Raise `ConversionError` for a module, or a setting of one, that has no counterpart."""
    kind = type(module).__name__
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        square = height == width and module.stride[0] == module.stride[1] and not isinstance(module.padding, str)
        if not square or module.padding[0] != module.padding[1]:
            raise ConversionError(f"{name}: a convolution needs a square window, one stride and a padding in pixels")
        if module.groups != 1 or module.dilation != (1, 1) or module.padding_mode != "zeros":
            raise ConversionError(f"{name}: a convolution can have no groups, no dilation and no padding but zeros")
    elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        window, stride = _one(module.kernel_size), _one(module.stride)
        if window is None or window != stride or _one(module.padding) != 0 or module.ceil_mode:
            raise ConversionError(f"{name}: a pooling needs a square window, a stride of its size and no padding")
    elif isinstance(module, nn.Flatten):
        if module.start_dim != 1 or module.end_dim != -1:
            raise ConversionError(f"{name}: must flatten everything but the batch")
    elif not isinstance(module, nn.Linear):
        raise ConversionError(f"{name}: {kind} has no counterpart in the circuit; there are {_SUPPORTED}")


def _one(value: int | tuple[int, ...]) -> int | None:
    """The one number of a window, or None where it is not square."""
    return value if isinstance(value, int) else value[0] if len(set(value)) == 1 else None


def _check_end(stages: list[_Stage], last: int) -> None:
    for stage in stages[last + 1 :]:
        if not isinstance(stage.module, nn.Flatten):
            raise ConversionError(f"{stage.name}: nothing but Flatten can stand behind the last layer")


def _passive(stage: _Stage) -> nn.Module:
    module = stage.module
    if isinstance(module, nn.MaxPool2d):
        return EarliestSpikePool(_one(module.kernel_size) or 1)
    if isinstance(module, nn.AvgPool2d):
        return AverageSpikePool(_one(module.kernel_size) or 1)
    return nn.Flatten()


def _taps(module: nn.Module) -> int:
    """Synapses on every line that goes into a layer."""
    assert isinstance(module, nn.Linear | nn.Conv2d)
    return module.weight.shape[0] * prod(module.weight.shape[2:])


def _circuit_layer(stage: _Stage, model: NormalisedModel, fan_out: int, options: dict[str, Any]) -> RCSpikeLayer:
    module = stage.module
    if isinstance(module, nn.Conv2d):
        window, padding = module.kernel_size[0], int(module.padding[0])
        return RCSpikeConvolution(
            module.in_channels, module.out_channels, model, window, stride=module.stride[0], padding=padding,
            fan_out=fan_out, bias=True, **options,
        )  # fmt: skip
    assert isinstance(module, nn.Linear)
    return RCSpikeLayer(module.in_features, module.out_features, model, fan_out=fan_out, bias=True, **options)


def _load(layer: RCSpikeLayer, stage: _Stage, scale: float, *, last: bool) -> float:
    """Put scaled weights into a layer whose inputs are divided by `scale`; returns what its outputs are divided by."""
    module = stage.module
    assert isinstance(module, nn.Linear | nn.Conv2d) and layer.bias is not None
    low = float(stage.output.min()) if last and not stage.rectified else 0.0
    reach = float(stage.output.max()) - low
    if reach <= 0.0:
        raise ConversionError(f"{stage.name}: gives the same for all samples; there is nothing to scale by")
    bias = module.weight.new_zeros(module.weight.shape[0]) if module.bias is None else module.bias
    weights = {"weight": module.weight.detach() * (scale / reach), "bias": (bias.detach() - low) / reach}
    for name, values in weights.items():
        for sign, largest in ((1, layer.weight_range.plus[1]), (-1, layer.weight_range.minus[1])):
            if float((sign * values).max()) > largest:
                found = f"{float((sign * values).max()) * sign:+.4g}"
                raise ConversionError(f"{stage.name}: {name} {found} is more than the cell can do, {sign * largest:+.4g}")
    with torch.no_grad():
        layer.weight.copy_(weights["weight"])
        layer.bias.weight.copy_(weights["bias"])
    return reach
