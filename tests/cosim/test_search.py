"""`cosim search`: which designs are tried, that a kill changes nothing, and what is said of those that come to nothing."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cosim.cli.main import app
from cosim.design import load_design
from cosim.design.sections import Limit
from cosim.design.writing import toml
from cosim.errors import CosimError, InputError
from cosim.networks.training import in_double, spike_data
from cosim.pipeline.request import Request
from cosim.pipeline.result import RunResult
from cosim.pipeline.stages import StageName
from cosim.runs.progress import Monitor
from cosim.search import run as search_run
from cosim.search.evaluation import Place, TrialFailedError
from cosim.search.fidelity import expected_spike_error
from cosim.search.pareto import hypervolume, on_front
from cosim.search.run import SearchResult, search_design
from cosim.search.sampling import told_scores
from cosim.search.space import dimensions, trial_design
from cosim.search.trials import DONE, FAILED, REFUSED, Trial, violations
from training.files import read_toml
from training.hardware import HardwareModel, columns_of_layers, normalise
from training.network import RCSpikeNetwork

ROOT = Path(__file__).parents[2]
DESIGN = """
name = "small"
[synapse]
kind = "current_source"
nmos_bias_v = [0.40, 0.65]
[search]
startup = 4
networks = 2
objectives = ["energy", "fidelity"]
[search.vary]
"timing.phase_s" = { low = 0.5e-6, high = 4e-6, log = true }
"neuron.membrane_capacitor_um" = { low = 4.0, high = 10.0 }
"network.layers.0" = { low = 2, high = 8 }
"""


def design_file(folder: Path, more: str = "") -> Path:
    path = folder / "small.toml"
    path.write_text(DESIGN + more)
    return path


def by_formula(place: Place, networks: int, monitor: Monitor) -> list[dict[str, float]]:
    """A trial whose metrics follow from its design alone: energy rises with the capacitor, the error falls with it."""
    design = load_design(place.design_file)
    width, phase_us, hidden = design.neuron.membrane_capacitor_um[0], design.timing.phase_s * 1e6, design.network.layers[0]
    return [
        {
            "training.test_accuracy": 0.9 + 0.01 * hidden - 0.001 * hidden**2 + 0.001 * k,
            "energy.per_inference_j": 1e-12 * (width**2 / phase_us + hidden),
            "cost.area_m2": 1e-12 * (width**2 + 10.0 * hidden),
            "fidelity.spike_error": 1e-3 * (phase_us / width + 0.1 / hidden),
        }
        for k in range(networks)
    ]


@pytest.fixture
def formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_run, "evaluated", by_formula)


def without_times(result: SearchResult) -> pd.DataFrame:
    return result.table.drop(columns=["cpu_s", "command"])


@pytest.mark.usefixtures("formula")
def test_a_search_that_was_killed_comes_to_the_same_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = design_file(tmp_path)
    whole = search_design(file, tmp_path / "whole", trials=7)
    calls = itertools.count()

    def killed(place: Place, networks: int, monitor: Monitor) -> list[dict[str, float]]:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return by_formula(place, networks, monitor)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(search_run, "evaluated", killed)
        search_design(file, tmp_path / "killed", trials=7)
    assert len(list((tmp_path / "killed").glob("trials/*/trial.json"))) == 5
    monitor = Monitor()
    resumed = search_design(file, tmp_path / "killed", trials=7, monitor=monitor)
    assert (monitor.done, monitor.cached) == (7, 5)
    pd.testing.assert_frame_equal(without_times(whole), without_times(resumed))
    assert len({json.dumps(trial.values) for trial in whole.trials}) == 7, "no design is tried twice"


@pytest.mark.usefixtures("formula")
def test_what_is_learnt_beats_what_is_spread(tmp_path: Path) -> None:
    """The own design first, then a Latin hypercube, then where the dominated volume grows: more of it than by the hypercube."""
    file = design_file(tmp_path)
    found = search_design(file, tmp_path / "out", trials=10).trials
    assert found[0].values == {"timing.phase_s": 1e-6, "neuron.membrane_capacitor_um": 7.0, "network.layers.0": 5}
    phases = [math.log2(float(str(trial.values["timing.phase_s"])) / 0.5e-6) for trial in found[1:4]]
    assert sorted(map(int, phases)) == [0, 1, 2], "an octave each"
    spread_file = tmp_path / "spread.toml"
    spread_file.write_text(file.read_text().replace("startup = 4", "startup = 10"))
    spread = search_design(spread_file, tmp_path / "spread", trials=10).trials

    def volume(trials: tuple[Trial, ...]) -> float:
        costs = np.array([trial.costs(("energy", "fidelity")) for trial in trials])
        return hypervolume(np.log10(costs), np.array([-10.0, -2.5]))

    assert volume(found) > 1.05 * volume(spread)


def refused_or_failed(place: Place, networks: int, monitor: Monitor) -> list[dict[str, float]]:
    design = load_design(place.design_file)
    if design.network.layers[0] < 4:
        raise InputError(f"{place.design_file}: too few neurons")
    if design.network.layers[0] > 7:
        raise TrialFailedError("no operating point")
    return by_formula(place, networks, monitor)


def test_a_design_without_a_result_costs_its_own_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_run, "evaluated", refused_or_failed)
    file = design_file(tmp_path)
    file.write_text(file.read_text().replace("low = 0.5e-6", "low = 0.002e-6").replace("startup = 4", "startup = 12"))
    result = search_design(file, tmp_path / "out", trials=12)
    states = {trial.number: trial.state for trial in result.trials}
    assert set(states.values()) == {DONE, REFUSED, FAILED} and result.exit_code == 0
    reasons = {trial.reason for trial in result.trials if trial.state != DONE}
    assert "no operating point" in reasons and "design.toml: too few neurons" in reasons
    assert any("edge_s must be at most a fiftieth" in reason for reason in reasons)
    page = (tmp_path / "out" / "search.html").read_text()
    assert "no operating point" in page and "edge_s must be at most" in page
    assert all("best" not in str(row["reason"]) for row in result.rows())
    assert {trial.number for trial in result.front} <= {number for number, state in states.items() if state == DONE}


@pytest.mark.usefixtures("formula")
def test_limits_are_held_and_one_that_no_trial_has_is_one_line(tmp_path: Path) -> None:
    limit = '[search.limits]\n"cost.area_m2" = { max = 75e-12 }\n[limits]\n"training.test_accuracy" = { min = 0.92 }\n'
    result = search_design(design_file(tmp_path, limit), tmp_path / "out", trials=8)
    for trial in result.trials:
        area, accuracy = trial.metrics["cost.area_m2"], trial.metrics["training.test_accuracy"]
        assert trial.is_feasible == (area <= 75e-12 and accuracy >= 0.92)
        assert trial.violated["cost.area_m2 above 7.5e-11"] == pytest.approx(area / 75e-12 - 1)
    assert 0 < len(result.front) < sum(trial.is_feasible for trial in result.trials) + 1
    learnt = [trial.is_feasible for trial in result.trials[4:]]
    assert np.mean(learnt) > np.mean([trial.is_feasible for trial in result.trials[:4]])
    file = design_file(tmp_path, '[search.limits]\n"cost.aria_m2" = { max = 1 }\n')
    said = CliRunner().invoke(app, ["search", str(file), "--out", str(tmp_path / "other"), "--trials", "2"])
    assert said.exit_code == 2 and "search.limits: 'cost.aria_m2' is no metric of a trial" in said.stderr


def test_a_dead_network_does_not_hide_what_others_differ_by() -> None:
    """It has no energy and no error; as logarithms those would be all that a process sees."""

    def trial(energy: float, error: float, missed: float) -> Trial:
        metrics = {"energy.per_inference_j": energy, "fidelity.spike_error": error}
        return Trial(0, {}, metrics=metrics, violated={"training.test_accuracy below 0.9": missed})

    held, dead = [trial(2e-12, 1e-4, -0.1), trial(5e-12, 1e-6, -0.1), trial(3e-12, 1e-5, 0.0)], trial(1e-13, 0.0, 1.0)
    names = ("energy", "fidelity")
    alone, told = told_scores(held, names), told_scores([*held, dead], names)
    assert told[:3] == alone and alone[0] == pytest.approx([math.log10(2e-12), -4.0])
    assert told[3] == pytest.approx([math.log10(2e-12), -6.0])
    assert told_scores([dead], names)[0] == pytest.approx([-13.0, -30.0]), "of nothing else there is nothing to compare with"


@pytest.mark.usefixtures("formula")
def test_the_command_prints_the_best_and_how_to_run_them(tmp_path: Path) -> None:
    file = design_file(tmp_path)
    file.write_text(file.read_text().replace('objectives = ["energy", "fidelity"]', ""))
    words = ["search", str(file), "--out", str(tmp_path / "out"), "--trials", "5"]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0 and said.stdout.startswith("5 trials: 5 done;"), said.output
    rows = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["trials"]
    assert [row["trial"] for row in rows] == [0, 1, 2, 3, 4]
    again = rows[3]["command"].split()
    assert again[:2] == ["cosim", "run"]
    tried = load_design(again[2])
    assert tried.timing.phase_s == rows[3]["timing.phase_s"]
    assert tried.neuron.membrane_capacitor_um == (rows[3]["neuron.membrane_capacitor_um"],) * 2
    assert tried.network.layers == (rows[3]["network.layers.0"], 5) and tried.synapse.nmos_bias_v == (0.40, 0.65)
    table = pd.read_csv(tmp_path / "out" / "search.csv")
    assert table[table.best]["training.test_accuracy"].max() == table["training.test_accuracy"].max()
    assert table["training.test_accuracy +-"].to_numpy() == pytest.approx(0.001 / math.sqrt(2))
    page = (tmp_path / "out" / "search.html").read_text()
    assert "<svg" in page and rows[3]["command"].split("/trials/")[1] in page


@pytest.mark.usefixtures("formula")
def test_the_best_are_simulated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[Request]()

    def simulated(request: Request, monitor: Monitor) -> RunResult:
        asked.append(request)
        metrics = {"validation.ode.output_spike_rmse_s": 2e-10, "energy.per_inference_j": 8e-12, "circuit.test_accuracy": 0.75}
        return RunResult(request.out or tmp_path, (), metrics, (), 0)

    monkeypatch.setattr("cosim.pipeline.run.carry_out", simulated)
    file = design_file(tmp_path)
    result = search_design(file, tmp_path / "out", trials=4, simulate=3)
    best = {trial.number for trial in result.front}
    assert {str(request.out) for request in asked} == {str(tmp_path / f"out/trials/{number:04d}/run") for number in best}
    assert all((one.until, one.samples, one.dies) == (StageName.VALIDATE, 3, 0) for one in asked)
    for trial in result.trials:
        assert trial.circuit == (
            {"samples": 3, "spike_error_s": 2e-10, "energy_j": 8e-12, "accuracy": 0.75} if trial.number in best else {}
        )
    page = (tmp_path / "out" / "search.html").read_text()
    assert "spike error in the circuit" in page and "200 ps" in page
    search_design(file, tmp_path / "out", trials=4, simulate=3)
    assert len(asked) == len(best), "what is simulated is kept"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"timing.phase_s": "timing.phase"}, "search.vary: timing.phase: the design has no such field"),
        ({"network.layers.0": "network.layers.7"}, "search.vary: network.layers.7: the design has no such field"),
        ({"network.layers.0": "network.dataset"}, "network.dataset: holds 'iris', no number; give choices"),
        ({"low = 4.0, high": "low = 14.0, high"}, "a range rises from low to high"),
        ({"low = 2, high = 8": "low = 2.2, high = 2.8"}, "network.layers.0: takes whole numbers, and none lies from low to high"),
        ({"low = 2, high = 8": "low = 2, high = 8, choices = [1.0]"}, "give low and high, or choices"),
        ({'energy", "fidelity': 'energy", "energy'}, "one stands there twice"),
    ],
)
def test_a_space_that_is_none_is_one_line(changed: dict[str, str], line: str, tmp_path: Path) -> None:
    file = design_file(tmp_path)
    for old, new in changed.items():
        file.write_text(file.read_text().replace(old, new))
    said = CliRunner().invoke(app, ["search", str(file), "--out", str(tmp_path / "out")])
    assert said.exit_code == 2 and line in said.stderr and len(said.stderr.strip().splitlines()) == 1, said.output
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("formula")
def test_another_search_is_not_mixed_in(tmp_path: Path) -> None:
    file = design_file(tmp_path)
    search_design(file, tmp_path / "out", trials=1)
    file.write_text(file.read_text().replace("high = 10.0", "high = 11.0"))
    with pytest.raises(InputError, match=r"holds a search about another small\.toml; choose another folder"):
        search_design(file, tmp_path / "out", trials=2)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").touch()
    with pytest.raises(InputError, match="not empty"):
        search_design(file, tmp_path / "run", trials=1)


def test_without_optuna_it_is_one_line() -> None:
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'optuna' else found(name, package)\n"
        "sys.argv = ['cosim', 'search', 'designs/iris_5_5_5.toml']\n"
        "from cosim.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("cosim: search needs the Python package optuna, which is not installed: pip install")


def test_the_space_of_a_design_that_names_none_lies_about_its_own_values() -> None:
    design = load_design(ROOT / "designs/iris_5_5_5.toml")
    found = {one.path: (one.varied.low, one.own_value, one.varied.high) for one in dimensions(design)}
    assert found["timing.phase_s"] == (5e-7, 1e-6, 2e-6)
    assert found["network.layers.0"] == (2, 5, 10)
    assert found["synapse.pmos_bias_v.1"] == pytest.approx((0.9875, 1.05, 1.1125))
    assert all(low < own < high for low, own, high in found.values())
    assert {"neuron.membrane_capacitor_um", "synapse.nmos.width_um", "synapse.nmos_bias_v.1"} <= set(found)


def test_values_lie_on_the_grid_that_a_step_makes(tmp_path: Path) -> None:
    file = design_file(tmp_path)
    stepped = file.read_text().replace("low = 4.0, high = 10.0", "low = 4.0, high = 10.5, step = 2.0")
    file.write_text(stepped.replace("low = 2, high = 8", "low = 2, high = 9, step = 3"))
    phase, width, hidden = dimensions(load_design(file))
    assert [width.at(share) for share in (0.0, 0.3, 0.6, 1.0)] == [4.0, 6.0, 8.0, 10.0] and width.on_grid(8.9) == 8.0
    assert [hidden.at(share) for share in (0.0, 0.5, 1.0)] == [2, 5, 8] and isinstance(hidden.at(0.5), int)
    assert phase.at(0.5) == pytest.approx(math.sqrt(0.5 * 4.0) * 1e-6, rel=1e-5)
    file.write_text(file.read_text().replace("log = true", "log = true, step = 1e-6"))
    with pytest.raises(InputError, match="a range with log = true has no step"):
        load_design(file)


def test_a_trial_lies_anywhere_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Files are found from the folder of the trial as from that of the design; what the trial does not set stays."""
    own = ROOT / "designs/cells/own_cell.toml"
    design = load_design(own)
    text = trial_design(read_toml(own), own.parent, design, {"timing.phase_s": 2e-6}, "own-0001")
    (tmp_path / "design.toml").write_text(text)
    tried = load_design(tmp_path / "design.toml")
    assert tried.synapse.model_dump(exclude={"file"}) == design.synapse.model_dump(exclude={"file"})
    assert tried.timing.phase_s == 2e-6
    assert (tried.name, tried.mapping.conventional) == ("own-0001", False)


