"""Decks as text and waveforms as arrays: no simulator needed."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim import simulator
from cosim.errors import InputError
from cosim.simulator import DcSweep, Deck, OperatingPoint, Reason, SimulationError, SolverOptions, Transient, Waveforms
from cosim.simulator.deck import SETTINGS
from cosim.simulator.diagnosis import doubtful_solution, fallbacks, load_failure, run_failure

DECK = Deck("title", "v1 a 0 1\nr1 a 0 1k", "* models", OperatingPoint(), ("v(a)",))


def test_text_is_complete_and_in_order() -> None:
    deck = dataclasses.replace(DECK, analysis=Transient(1e-6, 1e-9, 2e-9, use_initial_conditions=True), seed=7)
    assert deck.text().splitlines() == [
        "title",
        "v1 a 0 1",
        "r1 a 0 1k",
        "* models",
        ".options reltol=3e-06 abstol=1e-15 vntol=1e-08 chgtol=1e-18 gmin=1e-12 method=trap",
        ".temp 27.0",
        ".option seed=8",
        ".save v(a)",
        ".tran 1e-09 1e-06 0.0 2e-09 uic",
        ".end",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"netlist": "v1 a 0 2\nr1 a 0 1k"},
        {"library": "* other models"},
        {"analysis": DcSweep("v1", 0.0, 1.0, 0.1)},
        {"analysis": DcSweep("v1", 0.0, 1.0, 0.1, DcSweep("v1", 0.0, 1.0, 0.1))},
        {"save": ("v(a)", "i(v1)")},
        {"seed": 2},
        *(
            {"options": SolverOptions(**{name: 3e-3})}
            for name in ("reltol", "abstol", "vntol", "chgtol", "gmin", "temperature_c")
        ),
        {"options": SolverOptions(method="gear")},
    ],
)
def test_digest_depends_on_all_that_decides_the_result_and_not_on_the_title(change: dict[str, object]) -> None:
    assert dataclasses.replace(DECK, title="another").digest() == DECK.digest()
    assert dataclasses.replace(DECK, **change).digest() != DECK.digest()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": " "}, "title: must be one line"),
        ({"title": "a\n.control"}, "title: must be one line"),
        ({"save": ()}, "save: name at least one"),
        ({"save": ("a",)}, "'a' is not v"),
        ({"save": ("v(`id`)",)}, "is not v"),
        ({"save": ("v(a) v(b)",)}, "is not v"),
        ({"seed": -1}, "seed: must be 0 or more"),
    ],
)
def test_bad_decks_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(DECK, **change)  # type: ignore[arg-type]


@given(
    start=st.floats(-5, 5),
    steps=st.integers(1, 2000),
    step=st.floats(1e-4, 1).flatmap(lambda size: st.sampled_from([size, -size])),
)
def test_points_of_a_sweep(start: float, steps: int, step: float) -> None:
    assert DcSweep("v1", start, start + steps * step, step).points == steps + 1
    assert DcSweep("v1", start, start + (steps + 0.5) * step, step).points == steps + 1


@pytest.mark.parametrize(
    ("start", "stop", "step"), [(0, 1, 0), (0, 1, -0.1), (1, 0, 0.1), (0, float("nan"), 0.1), (0, float("inf"), 1)]
)
def test_sweeps_that_never_end_are_refused(start: float, stop: float, step: float) -> None:
    with pytest.raises(InputError, match="does not lead"):
        DcSweep("v1", start, stop, step)


def test_transients_that_make_no_sense_are_refused() -> None:
    for stop, step, begin in [(0.0, 1e-9, 0.0), (1e-6, 0.0, 0.0), (1e-6, 1e-9, 1e-6), (float("inf"), 1e-9, 0.0)]:
        with pytest.raises(InputError, match="transient"):
            Transient(stop, step, step, begin)


@given(period=st.floats(0.1, 10), level=st.floats(-0.9, 0.9), phase=st.floats(0, 1), after=st.floats(0, 1), rising=st.booleans())
def test_crossings_of_a_triangle(period: float, level: float, phase: float, after: float, rising: bool) -> None:
    """Three periods of a triangle wave between -1 and 1, sampled at its corners and at uneven points between them."""
    corners = np.arange(7) * period / 2
    time = np.unique(np.concatenate([corners, np.random.default_rng(0).uniform(0, corners[-1], 50)]))
    triangle = np.interp(time, corners, [-1, 1, -1, 1, -1, 1, -1])
    waveforms = Waveforms(time, {"V(x)": triangle + 0.0})
    rise = (level + 1) / 2 * period / 2
    expected = np.arange(3) * period + (rise if rising else period - rise)
    start = after * 3 * period
    found = waveforms.crossings("v(X)", level, rising=rising, after=start)
    assert found == pytest.approx(expected[expected >= start - 1e-12 * period], rel=1e-9, abs=1e-9)
    assert waveforms.at("v(x)", expected) == pytest.approx(np.full(3, level), abs=1e-9)
    assert waveforms.at("v(x)", phase * period / 2) == pytest.approx(2 * phase - 1, abs=1e-9)


def test_waveforms_refuse_what_they_do_not_hold() -> None:
    waveforms = Waveforms(np.array([0.0, 1.0]), {"v(a)": np.array([0.0, 2.0])})
    assert waveforms.names == ("v(a)",)
    with pytest.raises(SimulationError, match=r"v\(b\) was not saved; the deck saves v\(a\)") as raised:
        waveforms["v(b)"]
    assert raised.value.reason is Reason.MISSING_VECTOR
    with pytest.raises(ValueError, match="lies outside"):
        waveforms.at("v(a)", 1.1)


def test_errors_survive_the_way_between_processes() -> None:
    error = SimulationError(Reason.TIMEOUT, "took too long", "deck text", "log text")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.reason, copy.deck, copy.log) == ("took too long", Reason.TIMEOUT, "deck text", "log text")
    assert copy.exit_code == 3


def test_ngspice_messages_are_told_from_netlist_text_that_is_echoed() -> None:
    assert load_failure(["Warning: Model issue on line 4 :", "error1 a 0 b 0 2", "Circuit: an Error: in a title"]) is None
    lines = ["Error on line 3 or its substitute:", "r1 b 0 1k nosuch=3", "unknown parameter (nosuch) "]
    assert load_failure(lines) == (Reason.LOAD, "r1 b 0 1k nosuch=3: unknown parameter (nosuch)")
    assert load_failure(["Error: unknown subckt: x1 a 0 nosuch"]) == (Reason.UNKNOWN_SUBCIRCUIT, "x1 a 0 nosuch")
    assert run_failure(["Warning: singular matrix:  check node b", "No. of Data Rows : 1"]) is None
    assert run_failure(["Trying gmin = 1 Warning: singular matrix:  check node b", "run simulation(s) aborted"]) == (
        Reason.SINGULAR_MATRIX,
        "check node b",
    )


def test_a_pseudo_transient_or_a_singular_matrix_is_no_operating_point() -> None:
    stepped = ["Note: Starting dynamic gmin stepping", "Trying gmin =   1.0E-03 Note: One successful gmin step"]
    assert doubtful_solution([*stepped, "Note: Dynamic gmin stepping completed"]) is None
    fallback = [
        *stepped,
        "Warning: source stepping failed",
        "Note: Transient op started",
        "Note: Transient op finished successfully",
    ]
    assert doubtful_solution(fallback)[0] is Reason.OPERATING_POINT
    singular = doubtful_solution(["Warning: singular matrix:  check node x1.lost", *fallback])
    assert singular == (Reason.SINGULAR_MATRIX, "check node x1.lost")


def test_a_fallback_is_counted_where_it_ends() -> None:
    once = ["Note: Transient op started", "Note: Transient op finished successfully"]
    assert (fallbacks([]), fallbacks(once), fallbacks([*once, "Note: Transient op started", *once])) == (0, 1, 2)


def test_a_worker_starts_with_the_settings_that_every_deck_expects() -> None:
    installed = Path(simulator.__file__).parent / "start" / ".spiceinit"
    assert tuple(installed.read_text().splitlines()) == SETTINGS
