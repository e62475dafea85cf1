"""Membranes by their places: against integrators of the coupled equations, and in files."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from realistic import model as realistic_model
from scipy.integrate import solve_ivp

from training.coupling import Places
from training.graph import load_graph, save_graph
from training.hardware import HardwareModel, HardwareModelError, NormalisedModel, NormalisedPlaces, columns_of_layers, normalise
from training.hardware.places import LayerPlaces
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.shapes import Crossbar
from training.solvers.solver import DSTD, Accumulation, Exact
from training.trajectory import trajectory

INPUTS, NEURONS = 6, 4


def places(scale: float = 1.0, falling: float = 0.0) -> NormalisedPlaces:
    """Neighbours couple by 1 %; the last neuron has 2 % less capacitance; two kicks, a slow spike, two lines that fall slowly."""
    between = np.zeros((NEURONS, NEURONS))
    for k in range(NEURONS - 1):
        between[k, k + 1] = between[k + 1, k] = 0.01 * scale
    kick = np.zeros((NEURONS, INPUTS))
    kick[0, 2], kick[3, 5] = 2e-3 * scale, -1e-3 * scale
    share, crosstalk = np.zeros(INPUTS), np.zeros((INPUTS, INPUTS))
    share[1], crosstalk[2, 3], crosstalk[3, 2] = falling, falling / 2, falling / 3
    each = np.array([-0.05, 0.02])
    capacitance, delay = np.array([0.01, 0.0, 0.0, -0.02]) * scale, np.array([1e-3, 0.0, 0.0, 0.0]) * scale
    return NormalisedPlaces(capacitance, between, kick, delay, share, crosstalk, each, each / 4)


def weights() -> torch.Tensor:
    return torch.rand(NEURONS, INPUTS, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 0.9 - 0.25


def layer_of(model: NormalisedModel) -> RCSpikeLayer:
    layer = RCSpikeLayer(INPUTS, NEURONS, model).double()
    layer.set_weight(weights())
    return layer


TIMES = torch.tensor([[0.1, 0.62, 0.3, 0.45, 0.8, 1.0], [0.0, 0.2, 0.9, 0.5, 0.33, 0.7]], dtype=torch.float64)


def integrated(t: np.ndarray, w: np.ndarray, beta: np.ndarray, matrix: np.ndarray, kick: np.ndarray) -> np.ndarray:
    """v(1) of one sample: C dv/dt = sum of w (1 - beta v) of what has arrived, spike by spike."""
    v, inverse = np.zeros(len(w)), np.linalg.inv(matrix)
    events = np.unique(np.concatenate([[0.0], t[t < 1.0], [1.0]]))
    for start, end in pairwise(events):
        v = v + inverse @ kick[:, t == start].sum(1)
        on = t <= start
        g, f = w[:, on].sum(1), (w * beta)[:, on].sum(1)
        v = solve_ivp(lambda _, v, g=g, f=f: inverse @ (g - f * v), (start, end), v, rtol=1e-11, atol=1e-13).y[:, -1]
    return v


def test_membranes_mix_as_the_coupled_equations_say() -> None:
    """Membranes, kicks and capacitances; the steps leave out less than a hundredth of what coupling does."""
    ideal = NormalisedModel.constant(2.0, -1.5)
    model = dataclasses.replace(ideal, places=places())
    layer = layer_of(model)
    found = layer(TIMES)
    w = weights().numpy()
    beta = np.where(w > 0, 1 / 2.0, -1 / 1.5)
    given = places()
    matrix = np.diag(1 + given.capacitance + given.between.sum(1)) - given.between
    exact = np.stack([integrated(t, w, beta, matrix, given.kick) for t in TIMES.numpy()])
    alone = layer_of(dataclasses.replace(model, places=dataclasses.replace(given, between=0 * given.between)))(TIMES).membrane
    moved = np.abs(exact - alone.detach().numpy()).max()
    assert 2e-3 < moved < 2e-2
    error = np.abs(found.membrane.detach().numpy() - exact).max()
    assert error < 0.005 * moved
    # the falling lines take their kicks back
    arrived = (TIMES.numpy() < 1.0).astype(float)
    back = np.linalg.solve(matrix, given.kick @ arrived.T).T
    np.testing.assert_allclose((found.membrane - found.switched_membrane).detach().numpy(), back, atol=1e-12)


@pytest.mark.parametrize("e_dis", [np.inf, 4.0])
def test_neighbours_that_fall_pull_the_membrane(e_dis: float) -> None:
    """Spikes of membranes that their dischargers drive together until each comes to ground."""
    given = places(0.3)
    model = dataclasses.replace(NormalisedModel.constant(2.0, -1.5, e_dis), places=given, v_discharged=1.3)
    start = np.array([[0.9, 0.2, 0.75, 0.4]])
    b, matrix = 1 / e_dis, np.diag(given.between.sum(1)) - given.between + np.eye(NEURONS)
    rate = -np.log1p(-b) / b if b else 1.0
    v, spikes, time, step = start[0].copy(), np.ones(NEURONS), 0.0, 2e-5
    while time < 1.0:
        now = np.linalg.solve(matrix, np.where(v < 1.3, rate * (1 - b * v), 0.0))
        fired = (v < 1) & (v + step * now >= 1)
        spikes[fired] = time + ((1 - v) / now)[fired]
        v, time = v + step * now, time + step
    nothing = np.zeros(NEURONS)
    module = Places(model, torch.Size((NEURONS, INPUTS))).double()
    v = torch.as_tensor(start)
    layer = layer_of(dataclasses.replace(model, places=dataclasses.replace(given, capacitance=nothing, delay=nothing)))
    alone = layer.fire(v)
    found = layer.fire(v + module.firing(v, alone, None)).detach().numpy()[0]
    moved = np.abs(spikes - alone.detach().numpy()[0])
    assert moved.max() > 1e-3
    np.testing.assert_allclose(found, spikes, atol=0.02 * moved.max())


def test_places_are_differentiated() -> None:
    model = dataclasses.replace(NormalisedModel.constant(2.0, -1.5, 4.0), places=places(0.3), v_discharged=1.3)
    layer = layer_of(model)
    layer.requires_grad_(False)

    def moved(w: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        v = torch.func.functional_call(layer, {"weight": w}, (t,)).switched_membrane
        return v, layer.places.firing(v, 1.0 - 0.9 * v, None)

    assert torch.autograd.gradcheck(moved, (weights().requires_grad_(), (TIMES[1:] + 0.01).requires_grad_()), eps=1e-7, atol=1e-5)


def test_terms_leave_places_out() -> None:
    plain = realistic_model()
    model = dataclasses.replace(plain, places=places(falling=-0.2))
    terms = ("capacitance_by_place", "kick_by_place", "kick_off_by_place", "delay_by_place", "coupling")
    without = [layer_of(model.without(*names))(TIMES).spike_times for names in (terms, ())]
    alone = layer_of(plain)(TIMES).spike_times
    torch.testing.assert_close(without[0], alone, rtol=0, atol=0)
    assert (without[1] - alone).abs().max() > 1e-3
    for term in terms:
        assert (layer_of(model.without(term))(TIMES).spike_times - without[1]).abs().max() > 1e-5, term


def test_lines_that_fall_slowly_leave_other_charges() -> None:
    """Of one input by its own line, of two by each other's, where both have arrived."""
    plain = realistic_model()
    layer, alone = layer_of(dataclasses.replace(plain, places=places(0.0, -0.2))), layer_of(plain)
    moved = (layer(TIMES).switched_membrane - alone(TIMES).switched_membrane).detach()
    w = alone.effective_weight().detach()
    kick = torch.where(w > 0, -0.05, torch.where(w < 0, 0.02, 0.0 * w))
    expected = -0.2 * (kick[:, 1] + kick[:, 2] / 2 + kick[:, 3] / 3)
    torch.testing.assert_close(moved[0], expected, rtol=1e-9, atol=1e-12)
    late = TIMES[:1].clone()
    late[0, 3] = 1.0
    moved = (layer(late).switched_membrane - alone(late).switched_membrane).detach()
    torch.testing.assert_close(moved[0], -0.2 * kick[:, 1], rtol=1e-9, atol=1e-12)


