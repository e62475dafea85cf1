"""Parcels of files: packing and unpacking are inverse, and damage is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from benchmarks import parcels
from benchmarks.parcels import ParcelError, pack, unpack, unpack_file

TINY = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=4).map(lambda sides: (2, 3, *sides))


@given(arrays(np.uint8, TINY))
def test_differences_and_residuals_are_undone(planes: np.ndarray) -> None:
    assert np.array_equal(parcels._colours(parcels._differences(planes)), planes)
    assert np.array_equal(parcels._predicted_back(parcels._residuals(planes)), planes)


def test_prediction_is_the_median_edge_detector() -> None:
    """Worked by hand: 10 from nothing, 12 from 10 on the left, 9 from 10 above, 20 from clip(9 + 12 - 10, 9, 12) = 11."""
    planes = np.array([[[[10, 12], [9, 20]]]], np.uint8)
    assert parcels._residuals(planes).tolist() == [[[[10, 2], [255, 9]]]]


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_a_batch_comes_out_as_it_went_in(seed: int, records: int) -> None:
    content = np.random.default_rng(seed).bytes(records * parcels.RECORD)
    assert unpack(pack(content, batch=True)) == content


@given(st.binary(max_size=50))
def test_any_other_file_comes_out_as_it_went_in(content: bytes) -> None:
    assert unpack(pack(content, batch=False)) == content


def test_a_smooth_batch_is_packed_small() -> None:
    ramp = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)
    record = bytes([3]) + 3 * ramp.tobytes()
    assert len(pack(20 * record, batch=True)) < len(20 * record) / 50


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("place", [0, 15, 20, 60, -1])
def test_damage_is_told_in_one_line(tmp_path: Path, batch: bool, place: int) -> None:
    damaged = bytearray(pack(bytes(2 * parcels.RECORD), batch))
    damaged[place] ^= 64
    (tmp_path / "a.parcel").write_bytes(damaged)
    with pytest.raises(ParcelError, match=r"a\.parcel: is (damaged; copy it|no parcel of this version; pack it) again$"):
        unpack_file(tmp_path / "a.parcel", tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_file_cut_short_is_told() -> None:
    with pytest.raises(ParcelError, match="is damaged"):
        unpack(pack(bytes(parcels.RECORD), batch=True)[:-9])


def test_no_batch_is_refused() -> None:
    with pytest.raises(ParcelError, match="holds 5 bytes"):
        pack(b"12345", batch=True)
