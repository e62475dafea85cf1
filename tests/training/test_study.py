"""Studies: the plan, the table, the runs, what is measured of the solvers."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from training import learner
from training.data import digits
from training.hardware import HardwareModel, HardwareModelError, NormalisedModel, Variation, VariedParameter, normalise
from training.hardware_aware.variation import Mismatch
from training.solvers import reference
from training.study import solvers
from training.study.plan import SolverPlan, Study, StudyError, load_study
from training.study.runs import COLUMNS, Run, builder, network_name, perform, recipe_of, runs_of
from training.study.table import GrowingTable
from training.trainer import Epoch

PLAN = """
name = "small"
methods = ["ideal", "ode"]
reversal = [1.0, 3.0]
seeds = [0, 1]
hidden = [8]
train_samples = 200
[recipe]
epochs = 2
learning_rate = 1e-2
schedule = "one_cycle"
noise_in_evaluation = true
[recipe.augmentation]
crop_pixels = 0
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return load_study(written(tmp_path, PLAN))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('name = "x"\nreversals = [1.0]', "reversals: unknown key"),
        ('name = "x"\nreversal = [1.0, 0.0]', r"reversal\.1: .*greater than 0"),
        ('name = "x"\nreversal = [1.0]\nmethods = ["magic"]', r"methods\.0: .*'ideal', 'scaled'"),
        ('name = "x"\nreversal = [1.0]\ndataset = "imagenet"', r"dataset: .*'fashion-mnist'"),
        ('name = "x"\nreversal = [1.0]\nnetwork = "transformer"', r"network: .*'fc' or 'cnn'"),
        ('name = "x"\nreversal = [1.0]\n[mismatch]\ndevice_plus = 3.0', r"mismatch\.device_plus: .*less than or equal to 2"),
        ('name = "x"\nreversal = [1.0]\n[mismatch]\ndevice_pluss = 0.3', r"mismatch\.device_pluss: unknown key"),
        ('name = "x"\nreversal = [1.0]\nmethods = []', r"methods: .*at least 1 item"),
        ('name = "x"\nreversal = [1.0]\nseeds = []', r"seeds: .*at least 1 item"),
        ('name = "x"\nreversal = [1.0]\n[recipe]\nlearning_rate = inf', r"recipe\.learning_rate: .*finite number"),
        ('name = "x"\nreversal = [1.0]\n[recipe]\ndropout = 0.9', r"recipe\.dropout: unknown key"),
        ('name = "x"\nreversal = [1.0]\n[recipe]\nseed = 3', r"recipe\.seed is of the grid; give seeds"),
        (
            'name = "x"\nreversal = [1.0]\n[recipe]\nspike_time_noise = 0.1',
            r"recipe\.spike_time_noise is of the grid",
        ),
        ('name = "x"', r"study: give reversal"),
        ("name = ", "not valid TOML"),
    ],
)
def test_a_bad_study_is_one_line_with_file_and_field(tmp_path: Path, text: str, expected: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(StudyError, match=expected) as error:
        load_study(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_the_grid_is_every_combination_once(study: Study) -> None:
    runs = list(runs_of(study))
    assert len(runs) == len({run.key for run in runs}) == 8
    assert {(run.method, run.e_rev, run.seed) for run in runs} == {
        (method, e_rev, seed) for method in ("ideal", "ode") for e_rev in (1.0, 3.0) for seed in (0, 1)
    }
    assert len({run.training_key for run in runs}) == 6  # the ideal training does not know |E|


def test_what_decides_a_row_decides_its_key(study: Study) -> None:
    def key(**changes: object) -> str:
        return next(runs_of(study.model_copy(update=changes))).key

    recipe = study.recipe.model_copy(update={"label_smoothing": 0.1})
    keys = [key(), key(recipe=recipe), key(dies=2), key(hidden=[9]), key(noise=[0.5]), key(steps=[4]), key(train_samples=100)]
    keys += [key(gamma=0.5), key(recipe=study.recipe.model_copy(update={"mixup": 0.2}))]
    assert len(set(keys)) == len(keys)
    assert key(name="other") == key()


def test_a_grid_with_a_value_twice_has_its_runs_once(study: Study) -> None:
    twice = study.model_copy(update={"reversal": [1.0, 3.0, 1.0], "seeds": [0, 1, 0]})
    assert [run.key for run in runs_of(twice)] == [run.key for run in runs_of(study)]


def hardware_in(folder: Path, **changes: object) -> Path:
    """The stored model of the reference circuit, as the run in a folder would hold it."""
    folder.mkdir(parents=True)
    HardwareModel.reference().model_copy(update=changes).save(folder / "hardware.json")
    return folder / "hardware.json"


def spread(plus: float, minus: float) -> Variation:
    """Device sigmas of ln I, a neuron's next to them, and a tenth of all for the die."""
    names = ("current_plus_middle_a", "current_minus_middle_a", "discharger_current_a", "v_th_v")
    sigmas = (plus, minus, 0.16, 0.01)
    diagonal = np.diag(np.square(sigmas))
    return Variation(
        parameters=tuple(
            VariedParameter(name=name, unit="", nominal=0.5, scale="linear" if name == "v_th_v" else "log") for name in names
        ),
        die_covariance=tuple(map(tuple, 0.01 * diagonal)),
        device_covariance=tuple(map(tuple, diagonal)),
        dies=100,
    )


def test_hardware_counts_by_what_it_holds_and_is_called_by_its_run(tmp_path: Path) -> None:
    first, second = hardware_in(tmp_path / "slow"), hardware_in(tmp_path / "fast" / "datasheet", phase_s=2e-6)
    text = 'name = "x"\nmethods = ["ideal"]\nhardware = ["slow/hardware.json", "fast/datasheet/hardware.json"]'
    runs = list(runs_of(load_study(written(tmp_path, text))))
    assert [run.target_name for run in runs] == ["slow", "fast"]
    assert len({run.key for run in runs}) == len({run.training_key for run in runs}) == 2
    elsewhere = hardware_in(tmp_path / "moved" / "slow")
    (moved,) = runs_of(load_study(written(tmp_path, f'name = "x"\nmethods = ["ideal"]\nhardware = ["{elsewhere}"]')))
    assert moved.key == runs[0].key
    first.write_bytes(second.read_bytes())
    assert next(runs_of(load_study(written(tmp_path, text)))).key == runs[1].key
    hardware_in(tmp_path / "other" / "slow")
    with pytest.raises(StudyError, match=r"study\.toml: hardware: .* are both called 'slow'"):
        load_study(written(tmp_path, 'name = "x"\nhardware = ["slow/hardware.json", "other/slow/hardware.json"]'))


def test_mismatch_is_that_of_the_hardware_unless_the_study_says_another(tmp_path: Path) -> None:
    hardware_in(tmp_path / "spread", variation=spread(0.3, 0.2))
    hardware_in(tmp_path / "bare")
    text = 'name = "x"\nmethods = ["ode"]\nreversal = [2.0]\nhardware = ["spread/hardware.json", "bare/hardware.json"]\n'
    on_reversal, on_spread, on_bare = runs_of(load_study(written(tmp_path, text)))
    assert on_reversal.mismatch == on_bare.mismatch == Mismatch()
    assert on_spread.mismatch.device_plus == pytest.approx(np.sqrt(np.expm1(0.3**2)))
    assert on_spread.mismatch.device_minus == pytest.approx(np.sqrt(np.expm1(0.2**2)))
    assert on_spread.mismatch.die_plus == pytest.approx(0.03, rel=1e-3)
    assert on_spread.mismatch.device_discharger == pytest.approx(np.sqrt(np.expm1(0.16**2)))
    assert on_spread.mismatch.device_threshold == pytest.approx(0.01 / 0.5)
    runs = list(runs_of(load_study(written(tmp_path, text + "[mismatch]\ndevice_plus = 0.32"))))
    assert {run.mismatch for run in runs} == {Mismatch()}
    assert runs[0].key == on_reversal.key and runs[1].key != on_spread.key
    named = tuple(VariedParameter(name=name, unit="", nominal=1.0) for name in "wxyz")
    hardware_in(tmp_path / "odd", variation=spread(0.3, 0.2).model_copy(update={"parameters": named}))
    (odd,) = runs_of(load_study(written(tmp_path, 'name = "x"\nmethods = ["ode"]\nhardware = ["odd/hardware.json"]')))
    with pytest.raises(HardwareModelError, match=r"variation: has no current_plus_middle_a"):
        _ = odd.mismatch


def test_hardware_is_found_beside_the_study(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, 'name = "x"\nhardware = ["sub/hardware.json"]'))
    assert [run.e_rev for run in runs_of(study)][:1] == [tmp_path / "sub" / "hardware.json"]


def test_a_run_gives_its_row_and_goes_on_from_its_checkpoint(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "accuracy", None)  # the row is the one look at the test set
    torch.set_num_threads(1)
    run, heard = next(runs_of(study)), []
    row = perform(run, digits(), tmp_path, lambda epoch: heard.append(epoch.epoch))
    assert set(row) == set(COLUMNS)
    assert (row["network"], row["solver"], row["steps"], row["e_rev"], row["seed"]) == ("64-8-10", "exact", None, 1.0, 0)
    assert 0.1 < float(str(row["test_accuracy"])) <= 1.0
    again = perform(run, digits(), tmp_path, lambda epoch: heard.append(epoch.epoch))
    assert heard == [1, 2] and again == row


def test_a_run_with_steps_is_discretised_with_random_offset(study: Study) -> None:
    run = Run(study, study.methods[1], 3.0, 4, 0.02, 5)
    network = builder(run, digits())(NormalisedModel.constant(3.0, -3.0))
    layer = next(iter(network))
    assert (layer.solver, layer.steps, layer.random_offset) == ("dstd", 4, True)
    recipe = recipe_of(run)
    assert (recipe.seed, recipe.spike_time_noise, recipe.noise_in_evaluation, recipe.epochs) == (5, 0.02, True, 2)


def test_a_table_keeps_whole_rows_and_drops_the_piece_of_one(tmp_path: Path) -> None:
    table = GrowingTable(tmp_path / "sub" / "rows.csv", ("run", "value"))
    assert table.rows() == []
    table.append({"run": "a, b", "value": 1 / 3})
    with table.path.open("a") as file:
        file.write("torn,0.")
    assert [row["run"] for row in table.rows()] == ["a, b"]
    table.append({"run": "c", "value": None})
    lines = table.path.read_text().splitlines()
    assert lines[0] == "run,value,row_digest" and [line[:-17] for line in lines[1:]] == ['"a, b",0.333333', "c,"]
    with pytest.raises(StudyError, match="has other columns than run, other"):
        GrowingTable(table.path, ("run", "other")).append({"run": "d", "other": 1})


def test_a_row_that_is_not_as_it_was_written_is_not_there_and_one_of_an_older_table_is(tmp_path: Path) -> None:
    table = GrowingTable(tmp_path / "rows.csv", ("run", "value"))
    for run, value in (("a", 0.25), ("b", 0.5), ("c", 0.75)):
        table.append({"run": run, "value": value})
    whole = table.path.read_bytes()
    for changed in (b"b,0.4", b"b,0.\xff", b"b,0\r5", b"b\n0.5", b'"b,0.5'):
        table.path.write_bytes(whole.replace(b"b,0.5", changed))
        assert all(row["value"] == {"a": "0.25", "c": "0.75"}[row["run"]] for row in table.rows())
        assert table.rows()[0]["run"] == "a"
    older = GrowingTable(tmp_path / "older.csv", ("run", "value"))
    older.path.write_text("run,value\na,0.25\n")
    older.append({"run": "b", "value": 0.5})
    assert older.path.read_text() == "run,value\na,0.25\nb,0.5\n" and [row["run"] for row in older.rows()] == ["a", "b"]


def test_a_table_of_before_a_column_was_added_goes_on_without_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    GrowingTable(path, ("run", "value")).append({"run": "a", "value": 1})
    table = GrowingTable(path, ("run", "chip", "value"), added=("chip",))
    table.append({"run": "b", "chip": "x", "value": 2})
    assert table.rows() == [{"run": "a", "chip": "", "value": "1"}, {"run": "b", "chip": "", "value": "2"}]
    new = GrowingTable(tmp_path / "new.csv", ("run", "chip", "value"), added=("chip",))
    new.append({"run": "b", "chip": "x", "value": 2})
    assert new.rows() == [{"run": "b", "chip": "x", "value": "2"}]
    with pytest.raises(StudyError, match="has other columns than run, chip"):
        GrowingTable(path, ("run", "chip", "value")).rows()


def _append_many(path: Path, name: str) -> None:
    table = GrowingTable(path, ("run", "value"))
    for k in range(40):
        table.append({"run": f"{name}{k}", "value": k})


def test_processes_that_write_at_once_lose_no_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    names = [row["run"] for row in GrowingTable(path, ("run", "value")).rows()]
    assert sorted(names) == sorted(f"{name}{k}" for name in "ab" for k in range(40))


SOLVERS = SolverPlan(reversal=[1.0, 100.0], steps=[4, 8, 16], inputs=[30], samples=8)


def test_errors_follow_the_theorem_in_steps_and_at_low_drive_in_reversal() -> None:
    table = solvers.errors(SOLVERS).set_index(["e_rev", "steps"])
    low = table.loc[100.0].rms_error
    assert np.polyfit(np.log([4, 8, 16]), np.log(low), 1)[0] == pytest.approx(-2.0, abs=0.3)
    # At |E| = 1 the drive is about 4: the error falls short of 100 times that at |E| = 100.
    ratio = table.rms_error[1.0, 16] / table.rms_error[100.0, 16]
    assert 10 < ratio < 100
    assert table.drive[1.0, 4] == pytest.approx(100 * table.drive[100.0, 4])


def test_drawn_membranes_are_the_odes() -> None:
    table = solvers.membranes(SOLVERS)
    t, weight, beta = (x.numpy() for x in solvers.random_layer(solvers.SHOWN_INPUTS, 1, 1, 1.0, 0))
    half = table[(table.e_rev == 1.0) & (table.t == 0.5)].set_index("steps").v
    # Until half the phase: all times doubled, all currents halved.
    expected = reference.accumulate(2 * t, weight / 2, beta)[0, 0]
    assert half[0] == pytest.approx(expected, abs=1e-9)
    assert 0 < abs(half[16] - expected) < abs(half[4] - expected)
    assert table[table.steps == 4].groupby("e_rev").size().tolist() == [5, 5]


@pytest.mark.slow  # the walk in single precision without kicks is compiled for it alone
def test_costs_are_measured_for_every_solver() -> None:
    rows = list(solvers.costs(SolverPlan(inputs=[10, 40], steps=[2], reversal=[1.0])))
    assert [(row["solver"], row["steps"], row["inputs"]) for row in rows] == [
        (solver, steps, inputs) for inputs in (10, 40) for solver, steps in (("mac", 0), ("exact", 0), ("dstd", 2))
    ]
    assert all(float(str(row["seconds"])) > 0 for row in rows)
    held = {(row["solver"], row["inputs"]): row["held_bytes"] for row in rows}
    assert held["mac", 40] == 4 * held["mac", 10] == 16 * 40 * 4  # 1 - t, and nothing else


def test_a_convolutional_run_with_augmentation_gives_its_row(tmp_path: Path) -> None:
    text = """
name = "cnn"
network = "cnn"
channels = [[2], [3, 4]]
hidden = [6]
methods = ["ode"]
reversal = [3.0]
steps = [2]
train_samples = 40
[recipe]
epochs = 1
augmentation = { crop_pixels = 1, rotation_degrees = 5.0 }
"""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("augmentation"))
    losses = {}
    for name, plan in (("first", text), ("again", text), ("plain", plain)):
        run, heard = next(runs_of(load_study(written(tmp_path, plan)))), list[Epoch]()
        row = perform(run, digits(), tmp_path / name, heard.append)
        assert (row["network"], row["solver"], row["steps"], row["epochs"]) == ("2-P-3-4-P-6-10", "dstd", 2, 1)
        tested = float(str(row["test_accuracy"])) * len(digits().test_labels)
        assert tested == pytest.approx(round(tested), abs=1e-6), "a share of the test images"
        (losses[name],) = [epoch.loss for epoch in heard]
    assert losses["first"] == losses["again"] != losses["plain"], "images are moved, and always the same way"
    assert losses["plain"] == pytest.approx(losses["first"], rel=0.2), "by little"
    with pytest.raises(StudyError, match="samples of digits are no images"):
        perform(run, replace(digits(), image=None), tmp_path)


