"""A batch in a process of its own, to be interrupted: `python simulator_batch.py STORE POINTS JOBS [endless]`."""

from __future__ import annotations

import sys

from simulator_decks import endless, everything, rc

from cosim.simulator import Point, Store, simulate


def points(count: int) -> list[Point]:
    """Transients of 50 000 steps each."""
    return [Point({"resistance_ohm": 1e3 + k}, rc(1e3 + k, stop_s=50e-6, max_step_s=1e-9), everything) for k in range(count)]


if __name__ == "__main__":
    count, jobs = int(sys.argv[2]), int(sys.argv[3])
    # With points that never end a batch is not over before it is interrupted, however slow the one who interrupts it is.
    never = [Point({"endless": k}, endless(), everything) for k in range(jobs)] if sys.argv[4:] == ["endless"] else []
    with Store(sys.argv[1]) as store:
        simulate([*points(count), *never], store, jobs=jobs)
