"""What is up to date and what is not, with stages that cost nothing: the rules are those of the real ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.errors import InputError
from cosim.pipeline import run as pipeline
from cosim.pipeline.stages import STAGES, Stage, StageName, Workspace
from cosim.runs.progress import Monitor

DESIGN = 'name = "toy"\n[training]\nseed = {seed}\n[validation]\nsamples = 5\n[limits]\n"circuit.value" = {{ max = {limit} }}\n'


class Log:
    """Which stages did their work."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.interrupt_in = ""

    def taken(self) -> list[str]:
        ran, self.ran = self.ran, []
        return ran


def toy_stages(log: Log) -> tuple[Stage, ...]:
    """characterize -> train -> map -> validate -> report, each a number in a file that depends on the one before."""
    before = ""
    stages = []
    for name, section in zip(StageName, ("process", "training", "neuron", "validation", "title"), strict=True):
        stages.append(_toy_stage(log, name, section, before))
        before = f"{name}.txt"
    return tuple(stages)


def _toy_stage(log: Log, name: StageName, section: str, source: str) -> Stage:
    def work(space: Workspace) -> dict[str, float]:
        if log.interrupt_in == name:
            raise KeyboardInterrupt
        log.ran.append(str(name))
        chain = (space.run / source).read_text() if source else ""
        space.run.write(f"{name}.txt", f"{chain}{name} {getattr(space.design, section)}\n".encode())
        return {"circuit.value": 2.0} if name == StageName.VALIDATE else {}

    return Stage(
        name, work, sections={section: True}, code=(), inputs=(source,) if source else (), outputs=(f"{name}.txt",), packages=(),
        metrics=("circuit.",) if name == StageName.VALIDATE else (),
    )  # fmt: skip


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr(pipeline, "STAGES", toy_stages(log))
    return log


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "toy.toml"
    path.write_text(DESIGN.format(seed=1, limit=3.0))
    return path


ALL = ["characterize", "train", "map", "validate", "report"]


def test_nothing_is_done_twice(tmp_path: Path, design: Path, log: Log) -> None:
    first = pipeline.run(design, tmp_path / "run")
    assert log.taken() == ALL and first.ran == tuple(StageName)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("*.txt")}
    second = pipeline.run(design, tmp_path / "run")
    assert log.taken() == [] and second.ran == ()
    assert second.metrics == first.metrics
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("*.txt")} == before


def test_a_changed_section_reruns_its_stage_and_all_after_it(tmp_path: Path, design: Path, log: Log) -> None:
    pipeline.run(design, tmp_path / "run")
    log.taken()
    design.write_text(DESIGN.format(seed=2, limit=3.0))
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ALL[1:]
    assert "seed=2" in (tmp_path / "run" / "report.txt").read_text()


def test_an_option_of_the_command_line_counts_as_a_change(tmp_path: Path, design: Path, log: Log) -> None:
    pipeline.run(design, tmp_path / "run")
    log.taken()
    pipeline.run(design, tmp_path / "run", samples=4)
    assert log.taken() == ["validate", "report"]
    assert (tmp_path / "run" / "design.toml").read_text().endswith("# on the command line: validation.samples = 4\n")


def test_no_later_result_survives_a_rerun_of_an_earlier_stage(tmp_path: Path, design: Path, log: Log) -> None:
    pipeline.run(design, tmp_path / "run")
    design.write_text(DESIGN.format(seed=2, limit=3.0))
    result = pipeline.run(design, tmp_path / "run", until="train")
    assert sorted(path.stem for path in (tmp_path / "run").glob("*.txt")) == ["characterize", "train"]
    assert "circuit.value" not in result.metrics
    assert set(json.loads((tmp_path / "run" / "provenance.json").read_text())["stages"]) == {"characterize", "train"}
    assert not (tmp_path / "run" / "limits.json").exists()


def test_no_datasheet_of_other_cells_stays(tmp_path: Path, design: Path, log: Log) -> None:
    pipeline.run(design, tmp_path / "run")
    sheet = [tmp_path / "run" / name for name in ("datasheet.html", "datasheet.pdf", "datasheet/pvt.parquet")]
    sheet[2].parent.mkdir()
    for file in sheet:
        file.write_text("of these cells")
    design.write_text(DESIGN.format(seed=2, limit=3.0))
    pipeline.run(design, tmp_path / "run", until="train")
    assert all(file.exists() for file in sheet), "another seed, the same cells"
    design.write_text(DESIGN.format(seed=2, limit=3.0) + "[process]\ntemperature_c = 30.0\n")
    pipeline.run(design, tmp_path / "run", until="train")
    assert not any(file.exists() for file in sheet)


