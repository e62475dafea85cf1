"""User cells: what is admitted stays as it is, everything else is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.errors import InputError
from cosim.simulator import admit
from cosim.simulator.netlist_guard import Brought
from cosim.texts import text_of

CELL = """\
* a synapse
.param bias=0.5 ; comment
.subckt synapse mem gate sel vss
xmem mem gate
+ mid vss nfet w=1 l=0.25
m1 mid sel vss vss n w=1u
+ l=0.25u
r1 mem 0 {1k*bias}
.model n nmos (level=14 version=4.5)
.ends synapse
"""
ADMITTED = [
    ".param bias=0.5",
    ".subckt synapse mem gate sel vss",
    "xmem mem gate mid vss nfet w=1 l=0.25",
    "m1 mid sel vss vss n w=1u l=0.25u",
    "r1 mem 0 {1k*bias}",
    ".model n nmos (level=14 version=4.5)",
    ".ends synapse",
]
HOSTILE = {
    ".control": "not allowed",
    "  .CONTROL": "not allowed",
    ".endc": "not allowed",
    ".exec rm -rf /": "not allowed",
    ".options wnflag=1": "wnflag is not allowed",
    ".option scale=0": "one positive length",
    "r1 a b 10kΩ": "plain ASCII",
    "u1 a b sub": "begins with X",
    ".tran 1n 1u": "not allowed",
    ".csparam x=1": "not allowed",
    "shell id": "needs at least|not a device",
    "a1 [1] [2] code": "not a device",
    "a1 1 2 reader\n+ \n.model reader filesource (x=1)": "not a device",
    ".model reader filesource (x=1)": "type 'filesource' is not allowed",
    ".model runner d_process(process_file=1)": "reads no files|not allowed",
    'v1 a 0 pwl file="/etc/passwd"': "reads no files",
    "v1 a 0 pwl\n+ FILE = x": "reads no files",
    "r1 a b `id`": "runs no commands",
    ".include /etc/passwd": "outside the folders",
    ".inc '/etc/passwd'": "outside the folders",
    ".lib /etc/passwd tt": "outside the folders",
    ".include ../../../../../../etc/passwd": "outside the folders",
    ".include nosuch.spice": "is not a file",
    ".include": "needs a file",
    ".lib x": "needs a file and a section",
    "r1 a": "has 2 words; it needs at least 4",
    ".subckt open a": "not closed",
    ".ends\n.ends": "without a .subckt",
    "r1 a b \x07": "control character",
}


def test_a_cell_is_admitted_without_its_comments() -> None:
    assert admit(CELL, []).text.splitlines() == ADMITTED


def test_admitting_twice_changes_nothing() -> None:
    once = admit(CELL, []).text
    assert admit(once, []).text == once


@given(hostile=st.sampled_from(sorted(HOSTILE)), place=st.sampled_from([0, 1, 2, 3, 5, 7, 8, 9, 10]))
def test_one_hostile_card_anywhere_is_refused_with_its_line(hostile: str, place: int) -> None:
    lines = CELL.splitlines()
    lines[place:place] = hostile.split("\n")
    with pytest.raises(InputError, match=HOSTILE[hostile]) as raised:
        admit("\n".join(lines), [Path("/nonexistent/cells")], source="cell.spice")
    message = str(raised.value)
    assert message.startswith("cell.spice:")
    assert "\n" not in message
    if hostile not in (".ends\n.ends", ".subckt open a"):
        assert message.startswith(f"cell.spice:{place + 1}:")


def test_hidden_commands_in_comments_are_dropped() -> None:
    assert admit("*# shell id\n$ x\nr1 a b 1k ; .control\n", []).text == "r1 a b 1k\n"


def test_includes_below_an_allowed_folder_are_put_in_place_and_held_to_the_rules(tmp_path: Path) -> None:
    cells, outside = tmp_path / "cells", tmp_path / "outside"
    (cells / "parts").mkdir(parents=True)
    outside.mkdir()
    (cells / "parts" / "r.spice").write_text("r1 a b 1k\n.include c.spice\n")
    (cells / "parts" / "c.spice").write_text("c1 a b 1p\n")
    (cells / "all.lib").write_text(".lib tt\n.param x=1\n.endl tt\n.lib ff\n.param x=2\n.endl\n")
    (cells / "loop.spice").write_text(".include loop.spice\n")
    (cells / "bad.spice").write_text("r1 a b 1k\n.control\n")
    (outside / "secret.spice").write_text("r9 a b 9k\n")
    (cells / "link.spice").symlink_to(outside / "secret.spice")

    def check(text: str) -> str:
        return admit(text, [cells]).text

    assert check(".include 'parts/r.spice'\nr2 b 0 2k") == "r1 a b 1k\nc1 a b 1p\nr2 b 0 2k\n"
    assert check('.lib "all.lib" FF') == ".param x=2\n"
    for text, message in [
        (".lib all.lib ss", "no section ss"),
        (".include loop.spice", "includes itself"),
        (".include bad.spice", r"bad.spice:2: .control is not allowed"),
        (".include link.spice", "lies outside"),
        (f".include {outside / 'secret.spice'}", "lies outside"),
        (".include parts", "is not a file"),
    ]:
        with pytest.raises(InputError, match=message):
            check(text)


def test_relative_includes_start_at_the_cell_itself(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "part.spice").write_text("r1 a b 1k\n")
    cell = tmp_path / "deep" / "cell.spice"
    cell.write_text(".include part.spice\n")
    assert admit(cell.read_text(), [tmp_path], cell).text == "r1 a b 1k\n"
    with pytest.raises(InputError, match="is not a file"):
        admit(cell.read_text(), [tmp_path])


def test_what_tools_add_around_a_cell_is_left_out_and_kept_note_of(tmp_path: Path) -> None:
    cell = tmp_path / "cell.spice"
    (tmp_path / "core.spice").write_bytes(b"* 5 \xb5m wide\n.subckt core\ta b\nr1\ta\tb 1k\n.ends\n.save all\n.end\n")
    cell.write_text(
        ".include core.spice\n.option savecurrents reltol=1e-4\n.param off=0 kept=2\n.param off=1\n.lib /pdk/all.lib tt\n"
        ".print v(a)\n.plot v(a)\n.meas tran x max v(a)\n.option scale = 5n\n"
    )
    brought = Brought(lambda file: file.endswith("all.lib"), frozenset({"off"}))
    admitted = admit(cell.read_text(), [tmp_path], cell, brought)
    assert admitted.text == ".subckt core a b\nr1 a b 1k\n.ends\n.param kept=2\n"
    assert [(Path(card.source).name, card.line) for card in admitted.left_out] == [
        ("core.spice", 5), *(("cell.spice", line) for line in (2, 3, 4, 5, 6, 7, 8))
    ]  # fmt: skip
    assert admitted.scale_m == 5e-9


def test_sizes_are_counted_in_one_length() -> None:
    assert admit(".option scale=1u\n.option scale=1e-6\n", []).scale_m == 1e-6
    with pytest.raises(InputError, match="netlist:2: scale: must be one positive length"):
        admit(".option scale=1u\n.option scale=1n\n", [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_netlist_is_read_in_the_encoding_it_has(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "cell.spice"
    path.write_bytes("* 5 µm\nr1 a b 1k ; 100 kµ\n".encode(encoding))
    assert admit(text_of(path), []).text == "r1 a b 1k\n"
    path.write_bytes(b"\x7fELF\x00\x01")
    with pytest.raises(InputError, match="is not text"):
        text_of(path)


def test_the_header_that_an_export_comments_out_is_one_unless_the_file_has_it() -> None:
    top = "**.subckt top a b\n*+ c $ pins\n*.ipin a\nr1 a b 1k\n**.ends\n"
    assert admit(top, []).text == ".subckt top a b c\nr1 a b 1k\n.ends\n"
    both = ".subckt top a b\nr1 a b 1k\n.ends\n**.subckt top a b\n"
    assert admit(both, []).text == ".subckt top a b\nr1 a b 1k\n.ends\n"
