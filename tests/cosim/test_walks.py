"""Two ways through the house, each station once.

A sweep point from the request to a cell of the datasheet, and an I-V curve from the deck to the layer that is trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cosim.bench.bench import Bench
from cosim.bench.results import Measured
from cosim.characterize import synapse_fit
from cosim.characterize.assembly import synapse_hardware
from cosim.characterize.extract import CHARGES
from cosim.characterize.measurements.synapse_current import over_membrane
from cosim.characterize.membrane import Membrane
from cosim.datasheet.circuits import circuits_of
from cosim.datasheet.tables import Rerun
from cosim.design import Design, load_design
from cosim.design.condition import Condition, PointCondition, parse
from cosim.mapping.codes import setting_of_weight, weight_of_setting
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from cosim.simulator import Outcome, Point, Waveforms
from cosim.sweep.run import SweepOptions, measure, table_row
from netlists.synapse import SynapseSetting
from sky130_models.corners import Corner
from training.hardware import HardwareModel, normalise
from training.layer import RCSpikeLayer

DESIGN = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"
BIASES = (0.42, 0.6)
SLOW = Condition(Corner.SS, -40.0, 1.62, (("synapse.nmos_bias_v", BIASES),), discharger_bias_v=0.55)
RERUN = Rerun("design.toml", "runs/x")


@pytest.fixture
def design() -> Design:
    return load_design(DESIGN)


class Backwards:
    """A pool that simulates nothing and answers the last point first, its seed in the current."""

    version = "none"

    def __init__(self) -> None:
        self.asked: list[Point] = []

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        here = list(points)
        self.asked += here
        for index, point in reversed(list(enumerate(here))):
            current = 1e-7 * (1 + PointCondition.of(point.condition).circuit.seed)  # type: ignore[operator]
            yield Outcome(point, {"current_a": current, "lambda_per_v": 0.2, "log_slope_per_v": 20.0}, None, index=index)


def test_a_sweep_point_is_one_object_from_the_request_to_the_cell_of_a_datasheet(
    design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> str:
        raise AssertionError("a condition became text inside the process")

    asked = [Condition(SLOW.corner, SLOW.temperature_c, 1.62, SLOW.parameters, seed, 0.55) for seed in (3, 4, 9)]
    pool = Backwards()
    with monkeypatch.context() as patched:
        patched.setattr(Condition, "__str__", never)
        for place in ("cosim.design.condition.text", "cosim.design.condition.parse", "cosim.sweep.run.text"):
            patched.setattr(place, never)
        names = ["discharger_current"]
        result = measure(design, DESIGN, names, asked, RunDirectory(tmp_path), pool, Monitor(), SweepOptions(datasheet=True))
        circuits = circuits_of("monte_carlo", result, design)
    assert [circuit.condition for circuit in circuits] == asked
    assert all(dict(circuit.condition.parameters)["synapse.nmos_bias_v"] is BIASES for circuit in circuits)
    assert [circuit.values["discharger_current_a"] for circuit in circuits] == pytest.approx([4e-7, 5e-7, 10e-7])
    assert [point.deck.seed for point in pool.asked] == [3, 4, 9]
    assert all("\nVdischarger_bias discharger_bias 0 0.55" in point.deck.netlist for point in pool.asked)
    assert pool.asked[0].deck.options.temperature_c == -40.0
    row = table_row(result.measured["discharger_current"][0])
    assert (row["corner"], row["seed"], row["synapse.nmos_bias_v"], row["bias_v"]) == ("ss", 3, "0.42:0.6", 0.55)
    only = RERUN.command("e_dis", asked[2]).split("--only ")[1].split()[0]
    assert parse(only, design) == (asked[2], ()), "and what a user is told to type is that object again"


def _curves(bench: Bench, lambdas: dict[int, np.ndarray], currents: dict[int, np.ndarray]) -> list[Measured]:
    """What the testbench would show of synapses whose currents at rest and lambdas are known."""
    measured = []
    for point in synapse_fit.points(bench):
        sign, volts = point.condition["sign"], np.linspace(0.15, 1.65, 24)
        codes = bench.cells().synapse.codes(sign, bench.design.characterization.codes)
        k = list(codes).index(point.condition["code"])
        at_rest, slope = sign * currents[sign][k], sign * lambdas[sign][k]
        row = over_membrane(Waveforms(volts, {"i(vmembrane)": -at_rest * (1 + slope * (volts - 1.3))}), rest_v=1.3)
        assert row["current_a"] == pytest.approx(at_rest) and row["lambda_per_v"] == pytest.approx(slope)
        measured.append(Measured(point, row))
    return measured


def test_an_iv_curve_is_interpolated_once_between_the_deck_and_the_layer(design: Design, tmp_path: Path) -> None:
    bench, lambdas = Bench(design, design.process.pdk(), None), {1: np.linspace(0.36, 0.44, 11), -1: np.linspace(0.8, 0.6, 11)}
    currents = {1: np.geomspace(2e-9, 9e-7, 11), -1: np.geomspace(2e-9, 1.3e-7, 11)}
    volts = np.linspace(1.9, -0.1, 61)
    membrane = Membrane(volts, 1.3 - volts, 140e-15, 0.87)  # a capacitor: displacement is voltage
    iv = synapse_fit.iv_table(_curves(bench, lambdas, currents))
    assert len(iv) == 2 * 11 * 24 and iv.current_a[iv.sign == -1].max() < 0
    fits = synapse_fit.fit_synapses(bench, iv, membrane)
    charges = pd.DataFrame({"sign": fits.sign, "current_a": fits.current_a, **dict.fromkeys(CHARGES, 0.0)})
    sides = {side: synapse_hardware(sign, bench.cells(), fits, charges) for side, sign in (("plus", 1), ("minus", -1))}
    HardwareModel.reference().model_copy(update=sides).save(tmp_path / "hardware.json")
    hardware = HardwareModel.load(tmp_path / "hardware.json")

    # the curve of hardware.json goes through what was measured
    for sign in (1, -1):
        cell = hardware.synapse(sign)
        np.testing.assert_allclose(cell.code.x, currents[sign], rtol=1e-9)
        np.testing.assert_allclose(cell.reversal(currents[sign]), 1 / lambdas[sign], rtol=1e-9)
        slope, curvature = cell.slope_and_curvature(currents[sign])
        np.testing.assert_allclose(slope, lambdas[sign], rtol=1e-9)
        np.testing.assert_allclose(curvature, 0.0, atol=1e-9)
        # mapping asks the same curve: the weight of a measured code is set by that code, and the other way round
        code = float(cell.code.y[4])
        weight = weight_of_setting(SynapseSetting(sign, code), hardware)
        assert weight == pytest.approx(sign * currents[sign][4] / hardware.unit_current_a, rel=1e-9)
        setting = setting_of_weight(weight, hardware)
        assert setting is not None and (setting.sign, setting.code) == (sign, pytest.approx(code, abs=1e-9))

    # the layer holds samples of it and has no curve of its own
    model = normalise(hardware)
    for sign, samples in ((1, model.plus), (-1, model.minus)):
        inside = samples.magnitude[1:-1]
        layer = RCSpikeLayer(len(inside), 1, model).double()
        with torch.no_grad():
            layer.weight[:] = torch.as_tensor(sign * inside)
            beta = layer.synapses().beta.numpy()[0]
        slope, _ = hardware.synapse(sign).slope_and_curvature(inside * hardware.unit_current_a)
        assert np.ptp(1 / slope) > 0.2
        np.testing.assert_allclose(beta, sign * hardware.neuron.v_th_v * slope, rtol=1e-9)
