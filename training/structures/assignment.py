"""Device codes after training, without fine tuning: chosen together, so that what the neurons see is nearest to what it was.

A neuron sees its weights through its inputs: of deviations d of its weights its membrane is off by sum_j d_j a_j, and over
samples by the energy d H d with H the second moments of the inputs, which are far from independent. Codes are assigned by
simulated annealing (Kirkpatrick et al. 1983) neuron by neuron, from the best that single changes reach (greedy), and never end
above that. Of a die the weight of every code of every device may be another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError

FloatArray = NDArray[np.float64]
Codes = NDArray[np.uint8]

SWEEPS, FIRST_SHARE, LAST_SHARE, PARTNERS = 100, 0.02, 1e-4, 16
"""Of an annealing: sweeps over a neuron's codes, first and last temperature over the mean energy that a single change costs, and
how many other devices change together with one."""

HELD = 1e-3
"""How much weights that make up for other inputs are held, over the mean second moment."""

ROUNDS = 4
"""In how many turns codes and levels are found."""


class AssignmentError(TrainingError):
    """Weights, levels and inputs that do not fit together. One line."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """Codes [out, in], what they give [out, in], and the energy of each neuron, [out]."""

    codes: Codes
    weights: FloatArray
    energy: FloatArray


def second_moments(t: FloatArray, with_others: FloatArray | None = None) -> FloatArray:
    """H of inputs that spike at `t` [samples, in] (phases): a spike moves a membrane for what is left of the phase.

    `with_others`: spikes of the same samples, [samples, others], whose products with those of `t` are asked for, [in, others].
    """
    remaining, other = (np.clip(1.0 - own, 0.0, 1.0) for own in (t, t if with_others is None else with_others))
    return np.asarray(remaining.T @ other / len(t))


def made_up(weight: FloatArray, moments: FloatArray, crossed: FloatArray) -> FloatArray:
    """The weights [out, in] that do nearest on inputs as they are what `weight` does on those that were meant.

    Least squares, held at `weight` where the inputs say nothing.

    Args:
        moments: of the inputs as they are.
        crossed: of those that were meant with them (`second_moments(meant, seen)`).
    """
    held = moments + HELD * np.trace(moments) / len(moments) * np.eye(len(moments))
    return np.asarray(weight + np.linalg.solve(held, (weight @ (crossed - moments)).T).T)


def lloyd_levels(weight: FloatArray, count: int) -> FloatArray:
    """So many levels with the least square error of independent weights (Lloyd 1957, Max 1960), rising."""
    flat = np.sort(weight.reshape(-1))
    levels = np.quantile(flat, (np.arange(count) + 0.5) / count)
    sums = np.concatenate([[0.0], np.cumsum(flat)])
    for _ in range(200):
        edges = np.concatenate([[0], np.searchsorted(flat, (levels[1:] + levels[:-1]) / 2), [len(flat)]])
        held = np.diff(edges)
        means = np.diff(sums[edges]) / np.maximum(held, 1)
        levels = np.where(held > 0, means, levels)
    return levels


def rounded(weight: FloatArray, levels: FloatArray, moments: FloatArray) -> Assignment:
    """Every weight at the nearest level: `levels` are those of all devices [codes], or of each [out, in, codes]."""
    table = _table(weight, levels, moments)
    codes = np.abs(table - weight[..., None]).argmin(2).astype(np.uint8)
    return _assigned(weight, table, codes, moments)


def greedy(weight: FloatArray, levels: FloatArray, moments: FloatArray) -> Assignment:
    """From the nearest levels, single changes as long as one lowers the energy."""
    return _searched(weight, levels, moments, sweeps=0, seed=0, first=0.0)


def annealed(
    weight: FloatArray,
    levels: FloatArray,
    moments: FloatArray,
    seed: int = 0,
    sweeps: int = SWEEPS,
    first: float = FIRST_SHARE,
    start: Codes | None = None,
) -> Assignment:
    """Simulated annealing from what `greedy` reaches; of each neuron the better of the two.

    Args:
        weight: wanted, [out, in].
        levels: what codes give, those of all devices [codes] or of each [out, in, codes].
        moments: of the inputs, [in, in].
        sweeps, first: over the devices of a neuron; the first temperature over what a single change costs.
        start: codes to start from instead of the nearest levels.
    """
    return _searched(weight, levels, moments, sweeps, seed, first, start)


class SignSearch:
    """Signs x [K] of low energy x M x - 2 x c, of one M [K, K] and many c.

    Args:
        moments: M.
        first: the first temperature over what a change costs.
    """

    def __init__(self, moments: FloatArray, sweeps: int, draws: np.random.Generator, first: float = FIRST_SHARE) -> None:
        self.moments, self.sweeps, self.draws = np.ascontiguousarray(moments), sweeps, draws
        self._table, self._partners = np.tile([-1.0, 1.0], (len(moments), 1)), _partners(moments)
        self._inverse = np.linalg.pinv(moments, rcond=1e-12, hermitian=True)
        self._hot = first * _typical_change(self._table, moments)
        self._factor = (LAST_SHARE / first) ** (1.0 / max(sweeps - 1, 1))

    def annealed(self, signs: NDArray[np.int8], wanted: FloatArray) -> NDArray[np.int8]:
        """From given signs [rows, K], and never above them.

        Args:
            wanted: c of each row, [rows, K].
        """
        from training.structures.assignment_kernels import descend

        codes, targets = (signs > 0).astype(np.uint8), wanted @ self._inverse
        for own, target in zip(codes, targets, strict=True):
            descend(
                self._table, target, self.moments, self._partners, own, self.sweeps, self._hot, self._factor, self.draws
            )  # fmt: skip
        return (2 * codes.astype(np.int8) - 1).astype(np.int8)


def own_levels(
    weight: FloatArray, count: int, moments: FloatArray, possible: Callable[[FloatArray], FloatArray] = lambda levels: levels,
    seed: int = 0, rounds: int = ROUNDS,
) -> tuple[Codes, FloatArray]:  # fmt: skip
    """Codes [out, in] and so many levels of each neuron [out, count], found in turns.

    First those that are nearest to the weights by themselves. Then codes are annealed for the levels, and the levels refitted to
    the codes, which is linear; of each neuron the turn with the least energy is kept, so that none ends above what single
    changes reach at its first levels.

    Args:
        possible: the levels that can be set, nearest to given ones.
    """
    levels = possible(np.stack([lloyd_levels(own, count) for own in weight]))
    kept, kept_levels = greedy(weight, _of_each(levels, weight), moments), levels
    codes = kept.codes
    for turn in range(rounds):
        found = annealed(weight, _of_each(levels, weight), moments, seed + turn, start=codes)
        better = found.energy < kept.energy
        kept, kept_levels = _where(better, found, kept), np.where(better[:, None], levels, kept_levels)
        codes = found.codes
        fitted = [refitted(row[None], own[None], count, moments) for row, own in zip(weight, codes, strict=True)]
        levels = possible(np.where(_used(codes, count), np.stack(fitted), levels))
    return kept.codes, kept_levels


def rounded_to(weight: FloatArray, levels: FloatArray) -> Codes:
    """The nearest level of each neuron [out, count]."""
    return np.asarray(np.abs(_of_each(levels, weight) - weight[..., None]).argmin(2), dtype=np.uint8)


def _of_each(levels: FloatArray, weight: FloatArray) -> FloatArray:
    """Levels of neurons [out, count] as those of their devices, [out, in, count]."""
    return np.broadcast_to(levels[:, None], (*weight.shape, levels.shape[1]))


def _used(codes: Codes, count: int) -> NDArray[np.bool_]:
    return np.stack([np.bincount(own, minlength=count) > 0 for own in codes])


def _where(better: NDArray[np.bool_], one: Assignment, other: Assignment) -> Assignment:
    """Of each neuron the one or the other."""
    rows = better[:, None]
    return Assignment(
        np.where(rows, one.codes, other.codes), np.where(rows, one.weights, other.weights),
        np.where(better, one.energy, other.energy),
    )  # fmt: skip


def refitted(weight: FloatArray, codes: Codes, count: int, moments: FloatArray) -> FloatArray:
    """The levels, the same for all devices, with the least energy of these codes [out, in]: linear in `count` numbers."""
    gram, right = np.zeros((count, count)), np.zeros(count)
    for row, own in zip(weight, codes, strict=True):
        held = (own[:, None] == np.arange(count)).astype(float)
        seen = held.T @ moments
        gram += seen @ held
        right += seen @ row
    return np.asarray(np.linalg.lstsq(gram, right, rcond=None)[0])


def _searched(
    weight: FloatArray,
    levels: FloatArray,
    moments: FloatArray,
    sweeps: int,
    seed: int,
    first: float,
    start: Codes | None = None,
) -> Assignment:
    from training.structures.assignment_kernels import descend

    table = _table(weight, levels, moments)
    codes = (rounded(weight, levels, moments).codes if start is None else start).copy()
    draws = np.random.default_rng(seed)
    partners = _partners(moments)
    factor = (LAST_SHARE / first) ** (1.0 / max(sweeps - 1, 1)) if first else 1.0
    for neuron, own in enumerate(codes):
        hot = first * _typical_change(table[neuron], moments)
        descend(np.ascontiguousarray(table[neuron]), weight[neuron], moments, partners, own, sweeps, hot, factor, draws)
    return _assigned(weight, table, codes, moments)


def _partners(moments: FloatArray) -> NDArray[np.intp]:
    """The inputs that go with each input most, [in, some]."""
    size = np.sqrt(np.maximum(moments.diagonal(), 1e-300))
    together = np.abs(moments) / np.outer(size, size)
    np.fill_diagonal(together, -1.0)
    return np.ascontiguousarray(np.argsort(-together, axis=1)[:, : max(min(PARTNERS, len(moments) - 1), 1)])


def _typical_change(table: FloatArray, moments: FloatArray) -> float:
    """What a step to the next level alone would cost, in the mean over a neuron's devices."""
    step = np.ptp(table, axis=1) / max(table.shape[1] - 1, 1)
    return float((step**2 * moments.diagonal()).mean())


def _table(weight: FloatArray, levels: FloatArray, moments: FloatArray) -> FloatArray:
    if moments.shape != (weight.shape[1],) * 2:
        raise AssignmentError(f"moments: {moments.shape} do not fit weights of {weight.shape[1]} inputs")
    if not np.isfinite(weight).all() or not np.isfinite(levels).all():
        raise AssignmentError("weights, levels: hold what is no number")
    if levels.ndim == 1:
        return np.broadcast_to(levels, (*weight.shape, len(levels)))
    if levels.shape[:2] != weight.shape:
        raise AssignmentError(f"levels: {levels.shape} do not fit weights {weight.shape}")
    return levels


def _assigned(weight: FloatArray, table: FloatArray, codes: Codes, moments: FloatArray) -> Assignment:
    held = np.take_along_axis(table, codes[..., None].astype(np.intp), 2)[..., 0]
    off = weight - held
    return Assignment(codes, held, np.einsum("ki,ki->k", off @ moments, off))


def gain(one: Assignment, other: Assignment) -> float:
    """How many times the rms error that neurons see is smaller with one assignment than with another."""
    return math.sqrt(float(other.energy.sum() / one.energy.sum()))
