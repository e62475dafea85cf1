"""Synapse current against membrane voltage, per code: current at rest, slope, reversal.

Testbench: one synapse switched on, its membrane held and swept. docs/physics.md: I(V) = I(V0) [1 -+ lambda (V - V0)].
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.characterize.bench import Bench
from cosim.simulator import DcSweep, Point, Waveforms
from netlists.synapse import SIGNS, Sign, SynapseSetting
from netlists.testbenches import synapse_iv

EDGE_OF_RAILS_V = 0.15
"""How close to the rails the membrane is swept."""

FIT_RANGE = (-0.1, 0.95)
"""Membranes over which a line is fitted, in thresholds from rest: a membrane that ends beyond
it fires at once or not at all."""


def points(bench: Bench) -> Iterator[Point]:
    """One DC sweep of the membrane per sign and code."""
    cells, steps = bench.cells(), bench.design.characterization
    low, high = EDGE_OF_RAILS_V, cells.supply_v - EDGE_OF_RAILS_V
    sweep = DcSweep("Vmembrane", low, high, (high - low) / (steps.membrane_points - 1))
    for sign in SIGNS:
        for code in cells.synapse.codes(sign, steps.codes):
            condition = {"measurement": "synapse_iv", "sign": sign, "code": float(code)}
            netlist = synapse_iv(cells, SynapseSetting(sign, float(code)))
            yield Point(condition, bench.deck(_title(condition), netlist, sweep, ["i(vmembrane)"]), held_membrane_current)


def held_membrane_current(waveforms: Waveforms) -> dict[str, Any]:
    """Current drawn out of a held membrane (A, positive towards ground) at each voltage."""
    return {"membrane_v": waveforms.axis, "current_a": -waveforms["i(vmembrane)"]}


def iv_table(points: list[Point], rows: list[dict[str, Any] | None]) -> pd.DataFrame:
    """Raw points: sign, code, membrane_v, current_a (positive towards ground)."""
    frames = [
        pd.DataFrame({"sign": point.condition["sign"], "code": point.condition["code"], **row})
        for point, row in zip(points, rows, strict=True)
        if row is not None
    ]
    return pd.concat(frames, ignore_index=True)


def line_fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Straight line by least squares: intercept, slope, standard error of the slope, worst residual."""
    design = np.column_stack([np.ones_like(x), x])
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ coefficients
    variance = residual @ residual / max(len(x) - 2, 1)
    covariance = variance * np.linalg.inv(design.T @ design)
    return float(coefficients[0]), float(coefficients[1]), float(np.sqrt(covariance[1, 1])), float(np.abs(residual).max())


def voltage_slope(iv: pd.DataFrame, rest_v: float, low_v: float, high_v: float) -> tuple[float, float]:
    """lambda (per volt, positive where the current falls towards its rail) and its standard error, as published papers fit it."""
    inside = iv[(iv.membrane_v >= low_v) & (iv.membrane_v <= high_v)]
    intercept, slope, error, _ = line_fit(inside.membrane_v.to_numpy() - rest_v, inside.current_a.to_numpy())
    return slope / intercept, error / abs(intercept)


def sign_of_lambda(sign: Sign) -> int:
    """An NMOS current rises with the membrane, a PMOS current (drawn out of the membrane: negative) falls in size."""
    return 1 if sign > 0 else -1


def _title(condition: dict[str, Any]) -> str:
    return f"synapse current, sign {condition['sign']:+d}, code {condition['code']:.4f}"
