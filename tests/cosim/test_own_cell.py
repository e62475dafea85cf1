"""A user's own cell and own device models: taken up as they are, and refused with one line where they cannot be."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cosim.bench.bench import Bench
from cosim.bench.results import Measured
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.characterize.extract import characterize
from cosim.characterize.measurements.membrane_ramp import ramp_voltage
from cosim.characterize.synapse_fit import check_currents
from cosim.cli.main import app
from cosim.datasheet.make import make_datasheet
from cosim.datasheet.parameters import parameters_of
from cosim.design import Design, load_design
from cosim.design.condition import parse
from cosim.design.own_cell import admitted_cell
from cosim.errors import InputError
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from cosim.simulator import Waveforms, WorkerPool, simulate
from netlists.crossbar import Cells
from netlists.errors import DeviceModelError
from netlists.models.pruning import device_uses, prune
from netlists.models.uses import DeviceUse
from netlists.neuron import neuron_cell
from netlists.synapse import SynapseSetting
from netlists.synapse.current_source import CurrentSourceSection, CurrentSourceSynapse
from netlists.synapse.from_netlist import NetlistSection, NetlistSynapse, pins_of
from netlists.testbenches import MEMBRANE, synapse_iv
from sky130_models.corners import Corner
from sky130_models.pdk import NAMES, find_pdk
from sky130_models.process import SKY130
from training.hardware import HardwareModel

CELLS = Path(__file__).parents[2] / "designs" / "cells"

PAIRS = """.subckt pairs mem sp spb nb pb vdd vss
m1 mem nb a vss nch w=1u l=0.25u
m2 a sp vss vss nch w=1u l=0.25u
m3 mem pb b vdd pch w=1u l=0.25u
m4 b spb vdd vdd pch w=1u l=0.25u
.ends
"""
DESIGN = """name = "own"
[process]
library = "small.lib"
sections = { tt = "TT", ss = "SLOW" }
[synapse]
kind = "netlist"
file = "pairs.spice"
subcircuit = "pairs"
pins = { membrane = "mem", spike = "sp", spike_bar = "spb", bias_n = "nb", bias_p = "pb", supply = "vdd", ground = "vss" }
bias_n_v = [0.20, 0.30]
bias_p_v = [1.60, 1.50]
[characterization]
codes = 4
"""
LIBRARY = """* two corners of a small process
.lib TT
.param vth_shift=0
.include "devices.sp"
.endl TT
.lib SLOW
.param vth_shift=0.05
.include "devices.sp"
.endl SLOW
"""
DEVICES = """.param oxide=3n only_thick=9n
.model nch nmos level=14 version=4.5 toxe={oxide} vth0={0.4+vth_shift}
+ nfactor=1
.model pch pmos level=14 version=4.5 toxe={oxide} vth0={-0.4-vth_shift} nfactor=1
.model nch_thick nmos level=14 version=4.5 toxe={only_thick}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small process, a cell on it and a design."""
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    for name, text in (("small.lib", LIBRARY), ("devices.sp", DEVICES), ("pairs.spice", PAIRS), ("own.toml", DESIGN)):
        (tmp_path / name).write_text(text)
    return tmp_path


def edited(folder: Path, file: str, old: str, new: str) -> Path:
    """The design, after a change of one of its files."""
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    return folder / "own.toml"


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def synapse_of(path: Path) -> NetlistSection:
    synapse = load_design(path).synapse
    assert isinstance(synapse, NetlistSection)
    return synapse


def rows(design: Design, codes: Sequence[float]) -> pd.DataFrame:
    """Sign, code, current at rest and lambda of some codes."""
    points = MEASUREMENTS["synapse_current"].points(Bench(design, design.process.pdk(), None))
    chosen = [p for p in points if any(math.isclose(float(p.condition["code"]), code) for code in codes)]  # type: ignore[arg-type]
    return pd.DataFrame([{**o.point.condition, **(o.row or {})} for o in simulate(chosen, None, jobs=1)])


def test_what_xschem_adds_is_left_out_and_what_it_comments_out_is_read(folder: Path) -> None:
    marked = "** sch_path: pairs.sch\n" + PAIRS.replace(".subckt", "**.subckt").replace(".ends", "**.ends")
    marked += "**** begin user architecture code\n.lib /pdk/small.lib TT\n.include 'sky130.lib.spice'\n.GLOBAL GND\n"
    marked += ".SAVE v(mem)\n* the inner nodes\n+ v(a)\n+ v(b)\n.save all\n.end\n"
    (folder / "pairs.spice").write_text(marked)
    cards = synapse_of(folder / "own.toml").cards
    assert [line.split()[0].lower() for line in cards.splitlines()] == [".subckt", "m1", "m2", "m3", "m4", ".ends"]


def test_comments_at_the_end_of_a_line_and_a_byte_order_mark_are_fine(folder: Path) -> None:
    plain = synapse_of(folder / "own.toml").cards
    text = PAIRS.replace("nch w=1u l=0.25u\n", "nch w=1u l=0.25u $ 0.25 $um\n").replace(".ends", ".ENDS pairs ; done")
    (folder / "pairs.spice").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert synapse_of(folder / "own.toml").cards.lower().replace(".ends pairs", ".ends") == plain


def test_parameters_of_the_header_are_no_pins(folder: Path) -> None:
    edited(folder, "pairs.spice", "nb pb vdd vss\n", "nb pb vdd vss wn=1u  ln = 0.25u\n+ k = '2 * 3'\n")
    assert pins_of(synapse_of(folder / "own.toml").cards, "Pairs") == ["mem", "sp", "spb", "nb", "pb", "vdd", "vss"]


def test_a_cell_may_include_files_of_its_own_folder(folder: Path) -> None:
    (folder / "parts.spice").write_text(PAIRS)
    (folder / "pairs.spice").write_text(".include parts.spice\n")
    assert "m4 b spb vdd vdd pch" in synapse_of(folder / "own.toml").cards


def test_a_level_below_the_supply_follows_it(folder: Path) -> None:
    edited(folder, "pairs.spice", "spb nb pb", "spb CP well nb pb")
    path = edited(folder, "own.toml", "bias_n_v", "below_supply_v = { CP = 0.9, WELL = 0.0 }\nbias_n_v")
    design = load_design(path)
    neuron = neuron_cell(design.neuron, SKY130)
    for supply_v, level in ((1.8, 0.9), (1.62, 0.72)):
        cells = Cells(NetlistSynapse(synapse_of(path), SKY130, supply_v), neuron, design.timing, supply_v, 0.5)
        netlist = synapse_iv(cells, SynapseSetting(1, 0.25))
        assert "Xsynapse membrane spike spike_bar synapse_cp synapse_well synapse_n_bias" in netlist
        assert f"Vsynapse_cp synapse_cp 0 {level}\n" in netlist and f"Vsynapse_well synapse_well 0 {supply_v}\n" in netlist
    with pytest.raises(InputError, match="pins: cp is named twice"):
        load_design(edited(folder, "own.toml", "bias_n_v = ", "fixed_v = { cp = 0.3 }\nbias_n_v = "))


def test_a_pin_is_connected_to_what_it_is_named_for(folder: Path) -> None:
    edited(folder, "pairs.spice", "spb nb pb", "spb tail nb pb")
    path = edited(folder, "own.toml", "bias_n_v", "fixed_v = { tail = 0.3 }\nbias_n_v")
    design = load_design(path)
    cells = Cells(NetlistSynapse(synapse_of(path), SKY130, 1.8), neuron_cell(design.neuron, SKY130), design.timing, 1.8, 0.5)
    netlist = synapse_iv(cells, SynapseSetting(-1, 1.55))
    lines = "membrane spike spike_bar synapse_tail synapse_n_bias synapse_p_bias supply 0"
    assert f"Xsynapse {lines} pairs" in netlist
    assert "Vsynapse_n_bias synapse_n_bias 0 0.0\n" in netlist
    assert "Vsynapse_p_bias synapse_p_bias 0 1.55\n" in netlist
    assert "Vsynapse_tail synapse_tail 0 0.3\n" in netlist
    assert "Vsynapse_p_bias synapse_p_bias 0 1.8\n" in synapse_iv(cells, None)


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("own.toml", 'file = "pairs.spice"', 'file = "gone.spice"', r"synapse\.file: .*gone\.spice cannot be read: No such file"),
        ("own.toml", 'file = "pairs.spice"\n', "", r"synapse: file: missing"),
        (
            "own.toml",
            'subcircuit = "pairs"',
            'subcircuit = "pair"',
            r"synapse\.subcircuit: .*no sub-circuit 'pair'; .* pairs",
        ),
        ("own.toml", 'membrane = "mem", ', "", r"synapse: pins: membrane: missing"),
        ("own.toml", 'spike = "sp", ', "", r"synapse\.pins: nothing is said of pin 'sp'.*in fixed_v or below_supply_v"),
        ("own.toml", 'ground = "vss"', 'ground = "gnd"', r"synapse\.pins\.ground: sub-circuit pairs has no pin 'gnd'"),
        ("own.toml", 'ground = "vss"', 'ground = "vdd"', r"pins: vdd is named twice"),
        ("own.toml", 'ground = "vss"', 'earth = "vss"', r"synapse\.pins\.earth"),
        ("own.toml", 'ground = "vss"', 'ground = "v ss"', r"'v ss' is not the name of a pin"),
        ("own.toml", "[0.20, 0.30]", "[0.30, 0.20]", r"synapse: bias_n_v: runs the wrong way"),
        ("own.toml", "[1.60, 1.50]", "[1.50, 1.60]", r"synapse: bias_p_v: runs the wrong way.*\(the supply\)"),
        ("own.toml", "bias_p_v = [1.60, 1.50]\n", "", r"synapse: bias_p_v: must be given if pins\.bias_p is"),
        ("own.toml", ', ss = "SLOW"', "", None),
        ("own.toml", 'tt = "TT", ', "", r"process: sections: none for corner tt"),
        ("own.toml", 'library = "small.lib"\n', "", r"process: library and sections go together"),
        ("pairs.spice", ".ends", ".control\nshell ls\n.endc\n.ends", r"pairs\.spice:6: \.control is not allowed"),
        ("pairs.spice", ".ends", "a1 mem spy\n.ends", r"pairs\.spice:6: 'a1' is not a device"),
        ("pairs.spice", ".ends", ".include /etc/passwd\n.ends", r"pairs\.spice:6: /etc/passwd lies outside"),
        ("pairs.spice", ".ends\n", "", r"pairs is not closed by \.ends"),
        ("pairs.spice", ".ends", ".ends\nvdd vdd 0 1.8", r"'vdd vdd 0 1\.8' stands outside a sub-circuit"),
        ("pairs.spice", ".ends", ".ends\n.global vdd", r"node vdd is global"),
        (
            "pairs.spice",
            ".ends",
            ".ends\n.subckt neuron a b\nr1 a b 1k\n.ends",
            r"'neuron' has the name of one of ours",
        ),
    ],
)
def test_bad_input_is_one_line_with_file_and_field(folder: Path, file: str, old: str, new: str, complaint: str | None) -> None:
    path = edited(folder, file, old, new)
    if complaint is None:  # the same way of changing the design, but to one that is right
        assert load_design(path).synapse.kind == "netlist"
        return
    with pytest.raises(InputError, match=complaint) as caught:
        load_design(path)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith(f"{path}: ")


def curve(*currents_a: float, sign: int = 1) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"sign": sign, "code": 0.1 * k, "membrane_v": [0.5, 1.5], "current_a": sign * current})
        for k, current in enumerate(currents_a)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(
    ("currents", "complaint"),
    [
        ((1e-9, 3e-9, 2e-9), r"sign \+1: .* does not grow with the code: 3e-09 A at 0.1, 2e-09 A at 0.2"),
        ((1e-9, 1e-9, 2e-9), "does not grow"),
        ((0.0, 1e-17, 1e-16), "1e-16 A at code 0.2: the membrane never moves"),
        ((-1e-9, -2e-9, -3e-9), "flows the wrong way at code 0.2"),
    ],
)
def test_a_bias_curve_that_no_weight_can_be_read_from(currents: tuple[float, ...], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        check_currents(curve(*currents), 1.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_current_has_to_grow_at_rest_and_for_its_own_sign(sign: int) -> None:
    other = curve(1e-9, 5e-9, sign=-sign)
    weak, strong = curve(1e-9, sign=sign), curve(0.0, sign=sign).assign(code=0.1, current_a=[0.0, sign * 4e-9])
    crossing = pd.concat([weak, strong, other])  # 1 nA everywhere; 0 at 0.5 V to 4 nA at 1.5 V
    check_currents(crossing, 1.0)
    with pytest.raises(InputError, match=rf"sign \{sign:+d}: .* does not grow with the code: 1e-09 A at 0, 4e-10 A at 0\.1"):
        check_currents(crossing, 0.6)


def test_the_part_of_an_own_library_in_use_is_a_matter_of_names(folder: Path) -> None:
    pdk = load_design(folder / "own.toml").process.pdk()
    assert device_uses(PAIRS + "x1 a b c d e f g pairs\nd1 a 0 esd", NAMES) == {
        DeviceUse("nch"),
        DeviceUse("pch"),
        DeviceUse("esd"),
    }
    text = prune(pdk, Corner.SS, device_uses(PAIRS, NAMES)).text
    assert ".model nch nmos" in text and ".param vth_shift = 0.05" in text
    assert "thick" not in text
    with pytest.raises(DeviceModelError, match="esd: not a device of this model library"):
        prune(pdk, Corner.TT, [DeviceUse("esd")])
    with pytest.raises(DeviceModelError, match="no section for corner ff; there is one for tt, ss"):
        prune(pdk, Corner.FF, device_uses(PAIRS, NAMES))
    with pytest.raises(DeviceModelError, match="a seed changes nothing"):
        prune(pdk, Corner.TT, device_uses(PAIRS, NAMES), mismatch=True)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (".model pch", ".control\nshell ls\n.endc\n.model pch", "control is not allowed in a model library"),
        (".model nch ", ".subckt nch d g s b\na1 d spy\n.ends\n.model nch_bare ", "a1 is not allowed in a model library"),
        (".param oxide=3n", ".param oxide=3n\n.include devices.sp", "includes itself"),
        (".param oxide=3n", ".include gone.sp\n.param oxide=3n", "gone.sp: cannot be read"),
    ],
)
def test_a_library_that_does_more_than_describe_devices_is_refused(folder: Path, old: str, new: str, complaint: str) -> None:
    path = edited(folder, "devices.sp", old, new)
    with pytest.raises(DeviceModelError, match=complaint) as caught:
        prune(load_design(path).process.pdk(), Corner.TT, device_uses(PAIRS, NAMES))
    assert len(str(caught.value).splitlines()) == 1


def test_an_own_cell_is_biased_again_by_its_own_fields(folder: Path) -> None:
    design = load_design(folder / "own.toml")
    assert design.synapse.bias_fields == ("bias_n_v", "bias_p_v")
    moved, _ = parse("corner=ss,synapse.bias_n_v=0.25:0.35", design)
    synapse = moved.applied(design).synapse
    assert isinstance(synapse, NetlistSection) and synapse.bias_n_v == (0.25, 0.35)
    assert synapse.cards == synapse_of(folder / "own.toml").cards


def test_a_library_that_is_not_there_and_a_device_that_is_not_in_it_are_one_line(folder: Path) -> None:
    path = edited(folder, "pairs.spice", "vss nch w=1u l=0.25u\nm2", "vss nmos_x w=1u l=0.25u\nm2")
    result = invoke("sweep", path, "--out", folder / "run")
    assert result.exit_code == 2, result.output
    assert result.stderr.strip() == "cosim: nmos_x: not a device of this model library, and the netlist does not define it"
    (folder / "small.lib").unlink()
    result = invoke("sweep", path, "--out", folder / "run")
    assert result.exit_code == 2 and "small.lib is not a file" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_an_own_cell_on_own_models_is_swept_over_its_corners(folder: Path) -> None:
    """BSIM4 in weak inversion: a threshold higher by 50 mV is worth exp(-50 mV / (n kT/q)), with 1 < n < 1.6."""
    words = ("sweep", folder / "own.toml", "--measure", "synapse_current", "--measure", "leakage", "--corners", "tt,ss")
    result = invoke(*words, "--jobs", 1, "--out", folder / "run")
    assert result.exit_code == 0, result.output
    table = pd.read_parquet(folder / "run/sweep/synapse_current.parquet").set_index(["corner", "sign", "code"]).current_a
    assert len(table) == 2 * 2 * 5, "four codes and the one in the middle"
    assert (np.sign(table) == np.sign(table.index.get_level_values("sign"))).all()
    for sign, code in ((1, 0.20), (-1, 1.60)):
        slope = 0.05 / math.log(table["tt", sign, code] / table["ss", sign, code]) / 0.02585
        assert 1.0 < slope < 1.6, (sign, slope)


@pytest.mark.slow
def test_the_pruned_library_gives_what_the_whole_section_gives(folder: Path) -> None:
    design = load_design(folder / "own.toml")
    whole = f'.lib "{folder / "small.lib"}" TT\n'
    (point, *_) = MEASUREMENTS["synapse_current"].points(Bench(design, design.process.pdk(), None))
    decks = [replace(point.deck, plain=True), replace(point.deck, library=whole, plain=True)]
    pruned, full = (o.row for o in simulate([replace(point, deck=deck) for deck in decks], None, jobs=1))
    assert pruned is not None and full is not None and len(pruned["membrane_v"]) == 17
    assert all(np.array_equal(pruned[name], full[name]) for name in pruned)
    assert pruned["current_a"] > 1e-12


@pytest.mark.slow
def test_the_cascode_from_a_spice_file_is_the_built_in_one() -> None:
    codes = (0.42, 0.60, 1.30, 1.02)
    own, ours = (rows(load_design(CELLS / f"{name}.toml"), codes) for name in ("own_cell", "cascode"))
    assert len(own) == 4
    assert own.current_a.to_numpy() == pytest.approx(ours.current_a.to_numpy(), rel=5e-3)
    assert own.lambda_per_v.to_numpy() == pytest.approx(ours.lambda_per_v.to_numpy(), rel=5e-3)


@pytest.mark.slow
def test_a_library_that_takes_sky130_in_has_a_datasheet_and_dies_as_far_as_it_draws(folder: Path) -> None:
    """The neuron is SKY130's and differs from die to die; the synapse's models draw nothing."""
    sky130 = find_pdk().library
    parts = [f'.lib {name}\n.lib "{sky130}" {corner}\n.param vth_shift={shift}\n.include "devices.sp"\n.endl\n'
             for name, corner, shift in (("TT", "tt", 0), ("SLOW", "ss", 0.05))]  # fmt: skip
    (folder / "small.lib").write_text("".join(parts))
    edited(folder, "pairs.spice", "w=1u l=0.25u", "w=1 l=0.25")  # micrometres, as SKY130's sections set the scale
    sheet = '[datasheet]\ncorners = ["ss"]\nmodes = ["fixed"]\ndies = 3\nsplit_dies = 2\nspike_patterns = 0\n'
    path = edited(folder, "own.toml", "[characterization]\n", f"{sheet}[characterization]\n")
    (folder / "run").mkdir()
    HardwareModel.reference().save(folder / "run" / "hardware.json")
    with WorkerPool(jobs=1) as pool:
        result = make_datasheet(load_design(path), path, RunDirectory(folder / "run"), pool, Monitor(), pdf=False)
    assert result.effort.failed_points == 0
    record = json.loads((folder / "run/datasheet/datasheet.json").read_text())
    assert record["models"] == "own from small.lib" and record["statistics"] == "random numbers as small.lib draws them"
    assert "synapse_current has no dies: small.lib: a seed changes nothing" in record["remarks"]
    statistics = pd.read_parquet(folder / "run/datasheet/statistics.parquet").set_index("parameter")
    assert set(statistics.model_set) == {"own"} and "current_plus_weak_a" not in statistics.index
    assert 1e-3 < statistics.sigma["threshold_v"] < 0.1
    values = pd.read_parquet(folder / "run/datasheet/pvt.parquet").set_index(["parameter", "corner"]).value
    assert 2 < values["current_plus_weak_a", "tt"] / values["current_plus_weak_a", "ss"] < 8, "50 mV of threshold"


@pytest.mark.slow
def test_a_cell_that_is_the_built_in_one_has_its_parameters(tmp_path: Path) -> None:
    """The same devices from a file, re-biased at another corner and supply: what is left is the solver's tolerance."""
    ours = Design.model_validate({"name": "ours"})
    assert isinstance(ours.synapse, CurrentSourceSection)
    (tmp_path / "cell.spice").write_text(str(CurrentSourceSynapse(ours.synapse, SKY130, 1.8).subcircuit()))
    pins = {"membrane": "MEMBRANE", "spike": "spike", "spike_bar": "spike_bar", "bias_n": "n_bias", "bias_p": "P_BIAS"}
    section = NetlistSection(
        file="cell.spice", subcircuit="Synapse_Current_Source", pins={**pins, "supply": "supply"},
        bias_n_v=ours.synapse.nmos_bias_v, bias_p_v=ours.synapse.pmos_bias_v,
    )  # fmt: skip
    own = ours.model_copy(update={"synapse": admitted_cell(section, tmp_path, ours.process)})
    values = []
    for design in (ours, own):
        n, p = design.synapse.bias_fields
        where, _ = parse(f"corner=ss,supply_v=1.7,synapse.{n}=0.44:0.66,synapse.{p}=1.2:0.95", design)
        bench = Bench(where.applied(design), design.process.pdk(), None)
        rows = {name: _measured(bench, name) for name in ("synapse_current", "synapse_switching", "sensing", "membrane_charge")}
        values.append(parameters_of(rows, design))
    found = {name: value for name, value in values[1].items() if np.isfinite(value)}
    assert len(found) > 30 and found == pytest.approx({name: values[0][name] for name in found}, rel=1e-3)
    exact = [name for name in found if name.startswith(("current_", "e_", "lambda_", "capacitance_f"))]
    assert {name: found[name] for name in exact} == pytest.approx({name: values[0][name] for name in exact}, rel=1e-6)


