"""Neurons without phases against scipy's ODE solver, closed forms and finite differences."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from torch import Tensor

from training.neurons import lif, ttfs
from training.neurons.layers import LIFLayer, TTFSLayer
from training.solvers.connection import Convolution

HORIZON = 3.0


def spikes_and_weights(seed: int, mean: float, batch: int = 4, inputs: int = 8, outputs: int = 5) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    t = torch.rand(batch, inputs, generator=g, dtype=torch.float64)
    t[0, :2] = torch.tensor([HORIZON, 0.0])
    return t, 0.4 * torch.randn(outputs, inputs, generator=g, dtype=torch.float64) + mean


def first_crossing(t: NDArray[np.float64], w: NDArray[np.float64], beta: NDArray[np.float64], bias: float, leak: float) -> float:
    """Of one neuron, by an ODE solver with event detection, interval by interval."""
    v = 0.0
    edges = np.unique(np.concatenate([[0.0], t[t < HORIZON], [HORIZON]]))
    for start, end in pairwise(edges):
        on = t <= start

        def slope(_: float, v: NDArray[np.float64], on: NDArray[np.bool_] = on) -> NDArray[np.float64]:
            return bias - leak * v + (w[on] * (1 - beta[on] * v)).sum()

        def threshold(_: float, v: NDArray[np.float64]) -> float:
            return float(v[0] - 1.0)

        threshold.terminal = True  # type: ignore[attr-defined]
        result = solve_ivp(slope, (start, end), [v], rtol=1e-11, atol=1e-13, events=threshold)
        if len(result.t_events[0]):
            return float(result.t_events[0][0])
        v = result.y[0, -1]
    return HORIZON


@pytest.mark.parametrize("reversal", [2.0, np.inf])
def test_first_spikes_are_those_of_an_ode_solver(reversal: float) -> None:
    t, weight = spikes_and_weights(0, 0.15)
    bias, leak = torch.linspace(0.0, 0.2, 5, dtype=torch.float64), torch.linspace(0.1, 0.0, 5, dtype=torch.float64)
    beta = weight.sign() / reversal
    found = ttfs.first_spikes(t, weight, beta, horizon=HORIZON, bias=bias, leak=leak)
    expected = [
        [first_crossing(*(x.numpy() for x in (sample, weight[o], beta[o])), float(bias[o]), float(leak[o])) for o in range(5)]
        for sample in t
    ]
    np.testing.assert_allclose(found.spike_times, expected, atol=1e-9)
    fired = found.spike_times < HORIZON
    assert 0.2 < float(fired.double().mean()) < 1.0
    arrived = (t[:, None, :] < found.spike_times[:, :, None]).double()
    torch.testing.assert_close(found.weight_sum, bias + (arrived * weight).sum(2))


def test_gradients_of_first_spikes() -> None:
    t, weight = spikes_and_weights(1, 0.25)
    e_plus, e_minus = torch.tensor(2.0, dtype=torch.float64), torch.tensor(-1.5, dtype=torch.float64)
    bias, leak = 0.1 * torch.ones(5, dtype=torch.float64), 0.05 * torch.ones(5, dtype=torch.float64)
    leaves = [x.requires_grad_() for x in (t.clamp(0.01, 1.0), weight, e_plus, e_minus, bias, leak)]

    def solve(t: Tensor, weight: Tensor, e_plus: Tensor, e_minus: Tensor, bias: Tensor, leak: Tensor) -> Tensor:
        beta = torch.where(weight >= 0, 1 / e_plus, 1 / e_minus)
        return ttfs.first_spikes(t, weight, beta, horizon=HORIZON, bias=bias, leak=leak).spike_times

    share = float((solve(*leaves) < HORIZON).double().mean())
    assert 0.4 < share < 1.0
    assert torch.autograd.gradcheck(solve, leaves, atol=1e-7, rtol=1e-5)


def test_weight_sum_pulls_at_the_weights_that_arrived_and_at_nothing_else() -> None:
    t, weight = spikes_and_weights(2, 0.3)
    leaves = t.requires_grad_(), weight.requires_grad_()
    found = ttfs.first_spikes(*leaves, weight.detach().sign() / 2, horizon=HORIZON)
    t_grad, weight_grad = torch.autograd.grad(found.weight_sum.sum(), leaves)
    arrived = (t[:, None, :] < found.spike_times[:, :, None]).double()
    torch.testing.assert_close(weight_grad, arrived.sum(0), rtol=0, atol=0)
    assert not t_grad.any()


def test_closed_form_of_one_synapse() -> None:
    t, weight = torch.full((1, 1), 0.25, dtype=torch.float64), torch.tensor([[2.0], [0.3], [-1.0]], dtype=torch.float64)
    found = ttfs.first_spikes(t, weight, torch.tensor(1 / 1.25), horizon=4.0).spike_times[0]
    # v = E (1 - e^{-w (t - t_j)/E}) reaches 1 at t_j - ln(1 - 1/E) E/w.
    expected = 0.25 - np.log(1 - 1 / 1.25) * 1.25 / 2.0
    assert found.tolist() == [pytest.approx(expected, rel=1e-6), 4.0, 4.0]


@pytest.mark.parametrize("dtype", [pytest.param(torch.float32, marks=pytest.mark.slow), torch.float64])
def test_edges_of_first_spikes_are_finite(dtype: torch.dtype) -> None:
    t = torch.tensor([[0.0, 0.0, 4.0], [0.5, 0.5, 0.5], [4.0, 5.0, torch.inf]], dtype=dtype, requires_grad=True)
    weight = torch.tensor([[1.0, 1.0, 0.0], [1e6, 0.0, 0.0], [1.0, -1.0, 1e-3], [0.0, 0.0, 0.0]], dtype=dtype, requires_grad=True)
    found = ttfs.first_spikes(t, weight, weight.detach().sign() * 1e-3, horizon=4.0)
    (found.spike_times.sum() + found.weight_sum.sum()).backward()
    assert t.grad is not None and weight.grad is not None
    assert bool(found.spike_times.isfinite().all() and t.grad.isfinite().all() and weight.grad.isfinite().all())
    assert found.spike_times[2].tolist() == [4.0] * 4
    assert float(found.spike_times.detach()[0, 1]) == pytest.approx(1e-6, rel=1e-2)


def membrane(
    s: NDArray[np.float64], t: NDArray[np.float64], w: NDArray[np.float64], tau_m: float, tau_s: float
) -> NDArray[np.float64]:
    """Sum of the responses to the spikes at t, at times s."""
    since = np.clip(s[:, None] - t, 0.0, None)
    if tau_m == tau_s:
        return (since / tau_m**2 * np.exp(-since / tau_m)) @ w
    return ((np.exp(-since / tau_m) - np.exp(-since / tau_s)) / (tau_m - tau_s)) @ w


@pytest.mark.parametrize(("tau_m", "tau_s", "window"), [(1.0, 0.5, (0.0, 2.0)), (0.5, 0.5, (0.0, 2.0)), (0.4, 1.0, (0.6, 1.5))])
def test_lif_spikes_are_the_first_roots_of_the_summed_responses(tau_m: float, tau_s: float, window: tuple[float, float]) -> None:
    t, weight = spikes_and_weights(3, 0.35)
    found = lif.first_spikes(t, weight, tau_membrane=tau_m, tau_synapse=tau_s, window=window)
    grid = np.linspace(*window, 40001)
    for sample, row in zip(t.numpy(), found.numpy(), strict=True):
        for w, spike in zip(weight.numpy(), row, strict=True):
            above = membrane(grid, sample, w, tau_m, tau_s) >= 1.0
            if not above.any():
                assert spike == window[1]
            elif above[0]:
                assert spike == window[0]
            else:
                low, high = grid[above.argmax() - 1 : above.argmax() + 1]
                root = brentq(
                    lambda s, t=sample, w=w: membrane(np.array([s]), t, w, tau_m, tau_s)[0] - 1.0, low, high, xtol=1e-14
                )
                assert spike == pytest.approx(root, abs=1e-9)
    assert 0.2 < float((found < window[1]).double().mean()) < 1.0


@pytest.mark.slow  # compiled for it alone
@pytest.mark.parametrize("window", [(0.0, 1.1), (0.3, 0.7), (0.1, 2.3)])
def test_lif_spikes_of_single_precision_are_those_of_double(window: tuple[float, float]) -> None:
    """Ends of the window that single precision rounds."""
    t, weight = spikes_and_weights(5, 0.35)
    found, expected = (
        lif.first_spikes(t.to(dtype), weight.to(dtype), tau_membrane=1.0, tau_synapse=0.5, window=window)
        for dtype in (torch.float32, torch.float64)
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert 0.1 < float((expected < window[1]).double().mean()) < 1.0


@pytest.mark.parametrize(("tau_m", "tau_s"), [(1.0, 0.5), (0.5, 0.5), (0.4, 1.0)])
def test_lif_gradients(tau_m: float, tau_s: float) -> None:
    t, weight = spikes_and_weights(4, 0.35)
    leaves = t.clamp(0.01, 1.0).requires_grad_(), weight.requires_grad_()

    def solve(t: Tensor, weight: Tensor) -> Tensor:
        return lif.first_spikes(t, weight, tau_membrane=tau_m, tau_synapse=tau_s, window=(0.0, 2.0))

    assert float((solve(*leaves) < 2.0).double().mean()) > 0.3
    assert torch.autograd.gradcheck(solve, leaves, atol=1e-7, rtol=1e-5)


def test_layers_behind_a_convolution_are_the_dense_ones_on_patches() -> None:
    g = torch.Generator().manual_seed(5)
    t = torch.rand(2, 2, 4, 5, generator=g, dtype=torch.float64)
    connection = Convolution(padding=1)
    rows = connection.patches(t, torch.zeros(3, 2, 3, 3, dtype=torch.float64), 4.0)
    for convolution, dense in (
        (
            TTFSLayer(2, 3, e_plus=3.0, e_minus=-3.0, connection=connection, kernel=(3, 3)),
            TTFSLayer(18, 3, e_plus=3.0, e_minus=-3.0),
        ),
        (LIFLayer(2, 3, window=(0.0, 4.0), connection=connection, kernel=(3, 3)), LIFLayer(18, 3, window=(0.0, 4.0))),
    ):
        convolution.double().reset_parameters(g, 12.0)
        dense.double()
        with torch.no_grad():
            dense.weight.copy_(convolution.weight.flatten(1))
        image, row = convolution(t), dense(rows)
        image, row = (image.spike_times, row.spike_times) if isinstance(dense, TTFSLayer) else (image, row)
        assert image.shape == (2, 3, 4, 5)
        torch.testing.assert_close(image.permute(0, 2, 3, 1).reshape(-1, 3), row, rtol=0, atol=0)
        assert float((image < 4.0).float().mean()) > 0.2


def test_bad_settings_are_one_line() -> None:
    t, weight = spikes_and_weights(0, 0.3)
    with pytest.raises(ValueError, match=r"horizon, v_reset: 0\.0"):
        ttfs.first_spikes(t, weight, weight.sign(), horizon=0.0)
    with pytest.raises(ValueError, match=r"tau_membrane, tau_synapse: 0\.0"):
        lif.first_spikes(t, weight, tau_membrane=0.0, tau_synapse=1.0)
    with pytest.raises(ValueError, match="window"):
        lif.first_spikes(t, weight, tau_membrane=1.0, tau_synapse=1.0, window=(1.0, 1.0))
    with pytest.raises(ValueError, match=r"e_plus, e_minus: -1\.0"):
        TTFSLayer(2, 2, e_plus=-1.0)
