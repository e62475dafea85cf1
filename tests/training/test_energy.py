"""The energy of an inference in training: its gradient, and what comes of a penalty on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from training.data import iris
from training.energy import LayerEnergy, NetworkEnergy
from training.errors import TrainingError
from training.evaluation import evaluate
from training.hardware import HardwareModel, normalise
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.trainer import train

LAYER = LayerEnergy(membrane=(-0.5, 0.0, 1.0, 1.3), neuron_j=(2e-13, 5e-13, 12e-13, 12e-13), plus_j=5e-15, minus_j=2e-13)
ENERGY = NetworkEnergy((LAYER, LAYER))


def network() -> RCSpikeNetwork:
    made = RCSpikeNetwork((5, 5, 5), normalise(HardwareModel.reference())).double().eval()
    made.reset_parameters(torch.Generator().manual_seed(2))
    return made


def test_its_gradient_is_that_of_finite_differences() -> None:
    """Through spikes, membranes and the synapses themselves."""
    made, t = network(), torch.rand(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    layers = list(made)
    for layer in layers:
        layer.firing.leak = 0.0  # which is no slope of what is computed
    ENERGY(layers, t, made(t)).mul(1e12).backward()
    step, compared = 1e-6, 0
    for layer in layers:
        assert layer.weight.grad is not None
        for place in [(k, j) for k in range(5) for j in range(5)]:
            energies = []
            for sign in (1, -1):
                with torch.no_grad():
                    layer.weight[place] += sign * step
                    energies.append(1e12 * float(ENERGY(layers, t, made(t))))
                    layer.weight[place] -= sign * step
            if float(layer.effective_weight()[place].detach()) != 0.0:  # off: the gradient is straight through
                assert float(layer.weight.grad[place]) == pytest.approx((energies[0] - energies[1]) / (2 * step), abs=2e-4)
                compared += abs(energies[0] - energies[1]) / (2 * step) > 1e-2
    assert compared > 10


def test_a_penalty_on_it_saves_energy() -> None:
    data, found = iris(), []
    for penalty in (0.0, 0.1):
        made = RCSpikeNetwork((5, 5, 5), normalise(HardwareModel.reference()))
        train(made, data, Recipe(epochs=60, learning_rate=5e-3, energy_penalty=penalty), energy=ENERGY)
        model = evaluate(made, data.test_t, data.test_labels, data.classes)
        found.append((float(ENERGY(list(made), data.test_t, model.layers).detach()), model.accuracy))
    (free, accuracy), (saving, accuracy_saving) = found
    assert saving < 0.9 * free and accuracy_saving > accuracy - 0.1


def test_a_penalty_needs_what_cells_cost() -> None:
    with pytest.raises(TrainingError, match="energy_penalty: needs what the cells cost"):
        train(network(), iris(), Recipe(epochs=1, energy_penalty=0.1))


def test_without_a_penalty_nothing_changes() -> None:
    data, weights = iris(), []
    for energy in (None, replace(ENERGY)):
        made = RCSpikeNetwork((5, 3), normalise(HardwareModel.reference()))
        train(made, data, Recipe(epochs=2), energy=energy)
        weights.append(next(iter(made)).weight)
    assert torch.equal(*weights)
