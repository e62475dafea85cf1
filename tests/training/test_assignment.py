"""Codes assigned after training, against every assignment that there is."""

from __future__ import annotations

import copy
from itertools import product

import numpy as np
import pytest
import torch
from realistic import model

from training.convolution import RCSpikeConvolution
from training.data import digits
from training.hardware import NormalisedModel
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.structures.assignment import (
    AssignmentError,
    annealed,
    gain,
    greedy,
    lloyd_levels,
    made_up,
    own_levels,
    refitted,
    rounded,
    second_moments,
)
from training.structures.code import Field, LayerCode
from training.structures.levels import Levels
from training.structures.network import StructureError, assign, decode, put_structure
from training.structures.plan import LevelsPlan
from training.structures.structure import Span
from training.trainer import train

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


def test_weights_make_up_for_inputs_that_are_not_those_that_were_meant() -> None:
    draw = np.random.default_rng(0)
    meant = draw.random((400, 6))
    seen = np.clip(meant @ (np.eye(6) + 0.1 * draw.standard_normal((6, 6))), 0.0, 1.0)
    weight = draw.standard_normal((3, 6))
    found = made_up(weight, second_moments(seen), second_moments(meant, seen))

    def off(own: np.ndarray) -> float:
        return float(np.square((1 - meant) @ weight.T - (1 - seen) @ own.T).sum())

    best = np.linalg.lstsq(1 - seen, (1 - meant) @ weight.T, rcond=None)[0].T
    assert off(best) <= off(found) < 1.02 * off(best) < 0.5 * off(weight)
    np.testing.assert_allclose(made_up(weight, second_moments(seen), second_moments(seen, seen)), weight)


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


def test_levels_of_their_own_end_below_greedy_and_below_fixed_levels() -> None:
    weight, moments = drawn(8, 24)
    first = np.stack([lloyd_levels(row, 4) for row in weight])
    each = np.repeat(first[:, None], weight.shape[1], 1)
    codes, levels = own_levels(weight, 4, moments)
    off = weight - np.take_along_axis(levels, codes.astype(int), 1)
    energy = np.einsum("ki,ij,kj->k", off, moments, off)
    assert (energy <= greedy(weight, each, moments).energy * (1 + 1e-9)).all()
    assert energy.sum() < 0.7 * annealed(weight, each, moments).energy.sum()


def held_by(structure: Levels, weight: np.ndarray) -> np.ndarray:
    return np.asarray(structure.held(torch.from_numpy(weight)).numpy())


def test_levels_lie_on_the_grid_of_a_converter_within_the_cell() -> None:
    weight, moments = drawn(8, 24)
    structure = Levels(weight.shape, Span(0.05, 0.6))
    structure.advance(0.5)
    assert np.array_equal(held_by(structure, weight), weight), "while it is trained"
    structure.assign(torch.from_numpy(weight), moments)
    held, code = held_by(structure, weight), structure.code(torch.from_numpy(weight))
    assert code.parts == {"code": 2 * weight.size, "level": 10 * 4 * len(weight), "unit": 32}
    (decoded,) = decode([code])
    assert np.array_equal(decoded, held.astype(np.float32))
    assert all(len(np.unique(row)) <= 4 for row in held)
    steps = held / code.reals["unit"][0]
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    on = np.abs(held[held != 0])
    assert on.min() >= 0.05 * (1 - 1e-6) and on.max() <= 0.6 * (1 + 1e-6)
    rounding = Levels(weight.shape, Span(0.05, 0.6))
    errors = [np.einsum("ki,ij,kj->", weight - own, moments, weight - own) for own in (held, held_by(rounding, weight))]
    assert errors[0] < 0.2 * errors[1]


def test_weights_that_are_all_zero_stay_so() -> None:
    assert not held_by(Levels((3, 4), Span(0.0, 1.0)), np.zeros((3, 4))).any()


def test_a_code_that_names_no_level_is_one_line() -> None:
    weight, _ = drawn()
    code = Levels(weight.shape, Span(0.0, 1.0)).code(torch.from_numpy(weight))
    high = {**code.fields, "code": Field(code.fields["code"].values + 4, 3)}
    short = {**code.fields, "level": Field(code.fields["level"].values[:-1], 10)}
    for fields, said in (
        (high, "code: are not 30 numbers below 4"),
        (short, "level: has 19 numbers, 5 neurons of 4 levels have 20"),
    ):
        with pytest.raises(StructureError, match=rf"layers\.0: {said}"):
            decode([LayerCode(code.kind, code.shape, code.rule, fields=fields, reals=code.reals)])


def test_layers_are_assigned_one_after_the_other_for_what_they_then_see() -> None:
    network = RCSpikeNetwork((6, 20, 3), model())
    put_structure(network, LevelsPlan())
    network.reset_parameters(torch.Generator().manual_seed(0), 0.7)
    t = torch.rand(40, 6, generator=torch.Generator().manual_seed(1))
    first, last = network
    before, plain = [layer.weight.detach().clone() for layer in network], RCSpikeLayer(6, 20, model()).eval()
    plain.set_weight(first.stored.detach())
    assign(network, t)
    assert network.training and all(not torch.equal(a, layer.weight) for a, layer in zip(before, network, strict=True))
    spikes = [plain(t).spike_times, first.eval()(t).spike_times]
    meant, seen = (own.detach().double().numpy() for own in spikes)
    wanted, moments = Levels((3, 20), Span.of(last.weight_range)), second_moments(seen)
    rows = made_up(last.stored.detach().double().numpy(), moments, second_moments(meant, seen))
    wanted.assign(torch.from_numpy(rows), moments)
    np.testing.assert_allclose(last.weight.detach(), wanted.held(last.stored.detach()), rtol=1e-6)
    image = RCSpikeConvolution(1, 2, model(), kernel=2)
    convolution = RCSpikeNetwork.of((9, 8), [image])
    put_structure(convolution, LevelsPlan())
    convolution.reset_parameters(torch.Generator().manual_seed(0), 0.7)
    assign(convolution, torch.rand(10, 1, 3, 3))
    assert all(len(row.unique()) <= 4 for row in image.weight.detach().flatten(1))


@pytest.mark.slow
def test_layers_that_make_up_for_those_before_them_leave_the_outputs_nearer() -> None:
    """On digits: a sixth less at the outputs."""
    torch.set_num_threads(1)
    data, network = digits(), RCSpikeNetwork((64, 48, 32, 10), NormalisedModel.constant(3.3, -3.3))
    recipe = Recipe(epochs=8, batch=100, learning_rate=1e-2, schedule="one_cycle", softmax_temperature=0.12)
    train(network, data, recipe, lambda epoch: None, evaluate_every=8)

    def outputs(own: RCSpikeNetwork) -> torch.Tensor:
        found: torch.Tensor = own.eval()(data.test_t)[-1].membrane
        return found.detach()

    def off(make_up: bool | None) -> float:
        own = copy.deepcopy(network)
        put_structure(own, LevelsPlan())
        if make_up is not None:
            assign(own, data.train_t, make_up=make_up)
        return float((outputs(own) - outputs(network)).square().mean().sqrt())

    assert off(True) < 0.9 * off(False) < 0.5 * off(None)
