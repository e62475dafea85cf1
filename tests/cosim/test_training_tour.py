"""The commands of docs/training.md and its notebook, on fewer epochs and seeds."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cosim.cli.main import app
from training.study.plan import load_study

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "tour.py"
PAGE = (ROOT / "docs" / "training.md").read_text()
STUDIES = sorted((ROOT / "designs" / "studies").glob("*.toml"))


def shortened(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"{old} is no longer in the page"
        text = text.replace(old, new)
    return text


def cells(notebook: str) -> list[str]:
    """The code of a notebook, cell by cell in their order, without its prose and without marimo."""
    functions = [node for node in ast.parse(notebook).body if isinstance(node, ast.FunctionDef)]
    prose = [
        function for function in functions if "marimo" in ast.unparse(function) or [a.arg for a in function.args.args] == ["mo"]
    ]
    bodies = [[node for node in one.body if not isinstance(node, ast.Return)] for one in functions if one not in prose]
    return ["\n".join(map(ast.unparse, body)) for body in bodies]


def test_the_notebook_is_the_page() -> None:
    spec = importlib.util.spec_from_file_location("tour", ROOT / "scripts" / "tour.py")
    assert spec is not None and spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    made = generator.notebook(PAGE)
    assert NOTEBOOK.read_text() == made, "run: python scripts/tour.py"
    codes = cells(made)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert [ast.dump(ast.parse(text)) for text in codes] == [ast.dump(ast.parse(block)) for block in blocks]
    assert "## 4. Bring your own network" in made and "](images/" not in made


@pytest.mark.slow
def test_the_cells_of_the_notebook_are_one_script(capsys: pytest.CaptureFixture[str]) -> None:
    script = shortened(
        "\n".join(cells(NOTEBOOK.read_text())), {"epochs=20": "epochs=4", "(0, 1, 2)": "(0,)", "range(200)": "range(100)"}
    )
    exec(compile(script, "examples/tour.py", "exec"), {"__name__": "tour"})
    printed = dict(re.findall(r"^(.*?) +([\d.]+) %", capsys.readouterr().out, re.MULTILINE))
    assert list(printed) == [
        "ideal", "scaled", "ode", "in software", "on an ideal circuit", "at |E| = 0.5", "after five more epochs",
    ]  # fmt: skip
    accuracy = {name: float(value) for name, value in printed.items()}
    assert accuracy["ode"] > accuracy["ideal"]
    assert accuracy["on an ideal circuit"] == pytest.approx(accuracy["in software"], abs=0.3)
    assert accuracy["at |E| = 0.5"] < accuracy["after five more epochs"]


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_ready_studies_run(study: Path, tmp_path: Path) -> None:
    assert f"designs/studies/{study.name}" in PAGE
    text = study.read_text()
    for pattern, short in (
        (r"epochs = \d+", "epochs = 1"),
        (r"seeds = \[.*\]", "seeds = [0]"),
        (r"inputs = \[.*\]", "inputs = [5]"),
    ):
        text = re.sub(pattern, short, text)
    shorter = tmp_path / study.name
    shorter.write_text(text)
    result = CliRunner().invoke(app, ["study", str(shorter), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    plan = load_study(shorter)
    rows = len(plan.methods) * len(plan.reversal) if plan.reversal else 0
    heading = 1 if rows else 0
    assert len(result.stdout.splitlines()) == rows + heading + 1


def test_the_page_shows_what_the_command_prints() -> None:
    """Same heading, same methods as the ready studies."""
    for name in ("digits", "methods"):
        shown = PAGE.split(f"$ cosim study designs/studies/{name}.toml\n")[1].split("```")[0].splitlines()
        plan = load_study(ROOT / "designs" / "studies" / f"{name}.toml")
        assert [line.split()[0] for line in shown] == ["method", *(m for m in plan.methods for _ in plan.reversal)]
