"""Data sets: official formats, splits, what is refused, augmentation."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.data import DataFileError, SpikeData, digits, files, iris, load
from training.data import download as downloads
from training.data.augmentation import augment, cut_out, flipped, rotated, shifted, turns
from training.data.spikes import held_out, reduced
from training.recipe import Augmentation

IDX = {"train": "train", "test": "t10k"}


def idx(values: NDArray[np.uint8]) -> bytes:
    """The official idx format."""
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.tobytes()


def write_idx_set(folder: Path, pixels: dict[str, NDArray[np.uint8]], labels: dict[str, NDArray[np.uint8]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, prefix in IDX.items():
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels[part])))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels[part]))


def write_cifar(folder: Path, records: NDArray[np.uint8]) -> None:
    """The same records as every batch, the k-th rolled by k so that the order of files can be seen."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        np.roll(records, k, axis=0).tofile(folder / name)


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    sizes = {"train": 12, "test": 5}
    pixels = {part: draw.integers(0, 256, (n, 6, 4)).astype(np.uint8) for part, n in sizes.items()}
    labels = {part: (np.arange(n) % 10).astype(np.uint8) for part, n in sizes.items()}
    pixels["train"][0, 1, 2], pixels["train"][0, 0, 0] = 51, 0
    write_idx_set(tmp_path / "fashion-mnist", pixels, labels)
    return tmp_path


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    records = np.random.default_rng(1).integers(0, 256, (3, 3073)).astype(np.uint8)
    records[:, 0] = [3, 9, 0]
    records[0, 1 + 2 * 1024 + 32 * 5 + 7] = 204  # blue, row 5, column 7 of the first picture
    write_cifar(tmp_path / "cifar-10-batches-bin", records)
    return tmp_path


def test_idx_files_are_read_as_spike_times(fashion: Path) -> None:
    data = load("fashion-mnist", fashion)
    assert data.train_t.shape == (12, 24) and data.test_t.shape == (5, 24)
    assert data.image == (1, 6, 4) and data.inputs == 24 and data.classes == 10
    assert float(data.train_t[0, 1 * 4 + 2]) == pytest.approx(1 - 51 / 255)
    assert float(data.train_t[0, 0]) == 1.0  # black never arrives
    assert data.test_labels.tolist() == [0, 1, 2, 3, 4]
    assert data.as_images().train_t.shape == (12, 1, 6, 4)
    assert torch.equal(load("mnist", str(fashion / "fashion-mnist")).train_t, data.train_t)


def test_cifar_is_read_from_its_binary_version(cifar: Path) -> None:
    data = load("cifar-10", cifar)
    assert data.train_t.shape == (15, 3072) and data.test_t.shape == (3, 3072)
    assert float(data.as_images().train_t[0, 2, 5, 7]) == pytest.approx(1 - 204 / 255)
    assert data.train_labels.tolist() == [3, 9, 0, 0, 3, 9, 9, 0, 3, 3, 9, 0, 0, 3, 9]
    assert data.test_labels.tolist() == [9, 0, 3]


def test_files_that_are_not_what_they_should_be_are_one_line(fashion: Path, tmp_path: Path) -> None:
    def refused(pattern: str) -> None:
        with pytest.raises(DataFileError, match=pattern) as error:
            load("fashion-mnist", fashion)
        assert "\n" not in str(error.value)

    folder = fashion / "fashion-mnist"
    labels, images = folder / "t10k-labels-idx1-ubyte", folder / "t10k-images-idx3-ubyte.gz"
    whole_labels, whole_images = labels.read_bytes(), images.read_bytes()
    labels.write_bytes(whole_labels[:-1])
    refused(r"t10k-labels-idx1-ubyte: holds 4 bytes of data, its header says 5")
    labels.write_bytes(idx(np.array([0, 1, 2, 3, 10], np.uint8)))
    refused(r"t10k-labels-idx1-ubyte: holds the label 10; labels are 0 .. 9")
    labels.write_bytes(idx(np.zeros(4, np.uint8)))
    refused(r"holds 4 labels for the 5 images")
    labels.write_bytes(idx(np.zeros((5, 1, 1), np.uint8)))
    refused(r"is no idx file of unsigned bytes in 1 dimensions")
    labels.write_bytes(whole_labels)
    images.write_bytes(whole_images[:40])
    refused(r"t10k-images-idx3-ubyte\.gz: cannot be read: .*; fetch the file again")
    images.unlink()
    refused(r"t10k-images-idx3-ubyte: missing; give the folder")
    with pytest.raises(DataFileError, match=r"none: is no folder"):
        load("fashion-mnist", tmp_path / "none")
    with pytest.raises(DataFileError, match=r"'imagenet' is unknown; there are iris, wine, digits, mnist"):
        load("imagenet")


def _renamed(folder: Path, change: Callable[[Path], None]) -> None:
    for path in sorted(folder.iterdir()):
        change(path)


