"""What a user can set right is one line with exit code 2; a bug shows itself. Extras are what pyproject says."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import tomllib

import pytest

from cosim.errors import InputError
from cosim.pipeline import packages
from cosim.version import ROOT
from netlists.errors import GeometryError, NetlistError
from netlists.synapse import SynapseSetting
from netlists.synapse.binary_weighted import BinaryWeightedSection, BinaryWeightedSynapse
from reports.errors import ReportError
from sky130_models.process import SKY130
from training.hardware import OutOfRange


@pytest.mark.parametrize("error", [NetlistError, ReportError, GeometryError, OutOfRange])
def test_an_error_of_a_room_is_a_line_for_the_user(error: type[ValueError]) -> None:
    with pytest.raises(InputError, match="w_um: 3 is too wide"), packages.one_line_errors():
        raise error("w_um: 3 is too wide")


def test_a_plain_value_error_is_a_bug_and_shows_itself() -> None:
    with pytest.raises(ValueError, match="could not convert") as caught, packages.one_line_errors():
        float("five")
    assert not isinstance(caught.value, InputError)


def test_an_error_class_that_only_lives_in_a_room_is_no_user_error() -> None:
    """It is the base class that counts, not where a class was written."""
    stray = type("Stray", (ValueError,), {"__module__": "training.layer"})
    with pytest.raises(stray), packages.one_line_errors():
        raise stray("x")


def test_a_code_that_a_cell_lacks_is_a_line_for_the_user() -> None:
    with pytest.raises(InputError, match=r"code 2\.5: must be a whole number"), packages.one_line_errors():
        BinaryWeightedSynapse(SKY130.fill(BinaryWeightedSection, "synapse"), SKY130, 1.8).bits(SynapseSetting(1, 2.5), 1)


def test_extras_are_those_of_the_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "numpy>=1.26",
        'jinja2>=3.1 ; extra == "reports"',
        "PySpice==1.5; extra == 'simulation'",
        'cosim[reports]; extra == "all"',
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: lines)
    packages.extras.cache_clear()
    try:
        assert packages.extras() == {"reports": ("jinja2",), "simulation": ("PySpice",)}
    finally:
        packages.extras.cache_clear()


def test_every_package_of_a_stage_has_an_extra_that_pyproject_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosim.pipeline.stages import STAGES

    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    for stage in STAGES:
        for package in stage.packages:
            with pytest.raises(InputError) as caught:
                packages.check_packages([package], stage.name)
            extra = str(caught.value).partition("cosim[")[2].partition("]")[0]
            assert extra in known, f"{caught.value}"
