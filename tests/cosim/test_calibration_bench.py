"""A chip on a bench: files written, read back, and refused; the calibration that follows from them is that of the chip itself."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cosim.bench.bench import Bench
from cosim.calibration.circuit_chip import DieFailedError
from cosim.calibration.dies import settings_of
from cosim.calibration.file_chip import (
    SPIKE_COLUMNS,
    AwaitingSpikes,
    FileChip,
    network_digest,
    plan_rows,
    program_rows,
    read_plan,
    read_spikes,
    write,
)
from cosim.calibration.nominal import MissedWeights, Nominal
from cosim.design import Design
from cosim.errors import InputError
from cosim.pipeline import calibrate_bench
from cosim.pipeline import validate_at as validating
from cosim.pipeline.calibrate import Asked, _by_replicas, _Chips, _weights, condition_at, condition_of, dies_of
from cosim.pipeline.calibrate_bench import calibrate_on_bench, check_words
from cosim.pipeline.validate_at import TABLE, _Place, biases_of, sensitivity, validate_at
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from training.calibration.chip import ModelDie, ideal
from training.calibration.circuit import DischargerCurve, LayerCircuit
from training.calibration.program import LayerProgram
from training.hardware import HardwareModel, normalise
from training.hardware_aware.variation import Mismatch

PHASE = 1e-6
HARDWARE = HardwareModel.reference()
BIAS = HARDWARE.neuron.discharger_bias.value
CURVE = DischargerCurve(BIAS + np.array([-0.045, 0.0, 0.03, 0.06]), np.log([0.367, 1.0, 1.906, 3.558]), BIAS)
OUTPUTS = (2, 1)
PROGRAM = (
    LayerProgram(np.array([[1, -1], [0, 1]]), np.array([[0.5, 1.2], [0.0, 0.45]]), np.array([0.56, 0.57])),
    LayerProgram(np.array([[1, 1]]), np.array([[0.5, 0.6]]), np.array([0.55])),
)
PATTERNS = np.array([[0.125, 1.0], [0.75, 0.004]])
DIGEST = network_digest(PROGRAM, PHASE)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.csv"
    write(path, DIGEST, plan_rows(1, PATTERNS, PHASE))
    return path


def observed() -> pd.DataFrame:
    seen = [(1, p, layer, k, 1e-7 * (p + layer + k)) for p in (0, 1) for layer, n in enumerate(OUTPUTS, 1) for k in range(n)]
    return pd.DataFrame(seen, columns=SPIKE_COLUMNS)


def spikes_file(plan: Path, table: pd.DataFrame) -> Path:
    path = plan.with_name("spikes.csv")
    table.to_csv(path, index=False)
    return path


def test_what_a_bench_saw_is_what_the_chip_answers(plan: Path) -> None:
    table = observed()
    table.loc[(table.pattern == 1) & (table.layer == 2), "spike_s"] = np.nan
    known = read_plan(plan, DIGEST)
    spikes = read_spikes(spikes_file(plan, table), known, OUTPUTS, PHASE)
    hidden, output = FileChip(known, spikes, PHASE, OUTPUTS).observe(PROGRAM, PATTERNS)
    assert hidden == pytest.approx(np.array([[0.1, 0.2], [0.2, 0.3]])) and output == pytest.approx(np.array([[0.2], [1.0]]))


def test_a_round_that_was_not_measured_is_awaited(plan: Path) -> None:
    known = read_plan(plan, DIGEST)
    chip = FileChip(known, read_spikes(spikes_file(plan, observed()), known, OUTPUTS, PHASE), PHASE, OUTPUTS)
    chip.observe(PROGRAM, PATTERNS)
    with pytest.raises(AwaitingSpikes) as awaited:
        chip.observe(PROGRAM, PATTERNS + 0.001)
    assert awaited.value.number == 2 and awaited.value.program is PROGRAM
    with pytest.raises(AwaitingSpikes):
        FileChip(None, None, PHASE, OUTPUTS).observe(PROGRAM, PATTERNS)


def test_a_plan_of_other_patterns_is_refused(plan: Path) -> None:
    known = read_plan(plan, DIGEST)
    spikes = read_spikes(spikes_file(plan, observed()), known, OUTPUTS, PHASE)
    with pytest.raises(InputError, match="round 1: not the patterns that follow from this design"):
        FileChip(known, spikes, PHASE, OUTPUTS).observe(PROGRAM, PATTERNS[::-1])
    with pytest.raises(InputError, match="round 1: the plan has 4 rows, this design's has 2"):
        FileChip(known, spikes, PHASE, OUTPUTS).observe(PROGRAM, PATTERNS[:1])


def test_a_plan_of_another_network_is_refused(plan: Path) -> None:
    other = (PROGRAM[0], LayerProgram(PROGRAM[1].sign, PROGRAM[1].code_v + 0.01, PROGRAM[1].bias_v))
    with pytest.raises(InputError, match=r"plan.csv: is the plan of another network than this design's"):
        read_plan(plan, network_digest(other, PHASE))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.drop(index=2), "round 1: pattern 0, layer 2, neuron 0 is missing; a neuron that did not spike has an empty"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "round 1, pattern 0, layer 1, neuron 0 stands there twice"),
        (lambda t: t.assign(spike_s=t.spike_s * 1e9), "lies outside the phase, 0 .. 1e-06 s; are these nanoseconds"),
        (lambda t: t.assign(spike_s=t.spike_s * 1e6), "lies outside the phase, 0 .. 1e-06 s; are these microseconds"),
        (lambda t: t.assign(spike_s=t.spike_s + 8e-7), "lies outside the phase"),
        (lambda t: t.assign(spike_s=-t.spike_s), "lies outside the phase"),
        (lambda t: t.assign(neuron=t.neuron + 1), "neuron 0 is missing"),
        (lambda t: t.assign(round=2), "round 2 is not in the plan"),
        (lambda t: t.drop(columns="layer"), "has no column 'layer'"),
        (lambda t: t.assign(spike_s="soon"), "spike_s: row 1 of the table holds 'soon', which is no number"),
        (lambda t: t.assign(pattern=None), "pattern: row 1 of the table holds"),
    ],
)
def test_spikes_that_cannot_be_are_one_line(plan: Path, damage, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message) as refused:
        read_spikes(spikes_file(plan, damage(observed())), read_plan(plan, DIGEST), OUTPUTS, PHASE)
    assert "\n" not in str(refused.value) and "spikes.csv" in str(refused.value)


def test_a_round_is_nothing_without_those_before_it(plan: Path) -> None:
    known = read_plan(plan, DIGEST)
    both = pd.concat([known, known.assign(round=2)])
    with pytest.raises(InputError, match=r"spikes\.csv: round 1 is missing; each round follows from"):
        read_spikes(spikes_file(plan, observed().assign(round=2)), both, OUTPUTS, PHASE)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"plan.csv: cannot be read: No such file"):
        read_plan(tmp_path / "plan.csv", DIGEST)


def test_what_is_set_has_a_row_a_device() -> None:
    rows = program_rows(3, PROGRAM)
    assert len(rows) == 4 + 2 + 2 + 1 and set(rows["round"]) == {3}
    off = rows[(rows.layer == 1) & (rows.neuron == 1) & (rows.device == "input 0")].iloc[0]
    assert off.sign == 0 and np.isnan(off.bias_v)
    assert rows[rows.device == "discharger"].bias_v.tolist() == [0.56, 0.57, 0.55]


def test_dies_and_benches_are_asked_for_in_words() -> None:
    assert dies_of("1..3, 7") == [1, 2, 3, 7] and dies_of("5,5") == [5]
    for wrong in ("", "3..1", "a", "1-3", "1..5000"):
        with pytest.raises(InputError, match="--dies: "):
            dies_of(wrong)
    check_words("1", None, None)
    check_words("", Path("plan.csv"), None)
    for words in (("", None, None), ("1", Path("p"), None), ("1", None, Path("s"))):
        with pytest.raises(InputError, match="--"):
            check_words(*words)


def test_dies_elsewhere_are_set_by_their_characterisation_or_by_replicas() -> None:
    assert [_by_replicas("temperature_c=60", how) for how in ("", "calibrated", "replica")] == [False, False, True]
    assert not _by_replicas("", "")
    with pytest.raises(InputError, match="--biases: goes with --at"):
        _by_replicas("", "replica")
    with pytest.raises(InputError, match="--biases: 'fixed' is none of calibrated, replica"):
        _by_replicas("temperature_c=60", "fixed")


def test_dies_may_be_calibrated_to_what_the_conventional_mapping_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the gains that the mapping found, which a run that was not mapped does not have."""
    weights = [np.array([[0.2, -0.1]])]
    trained = {name: SimpleNamespace(effective_weights=lambda: weights) for name in ("ode", "conventional")}
    monkeypatch.setattr("cosim.networks.training.load_networks", lambda _: trained)
    monkeypatch.setattr("training.hardware.columns_of_layers", lambda *_: [HARDWARE])
    space = SimpleNamespace(design=Design(name="x"), run=RunDirectory(tmp_path), design_file=Path("x.toml"))
    assert _weights(space, HARDWARE, "ode") is weights  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"--network: conventional: its gains are not found yet; run: cosim map x\.toml --out"):
        _weights(space, HARDWARE, "conventional")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--network: 'ideal' is none of ode, conventional"):
        _weights(space, HARDWARE, "ideal")  # type: ignore[arg-type]
    (tmp_path / "metrics.json").write_text('{"mapping.gain_plus": 1.5, "mapping.gain_minus": 2.0}')
    assert _weights(space, HARDWARE, "conventional")[0] == pytest.approx(np.array([[0.3, -0.2]]))  # type: ignore[arg-type]


