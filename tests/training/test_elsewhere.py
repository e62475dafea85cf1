"""Data and wheels in parts, slices of a training, rows that come back: with a training that is a few lines of Python."""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks import accuracy, elsewhere
from benchmarks.figure import Figure
from benchmarks.parcels import RECORD, pack
from training.data.catalogue import load
from training.study.table import GrowingTable

# Adds a row where the data, the wheel and not yet the row are there; the second one takes longer than a slice.
TRAINING = """
import sys, time, pathlib, a_carried_package
data, out = map(pathlib.Path, sys.argv[1:])
assert (data / "cifar-10" / "test_batch.bin").read_bytes() == bytes([7]) * 3073
rows = out.read_text() if out.exists() else ""
out.parent.mkdir(exist_ok=True)
out.write_text(rows + a_carried_package.ROW)
if rows.count(a_carried_package.ROW) == 1:
    (out.parent / ".c.partial").touch()
    time.sleep(60)
"""


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def wheels(python: str) -> dict[str, bytes]:
        with zipfile.ZipFile(wheel := io.BytesIO(), "w") as packed:
            packed.writestr("a_carried_package.py", "ROW = 'row\\n'\n")
        return {"wheels/a_carried_package-1-py3-none-any.whl": pack(wheel.getvalue(), batch=False)}

    monkeypatch.setattr(elsewhere, "_wheels", wheels)
    monkeypatch.setattr(elsewhere, "ProcessPoolExecutor", ThreadPoolExecutor)
    for name in elsewhere.FILES["cifar-10"]:
        (tmp_path / name).write_bytes(bytes([7]) * RECORD)
    return tmp_path


@pytest.fixture
def parts(official: Path) -> Path:
    assert elsewhere.main(["pack", str(official / "parts"), "--data", str(official)]) == 0
    return official / "parts"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    def training(arguments: argparse.Namespace, data: Path) -> list[str]:
        return [sys.executable, "-c", TRAINING, str(data), str(arguments.out / "accuracy.csv")]

    monkeypatch.setattr(elsewhere, "_training", training)
    monkeypatch.setattr(elsewhere, "_python", lambda *words: [sys.executable, "-c", "import a_carried_package"])


def train(parts: Path, seconds: float) -> int:
    words = ["--parts", str(parts), "--out", str(parts.parent / "out"), "--seconds", str(seconds)]
    return elsewhere.main(["train", "cifar-cnn", *words])


