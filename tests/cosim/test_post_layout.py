"""A network in its layout: cells as they were drawn in the place of schematics, and the whole network extracted."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.bench.post_layout import LineEffects, PostLayout, post_layout
from cosim.cost.measure import columns_of_cost, neuron_points
from cosim.design import Design, load_design
from cosim.design.cells import cells_of
from cosim.errors import InputError
from cosim.mapping.circuit import sample_point
from cosim.mapping.columns import Frame
from cosim.mapping.engine import engine_of
from cosim.mapping.network import MappedNetwork, NetworkRun
from cosim.pipeline.packages import one_line_errors
from layouts.errors import LayoutError
from netlists.columns import LineWaveform, column_bench
from netlists.multipliers import written_out
from netlists.network import network_bench
from netlists.synapse import SynapseSetting
from training.hardware import HardwareModel

REFERENCE = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"


def design_of(layers: tuple[int, ...], layout: bool = True) -> Design:
    design = load_design(REFERENCE)
    network = design.network.model_copy(update={"layers": layers})
    return design.model_copy(update={"network": network, "process": design.process.model_copy(update={"layout": layout})})


@pytest.fixture(scope="module")
def small() -> Design:
    """Five inputs, one neuron, one neuron behind it."""
    return design_of((1, 1))


@pytest.fixture(scope="module")
def drawn(small: Design) -> PostLayout:
    return post_layout(small)


def netlist_of(design: Design) -> str:
    cells, sizes = cells_of(design), design.network.sizes
    settings = [[[None] * n for _ in range(m)] for n, m in pairwise(sizes)]
    return network_bench([cells] * len(settings), settings, [0.5] * sizes[0]).netlist


def test_cells_stand_in_the_place_of_schematics(small: Design, drawn: PostLayout) -> None:
    """Same pins in the same order, same transistors; the lumped wire is gone, and the wires are there."""
    before = netlist_of(small)
    after = drawn.in_cells(before)
    headers = re.compile(r"^\.subckt .*$", re.MULTILINE)
    assert headers.findall(after) == headers.findall(before)
    assert "Cwire" in before
    assert "Cwire" not in after
    models = re.compile(r"sky130_fd_pr__\w+(?= )")
    driver = Counter(models.findall(drawn.cells["spike_driver"]))
    found, wanted = (Counter(models.findall(text)) for text in (after, before))
    assert found == wanted + driver, "a neuron holds the driver that it called"
    assert "Cplace_membrane_0 membrane 0" in after


def test_on_rails_every_device_hangs_on_the_line_of_its_row(small: Design, drawn: PostLayout) -> None:
    """Devices of a row on its nodes, those of the drivers above on the sources; the first layer, farther from the pins, behind
    more ohms; between two nodes of a rail what its wires have there."""
    netlist = netlist_of(small)
    devices = [line.split() for line in drawn.in_network(netlist, rails=True).splitlines() if line.startswith("X")]
    plain = [line.split() for line in drawn.in_network(netlist).splitlines() if line.startswith("X")]
    held = {"0": "ground", "supply": "supply", "rest": "rest"}
    for on_rails, on_ideal in zip(devices, plain, strict=True):
        layer = next((net[:7] for net in on_ideal[1:5] if re.match(r"layer_\d_(membrane|synapse)", net)), None)
        for net, node in zip(on_ideal[1:5], on_rails[1:5], strict=True):
            assert node in (net, *(f"{held.get(net)}_in_layer_{k}_0" for k in (1, 2)))
            assert layer is None or net not in held or node == f"{held[net]}_in_{layer}_0"
    assert {net for card in devices if "spike_supply" in card for net in card if "ground" in net} == set()
    ohms = {}
    for line in drawn.in_network(netlist, rails=True).splitlines():
        if line.startswith("Rrail"):
            _, one, other, value = line.split()
            ohms[one, other] = float(value)
    assert 0.5 < ohms["supply", "supply_in_layer_2_0"] < ohms["supply", "supply_in_layer_1_0"] < 50
    assert "Rrail" not in drawn.in_network(netlist)


def test_rails_without_a_layout_are_refused() -> None:
    with pytest.raises(ValueError, match="rails: only a layout has any; set layout = true too"):
        Design.model_validate(design_of((1, 1), layout=False).model_dump() | {"process": {"rails": True}})


def test_what_is_held_is_ground_to_the_wires(small: Design, drawn: PostLayout) -> None:
    """No capacitor to a bias, none between two held nets; each other net has what it had, to lines that switch too."""

    def capacitors(text: str) -> list[list[str]]:
        return [line.split() for line in text.splitlines() if line.startswith("C")]

    def on(cards: list[list[str]], net: str) -> float:
        return sum(float(card[3]) for card in cards if net in card[1:3])

    before, after = capacitors(drawn.network), capacitors(drawn.in_network(netlist_of(small)))
    assert len(after) < 0.5 * len(before)
    assert not [card for card in after if {"supply", "rest", "layer_1_pullup_bias"} & set(card[1:3])]
    assert any("layer_1_phase" in card[1:3] for card in after)
    for net in ("layer_1_membrane_0", "layer_1_spike_0_bar", "input_3"):
        assert on(after, net) == pytest.approx(on(before, net), rel=1e-5)


def test_several_in_parallel_are_several_of_the_drawn_cell(drawn: PostLayout) -> None:
    """As the schematic's netlist has it: a parameter in the header, and each card so many times."""
    netlist = "Xfive a b c d e spike_driver m=5\n"
    schematic = written_out(
        f".subckt spike_driver trigger enable spike spike_bar supply\nR1 spike 0 1k\n.ends spike_driver\n{netlist}"
    )
    after = drawn.in_cells(schematic)
    assert after.splitlines()[-1] == schematic.splitlines()[-1]
    assert after.splitlines()[0] == schematic.splitlines()[0]
    cards = [line for line in after.splitlines() if line.startswith(("X", "C")) and not line.startswith("Xfive")]
    assert len(cards) > 12
    assert all(line.endswith("m={copies}") for line in cards)


