"""`cosim new` and `cosim schema`: a first design that runs, and what editors complete it by; completion of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from typer.testing import CliRunner, Result

from cosim.cli import new as command
from cosim.cli.main import app
from cosim.design import load_design
from cosim.design.new import SETS, NewDesign, startable, write_new
from cosim.design.schema import FILE, schema, text
from cosim.errors import InputError
from netlists.process import PROCESSES

ROOT = Path(__file__).parents[2]
DESIGNS = sorted([*(ROOT / "designs").glob("*.toml"), *(ROOT / "designs" / "cells").glob("*.toml")])
FLOWERS = ROOT / "designs" / "data" / "flowers.csv"


def invoke(*words: object, **how: Any) -> Result:
    return CliRunner().invoke(app, list(map(str, words)), **how)


def complaint(result: Result) -> str:
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    assert not result.stdout
    return line


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("data", SETS)
def test_every_choice_is_a_design_that_loads(process: str, data: str, tmp_path: Path) -> None:
    for kind in startable(process):
        design = load_design(write_new(NewDesign(kind, data, process, kind), tmp_path))
        assert (design.name, design.process.name, design.synapse.kind, design.network.dataset) == (kind, process, kind, data)
        given = tomllib.loads((tmp_path / f"{kind}.toml").read_text())
        assert not list(Draft7Validator(schema()).iter_errors(given))


def test_without_an_answer_it_is_the_reference_design(tmp_path: Path) -> None:
    """Which is known to run, in tests and in the demonstration."""
    assert invoke("new", "mine", "--folder", tmp_path).exit_code == 0
    mine, reference = load_design(tmp_path / "mine.toml"), load_design(ROOT / "designs" / "iris_5_5_5.toml")
    differ = {name for name in type(mine).model_fields if getattr(mine, name) != getattr(reference, name)}
    assert differ == {"name", "title", "validation", "datasheet", "limits"}
    assert mine.validation.model_copy(update={"samples": 50, "mismatch_dies": 4}) == reference.validation


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    table = tmp_path / "data" / 'my "flowers".csv'
    table.write_bytes(FLOWERS.read_bytes())
    (tmp_path / "designs").mkdir()
    assert invoke("new", "own", "--data", table, "--folder", tmp_path / "designs").exit_code == 0
    network = load_design(tmp_path / "designs" / "own.toml").network
    assert network.table and network.table.label == "kind" and Path(network.table.file) == table
    assert (network.sizes, network.test_samples) == ((5, 5, 3), 50)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["../x"], "is no name of a design"),
        (["a", "--process", "sky131"], "--process: 'sky131' is none of gf180, sky130"),
        (["a", "--synapse", "resistive"], "--synapse: 'resistive' is none of binary_weighted, cascode, current_source"),
        (["a", "--data", "irises"], "--data: 'irises' is none of iris, wine, and no table (.csv, .parquet) of yours"),
        (["a", "--data", "gone.csv"], "gone.csv: is not there"),
        (["a", "--data", FLOWERS, "--label", "sort"], "has no column 'sort'"),
        (["there"], "is there already; give another name, or delete it"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(words: list[object], told: str, tmp_path: Path) -> None:
    (tmp_path / "there.toml").write_text("")
    assert told in complaint(invoke("new", *words, "--folder", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["there.toml"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_new(NewDesign("a"), tmp_path / "file")


def test_a_terminal_is_asked_what_is_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    asked: list[str] = []

    def answer(question: str, default: str, err: bool) -> str:
        asked.append(question)
        return "gf180" if question.startswith("Process") else default

    monkeypatch.setattr(command.sys, "stdin", Terminal)
    monkeypatch.setattr(command.typer, "prompt", answer)
    command.new(name="mine", folder=tmp_path, data="wine")
    assert [question.partition(":")[0] for question in asked] == ["Process"]
    assert load_design(tmp_path / "mine.toml").process.name == "gf180"


def test_the_schema_in_the_checkout_is_up_to_date(tmp_path: Path) -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run: python -m cosim.design.reference"
    assert invoke("schema").stdout == text()
    assert invoke("schema", "--out", tmp_path / "s.json").exit_code == 0 and (tmp_path / "s.json").read_text() == text()
    assert "cannot be written" in complaint(invoke("schema", "--out", tmp_path / "s.json" / "x"))


@pytest.mark.parametrize("design", DESIGNS, ids=lambda path: path.stem)
def test_the_schema_takes_what_the_program_takes(design: Path) -> None:
    Draft7Validator.check_schema(schema())
    assert not list(Draft7Validator(json.loads(FILE.read_text())).iter_errors(tomllib.loads(design.read_text())))


@pytest.mark.parametrize(
    "wrong",
    [
        'title = "no name"',
        'name = "a/b"',
        'name = "a"\n[synapse]\nnmos = { width_um = 1.0, length_um = 0.25 }',
        'name = "a"\n[synapse]\nkind = "currentsource"',
        'name = "a"\n[neuron]\nrest_mv = 1300',
        'name = "a"\n[neuron]\nrest_v = 1300.0',
        'name = "a"\n[process]\ncorner = "tx"',
        'name = "a"\n[training]\nepochs = "many"',
        'name = "a"\n[limits]\n"validation.error" = { min = 1.0 }',
        'name = "a"\n[synapse]\nkind = "current_source"\nnmos_bias_v = [0.4, 0.5, 0.6]',
    ],
)
def test_the_schema_refuses_what_the_program_refuses(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text(wrong)
    with pytest.raises(InputError):
        load_design(tmp_path / "wrong.toml")
    assert list(Draft7Validator(schema()).iter_errors(tomllib.loads(wrong)))


def test_an_editor_completes_metrics_and_explains_keys() -> None:
    found = schema()
    assert "validation.ode.output_spike_rmse_s" in found["properties"]["limits"]["properties"]
    neuron = found["$defs"]["RcSpikeSection"]["properties"]
    assert neuron["membrane_capacitor_um"]["description"] == "drawn plate, W and L [um]"
    assert found["$defs"]["CurrentSourceSection"]["properties"]["kind"]["enum"] == ["current_source"]


def test_the_shell_completes_commands() -> None:
    code = "from cosim.cli.main import main; main()"
    how = {**os.environ, "_COSIM_COMPLETE": "complete_bash", "COMP_WORDS": "cosim da", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=how, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["datasheet"], done.stderr
