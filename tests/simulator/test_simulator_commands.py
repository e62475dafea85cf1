"""What is said to ngspice's command interpreter: names of decks stand in it only where they are plain."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from simulator_sessions import in_fresh_process

from cosim.simulator.commands import is_plain, setting
from cosim.simulator.deck import Deck, OperatingPoint
from cosim.simulator.flattening import flatten


@pytest.mark.parametrize(
    "name", ["r9>f", "r9<f", "r9;f", "r9|f", "r9&f", "r9`f`", "r9$f", "r9 f", "r9!f", "r9-f", "r9/f", "r9é", ""]
)
def test_no_command_is_made_of_a_name_that_is_not_plain(name: str) -> None:
    assert setting(name, "") is None
    assert setting(name, "delvto") is None
    assert setting(name, "vth0") is None


def test_commands_of_plain_names() -> None:
    assert setting("r.xa.r9", "") == "alter r.xa.r9 = "
    assert setting("m.xa#1.m0", "delvto") == "alter @m.xa#1.m0[delvto] = "
    assert setting("n:1", "vth0") == "altermod n:1 vth0 = "
    assert setting("n:1", "lmin") is None


@pytest.mark.parametrize(
    "line", ["alter r>f = 1", "save v(a);shell id", "set a=`id`", "unset $x", 'echo "a"', "a\nb", "x < y", "x|y"]
)
def test_a_line_that_would_be_more_than_a_command_is_not_plain(line: str) -> None:
    assert not is_plain(line)


def test_lines_that_the_engine_says_are_plain() -> None:
    for line in (
        "alter @m.xa.m0[delvto] = -1.5e-3",
        "save v(a/b) i(v1) @m1[id] v(x[3]) v(gnd!)",
        "option reltol=3e-06",
        "remcirc",
    ):
        assert is_plain(line)


def test_a_number_of_a_device_of_another_name_stands_in_the_text() -> None:
    flat = flatten("v1 a 0 1\nr9>f a 0 {agauss(1000,10,1)}\nr8 a 0 {agauss(1000,10,1)}\n")
    assert [slot.command for slot in flat.slots] == [None, "alter r8 = "]


def files_left(names: list[str]) -> tuple[list[str], list[list[float]]]:
    """What lies in the folder that a session works in after decks with resistors of these names, and their currents."""
    from cosim.simulator.errors import SimulationError
    from cosim.simulator.session import NgspiceSession

    session, found = NgspiceSession(), list[list[float]]()
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    for name in names:
        netlist = f"v1 a 0 1\n{name} a 0 {{agauss(1000,10,1)}}\nm1 a a 0 0 n{name[1:]} w=1u l=1u\n.model n{name[1:]} nmos level=1"
        deck = Deck(name, netlist, "", OperatingPoint(), ("i(v1)",))
        values = []
        for seed in (1, 2, 1):
            try:
                values.append(float(session.run(deck.with_seed(seed))["i(v1)"][0]))
            except SimulationError:
                values.append(0.0)
        found.append(values)
    return [file.name for file in Path(folder).iterdir()], found


@pytest.mark.slow
def test_a_device_named_as_a_redirection_writes_no_file() -> None:
    left, values = in_fresh_process(
        files_left, ["r9", "r9>f", "r9>>f", "r9<f", "r9|tee_f", "r9;shell_touch_f", "r9&f", "r9`touch_f`"]
    )
    assert left == []
    first, second, again = values[0]
    assert first == again != second, "the draws count"
