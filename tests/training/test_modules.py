"""Layers that stand in torch's own containers, and networks as documents."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.errors import TrainingError
from training.graph import GraphError, load_graph, save_graph
from training.hardware import HardwareModel, HardwareModelError, NormalisedModel, normalise
from training.layer import LayerOutput
from training.modules import RCSpike, RCSpikeConv2d, network_of
from training.network import RCSpikeNetwork
from training.pooling import EarliestSpikePool

HARDWARE = HardwareModel.reference()
SIMPLE = NormalisedModel.constant(2.8, -1.5, 6.4)


def stack(**options: object) -> nn.Sequential:
    return nn.Sequential(RCSpike(5, 5, HARDWARE, seed=1, fan_out=3, **options), RCSpike(5, 3, HARDWARE, seed=2, **options))  # type: ignore[arg-type]


def spikes(samples: int = 16) -> torch.Tensor:
    return torch.rand(samples, 5, generator=torch.Generator().manual_seed(0))


def test_a_stack_gives_the_spike_times_of_the_network() -> None:
    layers = stack().eval()
    network = RCSpikeNetwork((5, 5, 3), [normalise(HARDWARE, synapses=5)] * 2).eval()
    for mine, other in zip(layers, network, strict=True):
        other.load_state_dict(mine.state_dict())
    found = layers(spikes())
    assert isinstance(found, torch.Tensor) and found.shape == (16, 3)
    assert torch.equal(found, network(spikes())[-1].spike_times)
    assert torch.equal(network_of(layers)(spikes())[-1].spike_times, found)
    assert found.min() < 1.0 and found.std() > 1e-3


def test_the_rich_output_is_an_option() -> None:
    layer = RCSpike(5, 4, HARDWARE, full=True).eval()
    output = layer(spikes())
    assert isinstance(output, LayerOutput) and torch.isfinite(output.membrane).all()
    layer.full = False
    assert torch.equal(layer(spikes()), output.spike_times)


def test_first_weights_are_those_of_the_seed_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    one, again, other = (RCSpike(5, 4, HARDWARE, seed=seed).weight.detach() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one, again) and not torch.equal(one, other) and one.std() > 0.01


def test_it_learns_in_a_loop_of_ones_own() -> None:
    layers, inputs = stack(), spikes(64)
    labels = (inputs[:, 0] > inputs[:, 1]).long()
    optimiser = torch.optim.Adam(layers.parameters(), lr=0.03)
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(-layers(inputs) / 0.07, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        for layer in layers:
            layer.project()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_functional_calls_and_gradients_of_torch_func() -> None:
    layer = RCSpike(5, 4, SIMPLE, solver="dstd", steps=4).train()
    times, weights = spikes(), dict(layer.named_parameters())

    def total(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(layer, parameters, (times,)).sum()

    total(weights).backward()
    assert layer.weight.grad is not None and layer.weight.grad.abs().max() > 0


@pytest.mark.slow
def test_an_exported_layer_gives_the_same_spikes_for_any_batch() -> None:
    layer = RCSpike(5, 3, HARDWARE, seed=1).eval()
    batch = torch.export.Dim("batch", min=2, max=1024)
    program = torch.export.export(layer, (spikes(4),), dynamic_shapes=({0: batch},))
    assert (program.module()(spikes()) - layer(spikes())).abs().max() < 1e-6


def test_a_convolution_and_a_pool_in_one_stack() -> None:
    layers = nn.Sequential(
        RCSpikeConv2d(1, 4, SIMPLE, 3, padding=1), EarliestSpikePool(2), nn.Flatten(), RCSpike(64, 3, SIMPLE)
    ).eval()
    images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    found = layers(images)
    assert found.shape == (2, 3)
    network = network_of(layers)
    assert network.sizes == (1, 4, 3) and torch.equal(network(images)[-1].spike_times, found)
    with pytest.raises(GraphError, match="layer_1: RCSpikeConv2d is no dense layer"):
        save_graph("nowhere.json", network)


def test_what_is_no_stack_of_layers() -> None:
    with pytest.raises(TrainingError, match="no layer of neurons"):
        network_of(nn.Sequential(nn.Flatten()))
    with pytest.raises(HardwareModelError):
        RCSpike(977, 3, HARDWARE)


@pytest.mark.parametrize("hardware", [HARDWARE, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_graph_is_read_back_equal(hardware: HardwareModel | None, dtype: torch.dtype, tmp_path: Path) -> None:
    network = network_of(stack(bias=True, spike_delay=0.01).to(dtype)).eval()
    save_graph(tmp_path / "network.json", network, hardware)
    again = load_graph(tmp_path / "network.json")
    for one, other in zip(network(spikes()), again(spikes()), strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.dtype == b.dtype == dtype and torch.equal(a, b)
    for ours, theirs in zip(network.effective_weights(), again.effective_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    save_graph(tmp_path / "again.json", again, hardware)
    assert (tmp_path / "again.json").read_text() == (tmp_path / "network.json").read_text()


def test_reversal_potentials_and_units_are_those_of_the_hardware(tmp_path: Path) -> None:
    network = network_of(stack())
    save_graph(tmp_path / "network.json", network, HARDWARE)
    content = json.loads((tmp_path / "network.json").read_text())
    assert content["edges"] == [["input", "layer_1"], ["layer_1", "layer_2"], ["layer_2", "output"]]
    scale, node = content["scale"], content["nodes"]["layer_1"]
    column = HARDWARE.at(5)
    assert scale["weight_a"] == pytest.approx(scale["capacitance_f"] * scale["threshold_v"] / scale["phase_s"])
    seen = 0
    for row, reversals in zip(node["weight"], node["e_rev"], strict=True):
        for weight, e_rev in zip(row, reversals, strict=True):
            if weight == 0:
                assert e_rev is None
                continue
            seen += 1
            cell = column.synapse(1 if weight > 0 else -1)
            slope, _ = cell.slope_and_curvature(np.array([abs(weight) * column.unit_current_a]))
            wanted = (
                1 / float(slope[0])
                if cell.slope is not None
                else float(cell.reversal(np.array([abs(weight) * column.unit_current_a]))[0])
            )
            assert abs(e_rev) * scale["threshold_v"] == pytest.approx(abs(wanted), rel=2e-3)
            assert np.sign(e_rev) == np.sign(weight)
    assert seen > 5


def test_no_reversal_is_written_without_infinities(tmp_path: Path) -> None:
    save_graph(tmp_path / "n.json", network_of(nn.Sequential(RCSpike(3, 2, NormalisedModel.constant(torch.inf, -torch.inf)))))
    text = (tmp_path / "n.json").read_text()
    assert '"inf"' in text and "Infinity" not in text
    assert load_graph(tmp_path / "n.json").layers[0].model.plus.beta[0] == 0.0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("pattern", "put", "told"),
    [
        (r'"format": "[^"]*"', '"format": "nir"', "format: is not"),
        (r'"version": 1', '"version": 2', "version: 2 is not 1"),
        (r'"RCSpike"', '"LIF"', "layer_1: type: 'LIF' is not RCSpike"),
        (r'"edges": \[', '"edges": [["a", "b"], ', "edges: are no chain"),
        (r'"fan_out": 3', '"fanout": 3', "lacks 'fan_out'"),
        (r'"e_dis"', '"e_discharger"', "neuron.e_discharger: is not known here"),
        (r"\A\{", "[", "cannot be read"),
    ],
)
def test_a_file_that_is_no_graph_is_one_line(pattern: str, put: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "network.json"
    save_graph(file, network_of(stack()))
    damaged = re.sub(r',\s*"content_sha256": "[^"]*"', "", re.sub(pattern, put, file.read_text(), count=1))
    file.write_text(damaged)
    with pytest.raises(GraphError, match=told) as caught:
        load_graph(file)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)


def test_a_changed_number_is_found_out_and_so_is_a_missing_file(tmp_path: Path) -> None:
    file = tmp_path / "network.json"
    save_graph(file, network_of(stack()))
    file.write_text(file.read_text().replace('"e_dis": ', '"e_dis": 1', 1))
    with pytest.raises(GraphError, match="content_sha256"):
        load_graph(file)
    with pytest.raises(GraphError, match="cannot be read: No such file"):
        load_graph(tmp_path / "gone.json")
    with pytest.raises(GraphError, match="cannot be written"):
        save_graph(file / "x.json", network_of(stack()))
