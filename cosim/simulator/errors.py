"""One typed error for everything that can go wrong with one simulation."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cosim.errors import CosimError


class Reason(StrEnum):
    """Why a simulation gave no result."""

    LIBRARY_MISSING = "library_missing"
    LOAD = "load"
    UNDEFINED_PARAMETER = "undefined_parameter"
    UNKNOWN_SUBCIRCUIT = "unknown_subcircuit"
    UNKNOWN_MODEL = "unknown_model"
    MISSING_INCLUDE = "missing_include"
    NO_CONVERGENCE = "no_convergence"
    SINGULAR_MATRIX = "singular_matrix"
    OPERATING_POINT = "operating_point"
    STALE = "stale"
    PARTIAL = "partial"
    NOT_FINITE = "not_finite"
    EMPTY = "empty"
    MISSING_VECTOR = "missing_vector"
    DRAWS = "draws"
    EXTRACTION = "extraction"
    TIMEOUT = "timeout"
    WORKER_DIED = "worker_died"


class HopelessBatchError(CosimError):
    """So many points failed before one succeeded that the others were not tried."""

    exit_code = 3


class SimulationError(CosimError):
    """A simulation that gave no result. `deck` and `log` are complete texts, the message is one line."""

    exit_code = 3

    def __init__(self, reason: Reason, message: str, deck: str = "", log: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.deck = deck
        self.log = log

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, str(self), self.deck, self.log)