def test_dies_draw_their_process_where_they_are_asked_to() -> None:
    bench = Bench(Design(name="x"), None, None)  # type: ignore[arg-type]
    for draws in (False, True):
        chip = _Chips(bench, [], draws).here(7)  # type: ignore[arg-type]
        assert chip.bench.statistics is draws and chip.die == 7
    assert _Chips(bench, [], True).moved(7) is None  # type: ignore[arg-type]


def test_conditions_and_biases_are_refused_by_name() -> None:
    design = Design(name="x")
    assert condition_at("corner=ff,supply_v=1.98", design).supply_v == 1.98
    for wrong, message in (("sign=1", "--at: 'sign=1' names no condition"), ("corner=xx", "'xx' is none of")):
        with pytest.raises(InputError, match=message):
            condition_at(wrong, design)
    assert [str(one) for one in biases_of("rebiased, fixed")] == ["rebiased", "fixed"]
    for wrong in ("", "loose", "fixed,loose"):
        with pytest.raises(InputError, match=r"--biases: .* is none of fixed, replica, rebiased, calibrated"):
            biases_of(wrong)


def test_what_a_board_is_off_by_is_a_list_of_conditions() -> None:
    design = Design.model_validate({"name": "x", "process": {"supply_v": 1.6, "temperature_c": 40.0}})
    found = [condition_at(words, design) for words in sensitivity(design)]
    assert len(set(found)) == len(found) and found[0].applied(design) == design
    assert [found[-2].supply_v, found[-1].temperature_c] == pytest.approx([1.616, 43.0])
    boards = [one.applied(design).environment for one in found[1:-2]]
    assert [board.bias_step_v for board in boards] == [1e-3, 5e-3, 0, 0, 0, 0, 0] and boards[3].ripple_v == 0.01
    assert (boards[4].source_resistance_ohm, boards[4].source_capacitance_f, boards[5].line_load_f) == (1e6, 1e-13, 5e-14)
    assert (boards[5].output_load_f, boards[6].line_load_f, boards[6].output_load_f) == (0, 0, 5e-14)


