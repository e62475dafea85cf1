"""Nodes that float behind transistors that are off: where a transient starts."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from cosim.bench.bench import Bench, ColumnSize
from cosim.characterize import switching
from cosim.design import load_design
from netlists.synapse import SynapseSetting

DESIGNS = Path(__file__).parents[2] / "designs"


def starts_of_a_column(*searched_at: float) -> list[tuple[dict[str, float], int]]:
    """Nodes at time zero of a column of the reference circuit whose operating point is searched for at each of these tolerances,
    and how many pseudo-transients that took. Run through a spawned process only."""
    from cosim.simulator import session as module

    design = load_design(DESIGNS / "iris_5_5_5.toml")
    bench = Bench(design, design.process.pdk(), None, jobs=1)
    pulse = switching.Pulse(SynapseSetting(1, 0.5), 0.3, 1)
    column = next(switching.points(bench, bench.cells(), ColumnSize(5, 5), pulse, 5e-14)).deck
    session, starts = module.NgspiceSession(), []
    for reltol in searched_at:
        module.OPERATING_POINT_RELTOL = reltol
        deck = replace(
            column, analysis=replace(column.analysis, stop_s=2e-9), options=replace(column.options, reltol=0.9 * reltol)
        )
        starts.append((dict(session.run(deck).start), session.fallbacks))
    return starts


def test_where_no_search_finds_it_a_circuit_settles_to_the_operating_point_of_one_that_did() -> None:
    """At 3e-6 the search succeeds, at 1e-6 it fails. Behind a PMOS pair that is off 0.2 pA decide: 1.7945 V, where a search after
    one that failed says 0.73 V without a word."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        (found, none), (settled, failed) = executor.submit(starts_of_a_column, 3e-6, 1e-6).result()
    assert (none, failed) == (0, 2)  # ngspice's own pseudo-transient, and the one that settles
    assert found["xcolumn_synapse_0_0.p_middle"] == pytest.approx(1.7945, abs=5e-4)
    assert settled == pytest.approx(found, abs=2e-5)
