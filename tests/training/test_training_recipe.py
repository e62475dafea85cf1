"""The learning rate's schedule and the terms of the loss."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from training.layer import LayerOutput
from training.loss import first_spike_loss, loss
from training.neurons.ttfs import FirstSpikes, first_spikes
from training.recipe import RC_SPIKE, TTFS, Augmentation, Recipe, learning_rate
from training.study.plan import Study


@pytest.mark.parametrize("steps", [7, 100])
def test_schedules_are_torchs_own(steps: int) -> None:
    def torchs(kind: str) -> list[float]:
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
        scheduler: torch.optim.lr_scheduler.LRScheduler
        if kind == "cosine":
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        elif kind == "linear":
            rise = round(0.3 * steps)
            parts = (torch.optim.lr_scheduler.LinearLR(optimiser, 1 / rise, 1.0, max(rise - 1, 1)),
                     torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, steps - rise))  # fmt: skip
            scheduler = torch.optim.lr_scheduler.SequentialLR(optimiser, list(parts), [rise])
        else:
            scheduler = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.3, steps, cycle_momentum=False)
        rates = []
        for _ in range(steps):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            if len(rates) < steps:
                scheduler.step()
        return rates

    for kind in ("cosine", "one_cycle", "linear"):
        recipe = Recipe(learning_rate=0.3, schedule=kind, warm_up=0.3)  # type: ignore[arg-type]
        assert [learning_rate(recipe, step, steps) for step in range(steps)] == pytest.approx(torchs(kind), rel=1e-6, abs=1e-9)
    assert learning_rate(Recipe(learning_rate=0.3), 5, steps) == 0.3
    assert learning_rate(Recipe(learning_rate=0.3, schedule="linear", warm_up=0.0), 0, steps) == 0.3


def test_the_settings_of_old_checkpoints_are_what_they_were() -> None:
    """Fields that came later count where they are set: a checkpoint of before is of the same training."""
    old = Recipe(augmentation=Augmentation(flip=True)).decisive()
    assert list(old) == [
        "epochs", "batch", "learning_rate", "schedule", "seed", "softmax_temperature", "label_smoothing", "temporal_penalty",
        "temporal_target", "weight_penalty", "early_spike_penalty", "early_spike", "energy_penalty", "spike_time_noise",
        "noise_in_evaluation", "mixup", "initial_spread", "augmentation",
    ]  # fmt: skip
    assert old["augmentation"] == {"flip": True, "rotation_degrees": 0.0, "crop_pixels": 0}
    new = Recipe(ema=0.99, augmentation=Augmentation(cutout_pixels=3)).decisive()
    assert new.keys() - old.keys() == {"ema"} and new["augmentation"].keys() - old["augmentation"].keys() == {"cutout_pixels"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schedule": "onecycle"}, "schedule.*'constant', 'cosine', 'one_cycle' or 'linear'"),
        ({"batch": 0}, "batch.*greater than or equal to 1"),
        ({"epochs": 0}, "epochs.*greater than or equal to 1"),
        ({"learning_rate": 0.0}, "learning_rate.*greater than 0"),
        ({"softmax_temperature": 0.0}, "softmax_temperature.*greater than 0"),
        ({"early_spike": 0.0}, "early_spike.*greater than 0"),
        ({"early_spike_penalty": math.nan}, "early_spike_penalty.*finite number"),
        ({"spike_time_noise": -0.1}, "spike_time_noise.*greater than or equal to 0"),
        ({"mixup": -0.1}, "mixup.*greater than or equal to 0"),
        ({"label_smoothing": 1.0}, "label_smoothing.*less than 1"),
        ({"initial_spread": 0.0}, "initial_spread.*greater than 0"),
        ({"augmentation": {"crop_pixels": -1}}, r"augmentation\.crop_pixels.*greater than or equal to 0"),
        ({"augmentation": {"flip": True, "alternating_flip": True}}, "augmentation.*give one of them"),
        ({"optimiser": "lion"}, "optimiser.*'adam', 'adamw' or 'sgd'"),
        ({"momentum": 1.0}, "momentum.*less than 1"),
        ({"weight_decay": -0.1}, "weight_decay.*greater than or equal to 0"),
        ({"ema": 1.0}, "ema.*less than 1"),
        ({"precision": "float16"}, "precision.*'float32' or 'bfloat16'"),
        ({"dropout": 0.5}, "dropout.*not permitted"),
    ],
)
def test_a_bad_recipe_names_its_field(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){expected}"):
        RC_SPIKE.but(**changes)


def test_there_is_one_recipe_with_one_set_of_defaults() -> None:
    """The published Iris network's; a design and a study only override them, and it is read without torch."""
    assert Study(name="x", reversal=[1.0]).recipe == Recipe() == Recipe().but(epochs=1200)
    assert RC_SPIKE.but(epochs=3).but(epochs=50) == RC_SPIKE != Recipe()
    code = "import sys; from cosim.design.sections import Training; from training.recipe import Recipe; "
    code += "assert Training().model_dump(include=set(Recipe.model_fields)) == Recipe().model_dump(); "
    subprocess.run([sys.executable, "-c", code + "sys.exit('torch' in sys.modules)"], check=True)