def _measured(bench: Bench, measurement: str) -> list[Measured]:
    return [Measured.of(outcome) for outcome in simulate(MEASUREMENTS[measurement].datasheet_points(bench), None, jobs=1)]


@pytest.mark.slow
def test_an_own_cell_gives_a_hardware_model() -> None:
    design = load_design(CELLS / "own_cell.toml")
    few = design.characterization.model_copy(update={"codes": 4, "membrane_points": 12, "firing_points": 16})
    rough = design.accuracy.model_copy(update={"reltol": 3e-5, "max_step_s": 2e-8})
    bench = Bench(design.model_copy(update={"characterization": few, "accuracy": rough}), design.process.pdk(), None)
    found = characterize(bench)
    assert found.hardware.cell == "netlist"
    assert found.hardware.plus.code_name == "gate_bias"
    # the cascode of docs/cells.md: reversals far outside the rails, in volts
    assert found.hardware.plus.reversal(1e-8) > 40.0
    assert found.hardware.minus.reversal(1e-8) > 20.0


def test_a_ramp_is_read_until_it_has_passed_its_rail() -> None:
    """However much the synapses of a column load its membrane."""
    times = np.linspace(0.0, 10e-6, 2001)
    for slope_v_per_s, span_v in ((-0.5e6, 1.4), (-0.2e6, 1.4)):
        waveforms = Waveforms(times, {MEMBRANE: 1.3 + slope_v_per_s * np.clip(times - 1e-6, 0.0, None)})
        row = ramp_voltage(waveforms, current_a=1e-7, start_s=1e-6, edge_s=1e-9, end_v=-0.1)
        assert row["membrane_v"][-1] == pytest.approx(-0.1, abs=1e-6)
        assert row["charge_c"][-1] == pytest.approx(1e-7 * span_v / -slope_v_per_s)
