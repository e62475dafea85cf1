"""One catalogue of measurements: what each gives to a datasheet, in which order, and one that an installed package adds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cosim.bench.results import Measured
from cosim.characterize.catalogue import MEASUREMENTS, of_one_point
from cosim.datasheet.parameters import all_parameters, measured_names, parameters_of
from cosim.design import load_design
from cosim.simulator import Deck, OperatingPoint, Point

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "designs" / "iris_5_5_5.toml"
DECK = Deck("divider", "v1 a 0 1\nr1 a 0 1k", "", OperatingPoint(), ("v(a)",))

OWN = """
from cosim.characterize.catalogue import Parameter, measurement, of_one_point
from cosim.simulator import OperatingPoint, Point
from netlists.testbenches import synapse_iv


@measurement("pulled", "what a synapse of weight zero pulls out of a membrane, in femtoamperes (DC)")
def pulled(bench):
    deck = bench.deck("pulled", synapse_iv(bench.cells(), None), OperatingPoint(), ["i(vmembrane)"])
    yield Point({"place": "rest"}, deck, femtoamperes)


def femtoamperes(waveforms):
    return {"pulled_fa": -1e15 * float(waveforms["i(vmembrane)"][0])}


SHARE = Parameter("pulled_share", "of the discharger's current", "", (("place", "rest"),), group="mine")


@pulled.gives(SHARE, needs=("discharger_current_a",))
def parameters(measured, design, known):
    found = of_one_point(measured, {"pulled_share": "pulled_fa"})
    return {"pulled_share": 1e-15 * found["pulled_share"] / known["discharger_current_a"]}
"""
TOLD = """
import json
from cosim.bench.results import Measured
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.cli.cells import catalogue
from cosim.datasheet.parameters import all_parameters, parameters_of
from cosim.design import Design
from cosim.simulator import Deck, OperatingPoint, Point

point = Point({}, Deck("x", "v1 a 0 1", "", OperatingPoint(), ("v(a)",)), dict)
line = {"current_a": 2e-7, "lambda_per_v": 0.2, "log_slope_per_v": 20.0}
measured = {"pulled": [Measured(point, {"pulled_fa": 3.0})], "discharger_current": [Measured(point, line)]}
found = parameters_of(measured, Design(name="x"))
print(json.dumps([
    catalogue()["sweep.measurements"]["pulled"], list(MEASUREMENTS)[-1], list(all_parameters())[-1],
    all_parameters()["pulled_share"].measurement, found["pulled_share"], MEASUREMENTS.broken,
]))
"""


def _run(packages: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)])}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=packages, env=environment, capture_output=True, text=True, check=False)


def _install(packages: Path, name: str, code: str) -> None:
    metadata = packages / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (packages / f"{name}.py").write_text(code)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[cosim.measurements]\n{name} = {name}\n")


def test_a_package_adds_a_measurement_to_sweeps_and_datasheets_and_a_broken_one_costs_itself(tmp_path: Path) -> None:
    _install(tmp_path, "pulled", OWN)
    _install(tmp_path, "wrong", "import nothing_of_that_name\n")
    done = _run(tmp_path, "-c", TOLD)
    assert done.returncode == 0, done.stderr
    what, last, parameter, measurement, share, (broken,) = json.loads(done.stdout)
    assert what.startswith("what a synapse of weight zero pulls") and (last, measurement) == ("pulled", "pulled")
    assert parameter == "pulled_share" and share == pytest.approx(3e-15 / 2e-7)
    assert "package wrong 1.0: measurement 'wrong'" in broken and "nothing_of_that_name" in broken
    only = ("--only", "corner=ss,place=rest", "--measure", "pulled", "--measure", "leakage")
    swept = _run(tmp_path, "-m", "cosim", "sweep", DESIGN, *only[2:], *only[:2], "--out", tmp_path / "run", "--jobs", 1)
    assert swept.returncode == 0, swept.stderr
    (row,) = pd.read_parquet(tmp_path / "run/sweep/pulled.parquet").to_dict("records")
    assert row["corner"] == "ss" and 0 < row["pulled_fa"] < 1e3


def test_the_order_of_a_datasheet_is_that_of_its_groups() -> None:
    groups = list(dict.fromkeys(one.group for one in all_parameters().values()))
    assert groups == ["synapse, positive weights", "synapse, negative weights", "synapse", "neuron"]
    neuron = [one.measurement for one in all_parameters().values() if one.group == "neuron"]
    assert list(dict.fromkeys(neuron)) == ["membrane_charge", "sensing", "discharger_current", "resting_neuron"]
    assert {one.measurement for one in all_parameters().values()} == set(measured_names()) < set(MEASUREMENTS)


def test_a_parameter_follows_from_those_it_needs_whatever_order_they_were_measured_in() -> None:
    """A weight needs the capacitance, which needs the threshold."""
    design = load_design(DESIGN)

    def measured(row: dict[str, object], **where: object) -> Measured:
        return Measured(Point(where, DECK, dict), row)

    line = dict.fromkeys(("residual_fraction", "linear_low_v", "linear_high_v", "curvature_per_v2"), 0.5)
    ramps = [
        measured({"membrane_v": [1.3, 0.4], "charge_c": [0.0, capacitance_f * 0.9]}, synapses=synapses)
        for synapses, capacitance_f in ((5, 140e-15), (0, 120e-15))
    ]
    found = parameters_of(
        {
            "synapse_current": [measured({"current_a": -63e-9, "lambda_per_v": -0.7, **line}, sign=-1, weight="middle")],
            "membrane_charge": ramps,
            "sensing": [measured({"threshold_v": 0.4, "static_threshold_v": 0.45, "delay_s": 5e-8})],
        },
        design,
    )
    assert found["v_th_v"] == pytest.approx(0.9) and found["capacitance_synapse_f"] == pytest.approx(4e-15)
    assert found["weight_minus_middle"] == pytest.approx(63e-9 * 1e-6 / (140e-15 * 0.9))
    assert found["e_minus_middle"] == pytest.approx(-1 / (0.7 * 0.9)) and found["spike_s"] != found["spike_s"]


def test_a_point_that_failed_has_no_parameters() -> None:
    assert of_one_point([], {"a": "b"})["a"] != of_one_point([], {"a": "b"})["a"], "not a number"
    assert of_one_point([Measured(Point({}, DECK, dict), {"b": 2})], {"a": "b"}) == {"a": 2.0}
