"""Conditions as data, and `cosim sweep` from the command line to the tables."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cosim.cli.main import app
from cosim.design import condition as sweep
from cosim.design import load_design
from cosim.design.condition import Condition
from cosim.errors import InputError
from cosim.simulator import Outcome, Point, Store, Waveforms, WorkerPool
from cosim.simulator.store import COMMIT_WITHIN_S, StoreFullError
from sky130_models.corners import Corner
from training.hardware import REFERENCE_FILE, HardwareModel

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "designs" / "iris_5_5_5.toml"
SMALL = ("--measure", "synapse_current", "--measure", "switching_threshold", "--corners", "tt,ss", "--seeds", "0:3")


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


conditions = st.builds(
    Condition,
    st.sampled_from(Corner),
    st.floats(-55, 175),
    st.floats(1.4, 2.5),
    st.dictionaries(
        st.sampled_from(["synapse.nmos.length_um", "timing.phase_s", "synapse.nmos_bias_v"]),
        st.floats(1e-9, 2.0) | st.tuples(st.floats(0.0, 2.0), st.floats(0.0, 2.0)),
    ).map(lambda found: tuple(sorted(found.items()))),
    st.none() | st.integers(0, 10**6),
    st.none() | st.floats(0.0, 1.8),
)  # fmt: skip


@given(conditions)
def test_a_condition_is_read_back_from_its_text(condition: Condition) -> None:
    assert sweep.parse(str(condition), load_design(DESIGN)) == (condition, ())


def test_what_a_condition_leaves_out_is_the_designs_and_the_rest_is_the_points() -> None:
    condition, of_point = sweep.parse("corner=ff sign=1,code=0.4,seed=3", load_design(DESIGN))
    assert condition == Condition(Corner.FF, 27.0, 1.8, (), 3)
    assert of_point == (("sign", 1.0), ("code", 0.4))


def test_product_is_complete_and_seeds_are_innermost() -> None:
    found = sweep.product(
        load_design(DESIGN), corners=(Corner.TT, Corner.SS), temperatures_c=(-40.0, 125.0), seeds=range(5, 8),
        parameters={"synapse.nmos.length_um": (0.25, 0.5)},
    )  # fmt: skip
    assert len(found) == len(set(found)) == 2 * 2 * 2 * 3
    groups = list(sweep.grouped(found))
    assert [seeds for _, seeds in groups] == [[5, 6, 7]] * 8
    assert {nominal.supply_v for nominal, _ in groups} == {1.8}


@pytest.mark.parametrize(("text", "expected"), [("3", [0, 1, 2]), ("2:4", [2, 3]), (0, []), ("", []), (2, [0, 1])])
def test_seeds(text: str | int, expected: list[int]) -> None:
    assert list(sweep.seeds(text)) == expected


@pytest.mark.parametrize("text", ["5:5", "7:3", "a", "-3", "1:2:3"])
def test_bad_seeds_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="seeds: "):
        sweep.seeds(text)


def test_a_condition_changes_the_design_it_is_applied_to() -> None:
    condition, _ = sweep.parse("corner=ss,temperature_c=-40,supply_v=1.62,synapse.nmos.length_um=0.5", load_design(DESIGN))
    changed = condition.applied(load_design(DESIGN))
    assert (changed.process.corner, changed.process.temperature_c, changed.process.supply_v) == (Corner.SS, -40.0, 1.62)
    assert changed.synapse.nmos.length_um == 0.5


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--corners", "tt,xx"), "corners: 'xx' is none of tt, ff"),
        (("--temperatures", "1000"), "process.temperature_c: Input should be less than or equal to 175"),
        (("--temperatures", "hot"), "--temperatures: 'hot' is not a number"),
        (("--measure", "nosuch"), "sweep.measurements: must be 'bias_curves', 'discharger_current', "),
        (("--seeds", "9:3"), "seeds: '9:3' is empty"),
        (("--set", "synapse.nmos.nosuch=1"), "condition: synapse.nmos.nosuch: the design has no such field"),
        (("--set", "neuron.rest_v=5"), "neuron.rest_v must lie between ground and process.supply_v"),
        (("--set", "neuron.rest_v"), "--set: 'neuron.rest_v' is not FIELD=VALUE"),
        (("--only", "corner"), "'corner' is not NAME=VALUE"),
        (("--only", "corner=zz"), "condition: corner: 'zz' is none of tt, ff"),
        (("--only", "corner=ss", "--corners", "tt,ff"), "--only: names one condition, beside which --corners would be dropped"),
        (
            ("--only", "corner=ss", "--set", "synapse.nmos.length_um=0.5", "--seeds", "3"),
            "--only: names one condition, beside which --seeds and --set would be dropped; say all of it there",
        ),
        (("--scheduler", "tcp://127.0.0.1:1"), "no Dask scheduler answers there"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    result = invoke("sweep", DESIGN, *words, "--out", tmp_path / "run")
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    assert complaint in line


@pytest.fixture
def characterised(tmp_path: Path) -> Path:
    """A run directory whose characterisation has found a bias."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.lock").touch()
    shutil.copy(REFERENCE_FILE, tmp_path / "run/hardware.json")
    return tmp_path / "run"