def _dotted(path: Path) -> None:
    path.rename(path.with_name(path.name.replace("-idx", ".idx")))


def _in_a_folder_of_its_name(path: Path) -> None:
    moved = path.rename(path.with_name("moved"))
    path.mkdir()
    moved.rename(path / path.name)


def _unpacked_by_the_browser(path: Path) -> None:
    if path.suffix == ".gz":
        path.write_bytes(gzip.decompress(path.read_bytes()))


@pytest.mark.parametrize("change", [_dotted, _in_a_folder_of_its_name, _unpacked_by_the_browser])
def test_official_files_are_found_as_archives_and_browsers_leave_them(fashion: Path, change: Callable[[Path], None]) -> None:
    before = load("fashion-mnist", fashion)
    for path in (fashion / "fashion-mnist").glob("*.gz") if change is _in_a_folder_of_its_name else ():
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    _renamed(fashion / "fashion-mnist", change)
    after = load("fashion-mnist", fashion)
    assert torch.equal(before.train_t, after.train_t) and torch.equal(before.test_labels, after.test_labels)


def test_a_known_file_of_another_set_is_refused(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = fashion / "fashion-mnist" / "t10k-labels-idx1-ubyte"
    digest = hashlib.md5(labels.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(files.KNOWN_CONTENTS, digest, "fashion-mnist")
    assert len(load("fashion-mnist", fashion).test_labels) == 5
    with pytest.raises(DataFileError, match=r"t10k-labels-idx1-ubyte: is a file of fashion-mnist, not of mnist; name that set"):
        load("mnist", labels.parent)


def test_cifar_as_a_pickle_is_named_and_not_opened(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "was_run",))

    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps(Runs()))
    with pytest.raises(DataFileError, match=r"data_batch_1: is of the Python version .* get cifar-10-binary\.tar\.gz"):
        load("cifar-10", tmp_path)
    assert not (tmp_path / "was_run").exists()


def test_a_truncated_cifar_batch_is_one_line(cifar: Path) -> None:
    batch = cifar / "cifar-10-batches-bin" / "data_batch_4.bin"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(DataFileError, match=r"data_batch_4\.bin: holds 9218 bytes, .* multiple of 3073"):
        load("cifar-10", cifar)


def test_a_download_is_held_to_its_checksum_and_unpacked(cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "served" / "cifar-10-binary.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as members:
        members.add(cifar / "cifar-10-batches-bin", "cifar-10-batches-bin")
    cache = tmp_path / "cache"
    monkeypatch.setattr("pooch.os_cache", lambda name: cache)
    md5 = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()

    class Served:
        """In the place of pooch's choice of a downloader by protocol."""

        def __call__(self, url: str, output_file: str, pooch: object) -> None:
            assert url.startswith("https://www.cs.toronto.edu/~kriz/")
            Path(output_file).write_bytes(archive.read_bytes())

    monkeypatch.setattr("pooch.core.choose_downloader", lambda url, **_: Served())
    with pytest.raises(DataFileError, match=r"cifar-10: cifar-10-binary\.tar\.gz cannot be downloaded: .*get it from https"):
        load("cifar-10")
    source = downloads.Source("https://www.cs.toronto.edu/~kriz/", {"cifar-10-binary.tar.gz": md5})
    monkeypatch.setitem(downloads.SOURCES, "cifar-10", source)
    assert torch.equal(load("cifar-10").train_t, load("cifar-10", cifar).train_t)


def test_digits_are_dark_where_silent() -> None:
    data = digits()
    assert data.train_t.shape == (1437, 64) and data.test_t.shape == (360, 64)
    assert sorted(data.train_rows + data.test_rows) == list(range(1797))
    assert set(torch.bincount(data.test_labels).tolist()) <= {35, 36, 37}
    assert float(data.train_t.min()) == 0.0 and float(data.train_t.max()) == 1.0
    assert float((data.train_t == 1.0).double().mean()) > 0.3
    with pytest.raises(ValueError, match="test_samples: 9"):
        digits(test_samples=9)


def test_gamma_raises_brightness_and_leaves_black_and_white() -> None:
    data = digits()
    bright = data.with_gamma(0.5)
    assert torch.allclose(1.0 - bright.train_t, (1.0 - data.train_t).sqrt()) and bool((bright.test_t <= data.test_t).all())
    for end in (0.0, 1.0):
        assert torch.equal(bright.train_t == end, data.train_t == end)
    assert data.with_gamma(1.0) is data
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=r"gamma: .* must be positive"):
            data.with_gamma(wrong)


def test_held_out_samples_come_from_the_training_set_alone() -> None:
    data = digits()
    part = held_out(data, 200, seed=3)
    assert len(part.train_labels) == 1237 and len(part.test_labels) == 200
    assert sorted(part.train_rows + part.test_rows) == sorted(data.train_rows)
    row = data.train_rows.index(part.test_rows[0])
    assert torch.equal(part.test_t[0], data.train_t[row])
    fewer = reduced(data, 100)
    assert len(fewer.train_labels) == 100 and torch.equal(fewer.test_t, data.test_t)
    assert fewer.train_rows != reduced(data, 100, seed=1).train_rows
    for wrong in (0, 1437):
        with pytest.raises(ValueError, match=r"must lie in 1 .. 1436"):
            held_out(data, wrong)


