"""What was measured: numbers and curves that carry their unit and the quality of their extraction."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.errors import TrainingError

FloatArray = NDArray[np.float64]


class HardwareModelError(TrainingError):
    """A hardware model cannot be read, or was asked for something outside what was measured."""


class OutOfRange(HardwareModelError):
    """An argument lies outside the range that was measured."""


class Record(BaseModel):
    """What all parts of a hardware model are: frozen, finite, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Quantity(Record):
    """A number with its unit and the quality of its extraction."""

    value: float
    unit: str
    standard_error: float = 0.0
    residual: float = Field(default=0.0, description="worst residual of the fit, in the unit of the value unless noted")
    source: str = Field(default="", description="table under characterization/ that holds the source points")


class Curve(Record):
    """A one-dimensional curve through its points; it raises outside them.

    The interpolant is monotone (`pchip`) or, for dense points of a smooth curve, the more accurate `cubic` spline.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    x_name: str
    x_unit: str
    y_name: str
    y_unit: str
    interpolant: Literal["pchip", "cubic"] = "pchip"
    log_x: bool = Field(default=False, description="interpolate against ln x")
    log_y: bool = Field(default=False, description="interpolate ln y")
    standard_error: float = 0.0
    residual: float = 0.0
    source: str = ""

    @model_validator(mode="after")
    def _check(self) -> Curve:
        if len(self.x) != len(self.y) or len(self.x) < 2:
            raise ValueError(f"{self.y_name}: a curve needs two or more points and as many x as y")
        if np.any(np.diff(self.x) <= 0):
            raise ValueError(f"{self.y_name}: x must increase")
        if (self.log_x and self.x[0] <= 0) or (self.log_y and min(self.y) <= 0):
            raise ValueError(f"{self.y_name}: a logarithmic axis needs positive values")
        return self

    def __call__(self, x: float | FloatArray) -> FloatArray:
        """Value at ``x`` (any shape). Raises `OutOfRange` outside the measured points."""
        # Late, because it takes longer to import than everything else of this module together.
        from scipy.interpolate import CubicSpline, PchipInterpolator

        x = np.asarray(x, dtype=float)
        slack = 1e-9 * (self.x[-1] - self.x[0])
        if x.size and (x.min() < self.x[0] - slack or x.max() > self.x[-1] + slack):
            raise OutOfRange(
                f"{self.y_name}: {self.x_name} = {x.min():.6g} .. {x.max():.6g} {self.x_unit} lies outside the measured "
                f"range {self.x[0]:.6g} .. {self.x[-1]:.6g} {self.x_unit}"
            )
        x = np.clip(x, self.x[0], self.x[-1])
        grid, values = np.asarray(self.x), np.asarray(self.y)
        interpolant = PchipInterpolator if self.interpolant == "pchip" else CubicSpline
        result = interpolant(np.log(grid) if self.log_x else grid, np.log(values) if self.log_y else values)(
            np.log(x) if self.log_x else x
        )
        return np.exp(result) if self.log_y else np.asarray(result)

    def inverse(self) -> Curve:
        """The curve read the other way. Raises `HardwareModelError` where it is not monotone."""
        steps = np.diff(self.y)
        if not (np.all(steps > 0) or np.all(steps < 0)):
            raise HardwareModelError(f"{self.y_name}({self.x_name}) is not monotone and has no inverse")
        order = slice(None) if steps[0] > 0 else slice(None, None, -1)
        return Curve(
            x=self.y[order], y=self.x[order], x_name=self.y_name, x_unit=self.y_unit, y_name=self.x_name,
            y_unit=self.x_unit, interpolant=self.interpolant, log_x=self.log_y, log_y=self.log_x, source=self.source,
        )  # fmt: skip
