"""Spike times as a counter has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
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


def test_a_counted_neuron_drives_no_synapses_and_drivers_switch_what_comes_after() -> None:
    published = NormalisedModel.constant(3.0, -3.0)
    lead = np.full_like(published.plus.magnitude, 0.02)
    driven = replace(published, fan_out=3, load_delay=2e-3, idle_kick_on=0.01)  # a layer on lines of inputs
    behind_neurons = replace(
        driven, idle_kick_on=0.04, idle_kick_line=0.03,
        **{side: replace(getattr(driven, side), kick_on=lead, kick_line=lead) for side in ("plus", "minus")},
    )  # fmt: skip
    counted = with_counters(RCSpikeNetwork((5, 8, 3), [driven, behind_neurons]), 4).eval()
    counted.reset_parameters(torch.Generator().manual_seed(0))
    t = SpikeCounter(4)(iris().test_t)
    for layer, output in zip(counted, counted(t), strict=True):
        alone = RCSpikeNetwork((layer.weight.shape[1], len(layer.weight)), driven).eval()  # nothing on its line
        next(iter(alone)).set_weight(layer.weight.detach())
        (expected,) = alone(t)
        assert bool((expected.spike_times < 1.0).any())
        torch.testing.assert_close(output.spike_times, expected.spike_times, rtol=0.0, atol=1e-6)
        t = SpikeCounter(4)(output.spike_times.detach())


def test_a_counter_of_no_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="bits: 0 of a counter"):
        SpikeCounter(0)
