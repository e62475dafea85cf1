"""Normalised drives: against torch's own batch normalisation, folded, saved, trained; and the single step that is cheap."""

import pytest
import torch
from torch import Tensor, nn

from training.data.embedded import digits
from training.drive_normalisation import LARGEST_START, START_CONDUCTANCE, DriveNormalisation, start_scale
from training.errors import TrainingError
from training.evaluation import evaluate
from training.hardware import NormalisedModel, WeightRange
from training.hardware_aware.variation import WeightNoise, varied
from training.layer import COARSE, RCSpikeLayer
from training.models import convolutional, fully_connected
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.solvers import all_cells, dstd
from training.solvers.connection import Convolution
from training.solvers.reversal import BySign
from training.solvers.solver import DSTD, Accumulation, Exact
from training.storage import load_weights, save_networks
from training.trainer import train

IDEAL = NormalisedModel.constant(torch.inf, -torch.inf)
CELL = NormalisedModel.constant(2.9, -1.6)
IMAGE = (2, 6, 6)


def drawn(network: nn.Module, seed: int = 0) -> nn.Module:
    """In float64, with weights and a normalisation that are all different."""
    generator = torch.Generator().manual_seed(seed)
    network.double()
    for module in network.modules():
        if isinstance(module, RCSpikeLayer):
            module.reset_parameters(generator, 0.7)
        if isinstance(module, DriveNormalisation):
            for values in (module.scale, module.shift, module.mean, module.variance):
                values.data.uniform_(0.1, 0.5, generator=generator)
    return network


