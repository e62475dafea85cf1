"""What `import cosim` offers: complete, documented, and every example of its page runs as printed."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest

import cosim
from cosim.api.reference import GROUPS, PAGE, Example, entries, examples, page

ROOT = Path(__file__).parents[2]
PUBLIC = set(cosim.__all__) - {"__version__"}

QUICK = """
[accuracy]
reltol = 3e-5
max_step_s = 20e-9

[characterization]
codes = 5
membrane_points = 8
firing_points = 28

[training]
epochs = {epochs}

[validation]
samples = 2
mismatch_dies = 0
accuracy_samples = 0

[validation.gain_search]
samples = 1
gain_plus = [0.6, 2.5]
gain_minus = [0.3, 2.0]
"""
SMALLER = """
[network]
layers = [3, 3]

[mapping]
conventional = false
"""
"""What is simulated whole; the hardware model that comes along is of a 5-5-5."""
STUDY = """
name = "digits"
methods = ["scaled", "ode"]
reversal = [2.0]
hidden = [4]
train_samples = 60
recipe = { epochs = 1 }
"""


def iv_curves() -> str:
    """Three biases of an ideal NMOS: a factor 3 a step, reversal 2.5 V below rest."""
    lines = ["sign,bias_v,membrane_v,current_a"]
    for bias_v in (0.45, 0.5, 0.55):
        for membrane_v in (0.5 + 0.05 * k for k in range(17)):
            current_a = 10e-9 * 3 ** ((bias_v - 0.45) / 0.05) * (1 - (1.3 - membrane_v) / 2.5)
            lines.append(f"1,{bias_v},{membrane_v},{current_a}")
    return "\n".join(lines) + "\n"


def folder(path: Path, epochs: int, more: str = "") -> Path:
    """A place like that of a user, with designs and measured files of their names, but quick ones."""
    (path / "designs/studies").mkdir(parents=True)
    (path / "bench").mkdir()
    (path / "designs/iris_5_5_5.toml").write_text('name = "iris_5_5_5"\n' + QUICK.format(epochs=epochs) + more)
    (path / "designs/studies/digits.toml").write_text(STUDY)
    (path / "bench/iv.csv").write_text(iv_curves())
    return path


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the examples share, as the commands of one user do."""
    return folder(tmp_path_factory.mktemp("user"), epochs=300, more=SMALLER)


def run(example: Example) -> None:
    exec(compile(example.code, example.name, "exec"), {"__name__": "example"})


@pytest.mark.parametrize("example", [one for one in examples() if not one.simulates], ids=lambda one: one.name)
def test_examples_run_as_printed(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder(tmp_path, epochs=3))
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "no_pdk"))
    run(example)
    assert capsys.readouterr().out.strip()


@pytest.mark.slow
@pytest.mark.parametrize("example", [one for one in examples() if one.simulates], ids=lambda one: one.name)
def test_examples_that_simulate_run_as_printed(
    example: Example, simulated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(simulated)
    run(example)
    assert capsys.readouterr().out.strip()


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m cosim.api.reference"


def test_every_public_name_has_its_place_its_text_and_an_example() -> None:
    listed = [name for group in GROUPS for name in group.names]
    assert sorted(listed) == sorted(PUBLIC)
    code = "\n".join(example.code for example in examples())
    assert {name for name in PUBLIC if f"cosim.{name}" not in code} == set()
    for group in GROUPS:
        for entry in entries(group):
            assert entry.sections[0][1].strip(), f"{entry.name} has no docstring"
    own = {f"Project.{name}" for name in vars(cosim.Project) if not name.startswith("_")}
    assert own == {example.name for example in examples() if example.name.startswith("Project.")}


def test_no_public_name_is_that_of_a_room() -> None:
    """Importing a room sets its name on the package: a function of that name would be gone."""
    rooms = {module.name for module in pkgutil.iter_modules(cosim.__path__)}
    assert "sweep" in rooms and rooms & set(cosim.__all__) == set()


def test_no_page_of_the_docs_needs_an_internal_module() -> None:
    """But for commands that write a page, and the page for those who extend cosim."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if path.name != "extending.md":
            text = re.sub(r"python -m cosim[.\w]+", "", path.read_text(encoding="utf-8"))
            used = re.findall(r"(?:from|import) cosim\.[.\w]+|\bcosim\.[a-z_]+\.[.\w]+", text)
            assert [name for name in used if not re.fullmatch(r"(from |import )?cosim\.training(\.\w+)?", name)] == [], path.name


def test_what_a_project_does_not_have_yet_is_one_line(tmp_path: Path) -> None:
    project = cosim.Project(folder(tmp_path, 3) / "designs/iris_5_5_5.toml", out=tmp_path / "run")
    assert project.tables == [] and project.metrics == {} and project.directory == tmp_path / "run"
    with pytest.raises(cosim.InputError, match=r"hardware\.json: not there yet; characterize\(\) makes it"):
        _ = project.hardware
    with pytest.raises(cosim.InputError, match=r"network\.safetensors: not there yet; train\(\) makes it"):
        _ = project.networks
    with pytest.raises(cosim.InputError, match="table 'mapping' is not there; there is no table yet"):
        project.table("mapping")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/hardware.json").write_text("{}")
    with pytest.raises(cosim.InputError, match="schema_version: missing"):
        _ = project.hardware
    with pytest.raises(cosim.InputError, match="corners: 'xx' is none of tt, ff"):
        project.sweep(corners=["xx"])
    with pytest.raises(cosim.InputError, match=r"nowhere\.json: not there"):
        project.fit(["iv.csv"], hardware="nowhere.json")
    with pytest.raises(cosim.InputError, match=r"nowhere\.toml: cannot be read"):
        cosim.Project("nowhere.toml")
    with pytest.raises(cosim.InputError, match=r"nowhere\.toml: cannot be read"):
        cosim.study("nowhere.toml")


def test_a_project_runs_with_what_it_was_made_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr("cosim.api.project.run", lambda *place, **how: asked.append({"place": place, **how}))
    design = folder(tmp_path, 3) / "designs/iris_5_5_5.toml"
    project = cosim.Project(design, samples=3, dies=1, jobs=2, scheduler="tcp://farm:8786")
    project.map(weights="mine.safetensors")
    project.validate()
    for how in asked:
        assert how["place"] == (design, Path("runs/iris_5_5_5"))
        assert (how["samples"], how["dies"], how["jobs"], how["scheduler"]) == (3, 1, 2, "tcp://farm:8786")
    assert [(how["until"], how.get("weights")) for how in asked] == [("map", "mine.safetensors"), ("validate", None)]
