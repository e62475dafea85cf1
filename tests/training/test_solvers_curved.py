"""Curved synapse currents and leakage in every solver: against the ODE oracle, finite differences and each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from training.solvers import reference, riccati
from training.solvers.connection import Convolution, Dense
from training.solvers.solver import DSTD, Accumulation, Exact, Reference, Solver

NAMES = ("t", "weight", "beta", "kick", "bias", "leak", "curvature", "leakage", "bend")
GAMMA = 0.03
"""At most, in size: below a quarter of beta^2, so that every current vanishes somewhere."""


def given(seed: int = 0, *, scale: float = 1.0, inputs: int = 6, kicks: float = 0.02, window: bool = False) -> dict[str, Tensor]:
    """Tensors of a small phase in float64; some inputs never arrive."""
    g = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, dtype=torch.float64)

    images, shape = ((2, 2, 4, 3), (3, 2, 2, 2)) if window else ((3, inputs), (4, inputs))
    outputs, weight = shape[0], scale * draw(*shape)
    tensors = (
        1.15 * torch.rand(images, generator=g, dtype=torch.float64),
        weight,
        torch.where(weight >= 0, 1 / 2.8, -1 / 1.5).to(weight.dtype),
        kicks * draw(*shape),
        0.3 * draw(outputs),
        0.3 * draw(outputs).abs(),
        GAMMA * (2 * torch.rand(shape, generator=g, dtype=torch.float64) - 1),
        0.02 * draw(*shape),
        0.02 * draw(outputs),
    )
    return {name: x.requires_grad_() for name, x in zip(NAMES, tensors, strict=True)}


def phase(x: dict[str, Tensor], connection: Dense | Convolution | None = None) -> Accumulation:
    return Accumulation(**x, v_reset=0.03, connection=connection or Dense())


def gradients(solver: Solver, one: Accumulation, x: dict[str, Tensor]) -> list[Tensor]:
    """v and the gradients of a random functional of it to every tensor of `x`."""
    v = solver(one)
    row = torch.randn(v.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64).to(v.dtype)
    return [v, *torch.autograd.grad((v * row).sum(), list(x.values()))]


@pytest.mark.parametrize("scale", [0.1, 1.0, 8.0, 40.0])
@pytest.mark.parametrize("solver", [Exact(), Reference()])
def test_walks_agree_with_the_ode_solver(solver: Solver, scale: float) -> None:
    x = {name: tensor.detach() for name, tensor in given(1, scale=scale).items()}
    expected = reference.accumulate(**{name: tensor.numpy() for name, tensor in x.items()}, v_reset=0.03)
    np.testing.assert_allclose(solver(phase(x)).numpy(), expected, rtol=0, atol=1e-10)
    for name in ("curvature", "leakage", "bend"):
        without = reference.accumulate(**{key: tensor.numpy() for key, tensor in x.items() if key != name}, v_reset=0.03)
        assert np.abs(without - expected).max() > 1e-6, name


@pytest.mark.parametrize("z", [-1.9, -0.3, -1e-3, -1e-9, 0.0, 1e-300, 1e-9, 1e-3, 0.26, 30.0, 3e6])
def test_the_step_is_analytic_in_its_discriminant(z: float) -> None:
    root = np.sqrt(complex(z))
    expected = (np.tanh(root) / root).real if z else 1.0
    at = torch.tensor([z], dtype=torch.float64, requires_grad=True)
    value = riccati.tanhc(at)
    value.sum().backward()
    assert float(value) == pytest.approx(expected, rel=1e-14)
    slope = ((1 - z * expected**2) - expected) / (2 * z) if abs(z) > 1e-4 else -1 / 3 + 4 * z / 15
    assert at.grad is not None and float(at.grad) == pytest.approx(slope, rel=1e-8)


def test_straight_currents_take_the_step_of_before() -> None:
    x = given(2)
    plain = Accumulation(x["t"], x["weight"], x["beta"], x["kick"], 0.03, x["bias"], x["leak"])
    level = replace(plain, curvature=torch.zeros_like(x["weight"]))
    torch.testing.assert_close(Exact()(level), Exact()(plain), rtol=0, atol=1e-14)
    for moment in (False, True):
        torch.testing.assert_close(DSTD(4, moment=moment)(level), DSTD(4, moment=moment)(plain), rtol=0, atol=1e-14)
    assert float((Exact()(phase(x)) - Exact()(plain)).detach().abs().max()) > 1e-3


@pytest.mark.parametrize("window", [None, Convolution(stride=2, padding=1)])
@pytest.mark.parametrize("solver", [Exact(), DSTD(3), DSTD(3, random_offset=True), DSTD(3, moment=True)])
def test_gradients_are_those_of_finite_differences(solver: Solver, window: Convolution | None) -> None:
    x = given(3, scale=1.5, window=window is not None)

    def solve(*tensors: Tensor) -> Tensor:
        return solver(phase(dict(zip(NAMES, tensors, strict=True)), window), torch.Generator().manual_seed(1))

    assert torch.autograd.gradcheck(solve, tuple(x.values()), atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("window", [None, Convolution(padding=1)])
@pytest.mark.parametrize("scale", [0.3, 5.0, 60.0])
def test_the_exact_adjoint_is_what_autograd_makes_of_the_reference(window: Convolution | None, scale: float) -> None:
    x = given(4, scale=scale, window=window is not None)
    one = phase(x, window)
    for found, expected in zip(gradients(Exact(), one, x), gradients(Reference(), one, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("moment", [False, True])
def test_the_discretised_phase_converges_to_the_exact_one(moment: bool) -> None:
    x = given(5, scale=0.1, inputs=100, kicks=0.0)
    exact = gradients(Exact(), phase(x), x)
    coarse, fine = (gradients(DSTD(m, moment=moment), phase(x), x) for m in (10, 40))
    errors = [[float((a - b).detach().norm()) for a, b in zip(found[:3], exact[:3], strict=True)] for found in (coarse, fine)]
    # v, time gradient, weight gradient: orders 2, 1, 2, or about 3, 2, 3 with the moment term.
    least = (20.0, 6.0, 20.0) if moment else (10.0, 2.5, 10.0)
    assert all(a > factor * b for a, b, factor in zip(*errors, least, strict=True))


def test_the_moment_term_holds_the_curvature() -> None:
    x = {name: tensor.detach() for name, tensor in given(6, scale=0.2, inputs=100, kicks=0.0).items()}
    bent = replace(phase(x), curvature=4 * x["curvature"])
    error = [float((DSTD(10, moment=moment)(bent) - Exact()(bent)).abs().max()) for moment in (False, True)]
    assert error[1] < error[0] / 8


def test_the_interpolated_adjoint_is_nearer_to_the_exact_one() -> None:
    x = given(7, scale=0.1, inputs=100, kicks=0.0)
    exact = gradients(Exact(), phase(x), x)[1]
    errors = [float((gradients(DSTD(10, interpolated_adjoint=inner), phase(x), x)[1] - exact).norm()) for inner in (False, True)]
    assert errors[1] < errors[0] / 3


@pytest.mark.parametrize("solver", [Exact(), DSTD(10), DSTD(10, moment=True), DSTD(10, interpolated_adjoint=True)])
def test_single_precision_is_within_1e_5(solver: Solver) -> None:
    single = {name: tensor.detach().float().requires_grad_() for name, tensor in given(8).items()}
    double = {name: tensor.detach().double().requires_grad_() for name, tensor in single.items()}
    found, expected = gradients(solver, phase(single), single), gradients(solver, phase(double), double)
    for a, b in zip(found, expected, strict=True):
        assert float((a - b).detach().norm() / b.detach().norm()) < 1e-5


@pytest.mark.parametrize("solver", [Exact(), DSTD(10), DSTD(10, moment=True)])
def test_a_drive_of_2500_stays_within_the_currents(solver: Solver) -> None:
    g = torch.Generator().manual_seed(5)
    t = torch.rand(2, 1000, generator=g).requires_grad_()
    weight = (6.3 * torch.randn(3, 1000, generator=g)).requires_grad_()
    beta = torch.where(weight >= 0, 0.5, -0.5)
    curved = Accumulation(t, weight, beta, curvature=torch.full_like(weight, 0.05))
    v = solver(curved)
    v.sum().backward()
    assert all(bool(x.isfinite().all()) for x in (v, t.grad, weight.grad) if x is not None)
    # 1 -+ v/2 + v^2/20 vanishes at +-2.76.
    assert float(v.detach().abs().max()) < 2.77
    if isinstance(solver, Exact):
        exact = Reference()(curved)
        assert float((v - exact).detach().abs().max()) < 2e-5


@pytest.mark.parametrize("solver", [Exact(), DSTD(4), Reference()])
def test_a_membrane_that_runs_away_ends_at_its_reach_and_can_be_brought_back(solver: Solver) -> None:
    """Currents without a zero drive a membrane to infinity in a finite time: at +-`REACH` it is far beyond any rail."""
    weight = torch.tensor([[40.0, 40.0], [-40.0, -40.0], [0.5, 0.5]], dtype=torch.float64, requires_grad=True)
    t = torch.tensor([[0.1, 0.3]], dtype=torch.float64)
    v = solver(Accumulation(t, weight, torch.tensor(0.0), curvature=torch.full((3, 2), 0.1, dtype=torch.float64)))
    v.sum().backward()
    assert v[0].tolist()[:2] == [riccati.REACH, -riccati.REACH]
    assert 0.8 < float(v.detach()[0, 2]) < 1.0
    assert weight.grad is not None
    # As if nothing held it: 1 - t, what the drive had of the phase in which it ran.
    assert bool((weight.grad > 0.5).all() and weight.grad.isfinite().all())


def test_a_time_that_is_no_number_shows() -> None:
    x = {name: tensor.detach() for name, tensor in given(9).items()}
    x["t"][1, 2] = torch.nan
    for solver in (Exact(), DSTD(4)):
        v = solver(phase(x))
        assert bool(v[1].isnan().all()) and bool(v[0].isfinite().all())


def test_an_input_that_just_fails_to_arrive_can_be_pulled_in() -> None:
    t = torch.tensor([[1.0, 1.1]], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[0.7, 0.7]], dtype=torch.float64)
    curved = Accumulation(t, weight, weight / 4, v_reset=0.5, curvature=weight / 10)
    for solver in (Exact(), DSTD(4)):
        (grad,) = torch.autograd.grad(solver(curved).sum(), t)
        np.testing.assert_allclose(grad.numpy(), [[-0.7 * (1 - 0.175 * 0.5 + 0.07 * 0.25), 0.0]], atol=1e-12)
