"""Gains, and every method of training for a nonideal circuit."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.data import digits
from training.data.spikes import reduced
from training.evaluation import Evaluation, accuracy, evaluate
from training.hardware import NormalisedModel, WeightRange
from training.hardware_aware.gains import Gains, search_gains, with_gains
from training.hardware_aware.methods import Comparison, Method, run_method
from training.hardware_aware.variation import DynamicMismatch, FrozenMismatch, Mismatch, WeightNoise
from training.network import RCSpikeNetwork
from training.recipe import Recipe

RECIPE = Recipe(
    epochs=4, learning_rate=3e-2, schedule="one_cycle", temporal_penalty=0.0, weight_penalty=0.0, early_spike_penalty=0.0
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def comparison(reversal: float = 1.0, samples: int = 400, **options: object) -> Comparison:
    data = reduced(digits(), samples)
    target = NormalisedModel.constant(reversal, -reversal)
    shared = Comparison(lambda model: RCSpikeNetwork((64, 16, 10), model), target, data, RECIPE)
    return replace(shared, **options)  # type: ignore[arg-type]


def network_of(weight: float, reversal: float = 1e9) -> RCSpikeNetwork:
    net = RCSpikeNetwork((2, 2), NormalisedModel.constant(reversal, -reversal))
    with torch.no_grad():
        net.layers[0].weight.copy_(torch.tensor([[weight, -0.1], [-0.1, weight]]))
    return net


def test_gains_scale_each_sign_within_the_range_and_leave_no_trace() -> None:
    net = network_of(0.4)
    net.bind(net.layers[0].model, WeightRange((0.0, 0.5), (0.0, 0.25)))
    before = net.layers[0].weight.detach().clone()
    with with_gains(net, Gains(2.0, 2.0)):
        assert net.layers[0].weight[0].tolist() == pytest.approx([0.5, -0.2])
    assert torch.equal(net.layers[0].weight, before)


def test_the_search_finds_the_gain_that_undoes_a_wrong_scale() -> None:
    """Weights ten times too large drive both neurons into their earliest spike: a tie, and no answer."""
    t = torch.rand(300, 2, generator=torch.Generator().manual_seed(0)) * 0.5
    labels = t.argmin(1)
    net = network_of(4.0)
    before = accuracy(net, t, labels, 2)
    gains = search_gains(net, t, labels, 2)
    with with_gains(net, gains):
        after = accuracy(net, t, labels, 2)
    assert before < 0.5
    assert after > 0.99
    assert gains.plus < 0.5
    assert search_gains(network_of(0.4), t, labels, 2).plus > gains.plus


def test_ten_thousand_samples_decide_between_gains_and_few_tell_what_is_far_off(monkeypatch: pytest.MonkeyPatch) -> None:
    t = torch.rand(12_000, 2, generator=torch.Generator().manual_seed(0)) * 0.5
    labels, net, met = t.argmin(1), network_of(4.0), Counter[tuple[float, ...]]()

    def counted(network: RCSpikeNetwork, t: torch.Tensor, *rest: object, **options: object) -> Evaluation:
        met[tuple(network.layers[0].weight[0].tolist())] += len(t)
        return evaluate(network, t, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("training.hardware_aware.gains.evaluate", counted)
    with with_gains(net, search_gains(net, t, labels, 2)):
        assert met[tuple(net.layers[0].weight[0].tolist())] == 10_000
        assert accuracy(net, t, labels, 2) > 0.99
    assert met.total() < 200_000  # all 75 candidates on all samples would be 750 000


def test_the_search_is_repeatable_under_noise() -> None:
    """Every candidate meets the same noise, drawn from the seed and from nothing that was drawn before."""
    recipe = RECIPE.but(noise_in_evaluation=True, spike_time_noise=0.03)
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        found.append(run_method(Method.SCALED, comparison(recipe=recipe), lambda row: None).gains)
    assert found[0] == found[1] != Gains()


def test_each_method_trains_with_what_its_name_says() -> None:
    mismatch = Mismatch(0.3, 0.2)
    kinds = {method: method.variation(mismatch, 0.07) for method in Method}
    assert kinds[Method.IDEAL] is kinds[Method.SCALED] is kinds[Method.ODE] is None
    assert kinds[Method.NOISE] == WeightNoise(0.07)
    assert kinds[Method.DYNAMIC] == kinds[Method.ODE_DYNAMIC] == DynamicMismatch(mismatch)
    assert kinds[Method.FROZEN] == kinds[Method.ODE_FROZEN] == FrozenMismatch(mismatch, 1)
    assert [method.knows_hardware for method in Method] == [False] * 5 + [True] * 3


def test_scaled_shares_the_training_of_ideal_and_differs_in_its_gains(tmp_path: Path) -> None:
    checkpoint, heard = tmp_path / "checkpoint.safetensors", []
    shared = comparison()
    ideal = run_method("ideal", shared, lambda row: heard.append(row.epoch), checkpoint)
    scaled = run_method(Method.SCALED, shared, lambda row: heard.append(row.epoch), checkpoint)
    assert heard == [1, 2, 3, 4]
    assert torch.equal(ideal.network.layers[0].weight, scaled.network.layers[0].weight)
    assert ideal.gains == Gains() != scaled.gains
    assert ideal.nominal.drive == pytest.approx(
        [float((layer.weight.abs() / 1.0).sum(1).max().detach()) for layer in ideal.network], rel=1e-5
    )


@pytest.mark.slow
def test_methods_rank_as_the_physics_says() -> None:
    """At |E| = 0.5 the ODE beats the mapped ideal network; at |E| = 100 there is nothing to know."""
    strong, weak = comparison(0.5, 1437), comparison(100.0, 1437)
    results = {method: run_method(method, strong, lambda row: None) for method in (Method.IDEAL, Method.ODE)}
    assert results[Method.ODE].nominal.accuracy > results[Method.IDEAL].nominal.accuracy + 0.02
    assert results[Method.ODE].other_dies == [] and results[Method.ODE].mean_of_dies is None
    same = {method: run_method(method, weak, lambda row: None) for method in (Method.IDEAL, Method.ODE)}
    assert same[Method.ODE].nominal.accuracy == same[Method.IDEAL].nominal.accuracy


@pytest.mark.slow
def test_training_on_a_die_pays_on_that_die_and_on_all_of_them_on_all() -> None:
    wide, recipe = Mismatch(0.5, 0.5, 0.0, 0.0), RECIPE.but(epochs=20, learning_rate=1e-2)
    shared = comparison(2.0, 1437, mismatch=wide, dies=9, recipe=recipe)
    methods = (Method.ODE, Method.ODE_FROZEN, Method.ODE_DYNAMIC)
    results = {method: run_method(method, shared, lambda row: None) for method in methods}
    ode, frozen, dynamic = results.values()
    assert frozen.own_die is not None and frozen.mean_of_dies is not None
    assert frozen.own_die > (ode.own_die or 0.0) + 0.03
    assert frozen.own_die > frozen.mean_of_dies + 0.05
    assert (dynamic.mean_of_dies or 0.0) > (ode.mean_of_dies or 1.0) + 0.02
    assert min(dynamic.other_dies) > min(ode.other_dies) + 0.05
    assert len(ode.other_dies) == 8
