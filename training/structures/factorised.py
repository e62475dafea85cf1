"""Weights as a sum of products of binary vectors: W ~ Y r Z + Y s 1 + 1 t Z + u, with Y [out, K] and Z [K, in] of +-1.

K (out + in) bits and 3 K + 1 numbers. What neurons are off by is of the fourth degree in Y and Z. With Z given it is quadratic in
each neuron's row of Y, and with Y given in each column of Z: rows and columns are annealed in turns by the engine of
`training.structures.assignment`, and r, s, t, u are refitted, which is linear. Nothing ends above where it began.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.structures.assigned import Assigned
from training.structures.assignment import FloatArray, SignSearch
from training.structures.code import FLOAT_BITS, Field, LayerCode
from training.structures.structure import Span

Signs = NDArray[np.int8]

TURNS, SWEEPS, FIRST_SHARE = 2, 30, 1e-3
"""Of rows, columns and reals; of one annealing of a row or a column, and its first temperature over what a change costs."""

STEP_BITS = 16
"""Of an r, s, t or u; a layer has one unit."""

MOST = (1 << (STEP_BITS - 1)) - 1

RIDGE = 1e-9
"""Of the fit of the reals, over the mean of its diagonal."""


@dataclass(frozen=True, eq=False)
class Factors:
    """Y [out, K], Z [K, in], and r, s, t [K] and u in whole steps of a unit, [3 K + 1].

    Their sums are whole numbers of the unit, so that every machine finds the same weights.
    """

    y: Signs
    z: Signs
    steps: NDArray[np.int64]
    unit: np.float32

    @classmethod
    def of(cls, y: Signs, z: Signs, reals: FloatArray) -> Factors:
        unit = np.float32(max(np.abs(reals).max(), 1e-30) / MOST)
        return cls(y, z, np.clip(np.rint(reals / unit), -MOST, MOST).astype(np.int64), unit)

    @property
    def rank(self) -> int:
        return len(self.z)

    @property
    def rows(self) -> FloatArray:
        """r Z + s 1, [K, in]: what a sign of Y adds to a neuron."""
        r, s, _, _ = self._parts
        return np.asarray(float(self.unit) * (r[:, None] * self.z + s[:, None]))

    @property
    def columns(self) -> FloatArray:
        """Y r + 1 t, [out, K]: what a sign of Z adds to an input."""
        r, _, t, _ = self._parts
        return np.asarray(float(self.unit) * (self.y * r + t))

    @property
    def weights(self) -> FloatArray:
        r, s, t, u = self._parts
        whole = (self.y * r) @ self.z.astype(float) + (self.y @ s)[:, None] + t @ self.z + u
        return np.asarray(float(self.unit) * whole)

    @property
    def _parts(self) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        r, s, t = self.steps[:-1].astype(float).reshape(3, -1)
        return r, s, t, float(self.steps[-1])


def energy(weight: FloatArray, factors: Factors, moments: FloatArray) -> float:
    """What the membranes are off by, summed over the neurons."""
    off = weight - factors.weights
    return float(np.einsum("ki,ki->", off @ moments, off))


def factorised(weight: FloatArray, rank: int, moments: FloatArray, seed: int = 0, turns: int = TURNS) -> Factors:
    """Factors of so many products for weights [out, in] and inputs with these second moments [in, in]."""
    draws = np.random.default_rng(seed)
    kept = refitted_reals(weight, deflated(weight, rank, moments.diagonal(), draws), moments)
    for _ in range(turns):
        found = refitted_reals(weight, _with_rows(weight, kept, moments, draws), moments)
        found = refitted_reals(weight, _with_columns(weight, found, moments, draws), moments)
        if energy(weight, found, moments) >= energy(weight, kept, moments):
            break
        kept = found
    return kept


def deflated(weight: FloatArray, rank: int, share: FloatArray, draws: np.random.Generator) -> Factors:
    """One product after the other, each the best that alternating signs reach on what is left; `share` weighs the inputs."""
    left, outputs, inputs = weight.copy(), *weight.shape
    y, z, r = np.empty((outputs, rank), np.int8), np.empty((rank, inputs), np.int8), np.empty(rank)
    for k in range(rank):
        row = np.where(draws.random(inputs) < 0.5, -1.0, 1.0)
        for _ in range(8):
            column = np.where(left @ (share * row) < 0, -1.0, 1.0)
            row = np.where(column @ left < 0, -1.0, 1.0)
        r[k] = column @ left @ (share * row) / (outputs * share.sum())
        y[:, k], z[k] = column, row
        left -= r[k] * np.outer(column, row)
    return Factors.of(y, z, np.concatenate([r, np.zeros(2 * rank + 1)]))


def refitted_reals(weight: FloatArray, factors: Factors, moments: FloatArray) -> Factors:
    """The same signs with the r, s, t and u of the least energy, or as they are where rounding leaves none that is lower.

    The products are [Y 1] times [Z 1] in all four combinations; what two of them have in common is (y . y') (z H z').
    """
    y, z = _with_one(factors.y), _with_one(factors.z.T)
    of_y, of_z, rank = y.T @ y, z.T @ moments @ z, factors.rank
    each, one = np.arange(rank), np.full(rank, rank)
    left, right = np.concatenate([each, each, one, [rank]]), np.concatenate([each, one, each, [rank]])
    gram = of_y[np.ix_(left, left)] * of_z[np.ix_(right, right)]
    wanted = (y.T @ (weight @ moments) @ z)[left, right]
    gram[np.diag_indices_from(gram)] += RIDGE * gram.diagonal().mean()
    found = Factors.of(factors.y, factors.z, np.linalg.solve(gram, wanted))
    return min(found, factors, key=lambda one: energy(weight, one, moments))


def _with_one(signs: Signs) -> FloatArray:
    return np.column_stack([signs.astype(float), np.ones(len(signs))])


def _with_rows(weight: FloatArray, factors: Factors, moments: FloatArray, draws: np.random.Generator) -> Factors:
    """Y annealed, a neuron by itself."""
    rows = factors.rows
    seen = rows @ moments
    wanted = (weight - factors.weights + factors.y @ rows) @ seen.T
    search = SignSearch(seen @ rows.T, SWEEPS, draws, FIRST_SHARE)
    return replace(factors, y=search.annealed(factors.y, wanted))


def _with_columns(weight: FloatArray, factors: Factors, moments: FloatArray, draws: np.random.Generator) -> Factors:
    """Z annealed, input by input: what one adds, the next find."""
    columns, z = factors.columns, factors.z.copy()
    common = columns.T @ columns
    search = SignSearch(common, SWEEPS, draws, FIRST_SHARE)
    off = (weight - factors.weights) @ moments
    for j in range(z.shape[1]):
        if moments[j, j] == 0.0:
            continue
        wanted = columns.T @ off[:, j] + moments[j, j] * (common @ z[:, j])
        found = search.annealed(z[:, j][None], wanted[None] / moments[j, j])[0]
        off -= np.outer(columns @ (found - z[:, j].astype(float)), moments[j])
        z[:, j] = found
    return replace(factors, z=z)


def rank_for(outputs: int, inputs: int, bits: float) -> int:
    """How many products so many bits a weight pay for, with all that is stored; at least one."""
    return max(int((bits * outputs * inputs - STEP_BITS - FLOAT_BITS) / (outputs + inputs + 3 * STEP_BITS)), 1)


class Factorised(Assigned[Factors]):
    """As many products as `bits` bits a weight pay for."""

    kind: ClassVar = "factors"

    def __init__(self, shape: tuple[int, ...], span: Span, *, bits: float = 2.0) -> None:
        super().__init__(shape, span)
        self.rank = rank_for(shape[0], int(np.prod(shape[1:])), bits)

    def _assigned(self, weight: FloatArray, moments: FloatArray, seed: int) -> Factors:
        return factorised(weight, self.rank, moments, seed)

    def _nearest(self, weight: FloatArray) -> Factors:
        return deflated(weight, self.rank, np.ones(weight.shape[1]), np.random.default_rng(0))

    def _weights(self, found: Factors) -> FloatArray:
        return found.weights

    def code(self, stored: Tensor) -> LayerCode:
        found = self._code_of(stored)
        signs = {"y": found.y, "z": found.z}
        return LayerCode(
            self.kind, self.shape, {"rank": found.rank},
            fields={
                **{name: Field((own > 0).astype(np.uint8).reshape(-1), 1) for name, own in signs.items()},
                "real": Field((found.steps + MOST).astype(np.uint32), STEP_BITS),
            },
            reals={"unit": np.full(1, found.unit, np.float32)},
        )  # fmt: skip

    @classmethod
    def decoded(cls, code: LayerCode) -> NDArray[np.float32]:
        rank, outputs = int(code.rule["rank"]), code.shape[0]
        sizes = {"y": rank * outputs, "z": rank * (code.weights // outputs), "real": 3 * rank + 1}
        for name, size in sizes.items():
            if (found := code.fields[name].values.size) != size:
                raise ValueError(f"{name}: has {found} numbers, {rank} products have {size}")
        y, z = (2 * code.fields[name].values.astype(np.int8) - 1 for name in ("y", "z"))
        steps = code.fields["real"].values.astype(np.int64) - MOST
        factors = Factors(y.reshape(outputs, rank), z.reshape(rank, -1), steps, code.reals["unit"][0])
        return factors.weights.astype(np.float32).reshape(code.shape)
