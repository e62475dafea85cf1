"""Deliberate attacks on files and folders: each ends in one true line and exit code 2 or 3, bounded reads, no traceback."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

from benchmarks.trust import damage, folders
from benchmarks.trust import files as attacks
from cosim.cli.main import app
from cosim.errors import CosimError, InputError
from cosim.pipeline.packages import MachineError, one_line_errors
from cosim.runs.directory import DirectoryLostError, RunDirectory
from cosim.simulator import Outcome, Point, Store
from cosim.simulator.deck import Deck, OperatingPoint
from cosim.simulator.store import StoreLostError
from cosim.simulator.waveforms import Waveforms
from training import checkpoint, storage, tensors
from training.files import read_bounded
from training.hardware import HardwareModel
from training.tensors import NetworkFileError

MOST_READ_MB = 400
"""By which reading the wrong file may raise the most memory that this process ever held; imports are most of it."""


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def line_of(result: Result, codes: tuple[int, ...] = (2, 3)) -> str:
    """The one line of a refusal."""
    assert result.exit_code in codes, (result.exit_code, result.output, result.exception)
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("cosim: ") and "Traceback" not in line and "Errno" not in line, line
    return line


@pytest.mark.parametrize(("file", "damage"), list(attacks.attacks()), ids=lambda word: word.replace(" ", "_"))
def test_a_wrong_file_is_one_line_that_names_it(file: str, damage: str, tmp_path: Path) -> None:
    words = attacks.prepared(tmp_path, file, damage)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = line_of(invoke(*words))
    assert any(name in line for name in (Path(file).name, "/dev/zero")), line
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_READ_MB * 1024


@pytest.mark.parametrize(
    "words",
    [
        ("run", "x" * 5000), ("run", attacks.REFERENCE, "--out", "x" * 5000), ("run", "/dev/stdin/x"), ("run", "/proc/self/mem"),
        ("fit", "x" * 5000, "--design", attacks.REFERENCE, "--hardware", attacks.REFERENCE_FILE), ("diff", "x" * 5000, "y"),
    ],
    ids=lambda words: f"{words[0]}_{len(words)}",
)  # fmt: skip
def test_a_name_that_no_file_has_is_one_line(words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line_of(invoke(*words))


@pytest.mark.parametrize(
    "words", [("run",), ("sweep",), ("run", attacks.REFERENCE, "--out"), ("train", attacks.REFERENCE, "--hardware")]
)
def test_a_name_with_a_nul_is_bad_input(words: tuple[object, ...]) -> None:
    result = invoke(*words, "a\0b")
    assert result.exit_code == 2 and "embedded null byte" in result.stderr and "Traceback" not in result.output


@pytest.mark.parametrize(
    "design", [attacks.TABLE_DESIGN, attacks.CELL_DESIGN, attacks.LIBRARY_DESIGN], ids=["table", "cell", "library"]
)
def test_a_design_that_names_a_file_with_a_nul_is_one_line(design: str, tmp_path: Path) -> None:
    for name in ("table.csv", "cell.spice", "own.lib"):
        design = design.replace(name, "a\\u0000b")
    (tmp_path / "d.toml").write_text(design)
    line_of(invoke("characterize", tmp_path / "d.toml", "--out", tmp_path / "run"))


@pytest.mark.parametrize("seeds", ["0:99999999999999999999", "9" * 5000, "99999999999", "5:9" + "9" * 30, "0:10000000000000"])
def test_seeds_beyond_any_monte_carlo_are_refused(seeds: str, tmp_path: Path) -> None:
    assert "at most" in line_of(invoke("sweep", attacks.REFERENCE, "--seeds", seeds, "--out", tmp_path / "run"))


@pytest.mark.parametrize("command", ["run", "sweep", "characterize"])
def test_a_folder_that_is_no_folder_or_cannot_be_made_is_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file/below", Path("/proc/nowhere"), Path("/dev/null")):
        assert str(out) in line_of(invoke(command, attacks.REFERENCE, "--out", out))
    assert (tmp_path / "file").read_text() == "mine"


def other_design(folder: Path) -> Path:
    path = folder / "other.toml"
    path.write_text('name = "other"\n')
    return path


def test_a_folder_has_one_design(tmp_path: Path) -> None:
    """Another design's table was overwritten by a sweep in the same folder, which left no design.toml."""
    out = tmp_path / "out"
    with RunDirectory(out).open("iris_5_5_5") as directory:
        directory.write("sweep/sweep.json", b"{}")
    for command in ("sweep", "run"):
        line = line_of(invoke(command, other_design(tmp_path), "--out", out))
        assert "holds a run of the design 'iris_5_5_5', not 'other'" in line
    assert (out / "sweep/sweep.json").read_bytes() == b"{}"
    with RunDirectory(out).open("iris_5_5_5"):
        pass