SCALARS = st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_toml_is_read_as_it_was_written(content: dict[str, Any]) -> None:
    assert tomllib.loads(toml(content)) == content


def test_hypervolume_is_that_of_the_union_of_boxes() -> None:
    random = np.random.default_rng(0)
    for size, dimension in itertools.product((1, 2, 5, 7), (1, 2, 3, 4)):
        points, reference = random.random((size, dimension)), np.full(dimension, 0.9)
        expected = 0.0
        for count in range(1, size + 1):  # inclusion and exclusion
            for chosen in itertools.combinations(points, count):
                expected -= (-1) ** count * float(np.prod(np.maximum(reference - np.max(chosen, axis=0), 0.0)))
        assert hypervolume(points, reference) == pytest.approx(expected, abs=1e-12)


def test_the_front_is_what_nothing_dominates() -> None:
    points = np.array([[1.0, 4.0], [2.0, 2.0], [2.0, 3.0], [4.0, 1.0], [4.0, 4.0], [1.0, 4.0]])
    assert on_front(points).tolist() == [True, True, False, True, False, True], "equal points do not dominate each other"


@pytest.mark.parametrize(
    ("limit", "value", "violated"),
    [(Limit(max=2.0), 3.0, 0.5), (Limit(max=2.0), 1.0, -0.5), (Limit(min=0.9), 0.81, 0.1), (Limit(min=0.0), -2.0, 2.0)],
)
def test_a_limit_is_missed_by_a_share_of_itself(limit: Limit, value: float, violated: float) -> None:
    (found,) = violations({"x": limit}, {"x": value}).values()
    assert found == pytest.approx(violated)


