"""With `pip install cosim[training]` and nothing else: the library, `cosim train --hardware`, `cosim study`, the docs' examples.

The interpreter of these tests cannot import what the other extras bring.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from installed import ROOT, Python

pytestmark = pytest.mark.slow

OF_OTHER_EXTRAS = ("PySpice", "sky130", "matplotlib", "weasyprint", "schemdraw", "dask", "distributed", "dask_jobqueue")

DESIGN = """
name = "tiny"
[training]
epochs = 3
"""

STUDY = """
name = "tiny"
methods = ["ideal", "ode"]
reversal = [1.0, 3.0]
hidden = [4]
train_samples = 60
[recipe]
epochs = 1
[solvers]
reversal = [1.0, 2.0]
steps = [2]
inputs = [5]
samples = 2
"""


def test_what_the_other_extras_bring_is_not_there(training_alone: Python, tmp_path: Path) -> None:
    found = "import importlib.util, json, sys; print(json.dumps([bool(importlib.util.find_spec(p)) for p in sys.argv[1:]]))"
    there = training_alone.run("-c", found, "torch", "numba", "cosim", *OF_OTHER_EXTRAS, "tests", "benchmarks", cwd=tmp_path)
    assert json.loads(there.stdout) == [True] * 3 + [False] * (len(OF_OTHER_EXTRAS) + 2)


def test_a_design_is_trained_on_a_given_hardware_model(training_alone: Python, tmp_path: Path) -> None:
    [save] = [line for line in page("ml-engineer").splitlines() if line.startswith('python -c "')]
    training_alone.run("-c", save.removeprefix('python -c "').removesuffix('"'), cwd=tmp_path)
    (tmp_path / "tiny.toml").write_text(DESIGN)
    words = ("-m", "cosim", "train", "tiny.toml", "--hardware", "hardware.json", "--json")
    metrics = json.loads(training_alone.run(*words, cwd=tmp_path).stdout)
    assert metrics["characterization.e_plus"] == pytest.approx(2.77, abs=0.1)
    assert 0.2 <= metrics["training.test_accuracy"] <= 1.0
    assert (tmp_path / "runs" / "tiny" / "network.safetensors").exists()
    mapped = training_alone.run("-m", "cosim", "map", "tiny.toml", cwd=tmp_path, check=False)
    assert mapped.returncode == 2
    assert mapped.stderr.strip().splitlines() == [
        "cosim: map needs the Python package PySpice, which is not installed: pip install 'cosim[simulation]'"
    ]


def test_a_study_writes_its_tables_and_says_what_pictures_need(training_alone: Python, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(STUDY)
    done = training_alone.run("-m", "cosim", "study", "tiny.toml", "--out", "out", cwd=tmp_path)
    with (tmp_path / "out" / "study.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], float(row["e_rev"])) for row in rows] == [("ideal", 1), ("ideal", 3), ("ode", 1), ("ode", 3)]
    tables = {path.stem for path in (tmp_path / "out").glob("*.csv")}
    assert tables == {"study", "membranes", "errors", "costs"} and not list((tmp_path / "out").glob("*.png"))
    [said] = [line for line in done.stdout.splitlines() if "pictures" in line]
    assert "pip install 'cosim[reports]'" in said


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


@pytest.mark.parametrize("name", ["ml-engineer", "training", "solvers"])
def test_the_first_example_of_a_page_runs_as_printed(name: str, training_alone: Python, tmp_path: Path) -> None:
    match = re.search(r"```python\n(?P<code>.*?)```\n(?:\n```\n(?P<printed>.*?)```\n)?", page(name), re.DOTALL)
    assert match is not None
    done = training_alone.run("-c", match["code"], cwd=tmp_path)
    assert done.stdout == (match["printed"] or "")