def test_a_fit_leaves_a_run_alone_and_a_run_a_fit(tmp_path: Path) -> None:
    """`fit --out RUN` replaced the hardware.json of a run."""
    out = tmp_path / "run"
    with RunDirectory(out).open("iris_5_5_5"):
        shutil.copy(attacks.REFERENCE_FILE, out / "hardware.json")
    words = ("fit", attacks.CASES / "iv_plain/measured.csv", "--design", attacks.REFERENCE, "--hardware", attacks.REFERENCE_FILE)
    before = (out / "hardware.json").read_bytes()
    assert "holds a run of the design 'iris_5_5_5', not a fit" in line_of(invoke(*words, "--out", out))
    assert (out / "hardware.json").read_bytes() == before
    assert invoke(*words, "--out", tmp_path / "fit").exit_code == 0
    assert invoke(*words, "--out", tmp_path / "fit").exit_code == 0, "its own folder again"
    assert "holds a fit of the design 'iris_5_5_5', not a run" in line_of(
        invoke("run", attacks.REFERENCE, "--out", tmp_path / "fit")
    )
    (tmp_path / "fit/.lock").unlink()
    assert invoke(*words, "--out", tmp_path / "fit").exit_code == 0, "one of an older cosim"


@pytest.mark.parametrize("fate", ["removed", "renamed", "replaced", "lock removed"])
def test_a_run_directory_that_goes_during_a_run_is_noticed(fate: str, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def go() -> None:
        if fate == "lock removed":
            (out / ".lock").unlink()
        elif fate == "removed":
            shutil.rmtree(out)
        else:
            out.rename(tmp_path / "elsewhere")
        if fate == "replaced":
            out.mkdir()
            (out / ".lock").write_text("run x\n")

    with pytest.raises(DirectoryLostError, match="removed or replaced") as lost, RunDirectory(out).open("x") as directory:
        directory.write("before.json", b"{}")
        go()
        directory.write("after.json", b"{}")
    assert lost.value.exit_code == 3
    assert not (out / "after.json").exists()
    with pytest.raises(DirectoryLostError), RunDirectory(tmp_path / "second").open("x") as directory:
        shutil.rmtree(directory.path)


@pytest.mark.parametrize("fate", ["removed", "replaced"])
def test_a_store_that_goes_during_a_run_is_noticed(fate: str, tmp_path: Path) -> None:
    point = Point({}, Deck("t", "r1 a 0 1", "", OperatingPoint(), ("v(a)",)), Waveforms.last)
    with Store(tmp_path / "other.sqlite"):
        pass
    with (
        pytest.raises(StoreLostError, match=r"points\.sqlite: was removed or replaced") as lost,
        Store(tmp_path / "points.sqlite") as store,
    ):
        store.put("before", Outcome(point=point, row={"v": 1.0}, error=None))
        store.flush()
        for name in ("points.sqlite", "points.sqlite-wal", "points.sqlite-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        if fate == "replaced":
            shutil.copy(tmp_path / "other.sqlite", tmp_path / "points.sqlite")
        store.put("after", Outcome(point=point, row={"v": 2.0}, error=None))
    assert lost.value.exit_code == 3


def test_nothing_is_deleted_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/mine.parquet").write_text("mine")
    with RunDirectory(tmp_path / "out").open("x") as directory:
        (directory.path / "sweep").symlink_to(tmp_path / "precious")
        with pytest.raises(InputError, match="link to a folder"):
            directory.remove(["sweep"])
    assert (tmp_path / "precious/mine.parquet").read_text() == "mine"


def test_a_full_disk_in_a_checkpoint_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tensors, "write_whole", full)
    kept = checkpoint.Checkpoint.__new__(checkpoint.Checkpoint)
    kept.path, kept.every, kept._metadata, kept._written = tmp_path / "c.safetensors", 1, {}, 0.0
    kept.small = False

    class Learner:
        history = (1,)

        def state(self) -> dict[str, object]:
            return {}

    with pytest.raises(NetworkFileError, match=r"c\.safetensors: cannot be written: No space left on device"):
        kept.keep(Learner())  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE])
