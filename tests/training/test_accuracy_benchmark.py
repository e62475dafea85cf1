"""The accuracy benchmark on tiny generated files: lines, resume, held-out images, what is refused."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_data import write_cifar, write_idx_set

from benchmarks import accuracy
from benchmarks.accuracy_rows import ROWS, Row
from benchmarks.figure import processor
from cosim.networks.study import attempt


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_labels(tmp_path, lambda n: np.arange(n) % 10)
    records = np.random.default_rng(0).integers(0, 256, (20, 3073)).astype(np.uint8)
    records[:, 0] = np.arange(20) % 10
    write_cifar(tmp_path / "cifar-10-batches-bin", records)
    return tmp_path


def write_labels(data: Path, labels: Callable[[int], np.ndarray], train: int = 100) -> None:
    draw = np.random.default_rng(0)
    sizes = {"train": train, "test": 30}
    pixels = {part: draw.integers(0, 256, (n, 28, 28)).astype(np.uint8) for part, n in sizes.items()}
    write_idx_set(data / "fashion-mnist", pixels, {part: labels(n).astype(np.uint8) for part, n in sizes.items()})


def accuracies(output: str, row: str) -> list[float]:
    """Test accuracies of the lines that say what came of a row."""
    return [float(line.rpartition(": ")[2]) for line in output.splitlines() if line.startswith(f"{row}: seed ")]


def run(data: Path, *words: str) -> int:
    return accuracy.main([*words, "--data", str(data), "--table", str(data / "t.csv"), "--checkpoints", str(data / "c")])


def test_a_row_adds_a_line_a_training_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = ROWS["fashion-fc"].study
    recipe = study.recipe.model_copy(update={"epochs": 1})
    small = study.model_copy(update={"recipe": recipe, "hidden": [6], "seeds": [0, 1], "reversal": [2.0, 1e-9 + 3.0]})
    monkeypatch.setitem(accuracy.ROWS, "fashion-fc", Row("small", "", small))
    assert run(data, "fashion-fc", "--seed", "1") == 0
    assert run(data, "fashion-fc") == 0
    with (data / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == (*accuracy.COLUMNS, "row_digest")
    assert [(row["seed"], row["e_rev"]) for row in rows] == [("1", "2"), ("1", "3"), ("0", "2"), ("0", "3")]
    assert {(row["dataset"], row["network"], row["epochs"], row["device"]) for row in rows} == {
        ("fashion-mnist", "784-6-10", "1", "cpu")
    }
    assert {row["chip"] for row in rows} == {processor()}
    assert {row["command"] for row in rows} == {"python -m benchmarks.accuracy fashion-fc --device cpu"}
    before = (data / "t.csv").read_text()
    assert run(data, "fashion-fc") == 0
    assert run(data, "fashion-fc", "--held-out", "--draw", str(data / "pictures")) == 0
    assert (data / "pictures" / "fashion-fc.png").read_bytes().startswith(b"\x89PNG")
    assert run(data, "fashion-fc-reduced", "--quick", "--draw", str(data / "pictures")) == 2, "the table has no such line"
    assert (data / "t.csv").read_text() == before
    assert run(data, "--again", "3") == 0
    claimed = next(csv.reader([before.splitlines()[2]]))
    claimed[accuracy.COLUMNS.index("test_accuracy")] = "0.95"
    (data / "t.csv").write_text(f"{','.join(accuracy.COLUMNS)}\n{','.join(claimed[:-1])}\n")
    assert run(data, "--again", "2") == 1, "six neurons and an epoch of noise give no 95 %"
    assert run(data, "--again", "3") == 2
    (data / "t.csv").write_text((data / "t.csv").read_text().replace(",exact,,", ",dstd,4,"))
    assert run(data, "--again", "2") == 2, "no row is of such a line"


@pytest.mark.slow
@pytest.mark.parametrize("row", ["fashion-cnn-reduced", "fashion-fc-reduced"])
def test_reduced_rows_learn_what_the_images_are(
    row: str, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise under ten labels stays near chance after an epoch of 64 images, and under one label all are right after 500."""
    assert run(data, row, "--quick") == 0
    (chance,) = accuracies(capsys.readouterr().err, row)
    assert chance * 30 == pytest.approx(round(chance * 30), abs=2e-3) and chance < 0.4, "of 30 test images"
    monkeypatch.setattr(accuracy, "QUICK_SAMPLES", 500)
    write_labels(data, lambda n: np.full(n, 7), train=500)
    assert run(data, row, "--quick", "--checkpoints", str(data / "other")) == 0
    assert accuracies(capsys.readouterr().err, row) == [1.0]
    assert not (data / "t.csv").exists()


@pytest.mark.slow
def test_the_published_convolutional_network_runs_on_cifar(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    performed, perform = [], attempt.perform

    def recorded(*arguments: Any) -> dict[str, object]:
        performed.append(perform(*arguments))
        return performed[-1]

    monkeypatch.setattr(accuracy, "QUICK_SAMPLES", 2)
    monkeypatch.setattr(attempt, "perform", recorded)
    assert run(data, "cifar-cnn", "--quick") == 0
    (row,) = performed
    assert (row["network"], row["steps"], row["epochs"]) == ("64-64-P-128-128-P-256-256-P-512-10", 4, 1)
    assert float(str(row["test_accuracy"])) * 20 in range(21), "of 20 test images"
    # At a spread of 0.7 the membranes of the layers have left what they are at without weights.
    assert 0.1 < float(str(row["drive"])) < 100.0


def test_every_row_names_its_target_and_full_rows_keep_the_published_networks() -> None:
    assert all(row.what and row.target for row in ROWS.values())
    assert ROWS["fashion-fc"].study.hidden == [400, 400]
    assert ROWS["cifar-cnn"].study.channels == [[64, 64], [128, 128], [256, 256]]
    assert ROWS["cifar-cnn-double"].study.channels == [[128, 128], [256, 256], [512, 512]]
    assert [ROWS[name].study.noise for name in ("cifar-cnn-quiet", "cifar-cnn", "fashion-cnn")] == [[0.0], [0.01], [0.01]]
    wide = ROWS["cifar-wide"].study
    assert (wide.reversal, wide.noise, wide.normalise) == (["reference"], [0.01], True)
    finite = ROWS["cifar-cnn-reversal"].study
    assert len(finite.reversal) >= 5 and len(finite.seeds) == 3
    assert all("reduced" in name for name, row in ROWS.items() if row.study.train_samples)


def test_missing_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "fashion-fc") == 2
    assert "train-images-idx3-ubyte: missing" in capsys.readouterr().err
