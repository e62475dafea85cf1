"""Which design is tried next: it follows from the space, the seed and the trials before; a killed search goes on alike."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import qmc

from cosim.search.space import Dimension, Values
from cosim.search.trials import DONE, Trial

SMALLEST = 1e-30
"""No objective is told smaller than this: it is told as a logarithm."""


def next_values(
    space: Sequence[Dimension], objectives: Sequence[str], trials: Sequence[Trial], startup: int, seed: int
) -> Values:
    """The design's own values first, then a Latin hypercube, then where the hypervolume is expected to grow most.

    Constrained Bayesian optimisation: Gaussian processes of every objective and every limit, expected improvement of the
    hypervolume times the probability that the limits hold (optuna's GPSampler). A point that was tried before is replaced by
    one at random.
    """
    number = len(trials)
    tried = [trial.values for trial in trials]
    asked = _startup(space, number, startup, seed)
    if asked is None:
        known = [trial for trial in trials if trial.state == DONE]
        asked = _learnt(space, objectives, known, seed + number) if len(known) > 1 else None
    random = np.random.default_rng((seed, number))
    for _ in range(100):
        if asked is not None and asked not in tried:
            break
        asked = {one.path: one.at(share) for one, share in zip(space, random.random(len(space)), strict=True)}
    assert asked is not None
    return asked


def _startup(space: Sequence[Dimension], number: int, startup: int, seed: int) -> Values | None:
    own = {one.path: one.own_value for one in space}
    has_own = all(value is not None for value in own.values())
    if has_own and number == 0:
        return {path: value for path, value in own.items() if value is not None}
    if number >= startup:
        return None
    shares = qmc.LatinHypercube(len(space), rng=np.random.default_rng(seed)).random(startup - has_own)[number - has_own]
    return {one.path: one.at(share) for one, share in zip(space, shares, strict=True)}


def _learnt(space: Sequence[Dimension], objectives: Sequence[str], trials: Sequence[Trial], seed: int) -> Values:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {one.path: _distribution(one) for one in space}
    sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=2, warn_independent_sampling=False)
    study = optuna.create_study(directions=["minimize"] * len(objectives), sampler=sampler)
    for trial, scores in zip(trials, told_scores(trials, objectives), strict=True):
        study.add_trial(
            optuna.trial.create_trial(
                params={one.path: _told(one, trial.values[one.path]) for one in space},
                distributions=distributions,
                values=scores,
                constraints=trial.violated or None,
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = study.ask(distributions).params
    return {one.path: _heard(one, found[one.path]) for one in space}


def told_scores(trials: Sequence[Trial], objectives: Sequence[str]) -> list[list[float]]:
    """What the processes learn of each trial: logarithms, but for shares, for what matters of an energy is its ratio.

    A trial that misses a limit counts as at most as good, and as bad, as those that hold them: a network that never fires has no
    energy and no error at all, and thirty decades of difference leave no process anything to learn from the others.
    """
    scores = np.array([_scores(trial, objectives) for trial in trials])
    holding = np.array([trial.is_feasible for trial in trials])
    if holding.any():
        scores = np.clip(scores, scores[holding].min(0), scores[holding].max(0))
    return [list(map(float, row)) for row in scores]


def _scores(trial: Trial, objectives: Sequence[str]) -> list[float]:
    costs = zip(objectives, trial.costs(objectives), strict=True)
    return [cost if name == "accuracy" else float(np.log10(max(cost, SMALLEST))) for name, cost in costs]


def _distribution(one: Dimension) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if one.varied.choices:
        return CategoricalDistribution(list(range(len(one.varied.choices))))
    if one.is_whole:
        return IntDistribution(int(one.low), int(one.high), log=one.varied.log, step=int(one.varied.step or 1))
    return FloatDistribution(one.low, one.high, log=one.varied.log, step=one.varied.step)


def _told(one: Dimension, value: Any) -> Any:
    return list(one.varied.choices).index(value) if one.varied.choices else value


def _heard(one: Dimension, value: Any) -> Any:
    if one.varied.choices:
        return one.varied.choices[value]
    return int(value) if one.is_whole else one.on_grid(value)