def test_what_cannot_be_solved_is_said() -> None:
    model = dataclasses.replace(NormalisedModel.constant(2.0, -1.5), places=places())
    with pytest.raises(ValueError, match=r"places: of \[4, 6\] synapses, the layer has \[5, 6\]"):
        RCSpikeLayer(INPUTS, 5, model)
    phase = Accumulation(TIMES, weights(), torch.tensor(0.5), mixing=torch.eye(NEURONS, dtype=torch.float64))
    with pytest.raises(ValueError, match="mixing: DSTD takes each membrane by itself"):
        DSTD()(phase)
    torch.testing.assert_close(Exact()(phase), Exact()(dataclasses.replace(phase, mixing=None)))


def layer_places(neurons: int, inputs: int) -> LayerPlaces:
    between = tuple(tuple(5e-16 if abs(k - other) == 1 else 0.0 for other in range(neurons)) for k in range(neurons))
    return LayerPlaces(
        capacitance_f=(1e-16,) * neurons,
        between_f=between,
        charge_on_c=((1e-18,) * inputs,) * neurons,
        delay_s=(1e-10,) * neurons,
        falling_f=(1e-14,) * inputs,
        crosstalk_f=((0.0,) * inputs,) * inputs,
        off_per_f=(-1e-3, 5e-4),
        off_tail_per_f=(4e-4, -3e-4),
    )


