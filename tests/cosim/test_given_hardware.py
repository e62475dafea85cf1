"""A hardware model from elsewhere, such as that of measured silicon, in the place of a characterisation."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from extracted import device_variation
from typer.testing import CliRunner, Result

from cosim.cli.main import app
from cosim.design import Design, load_design
from cosim.errors import InputError
from cosim.runs.given import GIVEN_HARDWARE
from cosim.runs.given_hardware import read_hardware
from training.hardware import HardwareModel

QUICK = 'name = "quick"\n[training]\nepochs = {epochs}\n'


def measured(folder: Path) -> Path:
    hardware = HardwareModel.reference().model_copy(update={"provenance": "measured"})
    hardware.save(folder / "silicon.json")
    return folder / "silicon.json"


def train(*words: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, words)])


def test_a_design_is_trained_on_measured_hardware_without_models_or_simulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "no_pdk"))
    design, run, given = tmp_path / "quick.toml", tmp_path / "run", measured(tmp_path)
    design.write_text(QUICK.format(epochs=2))
    result = train(design, "--out", run, "--hardware", given)
    assert result.exit_code == 0, result.output
    assert HardwareModel.load(run / "hardware.json") == HardwareModel.load(given) and (run / GIVEN_HARDWARE).exists()
    record = json.loads((run / "provenance.json").read_text())
    assert record["stages"]["characterize"]["points"] == 0 and "ngspice" not in record["stages"]["characterize"]
    assert record["hardware"] == "measured"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["characterization.e_plus"] == pytest.approx(2.77, abs=0.3)
    epochs = pd.read_parquet(run / "training.parquet")
    assert list(epochs.columns) == ["mapping", "epoch", "loss", "train_accuracy", "test_accuracy"]
    assert list(zip(epochs.mapping, epochs.epoch, strict=True)) == [(m, e) for m in ("ode", "conventional") for e in (1, 2)]
    trained = (run / "network.safetensors").read_bytes()
    design.write_text(QUICK.format(epochs=3))
    assert train(design, "--out", run).exit_code == 0, "the run directory keeps it"
    assert HardwareModel.load(run / "hardware.json").provenance == "measured"
    assert (run / "network.safetensors").read_bytes() != trained


def test_a_design_that_trains_for_mismatch_needs_the_dies_of_its_hardware(tmp_path: Path) -> None:
    design, run, bare = tmp_path / "quick.toml", tmp_path / "run", measured(tmp_path)
    design.write_text(QUICK.format(epochs=2) + "mismatch = true\n")
    refused = train(design, "--out", run, "--hardware", bare)
    assert refused.exit_code == 2
    assert "training.mismatch: the hardware model holds no Monte Carlo dies" in refused.output
    variation = device_variation(plus=0.1, minus=0.1, threshold=0.1, discharger=0.1)
    spread = tmp_path / "spread.json"
    HardwareModel.reference().model_copy(update={"variation": variation}).save(spread)
    assert train(design, "--out", run, "--hardware", spread).exit_code == 0
    with_dies = (run / "network.safetensors").read_bytes()
    assert json.loads((run / "network.json").read_text())["mismatch"]["device_threshold"] == pytest.approx(0.1)
    design.write_text(QUICK.format(epochs=2))
    assert train(design, "--out", run, "--hardware", spread).exit_code == 0
    assert (run / "network.safetensors").read_bytes() != with_dies


def test_a_circuit_that_would_be_characterised_for_nothing_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is characterised on the way to a training holds no dies."""
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "no_pdk"))
    design, run = tmp_path / "quick.toml", tmp_path / "run"
    design.write_text(QUICK.format(epochs=2) + "mismatch = true\n")
    refused = train(design, "--out", run)
    assert refused.exit_code == 2 and not (run / "hardware.json").exists()
    assert "training.mismatch: the hardware model holds no Monte Carlo dies" in refused.output


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"synapse": {"kind": "cascode"}}, "cell: is current_source, synapse.kind of the design is cascode"),
        ({"timing": {"phase_s": 2e-6}}, "phase_s: is 1e-06, timing.phase_s of the design is 2e-06"),
        ({"process": {"corner": "ff"}}, "corner: is tt, process.corner of the design is ff"),
        ({"process": {"temperature_c": 85.0}}, "temperature_c: is 27, process.temperature_c of the design is 85"),
        ({"process": {"model_set": "binned"}}, "model_set: is continuous, process.model_set of the design is binned"),
        ({"process": {"name": "gf180"}}, "model_set: is continuous, process.model_set of the design is 3v3"),
        ({"neuron": {"rest_v": 1.2}}, "neuron.rest: is 1.3, neuron.rest_v of the design is 1.2"),
        (
            {"synapse": {"kind": "current_source", "nmos_bias_v": [0.7, 0.8]}},
            "plus.code: is 0.4 .. 0.65 V, the codes of the design are 0.7 .. 0.8 V",
        ),
        (
            {"network": {"layers": [9, 5]}},
            "neuron.synapses: the model iris_5_5_5 holds for columns of 5 synapses, not of 9; "
            "characterise a design with such a layer",
        ),
    ],
)
def test_a_model_of_another_circuit_is_one_line(change: dict[str, object], complaint: str, tmp_path: Path) -> None:
    given = measured(tmp_path)
    with pytest.raises(InputError) as caught:
        read_hardware(given, Design.model_validate({"name": "x", **change}))
    assert str(caught.value) == f"{given}: {complaint}"


def test_a_file_that_is_no_model_changes_nothing(tmp_path: Path) -> None:
    design, run = tmp_path / "quick.toml", tmp_path / "run"
    design.write_text(QUICK.format(epochs=2))
    (tmp_path / "bad.json").write_text("{}")
    result = train(design, "--out", run, "--hardware", tmp_path / "bad.json")
    assert result.exit_code == 2 and "schema_version: missing; this is not a hardware model" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 and not (run / GIVEN_HARDWARE).exists()
    assert load_design(design).name == "quick"
