"""The device list of a network is what stands in its netlist, device by device and size by size."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cosim.cost.devices import device_table
from cosim.design import load_design
from cosim.design.cells import cells_of
from cosim.mapping.network import MappedNetwork
from netlists.crossbar import Cells
from netlists.network import network_bench
from netlists.synapse import SynapseSetting

DESIGNS = Path(__file__).parents[2] / "designs"
INPUTS = 3
OWN_CELL = "own_cell"
"""Of the user's own netlist, which is listed as one device."""


def mapped(cells: Cells) -> MappedNetwork:
    """Three inputs, two neurons, one output; codes of both signs and weights of zero."""
    codes = [SynapseSetting(sign, float(code)) for sign in (1, -1) for code in cells.synapse.codes(sign, 2)]  # type: ignore[arg-type]
    rows = ((codes[0], None, codes[-1]), (codes[1], codes[0], None))
    return MappedNetwork("ode", (rows, ((codes[2], codes[1]),)))


def in_netlist(text: str) -> Counter[tuple[str, float, float]]:
    """Devices of a netlist by model (without what the process puts before it), W and L in um; units side by side count."""
    bodies: dict[str, list[list[str]]] = {"": []}
    around = ""
    for words in (line.split() for line in text.splitlines() if line.strip()):
        if words[0].lower() == ".subckt":
            around = words[1]
            bodies[around] = []
        elif words[0].lower() == ".ends":
            around = ""
        elif words[0].startswith("X"):
            bodies[around].append(words)

    def within(name: str) -> Counter[tuple[str, float, float]]:
        found = Counter[tuple[str, float, float]]()
        for words in bodies[name]:
            called = [word for word in words if "=" not in word][-1]
            given = {key: value.strip("{}") for key, value in (word.split("=") for word in words if "=" in word)}
            if called in bodies and called != OWN_CELL:
                found += within(called)
            else:
                size = [float(given.get(key, "nan")) for key in ("w", "l")]
                found[called.removeprefix("sky130_fd_pr__"), *size] += int(given.get("m", "1"))
        return found

    return within("")


@pytest.mark.parametrize(
    "design",
    ["iris_5_5_5.toml", *(f"cells/{name}.toml" for name in ("cascode", "binary_weighted", "transmission_gate", "own_cell"))],
)
@pytest.mark.filterwarnings("ignore::cosim.InputRemark")
def test_it_counts_what_stands_in_the_netlist(design: str) -> None:
    cells = cells_of(load_design(DESIGNS / design))
    network = mapped(cells)
    wanted = in_netlist(network_bench([cells, cells], network.settings, [0.5] * INPUTS).netlist)
    listed = Counter[tuple[str, float, float]]()
    table = device_table(cells, network, INPUTS)
    for row in table.itertuples():
        listed[row.model, row.width_um, row.length_um] += row.units * row.count
    transistors = {key: count for key, count in wanted.items() if "fet" in key[0]}
    assert len(transistors) >= 8 and {key: count for key, count in listed.items() if "fet" in key[0]} == transistors
    for kind, role in (("cap_mim", "capacitor"), ("res_", "resistor"), (OWN_CELL, "netlist")):
        standing = sum(count for (model, *_), count in wanted.items() if model.startswith(kind))
        assert table[table.role == role]["count"].sum() == standing, role
    assert table[table.role == "capacitor"]["count"].sum() == 3


def test_a_weight_that_is_a_length_has_a_row_of_its_own() -> None:
    cells = cells_of(load_design(DESIGNS / "iris_5_5_5_resistive.toml"))
    resistors = device_table(cells, mapped(cells), INPUTS).query("role == 'resistor'")
    longest, shortest = cells.synapse.dimensions.resistor_length_um
    assert set(resistors.length_um) == {longest, shortest} and set(resistors.width_um) == {0.35}
    assert resistors["count"].sum() == 6, "two of the eight weights are zero"


def test_the_reference_network_has_the_devices_that_its_layout_was_compared_with() -> None:
    """`cosim layout` compares 390 of it with the netlist."""
    cells = cells_of(load_design(DESIGNS / "iris_5_5_5.toml"))
    layer = ((None,) * 5,) * 5
    assert device_table(cells, MappedNetwork("ode", (layer, layer)), 5)["count"].sum() == 390
