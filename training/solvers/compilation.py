"""How the loops over neurons are compiled."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from numba import njit
from numba.core.compiler import Compiler

# Sums may be reordered and contracted to fused operations; NaN and infinity stay, because a bad weight has to show.
FAST = {"reassoc", "contract", "nsz", "arcp"}

Kernel: TypeAlias = Callable[..., Any]
# An array in compiled code: its type is inferred from the call.
Array: TypeAlias = Any


class _NoAlias(Compiler):  # type: ignore[misc]
    """Promises LLVM that no two array arguments overlap: twice as fast for a few dozen neurons, whose loops are short."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


_OPTIONS: dict[str, Any] = {
    "nogil": True, "fastmath": FAST, "error_model": "numpy", "pipeline_class": _NoAlias, "no_cfunc_wrapper": True,
}  # fmt: skip
# Pieces have no door for Python, which would have to be compiled too.
_PIECE = {**_OPTIONS, "no_cpython_wrapper": True}


def compiled(function: Kernel) -> Kernel:
    """Machine code of `function` at its first call, kept on disk; no two of its array arguments may overlap.

    The copy on disk is made anew when the file of `function` changes, but not when a function changes that it calls in another
    file: after such an edit delete `__pycache__`. Where neither the installation nor the home folder can be written, each process
    compiles anew, and is warned of it.
    """
    kernel: Kernel
    try:
        kernel = njit(cache=True, **_OPTIONS)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        _warn_of_compiling_anew()
        kernel = njit(**_OPTIONS)(function)
    return kernel


@functools.cache
def _warn_of_compiling_anew() -> None:
    warnings.warn(
        "compiled code cannot be kept: neither the installation nor the home folder can be written; each process compiles for "
        "about a minute; set NUMBA_CACHE_DIR to a folder that only you can write",
        RuntimeWarning,
        stacklevel=3,
    )


def inlined(function: Kernel) -> Kernel:
    """A piece of compiled functions, copied into each of them."""
    piece: Kernel = njit(forceinline=True, **_PIECE)(function)
    return piece


def called(function: Kernel) -> Kernel:
    """A piece of compiled functions that stays a function: it is long, or seldom needed."""
    piece: Kernel = njit(**_PIECE)(function)
    return piece
