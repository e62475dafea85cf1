"""Trials of a search: what each was, what came of it, and its file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cosim.design.sections import Limit
from cosim.errors import InputError
from cosim.search.evaluation import METRIC_OF
from cosim.search.pareto import FloatArray, on_front
from cosim.search.space import Values
from training.files import read_json, why, write_whole

DONE, REFUSED, FAILED = "done", "refused", "failed"
TRIAL = "trial.json"


@dataclass(frozen=True)
class Trial:
    """One design that was tried.

    Attributes:
        values: by path, what it set.
        state: done, refused (a design that is none) or failed (no result); `reason` says why.
        metrics, spread: mean over its networks, and standard deviation (0 for one).
        violated: by limit, how far it was missed over the limit itself; at most 0 where it holds.
        circuit: metrics of its validation in SPICE, where there was one.
    """

    number: int
    values: Values
    state: str = DONE
    reason: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    violated: dict[str, float] = field(default_factory=dict)
    circuit: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0

    @property
    def is_feasible(self) -> bool:
        """Whether it has a result and holds all limits."""
        return self.state == DONE and all(value <= 0 for value in self.violated.values())

    def costs(self, objectives: Sequence[str]) -> list[float]:
        """What is minimised: mean of each objective, worse by its standard deviation; accuracy as the share that is wrong."""
        return [self._cost(METRIC_OF[name], name == "accuracy") for name in objectives]

    def _cost(self, metric: str, is_share: bool) -> float:
        mean, spread = self.metrics[metric], self.spread.get(metric, 0.0)
        return (1.0 - mean if is_share else mean) + spread

    def save(self, folder: Path) -> None:
        write_whole(folder / TRIAL, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> Trial:
        """Raises `InputError` for a file that is none."""
        try:
            content: Any = read_json(folder / TRIAL)
            values = {path: tuple(one) if isinstance(one, list) else one for path, one in content["values"].items()}
            return cls(**{**content, "values": values})
        except (OSError, ValueError, TypeError, KeyError) as error:
            told = why(error) if isinstance(error, OSError | ValueError) else str(error)
            raise InputError(f"{folder / TRIAL}: {told}; remove it, and the trial is made anew") from error


def means(found: Sequence[Mapping[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and standard deviation, over the networks of a trial, of every metric that all have; that of one network is 0."""
    names = [name for name in found[0] if all(name in one for one in found)]
    columns = {name: [one[name] for one in found] for name in names}
    spread = {name: statistics.stdev(values) if len(values) > 1 else 0.0 for name, values in columns.items()}
    return {name: statistics.fmean(values) for name, values in columns.items()}, spread


def violations(limits: Mapping[str, Limit], metrics: Mapping[str, float]) -> dict[str, float]:
    """By limit, how far a metric lies past it over the limit itself; negative inside."""
    found = {}
    for name, limit in limits.items():
        for bound, sign in ((limit.min, -1.0), (limit.max, 1.0)):
            if bound is not None and name in metrics:
                found[f"{name} {'below' if sign < 0 else 'above'} {bound:g}"] = (
                    sign * (metrics[name] - bound) / (abs(bound) or 1.0)
                )
    return found


def front(trials: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Those that hold all limits and that no other such trial dominates, in order of the first objective."""
    feasible = [trial for trial in trials if trial.is_feasible]
    if not feasible:
        return []
    costs = cost_table(feasible, objectives)
    best = [trial for trial, is_best in zip(feasible, on_front(costs), strict=True) if is_best]
    return sorted(best, key=lambda trial: trial.costs(objectives))


def cost_table(trials: Sequence[Trial], objectives: Sequence[str]) -> FloatArray:
    """Costs [trials, objectives]."""
    return np.array([trial.costs(objectives) for trial in trials], dtype=float).reshape(len(trials), len(objectives))
