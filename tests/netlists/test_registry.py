"""Registries: ours and those of installed packages, and what becomes of a package that is broken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netlists.registry import RegistrationError, Registry

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package of one module on the path, with an entry point in the group `house.things` that names it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)

    def put(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        metadata = tmp_path / f"{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[house.things]\n{name} = {name}\n")

    yield put
    for module in set(sys.modules) - known:
        del sys.modules[module]


@pytest.fixture
def things(install: Install, tmp_path: Path) -> Registry[int]:
    """A registry whose own package `house` has two modules and registers `b`, then `a`."""
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "__init__.py").write_text("")
    (tmp_path / "house" / "first.py").write_text("import house\nclass B: pass\nhouse.things.add('b', B)\n")
    (tmp_path / "house" / "second.py").write_text("import house\nclass A: pass\nhouse.things.add('a', A)\n")
    registry: Registry[int] = Registry("house.things", "thing", "house")
    import house

    house.things = registry
    return registry


def registering(name: str, thing: str) -> str:
    return f"import house\nclass Thing: value = {thing}\nhouse.things.register({name!r})(Thing)\n"


def test_ours_come_in_the_order_of_their_modules_whichever_is_imported_first(things: Registry[int]) -> None:
    import house.second

    assert list(things) == ["b", "a"]
    assert things["a"] is house.second.A
    assert len(things) == 2 and "c" not in things and things.broken == ()


def test_an_installed_package_adds_its_own_behind_ours(things: Registry[int], install: Install) -> None:
    install("zz", registering("zz", "7"))
    install("aa", registering("aa", "8"))
    assert list(things) == ["b", "a", "aa", "zz"]
    assert things["zz"].value == 7 and things["aa"].value == 8  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        (registering("a", "1"), "thing 'a' is taken: house.second registers it; choose another name"),
        (registering("other", "1"), "it registers no thing of that name"),
        (registering("bad", "1") + "1/0", "ZeroDivisionError: division by zero"),
        ("import house; list(house.things)", "the list of every thing is being made: what registers one cannot ask for it"),
    ],
)
def test_a_broken_package_is_one_line_and_takes_nothing_else_down(
    things: Registry[int], install: Install, caplog: pytest.LogCaptureFixture, code: str, reason: str
) -> None:
    install("bad", code)
    install("good", registering("good", "5"))
    assert list(things) == ["b", "a", "good"]
    line = f"package bad 1.0: thing 'bad' (bad) is left out: {reason}"
    assert things.broken == (line,)
    assert [record.getMessage() for record in caplog.records] == [line]
    assert things.refusal("bad") == f"must be 'b', 'a', 'good'; it is 'bad'; {line}"


def test_a_name_is_taken_once(things: Registry[int]) -> None:
    things.add("x", 1)
    with pytest.raises(RegistrationError, match="thing 'x' is taken"):
        things.register("x")(2)
    with pytest.raises(KeyError):
        things["no such"]
