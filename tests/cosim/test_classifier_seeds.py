"""The benchmark of a classifier's seeds: what is read off its table, what is held out, and runs that cannot be trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import classifier_seeds
from benchmarks.classifier_seeds import HELD_OUT, TEST
from cosim.design import load_design
from training.study.table import GrowingTable

ROOT = Path(__file__).parents[2]
ROW = dict.fromkeys(classifier_seeds.COLUMNS, "") | {"design": "digits", "recipe": "new", "judged_on": TEST, "images": 360}


def test_figures_are_those_of_the_last_recipe_over_its_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_seeds, "TABLE", tmp_path / "seeds.csv")
    assert list(classifier_seeds.figures("digits")) == []
    table = GrowingTable(tmp_path / "seeds.csv", classifier_seeds.COLUMNS)
    table.append({**ROW, "recipe": "old", "seed": 0, "accuracy": 0.5})
    for seed, accuracy in enumerate((0.97, 0.98, 0.99)):
        table.append({**ROW, "seed": seed, "accuracy": accuracy})
    table.append({**ROW, "seed": 0, "judged_on": HELD_OUT, "images": 287, "accuracy": 0.95})
    table.append({**ROW, "design": "another", "seed": 0, "accuracy": 0.1})
    mean, best = classifier_seeds.figures("digits")
    assert mean.name == "digits.accuracy_model" and mean.value == pytest.approx(0.98)
    assert mean.detail == "360 test images, 3 seeds, sd 0.0100; 0.9500 of held-out training images (1 seeds)"
    assert best.name == "digits.accuracy_model_best" and best.value == 0.99


def test_what_is_held_out_is_never_a_test_image_and_not_trained_on() -> None:
    design = load_design(ROOT / "designs/digits_64_32_10.toml")
    data, held = (classifier_seeds.judged_data(design, is_held_out) for is_held_out in (False, True))
    assert len(data.test_rows) == 360 and len(held.test_rows) == 1437 // 5
    assert sorted(held.test_rows + held.train_rows) == sorted(data.train_rows)


def test_a_recipe_is_known_by_what_decides_its_training_but_the_seed(tmp_path: Path) -> None:
    design, hardware = load_design(ROOT / "designs/digits_64_32_10.toml"), tmp_path / "hardware.json"
    hardware.write_text("{}")
    own = classifier_seeds.recipe_digest(design, hardware)

    def changed(**fields: object) -> str:
        training = design.training.model_copy(update=fields)
        return classifier_seeds.recipe_digest(design.model_copy(update={"training": training}), hardware)

    assert changed(seed=7) == own != changed(mixup=0.1)
    hardware.write_text("{} ")
    assert classifier_seeds.recipe_digest(design, hardware) != own


def test_a_run_without_a_hardware_model_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classifier_seeds.main([str(tmp_path)]) == 2
    wanted = f"{tmp_path}: has no design.toml; make one with: cosim characterize designs/NAME.toml"
    assert capsys.readouterr().err.strip() == wanted
