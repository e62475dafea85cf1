"""What the numbers of a hardware model must be: their units, and the ranges in which circuits lie.

Declared beside each field of `training.hardware.model`: `Annotated[Quantity, quantity("V", -10, 10)]`. A range is what no circuit
of this kind lies outside of; what the numbers of one circuit say of each other is in `training.hardware.consistency`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import AfterValidator

from training.hardware.curve import Curve, Quantity


@dataclass(frozen=True)
class Expected:
    """A unit, and the range of the values in it; no unit: any."""

    unit: str
    low: float = -np.inf
    high: float = np.inf

    def check(self, what: str, unit: str, *values: float) -> None:
        """Raises ValueError for another unit, and for a value out of range."""
        if self.unit and unit != self.unit:
            raise ValueError(f"{what} is in {unit!r}, must be in {self.unit!r}; convert the values too")
        for value in values:
            if not self.low <= value <= self.high:
                raise ValueError(
                    f"{what} is {value:.4g} {unit}, no circuit has less than {self.low:g} or more than {self.high:g}; "
                    "is it in another unit?"
                )


def quantity(unit: str, low: float, high: float) -> AfterValidator:
    """Of a `Quantity`: its unit, and the range of its value."""
    expected = Expected(unit, low, high)

    def check(given: Quantity) -> Quantity:
        expected.check("value", given.unit, given.value)
        return given

    return AfterValidator(check)


def curve(x: Expected, y: Expected, *, monotone: bool = False) -> AfterValidator:
    """Of a `Curve`: units and ranges of both axes, and whether it is monotone (either way, in every step)."""

    def check(given: Curve) -> Curve:
        x.check("x", given.x_unit, *given.x)
        y.check("y", given.y_unit, *given.y)
        steps = np.diff(given.y)
        if monotone and not (np.all(steps > 0) or np.all(steps < 0)):
            raise ValueError("y: must rise or fall throughout, in every step")
        return given

    return AfterValidator(check)
