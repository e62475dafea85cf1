"""Flat decks against ngspice's own reading of the hierarchical ones; values and seeds set on a loaded circuit against loading."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_sessions import in_fresh_process, values_of_decks

from cosim.errors import InputError
from cosim.simulator import Deck, OperatingPoint, SolverOptions, Transient
from cosim.simulator.deck import flat_deck
from cosim.simulator.expressions import NotEvaluable, compiled, evaluate, normal_deviate
from cosim.simulator.flattening import flatten
from netlists.models.pruning import device_uses, prune
from sky130_models.corners import Corner, ModelSet
from sky130_models.devices import Fet
from sky130_models.pdk import NAMES, find_pdk
from sky130_models.process import SKY130

OPTIONS = SolverOptions(reltol=1e-6, abstol=1e-13, gmin=1e-13)
PAIR = f"""\
.subckt pair d g s
Xa d g m 0 {Fet.NFET} w=1 l=0.25 ad=0.29 as=0.29 pd=2.58 ps=2.58
Xb m g s 0 {Fet.NFET} w=1 l=0.25 ad=0.29 as=0.29 pd=2.58 ps=2.58
.ends
Vd d 0 1.3
Vg g 0 0.7
Xone d g 0 pair
Xtwo 0 g d d {Fet.PFET} w=1 l=0.25
Xcap d g sky130_fd_pr__cap_mim_m3_2 w=7 l=7
Xres d g 0 sky130_fd_pr__res_xhigh_po_0p35 l=30
"""
PULSED = PAIR.replace("Vg g 0 0.7", "Vg g 0 PULSE(0 1.8 1e-9 1e-9 1e-9 1e-8 1e-7)")
SAVED = ("i(vd)", "v(xone.m)")


def pair(
    model_set: ModelSet = ModelSet.CONTINUOUS, corner: Corner = Corner.TT, netlist: str = PAIR, temperature_c: float = 27.0,
    **switches: bool,
) -> Deck:  # fmt: skip
    library = prune(find_pdk(model_set), corner, device_uses(netlist, NAMES), **switches).text
    analysis = Transient(2e-8, 1e-10, 1e-10) if netlist is PULSED else OperatingPoint()
    options = dataclasses.replace(OPTIONS, temperature_c=temperature_c)
    return Deck("pair", netlist, library, analysis, SAVED, options, setup=SKY130.setup)


def by_name(deck: Deck, seed: int | None) -> dict[str, float]:
    flat = flat_deck(deck.base)
    assert flat is not None
    return dict(zip((slot.name for slot in flat.slots), flat.numbers(dict(deck.values), seed), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("model_set", ModelSet)
def test_flat_decks_give_what_hierarchical_ones_give(model_set: ModelSet) -> None:
    decks = [pair(model_set, corner, PAIR, t) for corner, t in ((Corner.TT, 27.0), (Corner.SS, -40.0), (Corner.FF, 125.0))]
    decks.append(pair(model_set, netlist=PULSED))
    assert all(flat_deck(deck.base) for deck in decks)
    flat, plain = in_fresh_process(values_of_decks, [each for deck in decks for each in (deck, in_plain(deck))], 2)
    for ours, theirs in zip(flat, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0.1 * OPTIONS.reltol)


@pytest.mark.slow
@pytest.mark.parametrize("model_set", ModelSet)
@pytest.mark.parametrize("netlist", [PAIR, PULSED], ids=["operating point", "transient"])
def test_a_seed_or_value_set_on_a_loaded_circuit_gives_what_loading_it_gives(model_set: ModelSet, netlist: str) -> None:
    deck = pair(model_set, netlist=netlist, mismatch=True, process=True)
    dies = [deck.with_seed(seed).with_values({"vd": 1.0 + 0.1 * seed}) for seed in (3, 1, 4, 1)]
    in_turn, afresh, plain = in_fresh_process(values_of_decks, [each for die in dies for each in (die, die, in_plain(die))], 3)
    for one, other, loaded in zip(in_turn, afresh, plain, strict=True):
        assert np.array_equal(one, other)
        np.testing.assert_allclose(one, loaded, rtol=0.1 * OPTIONS.reltol)
    assert len({values.tobytes() for values in in_turn}) == 3, "seed 1 with the same value twice, two others"


@pytest.mark.slow
def test_results_do_not_depend_on_what_was_simulated_before() -> None:
    deck = pair(mismatch=True)
    one_way = [deck.with_seed(seed) for seed in range(6)]
    (forward,) = in_fresh_process(values_of_decks, one_way, 1)
    (backward,) = in_fresh_process(values_of_decks, [*reversed(one_way)], 1)
    assert [values.tobytes() for values in forward] == [values.tobytes() for values in reversed(backward)]


def test_matched_devices_share_the_die_and_differ_in_mismatch() -> None:
    process = by_name(pair(process=True), seed=5)
    lint = [value for name, value in process.items() if name.startswith("xone.") and name.endswith("[lint]")]
    assert len(lint) == 2 and lint[0] == lint[1] != by_name(pair(process=True), seed=None)["xone.xa.nshort_model.30[lint]"]
    mismatch = by_name(pair(mismatch=True), seed=5)
    shift = [value for name, value in mismatch.items() if name.endswith("[delvto]")]
    assert len(set(shift)) == 3 and 0.0 not in shift


def test_draws_of_a_device_do_not_depend_on_other_devices() -> None:
    more = PAIR + f"Xnew d g 0 0 {Fet.NFET} w=1 l=0.25\n"
    before, after = by_name(pair(mismatch=True), 9), by_name(pair(netlist=more, mismatch=True), 9)
    assert before.items() < after.items()


def test_mean_and_sigma_of_mismatch_are_those_of_the_library() -> None:
    """Continuous set: delvto of an NFET is sw_mm_vth0 * N(0, 1) / sqrt(W L), times geometry factors of the card."""
    deck = pair(mismatch=True)
    flat = flat_deck(deck.base)
    assert flat is not None
    place = [slot.name for slot in flat.slots].index("m.xone.xa.msky130_fd_pr__nfet_01v8[delvto]")
    shifts = np.array([flat.numbers({}, seed)[place] for seed in range(2000)])
    (parameter,) = [line for line in deck.library.splitlines() if line.startswith(".param sw_mm_vth0_sky130_fd_pr__nfet_01v8 ")]
    slope = float(parameter.rpartition("=")[2].strip(" {}"))
    factors = (0.008 * 8 / 0.25 + 0.992) * (0.035 * 7 / 1.0 + 0.965) * (0.001 * 56 / 0.25 + 0.999)
    sigma = slope / math.sqrt(1.0 * 0.25) * factors
    assert abs(shifts.mean()) < 4 * sigma / math.sqrt(2000)
    assert shifts.std() == pytest.approx(sigma, rel=4 / math.sqrt(4000))


def test_draws_are_named_and_normal() -> None:
    draws = np.array([normal_deviate(seed, "x.m", 1) for seed in range(4000)])
    assert abs(draws.mean()) < 4 / math.sqrt(4000)
    assert draws.std() == pytest.approx(1.0, abs=4 / math.sqrt(8000))
    assert normal_deviate(1, "a", 1) == normal_deviate(1, "a", 1) != normal_deviate(1, "b", 1)


def test_text_of_a_die_is_complete_in_itself() -> None:
    deck = pair(mismatch=True)
    assert "agauss" in deck.with_seed(None).text().lower()
    text = deck.with_seed(7).text().lower()
    assert "agauss" not in text and ".subckt" not in text
    assert text != deck.with_seed(8).text().lower()


@pytest.mark.parametrize(
    "expression",
    [
        "1.5k", "2meg*3", "{1/3}", "'2**0.5'", "3^2", "sqrt(2)*exp(1)", "ln(7)+log(7)+log10(7)", "abs(-2.5)", "min(3,4)*max(3,4)",
        "pow(2,0.5)", "pwr(2,3)", "int(3.7)", "sgn(-2)", "(1>2)+(2>=2)", "a*b+c", "{a}*1k", "tanh(0.3)+sinh(0.2)",
        "sin(0.5)*cos(0.5)", "floor(2.5)+ceil(2.5)", "-a+2", "a-b-c", "1e-3*b",
    ],
)  # fmt: skip
@pytest.mark.slow
def test_arithmetic_is_that_of_ngspice(expression: str) -> None:
    quoted = expression if expression[0] in "{'" else f"{{{expression}}}"
    netlist = f".param a=2.5 b={{a*2}} c={{b/3}}\nv1 a 0 {quoted.replace('{a}*1k', '{a*1k}')}\nr1 a 0 1k"
    deck = Deck(expression, netlist, "", OperatingPoint(), ("v(a)",))
    flat, plain = in_fresh_process(values_of_decks, [deck, in_plain(deck)], 2)
    assert flat_deck(deck.base) is not None
    np.testing.assert_allclose(flat[0], plain[0], rtol=1e-12)


@pytest.mark.parametrize(
    "text", ["__import__('os')", "a.b", "f(x for x in y)", "[1]", "a;b", "lambda:1", "1 if 2 else 3", "é", ""]
)
def test_only_arithmetic_is_evaluated(text: str) -> None:
    with pytest.raises(NotEvaluable):
        code = compiled(text)
        evaluate(code, {}) if not isinstance(code, float) else None


def test_whole_numbers_stay_floats() -> None:
    assert compiled("9**9") == 9.0**9
    with pytest.raises(NotEvaluable):
        compiled("9**9**9**9")


@pytest.mark.parametrize(
    "netlist",
    [
        "x1 a 0 nosuch", "v1 a 0 {nosuch}", ".subckt s p\nx1 p s\n.ends\nx1 a s", ".subckt s p q\nr1 p q 1\n.ends\nx1 a s",
        ".subckt s p\nr1 p 0 1\n", ".func f(x) {x}\nr1 a 0 {f(2)}", ".if (1)\nr1 a 0 1\n.endif", "r1 a 0 {1 ? 2 : 3}",
        ".subckt s p\nf1 p 0 v1 2\n.ends\nx1 a s",
    ],
)  # fmt: skip
def test_what_is_not_known_is_left_to_ngspice(netlist: str) -> None:
    with pytest.raises(NotEvaluable):
        flatten(netlist + "\nr9 a 0 1k\n.end")


@given(st.floats(-1e3, 1e3, allow_nan=False), st.floats(1e-15, 1e6))
@settings(max_examples=50, deadline=None)
def test_values_take_the_place_of_numbers(volt: float, ohm: float) -> None:
    netlist = "V1 a 0 DC 1.5\nR1 a b 1k tc1=1e-3\n.subckt s p\nv1 p 0 7\n.ends\nR2 b 0 2k"
    deck = (
        Deck("values", netlist, "", OperatingPoint(), ("v(a)",))
        .with_values({"v1": volt, "R1[tc1]": 2e-3})
        .with_values({"r2": ohm})
    )
    lines = deck.cards().splitlines()
    assert (
        f"V1 a 0 DC {volt!r}" in lines and "R1 a b 1k tc1=0.002" in lines and f"R2 b 0 {ohm!r}" in lines and "v1 p 0 7" in lines
    )
    assert deck.digest() != deck.with_values({"v1": volt + 1.0}).digest()


@pytest.mark.parametrize(("name", "value", "message"), [
    ("v9", 1.0, r"v9: the netlist's top level has no such number; it has r1, v1"),
    ("vp", 1.0, "vp: the netlist's top level has no such number"),
    ("v1", math.inf, "v1: must be a finite number, not inf"),
])  # fmt: skip
def test_values_that_do_not_fit_are_refused(name: str, value: float, message: str) -> None:
    deck = Deck("values", "v1 a 0 1\nvp b 0 PULSE(0 1 0 1n 1n 1u 2u)\nr1 a 0 1k", "", OperatingPoint(), ("v(a)",))
    with pytest.raises(InputError, match=message):
        deck.with_values({name: value})


def test_digest_covers_the_files_that_are_included(tmp_path: Any) -> None:
    inner, outer = tmp_path / "inner.spice", tmp_path / "outer.spice"
    inner.write_text("r1 a 0 1k\n")
    outer.write_text(".include inner.spice\n")
    deck: Callable[[], Deck] = lambda: Deck("files", f".include {outer}\nv1 a 0 1", "", OperatingPoint(), ("v(a)",))  # noqa: E731
    before = deck().digest()
    inner.write_text("r1 a 0 2k\n")
    assert deck().digest() != before


def in_plain(deck: Deck) -> Deck:
    return dataclasses.replace(deck, plain=True)