def test_slices_go_on_from_each_other(parts: Path, trained: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(parts, 60) == 0
    assert "benchmarks.elsewhere merge" in capsys.readouterr().err
    assert train(parts, elsewhere.STOPPING_SECONDS + 2) == elsewhere.STOPPED
    assert "it goes on with: python -m benchmarks.elsewhere train cifar-cnn --parts" in capsys.readouterr().err
    assert [path.name for path in (parts.parent / "out").iterdir()] == ["accuracy.csv"]
    assert train(parts, 60) == 0
    assert (parts.parent / "out" / "accuracy.csv").read_text() == 3 * "row\n"


def test_the_training_is_a_resumable_one_of_the_benchmark(tmp_path: Path) -> None:
    arguments = argparse.Namespace(rows=["cifar-cnn"], device="cuda", out=tmp_path)
    words = elsewhere._training(arguments, tmp_path / "data")
    read = accuracy._parser().parse_args(words[3:])
    assert (words[1:3], read.rows, read.device) == (["-m", "benchmarks.accuracy"], ["cifar-cnn"], "cuda")
    assert read.small_checkpoints
    assert (read.data, read.table, read.checkpoints) == (tmp_path / "data", tmp_path / "accuracy.csv", tmp_path / "checkpoints")


def test_the_training_finds_the_data_where_they_are_unpacked(parts: Path, tmp_path: Path) -> None:
    elsewhere._unpack(elsewhere._present(parts), tmp_path / "unpacked")
    data = load("cifar-10", tmp_path / "unpacked")
    assert (data.train_labels.tolist(), data.test_labels.tolist()) == (5 * [7], [7])


def test_wheels_are_in_the_first_part_and_batches_in_all(parts: Path) -> None:
    names = {part.name: [path.name for path in part.rglob("*.parcel")] for part in parts.iterdir()}
    assert sorted(names) == ["part-1", "part-2"]
    assert "a_carried_package-1-py3-none-any.whl.parcel" in names["part-1"]
    assert sum(map(len, names.values())) == 7
    assert abs(len(names["part-1"]) - len(names["part-2"])) <= 2


def test_parts_of_before_are_no_parts_of_these(official: Path, parts: Path) -> None:
    for count in (3, 2):
        assert elsewhere.main(["pack", str(parts), "--data", str(official), "--parts", str(count)]) == 0
        assert len(list(parts.glob("part-*/contents.json"))) == count
        assert len(list(parts.rglob("*.parcel"))) == len(elsewhere._present(parts)) == 7


def test_a_missing_part_and_a_damaged_parcel_are_told(parts: Path, trained: None, capsys: pytest.CaptureFixture[str]) -> None:
    parcel = next((parts / "part-2").rglob("*.parcel"))
    parcel.write_bytes(parcel.read_bytes()[:-1])
    assert train(parts, 60) == 2
    assert capsys.readouterr().err.splitlines() == [f"{parcel}: is damaged; copy it again"]
    shutil.rmtree(parts / "part-2")
    assert train(parts, 60) == 2
    assert "missing, and" in capsys.readouterr().err
    shutil.rmtree(parts / "part-1")
    assert train(parts, 60) == 2
    assert "holds no part-1" in capsys.readouterr().err
    assert train(parts, elsewhere.STOPPING_SECONDS) == 2
    assert "--seconds: 10 leaves no time to train; give more than 10" in capsys.readouterr().err
    assert not (parts.parent / "out").exists()


def test_a_part_that_is_too_large_is_refused(official: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["pack", str(official / "parts"), "--data", str(official), "--most", "0.0001"]
    assert elsewhere.main(words) == 2
    assert "more than 0.0001; give --parts 3" in capsys.readouterr().err
    assert not (official / "parts").exists()
    (official / "test_batch.bin").unlink()
    assert elsewhere.main(words) == 2
    assert "test_batch.bin: missing" in capsys.readouterr().err


def test_a_kernel_that_is_off_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def kernels(*errors: float) -> None:
        figures = [Figure("exact_dense_error", error, "", "", "") for error in errors]
        monkeypatch.setattr("benchmarks.device.kernels_against_the_cpu", lambda device: iter(figures))

    kernels(3e-7, 9e-5)
    assert elsewhere.main(["check", "--device", "cpu"]) == 0
    assert capsys.readouterr().err.startswith("2 kernels within 9.0e-05 of the CPU")
    with monkeypatch.context() as short:
        short.setattr(elsewhere, "CHECK_SECONDS", 0.0)
        kernels(3e-7, 1.0)
        assert elsewhere.main(["check", "--device", "cpu"]) == 0
        assert capsys.readouterr().err.endswith("; ended with exact_dense_error, as 0 s were over\n")
    for wrong in (2e-3, float("nan")):
        kernels(3e-7, wrong)
        assert elsewhere.main(["check", "--device", "cpu"]) == 2
        assert capsys.readouterr().err.startswith(f"exact_dense_error: {wrong:.3g} is above 0.0001")


def test_rows_are_merged_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {**dict.fromkeys(accuracy.COLUMNS, "1"), "command": "python -m benchmarks.accuracy cifar-cnn --device cuda"}
    carried = GrowingTable(tmp_path / "out" / "accuracy.csv", accuracy.COLUMNS)
    for seed, reached in (("0", "0.9"), ("1", "0.91"), ("1", "0.92")):
        carried.append({**row, "seed": seed, "test_accuracy": reached})
    table = GrowingTable(tmp_path / "table.csv", accuracy.COLUMNS)
    table.append({**row, "seed": "0", "test_accuracy": "0.88", "chip": "another"})
    words = ["merge", str(tmp_path / "out"), "--table", str(table.path)]
    assert [elsewhere.main(words), elsewhere.main(words)] == [0, 0]
    assert [(one["seed"], one["test_accuracy"]) for one in table.rows()] == [("0", "0.88"), ("1", "0.91")]
    assert "0 rows added, 3 were there" in capsys.readouterr().err
    assert elsewhere.main(["merge", str(tmp_path / "nothing")]) == 2


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        elsewhere.main(["--help"])
    assert "python -m benchmarks.elsewhere pack parcels --data" in capsys.readouterr().out