def outputs(*times: list[float]) -> list[LayerOutput]:
    tensors = [torch.tensor([row], dtype=torch.float64) for row in times]
    return [LayerOutput(t, t, t) for t in tensors]


def test_the_published_loss_on_images() -> None:
    """Cross-entropy of softmax(-t/0.07) + 2.6 sum (t - 0.9)^2, by hand."""
    got = loss(outputs([0.01, 0.5], [0.4, 0.6]), [torch.ones(2, 2)], torch.tensor([1]), 2, RC_SPIKE)
    expected = math.log1p(math.exp(0.2 / 0.07)) + 2.6 * (0.5**2 + 0.3**2)
    assert float(got) == pytest.approx(expected, rel=1e-12)


def test_label_smoothing_shares_the_target() -> None:
    recipe = RC_SPIKE.but(temporal_penalty=0.0, label_smoothing=0.1)
    got = loss(outputs([0.4, 0.6]), [], torch.tensor([0]), 2, recipe)
    right, wrong = math.log1p(math.exp(-0.2 / 0.07)), math.log1p(math.exp(0.2 / 0.07))
    assert float(got) == pytest.approx(0.95 * right + 0.05 * wrong, rel=1e-12)


def test_early_spikes_of_pictures_count_neuron_by_neuron() -> None:
    recipe = RC_SPIKE.but(temporal_penalty=0.0, early_spike_penalty=1.0, early_spike=0.2)
    maps = torch.full((1, 3, 2, 2), 0.1)  # twelve neurons, each half too early
    final = torch.tensor([[0.5, 0.5]])
    got = loss([LayerOutput(maps, maps, maps), LayerOutput(final, final, final)], [], torch.tensor([0]), 2, recipe)
    assert float(got) == pytest.approx(math.log(2) + 12 * 0.5, rel=1e-6)


def test_the_first_spike_loss_pulls_silent_neurons_up_and_leaves_the_others() -> None:
    """0.02 sum (t - 3.2)^2 and the penalty, by hand; its gradient alone reaches a neuron that cannot fire."""
    t = torch.tensor([[0.0, 0.5]], dtype=torch.float64)
    weight = torch.tensor([[0.2, 0.3], [1.5, 1.0]], dtype=torch.float64, requires_grad=True)
    beta = torch.zeros_like(weight)
    fired = first_spikes(t, weight, beta, horizon=1.0)
    assert fired.spike_times.tolist() == [[1.0, pytest.approx(0.6, abs=1e-9)]]
    recipe = TTFS.but(softmax_temperature=0.5)
    total = first_spike_loss([FirstSpikes(*fired)], torch.tensor([1]), 2, recipe, 0.1)
    expected = math.log1p(math.exp(-(1.0 - 0.6) / 0.5)) + 0.02 * (2.2**2 + 2.6**2) + 0.1 * (1 - 0.5)
    assert float(total.detach()) == pytest.approx(expected, rel=1e-9)
    total.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert weight.grad[0].tolist() == pytest.approx([-0.1, -0.1])
