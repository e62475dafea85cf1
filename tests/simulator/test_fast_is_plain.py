"""The fast path against ngspice's own reading, over decks and expressions at random; multipliers, nominal values, dies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fast_plain import HSPICE, RELATIVE, compared, expressions, generated
from benchmarks.trust.leaks import LEAKS, leaks, victims
from cosim.simulator import Deck, OperatingPoint, Point, Reason, Waveforms, WorkerPool, simulate
from cosim.simulator.deck import flat_deck, undrawable, why_not_flat
from cosim.simulator.expressions import NotEvaluable, compiled
from netlists.errors import NetlistError
from netlists.multipliers import written_out

DECKS = 100
SOURCE = "v1 a 0 1"


def deck(netlist: str, *, setup: tuple[str, ...] = HSPICE, seed: int | None = None, save: tuple[str, ...] = ("i(v1)",)) -> Deck:
    return Deck("deck", netlist, "", OperatingPoint(), save, seed=seed, setup=setup)


def current(one: Deck) -> float:
    (outcome,) = simulate([Point({}, one, Waveforms.last)], None, jobs=1)
    assert outcome.row is not None, outcome.error
    return -float(outcome.row["i(v1)"])


def both_ways(one: Deck) -> tuple[float, float]:
    return current(one), current(dataclasses.replace(one, plain=True))


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(jobs=2, timeout_s=5.0) as workers:
        yield workers


@pytest.mark.slow
def test_decks_at_random_give_what_ngspice_gives(pool: WorkerPool) -> None:
    found = list(compared([generated(Random(number), f"generated {number}") for number in range(5000, 5000 + DECKS)], pool))
    assert [one.deck.netlist for one in found if one.worst > RELATIVE] == []
    read = [one for one in found if one.flat and one.simulated]
    assert len(read) > 0.6 * DECKS, "a comparison of the plain path with itself"


@given(st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_deck_is_flat_or_left_to_ngspice_by_name(random: Random) -> None:
    one = generated(random)
    assert (flat_deck(one.base) is None) == bool(why_not_flat(one.base))
    assert len(why_not_flat(one.base).splitlines()) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("setup", [(), HSPICE], ids=["ngspice", "hspice"])
def test_expressions_at_random_give_what_numparam_gives(setup: tuple[str, ...], pool: WorkerPool) -> None:
    found = list(compared(expressions(Random(7), 20, setup), pool))
    assert len(found) == 20 and all(one.simulated and one.flat for one in found)
    assert max(one.worst for one in found) <= 1e-12


@pytest.mark.parametrize(("expression", "ngspice", "hspice"), [
    ("2**3**2", 64, 64), ("pow(-2,3)", -8, -8), ("pwr(-2,3)", 8, 8), ("(-2)**3", 8, -8), ("0**0", 1, 0), ("(-2)^0.5", 2**0.5, -2),
    ("1&&0", 0, 0), ("2||0", 1, 1), ("!0+1", 2, 2), ("3>2>1", 0, 0), ("1mil", 1e-3, 1e-3), ("1a", 1, 1), ("2*-3^2", 18, 18),
    ("-3^2", -9, -9), ("-5%3", -2, -2), ("nint(2.5)", 2, 2), ("1||0&&0", 1, 1), ("3-2^2", -1, -1),
])  # fmt: skip
def test_the_grammar_is_numparams(expression: str, ngspice: float, hspice: float) -> None:
    """Each of the right values as ngspice 39.3 gave it (`ngspice -b`)."""
    assert compiled(expression) == pytest.approx(ngspice, rel=1e-15)
    assert compiled(expression, hspice=True) == pytest.approx(hspice, rel=1e-15)


@pytest.mark.parametrize(
    "expression",
    ["2*-a", "2*-(3)", "2*+3", "1 2", "1e", "0x10", "1k5", "min(3)", "max(1,2,3)", "agauss(1,0.1)", "a=1", "1?2:3", "min", "1/0",
     "sqrt(-1)", "(1", "1)", "((" * 90 + "1" + "))" * 90, "f(1)", "a.b", "1_0", "!-3"],
)  # fmt: skip
def test_what_numparam_misreads_or_refuses_is_left_to_it(expression: str) -> None:
    with pytest.raises(NotEvaluable):
        assert compiled(expression) is None  # a parameter alone is code: nothing of these is


LOAD = ".subckt load a b{header}\nR1 a b 1k m=3\n.ends\n"


@pytest.mark.slow
@pytest.mark.parametrize("header", ["", " m=1"])
def test_multipliers_written_out_are_those_of_parallel_devices(header: str) -> None:
    """Three resistors in each of two: 6 mA. ngspice itself gives 3 mA where the header names `m`."""
    netlist = LOAD.format(header=header) + f"{SOURCE}\nXL a 0 load m=2"
    explicit = written_out(netlist)
    for setup in ((), HSPICE):
        assert both_ways(deck(explicit, setup=setup)) == pytest.approx((6e-3, 6e-3), rel=1e-9)


@pytest.mark.slow
def test_a_multiplier_reaches_what_is_called_inside() -> None:
    """ngspice drops it from a call that stands above the one that has it; both paths read that alike."""
    nested = f".subckt inner a b r=1k\nR1 a b r\n.ends\n.subckt outer a b\nX1 a b inner\n.ends\n{SOURCE}\nX2 a 0 outer m=5"
    assert both_ways(deck(nested)) == pytest.approx((1e-3, 1e-3), rel=1e-9)
    assert both_ways(deck(written_out(nested))) == pytest.approx((5e-3, 5e-3), rel=1e-9)
    assert written_out(written_out(nested)) == written_out(nested), "nothing is left to write out"


def test_only_what_is_multiplied_is_written_out() -> None:
    own = ".subckt s a b m=1 w=1\nR1 a b {1k/m}\n.ends\nX1 a 0 s m=2\nXm a b device m=4\n"
    assert written_out(own) == own
    with pytest.raises(NetlistError, match=r"b1 in sub-circuit s, which is called with m: has no multiplier"):
        written_out(".subckt s a b\nb1 a b i=v(a)\n.ends\nX1 a 0 s m=2\n")
    source = written_out(".subckt s a b\nv1 a c 1\nr1 c b 1k\n.ends\nX1 a 0 s m='1+1'\n")
    assert source.splitlines() == [
        ".subckt s a b copies=1", "v1 a c 1", "r1 c b 1k m={copies}", ".ends", "X1 a 0 s copies={(1+1)}",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("card", "milliampere"),
    [
        ("R1 a b rl", 0.5), ("R1 a b r=rl*(1-0.05*(v(a)-v(b)))", 1 / 1.9), ("R1 a b r='rl'", 0.5), ("I1 a b il", 0.25),
        ("B1 a b i=v(a,b)/rl", 0.5), ("B1 a b i=v(a,b) > 0.5 ? il : 0", 0.25), ("R1 a b 'rl*int(1.7)'", 0.5),
    ],
)  # fmt: skip
def test_parameters_without_marks_are_read_as_ngspice_reads_them(card: str, milliampere: float) -> None:
    netlist = f".subckt leak a b rl=1k il=0.25m\n{card}\n.ends\n{SOURCE}\nXL a 0 leak rl=2k"
    assert flat_deck(deck(netlist).base) is not None
    assert both_ways(deck(netlist)) == pytest.approx((1e-3 * milliampere,) * 2, rel=1e-9)


def test_an_expression_of_a_call_sees_the_numbers_of_the_same_call() -> None:
    """As a schematic exports areas: `nf` and `w` of the call itself, else those of the caller."""
    schematic = (
        ".subckt dev a b w=1 nf=1 ad=0\nR1 a b {1k/ad}\n.ends\n{}\n{}\nX1 a 0 dev w=4 nf=2 ad='int((nf+1)/2) * W/nf * 0.5'"
    )
    flat = flat_deck(deck(schematic.replace("{}", SOURCE, 1).replace("{}", ".param w=100", 1)).base)
    assert flat is not None and "1000.0" in flat.text([])


DRAWN = ".param vth=agauss(1,0.2,1)\n.subckt r a b\n.param dev={gauss(1,0.1,1)}\nR1 a b {1k*dev*vth}\n.ends\n"


@pytest.mark.slow
@pytest.mark.parametrize("unflat", ["", "\n.if (1)\nR9 b 0 1k\n.endif\nr10 b a 1"], ids=["flat", "not flat"])
def test_without_a_seed_every_draw_is_nominal(unflat: str) -> None:
    netlist = f"{DRAWN}{SOURCE}\nX1 a 0 r{unflat}"
    fast, plain = both_ways(deck(netlist))
    assert fast == plain == pytest.approx(1e-3 + (1 / 1001 if unflat else 0.0), rel=1e-9)


@pytest.mark.slow
def test_a_seed_is_that_die_on_every_path_or_refused() -> None:
    flat = deck(f"{DRAWN}{SOURCE}\nX1 a 0 r", seed=3)
    one, other = both_ways(flat)
    assert one == pytest.approx(other, rel=1e-9) and abs(one / 1e-3 - 1) > 1e-3
    more = deck(f"{DRAWN}{SOURCE}\nX0 b 0 r\nX1 a 0 r\nr2 b 0 1", seed=3)
    assert current(more) == pytest.approx(one, rel=1e-9), "a device more leaves the die as it is"
    for plain in (False, True):
        nested = dataclasses.replace(deck(f"{DRAWN}{SOURCE}\nX1 a 0 r\n.if (1)\nR9 b 0 1k\n.endif", seed=3), plain=plain)
        (outcome,) = simulate([Point({}, nested, Waveforms.last)], None, jobs=1)
        assert outcome.error is not None and outcome.error.reason is Reason.DRAWS
        assert "seed 3 means no die here" in str(outcome.error) and ".if" in str(outcome.error)


def test_draws_in_a_file_that_a_deck_calls_are_refused_by_name(tmp_path: object) -> None:
    library = tmp_path / "own.lib"  # type: ignore[operator]
    library.write_text(".lib tt\n.param x=agauss(1,0.1,1)\n.endl\n")
    called = Deck("called", f".lib {library} tt\n{SOURCE}\nr1 a 0 {{x}}", "", OperatingPoint(), ("i(v1)",))
    assert "own.lib draws random numbers" in undrawable(called)
    assert undrawable(called.with_seed(1)).startswith("seed 1 means no die here")
    library.write_text(".lib tt\n.param x=1\n.endl\n")
    assert undrawable(dataclasses.replace(called, title="again")) == ""


@pytest.mark.slow
def test_what_only_ngspice_reads_is_told_with_the_outcome() -> None:
    plain = deck(f"{SOURCE}\nr1 a 0 {{1 ? 2 : 3}}")
    flat = deck(f"{SOURCE}\nr1 a 0 {{1+1}}")
    outcomes = simulate([Point({}, one, Waveforms.last) for one in (plain, flat)], None, jobs=1)
    assert [bool(outcome.not_flat) for outcome in outcomes] == [True, False]
    assert outcomes[0].row == outcomes[1].row


@pytest.mark.slow
@pytest.mark.parametrize("victim", victims([HSPICE], [False, True]), ids=lambda one: f"{one.plain} {type(one.analysis).__name__}")
def test_nothing_of_a_deck_reaches_the_next(victim: Deck) -> None:
    """Every eighth option and card, and those that once did: before and after a deck that has none of it, on one worker."""
    chosen = list(dict.fromkeys([".option scale=1u", ".option interp", *LEAKS[::8]]))
    assert len(LEAKS) >= 76
    found = leaks(victim, chosen)
    assert found.leaking == [] and found.taken > 0.8 * len(chosen)
