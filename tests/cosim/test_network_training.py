"""What the two networks of a design are made of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cosim.design.sections import Network, Training
from cosim.errors import InputError
from cosim.networks.training import in_double, recipe_of, spike_data
from training.recipe import Recipe


def test_every_key_of_the_training_section_reaches_the_recipe() -> None:
    section = Training(epochs=7, learning_rate=0.5, spike_time_noise=0.25, seed=3, conventional_reversal=50.0)
    recipe = recipe_of(section)
    assert (recipe.epochs, recipe.learning_rate, recipe.spike_time_noise, recipe.seed) == (7, 0.5, 0.25, 3)
    assert set(Training.model_fields) - set(Recipe.model_fields) == {"conventional_reversal", "mismatch"}
    assert recipe_of(Training()) == Recipe()


def test_an_impossible_split_names_its_key() -> None:
    with pytest.raises(InputError, match=r"network\.test_samples: 1 must lie in 3"):
        spike_data(Network(test_samples=1))


def test_spikes_in_double_are_the_same_spikes() -> None:
    data = spike_data(Network())
    double = in_double(data)
    assert double.test_t.dtype == torch.float64 and data.test_t.dtype == torch.float32
    assert torch.equal(double.test_t.float(), data.test_t)
    assert double.test_t.shape == (50, 5)


def test_an_absent_run_is_one_line(tmp_path: Path) -> None:
    from cosim.networks.training import load_networks
    from training.hardware import HardwareModelError

    with pytest.raises(HardwareModelError, match=r"hardware\.json: cannot be read"):
        load_networks(tmp_path)
