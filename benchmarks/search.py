"""What a search finds with a fraction of the evaluations of a grid: a small space that is evaluated whole, cell by cell in SPICE.

Every point of the grid is a trial: its cells characterised, its network trained, its energy, area and fidelity predicted. The
search goes over the same ranges without the grid. What was evaluated is kept in `runs/benchmark_search` of the checkout, or where
the environment variable COSIM_RUNS says: a run that was stopped goes on.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure
from cosim.design import load_design
from cosim.runs.progress import Monitor
from cosim.search.evaluation import Place, evaluated, retrained
from cosim.search.pareto import hypervolume
from cosim.search.run import search_design
from cosim.search.space import Values, dimensions, trial_design
from cosim.search.trials import Trial, cost_table, front, violations
from training.files import read_toml

PACKAGES = ("optuna", "PySpice", "torch")
ROOT = Path(__file__).parents[1]

DESIGN = """
name = "search_space"
[synapse]
kind = "current_source"
[accuracy]
reltol = 3e-5
max_step_s = 20e-9
[characterization]
codes = 4
membrane_points = 6
firing_points = 16
[network]
layers = [3]
split_seed = 2
[training]
epochs = 40
learning_rate = 0.02
[search]
objectives = ["energy", "area", "fidelity"]
networks = 1
startup = 5
[search.limits]
"training.test_accuracy" = { min = 0.9 }
[search.vary]
"timing.phase_s" = { low = 0.5e-6, high = 2e-6, step = 0.5e-6 }
"neuron.membrane_capacitor_um" = { low = 4.0, high = 7.0, step = 3.0 }
"training.energy_penalty" = { low = 0.003, high = 0.3, log = true }
"training.softmax_temperature" = { low = 0.04, high = 0.16, log = true }
"""

LEVELS = (4, 2, 6, 4)
"""Of each field of the space, its ends included; all that a step allows."""

CIRCUIT = 2
"""So many of them, the first ones, change the circuit; the others its training."""

SEEDS = (0,)
"""Of the search: its trials are counted for each, and the mean is told."""

MOST = 40
"""Trials of one search that does not get there."""

SHARE = 15
"""So many times fewer evaluations than the grid's are wanted of a search."""

DRAWS = 200
"""Of as many points of the grid, at random: what no search at all finds."""

FloatArray = NDArray[np.float64]


