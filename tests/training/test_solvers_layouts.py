"""Batches of one and of none, one input, one output, and tensors that do not lie row by row in memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor

from training.neurons import lif, ttfs
from training.solvers.connection import Convolution
from training.solvers.solver import DSTD, Accumulation, Exact, Solver

SOLVERS = [Exact(), DSTD(2), DSTD(2, moment=True), DSTD(2, interpolated_adjoint=True)]

# Of t and weight to a result, differentiable.
Function = Callable[[Tensor, Tensor], Tensor]


def drawn(t_shape: tuple[int, ...], weight_shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    draw = {"generator": g, "dtype": torch.float64}
    return 1.1 * torch.rand(t_shape, **draw), 1.5 * torch.rand(weight_shape, **draw) - 0.3  # type: ignore[call-overload]


def value_and_gradients(function: Function, t: Tensor, weight: Tensor) -> list[Tensor]:
    """The result and the gradients of a random functional of it, of leaves that lie in memory as t and weight do."""
    leaves = t.detach().requires_grad_(), weight.detach().requires_grad_()
    result = function(*leaves)
    row = torch.randn(result.shape, generator=torch.Generator().manual_seed(1), dtype=result.dtype)
    return [result.detach(), *torch.autograd.grad((result * row).sum(), leaves)]


def solved(solver: Solver, connection: Convolution | None) -> Function:
    def function(t: Tensor, weight: Tensor) -> Tensor:
        beta, kick = 0.4 * weight.detach().sign(), 0.02 * weight.detach()
        if connection is None:
            return solver(Accumulation(t, weight, beta, kick))
        return solver(Accumulation(t, weight, beta, kick, connection=connection))

    return function


def on_patches(solver: Solver, connection: Convolution) -> Function:
    """The same neurons as a dense layer on what each of them sees."""

    def function(t: Tensor, weight: Tensor) -> Tensor:
        phase = Accumulation(t, weight, 0.4 * weight.detach().sign(), 0.02 * weight.detach(), connection=connection)
        return connection.image(solver(phase.by_patches()), t, weight)

    return function


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_convolution_of_any_size_is_the_dense_layer_on_patches(solver: Solver) -> None:
    sizes = list(product((1, 2), (1, 2), (1, 3), ((1, 1), (1, 5), (4, 5)), (1, 3)))
    for batch, channels, outputs, (height, width), kernel in sizes:
        connection = Convolution(padding=kernel // 2)
        tensors = drawn((batch, channels, height, width), (outputs, channels, kernel, kernel))
        found = value_and_gradients(solved(solver, connection), *tensors)
        for a, b in zip(found, value_and_gradients(on_patches(solver, connection), *tensors), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


def turned(x: Tensor) -> Tensor:
    """The same values, the first axis the fastest in memory."""
    return x.movedim(0, -1).contiguous().movedim(-1, 0)


def ttfs_spikes(t: Tensor, weight: Tensor) -> Tensor:
    return ttfs.first_spikes(t, weight, weight.detach().sign() / 3, horizon=3.0).spike_times


def lif_spikes(t: Tensor, weight: Tensor) -> Tensor:
    return lif.first_spikes(t, weight, tau_membrane=1.0, tau_synapse=0.5, window=(0.0, 2.0))


DENSE = [*(solved(solver, None) for solver in SOLVERS), ttfs_spikes, lif_spikes]
IMAGES = [solved(solver, Convolution(padding=1)) for solver in SOLVERS]


@pytest.mark.parametrize(("function", "image"), [*((f, False) for f in DENSE), *((f, True) for f in IMAGES)])
def test_the_order_in_memory_changes_nothing(function: Function, image: bool) -> None:
    t, weight = drawn((3, 2, 4, 5), (4, 2, 3, 3)) if image else drawn((3, 7), (5, 7))
    found = value_and_gradients(function, turned(t), turned(weight))
    expected = value_and_gradients(function, t, weight)
    assert not turned(t).is_contiguous() and all(float(x.abs().max()) > 1e-3 for x in expected)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("function", "image"), [*((f, False) for f in DENSE), *((f, True) for f in IMAGES)])
def test_a_batch_of_none_has_no_gradient_and_is_no_error(function: Function, image: bool) -> None:
    t, weight = drawn((0, 2, 4, 5), (4, 2, 3, 3)) if image else drawn((0, 7), (5, 7))
    result, t_grad, weight_grad = value_and_gradients(function, t, weight)
    assert result.shape == ((0, 4, 4, 5) if image else (0, 5))
    assert t_grad.shape == t.shape and not weight_grad.any()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_time_that_is_no_number_shows(solver: Solver) -> None:
    t, weight = drawn((2, 3), (2, 3))
    t[0, 1] = torch.nan
    v = solver(Accumulation(t, weight, torch.zeros_like(weight)))
    assert bool(v[0].isnan().all()) and bool(v[1].isfinite().all())
    for spikes in (ttfs_spikes(t, weight), lif_spikes(t, weight)):
        assert bool(spikes[0].isnan().all()) and bool(spikes[1].isfinite().all())


def test_a_second_derivative_is_refused_and_not_taken_for_zero() -> None:
    t, weight = drawn((2, 5), (3, 5))
    for function in DENSE:
        leaf = weight.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(function(t, leaf).square().sum(), leaf, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            (gradient.square().sum() + leaf.sum()).backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("function", DENSE)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_refused_with_what_to_do(function: Function, dtype: torch.dtype) -> None:
    t, weight = (x.to(dtype) for x in drawn((2, 3), (2, 3)))
    with pytest.raises(TypeError, match=r"float(16|32).*keep the weights in float32 .*autocast"):
        function(t, weight)
