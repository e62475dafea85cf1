"""Sizes and nets of a user's cell, before anything runs."""

from __future__ import annotations

import pytest

from cosim.design.cell_capacitors import without_floating_metal
from cosim.design.cell_nets import check_nets
from cosim.design.cell_sizes import evaluated, in_units_of, rescaled
from cosim.errors import InputError
from cosim.simulator.netlist_cards import Card, cards_of
from gf180_models.pdk import NAMES as GF180
from netlists.models.pdk import ModelNames
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
        (("c1 d far 1f", "c2 far s 1f"), r"net far \(at c1, c2\): no direct current reaches it from a pin or ground"),
        (("c1 d far 1f", f"x3 d far s b {N} w=1 l=1"), r"net far \(at c1, x3\): .* nothing holds its voltage"),
        (("i1 far 0 1n", "c1 far 0 1f"), r"net far \(at"),
        (("xc far d sky130_fd_pr__cap_mim_m3_1 w=1 l=1", "c2 far 0 1f"), r"net far \(at"),
        (("r3 far near 1k", "c1 far d 1f", "c2 near d 1f"), r"net far \(at"),
        ((".subckt inner p", "c9 p lost 1f", ".ends", "x3 mid inner"), r"c9: net x3\.lost has no other connection"),
        ((".subckt inner p q", "r9 p q 1k", ".ends", "x3 mid inner"), r"x3 gives 1 nodes, sub-circuit inner has 2 \(p, q\)"),
        ((".subckt loop p", "x9 p loop", ".ends", "x3 mid loop"), r"loop calls itself"),
        (("m1 d g mid nch w=1 l=1",), r"m1 has 3 nodes; a transistor has four"),
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
    ("given", "names", "expected"),
    [
        ("w=1 l=0.25", NAMES, "w=1 l=0.25"),
        ("w=1e+06u l=250000u ad=2.9e+11p", NAMES, "w=1e+06u l=250000u ad=2.9e+11p"),
        ("w=1u l=0.25u m=2 nf=1", NAMES, "w=1 l=0.25 m=2 nf=1"),
        ("w=2u l=0.25u ad=0.58p as=0 pd=4.58u nrd=0.1", NAMES, "w=2 l=0.25 ad=0.58 as=0 pd=4.58 nrd=0.1"),
        ("w=1u l=0.25u ad=0.29 pd=2.58", NAMES, "w=1 l=0.25 ad=0.29 pd=2.58"),  # each by itself
        ("l=0.25u w=2u nf=1 ad='int((nf+1)/2)*W/nf*0.29'", NAMES, "l=0.25 w=2 nf=1 ad='int((nf+1)/2)*W/nf*0.29'"),
        ("w=1u l=0.28u", GF180, "w=1u l=0.28u"),
        ("w=2 l=0.28 ad=0.58 pd=4.58", GF180, "w=2e-06 l=2.8e-07 ad=5.8e-13 pd=4.58e-06"),
    ],
)
def test_a_size_in_another_unit_is_read_where_it_can_be_no_other(given: str, names: ModelNames, expected: str) -> None:
    call = f"x1 a b c d {'nfet_03v3' if names is GF180 else N}"
    found, converted = in_units_of(cards(f"{call} {given}"), names, "TOY")
    assert [card.text for card in found] == [f"{call} {expected}"]
    assert len(converted) == (given != expected)


@pytest.mark.parametrize("given", ["w=1u l=0.25u ad='w*0.29u'", "w=1u l=0.25u ad=0.29u", "w=-1.6u l=0.15u", "w=1e-15 l=1"])
def test_a_size_that_is_none_in_any_unit_says_what_to_write(given: str) -> None:
    with pytest.raises(InputError, match=r"cell\.spice:1: \S+: TOY counts sizes in um, w=1 for 1 um; this is no size in um"):
        in_units_of(cards(f"x1 a b c d {N} {given}"), NAMES, "TOY")


def test_metal_that_floats_becomes_what_lies_between_its_neighbours() -> None:
    """Three capacitors to a net without charge are a triangle: C_ij = C_i C_j / sum C (star-mesh)."""
    lines = ("c1 d m2_1# 1f", "c2 m2_1# g 2f", "c3 s m2_1# 3fF", "c4 m3_9# s 5f", "c5 d s 1p")
    found, floating = without_floating_metal(cell(*lines))
    assert floating == ["m2_1#", "m3_9#"]
    capacitors = [card.text.split() for card in found if card.keyword.startswith("c")]
    assert capacitors[0] == ["c5", "d", "s", "1p"]
    values = {frozenset(words[1:3]): float(words[3]) for words in capacitors[1:]}
    assert values == {
        frozenset("dg"): pytest.approx(2e-15 / 6), frozenset("ds"): pytest.approx(3e-15 / 6),
        frozenset("gs"): pytest.approx(1e-15),
    }  # fmt: skip
    assert len({words[0] for words in capacitors}) == 4
    chain, floating = without_floating_metal(cell("c1 d m1_1# 2f", "c2 m1_1# m1_2# 2f", "c3 m1_2# g 1f"))
    assert floating == ["m1_1#", "m1_2#"]
    assert [float(card.words[3]) for card in chain if card.keyword.startswith("c")] == [pytest.approx(0.5e-15)]


@pytest.mark.parametrize(
    "lines",
    [
        ("c1 d mistyped 1f",),  # not named by a tool
        ("c1 d a_1# 1f", "r1 a_1# g 1k"),
        ("c1 d a_1# {k}", "c2 a_1# g 1f"),
        ("c1 d a_1# 1f", f"x3 d a_1# s b {N} w=1 l=1"),
        ("c1 d a_1# 1f", "b1 d g i=v(a_1#)"),
    ],
)
def test_a_net_that_is_more_than_metal_stays(lines: tuple[str, ...]) -> None:
    whole = cell(*lines)
    assert without_floating_metal(whole) == (whole, [])


def test_sizes_from_a_header_are_numbers_for_each_call() -> None:
    text = (
        ".param unit=0.5\n.subckt stage d g s b wn=1 lng={2*unit}\n.param twice='2*wn'\n"
        f"x1 d g s b {N} w=wn l=lng\nx2 d g s b {P} w='twice' l=0.15 nf=1\n.ends\n"
        ".subckt cell d g s b\nxa d g s b stage\nxb d g s b stage wn=3\nxc d g s b stage wn=1\n.ends\n"
    )
    found = [card.text for card in evaluated(cards(text), "cell", NAMES)]
    assert found == [
        ".param unit=0.5",
        ".subckt stage d g s b wn=1 lng={2*unit}", ".param twice='2*wn'", f"x1 d g s b {N} w=1 l=1",
        f"x2 d g s b {P} w=2 l=0.15 nf=1", ".ends",
        ".subckt stage_2 d g s b wn=1 lng={2*unit}", ".param twice='2*wn'", f"x1 d g s b {N} w=3 l=1",
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
