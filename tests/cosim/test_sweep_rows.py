"""Rows of a sweep on their way to Parquet: in order, whatever the order in which they came, and no file left behind."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cosim.simulator import Outcome, Point
from cosim.sweep.accuracy import Spread
from cosim.sweep.rows import ROWS_TOGETHER, Spool


def row(k: int) -> dict[str, Any]:
    """As rows of sweeps are: a seed that the first ones lack, an array, a column that only the last ones have."""
    late = {"late": 1.5} if k > 5000 else {}
    return {
        "seed": None if k < 4000 else k,
        "x": k + 0.5,
        "name": f"n{k}",
        "curve": np.arange(3.0) + k,
        "flag": k % 2 == 0,
        **late,
    }


def test_rows_come_back_in_their_places(tmp_path: Path) -> None:
    count = 2 * ROWS_TOGETHER + 1003
    order = list(range(count))
    Random(1).shuffle(order)
    with Spool(tmp_path / "sweep", ["some", "none"]) as spool:
        for k in order:
            spool.add("some", k, row(k))
        slices = [one.to_pandas() for one in spool.slices("some")]
        assert [len(one) for one in spool.slices("none")] == [0]
        assert len(list((tmp_path / "sweep").iterdir())) == 2
    assert [len(one) for one in slices] == [ROWS_TOGETHER, ROWS_TOGETHER, 1003]
    found, wanted = pd.concat(slices, ignore_index=True), pd.DataFrame([row(k) for k in range(count)])
    assert list(found.columns) == list(wanted.columns)
    for name in ("seed", "x", "name", "flag", "late"):
        pd.testing.assert_series_equal(found[name], wanted[name], check_dtype=False)
    assert all(np.array_equal(a, b) for a, b in zip(found.curve, wanted.curve, strict=True))
    assert list((tmp_path / "sweep").iterdir()) == []


def test_what_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Spool(tmp_path, ["some"]) as spool:
        spool.add("some", 0, row(0))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [1, 3, 7, 8, 100, 1001])
def test_points_of_an_accuracy_check_lie_evenly_over_a_sweep_of_any_length(length: int) -> None:
    spread = Spread(4)
    for k in range(length):
        spread.offer("iv", Outcome(Point({"k": k}, None, None), {}, None))  # type: ignore[arg-type]
    places = [one.point.condition["k"] for one in spread.chosen()]
    assert places == sorted(set(places)) and len(places) == min(4, length) and places[0] == 0
    assert length < 4 or max(np.diff([*places, length])) <= length / 2
    assert Spread(0).chosen() == []
