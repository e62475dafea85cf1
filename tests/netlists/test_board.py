"""The board of a network: what it makes of the sources of its circuit, in one piece and column by column."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from cosim.bench.bench import Bench
from cosim.design import Design
from cosim.design.condition import parse
from cosim.mapping.engine import engine_of
from netlists.board import IDEAL, Environment
from netlists.columns import LineWaveform, column_bench
from netlists.crossbar import Cells, Sources
from netlists.network import network_bench
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting

ROWS = [[SynapseSetting(1, 0.5123), SynapseSetting(-1, 1.2), None]]
BOARD = Environment(
    bias_step_v=5e-3, source_resistance_ohm=1e6, source_capacitance_f=1e-13, ripple_v=0.01, rest_shift_v=5e-3, line_load_f=5e-14
)


def cells(board: Environment = IDEAL) -> Cells:
    return replace(Bench(Design(name="x"), None, None).cells(), environment=board)  # type: ignore[arg-type]


def flat(board: Environment) -> list[str]:
    return network_bench([cells(board)], [ROWS], [0.1, 0.2, 1.0]).netlist.splitlines()


def test_an_ideal_board_changes_no_card() -> None:
    netlist = "Vrest rest 0 1.3\nVa a 0 0.5123\n"
    assert IDEAL.around(netlist, Sources(rest=["Vrest"], bias=["Va"]), {}, 1.8) == netlist


def test_a_network_on_a_board() -> None:
    """5 mV steps, but for what is off at a rail; an impedance in front of every bias; ripple, rest and loads."""
    ideal, board = flat(IDEAL), flat(BOARD)
    assert "Vlayer_1_synapse_0_0_n_bias layer_1_synapse_0_0_n_bias 0 0.5123" in ideal
    for card in (
        "Vlayer_1_synapse_0_0_n_bias layer_1_synapse_0_0_n_bias_source 0 0.51",
        "Rlayer_1_synapse_0_0_n_bias layer_1_synapse_0_0_n_bias_source layer_1_synapse_0_0_n_bias 1000000.0",
        "Clayer_1_synapse_0_0_n_bias layer_1_synapse_0_0_n_bias 0 1e-13",
        "Vlayer_1_synapse_0_0_p_bias layer_1_synapse_0_0_p_bias_source 0 1.8",
        "Vrest rest 0 1.305",
        "Vsupply supply 0 SIN(1.8 0.01 10000000.0)",
        "Vspike_supply spike_supply 0 SIN(1.8 0.01 10000000.0)",
        "Clayer_1_spike_0_load layer_1_spike_0 0 5e-14",
        "Clayer_1_spike_0_bar_load layer_1_spike_0_bar 0 5e-14",
    ):
        assert card in board, card
    kept = [card for card in ideal if not re.match(r"V(\S*_bias|rest|supply|spike_supply) ", card)]
    assert set(kept) <= set(board)  # every device, and every line that a computer drives


def test_what_loads_the_outputs_is_on_no_other_line() -> None:
    board = Environment(line_load_f=1e-14, output_load_f=4e-14)
    layers = [cells(board.of_layer(is_last)) for is_last in (False, True)]
    cards = network_bench(layers, [ROWS, [[SynapseSetting(1, 0.5)]]], [0.1, 0.2, 1.0]).netlist.splitlines()
    loads = [card for card in cards if "_load " in card]
    assert loads == [
        f"Clayer_{layer}_spike_0{line}_load layer_{layer}_spike_0{line} 0 {load}"
        for layer, load in ((1, "1e-14"), (2, "5e-14"))
        for line in ("", "_bar")
    ]


def test_biases_that_are_one_device_of_many_are_as_many_sources_side_by_side() -> None:
    line = LineWaveform(((0.0, 0.0), (1e-7, 0.0), (1.01e-7, 1.8)), ((0.0, 1.8), (1e-7, 1.8), (1.01e-7, 0.0)))
    own, window = cells(BOARD), PhaseWindow.regular(5e-8, cells().timing)
    cards = column_bench(own, [SynapseSetting(1, 0.5)] * 3, [line] * 3, [], window, 2.1e-6).netlist.splitlines()
    assert "Rsynapse_0_n_0_bias synapse_0_n_0_bias_source synapse_0_n_0_bias 333333.3333333333" in cards
    assert f"Csynapse_0_n_0_bias synapse_0_n_0_bias 0 {3 * 1e-13!r}" in cards
    assert "Rdischarger_bias discharger_bias_source discharger_bias 1000000.0" in cards


def test_the_network_of_a_design_is_on_its_board_and_a_cell_by_itself_is_not() -> None:
    from training.hardware import HardwareModel

    design = Design.model_validate({"name": "x", "environment": {"rest_shift_v": 0.005}})
    bench = Bench(design, None, None)  # type: ignore[arg-type]
    assert bench.cells().environment == IDEAL
    assert [own.environment.rest_shift_v for own in bench.cells_of_layers(HardwareModel.reference())] == [0.005, 0.005]
    swept, _ = parse("environment.rest_shift_v=0.01", Design(name="x"))
    assert swept.applied(Design(name="x")).environment.rest_shift_v == 0.01


@pytest.mark.parametrize(
    ("board", "engine"),
    [({"rest_shift_v": 0.01}, "columns"), ({"ripple_v": 0.01}, "flat"), ({"source_resistance_ohm": 1e6}, "flat")],
)
def test_what_neurons_share_is_simulated_as_one_circuit(board: dict[str, float], engine: str) -> None:
    """One phase of a ripple, one impedance of a line: column by column each neuron would have its own."""
    assert engine_of(Design.model_validate({"name": "x", "environment": board})) == engine
    large = {"dataset": "digits", "bias": False, "layers": [32, 10]}
    assert engine_of(Design.model_validate({"name": "x", "environment": board, "network": large})) == "columns"