def _point(run: Path, *words: object) -> tuple[pd.Series, list[str]]:
    """The one row of a DC measurement of the discharger, and what was said."""
    result = invoke("sweep", DESIGN, "--measure", "discharger_current", *words, "--out", run, "--jobs", 1)
    assert result.exit_code == 0, result.output
    return pd.read_parquet(run / "sweep/discharger_current.parquet").iloc[0], result.stdout.splitlines()


def test_cells_are_swept_at_the_bias_that_their_characterisation_found(characterised: Path) -> None:
    found = round(HardwareModel.reference().neuron.discharger_bias.value, 6)
    row, said = _point(characterised)
    assert row.discharger_bias_v == row.bias_v == found != 0.6
    assert said[0] == f"dischargers at {found:g} V, as {characterised / 'hardware.json'} says"
    again = json.loads((characterised / "sweep/sweep.json").read_text())
    assert again["remarks"] == said[:1]
    other, said = _point(characterised, "--only", "discharger_bias_v=0.5")
    assert other.bias_v == 0.5 and other.current_a < 0.5 * row.current_a and "dischargers" not in said[0]
    ranged, said = _point(characterised, "--set", "neuron.discharger_bias_v=0.4:0.6")
    assert ranged.bias_v == 0.5 and ranged.current_a == other.current_a and "dischargers" not in said[0]


def test_a_characterisation_of_another_design_says_nothing_of_this_one(characterised: Path) -> None:
    hardware = HardwareModel.reference().model_copy(update={"cell": "resistive"})
    hardware.save(characterised / "hardware.json")
    row, said = _point(characterised)
    assert row.bias_v == 0.6 and said[0].startswith("dischargers at 0.6 V, the middle of neuron.discharger_bias_v: ")
    assert "cell: is resistive" in said[0]


@pytest.mark.slow
def test_sweep_resumes_equals_plain_and_says_how_accurate_it_is(tmp_path: Path) -> None:
    first = invoke("sweep", DESIGN, *SMALL, "--check-accuracy", 2, "--out", tmp_path / "run", "--json")
    assert first.exit_code == 0, first.output
    events = [json.loads(line) for line in first.stdout.splitlines()]
    assert {event["event"] for event in events} >= {"done", "result"}
    assert events[-1]["points"] == 2 * 3 * 23 and events[-1]["cached"] == 0
    table = pd.read_parquet(tmp_path / "run/sweep/synapse_current.parquet")
    assert len(table) == 2 * 3 * 22
    assert set(table.columns) >= {"corner", "temperature_c", "supply_v", "seed", "sign", "code", "current_a", "reltol"}
    slow, fast = (table[(table.corner == corner) & (table.sign == 1) & (table.code == 0.5)] for corner in ("ss", "tt"))
    assert slow.current_a.mean() < 0.7 * fast.current_a.mean(), "a slow corner carries less current"
    assert fast.current_a.nunique() == 3
    accuracy = pd.read_parquet(tmp_path / "run/sweep/accuracy.parquet")
    assert accuracy.worst_relative_difference.max() < 1e-5
    assert set(accuracy.points) == {2}
    again = json.loads(invoke("sweep", DESIGN, *SMALL, "--out", tmp_path / "run", "--json").stdout.splitlines()[-1])
    assert again["cached"] == again["points"] == 138
    plain = invoke("sweep", DESIGN, *SMALL, "--plain", "--out", tmp_path / "run", "--json")
    assert json.loads(plain.stdout.splitlines()[-1])["cached"] == 0
    loaded = pd.read_parquet(tmp_path / "run/sweep/synapse_current.parquet")
    assert list(loaded.code) == list(table.code)
    np.testing.assert_allclose(loaded.current_a, table.current_a, rtol=1e-7)
    summary = json.loads((tmp_path / "run/sweep/sweep.json").read_text())
    assert summary["plain"] and summary["versions"]["ngspice"] and summary["models"].startswith("continuous")


