"""The solvers of the accumulation phase against each other, the ODE oracle and finite differences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from training.solvers import compilation, dstd, event_walk, reference
from training.solvers.phi import phi1, phi1_phi2


def problem(seed: int, batch: int = 4, inputs: int = 6, outputs: int = 5, scale: float = 1.0) -> tuple[Tensor, ...]:
    """Spike times, weights, E+, E-, kicks in float64; some inputs never arrive."""
    generator = torch.Generator().manual_seed(seed)
    t = 1.2 * torch.rand(batch, inputs, generator=generator, dtype=torch.float64)
    weight = scale * torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
    kick = 0.02 * torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
    return t, weight, torch.tensor(2.8, dtype=torch.float64), torch.tensor(-1.5, dtype=torch.float64), kick


def beta_of(weight: Tensor, e_plus: Tensor, e_minus: Tensor) -> Tensor:
    return torch.where(weight >= 0, 1.0 / e_plus, 1.0 / e_minus)


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-12, 1e-3, 0.0299, 0.0301, 1.0, 40.0, 2500.0])
def test_phi_functions_match_their_integrals(x: float) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(200)
    s, ds = (nodes + 1) / 2, weights / 2
    first, second = phi1_phi2(torch.tensor([x], dtype=torch.float64))
    assert float(first[0]) == pytest.approx(float(np.exp(-x * s) @ ds), rel=1e-12)
    assert float(second[0]) == pytest.approx(float(((1 - s) * np.exp(-x * s)) @ ds), rel=1e-12)


def test_phi1_gradient_at_zero_is_minus_one_half() -> None:
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    phi1(x).sum().backward()
    assert x.grad is not None
    assert float(x.grad) == -0.5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [0.1, 1.0, 8.0])
def test_event_walk_agrees_with_the_ode_solver(seed: int, scale: float) -> None:
    t, weight, e_plus, e_minus, kick = problem(seed, scale=scale)
    beta = beta_of(weight, e_plus, e_minus)
    bias, leak = torch.linspace(-0.4, 0.5, 5, dtype=torch.float64), torch.linspace(0.0, 1.2, 5, dtype=torch.float64)
    walk = event_walk.accumulate(t, weight, beta, kick, v_reset=0.03, bias=bias, leak=leak)
    given = [x.numpy() for x in (t, weight, beta, kick)]
    oracle = reference.accumulate(*given, v_reset=0.03, bias=bias.numpy(), leak=leak.numpy())
    assert np.abs(oracle - reference.accumulate(*given, v_reset=0.03)).max() > 1e-2
    np.testing.assert_allclose(walk.numpy(), oracle, rtol=0, atol=1e-10)


finite = st.floats(-5.0, 5.0, allow_subnormal=False)


@settings(max_examples=25)
@given(
    t=arrays(np.float64, (2, 3), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5]) | st.floats(0.0, 1.0)),
    weight=arrays(np.float64, (2, 3), elements=st.just(0.0) | finite),
    beta=arrays(np.float64, (2, 3), elements=st.just(0.0) | st.floats(0.0, 1.0, allow_subnormal=False)),
)
def test_event_walk_agrees_with_the_ode_solver_on_ties_and_edges(t: np.ndarray, weight: np.ndarray, beta: np.ndarray) -> None:
    beta = np.sign(weight) * beta
    walk = event_walk.accumulate(*(torch.as_tensor(a) for a in (t, weight, beta)))
    np.testing.assert_allclose(walk.numpy(), reference.accumulate(t, weight, beta), rtol=0, atol=1e-10)


def test_ideal_mac_is_the_limit_of_infinite_reversal() -> None:
    t, weight, _, _, _ = problem(1)
    expected = (1 - t.clamp(max=1.0)) @ weight.T
    torch.testing.assert_close(event_walk.accumulate(t, weight, torch.zeros_like(weight)), expected, rtol=0, atol=1e-14)


def test_reversal_potentials_bound_the_membrane() -> None:
    t = torch.zeros(1, 1, dtype=torch.float64)
    weight = torch.tensor([[60.0], [-60.0]], dtype=torch.float64)
    beta = torch.tensor([[1 / 2.8], [-1 / 1.5]], dtype=torch.float64)
    v = event_walk.accumulate(t, weight, beta)
    np.testing.assert_allclose(v[0].numpy(), [2.8, -1.5], rtol=1e-8)


@pytest.mark.parametrize("kicked", [False, True])
def test_event_walk_gradients(kicked: bool) -> None:
    t, weight, e_plus, e_minus, kick = (x.requires_grad_() for x in problem(2))

    def solve(t: Tensor, weight: Tensor, e_plus: Tensor, e_minus: Tensor, kick: Tensor) -> Tensor:
        return event_walk.accumulate(t, weight, beta_of(weight, e_plus, e_minus), kick if kicked else None, v_reset=0.01)

    assert torch.autograd.gradcheck(solve, (t, weight, e_plus, e_minus, kick), atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 0.17])
def test_dstd_gradients(offset: float) -> None:
    t, weight, e_plus, e_minus, kick = (x.requires_grad_() for x in problem(3))

    def solve(t: Tensor, weight: Tensor, e_plus: Tensor, e_minus: Tensor, kick: Tensor) -> Tensor:
        return dstd.accumulate(t, weight, beta_of(weight, e_plus, e_minus), kick, v_reset=0.01, steps=4, offset=offset)

    assert torch.autograd.gradcheck(solve, (t, weight, e_plus, e_minus, kick), atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("offset_share", [0.0, 0.4])
def test_dstd_converges_to_second_order(offset_share: float) -> None:
    t, weight, e_plus, e_minus, _ = problem(4, batch=100, inputs=20, outputs=10, scale=20**-0.5)
    beta = beta_of(weight, e_plus, e_minus)
    exact = event_walk.accumulate(t, weight, beta)

    def rms(steps: int) -> float:
        v = dstd.accumulate(t, weight, beta, steps=steps, offset=offset_share / steps)
        return float((v - exact).square().mean().sqrt())

    order = np.log(rms(10) / rms(40)) / np.log(4)
    assert 1.7 < order < 2.3
    assert rms(40) < 2e-4


def test_dstd_kicks_converge_within_their_bound() -> None:
    t, weight, e_plus, e_minus, kick = problem(4, batch=100)
    beta = beta_of(weight, e_plus, e_minus)

    def effect(solve: Callable[..., Tensor]) -> Tensor:
        return solve(t, weight, beta, kick) - solve(t, weight, beta)

    exact = effect(event_walk.accumulate)
    errors = [(effect(partial(dstd.accumulate, steps=steps)) - exact).abs().amax(0) for steps in (10, 40)]
    bound = (kick * beta * weight).abs().sum(1) / 4
    assert float(exact.abs().mean()) > 1e-2
    assert bool((errors[0] < 2 * bound / 10).all())  # twice: the kicks of others meet the same kink
    assert float(errors[1].max()) < float(errors[0].max()) / 3


def test_dstd_is_exact_for_weights_of_one_sign_and_one_beta() -> None:
    t, weight, e_plus, _, _ = problem(5)
    weight = weight.abs()
    beta = (1 / e_plus).expand_as(weight)
    for steps in (1, 3):
        v = dstd.accumulate(t, weight, beta, steps=steps)
        torch.testing.assert_close(v, event_walk.accumulate(t, weight, beta), rtol=0, atol=1e-13)


def test_dstd_refuses_an_offset_of_a_whole_cell() -> None:
    t, weight, *_ = problem(0)
    with pytest.raises(ValueError, match=r"offset: 0\.25"):
        dstd.accumulate(t, weight, torch.zeros_like(weight), steps=4, offset=0.25)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strength", [0.0, 1.0, 500.0])
@pytest.mark.parametrize("solver", [event_walk.accumulate, dstd.accumulate])
def test_edges_give_finite_values_and_gradients(solver: object, strength: float, dtype: torch.dtype) -> None:
    assert callable(solver)
    t = torch.tensor([[0.0, 0.0, 0.5, 0.5, 1.0], [1.0, 1.0, 1.0, 2.0, 1.0], [0.3, 0.3, 0.3, 0.3, 0.3]], dtype=dtype)
    weight = strength * torch.tensor([[1.0, -1.0, 0.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0]], dtype=dtype)
    leaves = [x.requires_grad_() for x in (t, weight, torch.tensor(2.0, dtype=dtype), torch.tensor(-torch.inf, dtype=dtype))]
    t, weight, e_plus, e_minus = leaves
    v = solver(t, weight, beta_of(weight, e_plus, e_minus), torch.full_like(weight, 0.01))
    v.sum().backward()
    assert bool(v.isfinite().all())
    assert all(bool(x.grad.isfinite().all()) for x in leaves[:3] if x.grad is not None)
    assert v[1].tolist() == [0.0, 0.0]  # nothing arrived, so neither charge nor kick
    assert float(v.detach()[0].abs().max()) > 0.0


def test_an_input_that_just_fails_to_arrive_can_be_pulled_in() -> None:
    t = torch.tensor([[1.0, 1.1]], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[0.7, 0.7]], dtype=torch.float64)
    for solver in (event_walk.accumulate, dstd.accumulate):
        (grad,) = torch.autograd.grad(solver(t, weight, weight / 4).sum(), t)
        np.testing.assert_allclose(grad.numpy(), [[-0.7, 0.0]], atol=1e-12)


def test_float32_walk_stays_within_its_rounding_at_strong_drive() -> None:
    t, weight, e_plus, e_minus, kick = problem(6, inputs=100, scale=20.0)
    beta = beta_of(weight, e_plus, e_minus)
    exact = event_walk.accumulate(t, weight, beta, kick)
    single = event_walk.accumulate(*(x.float() for x in (t, weight, beta, kick)))
    assert float((single - exact).abs().max()) < 2e-5


def test_code_that_cannot_be_kept_is_compiled_anew_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only installation and a home folder that cannot be written, as in a container: numba has no place for its cache."""
    from numba.core import caching

    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    compilation._warn_of_compiling_anew.cache_clear()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR"):
        kernel = compilation.compiled(_twice)
    assert kernel(2.0) == 4.0


def _twice(x: float) -> float:
    return 2.0 * x
