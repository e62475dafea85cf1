"""Ordinary networks as circuit layers."""

from __future__ import annotations

import math
import re
import warnings
from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from realistic import model
from torch import Tensor, nn

from training.convert import ConversionError, ConversionWarning, convert
from training.convolution import RCSpikeConvolution
from training.hardware import NormalisedModel

IDEAL = NormalisedModel.constant(math.inf, -math.inf)


def dense() -> tuple[nn.Sequential, Tensor]:
    torch.manual_seed(0)
    layers = [nn.Linear(12, 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 15, bias=False), nn.ReLU6(), nn.Linear(15, 4)]
    return nn.Sequential(*layers).double().eval(), torch.rand(200, 12, dtype=torch.float64)


def convolutional(pool: nn.Module) -> tuple[nn.Sequential, Tensor]:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), pool, nn.Conv2d(6, 5, 2, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3),
    ]  # fmt: skip
    return nn.Sequential(*layers).double().eval(), torch.rand(100, 2, 8, 8, dtype=torch.float64)


@pytest.mark.parametrize("made", [dense(), convolutional(nn.MaxPool2d(2)), convolutional(nn.AvgPool2d(2))])
def test_the_circuit_computes_what_the_network_does(made: tuple[nn.Sequential, Tensor]) -> None:
    network, x = made
    circuit = convert(network, x, IDEAL)
    with torch.no_grad():
        outputs = circuit(1.0 - x)
        logits = network(x)
    scaled = (logits - logits.min()) / (logits.max() - logits.min())
    torch.testing.assert_close(1.0 - outputs[-1].spike_times, scaled, atol=1e-9, rtol=0)
    hidden = network[:2](x).detach()
    torch.testing.assert_close(1.0 - outputs[0].spike_times, hidden / hidden.max(), atol=1e-9, rtol=0)
    assert float(outputs[0].spike_times.min()) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("image", [False, True])
