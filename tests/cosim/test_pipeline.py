"""What is up to date and what is not, with stages that cost nothing: the rules are those of the real ones."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from cosim.api.project import Project
from cosim.design import Design
from cosim.errors import InputError
from cosim.pipeline import run as pipeline
from cosim.pipeline import told
from cosim.pipeline.stages import STAGES, Stage, StageName
from cosim.pipeline.workspace import Workspace
from cosim.runs.diff import compare
from cosim.runs.directory import RunDirectory
from cosim.runs.limits import judge
from cosim.runs.progress import LineMonitor, Monitor

DESIGN = 'name = "toy"\n[training]\nseed = {seed}\n[validation]\nsamples = 5\n[limits]\n"energy.bias_j" = {{ max = {limit} }}\n'
DATASHEET = '[datasheet]\nrun = {run}\n[datasheet.limits]\n"fixed.e_dis" = {{ max = {limit} }}\n'


class Log:
    """Which stages did their work."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.interrupt_in = ""

    def taken(self) -> list[str]:
        ran, self.ran = self.ran, []
        return ran


def toy_stages(log: Log) -> tuple[Stage, ...]:
    """The real graph, each stage a number in a file that depends on the files of those that it needs."""
    sections = ("process", "training", "neuron", "validation", "datasheet", "title")
    return tuple(_toy_stage(log, stage, section) for stage, section in zip(STAGES, sections, strict=True))


