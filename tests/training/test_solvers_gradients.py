"""Every solver behind the one interface: values, gradients to every tensor, single precision, stiff drive."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from training.solvers import cell_walk, dstd
from training.solvers.connection import Convolution, Dense
from training.solvers.reversal import BySign
from training.solvers.solver import DSTD, Accumulation, Exact, Reference, Solver

DENSE = Dense()
WINDOWS = [Convolution(), Convolution(stride=2, padding=1), Convolution(stride=3, padding=2)]
COMPILED_FOR_ONE = pytest.mark.slow  # numba compiles a walk for this case that no other quick test needs: 5 to 10 s
NAMES = ("t", "weight", "e_plus", "e_minus", "kick", "bias", "leak")


def given(
    connection: Dense | Convolution = DENSE, *, seed: int = 0, scale: float = 1.0, reversals: str = "layer", wide: bool = False
) -> dict[str, Tensor]:
    """Tensors of a small phase in float64, ready for gradients; some inputs never arrive.

    A wide one has 100 inputs a neuron or more and no kicks: there a grid shows its order (a kick is of first order and has a
    test of its own).
    """
    g = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, dtype=torch.float64)

    convolution = isinstance(connection, Convolution)
    images, shape = ((2, 2, 5, 4), (3, 2, 3, 3)) if convolution else ((3, 6), (4, 6))
    if wide:
        images, shape = ((2, 12, 5, 4), (3, 12, 3, 3)) if convolution else ((8, 100), (20, 100))
    per_neuron = (3, 1, 1, 1) if convolution else (4, 1)
    t = 1.15 * torch.rand(images, generator=g, dtype=torch.float64)
    e_plus, e_minus = torch.tensor(2.8, dtype=torch.float64), torch.tensor(-1.5, dtype=torch.float64)
    if reversals == "neuron":
        e_plus, e_minus = e_plus + 0.3 * draw(*per_neuron).abs(), e_minus - 0.3 * draw(*per_neuron).abs()
    tensors = (
        t,
        scale * draw(*shape),
        e_plus,
        e_minus,
        (0.0 if wide else 0.02) * draw(*shape),
        0.3 * draw(shape[0]),
        0.3 * draw(shape[0]).abs(),
    )
    return {name: x.requires_grad_() for name, x in zip(NAMES, tensors, strict=True)}


def phase(x: dict[str, Tensor], connection: Dense | Convolution = DENSE, *, by_weight: float = 0.0) -> Accumulation:
    """`by_weight` makes beta a function of the weight."""
    beta = torch.where(x["weight"] >= 0, 1 / x["e_plus"], 1 / x["e_minus"]) / (1 + by_weight * x["weight"].abs())
    return Accumulation(x["t"], x["weight"], beta, x["kick"], 0.03, x["bias"], x["leak"], connection)


def gradients(solver: Solver, x: dict[str, Tensor], connection: Dense | Convolution = DENSE, **options: float) -> list[Tensor]:
    """v and the gradients of a random functional of it to every tensor of `x`."""
    v = solver(phase(x, connection, **options))
    row = torch.randn(v.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64).to(v.dtype)
    return [v, *torch.autograd.grad((v * row).sum(), list(x.values()))]


@pytest.mark.parametrize("connection", [DENSE, *WINDOWS])
@pytest.mark.parametrize("solver", [Exact(), DSTD(3), DSTD(3, random_offset=True), DSTD(3, moment=True)])
def test_gradients_are_those_of_finite_differences(solver: Solver, connection: Dense | Convolution) -> None:
    x = given(connection, reversals="neuron")

    def solve(*tensors: Tensor) -> Tensor:
        values = dict(zip(NAMES, tensors, strict=True))
        return solver(phase(values, connection, by_weight=0.2), torch.Generator().manual_seed(1))

    assert torch.autograd.gradcheck(solve, tuple(x.values()), atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("connection", [DENSE, *WINDOWS])
@pytest.mark.parametrize("scale", [0.3, 5.0])
def test_exact_adjoint_is_what_autograd_makes_of_the_reference(connection: Dense | Convolution, scale: float) -> None:
    x = given(connection, seed=1, scale=scale)
    for found, expected in zip(gradients(Exact(), x, connection), gradients(Reference(), x, connection), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("connection", [DENSE, WINDOWS[1]])
@pytest.mark.parametrize("moment", [False, True])
def test_discretised_phase_converges_to_the_exact_one(connection: Dense | Convolution, moment: bool) -> None:
    x = given(connection, seed=2, scale=0.1, wide=True)
    exact = gradients(Exact(), x, connection)
    coarse, fine = (gradients(DSTD(m, moment=moment), x, connection) for m in (10, 40))
    errors = [[float((a - b).detach().norm()) for a, b in zip(found[:3], exact[:3], strict=True)] for found in (coarse, fine)]
    # v, time gradient, weight gradient: orders 2, 1, 2, or about 3, 2, 3 with the moment term.
    least = (20.0, 6.0, 20.0) if moment else (10.0, 2.5, 10.0)
    assert all(a > factor * b for a, b, factor in zip(*errors, least, strict=True))


def test_moment_term_gains_most_of_two_digits_at_low_drive() -> None:
    g = torch.Generator().manual_seed(0)
    t = torch.rand(8, 400, generator=g, dtype=torch.float64)
    weight = torch.randn(50, 400, generator=g, dtype=torch.float64) / 20
    beta = weight.sign() / weight.abs().sum(1, keepdim=True)
    exact = Exact()(Accumulation(t, weight, beta))

    def rms(**options: int | bool) -> float:
        return float((DSTD(**options)(Accumulation(t, weight, beta)) - exact).square().mean().sqrt())  # type: ignore[arg-type]

    assert rms(steps=10, moment=True) < rms(steps=10) / 20
    assert rms(steps=10, moment=True) < rms(steps=20) / 5


@pytest.mark.parametrize("connection", [DENSE, WINDOWS[1]])
def test_interpolated_adjoint_is_nearer_to_the_exact_one_and_of_second_order(connection: Dense | Convolution) -> None:
    x = given(connection, seed=3, scale=0.1, wide=True)
    exact = gradients(Exact(), x, connection)

    def error(steps: int, interpolated: bool) -> float:
        found = gradients(DSTD(steps, interpolated_adjoint=interpolated), x, connection)
        torch.testing.assert_close(found[0], gradients(DSTD(steps), x, connection)[0], rtol=0, atol=0)
        return float((found[1] - exact[1]).norm() / exact[1].norm())

    assert error(10, True) < error(10, False) / 3
    assert error(40, True) < error(10, True) / 8


@pytest.mark.parametrize("connection", [DENSE, pytest.param(WINDOWS[1], marks=COMPILED_FOR_ONE)])
@pytest.mark.parametrize("solver", [Exact(), DSTD(10), DSTD(10, moment=True), DSTD(10, interpolated_adjoint=True)])
def test_single_precision_is_within_1e_5(solver: Solver, connection: Dense | Convolution) -> None:
    x = given(connection, seed=4)
    single = {name: tensor.detach().float().requires_grad_() for name, tensor in x.items()}
    # The same numbers in both precisions: a spike must not lie in another cell after rounding.
    double = {name: tensor.detach().double().requires_grad_() for name, tensor in single.items()}
    found, expected = gradients(solver, single, connection), gradients(solver, double, connection)
    for a, b in zip(found, expected, strict=True):
        assert float((a - b).detach().norm() / b.detach().norm()) < 1e-5


@pytest.mark.parametrize(
    "solver",
    [
        pytest.param(Exact(), marks=COMPILED_FOR_ONE),
        DSTD(10),
        DSTD(10, moment=True),
        DSTD(10, interpolated_adjoint=True),
    ],
)
def test_a_drive_of_2500_stays_finite(solver: Solver) -> None:
    g = torch.Generator().manual_seed(5)
    t = torch.rand(2, 1000, generator=g).requires_grad_()
    weight = (6.3 * torch.randn(3, 1000, generator=g)).requires_grad_()
    beta = torch.where(weight >= 0, 0.5, -0.5)
    assert float((beta * weight).detach().sum(1).mean()) == pytest.approx(2500, rel=0.05)
    v = solver(Accumulation(t, weight, beta))
    v.sum().backward()
    assert all(bool(x.isfinite().all()) for x in (v, t.grad, weight.grad) if x is not None)
    if isinstance(solver, Exact):
        exact = solver(Accumulation(t.double(), weight.double(), beta.double()))
        assert float((v - exact).detach().abs().max()) < 2e-5
        assert float(v.detach().abs().max()) < 2.0


@pytest.mark.parametrize("solver", [Exact(), DSTD(4), DSTD(4, moment=True), DSTD(4, interpolated_adjoint=True)])
@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=COMPILED_FOR_ONE)])
def test_image_edges_give_finite_values_and_gradients(solver: Solver, dtype: torch.dtype) -> None:
    t = torch.tensor([0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 2.0, torch.inf, 0.25], dtype=dtype).view(1, 1, 3, 3)
    weight = torch.tensor([1.0, -1.0, 0.0, 2.0] * 2, dtype=dtype).view(2, 1, 2, 2)
    t, weight = t.requires_grad_(), weight.requires_grad_()
    beta = torch.where(weight >= 0, 0.5, 0.0)
    v = solver(Accumulation(t, weight, beta, connection=Convolution(padding=1)))
    v.sum().backward()
    assert t.grad is not None and weight.grad is not None
    assert bool(v.isfinite().all() and t.grad.isfinite().all() and weight.grad.isfinite().all())
    assert t.grad[0, 0, 2].tolist()[:2] == [0.0, 0.0]  # beyond the phase
    assert float(t.grad[0, 0, 1, 1].abs()) > 0.0
    # The corner sees one pixel, at 0, through the last tap: v = E (1 - e^{-w/E}).
    assert float(v.detach()[0, 0, 0, 0]) == pytest.approx(2 * (1 - torch.exp(torch.tensor(-1.0)).item()), rel=1e-5)


def test_samples_in_groups_and_cells_computed_anew_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = given(WINDOWS[1], seed=6)
    solver = DSTD(8, moment=True)
    whole = gradients(solver, x, WINDOWS[1])
    monkeypatch.setattr(dstd, "_MEMBRANES_AT_ONCE", 1)
    monkeypatch.setattr(cell_walk, "_KEPT_CELLS", 1)
    for a, b in zip(gradients(solver, x, WINDOWS[1]), whole, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


def test_reversal_by_weight_is_differentiated_through() -> None:
    x = given(seed=7)
    plain, curved = gradients(Exact(), x), gradients(Exact(), x, by_weight=0.5)
    reference = gradients(Reference(), x, by_weight=0.5)
    assert float((plain[2] - curved[2]).norm()) > 1e-2
    torch.testing.assert_close(curved[2], reference[2], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("connection", [DENSE, WINDOWS[1]])
@pytest.mark.parametrize("per_neuron", [False, True])
@pytest.mark.parametrize("solver", [pytest.param(Exact(), marks=COMPILED_FOR_ONE), DSTD(3, moment=True), Reference()])
def test_reversals_by_sign_are_those_by_synapse(solver: Solver, per_neuron: bool, connection: Dense | Convolution) -> None:
    x = given(connection, seed=8, reversals="neuron" if per_neuron else "layer")
    plus, minus = (1 / x[name].detach().flatten() if per_neuron else 1 / x[name].detach() for name in ("e_plus", "e_minus"))
    signs = [one.requires_grad_() for one in (plus, minus)]
    by_sign = replace(phase(x, connection), beta=BySign(*signs))
    by_synapse = replace(by_sign, beta=BySign(*signs).of(x["weight"]))
    leaves = [x["t"], x["weight"], *signs]
    found, expected = (solver(one) for one in (by_sign, by_synapse))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
    pairs = zip(torch.autograd.grad(found.sum(), leaves), torch.autograd.grad(expected.sum(), leaves), strict=True)
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
        assert float(b.abs().max()) > 1e-3


def test_inputs_that_do_not_fit_are_named() -> None:
    x = given()
    wrong = replace(phase(x), t=x["t"][:, :5])
    for solver in (Exact(), DSTD(4)):
        with pytest.raises(ValueError, match=r"spike times: \(3, 5\) do not fit weights \(4, 6\); need \(batch, 6\)"):
            solver(wrong)
    x = given(WINDOWS[0])
    wrong = replace(phase(x, WINDOWS[0]), t=x["t"][:, :, :2])
    for solver in (Exact(), DSTD(4)):
        with pytest.raises(ValueError, match="smaller than a window"):
            solver(wrong)
    with pytest.raises(ValueError, match="stride, padding: 0, 0"):
        Convolution(stride=0)
    with pytest.raises(ValueError, match="steps: 0"):
        DSTD(0)(phase(given()))
