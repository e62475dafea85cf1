"""Codes assigned after training, against every assignment that there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from training.structures.assignment import (
    AssignmentError,
    annealed,
    gain,
    greedy,
    levels_code,
    lloyd_levels,
    refitted,
    rounded,
    second_moments,
)
from training.structures.code import Field, LayerCode
from training.structures.network import StructureError, decode

LEVELS = np.array([-0.4, -0.1, 0.15, 0.5])


def drawn(neurons: int = 5, inputs: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and the second moments of inputs that go together, as neighbouring pixels do."""
    draw = np.random.default_rng(seed)
    common = draw.random((200, 2)) @ draw.random((2, inputs))
    t = np.clip(common / common.max() + 0.05 * draw.standard_normal((200, inputs)), 0.0, 1.0)
    return 0.3 * draw.standard_normal((neurons, inputs)), second_moments(t)


def best(weight: np.ndarray, table: np.ndarray, moments: np.ndarray) -> float:
    """The least energy of all assignments of a neuron."""
    held = np.array(list(product(*table)))
    off = weight - held
    return float(np.einsum("ki,ij,kj->k", off, moments, off).min())


def test_the_moments_are_what_a_spike_moves() -> None:
    t = np.array([[0.25, 1.0], [0.5, 0.0]])
    np.testing.assert_allclose(second_moments(t), [[(0.75**2 + 0.5**2) / 2, 0.25], [0.25, 0.5]])


def test_annealing_finds_the_best_assignment_and_is_never_worse_than_greedy() -> None:
    weight, moments = drawn()
    exact = np.array([best(row, np.broadcast_to(LEVELS, (6, 4)), moments) for row in weight])
    by_rounding, by_greedy = (how(weight, LEVELS, moments) for how in (rounded, greedy))
    tries = [annealed(weight, LEVELS, moments, seed, sweeps=2000, first=1.0) for seed in range(8)]
    for one in tries:
        assert (exact - 1e-12 <= one.energy).all() and (one.energy <= by_greedy.energy + 1e-12).all()
        assert gain(one, by_rounding) > 2.0 and one.energy.sum() < 1.25 * exact.sum()
    np.testing.assert_allclose(np.min([one.energy for one in tries], axis=0), exact, rtol=1e-9)
    assert by_greedy.energy.sum() < by_rounding.energy.sum()


def test_what_is_assigned_is_what_its_codes_give_and_its_energy_the_error_of_membranes() -> None:
    weight, moments = drawn()
    found = annealed(weight, LEVELS, moments, seed=3)
    assert found.codes.dtype == np.uint8 and np.array_equal(found.weights, LEVELS[found.codes])
    off = weight - found.weights
    np.testing.assert_allclose(found.energy, [row @ moments @ row for row in off])
    again = annealed(weight, LEVELS, moments, seed=3)
    assert np.array_equal(found.codes, again.codes)


def test_codes_of_a_measured_die_are_chosen_by_what_its_devices_give() -> None:
    weight, moments = drawn()
    factors = np.exp(0.3 * np.random.default_rng(1).standard_normal(weight.shape))
    die = LEVELS * factors[..., None]
    nominal, *tries = (
        annealed(weight, levels, moments, seed, sweeps=2000, first=1.0) for seed, levels in enumerate([LEVELS, *[die] * 8])
    )
    exact = np.array([best(row, table, moments) for row, table in zip(weight, die, strict=True)])
    own = np.min([one.energy for one in tries], axis=0)
    assert (exact <= own * (1 + 1e-9)).all() and own.sum() < 1.25 * exact.sum()
    on_die = np.take_along_axis(die, nominal.codes[..., None].astype(int), 2)[..., 0]
    off = weight - on_die
    assert own.sum() < 0.2 * np.einsum("ki,ij,kj->", off, moments, off)


def test_levels_fitted_to_their_codes_cost_less_and_no_other_levels_cost_less_still() -> None:
    weight, moments = drawn()
    codes = rounded(weight, LEVELS, moments).codes

    def energy(levels: np.ndarray) -> float:
        off = weight - levels[codes]
        return float(np.einsum("ki,ij,kj->", off, moments, off))

    fitted = refitted(weight, codes, 4, moments)
    assert energy(fitted) < energy(LEVELS)
    for change in 1e-3 * np.eye(4):
        assert energy(fitted) < min(energy(fitted + change), energy(fitted - change))


def test_levels_of_normal_weights_are_those_of_max() -> None:
    """Max 1960: four levels of a unit normal are +-0.4528 and +-1.510."""
    weight = np.random.default_rng(0).standard_normal(200_000)
    np.testing.assert_allclose(lloyd_levels(weight, 4), [-1.510, -0.4528, 0.4528, 1.510], atol=0.02)


def test_what_does_not_fit_is_refused() -> None:
    weight, moments = drawn()
    with pytest.raises(AssignmentError, match=r"moments: \(5, 5\) do not fit weights of 6 inputs"):
        rounded(weight, LEVELS, moments[:5, :5])
    with pytest.raises(AssignmentError, match="do not fit weights"):
        rounded(weight, np.zeros((4, 6, 4)), moments)
    with pytest.raises(AssignmentError, match="no number"):
        annealed(np.full((1, 6), np.nan), LEVELS, moments)


def test_the_code_of_an_assignment_is_its_weights() -> None:
    weight, moments = drawn()
    found = rounded(weight, LEVELS, moments)
    code = levels_code(found, LEVELS)
    assert code.parts == {"code": 2 * weight.size, "level": 4 * 32}
    (decoded,) = decode([code])
    assert np.array_equal(decoded, found.weights.astype(np.float32))
    high = LayerCode(code.kind, code.shape, fields={"code": Field(found.codes + 4, 3)}, reals=code.reals)
    with pytest.raises(StructureError, match=r"layers\.0: code: are not 30 numbers below 4"):
        decode([high])
