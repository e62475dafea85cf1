"""What must be seen from inside one simulating process. Run through a spawned process only."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
from collections.abc import Callable
from typing import Any

import numpy as np
from simulator_decks import broken, divider, fets, follower, rc, resident_mb, threads

from cosim.simulator import Deck, Reason, SimulationError


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(function, *arguments).result()


def broken_between_good(names: list[str]) -> list[tuple[str, bytes | str]]:
    """Reasons of broken decks and bits of good ones, all in one session."""
    from cosim.simulator.session import NgspiceSession

    session = NgspiceSession()
    results: list[tuple[str, bytes | str]] = []
    for name in names:
        try:
            session.run(broken()[name][0])
        except SimulationError as error:
            results.append((name, str(error.reason)))
        for deck in (divider(), rc(stop_s=1e-6)):
            results.append((deck.title, _bits(session.run(deck), deck)))
    return results


def settings_between(setups: list[tuple[str, ...]]) -> list[tuple[str, float]]:
    """What ngspice says of the variables `mark` and `other` after a deck with each of these settings, and the deck's result."""
    from cosim.simulator.session import NgspiceSession

    session, heard = NgspiceSession(), list[tuple[str, float]]()
    for setup in setups:
        result = session.run(dataclasses.replace(divider(), setup=setup))
        session._tell("echo $?mark $?other")
        heard.append((session._hear()[-1].strip(), float(result["v(mid)"][0])))
    return heard


def _bits(waveforms: Any, deck: Deck) -> bytes:
    return b"".join(waveforms[name].tobytes() for name in deck.save)


def after_a_fallback() -> list[bytes]:
    """Bits of a point at a loose tolerance, by itself and after one of its circuit with a false operating point; of that one."""
    from cosim.simulator import session as module

    first, second = (follower(reltol=1e-5).with_values({"vg": volts}) for volts in (1.0, 0.55))
    session, honest, falsely = module.NgspiceSession(), module.doubtful_solution, [True]
    alone = _bits(session.run(second), second)
    session.run(divider())  # so that the circuit is loaded anew

    def doubtful(lines: list[str], settled: bool = False) -> Any:
        return (Reason.OPERATING_POINT, "said once") if falsely and falsely.pop() else honest(lines, settled)

    module.doubtful_solution = doubtful  # type: ignore[assignment]
    settled = session.run(first)
    assert settled.start and not falsely
    return [alone, _bits(session.run(second), second), _bits(settled, first)]


def growth_mb(simulations: int) -> float:
    """Resident memory that so many simulations leave behind."""
    from cosim.simulator.session import NgspiceSession

    session = NgspiceSession()
    for _ in range(20):
        session.run(rc())
    before = resident_mb()
    for _ in range(simulations):
        session.run(rc())
    return resident_mb() - before


def threads_of_session() -> int:
    """Threads that a simulation adds to its process."""
    from cosim.simulator.session import NgspiceSession

    session = NgspiceSession()
    before = threads()
    session.run(fets())
    return threads() - before


def threads_of_bare_ngspice() -> int:
    """The same without our settings."""
    from PySpice.Spice.NgSpice.Shared import NgSpiceShared

    from cosim.simulator.session import _find_library

    NgSpiceShared.LIBRARY_PATH = _find_library()
    shared = NgSpiceShared()
    before = threads()
    shared.load_circuit(fets().text())
    shared.run()
    return threads() - before


def values_of_decks(decks: list[Deck], ways: int) -> list[list[Any]]:
    """The last value of everything saved, all in one session; every `ways`-th deck goes into the same list.

    With three ways the second of each three is loaded afresh.
    """
    from cosim.simulator.session import NgspiceSession

    session = NgspiceSession()
    results: list[list[Any]] = [[] for _ in range(ways)]
    for number, deck in enumerate(decks):
        if ways == 3 and number % 3 == 1:
            session._clear()
        waveforms = session.run(deck)
        results[number % ways].append(np.concatenate([waveforms[name][-1:] for name in deck.save]))
    return results
