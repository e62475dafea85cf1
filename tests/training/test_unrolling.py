"""Convolutions as a circuit has them: what hangs on which line, and the same numbers as of the layer that shares its weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from realistic import model
from torch import nn

from training.convolution import RCSpikeConvolution
from training.hardware import NormalisedModel, NormalisedSynapse
from training.hardware_aware.variation import FrozenMismatch, Mismatch, varied
from training.layer import RCSpikeLayer
from training.models import shaped
from training.network import RCSpikeNetwork
from training.shapes import NetworkShape, Window
from training.solvers.connection import Wired
from training.solvers.solver import DSTD, Accumulation, Exact, Reference, Solver
from training.trajectory import trajectory
from training.unrolling import unrolled
from training.wiring import blocks

SHAPE = NetworkShape(48, (3,), (1, 8, 6), (Window(2, 3, 2), Window(3, 2, 1)))


def _bent() -> NormalisedModel:
    """With every term that there is, synapses that load the membrane by their weight too."""

    def of(synapse: NormalisedSynapse) -> NormalisedSynapse:
        level = np.linspace(0.0, 1.0, len(synapse.magnitude))
        return replace(synapse, load=0.01 * level, lift=0.02 * level, gamma=0.05 + 0 * level, leakage=1e-3 * level)

    plain = model()
    return replace(plain, plus=of(plain.plus), minus=of(plain.minus), leakage=2e-3, idle_leakage=1e-4)


def _network(model: NormalisedModel) -> RCSpikeNetwork:
    network = shaped(SHAPE, model).double().eval()
    network.reset_parameters(torch.Generator().manual_seed(0), spread=0.7)
    return network


def _inputs() -> torch.Tensor:
    return 1.2 * torch.rand(5, 48, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(4, 9), st.integers(4, 9))
def test_synapses_are_counted_as_a_window_slides(
    channels: int, outputs: int, kernel: int, stride: int, height: int, width: int
) -> None:
    stride = min(stride, kernel)
    image = (channels, height, width)
    shape = NetworkShape(channels * height * width, (3,), image, (Window(outputs, kernel, stride),))
    lines = next(iter(unrolled(shaped(shape, model())))).lines
    first = shape.crossbars[0]
    assert lines.shape == (first.neurons, first.synapses)
    on_line = Counter(lines.ravel().tolist())
    assert first.rows == max(1, round(lines.size / len(on_line)))
    assert set(on_line) <= set(range(shape.inputs))


@pytest.mark.parametrize("hardware", [model(), _bent()], ids=["charges", "every term"])
def test_unrolled_it_does_what_the_convolution_does(hardware: NormalisedModel) -> None:
    network = _network(hardware)
    circuit = unrolled(network)
    assert [tuple(layer.weight.shape) for layer in circuit] == [(12, 9), (6, 8), (3, 6)]
    with torch.no_grad():
        shared, own = network(_inputs()), circuit(_inputs())
    for a, b in zip(shared, own, strict=True):
        assert a.spike_times.numel() == b.spike_times.numel() and float(a.spike_times.std()) > 0.01
        for one, other in zip(a, b, strict=True):
            torch.testing.assert_close(one.flatten(1), other, rtol=0, atol=1e-12)


def test_weights_of_a_channel_are_the_same_at_every_position() -> None:
    network = _network(model())
    weights = unrolled(network).effective_weights()[0].reshape(2, 6, 9)
    np.testing.assert_array_equal(weights, np.broadcast_to(weights[:, :1], weights.shape))
    np.testing.assert_array_equal(weights[:, 0], network.effective_weights()[0].reshape(2, 9))


def test_a_die_tells_the_positions_of_a_channel_apart() -> None:
    circuit = unrolled(_network(model()))
    first = next(iter(circuit))
    with varied(circuit, FrozenMismatch(Mismatch(), 3)), torch.no_grad():
        made = (first.synapses().weight / first.effective_weight()).view(2, 6, 9)
    on = made[:, 0].isfinite()
    assert int(on.sum()) > 10 and float((made[:, 1] - made[:, 0])[on].abs().min()) > 1e-6


def test_a_layer_is_dense_crossbars_over_the_lines_that_neurons_share() -> None:
    network = _network(model())
    first = next(iter(unrolled(network)))
    found = list(blocks(first.lines))
    assert len(found) == 6 and sorted(np.concatenate([one.neurons for one in found])) == list(range(12))
    assert all((first.lines[one.neurons] == one.lines).all() and len(one.neurons) == 2 for one in found)
    dense = RCSpikeLayer(4, 3, model())
    (whole,) = blocks(dense.lines)
    assert list(whole.neurons) == [0, 1, 2] and list(whole.lines) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="unroll the network"):
        next(iter(network)).lines  # noqa: B018


def test_the_membrane_over_time_is_that_of_each_window() -> None:
    circuit, t = unrolled(_network(_bent())), _inputs()
    first = next(iter(circuit))
    with torch.no_grad():
        membrane = first(t).membrane[0].numpy()
    for own in blocks(first.lines):
        weights = circuit.effective_weights()[0][own.neurons]
        end = trajectory(first.model, weights, t[0].numpy()[own.lines], np.array([1.0 - 1e-12]))[0]
        np.testing.assert_allclose(end, membrane[own.neurons], atol=1e-9)


@pytest.mark.parametrize("solver", [Exact(), DSTD(4, moment=True), Reference()])
def test_every_solver_walks_block_by_block_and_back(solver: Solver) -> None:
    random = torch.Generator().manual_seed(4)
    t, weight = (torch.rand(*shape, generator=random, dtype=torch.float64) for shape in ((6, 5), (4, 3)))
    lines = torch.tensor([[0, 1, 2], [2, 3, 4], [0, 1, 2], [1, 2, 3]])
    leaves = t.requires_grad_(), weight.requires_grad_()
    found = solver(Accumulation(t, weight, 0.4 * torch.ones(4, 3).double(), connection=Wired(lines)))
    own = [solver(Accumulation(t[:, row], weight[[k]], 0.4 * torch.ones(1, 3).double())) for k, row in enumerate(lines)]
    torch.testing.assert_close(found, torch.cat(own, 1), rtol=0, atol=1e-12)
    one, other = (torch.autograd.grad(v.square().sum(), leaves) for v in (found, torch.cat(own, 1)))
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_what_has_no_circuit_is_refused() -> None:
    border = RCSpikeNetwork.of((16, 32), [nn.Unflatten(1, (1, 4, 4)), RCSpikeConvolution(1, 2, model(), 3, padding=1)])
    with pytest.raises(ValueError, match="a gain, a bias or a border"):
        unrolled(border)
    pooled = RCSpikeNetwork.of((16, 2), [nn.Unflatten(1, (1, 4, 4)), nn.MaxPool2d(2), RCSpikeConvolution(1, 2, model(), 2)])
    with pytest.raises(ValueError, match="MaxPool2d: a circuit has no such layer"):
        unrolled(pooled)
    dense = RCSpikeNetwork((3, 2), model())
    assert unrolled(dense) is dense