def test_a_file_keeps_places_and_gives_each_layer_its_own(tmp_path: Path) -> None:
    reference = HardwareModel.reference()
    model = reference.model_copy(update={"places": (layer_places(5, 5), layer_places(3, 5))})
    model.save(tmp_path / "hardware.json")
    read = HardwareModel.load(tmp_path / "hardware.json")
    assert read.places == model.places and reference.places == ()
    crossbars = [Crossbar(5, 5, 5), Crossbar(5, 3, 3)]
    first, second = (normalise(column).places for column in columns_of_layers(read, crossbars))
    assert first is not None and second is not None
    assert first.kick.shape == (5, 5) and second.kick.shape == (3, 5)
    assert second.between[0, 1] == pytest.approx(5e-16 / read.neuron.capacitance_f)
    assert normalise(read).places is None
    # a membrane comes to ground some way behind its threshold, at 1.3 V of 0.87
    assert normalise(read).v_discharged == pytest.approx(1.3 / 0.87, rel=0.05)
    with pytest.raises(HardwareModelError, match="places: the layout is of layers 5 x 5, 5 x 3, the network has 5 x 5, 5 x 5"):
        columns_of_layers(read, [Crossbar(5, 5, 5)] * 2)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("between_f", [[0.0, 1e-16], [2e-16, 0.0]], "between_f: must be 2 x 2, symmetric"),
        ("between_f", [[0.0, 1e-16], [2e-16]], "between_f: must be 2 x 2, symmetric"),
        ("charge_on_c", [[0.0, 0.0], [0.0]], "charge_on_c: must have a row for each of 2 neurons"),
        ("charge_on_c", [[0.0, 0.0]], "charge_on_c: must have a row for each of 2 neurons"),
        ("falling_f", [0.0], "falling_f, crosstalk_f: must be 2, and 2 x 2"),
        ("crosstalk_f", [[0.0, 2.0], [0.0, 0.0]], "crosstalk_f: no circuit has more than 1e-11"),
        ("capacitance_f", [1e-16, 1.0], "capacitance_f: no circuit has more than 1e-11"),
    ],
)
def test_a_place_that_cannot_be_is_one_line(field: str, value: object, message: str, tmp_path: Path) -> None:
    model = HardwareModel.reference().model_copy(update={"places": (layer_places(2, 2),)})
    content = model.model_dump(mode="json")
    content["places"][0][field] = value
    (tmp_path / "hardware.json").write_text(json.dumps(content))
    with pytest.raises(HardwareModelError, match=message):
        HardwareModel.load(tmp_path / "hardware.json")


def test_the_picture_of_a_membrane_is_that_of_the_layer() -> None:
    """`trajectory` and the layer are two programs for one equation."""
    model = dataclasses.replace(realistic_model(), places=places(falling=-0.2))
    layer = layer_of(model)
    out = layer(TIMES)
    w = layer.effective_weight().detach().numpy()
    drawn = np.stack([trajectory(model, w, t, np.array([0.999999999, 1.0])) for t in TIMES.numpy()])
    np.testing.assert_allclose(drawn[:, 0], out.membrane.detach().numpy(), atol=1e-8)
    np.testing.assert_allclose(drawn[:, 1], out.switched_membrane.detach().numpy(), atol=1e-12)


def test_a_graph_keeps_places(tmp_path: Path) -> None:
    layer = layer_of(dataclasses.replace(realistic_model(), places=places(falling=-0.2)))
    network = RCSpikeNetwork.of((INPUTS, NEURONS), [layer]).eval()
    save_graph(tmp_path / "network.json", network)
    again = load_graph(tmp_path / "network.json")
    torch.testing.assert_close(again(TIMES)[0].spike_times, network(TIMES)[0].spike_times, rtol=0, atol=0)