def test_a_machine_that_cannot_go_on_is_one_line(number: int) -> None:
    with pytest.raises(MachineError, match=os.strerror(number)) as told, one_line_errors():
        raise OSError(number, os.strerror(number))
    assert isinstance(told.value, CosimError) and told.value.exit_code == 3
    with pytest.raises(InputError, match=r"here\.json: Permission denied"), one_line_errors():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "here.json")


@pytest.mark.parametrize("place", damage.PLACES)
def test_a_flipped_bit_is_noticed(place: str, tmp_path: Path) -> None:
    """Every file that a later command reads; `python -m benchmarks trust.damage` flips more of them."""
    assert damage.lies_of(place, tmp_path, 12, Random(7)) == 0


def run_of(folder: Path) -> Path:
    """A run directory with metrics, limits and a hardware model."""
    contents: dict[str, object] = {
        "metrics": {"validation.error_ratio": 2.5},
        "limits": [{"name": "validation.error_ratio", "passed": True}],
    }
    directory = RunDirectory(folder)
    for name, content in contents.items():
        directory.write_json(f"{name}.json", content)
        directory.seal(f"{name}.json")
    HardwareModel.reference().save(folder / "hardware.json")
    return folder


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("metrics.json", "2.5", "6.5"),
        ("limits.json", "true", "false"),
        ("hardware.json", "0.9", "0.8"),
        ("digests.json", "1", "2"),
    ],
)
def test_a_number_that_no_run_gave_is_not_compared(name: str, before: str, after: str, tmp_path: Path) -> None:
    runs = run_of(tmp_path / "a"), run_of(tmp_path / "b")
    assert invoke("diff", *runs).exit_code == 0
    file = runs[1] / name
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after, 1))
    assert "/b/" in line_of(invoke("diff", *runs), (2,))


def test_a_run_of_an_older_cosim_has_no_digests_and_is_compared(tmp_path: Path) -> None:
    runs = run_of(tmp_path / "a"), run_of(tmp_path / "b")
    (runs[1] / "digests.json").unlink()
    (runs[1] / "metrics.json").write_text('{"validation.error_ratio": 6.5}')
    assert "validation.error_ratio" in invoke("diff", *runs).stdout


def test_weights_of_another_program_need_no_digest_and_those_of_ours_have_one(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    weights = {"w": torch.tensor([[1.0, 2.0]]), "half": torch.ones(2, dtype=torch.bfloat16), "count": torch.tensor(7)}
    storage.write_tensors(ours, weights, {"origin": "here"})
    save_file(weights, theirs, {"origin": "there"})
    for path, origin in ((ours, "here"), (theirs, "there")):
        values, metadata = storage.read_tensors(path)
        assert all(torch.equal(values[name], weights[name]) for name in weights) and metadata == {"origin": origin}
    content = bytearray(ours.read_bytes())
    content[-1] ^= 1
    ours.write_bytes(content)
    with pytest.raises(NetworkFileError, match="not what it was when the file was written"):
        storage.read_tensors(ours)


@pytest.mark.slow
@pytest.mark.parametrize("name", folders.ATTACKS, ids=lambda name: name.replace(" ", "_"))
def test_what_a_machine_refuses_is_one_line(name: str, tmp_path: Path) -> None:
    """Rights, full disks, folders and stores that go: never a traceback, and never exit code 0 with rows lost."""
    try:
        ended = folders.carry_out(folders.ATTACKS[name], tmp_path)
    except PermissionError as error:
        pytest.skip(str(error))
    assert ended.clear, ended
    mine = tmp_path / "precious/mine"
    assert not mine.parent.exists() or mine.read_text() == "mine"


def test_no_more_is_read_than_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert read_bounded(tmp_path / "file", 100) == b"x" * 100
    with pytest.raises(OSError, match="more than"):
        read_bounded(tmp_path / "file", 99)
    with pytest.raises(OSError, match="device or a pipe"):
        read_bounded(Path("/dev/zero"))
