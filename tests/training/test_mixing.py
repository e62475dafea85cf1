"""Mixup of spike times."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import special, stats

from training.data import load
from training.data.mixing import mixed, tabulated
from training.hardware import NormalisedModel
from training.network import RCSpikeNetwork
from training.recipe import RC_SPIKE
from training.trainer import train


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_are_those_of_a_folded_beta_distribution(alpha: float) -> None:
    labels = torch.arange(1000)
    _, targets = mixed(torch.zeros(1000, 1).double(), labels, 1000, alpha, torch.Generator().manual_seed(0))
    own = targets.diagonal().numpy()
    beta = stats.beta(alpha, alpha)
    assert np.allclose(targets.sum(1), 1.0) and own.min() >= 0.5
    assert stats.kstest(own, lambda share: 2 * beta.cdf(share) - 1).pvalue > 0.01


@pytest.mark.parametrize("alpha", [0.05, 0.15, 1.0, 3.0, 20.0])
def test_shares_from_the_table_are_within_1e_7(alpha: float) -> None:
    near_0 = torch.logspace(-12, 0, 1000, dtype=torch.float64)
    quantiles = torch.cat([torch.linspace(0, 1, 9973, dtype=torch.float64), near_0, 1 - near_0])
    assert np.abs(tabulated(quantiles, alpha).numpy() - special.betaincinv(alpha, alpha, 0.5 * quantiles.numpy())).max() < 1e-7


def test_pictures_are_mixed_as_their_targets_are_and_silence_stays_silent() -> None:
    labels = torch.tensor([0, 1, 2, 3])
    t = torch.tensor([0.1, 0.4, 0.6, 0.9], dtype=torch.float64)[:, None, None, None].expand(4, 2, 3, 3).clone()
    t[..., 0] = 1.0
    mixture, targets = mixed(t, labels, 4, 1.0, torch.Generator().manual_seed(3))
    assert mixture.shape == t.shape and bool((mixture[..., 0] == 1.0).all())
    assert torch.allclose(mixture[:, 0, 0, 1], targets @ t[:, 0, 0, 1])
    again, _ = mixed(t, labels, 4, 1.0, torch.Generator().manual_seed(3))
    assert torch.equal(mixture, again) and not torch.equal(mixture, t)


def test_a_training_mixes_and_its_loss_knows() -> None:
    data, recipe = load("iris"), RC_SPIKE.but(epochs=2, spike_time_noise=0.0)

    def trained(mixup: float) -> torch.Tensor:
        network = RCSpikeNetwork((data.inputs, data.classes), NormalisedModel.constant(3.0, -2.0))
        train(network, data, recipe.but(mixup=mixup), lambda row: None)
        return network.layers[0].weight.detach().clone()

    assert torch.equal(trained(0.5), trained(0.5)) and not torch.equal(trained(0.0), trained(0.5))