def test_what_cannot_be_simulated_costs_its_row_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a row takes the place of the one that the table had of its condition and biases."""
    design, rmse_s = Design(name="x"), [1e-9]

    def row(place: _Place, choice: str) -> dict[str, object]:
        if choice == "replica":
            raise DieFailedError("1 of 2 patterns could not be simulated")
        found = {"condition": str(place.condition), "biases": str(choice), "samples": 2, "rmse_s": rmse_s[0]}
        return {
            **found,
            "hidden_rmse_s": 0.0,
            "labels": 1.0,
            "accuracy": 1.0,
            "model_rmse_s": np.nan,
            "unexpected_rmse_s": np.nan,
            "out_of_range": np.nan,
            "out_of_range_factor": np.nan,
        }

    def ranged(place: _Place, choice: str) -> dict[str, object]:
        return row(place, choice) | {"out_of_range": 3.0, "out_of_range_factor": 5.5}

    space = SimpleNamespace(design=design, run=RunDirectory(tmp_path), monitor=Monitor())
    nominal = Nominal([], (), np.zeros(0), np.zeros((2, 1)), np.zeros(2, int), [], 2, PHASE)
    HARDWARE.save(tmp_path / "hardware.json")
    monkeypatch.setattr(validating, "load_design", lambda _: design)
    monkeypatch.setattr(validating, "prepared", lambda *_: contextlib.nullcontext((space, None, nominal)))
    monkeypatch.setattr(_Place, "row", row)
    for rmse_s[0] in (1e-9, 2e-9):
        found = validate_at(tmp_path, ["temperature_c=30", "supply_v=1.7"], "replica,fixed")
        assert found.exit_code == 3 and list(found.rows.biases) == ["fixed", "fixed"]
        assert found.failed[0].endswith("temperature_c=30.0,supply_v=1.8, replica: 1 of 2 patterns could not be simulated")
        assert found.failed[0] in list(found.lines())
    table = pd.read_parquet(tmp_path / TABLE)
    assert table.rmse_s.tolist() == [2e-9, 2e-9] and table.condition.nunique() == 2
    assert validate_at(tmp_path, ["temperature_c=30"], "fixed").exit_code == 0
    monkeypatch.setattr(_Place, "row", ranged)
    monkeypatch.setattr(_Place, "out_of_range", MissedWeights(3, 40, 5.5))
    warned = validate_at(tmp_path, ["temperature_c=30"], "rebiased,calibrated")
    assert len(warned.warnings) == 1 and "temperature_c=30.0,supply_v=1.8: 3 of 40 weights are out of" in warned.warnings[0]
    assert warned.warnings[0] in list(warned.lines())


def test_a_command_asks_for_another_calibration_of_the_same_circuit() -> None:
    design = Design.model_validate({"name": "x", "neuron": {"own_discharger_bias": True}, "calibration": {"jitter_s": 5e-10}})
    assert Asked().of(design) == design and condition_of(design) == "own biases, 10+6 patterns, jitter 5e-10"
    asked = Asked("12+8", 0.0, 1e-3, codes_alone=True).of(design)
    assert asked.calibration.patterns == (12, 8) and not asked.neuron.own_discharger_bias
    assert condition_of(asked) == "codes alone, 12+8 patterns, step 0.001"
    sixteenths = Design.model_validate({"name": "x", "calibration": {"pattern_step": 0.0625}})
    assert condition_of(sixteenths) == "codes alone, 10+6 patterns, times 0.0625"
    loosely = Design.model_validate({"name": "x", "calibration": {"line_tolerance": 4}})
    assert condition_of(loosely) == "codes alone, 10+6 patterns, lines 4"
    assert settings_of(sixteenths.calibration, True, PHASE).pattern_step == 0.0625
    looped = Asked(loop_steps=4, unidentified=True, process_draws=True).of(design)
    assert condition_of(looped) == "own biases, not identified, jitter 5e-10, loop 4, process drawn"
    settings = settings_of(looped.calibration, True, PHASE)
    assert (settings.loop, settings.identified, settings.jitter) == (4, False, pytest.approx(5e-4))
    for wrong, message in (
        (Asked("12-8"), "--patterns: '12-8' is not the number of each round"),
        (Asked("10+0"), r"calibration\.patterns\.1: .*greater than or equal to 1"),
        (Asked(jitter_s=-1.0), r"calibration\.jitter_s: "),
        (Asked(unidentified=True), "calibration: .*identify = false needs loop_steps"),
        (Asked(code_step_v=1e-3, loop_steps=2), "calibration: .*loop_steps: codes leave the steps of code_step_v there"),
    ):
        with pytest.raises(InputError, match=message):
            wrong.of(design)


def test_a_bench_is_led_round_by_round_to_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench is a die of the model, which answers through files: two rounds of patterns, then two in the loop."""
    asked = {"patterns": [6, 3], "model_error_s": 2e-10, "loop_steps": 1}
    design = Design.model_validate(
        {
            "name": "x",
            "neuron": {"own_discharger_bias": True},
            "calibration": asked,
        }
    )
    circuits = [LayerCircuit(normalise(HARDWARE), CURVE, Mismatch(), 5, 0)]
    program = (circuits[0].program(np.array([[0.4, 0.3, -0.2, 0.1, 0.2], [0.2, 0.5, 0.3, -0.3, 0.1]]), CURVE.nominal_v),)
    samples = np.random.default_rng(1).random((30, 5))
    wanted = ideal(circuits, program, samples)
    nominal = Nominal(circuits, program, samples, samples, np.zeros(30, int), wanted, 2, PHASE)
    space = SimpleNamespace(design=design, run=RunDirectory(tmp_path))
    monkeypatch.setattr(calibrate_bench, "prepared", lambda *_: contextlib.nullcontext((space, None, nominal)))
    monkeypatch.setattr(calibrate_bench, "load_design", lambda _: design)
    die, plan, spikes = ModelDie.drawn(circuits, (2,), 5), tmp_path / "plan.csv", tmp_path / "spikes.csv"
    found = calibrate_on_bench(tmp_path, plan, None)
    seen = []
    while not found.done:
        own = pd.read_csv(plan, comment="#").query("round == @found.round")
        patterns = own.time_s.fillna(PHASE).to_numpy().reshape(-1, 5) / PHASE
        for pattern, fired in enumerate(die.observe(_set(found.program, found.round, program), patterns)[0]):
            seen += [(found.round, pattern, 1, k, t * PHASE if t < 1 else None) for k, t in enumerate(fired)]
        pd.DataFrame(seen, columns=SPIKE_COLUMNS).to_csv(spikes, index=False)
        found = calibrate_on_bench(tmp_path, plan, spikes)
    assert (found.round, found.misfit is not None and found.misfit < 1.0) == (5, True)
    off = [die.observe(one, samples)[0] - wanted[0] for one in (program, _set(found.program, 5, program))]
    before, after = (float(np.sqrt((miss**2).mean())) for miss in off)
    assert before > 0.03 and after < 2e-3
    assert len(pd.read_parquet(tmp_path / "calibration/bench_devices.parquet")) == 2 * 13
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*")}
    pd.DataFrame(seen, columns=SPIKE_COLUMNS).iloc[:-1].to_csv(spikes, index=False)
    with pytest.raises(InputError, match="round 4: pattern 15, layer 1, neuron 1 is missing"):
        calibrate_on_bench(tmp_path, plan, spikes)
    assert all(file.read_bytes() == content for file, content in before.items() if file != spikes)


def _set(file: Path, number: int, like: tuple[LayerProgram, ...]) -> tuple[LayerProgram, ...]:
    """What a bench engineer sets, read off the file."""
    rows = pd.read_csv(file, comment="#").query("round == @number")
    synapses, dischargers = rows[rows.device != "discharger"], rows[rows.device == "discharger"]
    shape = like[0].sign.shape
    codes = synapses.bias_v.fillna(0.0).to_numpy().reshape(shape)
    return (LayerProgram(synapses.sign.to_numpy().reshape(shape), codes, dischargers.bias_v.to_numpy()),)
