"""A hardware model that cannot be true is refused: units, signs, orders of magnitude, and numbers of no one circuit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.truth.hardware_mutations import accepted, mutations
from training.files import DIGEST
from training.hardware import SCHEMA_VERSION, HardwareModel, HardwareModelError
from training.hardware.consistency import first_contradiction


def saved(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The reference as a file, and its content as a person writes it: without a digest."""
    file = folder / "hardware.json"
    HardwareModel.reference().save(file)
    content = json.loads(file.read_text())
    del content[DIGEST]
    return file, content


def refusal(file: Path, content: dict[str, Any]) -> str:
    file.write_text(json.dumps(content))
    with pytest.raises(HardwareModelError) as caught:
        HardwareModel.load(file)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{file}: ")


def scaled(quantity: dict[str, Any], factor: float, unit: str) -> None:
    quantity["value"] *= factor
    quantity["unit"] = unit


def rest_at_the_threshold(content: dict[str, Any]) -> None:
    content["neuron"]["rest"]["value"] = content["neuron"]["threshold"]["value"]


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "millivolts": (
        lambda c: (scaled(c["neuron"]["rest"], 1e3, "mV"), scaled(c["neuron"]["threshold"], 1e3, "mV")),
        "neuron.rest: value is in 'mV', must be in 'V'; convert the values too",
    ),
    "no unit": (
        lambda c: c["neuron"]["capacitance_neuron"].update(unit="bananas"),
        "neuron.capacitance_neuron: value is in 'bananas', must be in 'F'; convert the values too",
    ),
    "a unit of an axis": (
        lambda c: c["plus"]["reversal"].update(x_unit="nA"),
        "plus.reversal: x is in 'nA', must be in 'A'; convert the values too",
    ),
    "another unit of the code": (
        lambda c: c["plus"]["code"].update(y_unit="mV"),
        "plus: code_unit is 'V', that of the curve `code` is 'mV'; they are one",
    ),
    "picofarads called farads": (
        lambda c: scaled(c["neuron"]["capacitance_neuron"], 1e15, "F"),
        "neuron.capacitance_neuron: value is 133.7 F, no circuit has less than 1e-16 or more than 1e-09; is it in another unit?",
    ),
    "ten times the capacitance": (
        lambda c: scaled(c["neuron"]["capacitance_neuron"], 10, "F"),
        "neuron.discharger_current: discharge of a resting membrane by capacitance, threshold and current, in phases, is 9.564,"
        " must be 0.333 .. 3; a unit, a sign or a digit there, or in what it is compared with, is wrong",
    ),
    "no phase": (lambda c: c.update(phase_s=0.0), "phase_s: Input should be greater than or equal to 0.0000000001, not 0.0"),
    "a threshold at rest": (
        rest_at_the_threshold,
        "neuron.threshold: distance from rest to threshold (V) is 0, must be 0.02 .. 5; a unit, a sign or a digit there, or in "
        "what it is compared with, is wrong",
    ),
    "a reversal on the wrong side": (
        lambda c: c["minus"]["reversal"].update(y=[-y for y in c["minus"]["reversal"]["y"]]),
        "minus.reversal: y is -1.262 V, no circuit has less than 0.02 or more than 100000; is it in another unit?",
    ),
    "a current that falls and rises": (
        lambda c: c["plus"]["code"]["y"].__setitem__(4, 0.40),
        "plus.code: y: must rise or fall throughout, in every step",
    ),
    "a membrane nearer to the threshold that fires later": (
        lambda c: c["neuron"]["firing"]["y"].__setitem__(12, 2 * c["neuron"]["firing"]["y"][12]),
        "neuron.firing: number of steps towards the threshold in which it does not fall is 1, must be 0 .. 0",
    ),
    "curves of other currents": (
        lambda c: c["plus"]["charge_on"].update(x=[2 * x for x in c["plus"]["charge_on"]["x"]]),
        "plus.code: the distance of its currents from those of the other curves, in e-folds, is 0.6931",
    ),
    "a kick of a whole threshold": (
        lambda c: c["plus"]["charge_off"].update(y=[1e3 * y for y in c["plus"]["charge_off"]["y"]]),
        "plus.charge_off: largest charge, in thresholds of a membrane, is 12.",
    ),
    "a synapse that acts before its spike": (
        lambda c: c["minus"]["charge_off"].update(y=[-y for y in c["minus"]["charge_off"]["y"]]),
        "minus.charge_off: charge per current: how long after its spike line the synapse switches off, in phases,",
    ),
    "a field that is missing": (
        lambda c: c["plus"]["code"].pop("log_x"),
        f"plus.code.log_x: missing; every field stands in a hardware model of version {SCHEMA_VERSION}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_true_is_one_line(what: str, tmp_path: Path) -> None:
    change, complaint = WRONG[what]
    file, content = saved(tmp_path)
    change(content)
    assert refusal(file, content).startswith(complaint)


def test_a_column_of_another_size_is_held_to_the_same(tmp_path: Path) -> None:
    file, content = saved(tmp_path)
    content["columns"] = [{name: json.loads(json.dumps(content[name])) for name in ("plus", "minus", "neuron")}]
    file.write_text(json.dumps(content))
    assert len(HardwareModel.load(file).all_columns) == 2
    content["columns"][0]["neuron"]["load_delay"]["value"] = 1e-4
    assert refusal(file, content).startswith("columns.0.neuron.load_delay: delay per synapse, in phases, is 100")


def test_a_file_that_was_changed_since_it_was_written_says_so(tmp_path: Path) -> None:
    """A kick a thousand times too small may well be true; that it is not what was measured is seen all the same."""
    file, content = saved(tmp_path)
    digest = json.loads(file.read_text())
    content["plus"]["charge_on"]["y"] = [1e-3 * y for y in content["plus"]["charge_on"]["y"]]
    assert refusal(file, {**digest, **content}).startswith("content_sha256: the content is not what it was")
    file.write_text(json.dumps(content))
    assert HardwareModel.load(file).plus.charge_on.y == tuple(content["plus"]["charge_on"]["y"]), "by hand it is meant"
    file.write_text(json.dumps({**digest, "temperature_c": 27}, indent=4, sort_keys=True))
    assert HardwareModel.load(file) == HardwareModel.reference(), "how it is printed is no change"


def test_on_the_slow_edge_of_a_line_with_many_gates_a_synapse_may_be_early(tmp_path: Path) -> None:
    """With 64 a strong one switches on 0.37 ns before the line, of a phase of 2 us."""
    file, content = saved(tmp_path)
    charge, phase_s = content["minus"]["charge_on"], content["phase_s"]

    def early(phases: float) -> list[float]:
        return [charge["y"][0] - phases * phase_s * (x - charge["x"][0]) for x in charge["x"]]

    charge["y"] = early(2e-4)
    file.write_text(json.dumps(content))
    assert HardwareModel.load(file).minus.charge_on.y == tuple(charge["y"])
    charge["y"] = early(2e-3)
    assert "how long before its spike line the synapse switches on, in phases, is 0.002" in refusal(file, content)


def test_past_the_threshold_the_neuron_alone_decides(tmp_path: Path) -> None:
    """There the spikes of GF180's neuron come a little later again, by a percent."""
    file, content = saved(tmp_path)
    firing = content["neuron"]["firing"]
    firing["y"][-1] = 1.01 * firing["y"][-2]
    content["neuron"]["earliest_spike"]["value"] = min(firing["y"])
    file.write_text(json.dumps(content))
    assert HardwareModel.load(file).neuron.firing.y[-1] > HardwareModel.load(file).neuron.firing.y[-2]


def test_the_reference_contradicts_itself_nowhere() -> None:
    assert first_contradiction(HardwareModel.reference()) is None


def test_mutations_are_refused_or_harmless() -> None:
    tried = mutations(60)
    assert {one.what.partition(":")[0] for one in tried} == {"unit", "sign", "magnitude", "missing", "extra"}
    assert [one.what for one in accepted(tried) if not one.harmless] == []


def test_without_a_digest_what_is_accepted_is_small(tmp_path: Path) -> None:
    """Units and physics alone: what gets through is a small charge, delay, curvature or leakage, or a code."""
    through = [one.what for one in accepted(mutations(200, by_hand=True)) if not one.harmless]
    small = ("charge", "delay", "curvature", "leakage", "reset_error", "code.y")
    assert len(through) < 20 and all(any(name in what for name in small) for what in through), through
