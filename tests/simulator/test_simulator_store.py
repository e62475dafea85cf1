"""The result store: what decides a key, what survives, what is refused."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from simulator_decks import divider, everything, last_value, random_divider

from cosim.errors import CosimError, InputError
from cosim.simulator import Outcome, Point, Reason, Row, SimulationError, Store
from cosim.simulator.store import extractor_identity

POINT = Point({"corner": "tt"}, divider(), everything)

rows = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "__float64__"),
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(), st.text(max_size=20),
        st.lists(st.floats(), max_size=4),
        arrays(np.float64, array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4)),
    ),
    max_size=5,
)  # fmt: skip


def same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.shape == other.shape and one.tobytes() == other.tobytes()
    return repr(one) == repr(other)


@given(row=rows)
def test_rows_come_back_bit_by_bit(row: dict[str, object]) -> None:
    with Store(":memory:") as store:
        assert store.get("key") is None
        store.put("key", Outcome(POINT, row, None))
        back = store.get("key")
    assert back is not None
    assert back.keys() == row.keys()
    assert all(same(row[name], back[name]) for name in row)


def test_key_depends_on_deck_extraction_arguments_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(":memory:") as store:
        extracts = [everything, last_value, partial(last_value, name="v(a)"), partial(last_value, name="v(b)")]
        keys = {store.key(dataclasses.replace(POINT, extract=extract), "39") for extract in extracts}
        keys |= {store.key(POINT, "42"), store.key(dataclasses.replace(POINT, deck=random_divider(1)), "39")}
        keys |= {store.key(dataclasses.replace(POINT, deck=random_divider(2)), "39")}
        assert len(keys) == 7
        assert store.key(dataclasses.replace(POINT, condition={"corner": "named otherwise"}), "39") in keys
        monkeypatch.setattr(everything, "version", 2, raising=False)
        assert store.key(POINT, "39") not in keys


def test_module_version_counts_where_a_function_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    before = extractor_identity(everything)
    monkeypatch.setattr("simulator_decks.EXTRACTOR_VERSION", 5, raising=False)
    assert extractor_identity(everything) != before
    monkeypatch.setattr(everything, "version", 1, raising=False)
    assert extractor_identity(everything) == before


def test_arguments_without_a_stable_text_are_refused() -> None:
    with pytest.raises(InputError, match="last_value: an argument cannot be part of the key"):
        extractor_identity(partial(last_value, name=object()))


def test_a_failure_never_replaces_a_result_and_a_result_replaces_a_failure(tmp_path: Path) -> None:
    failure = Outcome(POINT, None, SimulationError(Reason.TIMEOUT, "too long", "deck", "log"))
    with Store(tmp_path / "points.sqlite") as store:
        store.put("a", failure)
        assert store.get("a") is None
        assert store.failures()[0] == {
            "title": "divider", "condition": {"corner": "tt"}, "seed": None,
            "reason": "timeout", "message": "too long", "log": "log", "deck": "deck",
        }  # fmt: skip
        store.put("a", Outcome(POINT, {"value": 1.5}, None))
        store.put("a", failure)
    with Store(tmp_path / "points.sqlite") as store:
        assert store.get("a") == {"value": 1.5}
        assert store.failures() == []
        assert store.count() == 1


def test_store_that_cannot_be_used_is_one_clear_error(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.sqlite"
    garbage.write_bytes(b"this is no database" * 100)
    with pytest.raises(InputError, match=r"garbage.sqlite: cannot be used as a result store: .*; name another file"):
        Store(garbage)
    with pytest.raises(InputError, match="cannot be used as a result store"):
        Store(tmp_path / "no" / "folder.sqlite")
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as database:
        database.execute("PRAGMA user_version=999")
    with pytest.raises(InputError, match="version 999, newer than"):
        Store(newer)


def rows_of(path: Path, count: int, say: Callable[[str], None] = lambda line: None) -> list[Row | None]:
    with Store(path, say) as store:
        return [store.get(str(k)) for k in range(count)]


def test_a_store_damaged_in_the_middle_is_put_aside_and_what_is_sound_of_it_kept(tmp_path: Path) -> None:
    path, said = tmp_path / "points.sqlite", list[str]()
    with Store(path) as store:
        for k in range(200):
            store.put(str(k), Outcome(POINT, {"value": np.arange(100.0) + k}, None))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle:] = b"\xff" * (len(content) - middle)
    path.write_bytes(content)
    found = rows_of(path, 200, said.append)
    sound = [k for k, row in enumerate(found) if row is not None]
    assert 20 < len(sound) < 180 and all(np.array_equal(found[k]["value"], np.arange(100.0) + k) for k in sound)
    assert len(said) == 1 and "is damaged" in said[0] and "kept as points.sqlite.damaged-1" in said[0]
    assert (tmp_path / "points.sqlite.damaged-1").read_bytes()[4096:] == bytes(content[4096:])
    again = [k for k, row in enumerate(rows_of(path, 200)) if row is not None]
    assert set(again) <= set(sound) and len(again) >= len(sound) - 2  # a row beside the damage is read once, not by a whole scan


def test_a_flipped_bit_never_gives_another_number(tmp_path: Path) -> None:
    """The row as it was, or none, so that it is simulated again, or one line; wherever in the file it is."""
    path, random = tmp_path / "points.sqlite", Random(1)
    with Store(path) as store:
        for k in range(20):
            store.put(str(k), Outcome(POINT, {"value": k + 0.5, "more": [k, -k]}, None))
    stored = path.read_bytes()
    for n in range(200):
        (tmp_path / str(n)).mkdir()
        damaged, bit = bytearray(stored), random.randrange(8 * len(stored))
        damaged[bit // 8] ^= 1 << bit % 8
        (tmp_path / str(n) / "points.sqlite").write_bytes(damaged)
        try:
            found = rows_of(tmp_path / str(n) / "points.sqlite", 20)
        except CosimError as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert all(row is None or row == {"value": k + 0.5, "more": [k, -k]} for k, row in enumerate(found)), bit


def test_a_result_that_was_changed_by_hand_is_simulated_again(tmp_path: Path) -> None:
    path, said = tmp_path / "points.sqlite", list[str]()
    with Store(path) as store:
        store.put("0", Outcome(POINT, {"value": 1.0}, None))
    with sqlite3.connect(path) as database:
        database.execute("""UPDATE points SET row = '{"value": 2.0}'""")
    assert rows_of(path, 1, said.append) == [None]
    assert len(said) == 1 and "not as it was written" in said[0]
    with Store(path) as store:
        store.put("0", Outcome(POINT, {"value": 1.0}, None))
        assert store.get("0") == {"value": 1.0} and store.count() == 2  # what is put aside can be looked at


def test_a_disk_without_room_beside_the_store_is_full_and_its_results_are_not_to_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says `disk I/O error` where its shared memory file finds no room."""

    def refused(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Store, "_prepare", refused)
    usage = shutil.disk_usage(tmp_path)
    for free, complaint in ((4096, "the disk is full; the results up to here are kept"), (1 << 30, "cannot be used")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        with pytest.raises(CosimError, match=complaint):
            Store(tmp_path / "points.sqlite")


def test_a_share_without_shared_memory_keeps_the_rows_by_a_rollback_journal(tmp_path: Path) -> None:
    """As GPFS and some NFS mounts are: the write-ahead log's shared memory cannot be made. Here a folder stands in its place."""
    said: list[str] = []
    path = tmp_path / "points.sqlite"
    (tmp_path / "points.sqlite-shm").mkdir()
    with Store(path, said.append) as store:
        store.put("key", Outcome(POINT, {"a": 1.0}, None))
    with Store(path) as store:
        assert store.get("key") == {"a": 1.0}
    assert len(said) == 1 and "no write-ahead log on this file system" in said[0]
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_file_system_without_locks_is_used_and_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite reads ENOLCK as a database in use, and would wait a minute for nothing."""

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", none)
    said: list[str] = []
    with Store(tmp_path / "points.sqlite", said.append) as store:
        store.put("key", Outcome(POINT, {"a": 1.0}, None))
    with Store(tmp_path / "points.sqlite") as store:
        assert store.get("key") == {"a": 1.0}
    assert said == [f"{tmp_path}: this file system has no locks; let one cosim at a time use it"]