@pytest.mark.slow
def test_a_failed_point_is_a_row_with_the_command_that_runs_it_again(tmp_path: Path) -> None:
    impatient = tmp_path / "impatient.toml"
    # Forty thousand steps take many times as long as it is given, whatever else the machine does; the other takes no time.
    impatient.write_text(DESIGN.read_text().replace("max_step_s = 10e-9", "max_step_s = 5.1e-11\ntimeout_s = 3.0"))
    words = ("--measure", "firing_time", "--measure", "switching_threshold", "--corners", "tt")
    result = invoke("sweep", impatient, *words, "--out", tmp_path / "run")
    assert result.exit_code == 3, result.output
    (failure,) = pd.read_parquet(tmp_path / "run/sweep/failures.parquet").to_dict("records")
    assert failure["reason"] == "timeout" and failure["corner"] == "tt"
    assert failure["rerun"] in result.stdout
    assert len(pd.read_parquet(tmp_path / "run/sweep/switching_threshold.parquet")) == 1
    impatient.write_text(DESIGN.read_text())
    words = tuple(shlex.split(failure["rerun"])[1:])
    assert words[:4] == ("sweep", str(impatient), "--measure", "firing_time")
    repaired = invoke(*words)
    assert repaired.exit_code == 0, repaired.output
    table = pd.read_parquet(tmp_path / "run/sweep/firing_time.parquet")
    assert len(table) == 1 and 0.0 < table.spike_s[0] < 3e-6
    assert not (tmp_path / "run/sweep/failures.parquet").exists()