def _toy_stage(log: Log, real: Stage, section: str) -> Stage:
    name, sources = real.name, tuple(f"{needed}.txt" for needed in real.needs)

    def work(space: Workspace) -> dict[str, float]:
        if log.interrupt_in == name:
            raise KeyboardInterrupt
        log.ran.append(str(name))
        chain = "".join((space.run / source).read_text() for source in sources)
        space.run.write(f"{name}.txt", f"{chain}{name} {getattr(space.design, section)}\n".encode())
        if name == StageName.DATASHEET:
            assert space.design.datasheet is not None
            judged = judge(space.design.datasheet.limits, {"fixed.e_dis": 6.0})
            space.run.write_json("datasheet/limits.json", [{**asdict(one), "at": "tt"} for one in judged])
        return {StageName.VALIDATE: {"energy.bias_j": 2.0}, StageName.DATASHEET: {"datasheet.fixed.e_dis": 6.0}}.get(name, {})

    return replace(
        real, work=work, sections={section: real.sections[section]}, inputs=sources, outputs=(f"{name}.txt",), packages=(),
        simulates=False, check=lambda space: None,
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
TO_DATASHEET = ["characterize", "datasheet"]


def test_nothing_is_done_twice(tmp_path: Path, design: Path, log: Log) -> None:
    first = pipeline.run(design, tmp_path / "run")
    assert log.taken() == ALL and list(first.ran) == ALL
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
    assert "energy.bias_j" not in result.metrics
    assert set(json.loads((tmp_path / "run" / "provenance.json").read_text())["stages"]) == {"characterize", "train"}
    assert not (tmp_path / "run" / "limits.json").exists()


def test_what_was_made_of_a_network_goes_with_it_and_that_is_said(tmp_path: Path, design: Path, log: Log) -> None:
    """Rows of dies say nothing of the network that they are of; another limit leaves them."""
    monitor = Monitor()
    pipeline.run(design, tmp_path / "run", monitor=monitor)
    (tmp_path / "run/calibration").mkdir()
    (tmp_path / "run/calibration/dies.parquet").touch()
    design.write_text(DESIGN.format(seed=1, limit=4.0))
    pipeline.run(design, tmp_path / "run", monitor=monitor)
    assert (tmp_path / "run/calibration/dies.parquet").exists() and not monitor.remarks
    design.write_text(DESIGN.format(seed=2, limit=4.0))
    pipeline.run(design, tmp_path / "run", monitor=monitor)
    assert not (tmp_path / "run/calibration").exists()
    assert [line.partition(",")[0] for line in monitor.remarks] == ["what calibration held was of the network before"]


def test_a_page_that_could_not_be_typeset_is_tried_again(
    tmp_path: Path, design: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fonts may be installed in between; who wants no PDF is not bothered."""
    *others, last = pipeline.STAGES
    monkeypatch.setattr(pipeline, "STAGES", (*others, replace(last, outputs=(*last.outputs, "report.pdf"))))
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ALL
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ["report"]
    pipeline.run(design, tmp_path / "run", pdf=False)
    log.taken()
    pipeline.run(design, tmp_path / "run", pdf=False)
    assert log.taken() == []


@pytest.mark.parametrize("layout", [None, 1, 99])
def test_the_run_of_another_cosim_is_left_alone(tmp_path: Path, design: Path, log: Log, layout: int | None) -> None:
    """Its layers and metrics have other names: what it holds would be read as missing, or deleted stage by stage."""
    run = tmp_path / "run"
    pipeline.run(design, run)
    log.taken()
    record = json.loads((run / "provenance.json").read_text())
    del record["layout"]
    (run / "provenance.json").write_text(json.dumps(record if layout is None else {**record, "layout": layout}))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    age = "a newer" if layout == 99 else "an older"
    for reader in (
        lambda: pipeline.run(design, run),
        lambda: compare(run, run),
        lambda: Project(design, out=run).metrics,
        lambda: Project(design, out=run).table("mapping"),
    ):
        with pytest.raises(InputError, match=rf"run: the run of {age} cosim.*choose another folder with --out"):
            reader()
    assert log.taken() == [] and before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def with_datasheet(design: Path, run: str = "true", limit: float = 7.0, seed: int = 1) -> None:
    design.write_text(DESIGN.format(seed=seed, limit=3.0) + DATASHEET.format(run=run, limit=limit))


def test_a_design_that_asks_for_a_datasheet_gets_it(tmp_path: Path, design: Path, log: Log) -> None:
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ALL
    with_datasheet(design, run="false")
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == []
    with_datasheet(design)
    result = pipeline.run(design, tmp_path / "run")
    assert log.taken() == ["datasheet", "report"]
    assert {verdict.name: verdict.passed for verdict in result.verdicts} == {"energy.bias_j": True, "fixed.e_dis": True}
    assert result.metrics["datasheet.fixed.e_dis"] == 6.0 and result.metrics["time.datasheet_s"] >= 0
    assert pipeline.run(design, tmp_path / "run").ran == ()


def test_a_limit_of_the_datasheet_costs_no_other_stage(tmp_path: Path, design: Path, log: Log) -> None:
    with_datasheet(design)
    pipeline.run(design, tmp_path / "run")
    log.taken()
    with_datasheet(design, limit=5.0)
    result = pipeline.run(design, tmp_path / "run")
    assert log.taken() == ["datasheet", "report"] and result.exit_code == 1
    assert pipeline.run(design, tmp_path / "run", until="train").exit_code == 0, "a limit on what was not asked for"
    again = pipeline.run(design, tmp_path / "run", until="datasheet")
    assert again.ran == () and again.exit_code == 1 and [verdict.name for verdict in again.verdicts] == ["fixed.e_dis"]


def test_a_datasheet_needs_no_training(tmp_path: Path, design: Path, log: Log) -> None:
    with_datasheet(design, run="false")
    result = pipeline.run(design, tmp_path / "run", until="datasheet")
    assert log.taken() == TO_DATASHEET and [str(name) for name in result.ran] == TO_DATASHEET
    with_datasheet(design, run="false", seed=2)
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ALL[1:], "and whether cosim run makes it does not decide what is in it"
    assert (tmp_path / "run" / "datasheet.txt").exists()
    with_datasheet(design, run="true", seed=2)
    assert pipeline.run(design, tmp_path / "run").ran == ()


def test_a_report_counts_on_whatever_is_there(tmp_path: Path, design: Path, log: Log) -> None:
    with_datasheet(design, run="false")
    pipeline.run(design, tmp_path / "run")
    pipeline.run(design, tmp_path / "run", until="datasheet")
    assert log.taken()[-1] == "datasheet" and (tmp_path / "run" / "report.txt").exists(), "of the same design"
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ["report"]
    (tmp_path / "run" / "datasheet.txt").write_text("edited")
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ["report"] and not (tmp_path / "run" / "datasheet.txt").exists()


def test_no_datasheet_of_other_cells_stays(tmp_path: Path, design: Path, log: Log) -> None:
    with_datasheet(design)
    pipeline.run(design, tmp_path / "run", until="datasheet")
    design.write_text(design.read_text() + "[process]\ntemperature_c = 30.0\n")
    result = pipeline.run(design, tmp_path / "run", until="train")
    assert not (tmp_path / "run" / "datasheet.txt").exists()
    assert "datasheet.fixed.e_dis" not in result.metrics and "time.datasheet_s" not in result.metrics


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
    assert verdict == {"name": "energy.bias_j", "value": 2.0, "min": None, "typ": None, "max": limit, "passed": exit_code == 0}


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
    assert metrics["time.total_s"] == pytest.approx(sum(metrics[f"time.{name}_s"] for name in ALL))
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


def test_a_run_tells_what_it_will_do_and_what_it_finds(tmp_path: Path, design: Path, log: Log) -> None:
    class Listener(Monitor):
        heard: list[str] = []  # noqa: RUF012

        def tell(self, line: str) -> None:
            self.heard.append(line)

    pipeline.run(design, tmp_path / "run", until="train", monitor=Listener())
    assert Listener.heard[0] == f"toy: 2 stages to do, into {tmp_path / 'run'}"
    assert [line.split()[0] for line in Listener.heard[1:]] == ["characterize", "train"]
    Listener.heard.clear()
    pipeline.run(design, tmp_path / "run", until="train", monitor=Listener())
    assert Listener.heard == [], "all is up to date"


def test_where_there_is_no_terminal_it_tells_the_same_in_plain_lines(tmp_path: Path, design: Path, log: Log) -> None:
    lines: list[str] = []
    pipeline.run(design, tmp_path / "run", until="train", monitor=LineMonitor(lines.append))
    assert [line.split()[0] for line in lines] == ["toy:", "characterize", "train", "characterize:", "train:"]
    assert lines[0].startswith("toy: 2 stages to do") and re.fullmatch(r"characterize: 0\.\d s", lines[3])


def test_plain_lines_begin_with_the_first_thing_done() -> None:
    lines: list[str] = []
    monitor = LineMonitor(lines.append)
    monitor.tell("will be done")
    monitor.begin("characterize")
    monitor.expect(2)
    assert lines == [], "what is refused now is refused in one line"
    monitor.step()
    monitor.tell("found")
    assert lines == ["will be done", "found"]


def test_the_first_numbers_of_a_stage_are_told_in_its_own_words(tmp_path: Path) -> None:
    rows = [(1, 0.40, 2.1e-9), (1, 0.525, 5.6e-8), (1, 0.65, 8.57e-7), (-1, 1.30, 2.0e-9), (-1, 1.05, 1.32e-7)]
    (tmp_path / "characterization").mkdir()
    table = pd.DataFrame(rows, columns=["sign", "code", "current_a"]).assign(code_unit="V")
    table.to_parquet(tmp_path / "characterization" / "synapse_fit.parquet")
    space = Workspace(Design(name="toy"), RunDirectory(tmp_path), Monitor())
    metrics = {
        f"characterization.{name}": value for name, value in (("e_plus", 2.86), ("e_minus", -1.52), ("threshold_v", 0.4328))
    }
    by_name = {stage.name: stage for stage in STAGES}
    assert [line.replace("\N{MINUS SIGN}", "-") for line in told.found(space, by_name[StageName.CHARACTERIZE], metrics)] == [
        "synapse, w > 0: 2.10 nA at 0.400 V to 857 nA at 0.650 V",
        "synapse, w < 0: 2.00 nA at 1.30 V to 132 nA at 1.05 V",
        "E+ 2.86, E- -1.52 thresholds",
        "threshold 433 mV",
    ]
    spikes = {"validation.ode.output_spike_rmse_s": 5.394e-11, "circuit.test_accuracy": 1.0}
    [line] = told.found(space, by_name[StageName.VALIDATE], spikes)
    assert line == "output spikes of the circuit off the model's, rms 53.9 ps, circuit's accuracy 100.0 %"
    assert [*told.found(space, by_name[StageName.MAP], {})] == []


@pytest.mark.parametrize("stages", [{"train": {"wall_s": 1.0}}, {"train": None, "pipeline": 3}, [], "old"])
def test_records_of_an_older_cosim_are_simply_out_of_date(tmp_path: Path, design: Path, log: Log, stages: object) -> None:
    pipeline.run(design, tmp_path / "run")
    log.taken()
    record = json.loads((tmp_path / "run" / "provenance.json").read_text())
    (tmp_path / "run" / "provenance.json").write_text(json.dumps({**record, "stages": stages}))
    pipeline.run(design, tmp_path / "run")
    assert log.taken() == ALL
    assert set(json.loads((tmp_path / "run" / "provenance.json").read_text())["stages"]) == set(ALL)


def test_the_real_stages_cover_each_other() -> None:
    """Inputs come from the stages needed, or from what commands make of their results, and no output has two owners."""
    # What a run directory is given, and what `cosim layout` draws of the design alone.
    given = {"design.toml", "given_hardware.json", "given_weights.safetensors", "layout"}
    reach: dict[str, set[str]] = {}
    for stage in STAGES:
        own = {*stage.outputs, *stage.followed_by}
        reach[stage.name] = own.union(*(reach[name] for name in stage.needs))
        before = given.union(*(reach[name] for name in stage.needs))
        assert set(stage.inputs) <= before, stage.name
    followed = {name: stage.name for stage in STAGES for name in stage.followed_by}
    assert followed == {"calibration": "train", "conditions": "train"}  # no mapping decides what trained weights do on a die
    written = [name for stage in STAGES for name in stage.outputs]
    assert len(written) == len(set(written))


def test_characterisation_depends_on_no_weight_and_no_data() -> None:
    stage = STAGES[0]
    assert stage.inputs == ("given_hardware.json",)
    assert {"training", "validation"} & set(stage.sections) == set()
    assert stage.sections["network"] == {"dataset", "table", "pool", "bias", "convolutions", "layers"}


def test_metrics_that_are_missing_or_changed_are_those_of_the_stages_again(tmp_path: Path, design: Path, log: Log) -> None:
    wanted = pipeline.run(design, tmp_path / "run").metrics
    log.taken()
    file = tmp_path / "run" / "metrics.json"
    for damage in (None, "{", json.dumps({**wanted, "energy.bias_j": 3.0}), json.dumps({**wanted, "energy.more": 1.0})):
        file.unlink() if damage is None else file.write_text(damage)
        assert pipeline.run(design, tmp_path / "run").metrics == wanted
        assert json.loads(file.read_text()) == wanted
    assert log.taken() == []


def test_a_record_that_was_changed_counts_for_nothing(tmp_path: Path, design: Path, log: Log) -> None:
    """A flipped bit in the record of a stage, where the metrics come from."""
    run = tmp_path / "run"
    wanted = pipeline.run(design, run).metrics
    log.taken()
    record = json.loads((run / "provenance.json").read_text())
    record["stages"]["validate"]["metrics"]["energy.bias_j"] = 2.5
    (run / "provenance.json").write_text(json.dumps(record))
    assert pipeline.run(design, run).metrics["energy.bias_j"] == wanted["energy.bias_j"]
    assert log.taken() == ["validate", "report"]


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe"])
def test_a_damaged_copy_of_the_design_is_one_line(tmp_path: Path, design: Path, log: Log, content: bytes) -> None:
    pipeline.run(design, tmp_path / "run")
    (tmp_path / "run" / "design.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"run/design.toml: cannot be read: .* delete this file") as caught:
        pipeline.run(design, tmp_path / "run")
    assert len(str(caught.value).splitlines()) == 1
