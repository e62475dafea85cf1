"""The drawings show every device of the sub-circuits that are simulated, its size and its bias, and the network as it is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from cosim.design import Design, load_design
from cosim.design.cells import cells_of
from netlists.crossbar import Cells
from netlists.drawings import MOST_LINES, drawings
from netlists.neuron import neuron_cell
from netlists.spice import SubCircuit
from netlists.synapse import SYNAPSES, SynapseSetting
from netlists.synapse.current_source import CurrentSourceSynapse
from netlists.synapse.resistive import ResistiveSynapse
from sky130_models.process import SKY130

DESIGNS = Path(__file__).parents[2] / "designs"
LAYERS = {"layer 1": 5, "layer 2": 5}
NETLIST_PINS = {"membrane": "m", "spike": "s", "bias_n": "n", "bias_p": "p", "supply": "vdd"}


def cells(kind: str, **synapse: Any) -> Cells:
    return cells_of(Design.model_validate({"name": "drawn", "synapse": {"kind": kind, **synapse}}))


def any_cells(kind: str) -> Cells:
    own = {"subcircuit": "mine", "cards": "x", "pins": NETLIST_PINS, "bias_n_v": (0.2, 0.4), "bias_p_v": (1.6, 1.4)}
    return cells(kind, **(own if kind == "netlist" else {}))


def words(svg: str) -> str:
    return " ".join(" ".join(ET.fromstring(svg).itertext()).split())


def devices(cell: SubCircuit) -> dict[str, str]:
    """Device name -> model and size, from the cards of a sub-circuit."""
    found = {}
    for line in str(cell).splitlines():
        if line.startswith("X"):
            called = [word for word in line.split() if "=" not in word]
            sizes = dict(word.split("=") for word in line.split() if "=" in word)
            size = f" {sizes['w']}/{sizes['l']}" if "w" in sizes and "fet" in called[-1] else ""
            found[called[0][1:]] = called[-1].removeprefix("sky130_fd_pr__") + size
    return found


def extent(path: str) -> tuple[float, float]:
    points = [float(number) for number in re.findall(r"-?[\d.]+", path)]
    return max(points[::2]) - min(points[::2]), max(points[1::2]) - min(points[1::2])


@pytest.mark.parametrize(("width", "length"), [(1.0, 0.25), (1.3, 0.5)])
def test_every_device_of_a_neuron_is_drawn_with_its_model_and_size(width: float, length: float) -> None:
    size = {"width_um": width, "length_um": length}
    design = Design.model_validate({"name": "drawn", "neuron": {"sensing_nmos": size, "logic_pmos": size}})
    neuron, svgs = neuron_cell(design.neuron, SKY130), drawings(cells_of(design), 5, LAYERS)
    for name, cell in (("neuron", neuron.subcircuit()), ("spike_driver", neuron.driver_subcircuit())):
        built = devices(cell)
        assert len(built) >= 4 and f"{width:g}/{length:g}" in words(svgs[name])
        for device, model in built.items():
            assert f"{device} {model}" in words(svgs[name])


@pytest.mark.parametrize("width", [0.42, 1.0])
@pytest.mark.parametrize("kind", ["current_source", "cascode", "transmission_gate", "binary_weighted"])
def test_every_device_of_a_synapse_is_drawn_with_its_model_and_size(kind: str, width: float) -> None:
    size = {"width_um": width, "length_um": 0.3}
    made = cells(kind, nmos=size, pmos=size)
    synapse: Any = made.synapse
    cell = synapse.subcircuit("s", SynapseSetting(1, 99.0)) if kind == "transmission_gate" else synapse.subcircuit()
    # of a binary weight the first bit is drawn, and any other as bit b; a resistor's model ends in its drawn width
    built = {re.sub(r"_[1-9]$", "_b", device): model.removesuffix("_0p35") for device, model in devices(cell).items()}
    assert len(built) >= 3
    drawn = words(drawings(made, 5, LAYERS)[f"synapse_{kind}"])
    for device, model in built.items():
        assert f"{device} {model}" in drawn


def test_a_gate_stands_beside_the_line_that_drives_it() -> None:
    made = cells("current_source")
    drawn, synapse = words(drawings(made, 5, LAYERS)["synapse_current_source"]), made.synapse
    assert isinstance(synapse, CurrentSourceSynapse)
    for line in str(synapse.subcircuit()).splitlines():
        if line.startswith("X"):
            name, _, gate, *_, model = (word for word in line.split() if "=" not in word)
            assert f"{name[1:]} {model.removeprefix('sky130_fd_pr__')} 1/0.25 {gate}" in drawn


def test_biases_are_those_of_the_design() -> None:
    design = load_design(DESIGNS / "cells" / "cascode.toml")
    svgs = drawings(cells_of(design), 5, LAYERS)
    assert "n_bias 0.42 … 0.6 V" in words(svgs["synapse_cascode"])
    assert "p_cascode (shared) 0.9 V" in words(svgs["synapse_cascode"])
    assert "pullup_bias 0.95 V" in words(svgs["neuron"])
    assert "membrane cap_mim_m3_2 7 × 7 um" in words(svgs["neuron"])
    large = drawings(cells_of(load_design(DESIGNS / "iris_5_5_5_resistive.toml")), 5, LAYERS)
    assert "membrane cap_mim_m3_2 30 × 30 um" in words(large["neuron"])
    assert "weight res_xhigh_po 0.35 / 300 … 30 um" in words(large["synapse_resistive"])
    own = words(drawings(cells_of(load_design(DESIGNS / "cells" / "own_cell.toml")), 5, LAYERS)["synapse_netlist"])
    assert "own_cell" in own and "bias_n 0.42 … 0.6 V" in own and "CP at 0.9 V" in own


@pytest.mark.parametrize("sign", [1, -1])
def test_the_resistive_cell_is_drawn_for_both_signs(sign: int) -> None:
    made = cells("resistive")
    drawn, synapse = words(drawings(made, 5, LAYERS)["synapse_resistive"]), made.synapse
    assert isinstance(synapse, ResistiveSynapse)
    built = devices(synapse.subcircuit("s", SynapseSetting(sign, 100.0)))  # type: ignore[arg-type]
    assert len(built) == 2
    for device, model in built.items():
        assert f"{device} {model.removesuffix('_0p35')}" in drawn


def test_the_kind_of_synapse_decides_what_is_drawn() -> None:
    for kind, other in (("current_source", "resistive"), ("resistive", "current_source")):
        svgs = drawings(cells(kind), 5, LAYERS)
        assert set(svgs) == {f"synapse_{kind}", "neuron", "spike_driver", "network"}
        assert f"synapse_{kind}" in words(svgs["network"])
        assert f"synapse_{other}" not in words(svgs["network"])


@pytest.mark.parametrize("kind", SYNAPSES)
def test_text_is_legible_on_a_page_650_px_wide(kind: str) -> None:
    for name, svg in drawings(any_cells(kind), 5, LAYERS).items():
        _, _, width, height = (float(value) for value in ET.fromstring(svg).attrib["viewBox"].split())
        sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)]
        assert len(sizes) >= 8, name
        assert min(sizes) * min(1.0, 650 / width) > 10.5, name
        assert 0.2 < height / width < 1.0, name


def boxes(svg: str) -> tuple[int, int]:
    """Squares (synapses, and one in the legend) and other boxes."""
    drawn = [(width, height) for width, height in map(extent, re.findall(r' d="([^"]*)"', svg)) if width and height]
    squares = [width for width, height in drawn if width == pytest.approx(height)]
    return len(squares), len(drawn) - len(squares)


def test_a_network_has_fifty_synapses_and_ten_neurons_and_its_layers_run_one_phase_apart() -> None:
    svg = drawings(cells("current_source"), 5, LAYERS)["network"]
    assert words(svg).count("neuron ") == 10
    assert "layer 1 reset accumulation firing reset layer 2 reset reset accumulation firing" in words(svg)
    squares, others = boxes(svg)
    assert squares == 50 + 1
    assert others >= 10 + 1 + 9  # neurons, drivers, the input window and eight phases


@pytest.mark.parametrize(("inputs", "hidden", "outputs"), [(5, 4, 3), (3, 6, 2), (6, 1, 6)])
def test_layers_are_as_large_as_in_the_design(inputs: int, hidden: int, outputs: int) -> None:
    svg = drawings(cells("current_source"), inputs, {"layer 1": hidden, "layer 2": outputs})["network"]
    assert boxes(svg)[0] == inputs * hidden + hidden * outputs + 1
    assert words(svg).count("neuron ") == hidden + outputs
    assert f"layer 1: {hidden} neurons" in words(svg) and f"spike {outputs - 1}" in words(svg)
    assert f"{inputs} × spike_driver" in words(svg)


def test_of_a_large_layer_the_first_neurons_and_the_last_are_drawn() -> None:
    assert MOST_LINES == 6
    drawn = words(svg := drawings(cells("current_source"), 64, {"layer 1": 48, "layer 2": 10})["network"])
    assert [f"neuron {k}" in drawn for k in (0, 2, 3, 46, 47)] == [True, True, False, False, True]
    assert "inputs 0 … 63" in drawn and "64 × spike_driver" in drawn and "layer 1: 48 neurons" in drawn
    assert boxes(svg)[0] == 2 * 4 * 4 + 1
    three = words(drawings(cells("current_source"), 4, {"a": 2, "b": 2, "c": 2})["network"])
    assert "c reset reset reset accumulation firing" in three


def texts(svg: str) -> list[tuple[str, float, float, float]]:
    """Every text of a drawing with its left, right and height, as wide as the widest font that stands in for Arial makes it."""
    from matplotlib import font_manager
    from PIL import ImageFont

    wide = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 130)  # ten times the size, for its rounding
    found = []
    for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        text = "".join(element.itertext()).strip()
        width, x = wide.getlength(text) / 10, float(element.attrib["x"])
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[element.attrib["text-anchor"]]
        found.append((text, left, left + width, float(element.attrib["y"])))
    return found


@pytest.mark.parametrize(
    "file", ["iris_5_5_5.toml", "iris_5_6_6_3.toml", "iris_5_5_5_gf180.toml", "iris_5_5_5_resistive.toml", "digits_conv.toml"]
)
def test_no_text_is_cut_off_and_none_lies_on_another(file: str) -> None:
    design = load_design(DESIGNS / file)
    layers = {f"layer {k}": neurons for k, neurons in enumerate(design.network.sizes[1:], 1)}
    windows = {f"layer {k}": design.shape.crossbars[k - 1].synapses for k, _ in enumerate(design.network.convolutions, 1)}
    for name, svg in drawings(cells_of(design), design.network.inputs, layers, windows).items():
        start, _, width, _ = map(float, ET.fromstring(svg).attrib["viewBox"].split())
        drawn = texts(svg)
        for text, left, right, _ in drawn:
            assert start <= left and right <= start + width, f"{name}: {text!r} is cut off"
        for k, (text, left, right, y) in enumerate(drawn):
            for other, its_left, its_right, its_y in drawn[k + 1 :]:
                assert abs(y - its_y) > 9.0 or right < its_left or its_right < left, f"{name}: {text!r} lies on {other!r}"


def test_neurons_that_are_not_on_every_line_are_said_to_be_and_no_crossing_is_drawn_for_them() -> None:
    layers = {"layer 1": 72, "layer 2": 10}
    every = drawings(cells("current_source"), 64, layers)["network"]
    some = drawings(cells("current_source"), 64, layers, {"layer 1": 16})["network"]
    assert "layer 1: 72 neurons, each with synapses on 16 of the lines" in words(some) and "layer 2: 10 neurons" in words(some)
    assert boxes(every)[0] - boxes(some)[0] == 16, "of four inputs and four membranes"
