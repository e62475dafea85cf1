"""Cells and networks are drawn as their netlists say: no rule is broken, every net and device is there, every fault is found."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import klayout.db as kdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks.layout.checks import cells
from benchmarks.layout.faults import FAULTS, Fault, Patient, found, patients
from cosim.cli.main import app
from cosim.errors import InputError
from cosim.layout import _on_all_lines, run_layout
from cosim.mapping.network import MappedNetwork
from cosim.runs.progress import Monitor
from layouts.devices import devices_of
from layouts.drc import RULES, check
from layouts.errors import LayoutError
from layouts.extraction.netlist import extracted_netlist
from layouts.gds import new_layout
from layouts.lvs import compare
from layouts.project import LayoutProject, Subject, draw, draw_cell, verdict
from layouts.technology import LAYERS
from netlists.neuron import neuron_cell
from netlists.section import FetSize, Section, fet
from netlists.synapse import synapse_cell
from netlists.synapse.cell import Sign, SynapseSetting

DESIGN = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"
WIDTH = "nmos = { width_um = 1.0,"


@pytest.fixture(scope="module")
def small() -> LayoutProject:
    return draw(cells(), (2, 2), "small")


@pytest.fixture(scope="module")
def subjects(small: LayoutProject) -> list[Subject]:
    return patients(small, cells("resistive").synapse)


@pytest.mark.parametrize(
    ("synapse", "sizes"),
    [("cascode", (2, 2, 1)), ("binary_weighted", (2, 1)), ("resistive", (8, 8)), ("transmission_gate", (8, 8)), ("", (8, 8))],
)
def test_other_cells_and_sizes_too(synapse: str, sizes: tuple[int, ...]) -> None:
    for one in draw(cells(synapse), sizes, "array").verdicts():
        assert [violation.line() for violation in one.violations] == []
        assert one.comparison.differences == ()


@pytest.mark.slow
def test_a_whole_array_of_64_x_32_is_clean_and_matches() -> None:
    found = verdict(draw(cells(), (64, 32), "array").subjects[-1])
    assert [violation.line() for violation in found.violations] == []
    assert found.comparison.differences == ()
    # 2048 synapses of 4, 32 neurons of 16, 64 drivers of 6 devices.
    assert found.comparison.devices == 2048 * 4 + 32 * 16 + 64 * 6


def test_rows_are_as_high_as_their_bias_lines_need_and_their_gates_have_a_way_out_for_charge() -> None:
    # Of 64 inputs a row is 50 um high: lines of met4 along it would be antennas.
    tall, low = draw(cells(), (64, 2), "tall"), draw(cells(), (5, 2), "low")
    assert tall.network.layers[0].pitch > 5 * low.network.layers[0].pitch
    assert tall.network.parts.neuron.row.width > low.network.parts.neuron.row.width
    assert verdict(tall.subjects[-1]).clean


def test_dimensions_are_those_of_the_netlist() -> None:
    reference = cells()
    wide = reference.synapse.dimensions.model_copy(update={"nmos": fet(1.4, 0.3)})
    changed = synapse_cell(wide, reference.synapse.process, reference.supply_v)
    subject = draw_cell(new_layout(), changed.subcircuit())
    assert verdict(subject).clean
    old = str(reference.synapse.subcircuit())
    differences = compare(subject.layout, subject.cell, old, subject.circuit).differences
    assert any(
        "n_memory" in line and "L = 0.3 W = 1.4 in the layout, L = 0.25 W = 1 in the netlist" in line for line in differences
    )
    assert not any("p_memory" in line for line in differences)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_every_fault_is_found_and_named(subjects: list[Subject], fault: Fault) -> None:
    assert found(fault, subjects)


def test_faults_are_of_many_kinds_and_without_them_nothing_is_found(subjects: list[Subject]) -> None:
    assert len({fault.says for fault in FAULTS if fault.found_by == "drc"}) >= 40
    assert len([fault for fault in FAULTS if fault.found_by == "lvs"]) >= 15
    for subject in subjects:
        patient = Patient(subject)
        assert check(patient.cell) == []
        assert compare(patient.layout, patient.cell, patient.spice, patient.circuit).matches


def test_a_violation_lies_where_the_fault_was_put(small: LayoutProject) -> None:
    patient = Patient(small.subjects[0])
    patient.add("met1", 50_000, 0, 50_130, 2000)
    [violation] = check(patient.cell)
    assert violation.rule == "m1.1"
    assert violation.place == kdb.Box(50_000, 0, 50_130, 2000)
    assert violation.line().endswith("synapse_current_source at 50.065, 1.000")


def test_in_a_network_the_cell_is_named_that_the_violation_is_in(small: LayoutProject) -> None:
    layout = small.layout.dup()
    layout.cell("neuron").shapes(layout.layer(68, 20)).insert(kdb.Box(1000, 2000, 1100, 2500))
    cells_named = {violation.cell for violation in check(layout.cell("small"), RULES) if violation.rule == "m1.1"}
    assert cells_named == {"neuron"}


def _resistor(kind: str, sign: Sign, length_um: float, width_um: float = 0.35) -> Subject:
    made = cells(kind)
    dimensions = made.synapse.dimensions.model_copy(update={"resistor_width_um": width_um})
    synapse = synapse_cell(dimensions, made.synapse.process, made.supply_v)
    return draw_cell(new_layout(), synapse.subcircuit("one", SynapseSetting(sign, length_um)))


@pytest.mark.parametrize(
    ("kind", "sign", "length_um", "width_um"),
    [("resistive", 1, 40.0, 0.69), ("resistive", -1, 1.0, 0.35), ("transmission_gate", 1, 163.725, 0.35),
     ("transmission_gate", -1, 300.0, 5.73)],
)  # fmt: skip
def test_resistors_of_any_width_and_length_are_bars_in_a_row(kind: str, sign: Sign, length_um: float, width_um: float) -> None:
    subject = _resistor(kind, sign, length_um, width_um)
    found = verdict(subject)
    assert [violation.line() for violation in found.violations] == []
    assert found.comparison.differences == ()
    drawn = extracted_netlist(subject.cell, subject.pins)
    of_bars = [float(line.split("l=")[1]) for line in drawn.splitlines() if "res_xhigh_po_" in line]
    assert len(of_bars) >= 2
    assert sum(of_bars) == pytest.approx(length_um)
    assert f"res_xhigh_po_{width_um:.2f}".replace(".", "p") in drawn


def test_weights_of_their_own_are_drawn_and_a_weight_of_zero_is_no_device() -> None:
    """Rows and columns without any synapse too."""
    made = cells("resistive")
    layers = [[[None, SynapseSetting(1, 40.0063), None], [None, SynapseSetting(-1, 60.0), None], [None] * 3],
              [[SynapseSetting(-1, 40.0091), None, None]]]  # fmt: skip
    project = draw(made, (3, 3, 1), "trained", layers)
    assert len(project.subjects) == 3 + 3  # synapses; neuron, spike driver, network
    whole = verdict(project.subjects[-1])
    assert [violation.line() for violation in whole.violations] == []
    assert whole.comparison.differences == ()
    assert whole.comparison.devices == 3 * 2 + 4 * 16 + 3 * 6
    drawn = extracted_netlist(project.network.cell)
    of_bars = sum(float(line.split("l=")[1]) for line in drawn.splitlines() if "res_xhigh_po_" in line)
    # Of four bars one alone is no longer than the others: 40.005 um becomes 40, and 40.01 is two and two.
    assert of_bars == pytest.approx(40.0 + 60.0 + 40.01)
    with pytest.raises(LayoutError, match="every weight is 0"):
        draw(made, (1, 1), "idle", [[[None]]])


def test_a_network_without_some_links_is_drawn_without_them() -> None:
    """Each synapse on its own line, none where a structure has no link; the last line has none at all."""
    weak, strong = SynapseSetting(1, 40.0), SynapseSetting(-1, 20.0)
    mapped = MappedNetwork("ode", (((weak, strong), (None, weak)),), (((0, 2), (1, 3)),))
    assert list(_on_all_lines(mapped, [5, 2])) == [[[weak, None, strong, None, None], [None, None, None, weak, None]]]


def test_a_run_whose_weights_are_no_drawing_is_one_line(tmp_path: Path) -> None:
    resistive = DESIGN.with_name("iris_5_5_5_resistive.toml")
    mapping = tmp_path / "mapping.parquet"

    def said(design: Path) -> str:
        with pytest.raises(InputError) as error:
            run_layout(design, tmp_path / "out", Monitor(), run=tmp_path)
        return str(error.value)

    assert "--run: biases set the weights of current_source" in said(DESIGN)
    assert "mapping.parquet: is not there; `cosim map DESIGN --out" in said(resistive)
    mapping.write_bytes(b"no table")
    assert "mapping.parquet: is not what `cosim map` writes: " in said(resistive)
    synapse = {"mapping": "ode", "layer": 1, "neuron": 0, "input": 0, "sign": 1, "code": 40.0}
    pd.DataFrame([synapse]).to_parquet(mapping)
    assert "mapping.parquet: is of a network of 1-1, iris_5_5_5_resistive of 5-5-5; map it anew" in said(resistive)
    assert not (tmp_path / "out").exists()


def test_a_well_whose_rail_feeds_nothing_else_is_on_that_rail() -> None:
    """The PMOS of a transmission gate to ground has the supply under it and nothing at it."""
    subject = _resistor("transmission_gate", 1, 40.0)
    apart = subject.spice.replace("spike_bar switch supply", "spike_bar switch 0")
    assert compare(subject.layout, subject.cell, subject.spice, "one").matches
    assert not compare(subject.layout, subject.cell, apart, "one").matches


def test_nothing_is_not_clean() -> None:
    layout = new_layout()
    with pytest.raises(LayoutError, match="nothing to check"):
        check(layout.create_cell("nothing"))


def test_what_cannot_be_drawn_is_one_line() -> None:
    reference = cells()
    off_grid = reference.synapse.dimensions.model_copy(update={"nmos": fet(1.003, 0.25)})
    with pytest.raises(LayoutError, match=r"n_memory: W = 1\.003 um is off the manufacturing grid .*1\.005 um would be on it"):
        devices_of(synapse_cell(off_grid, reference.synapse.process, 1.8).subcircuit())
    with pytest.raises(LayoutError, match=r"weight: L = 0\.8 um is too short to be drawn; at least 1"):
        _resistor("resistive", 1, 0.8)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "nmos = { width_um = 1.0,",
            "nmos = { width_um = 1.003,",
            r"synapse\.nmos\.width_um: 1\.003 um is off .*x\.1a.*1\.005 would be",
        ),
        (
            "nmos = { width_um = 1.0,",
            "nmos = { width_um = 0.4,",
            r"synapse\.nmos\.width_um: 0\.4 um .* difftap\.2 .* at least 0\.42",
        ),
        ("capacitor_um = [7.0, 7.0]", "capacitor_um = [7.0, 1.1]", r"neuron\.membrane_capacitor_um\[1\]: 1\.1 um .* cap2m\.4 "),
    ],
)
def test_a_dimension_that_cannot_be_drawn_is_named_before_anything_is_written(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    design = tmp_path / "mine.toml"
    design.write_text(DESIGN.read_text().replace(old, new))
    with pytest.raises(InputError, match=rf"mine\.toml: {said}"):
        run_layout(design, tmp_path / "out", Monitor())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(3))
def test_devices_of_any_size_are_drawn_clean(seed: int) -> None:
    draws = random.Random(seed)
    reference = cells(draws.choice(["", "cascode"]))

    def sizes(section: Section) -> dict[str, FetSize]:
        fields = [name for name, value in section if isinstance(value, FetSize)]
        return {name: fet(draws.randrange(84, 800) / 200, draws.randrange(30, 300) / 200) for name in fields}

    process, old = reference.synapse.process, reference.neuron.dimensions
    plate = {"membrane_capacitor_um": (draws.randrange(240, 4000) / 200, draws.randrange(240, 4000) / 200)}
    synapse = reference.synapse.dimensions.model_copy(update=sizes(reference.synapse.dimensions))
    neuron = old.model_copy(update=sizes(old) | plate)
    made = replace(reference, synapse=synapse_cell(synapse, process, 1.8), neuron=neuron_cell(neuron, process))
    found = verdict(draw(made, (2, 2), "any").subjects[-1])
    assert [violation.line() for violation in found.violations] == []
    assert found.comparison.differences == ()


def test_reference_design_is_clean_and_matches_and_the_command_writes_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["layout", str(DESIGN), "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said == json.loads((out / "layout.json").read_text())
    by_name = {cell["cell"]: cell for cell in said["cells"]}
    assert set(by_name) == {"synapse_current_source", "neuron", "spike_driver", "iris_5_5_5"}
    for cell in by_name.values():
        assert cell["drc_violations"] == cell["lvs_differences"] == []
        assert cell["lvs_match"]
    # 50 synapses of 4, 10 neurons of 16, 5 drivers of 6 devices.
    assert by_name["iris_5_5_5"]["devices"] == 50 * 4 + 10 * 16 + 5 * 6
    assert said["areas_um2"]["synapse"] == pytest.approx(5.78 * 8.48)
    layout = kdb.Layout()
    layout.read(str(out / "iris_5_5_5.gds"))
    wires = pd.read_parquet(out / "capacitances_membranes.parquet")
    assert list(wires.layer) == [1] * 5 + [2] * 5
    assert wires.capacitance_f.between(15e-15, 20e-15).all()
    assert len(pd.read_parquet(out / "capacitances_couplings.parquet")) == 50
    extracted = (out / "synapse_current_source.extracted.spice").read_text()
    assert extracted.startswith(".subckt synapse_current_source membrane spike spike_bar n_bias p_bias supply\n")
    assert layout.cell("iris_5_5_5").dbbox().width() == pytest.approx(said["cells"][-1]["width_um"])
    by_kind = {(wire["what"], wire["layer"]): wire for wire in said["wires"]}
    assert list(by_kind) == [("membrane", 1), ("membrane", 2), ("spike line", 1), ("spike line", 2)]
    assert by_kind["membrane", 1]["schematic_f"] == 28.5e-15
    assert by_kind["membrane", 2]["mean_f"] == pytest.approx(wires[wires.layer == 2].capacitance_f.mean())
    for name in ("neuron", "iris_5_5_5"):
        picture = (out / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 10_000


@pytest.mark.parametrize(("space_nm", "broken"), [(840, True), (1475, True), (1480, False)])
def test_a_plate_keeps_away_from_the_met4_of_another(space_nm: int, broken: bool) -> None:
    """Each lies on met4 that reaches 0.14 um beyond it: cap2m.11 asks for 1.34 um from the other's, as magic has it."""
    layout = new_layout()
    cell = layout.create_cell("plates")
    for bottom in (0, 2000 + space_nm):
        plate = kdb.Box(0, bottom, 2000, bottom + 2000)
        cell.shapes(layout.layer(*LAYERS["cap2m"])).insert(plate)
        cell.shapes(layout.layer(*LAYERS["met4"])).insert(plate.enlarged(140, 140))
    assert ("cap2m.11" in {violation.rule for violation in check(cell)}) == broken
