"""A process is named in its own room; everything else knows roles, and the name that a design has where it gives none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("cosim", "netlists", "training", "reports")
PROCESS_ROOMS = ("sky130_models", "gf180_models")
COMMANDS = "cosim/cli"
"""Their help has examples of what people type."""


def named(pattern: str) -> dict[str, int]:
    """How many lines of each file outside the rooms of processes a pattern is on."""
    found = {}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            lines = [line for line in path.read_text(encoding="utf-8").splitlines() if re.search(pattern, line, re.IGNORECASE)]
            if lines and not str(path.relative_to(ROOT)).startswith(COMMANDS):
                found[str(path.relative_to(ROOT))] = len(lines)
    return found


def test_a_process_is_named_in_its_own_room_alone() -> None:
    # The default of `process.name`, and what the published circuit was made in.
    assert named(r"sky130(?!_models)") == {"netlists/process.py": 1, "reports/published.py": 1}
    assert named(r"gf180(?!_models)") == {}


def test_its_room_is_imported_in_one_place_which_makes_it_known() -> None:
    for process in PROCESS_ROOMS:
        assert named(rf"^\s*(from|import) {process}") == {"cosim/design/choices.py": 1}


@pytest.mark.parametrize(
    "name", ["nfet_01v8", "pfet_01v8", "cap_mim", "res_xhigh", "mc_(mm|pr)_switch", "[np]fet_03v3", "ppolyf_u", "sw_stat_"]
)
def test_its_devices_switches_and_settings_are_named_nowhere_else(name: str) -> None:
    assert named(name) == {}
    assert any(
        re.search(name, path.read_text(encoding="utf-8")) for room in PROCESS_ROOMS for path in (ROOT / room).rglob("*.py")
    )


def test_the_setting_that_says_how_ngspice_reads_a_deck_is_named_by_the_engine_alone() -> None:
    assert named("ngbehavior") == {"cosim/simulator/deck.py": 1}