def test_batch_normalisation_folds_into_the_layer_before_it_and_sequences_may_be_nested(image: bool) -> None:
    torch.manual_seed(1)
    if image:
        head = nn.Sequential(nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        x = torch.rand(60, 2, 8, 8, dtype=torch.float64)
    else:
        head, x = nn.Sequential(nn.Linear(12, 54), nn.BatchNorm1d(54), nn.ReLU()), torch.rand(60, 12, dtype=torch.float64)
    network = nn.Sequential(OrderedDict(features=head, classifier=nn.Sequential(nn.Dropout(), nn.Linear(54, 3)))).double()
    norm = head[1]
    for parameter in (norm.weight, norm.bias):
        nn.init.uniform_(parameter, 0.5, 1.5)  # type: ignore[arg-type]
    network(2.0 * x)  # moves the running statistics
    network.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    outputs = convert(network.train(), x, IDEAL)(1.0 - x)
    logits = network.eval()(x).detach()
    scaled = (logits - logits.min()) / (logits.max() - logits.min())
    torch.testing.assert_close(1.0 - outputs[-1].spike_times.detach(), scaled, atol=1e-9, rtol=0)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_is_no_sequence_is_refused() -> None:
    class Mine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.second, self.first = nn.Linear(4, 2), nn.Linear(4, 4)

    with pytest.raises(ConversionError, match=r"network: a Mine; convert takes an nn\.Sequential"):
        convert(Mine(), torch.rand(3, 4), IDEAL)  # type: ignore[arg-type]
    with pytest.raises(ConversionError, match=r"l: a Mine has no counterpart|l: Mine has no counterpart"):
        convert(nn.Sequential(OrderedDict(l=Mine())), torch.rand(3, 4), IDEAL)
    for samples in (torch.full((2, 4), torch.nan), torch.zeros(0, 4)):
        with pytest.raises(ConversionError, match="samples: "):
            convert(nn.Sequential(nn.Linear(4, 2)), samples, IDEAL)
    with pytest.raises(ConversionError, match=r"0: takes no samples of shape \(5,\): "):
        convert(nn.Sequential(nn.Linear(4, 2)), torch.rand(3, 5), IDEAL)


def test_samples_beyond_those_it_was_scaled_by_are_clipped() -> None:
    network, x = dense()
    circuit = convert(network, 0.3 * x, IDEAL)
    with torch.no_grad():
        inside = circuit(1.0 - x)[0].spike_times
        hidden = network[:2](x) / network[:2](0.3 * x).max()
    assert float(hidden.max()) > 1.2
    torch.testing.assert_close(1.0 - inside, hidden.clamp(0.0, 1.0), atol=1e-9, rtol=0)


def test_saturation_of_a_real_circuit_is_what_is_left_to_train() -> None:
    network, x = dense()
    ideal = convert(network, x, IDEAL)(1.0 - x)[-1].spike_times.detach()

    def error(reversal: float) -> float:
        times = convert(network, x, NormalisedModel.constant(reversal, -reversal))(1.0 - x)[-1].spike_times.detach()
        return float((times - ideal).square().mean().sqrt())

    errors = [error(reversal) for reversal in (1.0, 10.0, 1e6)]
    assert errors[0] > 0.05 > errors[1] > 1e-3
    assert errors[2] < 1e-5


def test_layers_know_how_many_synapses_their_lines_drive() -> None:
    network, x = convolutional(nn.MaxPool2d(2))
    circuit = convert(network, x, IDEAL)
    first = circuit.layers[0]
    assert isinstance(first, RCSpikeConvolution)
    assert [layer.fan_out for layer in circuit] == [5 * 4, 3, 0]
    assert circuit.sizes == (128, 6 * 64, 5 * 4, 3)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2)], r"l2: a BatchNorm1d must stand right behind a Linear"),
        ([nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.ReLU(), nn.Linear(4, 2)], r"l1: a .* running stat"),
        ([nn.Sequential(nn.Linear(4, 4), nn.GELU()), nn.Linear(4, 2)], r"l0\.1: GELU has no counterpart"),
        ([nn.LayerNorm(4), nn.Linear(4, 2)], r"l0: LayerNorm has no counterpart"),
        ([nn.Linear(4, 4), nn.LeakyReLU(), nn.Linear(4, 2)], r"l1: LeakyReLU has no counterpart .*there are Linear, Conv2d"),
        ([nn.Linear(4, 4), nn.Linear(4, 2)], r"l0: needs a ReLU right behind it"),
        ([nn.ReLU(), nn.Linear(4, 2)], r"l0: a ReLU must stand right behind"),
        ([nn.Flatten()], r"network: has no Linear or Conv2d"),
        ([nn.Linear(4, 4, bias=False), nn.ReLU(), nn.Linear(4, 2), nn.Softmax(0)], r"l3: Softmax has no counterpart"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(layers: list[nn.Module], expected: str) -> None:
    network = nn.Sequential(OrderedDict((f"l{k}", layer) for k, layer in enumerate(layers))).double().eval()
    with pytest.raises(ConversionError, match=expected):
        convert(network, torch.rand(10, 4, dtype=torch.float64), IDEAL)


@pytest.mark.parametrize("closing", [nn.LogSoftmax(dim=1), nn.Softmax(dim=-1)])
def test_a_closing_softmax_leaves_the_order_and_is_left_out_with_a_word(closing: nn.Module) -> None:
    network, x = dense()
    with pytest.warns(ConversionWarning, match=rf"{type(closing).__name__} is left out; it leaves the order"):
        circuit = convert(nn.Sequential(*network, closing).eval(), x, IDEAL)
    assert torch.equal(circuit(1 - x)[-1].spike_times, convert(network, x, IDEAL)(1 - x)[-1].spike_times)
    assert torch.equal(circuit(1 - x)[-1].spike_times.argmin(1), closing(network(x)).argmax(1))


def test_a_rectifier_behind_a_maximum_pooling_is_one_before_it() -> None:
    torch.manual_seed(4)
    convolution, output = nn.Conv2d(1, 4, 3).double(), nn.Linear(36, 5).double()
    x = torch.rand(40, 1, 8, 8, dtype=torch.float64)
    behind, before = (
        convert(nn.Sequential(convolution, *pair, nn.Flatten(), output).eval(), x, IDEAL)(1 - x)[-1].spike_times
        for pair in ((nn.MaxPool2d(2), nn.ReLU()), (nn.ReLU(), nn.MaxPool2d(2)))
    )
    assert torch.equal(behind, before) and len(before.argmin(1).unique()) > 1
    with pytest.raises(ConversionError, match=r"2: a ReLU must stand right behind"):
        convert(nn.Sequential(convolution, nn.AvgPool2d(2), nn.ReLU(), nn.Flatten(), output).eval(), x, IDEAL)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(2, 2, (3, 1)), "0: a convolution needs a square window"),
        (nn.Conv2d(2, 2, 3, padding="same"), "0: a convolution needs a square window"),
        (nn.Conv2d(2, 2, 3, groups=2), "0: a convolution can have no groups"),
        (nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), "0: a convolution can have no groups"),
        (nn.MaxPool2d(3, stride=2), "0: a pooling needs a square window, a stride of its size"),
        (nn.AvgPool2d((2, 1)), "0: a pooling needs"),
        (nn.Flatten(2), "0: must flatten everything"),
    ],
)
def test_settings_without_a_counterpart_are_refused_by_name(layer: nn.Module, expected: str) -> None:
    with pytest.raises(ConversionError, match=expected):
        convert(nn.Sequential(layer), torch.rand(3, 2, 8, 8), IDEAL)


