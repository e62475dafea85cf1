"""The benchmark of structures on tiny generated files: a line a training, resumed, and the figures that are read off them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from test_accuracy_benchmark import write_labels

from benchmarks import structure_annealed, structure_circuits, structure_codes, structure_rows, structures


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_labels(tmp_path, lambda n: np.arange(n) % 10)
    monkeypatch.setattr(structure_rows, "SAMPLES", 60)
    monkeypatch.setattr(structure_rows, "HIDDEN", (12, 12))
    monkeypatch.setattr(structure_rows, "RECIPE", structure_rows.RECIPE.but(epochs=1))
    monkeypatch.setattr(structure_annealed, "SAMPLES", 60)
    return tmp_path


def rows(command: object, folder: Path, *words: str) -> list[dict[str, str]]:
    """The lines that a command leaves in its table, called twice."""
    table = folder / f"{command.__name__}.csv"  # type: ignore[attr-defined]
    given = [*words, "--data", str(folder), "--runs", str(folder / "runs"), "--table", str(table)]
    assert command.main(given) == command.main(given) == 0  # type: ignore[attr-defined]
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def _images(path: Path) -> Path:
    """Of one design an older network and two images of the last, one with another label than the model; one of another design."""
    columns = "structure,design,network,circuit_label,model_label,hidden_pairs,hidden_rms_s,output_pairs,output_rms_s"
    small = "ticket,digits_16_16_10,a,1,2,1,1e-6,1,1e-6\nticket,digits_16_16_10,b,1,1,2,1e-9,1,2e-9\n"
    path.write_text(f"{columns}\n{small}ticket,wide,c,3,3,1,1e-9,1,3e-9\nticket,digits_16_16_10,b,1,2,2,1e-9,3,2e-9\n")
    return path


def test_every_kind_of_row_adds_a_line_a_seed_once_and_the_figures_follow(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = rows(
        structure_rows, small, "dense", "ternary_8_2", "fixed_topology", "reusable_topology", "spike_6bit", "--seeds", "0"
    )
    assert [row["structure"] for row in found] == ["dense", "ternary_8_2", "fixed_topology", "reusable_topology", "spike_6bit"]
    ternary, wired = found[1], found[3]
    assert float(ternary["bits_per_weight"]) == pytest.approx((12 * 2 * 8 + 32) / 144, rel=1e-4)
    assert int(wired["devices"]) == 12 * 392 + 12 * 6 + 10 * 6
    annealed, factors = rows(structure_annealed, small, "--seeds", "0")
    weights = 784 * 12 + 12 * 12 + 12 * 10
    assert float(annealed["bits_per_weight"]) == pytest.approx(2 + (10 * 4 * 34 + 3 * 32) / weights, rel=1e-4)
    assert float(annealed["error_gain_vs_greedy"]) > 1.0 and float(annealed["error_gain_vs_rounding"]) > 1.5
    assert factors["structure"] == "factorised_2bit" and float(factors["bits_per_weight"]) <= 2.0
    monkeypatch.setattr(structure_rows, "TABLE", small / "benchmarks.structure_rows.csv")
    monkeypatch.setattr(structure_annealed, "TABLE", small / "benchmarks.structure_annealed.csv")
    monkeypatch.setattr(structure_circuits, "IMAGES", _images(small / "images.csv"))
    monkeypatch.setattr(structure_codes, "TABLE", small / "none.csv")
    monkeypatch.setattr(structures, "WEIGHTS", (80, 64))
    figures = {one.name: one.value for one in structures.figures(quick=False)}
    assert figures["ternary_8_2.accuracy_drop"] == pytest.approx(
        100 * (float(found[0]["test_accuracy"]) - float(ternary["test_accuracy"]))
    )
    assert figures["ticket.label_agreement"] == pytest.approx(2 / 3)
    assert figures["ticket.circuit_output_rmse_s"] == pytest.approx(2e-9)
    assert figures["ticket.wide.circuit_output_rmse_s"] == pytest.approx(3e-9)
    wanted = {f"{name}.error_gain_vs_rounding" for name in structure_annealed.NAMES}
    assert wanted | {"reusable_topology.gain_over_random", "encode_s_per_10m"} <= figures.keys()
