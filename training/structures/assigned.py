"""What a structure is whose weights are assigned after training and not fine-tuned: real weights are trained."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from training.structures.assignment import FloatArray
from training.structures.structure import Span, Structure

Found = TypeVar("Found")


class Assigned(Structure, Generic[Found]):
    """While `advance` is short of the end of the training, weights are as they are trained; then they are the assigned ones, and
    until `assign` is called the nearest that are found without the inputs."""

    def __init__(self, shape: tuple[int, ...], span: Span) -> None:
        super().__init__(shape, span)
        self.trained = True
        self._found: Found | None = None

    def advance(self, progress: float) -> None:
        self.trained = progress >= 1.0
        if not self.trained:
            self._found = None

    def assign(self, stored: Tensor, moments: FloatArray, seed: int = 0) -> None:
        """Find the code for inputs with these second moments [in, in] of what a neuron sees of them."""
        self._found, self.trained = self._assigned(_rows(stored), moments, seed), True

    def held(self, stored: Tensor) -> Tensor:
        if not self.trained:
            return stored
        return torch.from_numpy(self._weights(self._code_of(stored)).reshape(self.shape)).to(stored)

    def _code_of(self, stored: Tensor) -> Found:
        """What was assigned, or the nearest."""
        return self._nearest(_rows(stored)) if self._found is None else self._found

    @abstractmethod
    def _assigned(self, weight: FloatArray, moments: FloatArray, seed: int) -> Found:
        """Of weights [out, in] for these inputs."""

    @abstractmethod
    def _nearest(self, weight: FloatArray) -> Found:
        """Of weights [out, in] whose inputs are not known."""

    @abstractmethod
    def _weights(self, found: Found) -> FloatArray:
        """[out, in]."""


def _rows(stored: Tensor) -> FloatArray:
    return np.asarray(stored.detach().cpu().double().flatten(1).numpy())
