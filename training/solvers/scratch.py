"""Scratch of compiled loops: aligned to cache lines; None where what it would hold is None, decided when compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from training.solvers.compilation import FAST, Array, inlined

# A vector register of 64 bytes that lies across two cache lines takes twice as long to load.
_LINE = 64

_OPTIONS: dict[str, Any] = {"jit_options": {"fastmath": FAST}, "strict": False}


@inlined
def aligned(rows: int, count: int, like: Array) -> Array:
    """Zeros [rows, count] of the type of an array, each row from the start of a cache line; in compiled code only."""
    items = _LINE // like.itemsize
    width = (count + items - 1) // items * items
    memory = np.zeros(rows * width + items, like.dtype)
    skip = -memory.ctypes.data % _LINE // like.itemsize
    return memory[skip : skip + rows * width].reshape((rows, width))


def columns(matrix: Array, start: int, count: int) -> Array:
    """Rows of a matrix [outputs, inputs] from `start` on, as [inputs, count or more]; None of None. In compiled code only."""
    raise NotImplementedError


def products(matrix: Array, weight: Array, start: int, count: int) -> Array:
    """`columns` times the weights [inputs, count]; None of None. In compiled code only."""
    raise NotImplementedError


def zeros_as(array: Array) -> Array:
    """Zeros of the shape of a block; None of None. In compiled code only."""
    raise NotImplementedError


@overload(columns, **_OPTIONS)  # type: ignore[untyped-decorator]
def _columns(matrix: Any, start: Any, count: Any) -> Callable[..., Any]:
    if isinstance(matrix, types.NoneType):
        return lambda matrix, start, count: None

    def transposed(matrix: Any, start: Any, count: Any) -> Any:
        block, rows = aligned(matrix.shape[1], count, matrix), matrix[start : start + count]
        for i in range(count):
            for j in range(rows.shape[1]):
                block[j, i] = rows[i, j]
        return block

    return transposed


@overload(products, **_OPTIONS)  # type: ignore[untyped-decorator]
def _products(matrix: Any, weight: Any, start: Any, count: Any) -> Callable[..., Any]:
    if isinstance(matrix, types.NoneType):
        return lambda matrix, weight, start, count: None

    def multiplied(matrix: Any, weight: Any, start: Any, count: Any) -> Any:
        block, rows = aligned(matrix.shape[1], count, matrix), matrix[start : start + count]
        for i in range(count):
            for j in range(rows.shape[1]):
                block[j, i] = rows[i, j] * weight[j, i]
        return block

    return multiplied


@overload(zeros_as, **_OPTIONS)  # type: ignore[untyped-decorator]
def _zeros_as(array: Any) -> Callable[..., Any]:
    if isinstance(array, types.NoneType):
        return lambda array: None
    return lambda array: aligned(array.shape[0], array.shape[1], array)
