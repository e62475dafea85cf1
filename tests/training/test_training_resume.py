"""A training that is killed, interrupted or continued ends in the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from training.checkpoint import AnotherTraining, _settings, fingerprint
from training.data import iris
from training.hardware import NormalisedModel
from training.hardware_aware.variation import DynamicMismatch, FrozenMismatch, Mismatch, VariationKind, WeightNoise
from training.learner import Learner
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.tensors import NetworkFileError, read_tensors
from training.trainer import Epoch, train

RECIPE = Recipe(epochs=6, schedule="one_cycle", learning_rate=5e-3, mixup=0.2)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def network() -> RCSpikeNetwork:
    options = {"solver": "dstd", "steps": 3, "random_offset": True}
    return RCSpikeNetwork((5, 5, 5), NormalisedModel.constant(2.8, -1.5), **options)


def weights(trained: RCSpikeNetwork) -> torch.Tensor:
    return torch.cat([layer.weight.detach().flatten() for layer in trained])


ENDLESS = """
import sys, torch
from pathlib import Path
from dataclasses import replace
sys.path.insert(0, sys.argv[2])
from test_training_resume import RECIPE, network
from training.checkpoint import AnotherTraining
from training.data import iris
from training.trainer import train
torch.set_num_threads(1)
train(network(), iris(), RECIPE.but(schedule="constant", epochs=100_000), checkpoint=Path(sys.argv[1]), checkpoint_every=1)
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    checkpoint, here = tmp_path / "checkpoint.safetensors", Path(__file__).parent
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, checkpoint, here], cwd=here.parents[1])
    try:
        deadline = time.monotonic() + 120
        while not checkpoint.exists() or len(read_tensors(checkpoint)[0]["history"]) < 3:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = len(read_tensors(checkpoint)[0]["history"])
    recipe, heard = RECIPE.but(schedule="constant", epochs=done + 2), []
    resumed, straight = network(), network()
    history = train(resumed, iris(), recipe, lambda row: heard.append(row.epoch), checkpoint)
    assert heard == [done + 1, done + 2]
    assert history == train(straight, iris(), recipe)
    assert torch.equal(weights(resumed), weights(straight))


