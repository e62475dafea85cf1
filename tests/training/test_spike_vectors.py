"""Words of a learnt table for the spikes of neighbouring neurons."""

from __future__ import annotations

import pytest
import torch

from training.data import iris
from training.hardware import NormalisedModel
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.structures.spike_vectors import SpikeVectors, with_vectors
from training.trainer import train


def patterns(count: int, generator: torch.Generator) -> torch.Tensor:
    """Spikes about four patterns of two neurons, of which one has a silent neuron."""
    centres = torch.tensor([[0.1, 0.2], [0.7, 0.3], [0.4, 1.0], [0.9, 0.8]])
    t = centres[torch.randint(4, (count, 3), generator=generator)].flatten(1)
    return torch.where(t < 1.0, t + 0.01 * torch.randn(t.shape, generator=generator), t)


def test_the_table_learns_the_patterns_that_are_sent_and_silence_stays_silent() -> None:
    generator = torch.Generator().manual_seed(0)
    coder = SpikeVectors(3, 2)
    for _ in range(150):
        coder(patterns(64, generator))
    coder.eval()
    t = patterns(200, generator)
    counted = coder(t)
    assert float((counted - t).square().mean().sqrt()) < 0.012
    assert bool((counted[t == 1.0] == 1.0).all()) and bool((counted[t < 1.0] < 1.0).all())
    assert torch.equal(coder.times(coder.words(t), 6), counted) and int(coder.words(t).max()) < 8


def test_every_group_gets_the_nearest_vector_and_a_short_one_is_filled_with_silence() -> None:
    coder = SpikeVectors(3, 4).eval()
    coder.vectors.copy_(torch.rand(8, 4, generator=torch.Generator().manual_seed(1)) * 0.9)
    t = torch.rand(5, 6, generator=torch.Generator().manual_seed(2))
    padded = torch.cat([t, torch.ones(5, 2)], 1).view(10, 4)
    wanted = torch.cdist(padded, coder.vectors).argmin(1).view(5, 2)
    assert torch.equal(coder.words(t), wanted)
    assert torch.equal(coder(t), coder.vectors[wanted].flatten(1)[:, :6]) and coder.bits_per_spike == 0.75


def test_the_gradient_goes_straight_through_and_evaluation_changes_no_vector() -> None:
    coder = SpikeVectors(2, 2).eval()
    before, t = coder.vectors.clone(), torch.rand(3, 4, requires_grad=True)
    (coder(t) * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert t.grad is not None and t.grad[0].tolist() == [1.0, 2.0, 3.0, 4.0] and torch.equal(coder.vectors, before)


def test_a_network_of_words_trains() -> None:
    torch.set_num_threads(1)
    network = with_vectors(RCSpikeNetwork((5, 8, 3), NormalisedModel.constant(3.0, -3.0)), 4, 2)
    history = train(network, iris(), Recipe(epochs=10, learning_rate=1e-2), lambda epoch: None)
    assert history[-1].loss < 0.9 * history[0].loss


def test_no_bits_and_no_spikes_are_refused() -> None:
    with pytest.raises(ValueError, match="bits, size: 0 for 4 spikes"):
        SpikeVectors(0, 4)
