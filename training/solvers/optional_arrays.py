"""Blocks of arrays that may be None, for compiled code: which of the two is decided when it is compiled, not when it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from training.solvers.compilation import FAST, Array

_OPTIONS: dict[str, Any] = {"jit_options": {"fastmath": FAST}, "strict": False}


def columns(matrix: Array, start: int, count: int) -> Array:
    """Rows of a matrix [outputs, inputs] from `start` on, as [inputs, count]; None of None. In compiled code only."""
    raise NotImplementedError


def products(matrix: Array, weight: Array, start: int, count: int) -> Array:
    """`columns` times the weights [inputs, count]; None of None. In compiled code only."""
    raise NotImplementedError


def zeros_as(array: Array) -> Array:
    """Zeros of the shape of an array; None of None. In compiled code only."""
    raise NotImplementedError


@overload(columns, **_OPTIONS)  # type: ignore[untyped-decorator]
def _columns(matrix: Any, start: Any, count: Any) -> Callable[..., Any]:
    if isinstance(matrix, types.NoneType):
        return lambda matrix, start, count: None
    return lambda matrix, start, count: matrix[start : start + count].T.copy()


@overload(products, **_OPTIONS)  # type: ignore[untyped-decorator]
def _products(matrix: Any, weight: Any, start: Any, count: Any) -> Callable[..., Any]:
    if isinstance(matrix, types.NoneType):
        return lambda matrix, weight, start, count: None

    def multiplied(matrix: Any, weight: Any, start: Any, count: Any) -> Any:
        block = matrix[start : start + count].T.copy()
        for j in range(block.shape[0]):
            for i in range(count):
                block[j, i] *= weight[j, i]
        return block

    return multiplied


@overload(zeros_as, **_OPTIONS)  # type: ignore[untyped-decorator]
def _zeros_as(array: Any) -> Callable[..., Any]:
    if isinstance(array, types.NoneType):
        return lambda array: None
    return lambda array: np.zeros(array.shape, array.dtype)
