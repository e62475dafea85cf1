"""What is not about one run directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.pipeline.packages import one_line_errors
from cosim.runs.progress import Monitor, TerminalMonitor

if TYPE_CHECKING:
    from cosim.networks.study.result import StudyResult
    from cosim.runs.diff import Comparison
    from cosim.simulator import Outcome, Point
    from training.network import RCSpikeNetwork


def load_networks(directory: Path | str) -> dict[str, RCSpikeNetwork]:
    """The trained networks of a run directory in float64, by mapping ("ode", "conventional"), on the hardware of their training.

    Raises:
        InputError: a file is missing or does not fit, in one line.

    Example:
        import cosim

        cosim.HardwareModel.reference().save("reference.json")
        cosim.run("designs/iris_5_5_5.toml", out="runs/trained", until="train", hardware="reference.json")
        print([weight.shape for weight in cosim.load_networks("runs/trained")["ode"].effective_weights()])
    """
    with one_line_errors():
        from cosim.networks.training import load_networks as load

        return load(directory)


def study(
    study: Path | str,
    out: Path | str | None = None,
    *,
    data: Path | str | None = None,
    device: str = "cpu",
    jobs: int = 1,
    only: str = "",
    progress: bool = False,
) -> StudyResult:
    """Train and evaluate every network of a study, a grid of methods and settings, that is not done yet.

    Args:
        study: the study file (TOML; docs/training.md).
        out: folder of the result; runs/<name of the study> where None.
        data: folder of the data set's official files.
        device: "cpu" or "cuda".
        jobs: networks trained at a time; where more than one, in processes of one thread each. The rows are the same.
        only: the `run` of one row: train that network and no other.
        progress: show a bar on the terminal.

    Raises:
        InputError: a study, its data or its hardware that cannot be used, in one line. A training that fails costs its own
            network, which is then in `failures` of the result.

    Example:
        import cosim

        result = cosim.study("designs/studies/digits.toml", out="runs/digits")
        print(result.table.groupby(["method", "e_rev"]).test_accuracy.mean(), len(result.failures))
    """
    with one_line_errors():
        from cosim.networks.study.run import run_study

        monitor = TerminalMonitor() if progress else Monitor()
        return run_study(study, out, data=data, device=device, jobs=jobs, only=only, monitor=monitor)


def diff(run_a: Path | str, run_b: Path | str) -> Comparison:
    """What differs between two run directories: metrics, hardware parameters, limits.

    `metrics` and `hardware` of the result are changes with `name`, `before`, `after` and `relative`; `regressions` are limits
    that `run_a` passes and `run_b` fails, `repairs` the other way round.

    Raises:
        InputError: one of them holds no run, in one line.

    Example:
        import cosim

        cosim.HardwareModel.reference().save("reference.json")
        for name in ("before", "after"):
            cosim.run("designs/iris_5_5_5.toml", out=f"runs/{name}", until="train", hardware="reference.json")
        comparison = cosim.diff("runs/before", "runs/after")
        print(comparison.regressions, [(change.name, change.relative) for change in comparison.metrics])
    """
    from cosim.runs.diff import compare

    return compare(Path(run_a), Path(run_b))


def simulate(
    points: Iterable[Point],
    *,
    store: Path | str | None = None,
    jobs: int | None = None,
    timeout_s: float = 300.0,
    scheduler: str = "",
) -> Iterator[Outcome]:
    """Simulate decks of your own in worker processes; outcomes come as they end, in any order.

    Args:
        points: a deck, what to make of its waveforms, and what to call it, each; may be a generator without end.
        store: an SQLite file; what it knows is not simulated again.
        jobs: simulator processes; one per processor where None.
        timeout_s: a simulation that takes longer is stopped (seconds).
        scheduler: address of a Dask scheduler that simulates instead.

    Raises:
        SimulationError: no simulation can run at all. The error of one point is in its outcome.

    Example, with a simulator:
        import cosim

        deck = cosim.Deck("divider", "v1 in 0 1\\nr1 in out 1k\\nr2 out 0 1k", "", cosim.OperatingPoint(), ("v(out)",))
        points = [cosim.Point({"r2": r}, deck.with_values({"r2": r}), cosim.Waveforms.last) for r in (1000, 3000)]
        for outcome in cosim.simulate(points, jobs=1):
            print(outcome.point.condition, outcome.row or outcome.error)
    """
    from cosim.simulator import Store
    from cosim.simulator.batch import stream
    from cosim.simulator.pools import open_pool, processors

    with contextlib.ExitStack() as opened:
        known = opened.enter_context(Store(Path(store))) if store is not None else None
        pool = opened.enter_context(open_pool(jobs or processors(), timeout_s, scheduler))
        yield from stream(points, known, pool)
