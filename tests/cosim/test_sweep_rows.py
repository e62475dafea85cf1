"""Rows of a sweep on their way to Parquet: in order, whatever the order in which they came, and no file left behind."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from cosim.simulator import Outcome, Point, Reason, SimulationError, Store
from cosim.simulator.deck import Deck, OperatingPoint
from cosim.sweep.accuracy import Spread
from cosim.sweep.rows import ROWS_TOGETHER, Spool, column
from cosim.sweep.run import Rerun, Tally, _worked


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


@pytest.mark.parametrize(
    "values",
    [
        [], [None, None], [1.5, None, float("nan")], [1, None, 2**62], [1, 2.5], [np.float64(1), 2], [True, None, False],
        ["a", None, "\u03bc", ""], [[1.0, 2.0], None, []], [np.arange(3.0), [4.0]], [[[1, 2], []], None], [[], []],
    ],
    ids=repr,
)  # fmt: skip
def test_a_column_is_what_pyarrow_makes_of_it(values: list[Any]) -> None:
    found, wanted = column(values), pa.array([one.tolist() if isinstance(one, np.ndarray) else one for one in values])
    found.validate(full=True)
    assert found.type == wanted.type and repr(found.to_pylist()) == repr(wanted.to_pylist())


def test_a_sweep_is_written_without_pandas(tmp_path: Path) -> None:
    """It is 40 MB in a process that may stand beside many, and of use to none of them."""
    writes = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from cosim.runs.directory import RunDirectory
        from cosim.sweep.rows import Spool, table_of
        directory = RunDirectory(Path(sys.argv[1]))
        row = dict(corner="tt", temperature_c=27.0, supply_v=1.8, leakage_a=1e-15, reltol=1e-4, max_step_s=None, cpu_s=1.0)
        with Spool(directory / "sweep", ["leakage"]) as spool:
            for k in range({2 * ROWS_TOGETHER + 5}):
                spool.add("leakage", k, dict(row, curve=[1.0, 2.0], seed=k))
            directory.write_table_slices("sweep/leakage.parquet", spool.slices("leakage"))
        assert "pandas" not in sys.modules
    """)
    subprocess.run([sys.executable, "-c", writes, str(tmp_path)], check=True)
    assert len(pd.read_parquet(tmp_path / "sweep/leakage.parquet")) == 2 * ROWS_TOGETHER + 5


def test_what_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Spool(tmp_path, ["some"]) as spool:
        spool.add("some", 0, row(0))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [1, 3, 7, 8, 100, 1001])
def test_points_of_an_accuracy_check_lie_evenly_over_a_sweep_of_any_length(length: int) -> None:
    """And are the same in whatever order the points end: another one each time made another table of a sweep that was resumed."""
    chosen = []
    for order in (range(length), reversed(range(length)), Random(length).sample(range(length), length)):
        spread = Spread(4)
        for k in order:
            spread.offer("iv", Outcome(Point({"k": k}, None, None), {}, None, index=k))  # type: ignore[arg-type]
        chosen.append([one.point.condition["k"] for one in spread.chosen()])
    places = chosen[0]
    assert chosen[1:] == [places, places]
    assert places == sorted(set(places)) and len(places) == min(4, length) and places[0] == 0
    assert length < 4 or max(np.diff([*places, length])) <= length / 2
    assert Spread(0).chosen() == []


class Backwards:
    """A pool in which the last point ends first, and none works."""

    version = "none"

    def map(self, points: Iterable[Point]) -> Iterator[Outcome]:
        for k, point in reversed(list(enumerate(points))):
            yield Outcome(point, None, SimulationError(Reason.TIMEOUT, f"point {k}"), index=k)


def test_failures_stand_in_the_order_of_their_points(tmp_path: Path) -> None:
    deck = Deck("t", "r1 a 0 1", "", OperatingPoint(), ("v(a)",))
    points = [Point({"measurement": "m", "k": k}, deck, dict) for k in range(9)]
    tally, rerun = Tally(), Rerun(tmp_path / "d.toml", RunDirectory(tmp_path), plain=False)
    with Store(tmp_path / "points.sqlite") as store:
        assert list(_worked(iter(points), store, Backwards(), tally, Monitor(), rerun)) == []
    assert [row["message"] for row in tally.failures] == [f"point {k}" for k in range(9)]
