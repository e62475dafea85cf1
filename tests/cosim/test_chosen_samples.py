"""Which test samples are simulated."""

from __future__ import annotations

import numpy as np
import torch

from cosim.design.sections import Validation
from cosim.validation.samples import chosen
from training.data import digits
from training.evaluation import evaluate
from training.hardware import NormalisedModel
from training.network import RCSpikeNetwork


def test_the_samples_are_the_first_ones_or_the_least_sure_and_some_at_random() -> None:
    data = digits(test_samples=60)
    network = RCSpikeNetwork((64, 10), NormalisedModel.constant(3.0, -2.0))
    for layer in network:
        layer.reset_parameters(torch.Generator().manual_seed(1))
    assert chosen(data, network, Validation(samples=5)).test_rows == data.test_rows[:5]
    found = chosen(data, network, Validation(samples=12, hardest=4))
    sure = evaluate(network, data.test_t, data.test_labels, 10).margins.abs()
    where = [data.test_rows.index(row) for row in found.test_rows]
    assert sorted(where[:4]) == sorted(sure.argsort(stable=True)[:4].tolist())
    assert len(set(where)) == 12 and where[4:] == sorted(where[4:]) and where[4:] != list(range(8))
    assert torch.equal(found.test_t, data.test_t[where]) and torch.equal(found.test_labels, data.test_labels[where])
    assert torch.equal(found.train_t, data.train_t)
    assert chosen(data, network, Validation(samples=12, hardest=4)).test_rows == found.test_rows, "always the same"
    assert np.array_equal(chosen(data, network, Validation(samples=3, hardest=9)).test_rows, found.test_rows[:3])
