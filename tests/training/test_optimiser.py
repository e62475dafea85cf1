"""Optimisers, weight decay, the moving average and the precision of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from realistic import model

from training.data import SpikeData, iris, load
from training.data.spikes import reduced
from training.errors import TrainingError
from training.hardware import NormalisedModel
from training.learner import Learner
from training.models import convolutional
from training.network import RCSpikeNetwork
from training.optimiser import MovingAverage, optimiser_of, set_rate
from training.recipe import Augmentation, Recipe
from training.trainer import Epoch, train

RECIPE = Recipe(epochs=3, learning_rate=5e-3, spike_time_noise=0.0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def network() -> RCSpikeNetwork:
    made = RCSpikeNetwork((5, 4, 3), NormalisedModel.constant(2.8, -1.5), gain=True, bias=True)
    made.reset_parameters(torch.Generator().manual_seed(0))
    return made


def parameters(of: torch.nn.Module) -> list[torch.Tensor]:
    return [one.detach().clone() for one in of.parameters()]


def path(recipe: Recipe, *, rates: tuple[float, ...]) -> list[dict[str, torch.Tensor]]:
    """The parameters before and after steps at these rates on gradients of 1, 2, ... in all of them."""
    trained = network()
    optimiser = optimiser_of(recipe, trained)
    seen = [{name: one.detach().double().clone() for name, one in trained.named_parameters()}]
    for number, rate in enumerate(rates):
        set_rate(optimiser, rate)
        for one in trained.parameters():
            one.grad = torch.full_like(one, number + 1.0)
        optimiser.step()
        seen.append({name: one.detach().double().clone() for name, one in trained.named_parameters()})
    return seen


def test_sgd_is_nesterovs_and_only_weights_decay() -> None:
    """p <- p - rate (g + m b), b <- m b + g, with g the gradient and, of weights, the decay times them."""
    rates, momentum, decay = (0.01, 0.02, 0.05), 0.8, 0.1
    recipe = Recipe(optimiser="sgd", momentum=momentum, weight_decay=decay)
    seen = path(recipe, rates=rates)
    for name, first in seen[0].items():
        expected, buffer = first, torch.zeros_like(first)
        own_decay = decay if name.endswith(("0.weight", "1.weight")) else 0.0
        for number, rate in enumerate(rates):
            gradient = number + 1.0 + own_decay * expected
            buffer = momentum * buffer + gradient
            expected = expected - rate * (gradient + momentum * buffer)
        torch.testing.assert_close(seen[-1][name], expected, rtol=0, atol=1e-6, msg=name)


def test_adamw_takes_the_decay_off_the_weights_and_adam_adds_it_to_the_gradient() -> None:
    """Under a gradient that stays what it is each step of Adam is the rate, whatever the decay adds to it."""
    rates, decay = (0.01,), 0.1
    weight = "layers.0.weight"
    for optimiser, left in (("adamw", 1.0 - rates[0] * decay), ("adam", 1.0)):
        before, after = path(Recipe(optimiser=optimiser, weight_decay=decay), rates=rates)  # type: ignore[arg-type]
        torch.testing.assert_close(after[weight], left * before[weight] - rates[0], rtol=0, atol=1e-6)
        for name in ("layers.0.gain.value", "layers.1.bias.weight"):
            torch.testing.assert_close(after[name], before[name] - rates[0], rtol=0, atol=1e-6)


def test_the_average_is_that_of_the_weights_over_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    data, decay, seen = iris(), 0.7, []
    update = MovingAverage.update
    monkeypatch.setattr(MovingAverage, "update", lambda own: (seen.append([x.clone() for x in own._parameters]), update(own)))
    averaged, plain = network(), network()
    kept = train(averaged, data, RECIPE.but(ema=decay), lambda row: None, keep_weights=True)
    straight = train(plain, data, RECIPE, lambda row: None, keep_weights=True)
    assert [row.loss for row in kept] == [row.loss for row in straight]  # it changes nothing of the training
    expected = parameters(network())
    for step in seen:
        expected = [decay * a + (1 - decay) * p for a, p in zip(expected, step, strict=True)]
    assert len(seen) == 6
    for found, wanted in zip(parameters(averaged), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
    assert not torch.allclose(parameters(averaged)[0], parameters(plain)[0], rtol=0, atol=1e-4)


def test_the_running_statistics_of_a_normalised_drive_are_averaged_too() -> None:
    made = RCSpikeNetwork((5, 4, 3), NormalisedModel.constant(2.8, -1.5), normalise=True)
    average = MovingAverage(made, 0.75)
    statistics = made.layers[0].normalisation.mean
    with torch.no_grad():
        statistics.fill_(8.0)
    average.update()
    with average.in_place():
        assert statistics.tolist() == [2.0] * 4
    assert statistics.tolist() == [8.0] * 4


def test_the_average_is_what_the_test_set_sees() -> None:
    """An average that stays where the training began answers as the untrained network does."""
    still, began = network(), network()
    history = train(still, iris(), RECIPE.but(ema=0.9999999, epochs=20), lambda row: None, keep_weights=True)
    first = train(began, iris(), RECIPE.but(learning_rate=1e-9, epochs=1), lambda row: None, keep_weights=True)
    assert {row.test_accuracy for row in history} == {first[0].test_accuracy}
    torch.testing.assert_close(parameters(still), parameters(network()), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "sgd", "weight_decay": 1e-3, "schedule": "linear", "ema": 0.9},
        {"optimiser": "sgd", "momentum": 0.0},
        {"optimiser": "adamw", "weight_decay": 1e-2},
        {"augmentation": Augmentation(alternating_flip=True, cutout_pixels=2)},
    ],
)
def test_what_is_interrupted_ends_in_the_same_bits(changes: dict[str, Any], tmp_path: Path) -> None:
    recipe, checkpoint = RECIPE.but(spike_time_noise=0.01, **changes), tmp_path / "checkpoint.safetensors"
    pictures = reduced(load("digits"), 60).as_images()
    data = pictures if recipe.augmentation else iris()

    def made() -> RCSpikeNetwork:
        if not recipe.augmentation:
            return network()
        model = NormalisedModel.constant(3.3, -3.3)
        return convolutional((1, 8, 8), 10, model, channels=[[2]], hidden=[], solver="dstd", steps=2)

    def press(row: Epoch) -> None:
        if row.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(made(), data, recipe, press, checkpoint, checkpoint_every=1)
    resumed, straight = made(), made()
    heard: list[int] = []
    history = train(resumed, data, recipe, lambda row: heard.append(row.epoch), checkpoint)
    assert heard == [2, 3]
    assert history == train(straight, data, recipe, lambda row: None)
    again = made()
    assert train(again, data, recipe, lambda row: None, checkpoint) == history  # a finished one is read, and kept the same
    for first, second, third in zip(parameters(resumed), parameters(straight), parameters(again), strict=True):
        assert torch.equal(first, second) and torch.equal(first, third)


def test_a_square_larger_than_the_pictures_is_refused() -> None:
    data = reduced(load("digits"), 10).as_images()
    made = convolutional((1, 8, 8), 10, NormalisedModel.constant(3.3, -3.3), channels=[[2]], hidden=[])
    with pytest.raises(TrainingError, match=r"augmentation\.cutout_pixels: 9 is more than a picture of 8 x 8 has"):
        train(made, data, RECIPE.but(augmentation=Augmentation(cutout_pixels=9)))


def _gradients(made: RCSpikeNetwork, data: SpikeData, precision: str) -> tuple[float, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    made.reset_parameters(generator, 0.7)
    learner = Learner(made, data, RECIPE.but(precision=precision), generator)
    found = float(learner._step(torch.arange(50))[0])
    gradients = [one.grad for one in made.parameters() if one.grad is not None]
    assert {one.dtype for one in gradients} == {torch.float32}
    return found, torch.cat([one.flatten() for one in gradients])


@pytest.mark.parametrize("kind", ["convolution", "dense"])
def test_products_in_bfloat16_give_loss_and_gradients_within_their_rounding(kind: str) -> None:
    """bfloat16 rounds by up to 2^-8: the loss stays within 0.2 %, the gradients within 3 %, and neither is that of float32."""
    found = {}
    for precision in ("float32", "bfloat16"):
        if kind == "convolution":
            circuit = NormalisedModel.constant(3.3, -3.3)
            made = convolutional((1, 8, 8), 10, circuit, channels=[[4]], hidden=[8], solver="dstd", steps=4)
            data = reduced(load("digits"), 60).as_images()
        else:
            made, data = RCSpikeNetwork((5, 8, 5), model(), solver="dstd", steps=4, gain=True, bias=True), iris()
        found[precision] = _gradients(made, data, precision)
    (loss, gradients), (reduced_loss, reduced_gradients) = found["float32"], found["bfloat16"]
    assert reduced_loss == pytest.approx(loss, rel=2e-3) and reduced_loss != loss
    assert 0.0 < float((reduced_gradients - gradients).norm() / gradients.norm()) < 0.03
