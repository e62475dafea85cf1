"""Sizes and nets of a user's cell, before anything runs."""

from __future__ import annotations

import pytest

from cosim.design.cell_nets import check_nets
from cosim.design.cell_sizes import check_sizes, evaluated, rescaled
from cosim.errors import InputError
from cosim.simulator.netlist_cards import Card, cards_of
from gf180_models.pdk import NAMES as GF180
from sky130_models.pdk import NAMES

N, P = "sky130_fd_pr__nfet_01v8", "sky130_fd_pr__pfet_01v8"


def cards(text: str) -> list[Card]:
    return cards_of(text, "cell.spice")


def cell(*lines: str) -> list[Card]:
    """A sub-circuit with pins d, g, s, b; two transistors in a row over the net mid."""
    row = [f"x1 d g mid b {N} w=1 l=1", f"x2 mid g s b {N} w=1 l=1"]
    return cards("\n".join([".subckt cell d g s b", *row, *lines, ".ends"]))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("c1 mid 0 1f", "c2 mid d 1f"),  # a parasitic to a net that a device holds
        (f"x3 a_1_2# s s s {N} w=1 l=1",),  # a dummy
        (f"x3 m1_5# g s b {N} w=1 l=1",),  # a finger that the layout leaves open
        ("r3 mid mid.t7 0.1",),  # the end of a wire
        (f"x3 d store s b {N} w=1 l=1", f"x4 d g store b {N} w=1 l=1", "c1 store 0 1f"),  # a memory behind a switch
        ("r3 d hold 1meg", "c1 hold far 1f", "r4 far s 1meg"),
        ("e1 far 0 mid 0 2", "r3 far 0 1k"),
        ("b1 far 0 v='v(mid)*2'", "r3 far d 1k"),
        (".subckt inner p", "r9 p 0 1k", ".ends", "x3 mid inner"),
    ],
)
def test_nets_that_something_holds_pass(lines: tuple[str, ...]) -> None:
    check_nets(cell(*lines), "cell", NAMES)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ((f"x3 d g mdi b {N} w=1 l=1",), r"cell\.spice:4: x3: net mdi has no other connection; connect it, or leave x3 out"),
        (("r3 mid far 1k",), r"net far has no other connection"),
        (("c1 m2_1_2# 0 1f",), r"c1: net m2_1_2# has no other connection"),
        ((f"x3 d a_9# s b {N} w=1 l=1",), r"x3: net a_9# has no other connection"),  # a gate is held by nothing
        (("c1 d far 1f", "c2 far s 1f"), r"net far meets gates, capacitors or current sources alone \(c1, c2\)"),
        (("c1 d far 1f", f"x3 d far s b {N} w=1 l=1"), r"net far meets gates.*\(c1, x3\): nothing holds its voltage"),
        (("i1 far 0 1n", "c1 far 0 1f"), r"net far meets"),
        (("xc far d sky130_fd_pr__cap_mim_m3_1 w=1 l=1", "c2 far 0 1f"), r"net far meets"),
        (("r3 far near 1k", "c1 far d 1f", "c2 near d 1f"), r"net far meets gates"),
        ((".subckt inner p", "c9 p lost 1f", ".ends", "x3 mid inner"), r"c9: net x3\.lost has no other connection"),
        ((".subckt inner p q", "r9 p q 1k", ".ends", "x3 mid inner"), r"x3 gives 1 nodes, sub-circuit inner has 2 \(p, q\)"),
        ((".subckt loop p", "x9 p loop", ".ends", "x3 mid loop"), r"loop calls itself"),
        (("b1 d 0 v=v(mdi)",), r"b1: net mdi has no other connection"),
    ],
)
def test_nets_that_nothing_holds_are_named_with_file_and_device(lines: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        check_nets(cell(*lines), "cell", NAMES)


def test_sizes_in_another_length_become_those_of_the_process() -> None:
    counted = cards(f"x1 a b c d {N} ad=11600 pd=516 w=200 l=50 m=2 nf=1\nr1 a b 9\nd1 a b dio area=400 pj=80")
    assert [card.text for card in rescaled(counted, 5e-9 * 1e6)] == [
        f"x1 a b c d {N} ad=0.29 pd=2.58 w=1 l=0.25 m=2 nf=1", "r1 a b 9", "d1 a b dio area=0.01 pj=0.4",
    ]  # fmt: skip
    metres = cards("x1 a b c d nfet_03v3 w=200 l=50")
    assert rescaled(metres, 5e-9 * 1e6 * GF180.um)[0].text == "x1 a b c d nfet_03v3 w=1e-06 l=2.5e-07"
    for given, complaint in (("w=200 l=50 k=3", "k: length or area"), ("w='2*l' l=50", "w: .* is not a number")):
        with pytest.raises(InputError, match=complaint):
            rescaled(cards(f"x1 a b c d {N} {given}"), 0.005)


@pytest.mark.parametrize(
    ("call", "names", "complaint"),
    [
        (f"x1 a b c d {N} w=1 l=0.25", NAMES, None),
        (f"x1 a b c d {N} w=1e+06u l=250000u", NAMES, None),
        (f"x1 a b c d {N} w=1u l=0.25", NAMES, r"w=1u: TOY counts sizes in um, so this is 1e-06 um; write w=1$"),
        ("x1 a b c d nfet_03v3 w=1u l=0.28u", GF180, None),
        ("x1 a b c d nfet_03v3 w=1 l=0.28u", GF180, r"w=1: TOY counts sizes in m, so this is 1e\+06 um; write w=1u$"),
    ],
)
def test_a_size_in_the_wrong_unit_says_what_to_write(call: str, names: object, complaint: str | None) -> None:
    if complaint is None:
        check_sizes(cards(call), names, "TOY")  # type: ignore[arg-type]
        return
    with pytest.raises(InputError, match=complaint):
        check_sizes(cards(call), names, "TOY")  # type: ignore[arg-type]


def test_sizes_from_a_header_are_numbers_for_each_call() -> None:
    text = (
        ".param unit=0.5\n.subckt stage d g s b wn=1 ln={2*unit}\n.param twice='2*wn'\n"
        f"x1 d g s b {N} w=wn l=ln\nx2 d g s b {P} w='twice' l=0.15 nf=1\n.ends\n"
        ".subckt cell d g s b\nxa d g s b stage\nxb d g s b stage wn=3\nxc d g s b stage wn=1\n.ends\n"
    )
    found = [card.text for card in evaluated(cards(text), "cell", NAMES)]
    assert found == [
        ".param unit=0.5",
        ".subckt stage d g s b wn=1 ln={2*unit}", ".param twice='2*wn'", f"x1 d g s b {N} w=1 l=1",
        f"x2 d g s b {P} w=2 l=0.15 nf=1", ".ends",
        ".subckt stage_2 d g s b wn=1 ln={2*unit}", ".param twice='2*wn'", f"x1 d g s b {N} w=3 l=1",
        f"x2 d g s b {P} w=6 l=0.15 nf=1", ".ends",
        ".subckt cell d g s b", "xa d g s b stage", "xb d g s b stage_2 wn=3", "xc d g s b stage wn=1", ".ends",
    ]  # fmt: skip
    plain = cell()
    assert evaluated(plain, "cell", NAMES) == plain


@pytest.mark.parametrize(
    ("size", "complaint"),
    [("w=nowhere", r"cell\.spice:2: w=nowhere: has no value"), ("w='agauss(1,0.1,1)'", "is a random number")],
)
def test_a_size_that_has_no_value_is_refused(size: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        evaluated(cards(f".subckt cell d g s b\nx1 d g s b {N} {size} l=1\n.ends"), "cell", NAMES)
