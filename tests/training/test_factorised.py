"""Sums of products of binary vectors, against every one that there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from test_assignment import drawn

from training.structures.assignment import SignSearch
from training.structures.code import Compression, Field, LayerCode
from training.structures.factorised import Factorised, Factors, deflated, energy, factorised, rank_for, refitted_reals
from training.structures.network import StructureError, decode
from training.structures.structure import Span


def test_the_weights_are_the_sum_that_is_published() -> None:
    draws = np.random.default_rng(0)
    y, z = (np.where(draws.random(shape) < 0.5, -1, 1).astype(np.int8) for shape in ((4, 3), (3, 5)))
    factors = Factors.of(y, z, draws.standard_normal(10))
    r, s, t = (factors.steps[:9] * float(factors.unit)).reshape(3, 3)
    ones = np.ones((3, 5)), np.ones((4, 3))
    wanted = sum(r[k] * np.outer(y[:, k], z[k]) + s[k] * np.outer(y[:, k], ones[0][k]) + t[k] * np.outer(ones[1][:, k], z[k])
                 for k in range(3)) + factors.steps[9] * float(factors.unit)  # fmt: skip
    np.testing.assert_allclose(factors.weights, wanted, atol=1e-12)


def test_signs_are_the_best_of_all() -> None:
    draws = np.random.default_rng(1)
    root, wanted = draws.standard_normal((6, 6)), draws.standard_normal((3, 6))
    moments = root @ root.T
    every = np.array(list(product((-1, 1), repeat=6)))

    def cost(x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return np.einsum("ni,ij,nj->n", x, moments, x) - 2 * x @ c

    start = np.ones((3, 6), np.int8)
    search = SignSearch(moments, 200, draws, first=1.0)
    tries = [search.annealed(start, wanted) for _ in range(20)]
    for k, c in enumerate(wanted):
        found = [cost(own[k][None], c)[0] for own in tries]
        assert max(found) <= cost(start[:1], c)[0] and min(found) == pytest.approx(cost(every, c).min())


def test_one_product_is_the_best_of_all_and_no_turn_ends_above_where_it_began() -> None:
    weight, moments = drawn(3, 4)
    signs = [(np.array(y, np.int8)[:, None], np.array(z, np.int8)[None])
             for y in product((-1, 1), repeat=3) for z in product((-1, 1), repeat=4)]  # fmt: skip
    every = [refitted_reals(weight, Factors.of(y, z, np.zeros(4)), moments) for y, z in signs]
    exact = min(energy(weight, one, moments) for one in every)
    tries = [energy(weight, factorised(weight, 1, moments, seed, turns=4), moments) for seed in range(5)]
    assert exact * (1 - 1e-6) <= min(tries) <= 1.05 * exact
    first = refitted_reals(weight, deflated(weight, 1, moments.diagonal(), np.random.default_rng(0)), moments)
    assert tries[0] <= energy(weight, first, moments)


def test_more_products_leave_less_and_the_fit_is_least_squares() -> None:
    weight, moments = drawn(12, 16)
    left = [energy(weight, factorised(weight, rank, moments), moments) for rank in (2, 6, 12)]
    assert left[0] > 2 * left[1] > 4 * left[2]
    fitted = refitted_reals(weight, deflated(weight, 3, moments.diagonal(), np.random.default_rng(0)), moments)
    for change in 0.01 * float(np.abs(fitted.steps).max() * fitted.unit) * np.eye(10):
        for sign in (-1, 1):
            moved = Factors.of(fitted.y, fitted.z, fitted.steps * float(fitted.unit) + sign * change)
            assert energy(weight, moved, moments) >= energy(weight, fitted, moments)


def test_the_code_takes_no_more_bits_than_were_asked_for() -> None:
    weight, moments = drawn(24, 32)
    structure = Factorised(weight.shape, Span(0.0, 1.0), bits=2.0)
    structure.assign(torch.from_numpy(weight), moments)
    code = structure.code(torch.from_numpy(weight))
    rank = rank_for(24, 32, 2.0)
    assert code.parts == {"y": 24 * rank, "z": 32 * rank, "real": 16 * (3 * rank + 1), "unit": 32}
    assert 1.8 < Compression.of([code]).bits_per_weight <= 2.0
    (decoded,) = decode([code])
    assert np.array_equal(decoded, structure.held(torch.from_numpy(weight)).numpy().astype(np.float32))
    cut = {**code.fields, "z": Field(code.fields["z"].values[:-1], 1)}
    with pytest.raises(StructureError, match=rf"layers\.0: z: has {32 * rank - 1} numbers, {rank} products have {32 * rank}"):
        decode([LayerCode(code.kind, code.shape, code.rule, fields=cut, reals=code.reals)])