def test_an_edited_or_deleted_output_is_made_again(tmp_path: Path, design: Path, log: Log) -> None:
    pipeline.run(design, tmp_path / "run")
    log.taken()
    (tmp_path / "run" / "train.txt").write_text("edited")
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ALL[1:]
    (tmp_path / "run" / "report.txt").unlink()
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ["report"]


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, design: Path, log: Log) -> None:
    log.interrupt_in = "map"
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(design, tmp_path / "run")
    assert log.taken() == ["characterize", "train"]
    log.interrupt_in = ""
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ["map", "validate", "report"]


def test_a_stage_with_failed_simulations_is_tried_again_and_ends_in_3(tmp_path: Path, design: Path, log: Log) -> None:
    result = pipeline.run(design, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert result.exit_code == 0
    record["stages"]["validate"]["failed_points"] = 2
    (tmp_path / "run" / "provenance.json").write_text(json.dumps(record))
    log.taken()
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ["validate", "report"]


@pytest.mark.parametrize(("limit", "exit_code"), [(3.0, 0), (2.0, 0), (1.9, 1), (0.0, 1)])
def test_a_failed_limit_is_exit_code_1(tmp_path: Path, design: Path, log: Log, limit: float, exit_code: int) -> None:
    design.write_text(DESIGN.format(seed=1, limit=limit))
    result = pipeline.run(design, tmp_path / "run")
    assert result.exit_code == exit_code
    [verdict] = json.loads((tmp_path / "run" / "limits.json").read_text())
    assert verdict == {"name": "circuit.value", "value": 2.0, "min": None, "typ": None, "max": limit, "passed": exit_code == 0}


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path, design: Path, log: Log) -> None:
    pipeline.run(design, tmp_path / "run")
    leftover = tmp_path / "run" / ".report.html.123.partial"
    leftover.write_text("half")
    pipeline.run(design, tmp_path / "run")
    assert not leftover.exists()


def test_a_damaged_record_is_one_line(tmp_path: Path, design: Path, log: Log) -> None:
    pipeline.run(design, tmp_path / "run")
    (tmp_path / "run" / "provenance.json").write_text("{ half")
    with pytest.raises(InputError, match=r"provenance\.json: cannot be read"):
        pipeline.run(design, tmp_path / "run")


def test_times_are_summed_over_the_stages(tmp_path: Path, design: Path, log: Log) -> None:
    metrics = pipeline.run(design, tmp_path / "run").metrics
    assert metrics["time.total_s"] == pytest.approx(sum(metrics[f"time.{name}_s"] for name in StageName))
    assert metrics["simulation.points"] == 0


def test_provenance_names_no_folder_of_this_machine(tmp_path: Path, design: Path, log: Log) -> None:
    pipeline.run(design, tmp_path / "run", command="cosim run toy.toml")
    text = (tmp_path / "run" / "provenance.json").read_text()
    assert str(tmp_path) not in text and str(Path.home()) not in text
    record = json.loads(text)
    assert record["command"] == "cosim run toy.toml"
    assert record["seeds"] == {"split": 0, "training": 1, "mismatch": 1}
    assert all(len(stage["inputs_sha256"]) == 64 for stage in record["stages"].values())


def test_the_monitor_hears_of_every_stage(tmp_path: Path, design: Path, log: Log) -> None:
    class Recorder(Monitor):
        heard: list[str] = []  # noqa: RUF012

        def begin(self, stage: str) -> None:
            super().begin(stage)
            self.heard.append(f"+{stage}")

        def skip(self, stage: str) -> None:
            self.heard.append(f"={stage}")

    pipeline.run(design, tmp_path / "run", until="train", monitor=Recorder())
    pipeline.run(design, tmp_path / "run", until="map", monitor=Recorder())
    assert Recorder.heard == ["+characterize", "+train", "=characterize", "=train", "+map"]


def test_the_real_stages_cover_each_other() -> None:
    """Inputs come from earlier stages, code exists, and no metric or output has two owners."""
    written: list[str] = ["design.toml", "given_hardware.json", "given_weights.safetensors"]  # what a run directory is given
    for stage in STAGES:
        assert set(stage.inputs) <= set(written), stage.name
        assert not set(stage.outputs) & set(written), stage.name
        written += stage.outputs
        assert all((pipeline.provenance.ROOT / name).exists() for name in stage.code), stage.name
    prefixes = [prefix for stage in STAGES for prefix in stage.metrics]
    assert len(prefixes) == len(set(prefixes)) == 6


def test_characterisation_depends_on_no_weight_and_no_data() -> None:
    stage = STAGES[0]
    assert stage.inputs == ("given_hardware.json",)
    assert {"training", "validation"} & set(stage.sections) == set()
    assert stage.sections["network"] == {"inputs", "hidden", "outputs"}
