"""Decks changed at random: the fast path, the plain path and `ngspice -b` say the same, or a deck is refused."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator

import pytest

from benchmarks.fast_plain import HSPICE, OPTIONS
from benchmarks.trust.mutated import changed, judged, written
from cosim.simulator import Deck, OperatingPoint, Point, Waveforms, WorkerPool, simulate
from cosim.simulator.deck import called_as_node, why_not_flat

DECKS = 60
RT = ".param rt='1k*(1+1e-3*(temper-27))'"
FILTER = "vin in 0 2\nr2 n1 0 1k\n"
ODD = {
    "temperature without marks": f"{RT}\nr1 in n1 rt",
    "of a temperature, without marks": f"{RT} r9={{rt*2}}\nr1 in n1 r9",
    "temperature in a coefficient": f"{RT}\nr1 in n1 1k tc1={{rt}}",
    "temperature in a width": f"{RT}\nr1 in n1 1k w={{rt}}",
    "temperature in a source": f"{RT}\nr1 in n1 1k\ni1 n1 0 {{rt}}",
    "temperature as multiplier": f"{RT}\nr1 in n1 1k m={{rt}}",
    "temperature as multiplier of a call": f"{RT}\n.subckt s a b\nr1 a b 1k\n.ends\nx1 in n1 s m={{rt}}",
    "temperature handed on": ".subckt s a b r=1\nr1 a b {r}\n.ends\nx1 in n1 s r='1k*temper'",
    "temperature of the top level inside": f"{RT}\n.subckt s a b r9={{rt}}\nr1 a b {{r9}}\n.ends\nx1 in n1 s",
    "temperature of the caller": ".subckt s a b\n.param k=temper\nx1 a b t\n.ends\n.subckt t a b\nr1 a b {k}\n.ends\nx1 in n1 s",
    "temperature given otherwise": ".subckt s a b w={temper}\nr1 a b {1k*w}\n.ends\nx1 in n1 s w=2",
    "parameters to a name with a dot": ".subckt n.1 a b p=1\nr1 a b {p}\n.ends\nx1 in n1 n.1 p=3",
    "a parameter without a name": ".param = 1 + agauss(1,0,1)\nr1 in n1 1k",
    "words before a parameter": ".param p q=1k\nr1 in n1 {q}",
    "a sum before a parameter": ".param p + {1} = agauss(1k,0,1)\nr1 in n1 1k",
    "half a pair of marks": ".param p=0.5+1} + agauss(1k,0,1)\nr1 in n1 {p}",
    "a condition where nobody calls": ".subckt unused a b\n.if (2>1)\nr1 a b 1\n.ends\nr1 in n1 1k",
    "a comment in a card": "r1 in n1\n; said\n+ 1k",
    "a parameter defined twice": (
        ".param t=1*1\n.param t=2*1\n.param q=1\n.subckt s a b q=1 p={q*2}\nr1 a b q\n.ends\nx1 in n1 s\ne1 n3 0 in 0 q"
    ),
    "a parenthesis in a name": ".subckt s a b\nr(1 a b 1k\n.ends\nx1 in n1 s",
    "a parenthesis in a node": ".subckt s a b\nr1 a (b 1k\n.ends\nx1 in n1 s",
    "too few nodes": ".subckt s a b\nr1 a k=3\nr2 a b 1\n.ends\nx1 in n1 s",
}
OF_HSPICE = {"params: is a node": ".subckt s a b p=1\nr1 a b {p}\n.ends\nx1 in n1 s params: p=3"}


def deck(cards: str, setup: tuple[str, ...]) -> Deck:
    return Deck("odd", FILTER + cards, "", OperatingPoint(), ("v(n1)", "i(vin)"), OPTIONS, setup=setup)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    if not shutil.which("ngspice"):
        pytest.skip("needs the program ngspice")
    with WorkerPool(jobs=2, timeout_s=20.0) as workers:
        yield workers


@pytest.mark.parametrize("name", [*ODD, *OF_HSPICE])
def test_what_ngspice_reads_in_its_own_way_is_left_to_it(name: str) -> None:
    assert why_not_flat(deck((ODD | OF_HSPICE)[name], HSPICE).base)
    assert bool(why_not_flat(deck((ODD | OF_HSPICE)[name], ()).base)) == (name in ODD)


CALLED = ".model d1 d is=1e-14\nd1 n1 abs(0) d1"
BEFORE = """.param corner=1
.func par(a,b) {a*b/(a+b)}
.if (corner==1)
.param rx=2k
.endif
r1 in n1 {par(rx,2k)}
r3 n2 0 1k"""


def test_a_call_in_the_place_of_a_node_is_found_and_a_waveform_or_a_value_is_none() -> None:
    assert called_as_node(deck(CALLED, ())) == "abs(0)"
    assert called_as_node(deck("x1 in f(2) s", ())) == "f(2)"
    for cards in (
        "v2 n1 0 pulse(0 1 0 1n)",
        "r1 (in n1) 1k",
        "b1 n1 0 v=abs(v(in))",
        "e1 n1 0 poly(1) in 0 0 1",
        "x1 in n1 s p=f(2)",
    ):
        assert called_as_node(deck(cards, ())) == "", cards


@pytest.mark.slow
def test_a_call_in_the_place_of_a_node_is_refused_also_behind_a_deck_that_defines_functions() -> None:
    decks = [deck(cards, ()) for cards in (CALLED, BEFORE, CALLED)]
    points = [Point({}, dataclasses.replace(one, plain=True), Waveforms.last) for one in decks]
    first, between, second = simulate(points, jobs=1)
    assert between.error is None
    for one in (first, second):
        assert one.error is not None and "abs(0) stands where a node is expected" in str(one.error)


@pytest.mark.slow
def test_odd_decks_give_what_the_program_gives(pool: WorkerPool) -> None:
    decks = [deck(cards, setup) for cards in (ODD | OF_HSPICE).values() for setup in ((), HSPICE)]
    assert [(one.deck.netlist, one.fault) for one in judged(decks, pool) if one.fault] == []


@pytest.mark.slow
def test_decks_changed_at_random_give_what_the_program_gives(pool: WorkerPool) -> None:
    origins = written()
    found = list(judged((changed(number, origins) for number in range(9000, 9000 + DECKS)), pool))
    assert [(one.deck.netlist, one.fault) for one in found if one.fault] == []
    assert sum(one.flat and one.fast is not None for one in found) > DECKS / 8, "a comparison of nothing"
