"""Device codes after training, without fine tuning: chosen together, so that what the neurons see is nearest to what it was.

A neuron sees its weights through its inputs: of deviations d of its weights its membrane is off by sum_j d_j a_j, and over
samples by the energy d H d with H the second moments of the inputs, which are far from independent. Codes are assigned by
simulated annealing (Kirkpatrick et al. 1983) neuron by neuron, from the best that single changes reach (greedy), and never end
above that. Of a die the weight of every code of every device may be another one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.structures.code import Field, LayerCode
from training.structures.packing import bits_for

FloatArray = NDArray[np.float64]
Codes = NDArray[np.uint8]

SWEEPS, FIRST_SHARE, LAST_SHARE, PARTNERS = 100, 0.02, 1e-4, 16
"""Of an annealing: sweeps over a neuron's codes, first and last temperature over the mean energy that a single change costs, and
how many other devices change together with one."""


LEVELS = "levels"
"""The kind of a layer whose weights are some of a few levels."""


class AssignmentError(TrainingError):
    """Weights, levels and inputs that do not fit together. One line."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """Codes [out, in], what they give [out, in], and the energy of each neuron, [out]."""

    codes: Codes
    weights: FloatArray
    energy: FloatArray


def second_moments(t: FloatArray) -> FloatArray:
    """H of inputs that spike at `t` [samples, in] (phases): a spike moves a membrane for what is left of the phase."""
    remaining = np.clip(1.0 - t, 0.0, 1.0)
    return np.asarray(remaining.T @ remaining / len(t))


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
    weight: FloatArray, levels: FloatArray, moments: FloatArray, seed: int = 0, sweeps: int = SWEEPS, first: float = FIRST_SHARE
) -> Assignment:
    """Simulated annealing from what `greedy` reaches; of each neuron the better of the two.

    Args:
        weight: wanted, [out, in].
        levels: what codes give, those of all devices [codes] or of each [out, in, codes].
        moments: of the inputs, [in, in].
        sweeps, first: over the devices of a neuron; the first temperature over what a single change costs.
    """
    return _searched(weight, levels, moments, sweeps, seed, first)


def refitted(weight: FloatArray, codes: Codes, count: int, moments: FloatArray) -> FloatArray:
    """The levels, the same for all devices, with the least energy of these codes [out, in]: linear in `count` numbers."""
    gram, right = np.zeros((count, count)), np.zeros(count)
    for row, own in zip(weight, codes, strict=True):
        held = (own[:, None] == np.arange(count)).astype(float)
        seen = held.T @ moments
        gram += seen @ held
        right += seen @ row
    return np.asarray(np.linalg.lstsq(gram, right, rcond=None)[0])


def _searched(weight: FloatArray, levels: FloatArray, moments: FloatArray, sweeps: int, seed: int, first: float) -> Assignment:
    from training.structures.assignment_kernels import descend

    table = _table(weight, levels, moments)
    codes = rounded(weight, levels, moments).codes.copy()
    draws = np.random.default_rng(seed)
    partners = _partners(moments)
    factor = (LAST_SHARE / first) ** (1.0 / max(sweeps - 1, 1)) if first else 1.0
    for neuron, own in enumerate(codes):
        start = first * _typical_change(table[neuron], moments)
        descend(table[neuron], weight[neuron], moments, partners, own, sweeps, start, factor, draws)
    return _assigned(weight, table, codes, moments)


def _partners(moments: FloatArray) -> NDArray[np.intp]:
    """The inputs that go with each input most, [in, some]."""
    size = np.sqrt(np.maximum(moments.diagonal(), 1e-300))
    together = np.abs(moments) / np.outer(size, size)
    np.fill_diagonal(together, -1.0)
    return np.argsort(-together, axis=1)[:, : max(min(PARTNERS, len(moments) - 1), 1)]


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


def levels_code(found: Assignment, levels: FloatArray) -> LayerCode:
    """The code of an assignment to levels of all devices: as few bits a weight as tell them apart, and the levels."""
    return LayerCode(
        LEVELS, found.codes.shape, fields={"code": Field(found.codes, bits_for(len(levels)))},
        reals={"level": levels.astype(np.float32)},
    )  # fmt: skip


def levels_decoded(code: LayerCode) -> NDArray[np.float32]:
    """The weights of `levels_code`. Raises ValueError for a code that is none of its levels."""
    codes, levels = code.fields["code"].values, code.reals["level"]
    if codes.size != code.weights or int(codes.max()) >= len(levels):
        raise ValueError(f"code: are not {code.weights} numbers below {len(levels)}")
    return levels[codes.reshape(code.shape)]