def test_reversals_of_a_study_are_one_two_or_those_of_the_reference_cell() -> None:
    study = Study(name="x", reversal=[2.0, (3.0, -1.5), "reference"], methods=["ode"], normalise=True)
    runs = list(runs_of(study))
    assert [run.target_name for run in runs] == ["2", "3/-1.5", "reference"]
    assert len({run.key for run in runs}) == 3
    for run, plus, minus in zip(runs, (2.0, 3.0, 2.855), (-2.0, -1.5, -1.5525), strict=True):
        assert (1 / run.target.plus.beta[0], 1 / run.target.minus.beta[0]) == pytest.approx((plus, minus), rel=1e-3)
    cell = normalise(HardwareModel.reference())
    for side, reversal in ((cell.plus, runs[2].target.plus), (cell.minus, runs[2].target.minus)):
        assert side.beta.min() < reversal.beta[0] < side.beta.max()
    for bad in ([(3.0, 1.5)], ["other"], [-1.0]):
        with pytest.raises(ValidationError, match="greater than 0, a pair"):
            Study(name="x", reversal=bad)


def test_a_study_says_how_its_networks_are_normalised_and_pooled() -> None:
    pictures = replace(digits(), image=(1, 8, 8))
    study = Study(name="x", network="cnn", channels=[[3], [4]], hidden=[], reversal=[2.0], methods=["ode"], normalise=True)
    keys = {next(runs_of(study)).key}
    plain = study.model_copy(update={"normalise": False})
    last = study.model_copy(update={"last_pool": "average"})
    for one in (plain, last):
        keys.add(next(runs_of(one)).key)
    assert len(keys) == 3
    networks = [builder(next(runs_of(one)), pictures)(NormalisedModel.constant(2.0, -2.0)) for one in (study, plain, last)]
    assert [[layer.normalisation is not None for layer in network] for network in networks] == [
        [True] * 3,
        [False] * 3,
        [True] * 3,
    ]
    assert [list(network)[-1].weight.shape[1] for network in networks] == [16, 16, 4]
    assert network_name(last, networks[2].sizes) == "3-P-4-P-P-10"
