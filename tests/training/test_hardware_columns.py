"""Columns of other sizes: which one a layer gets, what follows from two of them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.hardware import ColumnHardware, HardwareModel, HardwareModelError, columns_of_layers, normalise
from training.hardware.columns import resized
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.shapes import NetworkShape

ONE = HardwareModel.reference()
SYNAPSES = ONE.neuron.synapses
PER_SYNAPSE_F = ONE.neuron.capacitance_synapse.value
BIAS_PER_LOG_V = 0.05


def column(synapses: int, threshold_off_v: float = 0.0, capacitance_share: float = 1.0) -> ColumnHardware:
    """What a characterisation of another size would give where the capacitance grows by the same step for every synapse."""
    capacitance = (ONE.neuron.capacitance_neuron.value + synapses * PER_SYNAPSE_F) * capacitance_share
    made = resized(ONE.all_columns[0], synapses, capacitance, BIAS_PER_LOG_V)
    threshold = made.neuron.threshold.model_copy(update={"value": made.neuron.threshold.value + threshold_off_v})
    return made.model_copy(update={"neuron": made.neuron.model_copy(update={"threshold": threshold})})


def with_columns(*others: ColumnHardware) -> HardwareModel:
    return ONE.model_copy(update={"columns": others})


def test_a_layer_gets_the_column_of_its_size() -> None:
    model = with_columns(column(14), column(8))
    assert model.at(SYNAPSES) == model
    for synapses in (14, 8):
        layer = model.at(synapses)
        assert layer.neuron.synapses == synapses
        assert layer.neuron.capacitance_f == pytest.approx(ONE.neuron.capacitance_neuron.value + synapses * PER_SYNAPSE_F)
        assert sorted(one.neuron.synapses for one in layer.all_columns) == sorted((SYNAPSES, 14, 8))
        assert layer.at(SYNAPSES).neuron == ONE.neuron


def test_the_line_of_a_neuron_switches_every_layer_but_the_first() -> None:
    plus, minus = (
        cell.model_copy(update={"line_charge": cell.charge_on.model_copy(update={"y": tuple(2e-17 for _ in cell.charge_on.x)})})
        for cell in (ONE.plus, ONE.minus)
    )
    idle = ONE.neuron.idle_charge_on.model_copy(update={"value": -1e-18})
    neuron = ONE.neuron.model_copy(update={"idle_line_charge": idle})
    model = ONE.model_copy(update={"plus": plus, "minus": minus, "neuron": neuron})
    layers = [normalise(own) for own in columns_of_layers(model, NetworkShape.of(SYNAPSES, SYNAPSES, 3).crossbars)]
    first, second = layers
    charge_unit = ONE.neuron.capacitance_f * ONE.neuron.v_th_v
    assert second.plus.kick_on - first.plus.kick_on == pytest.approx(2e-17 / charge_unit)
    assert second.idle_kick_on - first.idle_kick_on == pytest.approx(-1e-18 / charge_unit)
    for side in ("plus", "minus"):
        behind = second.without("line")
        assert getattr(behind, side).kick_on == pytest.approx(getattr(first, side).kick_on, abs=1e-15)
    assert behind.idle_kick_on == pytest.approx(first.idle_kick_on, abs=1e-18)


def test_what_only_one_of_two_columns_has_is_that_of_the_nearest() -> None:
    idle = ONE.neuron.idle_charge_on.model_copy(update={"value": 3e-18})
    own, large = (one.neuron.model_copy(update={"idle_line_charge": None}) for one in (ONE, column(16)))
    sent = column(16).model_copy(update={"neuron": large.model_copy(update={"idle_line_charge": idle})})
    model = with_columns(sent).model_copy(update={"neuron": own})
    assert model.at(14).neuron.idle_line_charge == idle and model.at(SYNAPSES + 1).neuron.idle_line_charge is None


def test_of_two_columns_of_a_size_the_one_with_the_input_lines_of_the_layer_is_taken() -> None:
    light, heavy = (
        one.model_copy(update={"neuron": one.neuron.model_copy(update={"inputs_loaded_with": loaded})})
        for one, loaded in ((column(14), 3), (column(14), 30))
    )
    model = with_columns(light, heavy)
    assert model.at(14, 5).neuron.loaded_inputs == 3 and model.at(14, 25).neuron.loaded_inputs == 30


def test_the_weight_of_a_current_follows_the_capacitance_of_its_column() -> None:
    model = with_columns(column(14))
    small, large = model.at(SYNAPSES), model.at(14)
    ratio = large.neuron.capacitance_f / small.neuron.capacitance_f
    assert ratio > 1.05 and large.unit_current_a == pytest.approx(ratio * small.unit_current_a)
    for sign in (1, -1):
        assert np.divide(small.weight_range(sign), large.weight_range(sign)) == pytest.approx([ratio] * 2)
    assert normalise(model, synapses=14).plus.kick_off == pytest.approx(normalise(model).plus.kick_off / ratio)


def test_one_column_says_nothing_of_another() -> None:
    with pytest.raises(HardwareModelError, match=rf"holds for columns of {SYNAPSES} synapses, not of 784; characterise"):
        normalise(ONE, synapses=784)


def test_two_columns_give_a_third_one() -> None:
    model = with_columns(column(16))
    for synapses in (10, 64):
        found, expected = model.at(synapses).neuron, column(synapses).neuron
        assert found.capacitance_f == pytest.approx(expected.capacitance_f, rel=1e-9)
        assert found.discharger_bias.value == pytest.approx(expected.discharger_bias.value, abs=1e-9)
        assert found.discharger_current.value / found.capacitance_f == pytest.approx(
            ONE.neuron.discharger_current.value / ONE.neuron.capacitance_f
        )
        assert found.firing == ONE.neuron.firing and found.threshold == ONE.neuron.threshold


@pytest.mark.parametrize("synapses", [1, 65, 1568])
def test_a_column_far_from_all_that_were_characterised_is_refused(synapses: int) -> None:
    model = with_columns(column(16))
    with pytest.raises(HardwareModelError, match=rf"columns of {SYNAPSES}, 16 synapses say nothing of one of {synapses}"):
        model.at(synapses)


@pytest.mark.parametrize("wrong", [column(16, threshold_off_v=2e-3), column(16, capacitance_share=1.05)])
def test_columns_that_contradict_each_other_give_no_third_one(wrong: ColumnHardware) -> None:
    with pytest.raises(HardwareModelError, match="no other size follows from them"):
        with_columns(wrong).at(32)


def test_every_layer_of_a_network_is_on_its_own_column() -> None:
    model = with_columns(column(8))
    network = RCSpikeNetwork((SYNAPSES, 8, 3), [normalise(model, synapses=n) for n in (SYNAPSES, 8)])
    network.reset_parameters(torch.Generator().manual_seed(0))
    first, second = network
    assert second.weight_range.plus[1] < first.weight_range.plus[1]
    alone = RCSpikeNetwork((8, 3), normalise(model.at(8)))
    alone.load_state_dict({"layers.0.weight": second.weight})
    t = torch.rand(4, SYNAPSES, generator=torch.Generator().manual_seed(1))
    spikes = network(t)
    assert torch.equal(alone(spikes[0].spike_times)[0].spike_times, spikes[1].spike_times)
    with pytest.raises(ValueError, match="1 for 2 layers"):
        RCSpikeNetwork((SYNAPSES, 8, 3), [normalise(model)])


def test_the_load_of_a_line_is_the_same_in_the_model_and_in_the_layer() -> None:
    measured, driven = normalise(ONE), normalise(ONE, fan_out=ONE.neuron.fan_out + 20)
    later = 20 * ONE.neuron.load_delay.value / ONE.phase_s
    assert later > 0 and driven.firing_t - measured.firing_t == pytest.approx(np.full(len(driven.firing_t), later))
    of_measured, of_driven = (RCSpikeLayer(SYNAPSES, 2, model, fan_out=7) for model in (measured, driven))
    assert of_measured.firing.t.numpy() == pytest.approx(of_driven.firing.t.numpy(), abs=1e-6)
