"""How the inputs of a layer meet its synapses: a dense crossbar, a convolution, or lines of its own for every neuron."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from training.wiring import blocks

# A spike time after every phase.
NEVER = 2.0


@dataclass(frozen=True)
class Dense:
    """Every input meets every neuron: x [batch, in], weight [out, in], result [batch, out]."""

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.linear(x, weight)

    def input_gradient(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """Gradient to x."""
        return grad @ weight

    def add_weight_gradient(self, grad: Tensor, x: Tensor, weight_grad: Tensor) -> None:
        """Adds the gradient to the weight, which may be of a finer type."""
        if weight_grad.dtype == x.dtype:
            weight_grad.addmm_(grad.T, x)
        else:
            weight_grad += grad.T @ x

    def both_gradients(self, grad: Tensor, x: Tensor, weight: Tensor, weight_grad: Tensor) -> Tensor:
        """`add_weight_gradient` and `input_gradient`."""
        self.add_weight_gradient(grad, x, weight_grad)
        return self.input_gradient(grad, x, weight)

    def output_shape(self, x: torch.Size, weight: torch.Size) -> torch.Size:
        """Shape of the result. Raises ValueError where the inputs do not fit the weights."""
        if len(x) != 2 or x[1] != weight[1]:
            raise ValueError(f"spike times: {tuple(x)} do not fit weights {tuple(weight)}; need (batch, {weight[1]})")
        return torch.Size((x[0], weight[0]))

    def per_output(self, values: Tensor) -> Tensor:
        """Values [out] in a shape that broadcasts against results."""
        return values

    def patches(self, t: Tensor, weight: Tensor, never: float = NEVER) -> Tensor:
        """What each neuron sees: everything."""
        return t

    def image(self, rows: Tensor, t: Tensor, weight: Tensor) -> Tensor:
        """Results of the rows of `patches`."""
        return rows


@dataclass(frozen=True)
class Convolution:
    """A window slides over the image: x [batch, in, h, w], weight [out, in, kernel, kernel], result [batch, out, h', w']."""

    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        if self.stride < 1 or self.padding < 0:
            raise ValueError(
                f"stride, padding: {self.stride}, {self.padding}; need a stride of 1 or more and no negative padding"
            )

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight, stride=self.stride, padding=self.padding)

    def input_gradient(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """Gradient to x."""
        x_grad: Tensor = self._backward(grad, x, weight, [True, False, False])[0]
        return x_grad

    def add_weight_gradient(self, grad: Tensor, x: Tensor, weight_grad: Tensor) -> None:
        """Adds the gradient to the weight, which may be of a finer type."""
        weight_grad += self._backward(grad, x, weight_grad.to(x.dtype), [False, True, False])[1]

    def both_gradients(self, grad: Tensor, x: Tensor, weight: Tensor, weight_grad: Tensor) -> Tensor:
        """`add_weight_gradient` and `input_gradient`, which in one call bring `grad` into their layout only once."""
        x_grad, found, _ = self._backward(grad, x, weight, [True, True, False])
        weight_grad += found
        result: Tensor = x_grad
        return result

    def _backward(self, grad: Tensor, x: Tensor, weight: Tensor, wanted: list[bool]) -> tuple[Any, Any, Any]:
        stride, padding = [self.stride] * 2, [self.padding] * 2
        found: tuple[Any, Any, Any] = torch.ops.aten.convolution_backward(
            grad, x, weight, None, stride, padding, [1, 1], False, [0, 0], 1, wanted
        )
        return found

    def output_shape(self, x: torch.Size, weight: torch.Size) -> torch.Size:
        """Shape of the result. Raises ValueError where the inputs do not fit the weights."""
        if len(x) != 4 or x[1] != weight[1]:
            raise ValueError(
                f"spike times: {tuple(x)} do not fit weights {tuple(weight)}; need (batch, {weight[1]}, height, width)"
            )
        sizes = [(n + 2 * self.padding - kernel) // self.stride + 1 for n, kernel in zip(x[2:], weight[2:], strict=True)]
        if min(sizes) < 1:
            raise ValueError(f"spike times: {tuple(x)} padded by {self.padding} are smaller than a window of {tuple(weight[2:])}")
        return torch.Size((x[0], weight[0], *sizes))

    def per_output(self, values: Tensor) -> Tensor:
        """Values [out] in a shape that broadcasts against results."""
        return values[:, None, None]

    def patches(self, t: Tensor, weight: Tensor, never: float = NEVER) -> Tensor:
        """What each neuron sees, [batch h' w', in kernel kernel]; beyond the border spikes come at `never`."""
        padded = F.pad(t, [self.padding] * 4, value=never)
        return F.unfold(padded, tuple(weight.shape[2:]), stride=self.stride).transpose(1, 2).flatten(0, 1)

    def image(self, rows: Tensor, t: Tensor, weight: Tensor) -> Tensor:
        """Results of the rows of `patches`, [batch h' w', out], as [batch, out, h', w']."""
        shape = self.output_shape(t.shape, weight.shape)
        return rows.view(len(t), shape[2:].numel(), len(weight)).transpose(1, 2).reshape(shape)


@dataclass(frozen=True)
class Each:
    """Every sample meets a neuron of its own: x [batch, in], weight [batch, in], result [batch].

    One gradient of the sum of the results then holds the derivatives of every sample by itself.
    """

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        return (x * weight).sum(1)

    def per_output(self, values: Tensor) -> Tensor:
        """Values [batch]: there are as many neurons as samples."""
        return values

    def patches(self, t: Tensor, weight: Tensor, never: float = NEVER) -> Tensor:
        """What each neuron sees: its sample."""
        return t

    def image(self, rows: Tensor, t: Tensor, weight: Tensor) -> Tensor:
        """Results [batch, 1] as [batch]."""
        return rows[:, 0]


@dataclass(frozen=True, eq=False)
class Wired:
    """Every neuron meets lines of its own: x [batch, in], weight [out, synapses], result [batch, out]. For evaluation alone.

    Attributes:
        lines: the input of every synapse, [out, synapses].
    """

    lines: Tensor

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        return (x[:, self.lines] * weight).sum(2)

    def output_shape(self, x: torch.Size, weight: torch.Size) -> torch.Size:
        """Shape of the result. Raises ValueError where weights do not fit the lines, or a line is no input."""
        if len(x) != 2 or weight != self.lines.shape or int(self.lines.max()) >= x[1]:
            raise ValueError(f"spike times: {tuple(x)} do not fit weights {tuple(weight)} on lines {tuple(self.lines.shape)}")
        return torch.Size((x[0], weight[0]))

    def per_output(self, values: Tensor) -> Tensor:
        """Values [out] in a shape that broadcasts against results."""
        return values

    def blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Numbers of the neurons that hang on the same lines, and these lines."""
        return ((torch.as_tensor(own.neurons), torch.as_tensor(own.lines)) for own in blocks(self.lines.numpy()))


Connection: TypeAlias = Dense | Convolution
AnyConnection: TypeAlias = Connection | Each | Wired
