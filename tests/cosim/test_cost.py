"""What an inference costs: the model's prediction beside SPICE, and beside sums that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosim.bench.bench import Bench
from cosim.cost.cells import CellEnergies, LayerEnergy, SynapseEnergy
from cosim.cost.differentiable import network_energy
from cosim.cost.figures import code_bits, effective_bits, efficiencies, synaptic_events
from cosim.cost.measure import cell_energies
from cosim.cost.predict import fired_membranes, predicted_energies, supplied_charge
from cosim.design import Design
from cosim.design.cells import cells_of
from cosim.errors import InputError
from cosim.mapping.circuit import ENERGY_GROUPS
from cosim.mapping.codes import to_range
from cosim.mapping.columns import simulate_columns
from cosim.mapping.network import MappedNetwork, NetworkRun, map_network
from cosim.simulator.workers import WorkerPool
from netlists.areas import neuron_area, synapse_area
from netlists.crossbar import Cells
from netlists.synapse import SynapseSetting
from training.evaluation import evaluate
from training.hardware import Curve, HardwareModel, NormalisedModel, columns_of_layers, normalise
from training.layer import LayerOutput
from training.network import RCSpikeNetwork
from training.shapes import Crossbar

INPUTS = np.array([[0.0, 0.31, 0.62, 0.9, 1.0], [0.5, 0.1, 0.2, 1.0, 0.0]])


def _curve(x: tuple[float, ...], y: tuple[float, ...]) -> Curve:
    return Curve(x=x, y=y, x_name="x", x_unit="", y_name="y", y_unit="")


def _layer(**neuron: Curve) -> LayerEnergy:
    flat = _curve((0.0, 1.8), (1e-15, 1e-15))
    charge = _curve((1e-9, 1e-6), (2e-15, 2e-15))
    return LayerEnergy(
        synapses=2, fan_out=0, neuron={group: neuron.get(group, flat) for group in ENERGY_GROUPS},
        plus=SynapseEnergy(share=0.0, charge=charge), minus=SynapseEnergy(share=1.0, charge=charge), idle_charge_c=1e-15,
    )  # fmt: skip


def _ideal(hardware: HardwareModel) -> NormalisedModel:
    """Synapses that are plain current sources, on a membrane that nothing else moves."""
    return NormalisedModel.constant(1e9, -1e9)


def test_only_the_current_of_a_synapse_to_the_supply_comes_from_the_supply() -> None:
    hardware = HardwareModel.reference()
    unit_c = hardware.unit_current_a * hardware.phase_s
    model, times = _ideal(hardware), np.array([0.25, 1.0])
    layer = _layer()

    def charge(*weights: float) -> float:
        return supplied_charge(layer, hardware, model, np.array([weights]), times)

    assert charge(-0.5, -0.5) == pytest.approx(0.75 * 0.5 * unit_c + 2e-15), "on for three quarters; the other never"
    assert charge(0.5, -0.5) == pytest.approx(2e-15), "an NMOS to ground takes its switching alone"
    assert charge(0.0, 0.5) == pytest.approx(1e-15)
    assert charge(-1.0, 0.0) - charge(-0.5, 0.0) == pytest.approx(0.75 * 0.5 * unit_c)


def test_a_reversal_and_a_curvature_change_the_charge_as_the_membrane_moves() -> None:
    hardware = HardwareModel.reference()
    ideal, weights, times = _ideal(hardware), np.array([[1.0, -0.5]]), np.array([0.0, 0.0])
    minus = replace(ideal.minus, beta=np.full(2, -0.5), gamma=np.full(2, 0.2))
    bent = replace(ideal, minus=minus)
    v = np.linspace(0.0, 1.0, 20001)
    # dv/dt = 1 - 0.5 (1 + 0.5 v + 0.2 v^2), by small steps
    path, step = np.zeros(20001), v[1]
    for k in range(20000):
        path[k + 1] = path[k] + step * (1.0 - 0.5 * (1.0 + 0.5 * path[k] + 0.2 * path[k] ** 2))
    expected = 0.5 * np.mean(1.0 + 0.5 * path + 0.2 * path**2) * hardware.unit_current_a * hardware.phase_s
    assert supplied_charge(_layer(), hardware, bent, weights, times) == pytest.approx(expected + 4e-15, rel=1e-3)


def test_a_neuron_costs_what_its_membrane_says_and_an_input_what_its_driver_takes() -> None:
    hardware = HardwareModel.reference()
    network = RCSpikeNetwork((2, 1), _ideal(hardware), solver="exact").double()
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[0.5, 0.25]]))
    inputs = np.array([[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    model = evaluate(network, torch.as_tensor(inputs), torch.zeros(3, dtype=torch.long), 1)
    rising = _curve((0.2, 1.5), (2e-13, 15e-13))  # 1 pJ per volt
    energies = CellEnergies(supply_v=1.8, layers=(_layer(rest=rising),), input_fired_j=8e-14, input_silent_j=1e-14)
    found = predicted_energies(energies, [hardware], network, model, inputs)
    assert found["spike_lines"] == pytest.approx(np.array([9e-14, 16e-14, 2e-14]) + 1e-15)
    volts = hardware.neuron.membrane(np.array([0.5, 0.75, 0.0]) * hardware.neuron.v_th_v)
    assert found["rest"] == pytest.approx(1e-12 * volts, rel=1e-6)


def test_a_neuron_fires_as_an_idle_one_from_its_membrane_with_the_tails_of_its_synapses() -> None:
    """The tail counts from the reference time, and what an idle synapse leaks is in the idle column already."""
    ideal = _ideal(HardwareModel.reference())
    plus = replace(ideal.plus, kick_off_tail=np.full(2, 0.02), leakage=np.full(2, 0.003))
    model = replace(ideal, plus=plus, idle_leakage=0.001, tail_reference=0.5)
    spikes = torch.tensor([[1.0], [0.25]], dtype=torch.float64)
    layer = LayerOutput(spikes, torch.zeros(2, 1), torch.tensor([[0.1], [0.8]], dtype=torch.float64))
    found = fired_membranes(model, np.array([[1.0, 0.5]]), np.array([[0.3, 1.0], [0.1, 0.2]]), layer, np.array([[0, 1]]))
    assert found[0, 0] == pytest.approx(0.1 + 0.02 * np.log(2.0) + 2 * 0.002)
    assert found[1, 0] == pytest.approx(0.8 - 2 * 0.02 * np.log(2.0) + 2 * 0.002 * 0.25)


def test_training_sees_the_energy_that_is_predicted() -> None:
    """But for what no weight changes; the membrane along which a synapse drives is taken as half of where it comes to."""
    hardware = HardwareModel.reference()
    columns = columns_of_layers(hardware, 2 * [Crossbar(5, 5, 5)])
    network = RCSpikeNetwork((5, 5, 5), [normalise(column) for column in columns]).double().eval()
    network.reset_parameters(torch.Generator().manual_seed(3))
    inputs = torch.rand(40, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    nothing = _curve((1e-12, 1e-3), (0.0, 0.0))
    signs = {"plus": SynapseEnergy(share=0.02, charge=nothing), "minus": SynapseEnergy(share=0.98, charge=nothing)}
    rest, supply = _curve((0.2, 1.3, 1.8), (1e-12, 4e-13, 3e-13)), _curve((0.2, 1.2, 1.8), (3e-13, 9e-14, 9e-14))
    layer = _layer(rest=rest, supply=supply).model_copy(update={**signs, "idle_charge_c": 0.0})
    energies = CellEnergies(supply_v=1.8, layers=(layer, layer), input_fired_j=0.0, input_silent_j=0.0)
    model = evaluate(network, inputs, torch.zeros(40, dtype=torch.long), 5)
    predicted = sum(predicted_energies(energies, columns, network, model, inputs.numpy()).values()).mean()
    seen = float(network_energy(energies, columns)(list(network), inputs, model.layers).detach())
    assert seen == pytest.approx(predicted, rel=0.01)
    with torch.no_grad():
        network.layers[0].weight.mul_(1.3)
    model = evaluate(network, inputs, torch.zeros(40, dtype=torch.long), 5)
    more = sum(predicted_energies(energies, columns, network, model, inputs.numpy()).values()).mean()
    seen_more = float(network_energy(energies, columns)(list(network), inputs, model.layers).detach())
    assert abs(more - predicted) > 0.01 * predicted, "weights change it"
    assert seen_more - seen == pytest.approx(more - predicted, rel=0.1)


def test_a_record_comes_back_as_it_was_saved_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    energies = CellEnergies(supply_v=1.8, layers=(_layer(),), input_fired_j=1e-13, input_silent_j=1e-15)
    energies.save(path := tmp_path / "cell_energies.json")
    assert CellEnergies.load(path) == energies
    path.write_text(path.read_text().replace('"supply_v": 1.8', '"supply_v": "much"'))
    with pytest.raises(InputError, match=r"cell_energies\.json: supply_v: "):
        CellEnergies.load(path)


def test_spikes_at_synapses_that_are_on_are_events() -> None:
    on, off = SynapseSetting(1, 0.5), None
    mapped = MappedNetwork("x", (((on, on), (off, on)), ((on, off),)))
    inputs, hidden = np.array([[0.1, 0.2], [1.0, 0.3]]), np.array([[0.5, 0.1], [1.0, 0.9]])
    assert synaptic_events(mapped, [inputs, hidden]) == pytest.approx((3 + 2) / 2 + (1 + 0) / 2)


def test_operations_per_watt_are_counted_in_three_ways() -> None:
    assert effective_bits(1e-6 / (np.sqrt(12) * 256), 1e-6) == pytest.approx(8.0)
    assert effective_bits(1.0, 1e-6) == 0.0, "an error of more than a phase tells nothing"
    ways = efficiencies(50, 10e-12, 8.0, 4.0)
    assert ways["energy.tops_per_w"] == pytest.approx(10.0)
    assert ways["energy.tops_per_w_weight_bits"] == pytest.approx(40.0)
    assert ways["energy.tops_per_w_normalised"] == pytest.approx(320.0)
    assert efficiencies(50, 10e-12, 8.0, None)["energy.weight_bits"] == 8.0


def _cells(**synapse: Any) -> Cells:
    return cells_of(Design.model_validate({"name": "x", **({"synapse": synapse} if synapse else {})}), 0.5, 0.0)


def test_a_cell_is_as_large_as_its_devices_are_drawn() -> None:
    cells, setting = _cells(), SynapseSetting(1, 0.5)
    d = cells.neuron.dimensions
    assert synapse_area(cells, setting).total_um2 == pytest.approx(4 * 1.0 * (0.25 + 2 * 0.29)), "four transistors of 1/0.25 um"
    assert synapse_area(cells, None) == synapse_area(cells, setting)
    area = neuron_area(cells)
    assert area.capacitor_um2 == pytest.approx(np.prod(d.membrane_capacitor_um))
    sizes = [d.logic_nmos, d.logic_pmos] * 2 + [d.spike_nmos, d.spike_pmos, d.reset_nmos, d.reset_pmos, d.discharger]
    sizes += [d.discharger_switch, d.pullup, d.header, d.sensing_pmos, d.sensing_nmos, d.output_clear]
    assert area.active_um2 == pytest.approx(sum(size.width_um * (size.length_um + 0.58) for size in sizes))
    wide = _cells(kind="binary_weighted", bits=3)
    wider = _cells(kind="binary_weighted", bits=4)
    more = synapse_area(wider, None).active_um2 - synapse_area(wide, None).active_um2
    unit = sum(size.width_um * (size.length_um + 0.58) for size in (wide.synapse.dimensions.nmos, wide.synapse.dimensions.pmos))
    assert more == pytest.approx(9 * unit), "the fourth bit of either sign: eight units and a switch"
    assert code_bits(wide) == pytest.approx(np.log2(2 * 7 + 1)) and code_bits(cells) is None


def test_a_longer_resistor_is_a_larger_synapse_and_none_has_no_area() -> None:
    cells = _cells(kind="resistive")
    short, long = cells.synapse.codes(1, 2)
    areas = [synapse_area(cells, SynapseSetting(1, float(code))).resistor_um2 for code in (short, long)]
    assert areas[1] / areas[0] == pytest.approx(long / short)
    assert synapse_area(cells, None).total_um2 == 0.0


@pytest.mark.slow
def test_the_model_predicts_the_energy_of_a_network_within_two_per_cent() -> None:
    """Nothing of the network goes into what its cells cost."""
    hardware, design = HardwareModel.reference(), Design(name="x")
    random = np.random.default_rng(5)
    weights = [to_range(random.normal(0.4, 0.5, (5, 5)), hardware) for _ in range(2)]
    with WorkerPool(jobs=2, timeout_s=300.0) as pool:
        bench = Bench(design, design.process.pdk(), None, pool=pool)
        energies = cell_energies(bench, hardware, design.shape)
        run = NetworkRun(map_network("random", weights, [hardware] * 2), INPUTS[0], {}, bench.working)
        (row,) = simulate_columns(bench, [bench.cells(hardware)] * 2, [run])
    assert row
    assert energies.layers[0].plus.share == pytest.approx(0.0, abs=0.05)
    assert energies.layers[0].minus.share == pytest.approx(1.0, abs=0.05)
    network = RCSpikeNetwork((5, 5, 5), normalise(hardware), solver="exact").double()
    with torch.no_grad():
        for layer, own in zip(network, weights, strict=True):
            layer.weight.copy_(torch.as_tensor(own))
    model = evaluate(network, torch.as_tensor(INPUTS), torch.zeros(len(INPUTS), dtype=torch.long), 5)
    found = predicted_energies(energies, [hardware] * 2, network, model, INPUTS)
    for group in ("supply", "rest", "spike_lines"):
        assert found[group][0] == pytest.approx(row[f"{group}_energy_j"], rel=0.02)
