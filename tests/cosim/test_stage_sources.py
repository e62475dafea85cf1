"""Stages cannot lie: whatever source a stage's work reaches decides it, and nothing else does."""

from __future__ import annotations

import ast
import importlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cosim.characterize.catalogue import MEASUREMENTS
from cosim.design import Design
from cosim.pipeline import closure, freshness, stages
from cosim.pipeline import run as pipeline
from cosim.pipeline.closure import ROOMS, SourceTree
from cosim.pipeline.stages import STAGES, Stage, StageName, roots
from cosim.pipeline.workspace import Workspace
from cosim.version import ROOT
from netlists.synapse import SYNAPSES
from training.hardware import REFERENCE_FILE

SIMULATIONS = ("characterize", "map", "validate")
DESIGN = Design(name="toy")
FACTS = {"reports", "reports.published", "reports.baseline"}
"""What the reports know of that stages know too: published values, names."""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rooms")
    for room in ROOMS:
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def digests(root: Path) -> dict[str, str]:
    """Of each stage's code, nothing remembered from before."""
    tree = SourceTree(root)
    return {stage.name: tree.digest(roots(stage, DESIGN)) for stage in STAGES}


def test_an_edit_of_any_file_makes_exactly_the_stages_stale_that_reach_it(copied: Path) -> None:
    tree, before = SourceTree(copied), digests(copied)
    reached = {stage.name: set(tree.files(roots(stage, DESIGN))) for stage in STAGES}
    for file in sorted(path for room in ROOMS for path in (copied / room).rglob("*") if path.is_file()):
        content = file.read_bytes()
        file.write_bytes(content + b"\n# edited\n")
        after = digests(copied)
        file.write_bytes(content)
        stale = {name for name in before if after[name] != before[name]}
        assert stale == {name for name in before if file in reached[name]}, file
    assert digests(copied) == before


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("cosim/mapping/gain_search.py", ["map", "validate", "report"]),
        ("cosim/networks/training.py", ["train", "map", "validate", "report"]),
        ("netlists/drawings.py", ["report"]),
        ("reports/templates/report.css", ["datasheet", "report"]),
        ("cosim/datasheet/tables.py", ["datasheet", "report"]),
        ("cosim/simulator/worker.py", ["characterize", "train", "map", "validate", "datasheet", "report"]),
        ("cosim/cli/main.py", []),
        ("cosim/runs/progress.py", []),
    ],
)
def test_a_run_directory_knows_what_an_edit_makes_stale(
    file: str, stale: list[str], copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the graph: what builds on a stale result is stale too."""
    monkeypatch.setattr(pipeline, "STAGES", tuple(_idle(stage) for stage in STAGES))
    monkeypatch.setattr(freshness, "own_sources", lambda: SourceTree(copied))
    (tmp_path / "toy.toml").write_text('name = "toy"\n[datasheet]\n')
    assert len(pipeline.run(tmp_path / "toy.toml", tmp_path / "run").ran) == len(STAGES)
    assert pipeline.run(tmp_path / "toy.toml", tmp_path / "run").ran == ()
    content = (copied / file).read_bytes()
    (copied / file).write_bytes(content + b"\n# edited\n")
    try:
        assert [str(name) for name in pipeline.run(tmp_path / "toy.toml", tmp_path / "run").ran] == stale
    finally:
        (copied / file).write_bytes(content)


def _idle(stage: Stage) -> Stage:
    """The stage with its place in the sources, and no work."""

    def work(space: Workspace) -> dict[str, float]:
        if stage.name == StageName.DATASHEET:
            space.run.write_json("datasheet/limits.json", [])
        return {}

    work.__module__ = stage.work.__module__
    written = tuple(name for name in stage.outputs if not name.endswith(".pdf"))  # what was not typeset is tried again
    return replace(stage, work=work, packages=(), simulates=False, check=lambda space: None, outputs=written)


def test_no_closure_holds_what_only_shows_or_commands() -> None:
    tree = SourceTree()
    reach = {stage.name: tree.closure(roots(stage, DESIGN)) for stage in STAGES}
    for name, modules in reach.items():
        assert not [module for module in modules if module.startswith(("cosim.cli", "cosim.runs.progress"))], name
        assert not {"cosim.pipeline.run", "cosim.pipeline.stages", "cosim.pipeline.execution"} & modules, name
    for name in (*SIMULATIONS, "train"):
        assert {module for module in reach[name] if module.startswith("reports")} <= FACTS, name
    assert not [module for module in reach["train"] if module.startswith(("netlists", "sky130_models", "cosim.simulator"))]
    assert not [module for module in reach["characterize"] if module.startswith(("cosim.networks", "training.layer"))]
    simulator = {"cosim.simulator.worker", "cosim.simulator.flattening", "netlists.crossbar", "netlists.models.pruning"}
    assert all(simulator <= reach[name] for name in (*SIMULATIONS, "datasheet"))


def test_all_digests_together_cost_little_and_import_nothing() -> None:
    code = (
        "import sys, time\n"
        "from cosim.design import Design\n"
        "from cosim.pipeline.stages import STAGES, roots\n"
        "from cosim.pipeline.closure import own_sources\n"
        "before, started = set(sys.modules), time.process_time()\n"
        "for stage in STAGES: own_sources().digest(roots(stage, Design(name='x')))\n"
        "print(time.process_time() - started)\n"
        "assert set(sys.modules) == before and 'torch' not in before, set(sys.modules) - before\n"
    )
    times = [float(_python(code)) for _ in range(3)]
    assert min(times) < 0.3, times


def _python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


TRACED = """
import cProfile, importlib, json, sys
from pathlib import Path
from cosim.design import Design, load_design
from cosim.pipeline.workspace import Workspace
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor

run, module = Path(sys.argv[1]), sys.argv[2]
file = run / "design.toml"
space = Workspace(load_design(file), RunDirectory(run), Monitor(), jobs=1, pdf=False, design_file=file)
handed, sections = set(sys.modules), set()
get = Design.__getattribute__

def note_section(design, name):
    if name in Design.model_fields and not sys._getframe(1).f_code.co_filename.endswith("design/design.py"):  # its checks
        sections.add(name)
    return get(design, name)

Design.__getattribute__ = note_section
profile = cProfile.Profile(builtins=False)
profile.enable()
importlib.import_module(module).work(space)
profile.disable()
by_file = {getattr(module, "__file__", None): name for name, module in sys.modules.items()}
entered = {by_file.get(entry.code.co_filename, "") for entry in profile.getstats() if not isinstance(entry.code, str)}
names = (set(sys.modules) - handed) | entered
print(json.dumps([sorted(name for name in names if name.partition(".")[0] in sys.argv[3].split(",")), sorted(sections)]))
"""
TINY = """
name = "tiny"
[network]
layers = [2, 3]
[accuracy]
reltol = 3e-5
max_step_s = 20e-9
[characterization]
codes = 5
membrane_points = 8
firing_points = 28
[training]
epochs = 3
[validation]
engine = "flat"
samples = 1
mismatch_dies = 1
mismatch_samples = 1
accuracy_samples = 1
[validation.gain_search]
samples = 1
gain_plus = [0.3, 4.0]
gain_minus = [0.1, 4.0]
[datasheet]
modes = ["fixed"]
dies = 2
split_dies = 2
spike_patterns = 1
"""


def check_what_ran(stage: Stage, run: Path) -> set[str]:
    """The modules that a stage's work loaded or entered are in its closure, and so are the sections that it read."""
    loaded, sections = json.loads(_python(TRACED, str(run), stage.work.__module__, ",".join(ROOMS)))
    shown = {"cosim.runs.progress"}  # which is handed to the work, and decides nothing
    assert set(loaded) - SourceTree().closure(roots(stage, DESIGN)) <= shown, stage.name
    if "design.toml" not in stage.inputs:
        assert set(sections) <= set(stage.sections), stage.name
    return set(loaded)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A run directory that was given a hardware model."""
    (tmp_path / "design.toml").write_text(TINY)
    shutil.copy(REFERENCE_FILE, tmp_path / "hardware.json")
    shutil.copy(REFERENCE_FILE, tmp_path / "given_hardware.json")
    return tmp_path


@pytest.mark.slow
def test_what_runs_is_in_the_closure(given: Path) -> None:
    (given / "design.toml").write_text(TINY.replace("[2, 3]", "[5, 3]"))  # columns that the given model holds
    by_name = {stage.name: stage for stage in STAGES}
    check_what_ran(by_name[StageName.CHARACTERIZE], given)
    trained = check_what_ran(by_name[StageName.TRAIN], given)
    assert {"cosim.networks.training", "training.trainer", "cosim.runs.directory"} <= trained
    assert (given / "network.safetensors").exists()
    assert "reports.report" in check_what_ran(by_name[StageName.REPORT], given)


RUN = ("characterize", "train", "map", "validate", "report")


@pytest.mark.slow
@pytest.mark.parametrize("names", [RUN, ("datasheet",)], ids=["run", "datasheet"])
def test_what_simulates_is_in_the_closure(names: tuple[str, ...], given: Path) -> None:
    (given / "given_hardware.json").unlink()
    if names != RUN:  # the codes of the hardware model that it was given
        (given / "design.toml").write_text(TINY.replace("codes = 5", "codes = 11"))
    for stage in STAGES:
        if stage.name in names:
            loaded = check_what_ran(stage, given)
            assert not stage.simulates or {"cosim.bench.bench", "cosim.simulator.store"} <= loaded


def test_imports_are_those_of_the_whole_syntax_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only as much of a file is parsed as holds imports; that loses none."""
    sources = [path.read_bytes() for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    named = closure._named.__wrapped__
    quick = [sorted(named(source, "a.b.c", False)) for source in sources]
    monkeypatch.setattr(closure, "_tree", ast.parse)
    assert quick == [sorted(named(source, "a.b.c", False)) for source in sources]
    assert sum(map(len, quick)) > 1000


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A room of a few modules that import each other in every way there is."""
    for name, text in {
        "room/__init__.py": "import room.everywhere\n",
        "room/everywhere.py": "",
        "room/work.py": "from room import plain\n\n\ndef work():\n    from room.inner.deep import value\n    return value\n",
        "room/plain.py": "if TYPE_CHECKING:\n    import room.typed\nelse:\n    import room.untyped\n",
        "room/typed.py": "",
        "room/untyped.py": "import importlib\nclass A:\n    b = [importlib.import_module('room.by_name')]\n",
        "room/by_name.py": "",
        "room/inner/__init__.py": "",
        "room/inner/deep.py": "from . import beside\nfrom ..relative import x\nvalue = 1  # import room.said\n",
        "room/inner/beside.py": 'text = """\nimport room.quoted\n"""\ntry:\n    import room.tried\nfinally:\n    pass\n',
        "room/tried.py": "",
        "room/relative.py": "import elsewhere, json\n",
        "room/said.py": "",
        "room/quoted.py": "",
        "room/inner/tables/data.csv": "1,2\n",
        "room/inner/tables/unread.py": "",
        "room/inner/sub/__init__.py": "",
        "room/inner/sub/other.csv": "1,2\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_way_to_import_counts(house: Path) -> None:
    reached = {
        "room", "room.everywhere", "room.work", "room.plain", "room.untyped", "room.by_name", "room.inner", "room.inner.deep",
        "room.inner.beside", "room.tried", "room.relative",
    }  # fmt: skip
    tree = SourceTree(house, ("room",))
    assert tree.closure(["room.work"]) == reached
    files = {file.relative_to(house).as_posix() for file in tree.files(["room.work"])}
    assert {file for file in files if not file.endswith(".py")} == {"room/inner/tables/data.csv"}
    assert len(files) == len(reached) + 1


def test_a_new_module_in_the_place_of_a_name_counts(house: Path) -> None:
    before = SourceTree(house, ("room",)).digest(["room.work"])
    (house / "room" / "relative").mkdir()
    (house / "room" / "relative.py").rename(house / "room" / "relative" / "__init__.py")
    moved = SourceTree(house, ("room",)).digest(["room.work"])
    (house / "room" / "relative" / "x.py").write_text("")
    assert len({before, moved, SourceTree(house, ("room",)).digest(["room.work"])}) == 3


OWN_CELL = """
from typing import Literal
from netlists.synapse.cell import synapse
from netlists.synapse.current_source import CurrentSourceSection, CurrentSourceSynapse

class OwnSection(CurrentSourceSection):
    kind: Literal["own"] = "own"

@synapse(OwnSection)
class OwnSynapse(CurrentSourceSynapse):
    pass
"""


def test_a_cell_from_elsewhere_decides_the_stages_that_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An extension is found by an entry point, not by an import; the module of its class counts all the same."""
    (tmp_path / "own_cells").mkdir()
    (tmp_path / "own_cells" / "__init__.py").write_text("")
    (tmp_path / "own_cells" / "one.py").write_text(OWN_CELL)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(SYNAPSES, "_things", dict(SYNAPSES))
    sizes = DESIGN.synapse.model_dump(exclude={"kind"})
    design = DESIGN.model_copy(update={"synapse": importlib.import_module("own_cells.one").OwnSection(**sizes)})
    by_name = {str(stage.name): stage for stage in STAGES}

    def digest(name: str) -> str:
        return SourceTree().digest(roots(by_name[name], design))

    before = {name: digest(name) for name in by_name}
    assert before == {name: digest(name) for name in by_name}
    (tmp_path / "own_cells" / "one.py").write_text(OWN_CELL + "# edited\n")
    assert {name for name in by_name if digest(name) != before[name]} == {*SIMULATIONS, "datasheet", "report"}
    (tmp_path / "own_cells" / "table.csv").write_text("1,2\n")
    assert digest("map") not in (before["map"], SourceTree().digest(roots(by_name["map"], DESIGN)))


def test_a_datasheet_is_decided_by_every_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that other packages add among them, though they are not imported to know it."""
    (tmp_path / "own_probe.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    installed = {"cosim.measurements": [EntryPoint("probe", "own_probe", "cosim.measurements")]}
    monkeypatch.setattr(stages, "entry_points", lambda group: installed.get(group, []))
    reached = {stage.name: SourceTree().closure(roots(stage, DESIGN)) for stage in STAGES}
    assert {measurement.__module__ for measurement in MEASUREMENTS.values()} <= reached[StageName.DATASHEET]
    assert "own_probe" in reached[StageName.DATASHEET] and "own_probe" not in reached[StageName.CHARACTERIZE]
    assert "cosim.characterize.measurements.leakage" not in reached[StageName.CHARACTERIZE]
    datasheet = next(stage for stage in STAGES if stage.name == StageName.DATASHEET)
    before = SourceTree().digest(roots(datasheet, DESIGN))
    (tmp_path / "own_probe.py").write_text("raise SystemExit('edited')\n")
    assert SourceTree().digest(roots(datasheet, DESIGN)) != before


def test_a_cell_that_the_design_does_not_name_decides_nothing() -> None:
    for stage in STAGES:
        reached = SourceTree().closure(roots(stage, DESIGN))
        assert "netlists.synapse.cascode" not in reached, stage.name
        assert ("netlists.synapse.current_source" in reached) == ("synapse" in stage.sections), stage.name


def test_source_that_cannot_be_found_is_never_up_to_date() -> None:
    assert SourceTree().digest(["nowhere"]) != SourceTree().digest(["nowhere"])
    started = time.process_time()
    assert SourceTree().closure(["nowhere"]) == {"nowhere"} and time.process_time() - started < 1