def spikes(*shape: int) -> Tensor:
    """Some of which never arrive."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).mul(1.3)


def small(**options: object) -> RCSpikeNetwork:
    return drawn(convolutional(IMAGE, 3, CELL, channels=[[4], [5]], hidden=[6], normalise=True, **options))


@pytest.mark.parametrize("image", [False, True])
def test_of_an_ideal_layer_is_batch_normalisation(image: bool) -> None:
    shape = (7, *IMAGE) if image else (7, 5)
    where = {"connection": Convolution(padding=1), "kernel": (3, 3)} if image else {}
    layer = drawn(RCSpikeLayer(shape[1], 4, IDEAL, normalise=True, **where))
    own = layer.normalisation
    peer = (nn.BatchNorm2d if image else nn.BatchNorm1d)(4).double()
    peer.load_state_dict({
        "weight": own.scale.detach(), "bias": own.shift.detach(), "running_mean": own.mean.clone(),
        "running_var": own.variance.clone(), "num_batches_tracked": torch.tensor(0),
    })  # fmt: skip
    t = spikes(*shape).requires_grad_()
    weight, again = layer.weight.detach().clone().requires_grad_(), t.detach().clone().requires_grad_()
    membrane = layer(t).membrane
    expected = peer(layer.connection((1.0 - again).clamp_min(0.0), weight))
    torch.testing.assert_close(membrane, expected, rtol=1e-12, atol=1e-12)
    membrane.sin().sum().backward()
    expected.sin().sum().backward()
    for found, wanted in ((t, again), (layer.weight, weight), (own.scale, peer.weight), (own.shift, peer.bias)):
        torch.testing.assert_close(found.grad, wanted.grad, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(own.mean, peer.running_mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(own.variance, peer.running_var, rtol=1e-12, atol=0)
    torch.testing.assert_close(layer.eval()(t).membrane, peer.eval()(layer.connection((1 - t).clamp_min(0), weight)))


def test_gradient_goes_through_the_statistics_into_the_neuron_equation() -> None:
    layer = drawn(RCSpikeLayer(3, 2, CELL, normalise=True, leak=0.0))

    def membrane(t: Tensor, weight: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        given = {"weight": weight, "normalisation.scale": scale, "normalisation.shift": shift}
        return torch.func.functional_call(layer, given, (t,)).membrane

    parameters = (layer.weight, layer.normalisation.scale, layer.normalisation.shift)
    assert torch.autograd.gradcheck(membrane, (spikes(5, 3).requires_grad_(), *parameters))


def test_folds_exactly_into_weights_and_bias_spikes() -> None:
    network = small(spike_time_noise=0.0).train()
    t = spikes(9, *IMAGE)
    network(t)  # which moves the statistics
    before = network.eval()(t)
    weights = network.effective_weights()
    assert not torch.allclose(network.train()(t)[-1].membrane, before[-1].membrane)  # a batch has statistics of its own
    network = small()
    network(t)
    network.fold_normalisation()
    for found, wanted in zip(network.eval()(t), before, strict=True):
        torch.testing.assert_close(found.membrane, wanted.membrane, rtol=1e-12, atol=1e-12)
    assert all((one == other).all() for one, other in zip(network.effective_weights(), weights, strict=True))
    assert [len(layer.crossbar()) for layer in network] == [2] * 4
    assert {key.split(".", 2)[2] for key in network.state_dict()} == {"weight", "bias.weight"}


def test_is_saved_folded_or_not(tmp_path: object) -> None:
    network, t = small(), spikes(4, *IMAGE)
    network(t)
    wanted = network.eval()(t)[-1].membrane
    for folded in (False, True):
        if folded:
            network.fold_normalisation()
        save_networks(tmp_path / "network.safetensors", {"ode": network}, {})
        how = {"bias": True} if folded else {"normalise": True}
        other = convolutional(IMAGE, 3, CELL, channels=[[4], [5]], hidden=[6], **how).double().eval()
        load_weights(tmp_path / "network.safetensors", "ode", other)
        torch.testing.assert_close(other(t)[-1].membrane, wanted)


def test_what_is_programmed_keeps_to_the_cell() -> None:
    span = WeightRange((0.02, 0.3), (0.02, 0.1))
    layer = drawn(RCSpikeLayer(5, 4, CELL, weight_range=span, normalise=True))
    stored = layer.weight.detach().clone()
    layer.project()
    assert torch.equal(layer.weight, stored)  # they have no scale of their own
    layer.fold_normalisation()
    for weight in (layer.effective_weight(), layer._realised(layer.bias.weight)):
        assert float(weight.detach().max()) <= 0.3 and float(weight.detach().min()) >= -0.1
        assert not bool(((weight != 0) & (weight.abs() < 0.02)).any())


def test_noise_is_a_share_of_the_weights_that_are_programmed() -> None:
    network = small().eval()
    largest = max(abs(float(w.detach().max())) for w in (network.layers[0].effective_weight(), network.layers[0].bias_weight()))
    with varied(network, WeightNoise(0.1), torch.Generator().manual_seed(0)):
        noise = network.layers[0].variation(torch.zeros_like(network.layers[0].weight))
        bias = network.layers[0].bias_variation(torch.zeros(4))
    assert 0.05 * largest < float(noise.std()) < 0.15 * largest
    assert bias.shape == (4,) and float(bias.abs().max()) > 0.0


def test_a_single_drive_has_no_statistics_of_its_own() -> None:
    normalisation = drawn(DriveNormalisation(3))
    for found, wanted in zip(normalisation(torch.rand(1, 3)), normalisation(), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("other", ["gain", "bias"])
def test_takes_the_place_of_gain_and_bias(other: str) -> None:
    with pytest.raises(ValueError, match=r"^normalise: .*leave gain and bias out"):
        RCSpikeLayer(3, 2, CELL, normalise=True, **{other: True})


def test_stored_weights_are_not_taken_for_programmed_ones() -> None:
    with pytest.raises(ValueError, match="before the layer is folded"):
        small().layers[0].crossbar()


def test_a_single_step_is_one_exponential_of_the_arrived_charges() -> None:
    t, weight = spikes(4, 6), torch.randn(3, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    beta = BySign(torch.tensor(1 / 2.9), torch.tensor(-1 / 1.6))
    x = (1.0 - t).clamp_min(0.0)
    plus, minus = x @ weight.clamp_min(0.0).T, x @ (-weight).clamp_min(0.0).T
    f = plus / 2.9 + minus / 1.6
    torch.testing.assert_close(DSTD(1)(Accumulation(t, weight, beta)), (plus - minus) * (1 - torch.exp(-f)) / f)


def test_first_epochs_are_coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(RCSpikeNetwork, "coarsen", lambda self, coarse: asked.append(coarse))
    network = fully_connected(64, 10, CELL, hidden=[4], normalise=True)
    train(network, digits(), Recipe(epochs=4, batch=1200, coarse_share=0.6), evaluate_every=4)
    assert asked == [True, True, True, False, False]  # the last one leaves the layers as they were made


def test_coarse_training_solves_a_step_where_evaluation_is_exact() -> None:
    network, t = small(), spikes(4, *IMAGE)
    network.coarsen(True)
    coarse = network(t)[-1].membrane
    network.coarsen(False)
    assert not torch.allclose(network(t)[-1].membrane, coarse, atol=1e-4)
    network.coarsen(True)
    assert isinstance(network.eval().layers[0]._solver_of_now(), type(RCSpikeLayer(1, 1, CELL).eval()._solver_of_now()))


def test_trains_faster_than_a_network_without_and_is_plain_afterwards() -> None:
    recipe = Recipe(epochs=2, batch=50, learning_rate=5e-3, temporal_penalty=0.0, weight_penalty=0.0, early_spike_penalty=0.0)
    found = {}
    for normalise in (False, True):
        network = fully_connected(64, 10, CELL, hidden=[32, 32], normalise=normalise)
        history = train(network, digits(), recipe.but(coarse_share=0.5), evaluate_every=2)
        result = evaluate(network, digits().test_t, digits().test_labels)
        assert result.accuracy == history[-1].test_accuracy  # folding changes nothing
        assert all(layer.normalisation is None for layer in network)
        found[normalise] = result.accuracy
    assert found[True] > 0.93 > found[False]


def test_first_drives_are_as_large_as_a_membrane_can_follow() -> None:
    assert start_scale(100, torch.inf, -torch.inf) == LARGEST_START
    assert start_scale(400, 2.0, -2.0) == pytest.approx(START_CONDUCTANCE / 10)
    assert start_scale(4, 2.0, -2.0) == LARGEST_START
    generator = torch.Generator().manual_seed(0)
    network = RCSpikeNetwork((400, 300, 10), CELL, normalise=True).double()
    network.reset_parameters(generator)
    layer, x = next(iter(network)), torch.rand(200, 400, generator=generator, dtype=torch.float64).square()
    weight, _ = layer._with_gain(1.0 - x)
    plus, minus = x @ weight.clamp_min(0.0).T, x @ (-weight).clamp_min(0.0).T
    conductance = float((plus / 2.9 + minus / 1.6).detach().mean())
    assert 0.5 * START_CONDUCTANCE < conductance < 2.0 * START_CONDUCTANCE


def test_a_moving_average_has_other_statistics_and_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"^ema: normalised drives"):
        train(fully_connected(64, 10, CELL, hidden=[4], normalise=True), digits(), Recipe(epochs=1, ema=0.99))


def test_narrow_cells_at_the_end_are_exact_for_late_spikes_and_the_same_on_a_device() -> None:
    assert dstd.grid(2, 0.0, 3.0) == [0.0, 0.875, 1.0]
    assert dstd.grid(2, 0.25, 2.0) == [0.0, 1 - 0.75**2, 1 - 0.25**2, 1.0]
    like = torch.zeros((), dtype=torch.float64)
    assert all_cells.grid(2, torch.tensor(0.25), like, 2.0).tolist() == dstd.grid(2, 0.25, 2.0)
    assert all_cells.grid(2, 0.0, like, 3.0).tolist() == dstd.grid(2, 0.0, 3.0)
    generator = torch.Generator().manual_seed(0)
    t = 1.0 - 0.2 * torch.rand(20, 60, generator=generator, dtype=torch.float64)
    phase = Accumulation(
        t, torch.randn(8, 60, generator=generator, dtype=torch.float64), BySign(torch.tensor(0.5), torch.tensor(-0.5))
    )
    exact = Exact()(phase)
    errors = [float((solver(phase) - exact).square().mean().sqrt()) for solver in (DSTD(8), DSTD(4), DSTD(4, late=2.0), COARSE)]
    assert errors[2] < errors[0] < errors[1] and errors[3] < errors[1]
    with pytest.raises(ValueError, match=r"^late: 0\.5 must be 1"):
        RCSpikeLayer(3, 2, CELL, late=0.5)


def test_statistics_of_products_in_bfloat16_are_taken_in_single_precision() -> None:
    found = {}
    for reduced in (False, True):
        network = small(solver="dstd", steps=2).float()
        t = spikes(16, *IMAGE).float()
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            membrane = network(t)[-1].membrane
        membrane.square().mean().backward()
        own = network.layers[0].normalisation
        found[reduced] = [own.mean, own.variance, membrane.detach(), network.layers[0].weight.grad]
    for one, other in zip(found[True], found[False], strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).norm() / other.norm()) < 0.06
    assert not torch.equal(found[True][0], found[False][0])