def test_the_network_keeps_its_sources_and_calls_no_cell(small: Design, drawn: PostLayout) -> None:
    before, after = netlist_of(small), drawn.in_network(netlist_of(small))
    sources = [line for line in before.splitlines() if line.startswith("V")]
    assert sources
    assert [line for line in after.splitlines() if line.startswith("V")] == sources
    assert ".subckt" not in after
    cells = [line for line in after.splitlines() if line.startswith("X")]
    assert len(cells) == 5 * 6 + 2 * 16 + 6 * 4, "drivers, neurons with theirs, synapses"
    membrane = [line.split() for line in after.splitlines() if line.startswith("C") and "layer_1_membrane_0" in line.split()[1:3]]
    assert 10e-15 < sum(float(card[3]) for card in membrane) < 30e-15


@pytest.fixture(scope="module")
def pair() -> PostLayout:
    """Two hidden neurons, two outputs."""
    return post_layout(design_of((2, 2)))


def test_places_are_what_cells_have_not(pair: PostLayout) -> None:
    """Cells hold the mean of membranes and of lines, so that what is left has none; neighbours couple, and nothing else does."""
    hidden, outputs = pair.places
    assert np.concatenate([hidden.membranes, outputs.membranes]).mean() == pytest.approx(0.0, abs=1e-20)
    assert hidden.outputs.mean() == pytest.approx(0.0, abs=1e-20)
    assert np.ptp(hidden.outputs) > 1e-16, "one line is longer than the other"
    assert hidden.output_pairs.mean() == pytest.approx(0.0, abs=1e-20)
    assert np.abs(hidden.falling).max() < 2e-15 < outputs.falling.min(), "lines of hidden neurons fall more slowly"
    assert 5e-16 < hidden.crosstalk[0, 1] < 5e-15, "the complement of an input runs along the true line of the next"
    assert (outputs.outputs < -2e-15).all(), "outputs have no line to a next layer"
    for layer in pair.places:
        np.testing.assert_array_equal(layer.between, layer.between.T)
        assert 3e-16 < layer.between[0, 1] < 8e-16
        assert np.abs(layer.spikes).max() < 1e-17, "true and complement cancel in every place"


def test_what_cells_and_places_have_is_what_the_network_has(pair: PostLayout) -> None:
    """Of one membrane: the cells on it, the mean and its place, and its neighbour."""

    def on(text: str, net: str) -> float:
        cards = [line.split() for line in text.splitlines() if line.startswith("C")]
        return sum(float(card[3]) for card in cards if net in card[1:3])

    synapse = next(text for name, text in pair.cells.items() if name.startswith("synapse"))
    own = on(pair.cells["neuron"], "membrane") + 5 * on(synapse, "membrane")
    place = pair.places[0]
    expected = own + place.membranes[1] + place.between[1].sum()
    assert on(pair.network, "layer_1_membrane_1") == pytest.approx(expected, rel=1e-4)


def test_a_hardware_model_has_places_in_its_units(pair: PostLayout) -> None:
    hidden = pair.places[0]
    placed = hidden.placed(1.8, LineEffects(5e4, 7e4, (-1e-3, 5e-4), (4e-4, -3e-4)))
    assert placed.charge_on_c[0][1] == pytest.approx(-1.8 * hidden.spikes[0, 1])
    assert placed.delay_s[0] == pytest.approx(5e4 * hidden.outputs[0] + 7e4 * hidden.output_pairs[0])
    assert placed.falling_f[1] == hidden.falling[1]
    assert placed.crosstalk_f[0][1] == hidden.crosstalk[0, 1]
    assert placed.off_per_f == (-1e-3, 5e-4)
    assert placed.shape == (2, 5)


