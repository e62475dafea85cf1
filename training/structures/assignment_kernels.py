"""Codes of one neuron by simulated annealing, compiled."""

from __future__ import annotations

import math

import numpy as np

from training.solvers.compilation import Array, compiled, inlined

PAIRS = 3
"""Changes of two devices for each of one."""


@inlined
def _best(table: Array, seen: Array, moment: float, code: int, at: int) -> tuple[int, float]:
    """The code of a device with the least energy, the others as they are, and what it changes."""
    found, change = code, 0.0
    for other in range(table.shape[1]):
        step = table[at, other] - table[at, code]
        of_step = step * (step * moment - 2.0 * seen[at])
        if of_step < change:
            found, change = other, of_step
    return found, change


@inlined
def _move(table: Array, moments: Array, seen: Array, codes: Array, at: int, code: int) -> None:
    step = table[at, code] - table[at, codes[at]]
    codes[at] = code
    for j in range(len(seen)):
        seen[j] -= step * moments[at, j]


@inlined
def _settle(table: Array, moments: Array, seen: Array, codes: Array) -> None:
    """Single changes, the nearest first, until none lowers the energy by more than rounding."""
    moved = True
    while moved:
        moved = False
        for at in range(len(codes)):
            code, change = _best(table, seen, moments[at, at], codes[at], at)
            if change < -1e-12 * abs(moments[at, at]):
                _move(table, moments, seen, codes, at, code)
                moved = True


@inlined
def _accepted(change: float, temperature: float, draw: Array) -> bool:
    """Metropolis et al. 1953."""
    return change <= 0.0 or draw.random() < math.exp(-change / temperature)


@compiled
def descend(
    table: Array, weight: Array, moments: Array, partners: Array, codes: Array, sweeps: int, temperature: float, factor: float,
    draw: Array,
) -> None:  # fmt: skip
    """Settle the codes [in] of a neuron; then anneal, settle again, and keep what is better.

    A change is of one device, or of it and a partner, so that what one adds another takes away.

    Args:
        table: the weight of every code of every device, [in, codes].
        weight: wanted, [in].
        moments: of the inputs, [in, in].
        partners: inputs that go with each most, [in, some].
        temperature, factor: of the first sweep, and from one to the next.
        draw: a generator of numpy.
    """
    size = len(codes)
    seen = np.zeros(size)  # moments @ (weight - held)
    for at in range(size):
        off = weight[at] - table[at, codes[at]]
        for j in range(size):
            seen[j] += off * moments[at, j]
    _settle(table, moments, seen, codes)
    if sweeps == 0:
        return
    kept = codes.copy()
    for _ in range(sweeps):
        for at in range(size):
            other = int(draw.random() * table.shape[1])
            step = table[at, other] - table[at, codes[at]]
            change = step * (step * moments[at, at] - 2.0 * seen[at])
            if _accepted(change, temperature, draw):
                _move(table, moments, seen, codes, at, other)
            for _ in range(PAIRS):
                beside = partners[at, int(draw.random() * partners.shape[1])]
                other, another = int(draw.random() * table.shape[1]), int(draw.random() * table.shape[1])
                step, step_beside = table[at, other] - table[at, codes[at]], table[beside, another] - table[beside, codes[beside]]
                change = step * (step * moments[at, at] - 2.0 * seen[at])
                change += step_beside * (step_beside * moments[beside, beside] - 2.0 * seen[beside])
                change += 2.0 * step * step_beside * moments[at, beside]
                if _accepted(change, temperature, draw):
                    _move(table, moments, seen, codes, at, other)
                    _move(table, moments, seen, codes, beside, another)
        temperature *= factor
    _settle(table, moments, seen, codes)
    before, after = 0.0, 0.0
    for at in range(size):
        a, b = weight[at] - table[at, kept[at]], weight[at] - table[at, codes[at]]
        for j in range(size):
            before += a * moments[at, j] * (weight[j] - table[j, kept[j]])
            after += b * moments[at, j] * (weight[j] - table[j, codes[j]])
    if before <= after:
        codes[:] = kept
