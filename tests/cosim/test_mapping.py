"""Weights to codes and back."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.design import Design
from cosim.design.cells import cells_of
from cosim.mapping.codes import MappingError, setting_of_weight, to_range, weight_of_setting, with_gains
from cosim.mapping.network import map_network, mapped_networks, mapping_table
from netlists.network import network_bench
from training.hardware import HardwareModel

HARDWARE = HardwareModel.reference()
COLUMNS = [HARDWARE, HARDWARE]
CELLS = cells_of(Design(name="x"))


@given(st.sampled_from([1, -1]), st.floats(0.0, 1.0))
def test_every_weight_of_the_range_comes_back(sign: int, position: float) -> None:
    low, high = HARDWARE.weight_range(sign)
    weight = sign * low * (high / low) ** position
    setting = setting_of_weight(weight, HARDWARE)
    assert setting is not None
    assert setting.sign == sign
    assert weight_of_setting(setting, HARDWARE) == pytest.approx(weight, rel=1e-6)


def test_a_stronger_weight_needs_more_gate_drive() -> None:
    weak, strong = (setting_of_weight(w, HARDWARE) for w in (0.1, 1.0))
    assert weak and strong and weak.code < strong.code
    # the PMOS is driven by a lower gate voltage
    weak, strong = (setting_of_weight(w, HARDWARE) for w in (-0.1, -1.0))
    assert weak and strong and weak.code > strong.code


def test_the_unit_weight_is_near_its_published_bias() -> None:
    # measured: 103 nA at 0.55 V, 316 nA at 0.60 V; w = 1 is 121 nA
    setting = setting_of_weight(1.0, HARDWARE)
    assert setting is not None
    assert 0.55 < setting.code < 0.565


def test_a_code_that_has_steps_is_the_nearest_one() -> None:
    stepped = HARDWARE.model_copy(update={"plus": HARDWARE.plus.model_copy(update={"code_step": 0.05})})
    setting = setting_of_weight(1.0, stepped)  # 0.558 V where any bias will do
    assert setting is not None and setting.code == pytest.approx(0.55)
    assert 0.8 < weight_of_setting(setting, stepped) < 0.9


def test_zero_is_off() -> None:
    assert setting_of_weight(0.0, HARDWARE) is None
    assert weight_of_setting(None, HARDWARE) == 0.0


@pytest.mark.parametrize("weight", [0.001, -0.001, 50.0, -1.5])
def test_an_impossible_weight_names_its_synapse(weight: float) -> None:
    weights = [np.zeros((2, 3)), np.zeros((2, 2))]
    weights[1][0, 1] = weight
    with pytest.raises(MappingError, match="layer 2, neuron 0, input 1: weight"):
        map_network("ode", weights, COLUMNS)


def test_clipping_goes_sign_by_sign_and_small_weights_are_off() -> None:
    clipped = to_range(np.array([100.0, -100.0, 0.001, -0.001, 0.5, -0.5]), HARDWARE)
    assert clipped[0] == HARDWARE.weight_range(1)[1]
    assert clipped[1] == -HARDWARE.weight_range(-1)[1]
    assert list(clipped[2:]) == [0.0, 0.0, 0.5, -0.5]


def test_the_two_gains_act_on_their_sign_alone() -> None:
    (scaled,) = with_gains([np.array([[0.5, -0.5, 0.0]])], 1.2, 0.8, COLUMNS[:1])
    np.testing.assert_allclose(scaled, [[0.6, -0.4, 0.0]])


def test_the_table_has_a_row_a_synapse_with_the_weight_its_code_gives() -> None:
    weights = [np.array([[0.5, -0.25], [0.0, 1.0]]), np.array([[0.1, 0.2]])]
    table = mapping_table(map_network("ode", weights, COLUMNS), weights, COLUMNS)
    assert len(table) == 6
    np.testing.assert_allclose(table.mapped_weight, table.weight, rtol=1e-6)
    assert list(table.sign) == [1, -1, 0, 1, 1, 1]
    np.testing.assert_allclose(table.current_a, table.weight.abs() * HARDWARE.unit_current_a, rtol=1e-6)


def test_where_a_neuron_has_no_link_there_is_no_device_and_shared_weights_are_set_alike() -> None:
    kernel = np.array([0.5, -0.25, 0.0, 1.0])
    lines = [np.array([[0, 1, 3, 4], [1, 2, 4, 5]]), np.array([[0, 1]])]
    weights = [np.stack([kernel, kernel]), np.array([[0.1, 0.2]])]
    mapped = map_network("ode", weights, COLUMNS, lines)
    assert mapped.settings[0][0] == mapped.settings[0][1], "of a channel every position has the same biases, to the last bit"
    assert mapped.lines == (((0, 1, 3, 4), (1, 2, 4, 5)), ((0, 1),))
    assert [mapped.on_line(0, line) for line in (0, 4)] == [
        {0: mapped.settings[0][0][0]},
        {0: mapped.settings[0][0][3], 1: None},
    ]
    assert mapped.on_line(1, 1) == {0: mapped.settings[1][0][1]} and mapped.on_line(2, 0) == {}
    table = mapping_table(mapped, weights, COLUMNS)
    assert len(table) == 10 and table[table.layer == 1].input.tolist() == [0, 1, 3, 4, 1, 2, 4, 5]
    assert mapped_networks(table)["ode"] == mapped
    whole = network_bench([CELLS] * 2, mapped.settings, [0.1] * 6, mapped.lines).netlist
    names = {word for word in whole.split() if word.startswith("Xlayer_1_synapse")}
    assert names == {f"Xlayer_1_synapse_{k}_{j}" for k, row in enumerate(lines[0]) for j in row}
    biases = dict(re.findall(r"^Vlayer_1_synapse_(\d_\d_[np])_bias \S+ 0 (\S+)$", whole, re.MULTILINE))
    first, second = ([biases[f"{k}_{j}_{device}"] for j in row for device in "np"] for k, row in enumerate(lines[0]))
    assert first == second and len(set(first)) == 5, "two rails and three codes"
