"""A deck that cannot be evaluated, or not in any time, costs its own point: the parent works nothing of it out for ever."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest

from benchmarks.trust.hostile import COMMANDS, ENDLESS, SAVES, TITLES, cell_has_effect, deck_is_taken, endless
from cosim.simulator import Point, simulate
from cosim.simulator.deck import Deck, OperatingPoint, undrawable, why_not_flat
from cosim.simulator.errors import Reason
from cosim.simulator.waveforms import Waveforms

UNLUCKY = "r1 a 0 {1000+ln(0.5+agauss(0,1,1))}"
"""Has a value without a seed and with some, none with others."""


def deck(cards: str, seed: int | None = 3) -> Deck:
    return Deck("hostile", f"v1 a 0 1\n{cards}", "", OperatingPoint(), ("i(v1)",), seed=seed)


@pytest.mark.parametrize("name", ENDLESS)
def test_what_has_no_value_is_left_to_ngspice_in_one_line(name: str) -> None:
    hostile = endless(name)
    why = why_not_flat(hostile.base)
    assert why and "\n" not in why and len(why) <= 200
    assert bool(undrawable(hostile)) == ("agauss" in ENDLESS[name])
    assert hostile.text().startswith("hostile\nv1 a 0 1\n"), "which an error carries"


@pytest.mark.parametrize("card", COMMANDS)
def test_no_card_of_a_cell_writes_opens_or_runs(card: str, tmp_path: Path) -> None:
    assert not cell_has_effect(card, tmp_path)


def test_no_deck_is_made_of_a_name_that_is_more_than_one() -> None:
    assert not any(deck_is_taken("t", save) for save in SAVES) and not any(deck_is_taken(title, "v(a)") for title in TITLES)
    assert deck_is_taken("t", "v(a)")


def test_sub_circuits_that_multiply_are_not_expanded_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosim.simulator.flattening._MOST_CALLS", 500)
    levels = [f".subckt s{k} a\nx1 a s{k + 1}\nx2 a s{k + 1}\n.ends" for k in range(25)]
    bomb = "\n".join([*levels, ".subckt s25 a\nr1 a 0 1\n.ends", "x1 a s0"])
    assert why_not_flat(deck(bomb).base) == "more than 500 calls of sub-circuits"
    few = "\n".join([*levels[:6], ".subckt s6 a\nr1 a 0 1\n.ends", "x1 a s0"])
    assert why_not_flat(deck(few).base) == "", "127 calls"


def seeds(good: bool, count: int) -> list[int]:
    """Seeds with which `UNLUCKY` has a value, or has none."""

    def has_value(seed: int) -> bool:
        return "agauss" not in deck(UNLUCKY, seed).text()

    return list(itertools.islice((seed for seed in range(1000) if has_value(seed) is good), count))


def test_a_seed_without_a_value_leaves_the_text_of_its_deck() -> None:
    assert why_not_flat(deck(UNLUCKY).base) == ""
    (bad,) = seeds(good=False, count=1)
    assert UNLUCKY in deck(UNLUCKY, bad).text()


@pytest.mark.slow
def test_a_seed_without_a_value_costs_its_point() -> None:
    good, bad = seeds(good=True, count=2), seeds(good=False, count=2)
    decks = [deck(UNLUCKY, seed) for seed in (good[0], *bad, good[1])]
    outcomes = simulate([Point({}, one, Waveforms.last) for one in decks], None, jobs=1)
    assert [outcome.error.reason if outcome.error else None for outcome in outcomes] == [None, Reason.DRAWS, Reason.DRAWS, None]
    assert f"seed {bad[0]}: math domain error" in str(outcomes[1].error)
    assert outcomes[0].row != outcomes[3].row
    plain = simulate([Point({}, dataclasses.replace(decks[1], plain=True), Waveforms.last)], None, jobs=1)
    assert plain[0].error is not None, "nor does ngspice draw a number of its own for it"
