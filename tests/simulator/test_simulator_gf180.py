"""Decks of GF180MCU: flat, against ngspice's own reading; nominal without a draw, and dies that differ."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from simulator_sessions import in_fresh_process, values_of_decks

from cosim.simulator import Deck, OperatingPoint, SolverOptions, Transient
from cosim.simulator.deck import flat_deck
from gf180_models.corners import Corner
from gf180_models.pdk import NAMES, find_pdk
from gf180_models.process import GF180
from netlists.models.pruning import device_uses, prune

OPTIONS = SolverOptions(reltol=1e-6, abstol=1e-13, gmin=1e-13)
FETS = """\
Vd d 0 1.3
Vg g 0 0.7
Xone d g m 0 nfet_03v3 w=0.5u l=0.5u ad=0.22p as=0.22p pd=1.88u ps=1.88u
Xtwo m g 0 0 nfet_03v3 w=0.5u l=0.5u ad=0.22p as=0.22p pd=1.88u ps=1.88u
Xfour d g 0 0 nfet_03v3 w=0.5u l=0.5u m=4 par=4
Xp 0 g d d pfet_03v3 w=1u l=0.28u
Xcap d m cap_mim_2f0fF c_width=7u c_length=7u
"""
RESISTOR = "Xres d g 0 ppolyf_u_1k r_width=1u r_length=50u\n"
NETLIST = FETS + RESISTOR
PULSED = NETLIST.replace("Vg g 0 0.7", "Vg g 0 PULSE(0 3.3 1e-9 1e-9 1e-9 1e-8 1e-7)")


def deck(corner: Corner = Corner.TT, netlist: str = NETLIST, temperature_c: float = 27.0, **switches: bool) -> Deck:
    library = prune(find_pdk(), corner, device_uses(netlist, NAMES), **switches).text
    analysis = Transient(2e-8, 1e-10, 1e-10) if netlist is PULSED else OperatingPoint()
    options = dataclasses.replace(OPTIONS, temperature_c=temperature_c)
    return Deck("gf180", netlist, library, analysis, ("i(vd)", "v(m)"), options, setup=GF180.setup)


def plain(one: Deck) -> Deck:
    return dataclasses.replace(one, plain=True)


def by_name(one: Deck, seed: int | None) -> dict[str, float]:
    flat = flat_deck(one.base)
    assert flat is not None
    return dict(zip((slot.name for slot in flat.slots), flat.numbers({}, seed), strict=True))


def test_nothing_is_drawn_unless_it_is_asked_for() -> None:
    nominal = by_name(deck(), None)
    assert nominal == by_name(deck(), 5)
    drawn = by_name(deck(mismatch=True), 5)
    assert drawn.keys() == nominal.keys() and not any(drawn[name] == nominal[name] for name in nominal)


def test_dies_differ_and_their_devices_differ() -> None:
    dies = [by_name(deck(mismatch=True), seed) for seed in range(20)]
    shifts = np.array([[value for name, value in die.items() if name.endswith("[delvto]")] for die in dies])
    assert shifts.shape == (20, 4) and len(np.unique(shifts)) == shifts.size
    # 7.148 mV um over the root of 0.35 x 0.6 um^2, by 0.7071; four units share a draw over their whole area
    assert np.std(np.concatenate([[die["m.xone.m0[delvto]"] for die in dies], [die["m.xtwo.m0[delvto]"] for die in dies]])) == (
        pytest.approx(0.7071 * 7.148e-3 / np.sqrt(0.35 * 0.6), rel=0.3)
    )
    ratio = np.std(shifts[:, 2]) / np.std(shifts[:, 0])
    assert ratio == pytest.approx(0.5, rel=0.5)


def test_the_parameters_of_a_die_are_shared_by_its_devices() -> None:
    one, other = (by_name(deck(mismatch=True, process=True), seed) for seed in (1, 2))
    for name in ("nfet_03v3.5[vth0]", "pfet_03v3.4[toxe]", "xcap.cap_mim_2f0_model[cap]"):
        assert one[name] != other[name], name


@pytest.mark.slow
def test_flat_decks_give_what_hierarchical_ones_give() -> None:
    decks = [deck(corner, temperature_c=t) for corner, t in ((Corner.TT, 27.0), (Corner.SS, -40.0), (Corner.FF_LL, 125.0))]
    decks.append(deck(netlist=PULSED))
    ours, theirs = in_fresh_process(values_of_decks, [each for one in decks for each in (one, plain(one))], 2)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0.1 * OPTIONS.reltol)


@pytest.mark.slow
def test_the_middle_of_the_statistics_is_the_typical_corner() -> None:
    statistical = dataclasses.replace(deck(mismatch=True, process=True), seed=None)
    [(drawn, typical)] = zip(*in_fresh_process(values_of_decks, [statistical, deck()], 2), strict=True)
    np.testing.assert_allclose(drawn, typical, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("netlist", [NETLIST, PULSED], ids=["operating point", "transient"])
def test_a_seed_set_on_a_loaded_circuit_gives_what_loading_it_gives(netlist: str) -> None:
    for switches in ({"mismatch": True}, {"mismatch": True, "process": True}):
        dies = [deck(netlist=netlist, **switches).with_seed(seed) for seed in (3, 1, 4, 1)]
        decks = [each for die in dies for each in (die, die, plain(die))]
        in_turn, afresh, loaded = in_fresh_process(values_of_decks, decks, 3)
        for one, other, whole in zip(in_turn, afresh, loaded, strict=True):
            assert np.array_equal(one, other)
            np.testing.assert_allclose(one, whole, rtol=0.1 * OPTIONS.reltol)
        assert len({values.tobytes() for values in in_turn}) == 3, "seed 1 twice, two others"
