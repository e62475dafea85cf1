"""Spike times as a counter has them."""

from __future__ import annotations

import pytest
import torch

from training.data import iris
from training.hardware import NormalisedModel
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.structures.spike_times import SpikeCounter, with_counters
from training.trainer import train


@pytest.mark.parametrize("bits", [1, 4, 6, 8, 12])
def test_times_are_the_nearest_ticks_and_words_of_so_many_bits(bits: int) -> None:
    counter = SpikeCounter(bits)
    t = torch.linspace(0.0, 1.0, 4001)
    counted, words = counter(t), counter.words(t)
    assert int(words.min()) == 0 and int(words.max()) == 2**bits - 1
    assert torch.equal(counter.times(words), counted)
    inner = t < 1.0 - 1.5 / (2**bits - 1)
    if bits > 1:
        assert float((counted - t)[inner].abs().max()) <= 0.5 / (2**bits - 1) + 1e-6


def test_what_is_silent_stays_silent_and_nothing_else_becomes_silent() -> None:
    counted = SpikeCounter(4)(torch.tensor([0.0, 0.5, 0.999, 1.0]))
    assert counted[3] == 1.0 and bool((counted[:3] < 1.0).all())


def test_the_gradient_goes_straight_through() -> None:
    t = torch.tensor([0.1, 0.52, 0.97], requires_grad=True)
    (SpikeCounter(3)(t) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert t.grad is not None and t.grad.tolist() == [1.0, 2.0, 3.0]


def test_a_network_behind_counters_trains_and_sends_ticks_alone() -> None:
    torch.set_num_threads(1)
    network = with_counters(RCSpikeNetwork((5, 8, 3), NormalisedModel.constant(3.0, -3.0)), 4)
    history = train(network, iris(), Recipe(epochs=10, learning_rate=1e-2), lambda epoch: None)
    assert history[-1].loss < 0.9 * history[0].loss
    heard: list[torch.Tensor] = []
    list(network)[1].register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    network.eval()(iris().test_t)
    ticks = heard[0] * 15
    assert torch.allclose(ticks, ticks.round(), atol=1e-5)


def test_a_counter_of_no_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="bits: 0 of a counter"):
        SpikeCounter(0)
