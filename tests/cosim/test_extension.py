"""The example of docs/extending.md, from outside the house: an installed package of its own, found by its entry points."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "extension"
DRAW = """
import sys
from pathlib import Path
from cosim.design import load_design
from cosim.design.cells import cells_of
from netlists.drawings import drawings
from netlists.network import network_bench
from netlists.synapse import SynapseSetting
for path in map(Path, sys.argv[1:]):
    cells = cells_of(load_design(path))
    settings = [[SynapseSetting(1, float(cells.synapse.codes(1, 2)[0])), None]] * 2
    print("DESIGN", path.stem)
    print(network_bench([cells, cells], [settings, settings], [0.0, 0.5]).netlist)
    print("DRAWN", *(name for name, svg in drawings(cells, 2, {"hidden": 2, "output": 2}).items() if len(svg) > 500))
"""
LOAD = """
import sys
from pathlib import Path
from cosim.design import load_design
from cosim.errors import InputError
for path in map(Path, sys.argv[1:]):
    try:
        load_design(path)
    except InputError as error:
        print(error)
"""
WRONG = {
    '[process]\nname = "toy"\ncorner = "ss"': "process.corner: Input should be 'typical' or 'slow', not 'ss'",
    '[process]\nname = "toy"\n[sweep]\ncorners = ["tt"]\n[neuron]\nkind = "plain_inverter"':
        "design: sweep.corners: 'tt' is none of typical, slow",
    '[process]\nname = "toy"': "neuron.rest_v: missing; the process has no default for it",
    '[process]\nname = "gone"': "process.name: must be 'gf180', 'sky130', 'toy'; it is 'gone'",
    '[synapse]\nkind = "stacked"\nmemory = 1': "synapse.memory: unknown key; see docs/design.md for the keys of this section",
}  # fmt: skip
"""What is wrong in a design, and what is said of it."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages that holds the example, as pip would leave it."""
    folder = tmp_path / "site"
    shutil.copytree(EXAMPLE / "cosim_example", folder / "cosim_example", ignore=shutil.ignore_patterns("__pycache__"))
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    metadata = folder / f"cosim_example-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        line
        for group, entries in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {module}" for name, module in entries.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def run(site: Path, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """`python WORDS` that finds the example; its working folder is not the house."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{site}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert not check or done.returncode == 0, done.stderr
    return done


def test_what_an_installed_package_adds_can_be_chosen(site: Path) -> None:
    found = json.loads(run(site, "-m", "cosim", "cells", "--json").stdout)
    assert found["synapse.kind"]["stacked"].startswith("Two memory transistors in series")
    assert found["neuron.kind"]["plain_inverter"].startswith("Plate capacitor")
    assert "spread_of_signs" in found["sweep.measurements"]
    assert found["process.name"]["toy"] == "Textbook transistors at 2.5 V (an example)."
    assert set(found["process.corner of toy"]) == {"typical", "slow"} and "typical" not in found["process.corner"]
    without = json.loads(subprocess.run(
        [sys.executable, "-m", "cosim", "cells", "--json"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    ).stdout)  # fmt: skip
    assert "stacked" not in without["synapse.kind"] and "toy" not in without["process.name"]


def test_its_designs_make_circuits_and_drawings(site: Path) -> None:
    out = run(site, "-c", DRAW, *(EXAMPLE / "designs" / f"{name}.toml" for name in ("stacked", "toy"))).stdout
    stacked, toy = out.removeprefix("DESIGN stacked").split("DESIGN toy")
    sizes = "ad=0.29 as=0.29 l=0.5 pd=2.58 ps=2.58 w=1"
    assert f"Xn_upper membrane n_bias n_between 0 sky130_fd_pr__nfet_01v8 {sizes}\n" in stacked
    assert stacked.count("neuron\n") >= 4 and "Vpullup_bias" not in stacked
    assert "DRAWN synapse_stacked neuron network" in stacked
    # the process takes metres
    assert "Xn_memory membrane n_bias n_middle 0 toy_n ad=4e-13 as=4e-13 l=1e-05 pd=2.8e-06 ps=2.8e-06 w=1e-06\n" in toy
    assert "Xmembrane membrane 0 toy_plate l=7e-06 w=7e-06\n" in toy
    assert "DRAWN synapse_current_source neuron network" in toy


def test_what_is_wrong_in_such_a_design_is_one_line(site: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"wrong_{k}.toml" for k in range(len(WRONG))]
    for path, text in zip(paths, WRONG, strict=True):
        path.write_text(f'name = "wrong"\n{text}\n')
    complaints = run(site, "-c", LOAD, *paths).stdout.splitlines()
    assert complaints == [f"{path}: {complaint}" for path, complaint in zip(paths, WRONG.values(), strict=True)]


def test_a_broken_module_is_told_of_and_the_rest_works(site: Path) -> None:
    (site / "cosim_example" / "plain_inverter.py").write_text("import a_package_that_is_not_there\n")
    done = run(site, "-m", "cosim", "cells", "--json")
    found = json.loads(done.stdout)
    assert "stacked" in found["synapse.kind"] and "plain_inverter" not in found["neuron.kind"]
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("package cosim-example 0.1.0: neuron 'plain_inverter' (cosim_example.plain_inverter) is left out: ")
    assert "a_package_that_is_not_there" in line
    findings = json.loads(run(site, "-m", "cosim", "doctor", "--json", check=False).stdout)
    assert [finding["detail"] for finding in findings if finding["what"] == "extension"] == [line]


@pytest.mark.slow
def test_the_measurement_runs_on_the_cell(site: Path, tmp_path: Path) -> None:
    design = EXAMPLE / "designs" / "stacked.toml"
    run(site, "-m", "cosim", "sweep", design, "--measure", "spread_of_signs", "--out", tmp_path / "run")
    table = pd.read_parquet(tmp_path / "run" / "sweep" / "spread_of_signs.parquet").set_index("sign")
    assert table.code.to_dict() == {1: 0.66, -1: 1.02}
    assert 1e-7 < table.current_a[1] < 1e-6 and 1e-8 < table.current_a[-1] < 1e-6


@pytest.mark.slow
def test_the_process_is_simulated_and_its_corners_differ(site: Path, tmp_path: Path) -> None:
    design = EXAMPLE / "designs" / "toy.toml"
    run(site, "-m", "cosim", "sweep", design, "--measure", "synapse_current", "--measure", "switching_threshold",
        "--corners", "typical,slow", "--out", tmp_path / "run")  # fmt: skip
    table = pd.read_parquet(tmp_path / "run" / "sweep" / "synapse_current.parquet")
    at = table[(table.sign == 1) & (table.code == 0.80)].set_index("corner")
    # level 1: I = kp/2 W/L (V - vto)^2 (1 + lambda V_DS) with vto 0.50 and 0.55, less what the selector takes
    for corner, overdrive in (("typical", 0.30), ("slow", 0.25)):
        assert at.current_a[corner] == pytest.approx(50e-6 * 0.1 * overdrive**2 * (1 + 0.08 * 1.8), rel=0.15)
    assert at.current_a["slow"] < 0.8 * at.current_a["typical"]
    threshold = pd.read_parquet(tmp_path / "run" / "sweep" / "switching_threshold.parquet").set_index("corner").threshold_v
    assert 0.5 < threshold["typical"] < 1.8