def test_tabular_data_has_no_pictures() -> None:
    with pytest.raises(ValueError, match="no images"):
        iris().as_images()


def picture() -> torch.Tensor:
    """One picture [1, 2, 3, 4], channels that differ."""
    return torch.arange(24, dtype=torch.float64).reshape(1, 2, 3, 4) / 24


def test_flip_and_shift_move_pixels_and_leave_black_behind() -> None:
    t = picture().repeat(2, 1, 1, 1)
    mirrored = flipped(t, torch.tensor([True, False]))
    assert torch.equal(mirrored[0], t[0].flip(2)) and torch.equal(mirrored[1], t[1])
    moved = shifted(t, torch.tensor([[1, -2], [0, 0]]), 2)
    assert torch.equal(moved[1], t[1])
    assert torch.equal(moved[0, :, 1:, :2], t[0, :, :-1, 2:])
    assert bool((moved[0, :, 0] == 1.0).all()) and bool((moved[0, :, :, 2:] == 1.0).all())


def test_a_square_is_cut_out_where_it_was_drawn_and_lies_within_the_picture() -> None:
    t = picture().repeat(2, 1, 1, 1)
    cut = cut_out(t, torch.tensor([[1, 2], [0, 0]]), 2)
    assert bool((cut[0, :, 1:, 2:] == 1.0).all()) and torch.equal(cut[0, :, 0], t[0, :, 0])
    assert torch.equal(cut[0, :, :, :2], t[0, :, :, :2]) and bool((cut[1, :, :2, :2] == 1.0).all())
    many = augment(torch.zeros(400, 1, 5, 4), Augmentation(cutout_pixels=3), torch.Generator().manual_seed(0))
    assert bool((many.sum((1, 2, 3)) == 9).all())
    # Of a square of 3 in 5 x 4 pixels there are 3 x 2 places, each equally likely.
    _, counts = many.flatten(1).unique(dim=0, return_counts=True)
    assert len(counts) == 6 and int(counts.min()) > 40
    black = augment(torch.zeros(2, 1, 5, 5), Augmentation(cutout_pixels=5), torch.Generator())
    assert bool((black == 1.0).all())


def test_pictures_take_turns_in_being_mirrored() -> None:
    t = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    how, turn = Augmentation(alternating_flip=True), turns(64, seed=5)
    even, odd = (augment(t, how, torch.Generator(), now) for now in (turn, ~turn))
    assert torch.equal(turn, turns(64, seed=5)) and not torch.equal(turn, turns(64, seed=6)) and 16 < int(turn.sum()) < 48
    assert torch.equal(even[turn], t[turn].flip(3)) and torch.equal(even[~turn], t[~turn])
    assert torch.equal(torch.where(turn[:, None, None, None], odd, even), t)


def test_a_quarter_turn_is_torchs_own() -> None:
    square = torch.rand(2, 3, 7, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = rotated(square, torch.tensor([0.0, np.pi / 2], dtype=torch.float64))
    torch.testing.assert_close(turned[0], square[0], atol=1e-12, rtol=0)
    torch.testing.assert_close(turned[1], torch.rot90(square[1], -1, (1, 2)), atol=1e-12, rtol=0)
    wide = torch.ones(1, 1, 5, 9, dtype=torch.float64)
    wide[0, 0, 2] = 0.0  # a horizontal bar becomes a vertical one of the same thickness
    upright = rotated(wide, torch.tensor([np.pi / 2], dtype=torch.float64))[0, 0]
    assert bool((upright[:, 4] < 1e-12).all()) and bool((upright[:, [3, 5]] > 1 - 1e-12).all())


def test_augmentation_is_drawn_picture_by_picture_and_repeatable() -> None:
    t = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    how = Augmentation(flip=True, rotation_degrees=10.0, crop_pixels=1)
    first, again, other = (augment(t, how, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert float(first.min()) >= 0.0 and float(first.max()) <= 1.0
    assert torch.equal(augment(t, Augmentation(), torch.Generator()), t)
    only_flip = augment(t, Augmentation(flip=True), torch.Generator().manual_seed(1))
    mirrored = sum(bool(torch.equal(a, b.flip(2))) for a, b in zip(only_flip, t, strict=True))
    kept = sum(bool(torch.equal(a, b)) for a, b in zip(only_flip, t, strict=True))
    assert mirrored + kept == 64 and 16 < mirrored < 48


def test_spike_data_moves_between_devices_whole() -> None:
    data: SpikeData = iris().to(torch.device("meta"))
    assert {data.train_t.device.type, data.test_labels.device.type} == {"meta"}
    assert data.train_rows == iris().train_rows