@pytest.mark.parametrize(
    "variation", [None, WeightNoise(0.05), DynamicMismatch(Mismatch()), FrozenMismatch(Mismatch(die_plus=0.1), 3)]
)
def test_ctrl_c_stays_one_and_the_next_call_goes_on(variation: VariationKind | None, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"

    def press(row: Epoch) -> None:
        if row.epoch == 4:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(network(), iris(), RECIPE, press, checkpoint, checkpoint_every=1, variation=variation)
    assert signal.getsignal(signal.SIGINT) is before
    resumed, straight = network(), network()
    assert len(read_tensors(checkpoint)[0]["history"]) == 3
    history = train(resumed, iris(), RECIPE, lambda row: None, checkpoint, variation=variation)
    assert history == train(straight, iris(), RECIPE, lambda row: None, variation=variation)
    assert torch.equal(weights(resumed), weights(straight))
    assert all(layer.variation is None for layer in resumed)


def test_a_checkpoint_goes_into_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    checkpoint = tmp_path / "runs" / "first" / "checkpoint.safetensors"
    train(network(), iris(), RECIPE.but(epochs=1), lambda row: None, str(checkpoint))
    assert len(read_tensors(checkpoint)[0]["history"]) == 1
    beside = checkpoint / "checkpoint.safetensors"
    heard: list[Epoch] = []
    with pytest.raises(NetworkFileError, match="cannot be written"):
        train(network(), iris(), RECIPE, heard.append, beside)
    assert heard == []  # before the first epoch, not after the last


def test_only_the_very_same_training_is_continued(tmp_path: Path) -> None:
    """Whatever decides the result decides the checkpoint's fingerprint."""
    checkpoint = tmp_path / "checkpoint.safetensors"
    train(network(), iris(), RECIPE, lambda row: None, checkpoint)

    def epochs_heard(net: RCSpikeNetwork, recipe: Recipe, split: int = 0, **options: object) -> int:
        heard: list[Epoch] = []
        train(net, iris(split_seed=split), recipe, heard.append, checkpoint.with_name("copy"), **options)  # type: ignore[arg-type]
        return len(heard)

    def continued(net: RCSpikeNetwork, recipe: Recipe, split: int = 0, **options: object) -> bool:
        copy = checkpoint.with_name("copy")
        copy.write_bytes(checkpoint.read_bytes())
        try:
            return epochs_heard(net, recipe, split, **options) == 0
        except AnotherTraining as error:
            assert str(error).startswith(f"{copy}: is of another training") and copy.read_bytes() == checkpoint.read_bytes()
            return False

    finer = network()
    finer.layers[0].steps = 4
    other_hardware = network()
    other_hardware.bind(NormalisedModel.constant(2.8, -1.6))
    assert continued(network(), RECIPE)
    assert not continued(finer, RECIPE)
    assert not continued(other_hardware, RECIPE)
    assert not continued(network(), RECIPE.but(label_smoothing=0.1))
    assert not continued(network(), RECIPE.but(optimiser="adamw"))
    assert not continued(network(), RECIPE.but(epochs=7))  # the schedule stretches over the epochs
    assert not continued(network(), RECIPE, split=1)
    assert not continued(network(), RECIPE, variation=WeightNoise(0.01))


def test_what_the_first_checkpoints_know_nothing_of_counts_where_it_is_set() -> None:
    """Settings that came later are left out while they are left alone: those checkpoints stay valid."""
    known = [
        "connection", "fan_out", "interpolated_adjoint", "leak", "membrane_leak", "model", "moment", "noise_in_evaluation",
        "open_ended", "random_offset", "solver", "spike_delay", "spike_time_noise", "steps", "weight_range",
    ]  # fmt: skip
    made = network()
    assert sorted(name for name, _ in _settings(made.layers[0])) == known
    made.layers[0].late = 2.0
    assert sorted(name for name, _ in _settings(made.layers[0])) == sorted([*known, "late"])


def test_a_checkpoint_of_one_gpu_is_of_every_other_but_of_no_cpu() -> None:
    learner = Learner(network(), iris(), RECIPE, torch.Generator().manual_seed(0))

    def on(device: str) -> str:
        learner.generator = SimpleNamespace(device=torch.device(device))  # type: ignore[assignment]
        return fingerprint(learner)

    assert on("cuda") == on("cuda:0") == on("cuda:1") != on("cpu")


def test_what_a_checkpoint_would_overwrite_is_refused(tmp_path: Path) -> None:
    """A longer training of the same kind, and a file that is no checkpoint at all."""
    longer = tmp_path / "checkpoint.safetensors"
    train(network(), iris(), RECIPE, lambda row: None, longer)
    kept = longer.read_bytes()
    constant = RECIPE.but(schedule="constant")
    other = tmp_path / "constant.safetensors"
    train(network(), iris(), constant, lambda row: None, other)
    with pytest.raises(
        AnotherTraining, match=rf"constant\.safetensors: holds {RECIPE.epochs} epochs .* more than the 1 of the recipe"
    ):
        train(network(), iris(), constant.but(epochs=1), lambda row: None, other)
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(AnotherTraining, match=r"notes\.txt: cannot be read as safetensors"):
        train(network(), iris(), RECIPE, lambda row: None, notes)
    assert notes.read_text() == "mine" and longer.read_bytes() == kept


def test_fine_tuning_starts_from_the_weights_there_are() -> None:
    first = network()
    train(first, iris(), RECIPE, lambda row: None)
    tuned, scratch = network(), network()
    tuned.load_state_dict(first.state_dict())
    gentle = RECIPE.but(learning_rate=1e-6, epochs=1)
    went_on = train(tuned, iris(), gentle, lambda row: None, keep_weights=True)[0].loss
    assert float((weights(tuned) - weights(first)).abs().max()) < 1e-4
    assert went_on + 0.3 < train(scratch, iris(), gentle, lambda row: None)[0].loss


def test_the_test_set_is_looked_at_as_often_as_asked() -> None:
    straight, seldom = network(), network()
    every = train(straight, iris(), RECIPE, lambda row: None)
    some = train(seldom, iris(), RECIPE, lambda row: None, evaluate_every=4)
    assert [row.test_accuracy == row.test_accuracy for row in some] == [False, False, False, True, False, True]
    assert some[3] == every[3] and some[5] == every[5]
    assert torch.equal(weights(straight), weights(seldom))
    assert 0 < every[0].seconds < every[5].seconds
    unseen = network()
    none = train(unseen, iris(), RECIPE, lambda row: None, evaluate_every=None)
    assert all(row.test_accuracy != row.test_accuracy for row in none) and [row.loss for row in none] == [
        row.loss for row in every
    ]
    assert torch.equal(weights(straight), weights(unseen))


def test_noise_in_inference_is_drawn_apart_from_training() -> None:
    quiet, noisy = network(), network()
    in_training = RECIPE.but(spike_time_noise=0.3)
    first = train(quiet, iris(), in_training, lambda row: None)
    second = train(noisy, iris(), in_training.but(noise_in_evaluation=True), lambda row: None)
    assert [row.loss for row in first] == [row.loss for row in second]
    assert [row.test_accuracy for row in first] != [row.test_accuracy for row in second]


def test_fine_tuning_of_a_network_in_evaluation_mode_has_the_noise_of_training() -> None:
    """`training.convert.convert` gives such networks."""
    noisy = RECIPE.but(spike_time_noise=0.3)
    trained, evaluated = network(), network().eval()
    rows = [train(net, iris(), noisy, lambda row: None) for net in (trained, evaluated)]
    assert rows[0] == rows[1]
    assert rows[0] != train(network().eval(), iris(), RECIPE.but(spike_time_noise=0.0), lambda row: None)
    assert trained.training and not any(module.training for module in evaluated.modules())


def test_a_terminal_shows_progress_and_a_pipe_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    train(network(), iris(), RECIPE.but(epochs=1))
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    train(network(), iris(), RECIPE.but(epochs=1))
    shown = capsys.readouterr()
    assert shown.out == "" and "1/1" in shown.err and "test accuracy" in shown.err


def test_an_epoch_takes_every_sample_once_in_a_new_order(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    learner = Learner(network(), iris(), RECIPE, generator)
    taken: list[torch.Tensor] = []
    step = learner._step
    monkeypatch.setattr(learner, "_step", lambda rows: (taken.append(rows), step(rows))[1])
    learner.train_epoch()
    learner.train_epoch()
    assert [len(rows) for rows in taken] == [50, 50, 50, 50]
    first, second = torch.cat(taken[:2]).tolist(), torch.cat(taken[2:]).tolist()
    assert sorted(first) == sorted(second) == list(range(100)) and first != second