def _error(change: Callable[[HardwareModel], HardwareModel]) -> float:
    """Of a network on the reference hardware whose residuals are changed."""
    design, hardware = load_design(ROOT / "designs/iris_5_5_5.toml"), change(HardwareModel.reference())
    columns = columns_of_layers(hardware, design.shape.crossbars)
    network = RCSpikeNetwork(design.network.sizes, [normalise(column) for column in columns])
    network.reset_parameters(torch.Generator().manual_seed(1))
    data = in_double(spike_data(design.network))
    return expected_spike_error(network.double().eval(), columns, data.test_t, data.test_labels, draws=4)


def _with_residuals(hardware: HardwareModel, current: float, delay: float) -> HardwareModel:
    def synapse(side: Any) -> Any:
        return side.model_copy(update={"slope": side.slope.model_copy(update={"residual": current})})

    neuron = hardware.neuron.model_copy(
        update={
            "delay": hardware.neuron.delay.model_copy(update={"residual": delay}),
            "threshold": hardware.neuron.threshold.model_copy(update={"residual": 0.0}),
        }
    )
    return hardware.model_copy(
        update={"plus": synapse(hardware.plus), "minus": synapse(hardware.minus), "neuron": neuron, "columns": ()}
    )


def test_the_expected_spike_error_is_that_of_the_residuals() -> None:
    """Nothing where the fits leave nothing; as many times larger as they; of a delay, what two layers make of it."""
    nothing, once, twice = (_error(lambda model, r=r: _with_residuals(model, r, 0.0)) for r in (0.0, 1e-4, 2e-4))  # type: ignore[misc]
    assert nothing == 0.0 and twice == pytest.approx(2 * once, rel=1e-2)
    assert 1e-6 < once < 1e-3
    delayed = _error(lambda model: _with_residuals(model, 0.0, 1e-9))
    assert 1e-4 < delayed < 1e-2, "a nanosecond of a microsecond, through two layers"
    assert issubclass(TrialFailedError, CosimError)
