"""Checkpoints that are small, and files of tensors in parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from training.checkpoint import AnotherTraining, continued
from training.data import iris
from training.hardware import NormalisedModel
from training.network import RCSpikeNetwork
from training.parts import read_parted, remove, write_parted
from training.recipe import Recipe
from training.tensors import NetworkFileError, read_tensors
from training.trainer import Epoch, train

RECIPE = Recipe(epochs=6, learning_rate=5e-3, ema=0.9)
TENSORS = {"a": torch.arange(1000.0), "b": torch.tensor(3)}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def names(folder: Path) -> list[str]:
    return sorted(one.name.rpartition(".")[2] if "of" in one.name else one.name for one in folder.iterdir())


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_is_too_large_for_one_file_is_in_several(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_parted(path, TENSORS, {"fingerprint": "f"}, most_bytes=1500)
    assert names(tmp_path) == ["1of3", "2of3", "3of3", "x.safetensors"]
    assert max(one.stat().st_size for one in tmp_path.iterdir()) == 1500
    found, metadata = read_parted(path)
    assert same(found, TENSORS) and metadata == {"fingerprint": "f"}
    write_parted(path, {**TENSORS, "a": torch.arange(500.0)}, {}, most_bytes=1500)  # takes the place of the others
    assert names(tmp_path) == ["1of2", "2of2", "x.safetensors"]
    write_parted(path, TENSORS, {}, most_bytes=10_000)
    assert names(tmp_path) == ["x.safetensors"] and same(read_tensors(path)[0], TENSORS) and same(read_parted(path)[0], TENSORS)


def test_a_kill_between_the_parts_leaves_the_content_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, left = tmp_path / "x.safetensors", 2
    write_parted(path, TENSORS, {}, most_bytes=1500)

    def killed(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr("training.parts.write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        write_parted(path, {"a": torch.zeros(1000)}, {}, most_bytes=1500)
    assert same(read_parted(path)[0], TENSORS)


def test_parts_that_are_missing_or_others_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_parted(path, TENSORS, {}, most_bytes=1500)
    second = next(tmp_path.glob("*.2of3"))
    content = second.read_bytes()
    second.write_bytes(content[:-1] + b"x")
    with pytest.raises(NetworkFileError, match=r"x\.safetensors: parts: are not what they were"):
        read_parted(path)
    second.unlink()
    with pytest.raises(NetworkFileError, match=r"x\.safetensors: part x\.\S*\.2of3 cannot be read: No such file"):
        read_parted(path)
    remove(path)
    assert list(tmp_path.iterdir()) == []


def network() -> RCSpikeNetwork:
    return RCSpikeNetwork((5, 6, 3), NormalisedModel.constant(2.8, -1.5), gain=True)


def interrupted(checkpoint: Path, small: bool) -> None:
    def press(row: Epoch) -> None:
        if row.epoch == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(network(), iris(), RECIPE, press, checkpoint, checkpoint_every=1, small_checkpoint=small)


def test_a_small_checkpoint_keeps_the_weights_and_rounds_the_rest(tmp_path: Path) -> None:
    whole, small = tmp_path / "whole", tmp_path / "small"
    interrupted(whole, small=False)
    interrupted(small, small=True)
    first, second = read_tensors(whole)[0], read_tensors(small)[0]
    weights = [name for name in first if name.startswith("layers.")]
    assert weights and all(torch.equal(first[name], second[name]) for name in [*weights, "generator", "optimiser.0.step"])
    moment = second["optimiser.0.exp_avg"]
    assert moment.dtype == torch.bfloat16 and torch.equal(moment, first["optimiser.0.exp_avg"].bfloat16())
    average = first["layers.0.weight"] + second["average_off.0"].float()
    rounding = (average - first["average.0"]).abs()
    assert float(rounding.max()) > 0.0
    # bfloat16 rounds what the average is off the weights by at most 2^-8 of it.
    assert bool((rounding <= 2.0**-8 * (first["average.0"] - first["layers.0.weight"]).abs() + 1e-7).all())


@pytest.mark.parametrize("small", [False, True])
def test_either_checkpoint_is_continued_by_either(small: bool, tmp_path: Path) -> None:
    checkpoint, straight, heard = tmp_path / "checkpoint", network(), []
    interrupted(checkpoint, small)
    train(straight, iris(), RECIPE, lambda row: None)
    resumed = network()
    train(resumed, iris(), RECIPE, lambda row: heard.append(row.epoch), checkpoint, small_checkpoint=not small)
    assert heard == [4, 5, 6]
    for found, expected in zip(resumed.parameters(), straight.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-4)
    assert all(map(torch.equal, resumed.parameters(), straight.parameters())) != small


def test_a_foreign_checkpoint_in_parts_is_left_alone_and_one_of_our_own_is_removed_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.checkpoint.MOST_BYTES", 1000)
    checkpoint = tmp_path / "checkpoint"
    interrupted(checkpoint, small=True)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert len(before) > 2

    def another() -> int:
        return len(train(network(), iris(), RECIPE.but(seed=1, epochs=1), lambda row: None, checkpoint, small_checkpoint=True))

    with pytest.raises(AnotherTraining, match="is of another training"):
        another()
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before
    next(tmp_path.glob("*.1of*")).unlink()
    with pytest.raises(AnotherTraining, match=r"part checkpoint.* cannot be read: .*; give the checkpoint another name"):
        another()
    assert continued(another, checkpoint) == 1
    assert not {one.name for one in tmp_path.iterdir()} & (before.keys() - {"checkpoint"})