def test_pooling_behind_the_last_layer_dead_layers_and_wild_inputs_are_refused() -> None:
    x = torch.rand(3, 1, 4, 4)
    with pytest.raises(ConversionError, match="1: nothing but Flatten"):
        convert(nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2)), x, IDEAL)
    dead = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.constant_(dead[0].bias, -100.0)  # type: ignore[arg-type]
    with pytest.raises(ConversionError, match="0: gives the same for all samples"):
        convert(dead, torch.rand(5, 4), IDEAL)
    with pytest.raises(ConversionError, match=r"samples: .* must lie in 0 .. 1"):
        convert(dead, 2 * torch.rand(5, 4), IDEAL)


def test_weights_beyond_the_cell_are_refused_by_name() -> None:
    network = nn.Sequential(nn.Linear(3, 1), nn.ReLU(), nn.Linear(1, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[40.0, -40.0, 0.0]]))  # type: ignore[operator]
        network[0].bias.zero_()  # type: ignore[operator]
    x = torch.tensor([[0.5, 0.49, 0.3], [0.2, 0.2, 0.1]])
    with pytest.raises(ConversionError, match=r"0: weight \+100 is more than the cell can do, \+7"):
        convert(network, x, model())


def test_what_is_lost_on_the_way_is_said() -> None:
    """Half of the weights below the smallest code: said with their share, the drive, and how many answers stay."""
    torch.manual_seed(2)
    layers = [nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 4)]
    network, x = nn.Sequential(*layers).double().eval(), torch.rand(200, 12, dtype=torch.float64)
    for layer in (layers[0], layers[2]):
        nn.init.normal_(layer.weight)  # type: ignore[arg-type]
    assert len(network(x).argmax(1).unique()) > 2
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConversionWarning)
        convert(network, x, IDEAL)
    strong = model()
    strong = replace(strong, **{
        name: replace(getattr(strong, name), magnitude=10 * getattr(strong, name).magnitude) for name in ("plus", "minus")
    })  # fmt: skip
    with pytest.warns(ConversionWarning) as caught:
        circuit = convert(network, x, strong)
    said = str(caught[0].message)
    off = sum(int((layer.effective_weight() == 0).sum()) for layer in circuit) / sum(layer.weight.numel() for layer in circuit)
    kept = float((circuit(1 - x)[-1].spike_times.argmin(1) == network(x).argmax(1)).double().mean())
    assert 0.3 < off < 1 and said.startswith(f"{off:.0%} of the weights lie below the smallest code")
    share = re.search(r"on 200 samples the circuit gives (\d+)%", said)
    assert share is not None and int(share[1]) <= round(100 * kept) < 90
