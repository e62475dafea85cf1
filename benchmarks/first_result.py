"""`python -m benchmarks.first_result DESIGN FOLDER`: when the first outcome of a big sweep is there."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from cosim.design import load_design
from cosim.design.condition import product
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from cosim.simulator import Outcome, WorkerPool
from sky130_models.corners import Corner


class _FirstHeard(Exception):
    pass


class _Stopwatch(Monitor):
    def outcome(self, outcome: Outcome) -> None:
        raise _FirstHeard


def main() -> None:
    file, folder = Path(sys.argv[1]), Path(sys.argv[2])
    design = load_design(file)
    conditions = product(
        design,
        corners=(Corner.TT, Corner.SS, Corner.FF, Corner.SF, Corner.FS),
        temperatures_c=(-40.0, 125.0),
        supplies_v=(1.62, 1.8),
        seeds=range(9),
    )
    codes = 2 * design.characterization.codes
    with RunDirectory(folder / "run").open(design.name) as directory, WorkerPool(jobs=2) as pool:
        pool.prepare()
        from cosim.sweep.run import SweepOptions, run_sweep

        try:
            run_sweep(design, file, ["synapse_current"], conditions, directory, pool, _Stopwatch(), SweepOptions())
        except _FirstHeard:
            print(json.dumps({"first_unix_s": time.time(), "points": codes * len(conditions)}))


if __name__ == "__main__":
    main()
