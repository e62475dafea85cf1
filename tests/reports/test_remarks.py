"""What must be said of a run though no limit asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reports import report
from reports.baseline import LEFT_OUT, NOTES
from reports.remarks import remarks
from reports.report import CONTENTS, render
from reports.run import read_run

WELL = {
    "training.dead_layers": 0.0, "training.test_accuracy": 0.96, "training.chance_accuracy": 0.34, "training.synapses": 50.0,
    "training.off_synapses": 9.0, "mapping.synapses": 50.0, "mapping.off_synapses": 9.0, "validation.past_supply_share": 0.0,
    "validation.lowest_model_membrane_v": 0.3, "validation.highest_model_membrane_v": 1.7,
    "validation.conventional.output_spike_rmse_s": 48e-9, "validation.conventional.numerical_error_s": 3.9e-9,
}  # fmt: skip
SAID = [
    ({"training.dead_layers": 1.0}, "training: 1 layer of which no neuron spikes for any test sample"),
    ({"training.test_accuracy": 0.34}, "training: 34.0 % of the test samples are right, the commonest class alone is 34.0 %"),
    ({"mapping.off_synapses": 33.0}, "mapping: 33 of 50 synapses are off, their weights below the smallest code of the cell"),
    (
        {"validation.past_supply_share": 0.02, "validation.highest_model_membrane_v": 1.864},
        "validation: 2.0 % of the model's membranes lie beyond ground or supply, 300.0 mV to 1.864 V",
    ),
    (
        {"validation.conventional.numerical_error_s": 12e-9},
        "validation: the numerical error of the conventional circuit, 12.0 ns, is a good part of its error, 48.0 ns",
    ),
]


WORDS = ("Result", "Against the published circuit", "Limits")


def test_a_run_of_which_all_is_well_says_nothing() -> None:
    assert remarks(WELL, {}) == [] and remarks({}, {}) == []


@pytest.mark.parametrize(("changed", "line"), SAID)
def test_each_thing_is_said_by_itself(changed: dict[str, float], line: str) -> None:
    (said,) = remarks({**WELL, **changed}, {})
    assert said.startswith(line)


@pytest.fixture
def in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sections before the pictures, which take seconds to draw."""
    monkeypatch.setattr(report, "CONTENTS", tuple(one for one in CONTENTS if one[0] in WORDS))


@pytest.mark.usefixtures("in_words")
def test_the_report_says_them_and_lacks_what_a_run_is_without(run_dir: Path) -> None:
    metrics = json.loads((run_dir / "metrics.json").read_text())
    for name in ("validation.conventional.output_spike_rmse_s", "validation.error_ratio"):
        del metrics[name]
    (run_dir / "metrics.json").write_text(json.dumps({**metrics, "mapping.off_synapses": 33, "mapping.synapses": 50}))
    before = render(read_run(run_dir))
    assert "Mapping: 33 of 50 synapses are off" in before and "conventional error" in before
    (run_dir / NOTES).write_text(json.dumps({LEFT_OUT: "the optimum ran away"}))
    page = render(read_run(run_dir))
    assert "No conventional mapping to compare with: the optimum ran away." in page
    assert "conventional error<" not in page and "not judged" in page and "1 / 2" in page


@pytest.mark.usefixtures("in_words")
def test_published_values_stand_only_beside_the_published_circuit(run_dir: Path) -> None:
    assert "published 1.97 ns" in render(read_run(run_dir))
    record = json.loads((run_dir / "provenance.json").read_text())
    for other in ({**record, "published_circuit": False}, {name: v for name, v in record.items() if name != "published_circuit"}):
        (run_dir / "provenance.json").write_text(json.dumps(other))
        page = render(read_run(run_dir))
        assert "published 1.97 ns" not in page and "Against the published circuit" not in page
