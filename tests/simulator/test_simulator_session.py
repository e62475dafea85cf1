"""Answers of ngspice against closed forms, and that no failure leaves anything behind."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from simulator_decks import (
    RC_S,
    broken,
    diode,
    divider,
    everything,
    fails,
    fets,
    floating,
    follower,
    missing_name,
    random_divider,
    rc,
    read_raw,
    starting_point,
)
from simulator_sessions import (
    after_a_fallback,
    broken_between_good,
    growth_mb,
    in_fresh_process,
    settings_between,
    threads_of_bare_ngspice,
    threads_of_session,
)

from cosim.simulator import DcSweep, Deck, OperatingPoint, Outcome, Point, Reason, SolverOptions, WorkerPool, simulate, spiceinit

pytestmark = pytest.mark.slow


def run(*decks: Deck, jobs: int = 1) -> list[Outcome]:
    return simulate([Point({"title": deck.title}, deck, everything) for deck in decks], jobs=jobs)


def row(deck: Deck) -> dict[str, np.ndarray]:
    outcome = run(deck)[0]
    assert outcome.error is None
    assert outcome.row is not None
    return outcome.row


def test_rc_charge_follows_the_exponential_and_the_step_decides_the_error() -> None:
    errors = []
    for max_step_s in (40e-9, 10e-9):
        result = row(rc(max_step_s=max_step_s))
        errors.append(np.max(np.abs(result["v(out)"] - (1 - np.exp(-result["axis"] / RC_S)))))
    assert errors[1] < 1e-4
    assert errors[1] < errors[0]
    assert row(rc(2e3))["v(out)"][-1] == pytest.approx(1 - np.exp(-5), abs=1e-4)


def test_divider_operating_point() -> None:
    result = row(divider())
    assert result["v(mid)"] == pytest.approx([0.75])
    assert result["i(v1)"] == pytest.approx([-0.25e-3])


def test_nested_sweep_is_flat_with_the_outer_source_slowest() -> None:
    sweep = DcSweep("v1", 0.0, 1.0, 0.25, outer=DcSweep("v2", -1.0, 1.0, 1.0))
    outcome = simulate([Point({}, divider(sweep), outer_and_inner)])[0]
    assert outcome.row is not None
    inner, outer = outcome.row["inner"], outcome.row["outer"]
    assert inner == pytest.approx(np.tile(np.linspace(0, 1, 5), 3))
    assert outer == pytest.approx(np.repeat([-1.0, 0.0, 1.0], 5))
    assert outcome.row["mid"] == pytest.approx(inner + (outer - inner) * 0.25)


def outer_and_inner(waveforms) -> dict[str, object]:  # type: ignore[no-untyped-def]
    return {"inner": waveforms.axis, "outer": waveforms.outer_axis, "mid": waveforms["V(MID)"]}


def test_temperature_sweep_and_option_agree() -> None:
    sweep = Deck("diode", diode().netlist, "", DcSweep("temp", 27.0, 87.0, 30.0), ("i(v1)",))
    hot = Deck("diode", diode().netlist, "", diode().analysis, ("i(v1)",), SolverOptions(temperature_c=57.0))
    swept = row(sweep)
    assert swept["axis"] == pytest.approx([27.0, 57.0, 87.0])
    assert swept["i(v1)"][1] == pytest.approx(row(hot)["i(v1)"][0], rel=1e-6)
    assert swept["i(v1)"][2] / swept["i(v1)"][0] > 10


def test_broken_decks_cost_one_point_each_and_change_nothing() -> None:
    decks = broken()
    assert len(decks) >= 12
    outcomes = run(rc(), *[deck for broken_deck, _ in decks.values() for deck in (broken_deck, rc())])
    assert {o.point.deck.title: o.error.reason for o in outcomes if o.error} == {d.title: reason for d, reason in decks.values()}
    goods = [outcome.row for outcome in outcomes[::2]]
    assert len({good["v(out)"].tobytes() for good in goods if good}) == 1
    assert None not in goods
    for outcome in outcomes[1::2]:
        assert outcome.error is not None
        assert outcome.error.deck == outcome.point.deck.text()
        assert "\n" not in str(outcome.error)


def test_failures_leave_nothing_in_the_session_itself() -> None:
    """In one process that is not replaced: a deck that does not load must not give the result of the one before."""
    names = ["unknown_subcircuit", "missing_include", "unknown_model", "loop_of_sources", "no_solution", "stops_early",
             "missing_vector", "missing_library", "missing_sweep_source"]  # fmt: skip
    results = in_fresh_process(broken_between_good, names)
    assert [reason for _, reason in results[::3]] == [str(broken()[name][1]) for name in names]
    assert len(set(results[1::3])) == 1
    assert len(set(results[2::3])) == 1


def test_memory_stays_flat() -> None:
    assert in_fresh_process(growth_mb, 200) < 200 * 0.01


def test_ngspice_keeps_to_one_thread() -> None:
    assert in_fresh_process(threads_of_session) == 0
    assert in_fresh_process(threads_of_bare_ngspice) > 0


def test_the_word_error_in_a_deck_is_no_error() -> None:
    plain = row(divider())
    named = row(divider(node="error", title="an error of `whoami` > $HOME; 'quotes'"))
    assert named["v(error)"][0] == plain["v(mid)"][0] == pytest.approx(0.75)


def test_spiceinit_of_the_user_has_no_influence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = row(diode())["i(v1)"][0]
    (tmp_path / ".spiceinit").write_text("option tnom=77\nset num_threads=7\n")
    (tmp_path / "diode.spice").write_text(diode().text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert row(diode())["i(v1)"][0] == before
    assert abs(plain_ngspice(tmp_path, "diode.spice")["i(v1)"][0] / before - 1) > 0.1


def test_the_settings_of_a_deck_hold_for_it_alone() -> None:
    both, one = ("set mark=5", "set other"), ("set other",)
    heard = in_fresh_process(settings_between, [(), both, both, one, ()])
    assert [said for said, _ in heard] == ["0 0", "1 1", "1 1", "0 1", "0 0"]
    assert [value for _, value in heard] == [pytest.approx(0.75)] * 5


def test_draws_depend_on_the_seed_alone() -> None:
    seeds = [1, 2, None, 1, None, 3]
    one, two = (run(*[random_divider(seed) for seed in seeds], jobs=jobs) for jobs in (1, 2))
    values = [outcome.row["v(mid)"][0] for outcome in one if outcome.row]
    assert values == [outcome.row["v(mid)"][0] for outcome in two if outcome.row]
    assert values[0] == values[3]
    assert values[2] == values[4]
    assert len(set(values[:2] + values[5:])) == 3
    assert abs(values[0] - 0.5) > 1e-4


@pytest.mark.parametrize(
    "deck", [rc(), divider(DcSweep("v1", 0.0, 1.0, 0.25, outer=DcSweep("v2", 0.0, 1.0, 0.5))), random_divider(5), fets(4)],
    ids=lambda deck: deck.title,
)  # fmt: skip
def test_stand_alone_deck_gives_the_same_numbers(deck: Deck, tmp_path: Path) -> None:
    (tmp_path / "deck.spice").write_text(deck.text())
    (tmp_path / ".spiceinit").write_text(spiceinit(deck.setup))
    theirs, ours = plain_ngspice(tmp_path, "deck.spice"), row(deck)
    for name in deck.save:
        assert np.array_equal(theirs[name], ours[name])
        assert np.ptp(ours[name]) > 0 or len(ours[name]) == 1


def plain_ngspice(folder: Path, deck: str) -> dict[str, np.ndarray]:
    program = shutil.which("ngspice")
    assert program, "the stand-alone check needs the ngspice program"
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    subprocess.run(
        [program, "-b", "-r", "out.raw", deck], cwd=folder, env=environment, check=True, capture_output=True, timeout=60
    )
    return read_raw(folder / "out.raw")


def test_errors_of_the_extraction_keep_the_worker() -> None:
    with WorkerPool(jobs=1) as pool:
        tasks = [everything, fails, missing_name, everything]
        outcomes = list(pool.map([Point({}, divider(), extract) for extract in tasks]))
    reasons = [outcome.error.reason if outcome.error else None for outcome in outcomes]
    assert reasons == [None, Reason.EXTRACTION, Reason.MISSING_VECTOR, None]
    assert "ZeroDivisionError: of purpose" in str(outcomes[1].error)
    assert outcomes[0].row is not None
    assert outcomes[3].row is not None
    assert outcomes[0].row["pid"] == outcomes[3].row["pid"]


def test_saved_device_parameters_and_hierarchical_nodes() -> None:
    netlist = "v1 a 0 1\nx1 a half\n.subckt half p\nr1 p m 1k\nr2 m 0 1k\n.ends"
    deck = Deck("hierarchy", netlist, "", divider().analysis, ("v(x1.m)", "@r.x1.r1[i]"))
    result = row(deck)
    assert result["v(x1.m)"][0] == pytest.approx(0.5)
    assert result["@r.x1.r1[i]"][0] == pytest.approx(0.5e-3)


def test_a_net_on_capacitors_alone_is_a_failure_that_names_it() -> None:
    outcome = run(floating())[0]
    assert outcome.error is not None and outcome.error.reason is Reason.SINGULAR_MATRIX
    assert "lost" in str(outcome.error)
    assert outcome.fallbacks >= 1 and run(follower())[0].fallbacks == 0


def test_a_transient_starts_from_the_operating_point() -> None:
    """The point is solved at a looser tolerance than the transient; it is that of an analysis of its own, and stays there."""
    deck = follower()
    alone = row(Deck("point", deck.netlist, "", OperatingPoint(), ("v(out)", "v(d)", "v(g)")))
    start = simulate([Point({}, deck, starting_point)])[0].row
    assert start is not None and start == pytest.approx({"d": 1.0, "g": 0.6, "out": alone["v(out)"][0]}, rel=1e-5)
    before = row(deck)
    at_rest = before["v(out)"][before["axis"] < 0.9e-9]
    assert len(at_rest) > 2 and np.ptp(at_rest) < 1e-6 < np.ptp(before["v(out)"])


def test_what_is_loaded_before_does_not_change_where_a_transient_starts() -> None:
    decks = [follower(0.6), follower(0.55), follower(0.6), follower(0.62), follower(0.55)]
    together = [outcome.row["v(out)"].tobytes() for outcome in run(*decks) if outcome.row]
    alone = [row(deck)["v(out)"].tobytes() for deck in decks]
    assert together == alone and len(set(alone)) == 3


def test_a_stand_alone_deck_with_its_start_gives_the_same_numbers(tmp_path: Path) -> None:
    deck = follower()
    start = simulate([Point({}, deck, starting_point)])[0].row
    assert start is not None
    known = dataclasses.replace(deck, start=tuple(start.items()))
    (tmp_path / "deck.spice").write_text(known.text())
    (tmp_path / ".spiceinit").write_text(spiceinit(known.setup))
    theirs, ours = plain_ngspice(tmp_path, "deck.spice"), row(known)
    assert np.array_equal(theirs["v(out)"], ours["v(out)"]) and known.digest() != deck.digest()
    assert ours["v(out)"][-1] == pytest.approx(row(deck)["v(out)"][-1], abs=1e-9)


def test_where_a_fallback_was_made_to_start_is_not_where_the_next_point_starts() -> None:
    alone, after, first = in_fresh_process(after_a_fallback)
    assert after == alone != first
