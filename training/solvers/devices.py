"""Kernels for devices that are no CPU, where they run: on a GPU, with Triton."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from torch import Tensor

BLOCK = 256
"""Elements per program of an elementwise kernel."""


def kernels(x: Tensor, module: str) -> Any:
    """The module of kernels for a tensor; None where torch operations have to do it."""
    return import_module(module) if x.is_cuda and find_spec("triton") is not None else None


def programs(x: Tensor) -> tuple[int]:
    """Grid of an elementwise kernel over a tensor."""
    return (-(-x.numel() // BLOCK),)
