"""The difference between circuit and model, cause after cause, on circuits that are models themselves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.integrate import solve_ivp

from cosim.mapping.codes import weight_of_setting
from cosim.mapping.network import map_network
from cosim.validation.causes import PUBLISHED, TERM_ORDER, Case, cause_tables, unexplained_metrics
from cosim.validation.currents import SweptCurrents, moved_membranes
from training.hardware import TERMS, HardwareModel, normalise
from training.network import RCSpikeNetwork

PHASE = 1e-6
HARDWARE = HardwareModel.reference()
COLUMNS = [HARDWARE, HARDWARE]


def _network() -> RCSpikeNetwork:
    network = RCSpikeNetwork((5, 5, 5), normalise(HARDWARE)).double().eval()
    network.reset_parameters(torch.Generator().manual_seed(3))
    return network


def _case(network: RCSpikeNetwork, circuit: RCSpikeNetwork, **more: object) -> Case:
    inputs = np.random.default_rng(0).uniform(0.0, 0.9, (6, 5))
    mapped = map_network("ode", network.effective_weights(), COLUMNS)
    with torch.no_grad():
        spikes = [output.spike_times.numpy() for output in circuit(torch.as_tensor(inputs))]
    return Case(network, mapped, COLUMNS, inputs, spikes, **more)  # type: ignore[arg-type]


def _sweeps(bend: float) -> pd.DataFrame:
    """The parabolas of the reference model as swept curves, each a little bent by a third power of the displacement."""
    neuron, frames = HARDWARE.neuron, []
    u = np.linspace(neuron.membrane.x[0], neuron.membrane.x[-1], 201)
    for sign in (1, -1):
        synapse = HARDWARE.synapse(sign)
        rest = np.array(synapse.code.x)
        slope, curvature = synapse.slope_and_curvature(rest)
        for code, *own in zip(synapse.code.y, rest, slope, curvature, strict=True):
            current = sign * own[0] * (1 - sign * own[1] * u + own[2] * u**2 + bend * (u / neuron.v_th_v) ** 3)
            frames.append(pd.DataFrame({"sign": sign, "code": code, "membrane_v": neuron.membrane(u), "current_a": current}))
    return pd.concat(frames)


def test_every_term_stands_in_the_order() -> None:
    assert sorted(TERM_ORDER) == sorted(TERMS)


def test_a_circuit_that_is_the_model_leaves_nothing_once_all_terms_are_there() -> None:
    network = _network()
    table = cause_tables(_case(network, network), PHASE).layers
    terms = table[(table.kind == "term") & (table.layer == 2)].set_index("cause")
    assert terms.spike_rmse_s.iloc[-1] == 0.0
    assert terms.spike_rmse_s["ideal"] > terms.spike_rmse_s[PUBLISHED] > 1e-9
    assert "capacitance_by_weight" not in terms.index, "these cells have none"
    # the codes of this cell are no steps, so that only the rounding of an inverted curve is left
    assert table[(table.cause == "codes")].spike_rmse_s.max() < 1e-13
    assert table[table.cause == "solver"].moved_s.min() > 1e-12


def test_bent_currents_are_explained_by_their_sweeps_and_by_nothing_else() -> None:
    network, bend = _network(), 0.02
    case = _case(network, network)
    weights = [np.array([[weight_of_setting(one, HARDWARE) for one in row] for row in layer]) for layer in case.mapped.settings]
    swept = SweptCurrents(_sweeps(bend))
    bent = swept.correcting(network, weights, COLUMNS, lambda number, t: _spikes(network, number, t))
    hidden = bent(0, case.inputs)
    case = Case(network, case.mapped, COLUMNS, case.inputs, [hidden, bent(1, hidden)], currents=swept)
    table = cause_tables(case, PHASE).layers
    left = table[table.layer == 2].set_index("cause").spike_rmse_s
    assert left["leakage"] > 1e-10
    assert left["currents"] < 1e-3 * left["leakage"]
    metrics = unexplained_metrics(table)
    assert metrics["validation.unexplained_of_model_error"] == pytest.approx(left["currents"] / left["leakage"])
    assert metrics["validation.unexplained_fraction"] == pytest.approx(left["currents"] / left[PUBLISHED])
    assert metrics["validation.layer_1_unexplained_s"] < 1e-13


def _spikes(network: RCSpikeNetwork, number: int, t: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return list(network)[number](torch.as_tensor(t)).spike_times.numpy()


def test_swept_currents_move_a_membrane_as_an_ode_solver_says() -> None:
    model, weights = normalise(HARDWARE), np.array([[0.6, -0.3, 0.2], [-0.4, 0.5, 0.0]])
    bend, t = 0.05, np.array([0.2, 0.5, 1.0])
    beyond = SweptCurrents(_sweeps(bend)).beyond_parabolas(HARDWARE, model, weights)
    network = RCSpikeNetwork((3, 2), model).double()
    beta, gamma, kick, leakage = (
        getattr(next(iter(network)).cells(torch.as_tensor(weights)), name).numpy()
        for name in ("beta", "gamma", "kick_on", "leakage")
    )
    ends = []
    for third in (bend, 0.0):
        v = np.full(2, model.v_reset)
        for start, end in pairwise([0.0, 0.2, 0.5, 1.0]):
            on = t <= start
            v = v + kick[:, t == start].sum(1)

            def slope(_: float, v: np.ndarray, on: np.ndarray = on, third: float = third) -> np.ndarray:
                u = v[:, None]
                arrived = weights[:, on] * (1 - beta[:, on] * u + gamma[:, on] * u**2 + third * u**3)
                return arrived.sum(1) + leakage[:, ~on].sum(1) + model.leakage

            v = solve_ivp(slope, (start, end), v, rtol=1e-11, atol=1e-13).y[:, -1]
        ends.append(v)
    moved = moved_membranes(model, weights, beyond, t)
    assert np.abs(ends[0] - ends[1]).max() > 1e-5
    assert moved == pytest.approx(ends[0] - ends[1], rel=2e-3, abs=3e-8)


def test_what_a_tighter_tolerance_changes_is_numerics_where_it_is_known() -> None:
    network = _network()
    case = _case(network, network)
    shifted = [spikes + 1e-4 * (spikes < 1.0) for spikes in case.circuit]
    repeated = [np.where(np.arange(6)[:, None] < 2, spikes, np.nan) for spikes in case.circuit]
    case = Case(network, case.mapped, COLUMNS, case.inputs, shifted, repeated)
    table = cause_tables(case, PHASE).layers.set_index(["cause", "layer"])
    row = table.loc[("numerics", 1)]
    assert row.moved_s == pytest.approx(1e-4 * PHASE, rel=1e-6)
    before, fires = table.loc[("codes", 1)], case.circuit[0] < 0.98
    share = fires[2:].sum() / fires.sum()
    assert row.alone_rmse_s == pytest.approx(before.alone_rmse_s * np.sqrt(share), rel=1e-6)


def test_the_rows_of_neurons_add_up_to_those_of_their_layers() -> None:
    network = _network()
    case = _case(network, network)
    late = [spikes + 1e-3 * np.array([0.0, 1.0, 0.0, 0.0, 2.0]) * (spikes < 1.0) for spikes in case.circuit]
    layers, neurons = cause_tables(Case(network, case.mapped, COLUMNS, case.inputs, late), PHASE)
    for (cause, layer), part in neurons.groupby(["cause", "layer"]):
        [own] = layers[(layers.cause == cause) & (layers.layer == layer)].itertuples()
        assert np.sqrt(np.average(part.alone_rmse_s**2, weights=part.firing)) == pytest.approx(own.alone_rmse_s, rel=1e-9)
        assert np.average(part.alone_mean_s, weights=part.firing) == pytest.approx(own.alone_mean_s, rel=1e-9, abs=1e-21)
    last = neurons[(neurons.cause == "codes") & (neurons.layer == 1)].set_index("neuron").alone_mean_s
    assert last[4] == pytest.approx(2e-3 * PHASE, rel=1e-6) and abs(last[0]) < 1e-13
    assert neurons.firing.max() <= len(case.inputs)