def figures(quick: bool) -> Iterator[Figure]:
    """The grid, then searches until they dominate as much; two levels and one seed if `quick`."""
    folder = Path(os.environ.get("COSIM_RUNS", ROOT / "runs")) / "benchmark_search"
    folder.mkdir(parents=True, exist_ok=True)
    levels, seeds, most = ((2, 2, 2, 2), SEEDS[:1], 8) if quick else (LEVELS, SEEDS, MOST)
    grid, search = _grid(folder, levels), load_design(_design(folder, 0)).search
    reference = _bound(_costs(grid, search.objectives))
    whole = hypervolume(_costs(grid, search.objectives), reference)
    best = len(front(grid, search.objectives))
    yield Figure("search.grid_evaluations", len(grid), "", "", f"{' x '.join(map(str, levels))} levels; {best} on the front")
    counts, volumes, early = [], [], []
    few = max(len(grid) // SHARE, 1)
    for seed in seeds:
        count, volume = 0, 0.0
        while volume < whole and count < most:
            count += 1
            trials = _searched(folder, seed, count)
            volume = hypervolume(_costs(trials, search.objectives), reference)
        counts.append(count)
        volumes.append(volume / whole)
        early.append(hypervolume(_costs(trials[:few], search.objectives), reference) / whole)
    told = ", ".join(f"{count} with {volume:.3f} of it" for count, volume in zip(counts, volumes, strict=True))
    yield Figure(
        "search.evaluations", float(np.mean(counts)), "", "",
        f"of the search to the hypervolume of the grid, mean over {len(seeds)} seeds: {told}; at most {most} are made",
    )  # fmt: skip
    yield Figure("search.evaluations_ratio", len(grid) / float(np.mean(counts)), "", "at least 15", "grid over search")
    yield Figure("search.hypervolume_ratio", float(np.mean(volumes)), "", "at least 1", "search over grid, after these")
    at_random = {drawn: _at_random(grid, search.objectives, reference, drawn) / whole for drawn in (few, round(np.mean(counts)))}
    yield Figure(
        "search.hypervolume_after_a_fifteenth", float(np.mean(early)), "", "",
        f"search over grid, {few} evaluations; of so many points of the grid at random {at_random[few]:.3f}",
    )  # fmt: skip
    drawn, reached = next(reversed(at_random.items()))
    yield Figure("search.hypervolume_at_random", reached, "", "", f"{drawn} points of the grid, mean of {DRAWS} draws")


def _at_random(grid: Sequence[Trial], objectives: Sequence[str], reference: FloatArray, count: int) -> float:
    """Hypervolume of so many points of the grid, the mean over draws; 0 where none of them holds the limits."""
    random = np.random.default_rng(0)
    draws = [[grid[k] for k in random.choice(len(grid), count, replace=False)] for _ in range(DRAWS)]
    feasible = [drawn for drawn in draws if any(trial.is_feasible for trial in drawn)]
    return sum(hypervolume(_costs(drawn, objectives), reference) for drawn in feasible) / DRAWS


def _searched(folder: Path, seed: int, count: int) -> Sequence[Trial]:
    """The first trials of a search, which takes simulated points from the grid where it comes to the same circuit."""
    out = folder / f"seed_{seed}"
    if not (out / "search.json").exists():
        shutil.rmtree(out, ignore_errors=True)
        search_design(_design(folder, seed), out, trials=1, jobs=1)
        shutil.copy(folder / "points.sqlite", out / "points.sqlite")
    return search_design(_design(folder, seed), out, trials=count, jobs=1).trials


def _costs(trials: Sequence[Trial], objectives: Sequence[str]) -> FloatArray:
    """Of the trials that hold the limits, [trials, objectives]: logarithms, but for shares, as the search itself sees them."""
    costs = cost_table([trial for trial in trials if trial.is_feasible], objectives)
    return np.column_stack([c if name == "accuracy" else np.log10(c) for name, c in zip(objectives, costs.T, strict=True)])


def _bound(costs: FloatArray) -> FloatArray:
    """The worst of each objective and a tenth of its range more: what volumes are counted up to."""
    return np.asarray(costs.max(0) + 0.1 * np.ptp(costs, axis=0))


def _design(folder: Path, seed: int) -> Path:
    path = folder / f"search_space_{seed}.toml"
    path.write_text(DESIGN.replace("[search]\n", f"[search]\nseed = {seed}\n"))
    return path


def _grid(folder: Path, levels: Sequence[int]) -> list[Trial]:
    """Every point of the grid, each a trial with its file; those of one circuit share a run, and its cells."""
    design_file = _design(folder, 0)
    design = load_design(design_file)
    space, raw = dimensions(design), read_toml(design_file)
    points = itertools.product(
        *([one.at(share) for share in np.linspace(0.0, 1.0, count)] for one, count in zip(space, levels, strict=True))
    )
    of_grid, found = folder / f"grid_{'_'.join(map(str, levels))}", list[Trial]()
    for number, values in enumerate(points):
        place, circuit = of_grid / f"{number:04d}", number // int(np.prod(levels[CIRCUIT:]))
        asked: Values = {one.path: value for one, value in zip(space, values, strict=True)}
        if (place / "trial.json").exists():
            found.append(Trial.load(place))
            continue
        place.mkdir(parents=True, exist_ok=True)
        (place / "design.toml").write_text(trial_design(raw, folder, design, asked, f"grid-{circuit:03d}"))
        run = of_grid / f"circuit_{circuit:03d}" / "run"
        if (run / "network.json").exists():
            metrics = retrained(load_design(place / "design.toml"), run, place)
        else:
            metrics, *_ = evaluated(Place(place / "design.toml", run, folder / "points.sqlite"), 1, Monitor())
        found.append(Trial(number, asked, metrics=metrics, violated=violations(design.search.limits, metrics)))
        found[-1].save(place)
    return found
