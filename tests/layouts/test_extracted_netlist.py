"""An extracted cell as a netlist: drawn diffusions, wires as capacitors; resistances, and tables by position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import Drawn

from cosim.design import load_design
from cosim.design.own_cell import admitted_cell
from layouts.devices import devices_of
from layouts.drawing.network import draw_synapse
from layouts.drawing.row import Row
from layouts.errors import LayoutError
from layouts.extraction import extract
from layouts.extraction.conductors import FlatCell
from layouts.extraction.netlist import extracted_netlist
from layouts.extraction.positions import CrossbarNets, couplings, lines, membranes
from layouts.extraction.resistance import port_conductances, resistance_ohm
from layouts.gds import new_layout
from netlists.synapse import synapse_cell
from netlists.synapse.from_netlist import NetlistSection

DESIGN = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"
PINS = ("membrane", "spike", "spike_bar", "n_bias", "p_bias", "supply")


@pytest.fixture(scope="module")
def synapse() -> Row:
    design = load_design(DESIGN)
    cell = synapse_cell(design.synapse, design.technology, 1.8).subcircuit()
    layout = new_layout()
    row = draw_synapse(layout, "drawn_synapse", devices_of(cell))
    row.held = layout  # type: ignore[attr-defined]
    return row


def test_a_shared_diffusion_is_as_small_as_it_was_drawn(synapse: Row) -> None:
    """Between two gates 0.21 um apart: 0.105 um^2 for each, where a netlist that knows no layout has 0.29."""
    devices = [line for line in extracted_netlist(synapse.cell, PINS).splitlines() if line.startswith("X")]
    assert len(devices) == 4
    assert all("l=0.25 w=1" in line for line in devices)
    assert sum("ad=0.105" in line or "as=0.105" in line for line in devices) == 4
    assert sum("ad=0.29" in line or "as=0.29" in line for line in devices) == 4


def test_capacitors_are_those_of_the_extraction(synapse: Row) -> None:
    cards = [line.split() for line in extracted_netlist(synapse.cell, PINS).splitlines() if line.startswith("C")]
    written = sum(float(farads) for _, *nets, farads in cards if "membrane" in nets)
    assert written == pytest.approx(extract(synapse.cell).total()["membrane"], rel=1e-4)
    assert 0.5e-15 < written < 4e-15


def test_an_extracted_cell_is_admitted_as_a_cell_of_ones_own(synapse: Row, tmp_path: Path) -> None:
    (tmp_path / "drawn.spice").write_text(extracted_netlist(synapse.cell, PINS))
    roles = {"membrane": "membrane", "spike": "spike", "spike_bar": "spike_bar", "bias_n": "n_bias", "bias_p": "p_bias"}
    section = NetlistSection(
        file="drawn.spice",
        subcircuit="drawn_synapse",
        pins={**roles, "supply": "supply"},
        bias_n_v=(0.4, 0.65),
        bias_p_v=(1.3, 1.05),
    )
    admitted = admitted_cell(section, tmp_path, load_design(DESIGN).process)
    assert admitted.cards.lower().count("fet_01v8") == 4
    assert "ad=0.105" in admitted.cards


def test_the_crossbar_is_told_position_by_position() -> None:
    """Two membranes, one spike line and its complement: met3 under met4, the complement twice as wide."""
    drawn = Drawn()
    for k in range(2):
        drawn.box("met3", -20, 10 * k, 20, 10 * k + 0.3, f"membrane_{k}")
    drawn.box("met4", 0, -20, 0.3, 40, "spike").box("met4", 9, -20, 9.6, 40, "bar")
    found = extract(drawn.cell)
    nets = CrossbarNets(1, ("membrane_0", "membrane_1"), (("spike", "bar"),))
    coupled, hung, driven = couplings(found, nets), membranes(found, nets), lines(found, nets)
    assert list(coupled.to_spike_f) == [found.between("membrane_0", "spike"), found.between("membrane_1", "spike")]
    assert (coupled.kick_f < 0).all()
    assert (coupled.kick_f == coupled.to_spike_f - coupled.to_spike_bar_f).all()
    parts = hung.to_spike_lines_f + hung.to_membranes_f + hung.to_others_f
    assert list(parts) == pytest.approx(list(hung.capacitance_f))
    assert list(hung.to_spike_lines_f) == pytest.approx(list(coupled.to_spike_f + coupled.to_spike_bar_f))
    assert driven.capacitance_f[1] > driven.capacitance_f[0] > 0


def test_resistance_of_a_wire_and_of_a_cut() -> None:
    """met1, 0.26 um wide, 14 um to a via, and as much of met2: squares at 0.125 ohm, the via at 4.5."""
    drawn = Drawn().box("met1", 0, 0, 14.2, 0.26, "w").box("via", 14, 0.055, 14.15, 0.205).box("met2", 13.9, 0, 28.2, 0.26)
    start, end = ("met1", 0.075, 0.13), ("met2", 28.075, 0.13)
    assert resistance_ohm(drawn.cell, "w", start, end) == pytest.approx(2 * 14 / 0.26 * 0.125 + 4.5, rel=0.01)
    with pytest.raises(LayoutError, match=r"net w has no met1 at 20, 0\.13 um"):
        resistance_ohm(drawn.cell, "w", ("met1", 20, 0.13), end)
    with pytest.raises(LayoutError, match="has no net v"):
        resistance_ohm(drawn.cell, "v", start, end)


def test_a_wire_with_several_places_is_a_chain_of_resistances() -> None:
    """met1, 0.26 um wide: between neighbours the resistance of their squares, between the ends nothing beside the middle."""
    drawn = Drawn().box("met1", 0, 0, 40, 0.26, "w")
    places = [("met1", x, 0.13) for x in (1.0, 11.0, 31.0)]
    chain = port_conductances(FlatCell(drawn.cell), "w", places)
    one, two = (0.26 / (um * 0.125) for um in (10, 20))
    wanted = [[one, -one, 0], [-one, one + two, -two], [0, -two, two]]
    assert chain == pytest.approx(np.array(wanted), rel=0.01, abs=1e-6)