def test_on_rails_a_model_knows_what_their_rows_drop(pair: PostLayout) -> None:
    """Of both lines, symmetric, most in the row itself; and nothing of it on ideal lines."""
    effects = LineEffects(0.0, 0.0, (0.0, 0.0), (0.0, 0.0))
    for layer in pair.places:
        railed, ideal = (layer.placed(1.8, effects, on_rails) for on_rails in (True, False))
        assert ideal.drop_ohm == ()
        assert not ideal.drops.any()
        for lines in railed.drops:
            np.testing.assert_allclose(lines, lines.T)
            assert np.all(np.diag(lines) >= lines.max(1))
            assert 0.01 < lines.min() < lines.max() < 50


def test_a_network_with_a_layout_is_one_circuit(small: Design) -> None:
    assert engine_of(small) == "flat"
    assert engine_of(design_of((1, 1), layout=False)) == "columns"


def test_a_cell_that_is_not_ours_is_refused_in_a_line(small: Design) -> None:
    cell = load_design(REFERENCE.parent / "cells" / "own_cell.toml")
    with pytest.raises(InputError, match=r"process\.layout: a cell of your own is not drawn here"), one_line_errors():
        post_layout(cell.model_copy(update={"network": small.network}))


def test_resistors_are_refused_in_a_line(small: Design) -> None:
    cell = load_design(REFERENCE.parent / "iris_5_5_5_resistive.toml")
    with pytest.raises(InputError, match=r"process\.layout: each weight of resistive is a drawing of its own"), one_line_errors():
        post_layout(cell.model_copy(update={"network": small.network}))


def test_columns_are_made_of_drawn_cells(small: Design, drawn: PostLayout) -> None:
    """Of a schematic a column takes synapses apart. A drawn one is one piece, with its wires and what the array adds."""
    cells, line = cells_of(small), LineWaveform(((0.0, 0.0),), ((0.0, 1.8),))
    settings = [None, SynapseSetting(1, 0.5)]
    frame = Frame.of(cells)
    whole, apart = (
        column_bench(own, settings, [line] * 2, settings, frame.window, frame.stop_s).netlist
        for own in (cells, replace(cells, drawn=False))
    )
    assert "Cplace_spike_spike_bar" in drawn.in_cells(whole)
    with pytest.raises(LayoutError, match="synapse_current_source_n was not drawn"):
        drawn.in_cells(apart)


def test_what_an_output_costs_is_measured_on_its_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """They go to no next layer: in a layout they have less than the lines of hidden neurons, whose mean stands in the cell."""
    design, hardware = design_of((1, 1)), HardwareModel.reference()
    bench = Bench(design, design.process.pdk(), None)
    # a model of five synapses stands for columns of one: where neurons are fired from is no matter here
    monkeypatch.setattr("cosim.cost.measure.columns_of_layers", lambda model, crossbars: [model] * len(crossbars))
    hidden, output = columns_of_cost(bench, hardware, design.shape)
    decks = [next(neuron_points(bench, one)).deck.netlist for one in (hidden, output)]
    cards = [re.findall(r"^Cmore_\d .*$", deck, re.MULTILINE) for deck in decks]
    assert cards[0] == []
    unsent = post_layout(design).places[-1].lines
    assert unsent[0] < 0
    assert [float(card.split()[-1]) for card in cards[1]] == [unsent[0], unsent[0], unsent[1]]


@pytest.mark.slow
def test_the_layout_moves_spikes() -> None:
    """One neuron, schematic and extracted: nanoseconds, no more; without spikes there would be nothing to compare."""
    spikes = list[float]()
    for layout in (False, True):
        design = design_of((1,), layout)
        bench = Bench(design, design.process.pdk(), None, jobs=1)
        settings = (((SynapseSetting(1, 0.55),) * 3 + (SynapseSetting(-1, 1.15), None),),)
        run = NetworkRun(MappedNetwork("test", settings), np.array([0.2, 0.4, 0.6, 0.7, 0.8]), {"sample": 0}, bench.working)
        point = sample_point(bench, [cells_of(design)], run, energy=False)
        spikes.append(bench.run([point]).row(point)["layer_1_spike_s"][0])
    assert 0 < spikes[0] < 0.95 * design.timing.phase_s
    assert 1e-10 < abs(spikes[1] - spikes[0]) < 60e-9