@pytest.mark.slow
def test_only_runs_one_point(tmp_path: Path) -> None:
    only = "corner=ss,temperature_c=27.0,supply_v=1.8,seed=1,sign=-1,code=1.2"
    result = invoke("sweep", DESIGN, "--measure", "synapse_current", "--only", only, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    table = pd.read_parquet(tmp_path / "run/sweep/synapse_current.parquet")
    assert table[["corner", "seed", "sign", "code"]].to_numpy().tolist() == [["ss", 1, -1, 1.2]]


@pytest.mark.slow
def test_killed_at_any_moment_the_table_is_the_same_and_nothing_is_done_twice(tmp_path: Path) -> None:
    words = ["sweep", str(DESIGN), "--measure", "synapse_current", "--corners", "tt,ss,ff", "--seeds", "0:12", "--jobs", "2"]
    whole = invoke(*words, "--out", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    run, moments, seen = tmp_path / "killed", random.Random(3), 0
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-m", "cosim", *words, "--out", str(run)], stdout=subprocess.DEVNULL)
        _wait_for_more_rows(run / "points.sqlite", seen)
        time.sleep(0.4 * moments.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen = _rows(run / "points.sqlite")
    last = invoke(*words, "--out", run, "--json")
    result = json.loads(last.stdout.splitlines()[-1])
    assert (result["points"], result["failed"]) == (22 * 36, 0)
    assert result["cached"] == seen, "every row that was there is used"
    one, other = (
        pd.read_parquet(folder / "sweep/synapse_current.parquet").drop(columns="cpu_s") for folder in (tmp_path / "whole", run)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def _rows(store: Path) -> int:
    with sqlite3.connect(store) as database:
        return int(database.execute("SELECT count(*) FROM points WHERE row IS NOT NULL").fetchone()[0])


def _wait_for_more_rows(store: Path, before: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        time.sleep(0.05)
        try:
            if store.exists() and _rows(store) > before:
                return
        except sqlite3.OperationalError:
            pass
    raise AssertionError("the sweep did not get going")


def _divider(index: int) -> Point:
    from cosim.simulator import Deck, OperatingPoint

    deck = Deck("divider", "v1 a 0 1\nr1 a b 1k\nr2 b 0 1k", "", OperatingPoint(), ("v(b)",))
    return Point({"k": index}, deck.with_values({"r2": 1e3 + index}), dict)


def _pid(waveforms: Waveforms) -> dict[str, float]:
    return {"pid": os.getpid(), "v": float(waveforms["v(b)"][0])}


def _outcomes(count: int) -> Iterator[Outcome]:
    for index in range(count):
        yield Outcome(_divider(index), {"value": [float(index)] * 2000}, None)


def test_what_a_full_disk_leaves_is_put_in_order_before_the_thread_that_commits_has_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []
    with Store(tmp_path / "points.sqlite") as store:
        monkeypatch.setattr(store, "_save_what_there_is", lambda: held.append(store._lock.locked()))
        with pytest.raises(StoreFullError), store._explained():
            raise sqlite3.OperationalError("database or disk is full")
        assert held == [True] and not store._lock.locked()


def test_a_full_disk_keeps_what_was_written_and_says_so(tmp_path: Path) -> None:
    path, kept = tmp_path / "points.sqlite", 0
    store = Store(path)
    store._database.execute("PRAGMA max_page_count=200")
    with pytest.raises(StoreFullError, match="the disk is full; the results up to here are kept"):
        for outcome in _outcomes(1000):
            store.put(f"key {kept}", outcome)
            kept += 1
    store.close()
    assert StoreFullError.exit_code == 3
    with Store(path) as again:
        assert 0.9 * kept <= again.count() <= kept
        assert again.get("key 0") == {"value": [0.0] * 2000}
        again.put("one more", dataclasses.replace(next(_outcomes(1))))


def test_a_row_reaches_the_disk_by_itself(tmp_path: Path) -> None:
    """Neither another row nor the end of the batch has to push it there."""
    path = tmp_path / "points.sqlite"
    assert COMMIT_WITHIN_S <= 1.0
    with Store(path) as store:
        store.put("key", next(_outcomes(1)))
        _wait_for_more_rows(path, 0)
        assert store.get("key") == {"value": [0.0] * 2000} and _rows(path) == 1


def test_stores_of_version_1_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "points.sqlite"
    with Store(path) as store:
        store.put("key", next(_outcomes(1)))
    with sqlite3.connect(path) as database:
        for column in ("reltol", "max_step_s"):
            database.execute(f"ALTER TABLE points DROP COLUMN {column}")
        database.execute("PRAGMA user_version=1")
    with Store(path) as store:
        assert store.get("key") is not None
        store.put("other", next(_outcomes(1)))
    with sqlite3.connect(path) as database:
        assert dict(database.execute("SELECT key, reltol FROM points").fetchall()) == {"key": None, "other": 3e-6}


@pytest.mark.slow
def test_workers_get_ready_before_they_are_needed() -> None:
    with WorkerPool(jobs=2) as pool:
        assert pool.pids == []
        pool.prepare()
        ready = pool.pids
        assert len(set(ready)) == 2 and all(Path(f"/proc/{pid}").exists() for pid in ready)
        outcomes = list(pool.map([dataclasses.replace(_divider(k), extract=_pid) for k in range(8)]))
        assert pool.pids == ready, "nobody else was started"
    assert {outcome.row["pid"] for outcome in outcomes if outcome.row} <= set(ready)
    found = sorted(outcome.row["v"] for outcome in outcomes if outcome.row)
    assert found == pytest.approx([ohm / (1e3 + ohm) for ohm in range(1000, 1008)])
