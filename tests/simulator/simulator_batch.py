"""A batch in a process of its own, to be interrupted: `python simulator_batch.py STORE POINTS JOBS`."""

from __future__ import annotations

import sys

from simulator_decks import everything, rc

from cosim.simulator import Point, Store, simulate


def points(count: int) -> list[Point]:
    """Transients of 50 000 steps each."""
    return [Point({"resistance_ohm": 1e3 + k}, rc(1e3 + k, stop_s=50e-6, max_step_s=1e-9), everything) for k in range(count)]


if __name__ == "__main__":
    with Store(sys.argv[1]) as store:
        simulate(points(int(sys.argv[2])), store, jobs=int(sys.argv[3]))
