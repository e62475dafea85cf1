"""The synapse cells beyond the reference: what is connected to what, their codes, and what simulation says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PySpice.Spice.Netlist import Circuit

from cosim.bench.bench import Bench
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.design import load_design
from cosim.simulator import simulate
from netlists.crossbar import Cells
from netlists.neuron.rc_spike import RcSpikeNeuron, RcSpikeSection
from netlists.synapse import SIGNS, SYNAPSES, SynapseNodes, SynapseSetting, synapse_cell
from netlists.synapse.binary_weighted import BinaryWeightedSection, BinaryWeightedSynapse
from netlists.synapse.cascode import CascodeSection, CascodeSynapse
from netlists.synapse.from_netlist import NetlistSection
from netlists.synapse.transmission_gate import TransmissionGateSection, TransmissionGateSynapse
from netlists.testbenches import synapse_iv
from netlists.timing import Timing
from sky130_models.process import SKY130

CELLS = sorted((Path(__file__).parents[2] / "designs" / "cells").glob("*.toml"))
NODES = SynapseNodes("membrane", "spike", "spike_bar", "supply")


def calls(netlist: str) -> dict[str, list[str]]:
    """Element name -> its words before the parameters, of every X card."""
    lines = [line.split() for line in netlist.splitlines() if line.startswith("X")]
    return {words[0]: [word for word in words[1:] if "=" not in word] for words in lines}


def _cards(netlist: str) -> list[str]:
    return [line for line in netlist.splitlines() if line[:1] not in ("", "*", ".")]


def test_the_cascode_stands_between_membrane_and_memory() -> None:
    pins = calls(str(CascodeSynapse(SKY130.fill(CascodeSection, "synapse"), SKY130, 1.8).subcircuit()))
    assert pins["Xn_cascode"][:4] == ["membrane", "n_cascode", "n_drain", "0"]
    assert pins["Xn_memory"][:4] == ["n_drain", "n_bias", "n_middle", "0"]
    assert pins["Xn_selector"][:4] == ["n_middle", "spike", "0", "0"]
    assert pins["Xp_cascode"][:4] == ["membrane", "p_cascode", "p_drain", "supply"]
    assert pins["Xp_selector"][:4] == ["p_middle", "spike_bar", "supply", "supply"]


def test_cells_share_the_level_of_their_cascodes() -> None:
    circuit, cell = Circuit("two"), CascodeSynapse(SKY130.fill(CascodeSection, "synapse", nmos_cascode_v=0.7), SKY130, 1.8)
    sources = [cell.attach(circuit, name, NODES, SynapseSetting(1, 0.5)) for name in ("a", "b")]
    assert sources == [["Va_n_bias", "Va_p_bias", "Vsynapse_n_cascode", "Vsynapse_p_cascode"], ["Vb_n_bias", "Vb_p_bias"]]
    assert str(circuit).count("Vsynapse_n_cascode synapse_n_cascode 0 0.7") == 1


@pytest.mark.parametrize(("sign", "rail"), [(1, "0"), (-1, "supply")])
def test_a_transmission_gate_switches_the_resistor_at_the_membrane(sign: int, rail: str) -> None:
    synapse = TransmissionGateSynapse(SKY130.fill(TransmissionGateSection, "synapse"), SKY130, 1.8)
    pins = calls(str(synapse.subcircuit("s", SynapseSetting(sign, 200.0))))  # type: ignore[arg-type]
    assert pins["Xn_switch"][:4] == ["membrane", "spike", "switch", "0"]
    assert pins["Xp_switch"][:4] == ["membrane", "spike_bar", "switch", "supply"]
    assert pins["Xweight"][:2] == ["switch", rail]


@pytest.mark.parametrize("bits", [3, 4, 6])
def test_a_bit_switches_a_power_of_two_of_unit_transistors(bits: int) -> None:
    cell = str(BinaryWeightedSynapse(SKY130.fill(BinaryWeightedSection, "synapse", bits=bits), SKY130, 1.8).subcircuit())  # type: ignore[arg-type]
    for branch in "np":
        memories = [line for line in cell.splitlines() if line.startswith(f"X{branch}_memory_")]
        assert len(memories) == bits
        units = [int(word.removeprefix("m=")) for line in memories[1:] for word in line.split() if word.startswith("m=")]
        assert units == [2**bit for bit in range(1, bits)]
        assert " m=" not in memories[0]


def test_the_bits_of_a_code_stand_at_the_rails() -> None:
    synapse = BinaryWeightedSynapse(SKY130.fill(BinaryWeightedSection, "synapse", bits=3), SKY130, 1.8)
    circuit = Circuit("one")
    synapse.attach(circuit, "a", NODES, SynapseSetting(1, 5.0))
    synapse.attach(circuit, "b", NODES, SynapseSetting(-1, 6.0))
    synapse.attach(circuit, "off", NODES, None)
    lines = {name: words[5:11] for name, words in calls(str(circuit)).items() if name in ("Xa", "Xb", "Xoff")}
    off_n, off_p = ["0"] * 3, ["supply"] * 3
    assert lines["Xa"] == ["supply", "0", "supply", *off_p]
    assert lines["Xb"] == [*off_n, "supply", "0", "0"]
    assert lines["Xoff"] == [*off_n, *off_p]
    for code in (8.0, 2.5, -1.0):
        with pytest.raises(ValueError, match="whole number from 0 to 7"):
            synapse.attach(circuit, "c", NODES, SynapseSetting(1, code))


def test_binary_codes_are_whole_and_at_most_as_many_as_asked_for() -> None:
    synapse = BinaryWeightedSynapse(SKY130.fill(BinaryWeightedSection, "synapse", bits=6), SKY130, 1.8)
    assert synapse.codes(1, 63).tolist() == synapse.codes(-1, 200).tolist() == list(range(1, 64))
    few = synapse.codes(1, 8)
    assert few[0] == 1 and few[-1] == 63 and 4 <= len(few) <= 8
    assert np.all(few == few.round()) and np.all(np.diff(few) > 0)


def test_a_cell_without_a_sign_has_no_codes_for_it() -> None:
    pins = {"membrane": "m", "spike": "s", "bias_n": "b"}
    cell = synapse_cell(NetlistSection(cards="x", subcircuit="c", pins=pins, bias_n_v=(0.2, 0.4)), SKY130, 1.8)  # type: ignore[arg-type]
    assert cell.codes(1, 3) == pytest.approx([0.2, 0.3, 0.4])
    assert len(cell.codes(-1, 3)) == 0


@pytest.mark.parametrize("path", CELLS, ids=lambda path: path.stem)
def test_every_design_of_a_cell_makes_decks(path: Path) -> None:
    design = load_design(path)
    bench = Bench(design, design.process.pdk(), None)
    points = {name: list(measurement.points(bench)) for name, measurement in MEASUREMENTS.items()}
    for name, made in points.items():
        assert len({point.deck.text() for point in made}) == len(made) > 0, f"{name}: each point has a deck of its own"
    codes = {sign: bench.cells().synapse.codes(sign, design.characterization.codes) for sign in SIGNS}
    found = {sign: [p.condition["code"] for p in points["synapse_current"] if p.condition["sign"] == sign] for sign in SIGNS}
    assert {sign: pytest.approx(list(expected)) for sign, expected in codes.items()} == found
    held = [point.deck.netlist for point in points["synapse_current"]]
    assert {calls(netlist)["Xsynapse"][0] for netlist in held} == {"membrane"}
    resting, running = points["leakage"][0].deck.netlist, points["synapse_current"][0].deck.netlist
    assert _cards(resting) != _cards(running), "a weight of zero is another circuit or bias than the weakest weight"


def test_every_kind_has_a_design_to_start_from() -> None:
    here = {load_design(path).synapse.kind for path in [*CELLS, *CELLS[0].parents[1].glob("*.toml")]}
    assert here == set(SYNAPSES)


def test_a_weight_of_zero_lets_nothing_flow_into_the_deck_but_what_leaks() -> None:
    cells = Cells(
        synapse_cell(SKY130.fill(BinaryWeightedSection, "synapse"), SKY130, 1.8),
        RcSpikeNeuron(SKY130.fill(RcSpikeSection, "neuron"), SKY130),
        Timing(),
        1.8,
        0.5,
    )
    netlist = synapse_iv(cells, None)
    assert calls(netlist)["Xsynapse"][5:13] == ["0"] * 4 + ["supply"] * 4


def _measured(name: str, settings: list[tuple[int, float]]) -> pd.DataFrame:
    """Current at rest (A, towards ground) and lambda (1/V) of some settings of a design of a cell."""
    design = load_design(CELLS[0].parent / f"{name}.toml")
    bench = Bench(design, design.process.pdk(), None)
    points = [p for p in MEASUREMENTS["synapse_current"].points(bench) if (p.condition["sign"], p.condition["code"]) in settings]
    assert len(points) == len(settings)
    found = [{**outcome.point.condition, **(outcome.row or {})} for outcome in simulate(points, None, jobs=1)]
    return pd.DataFrame(found).set_index(["sign", "code"])


@pytest.mark.slow
def test_cascode_and_long_channel_push_the_reversal_away() -> None:
    # docs/physics.md: lambda of the reference cell 0.35 .. 0.42 /V (NMOS) and 0.66 .. 0.80 /V (PMOS)
    cascode = _measured("cascode", [(1, 0.42), (1, 0.6), (-1, 1.3), (-1, 1.02)]).lambda_per_v.abs()
    assert cascode.loc[1].max() < 0.025 and cascode.loc[-1].max() < 0.04
    long = _measured("long_channel", [(1, 0.4), (1, 0.62), (-1, 1.06), (-1, 0.8)]).lambda_per_v.abs()
    assert long.loc[1].max() < 0.2 and long.loc[-1].max() < 0.02


@pytest.mark.slow
def test_a_binary_code_is_so_many_unit_currents() -> None:
    table = _measured("binary_weighted", [(sign, float(code)) for sign in (1, -1) for code in (1, 2, 7, 8, 15)])
    for sign, worst in ((1, 0.04), (-1, 0.07)):
        currents = table.loc[sign].current_a
        share = currents / currents.iloc[0] / currents.index.to_numpy()
        # the series switch and the common selector cost a little at the largest currents
        assert (share <= 1.0 + 1e-6).all() and (share > 1 - worst).all(), share
