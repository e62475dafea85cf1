"""Synapse current against membrane voltage, per code: current at rest, slope, reversal.

Testbench: one synapse switched on, its membrane held and swept. docs/physics.md: I(V) = I(V0) [1 -+ lambda (V - V0)].
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cosim.bench.bench import Bench
from cosim.bench.results import Results
from cosim.characterize.membrane_charge import Membrane
from cosim.errors import InputError
from cosim.simulator import DcSweep, Point, Waveforms
from netlists.synapse import SIGNS, SynapseSetting
from netlists.testbenches import synapse_iv

if TYPE_CHECKING:
    import pandas as pd

EDGE_OF_RAILS_V = 0.15
"""How close to the rails the membrane is swept."""

FIT_RANGE = (-0.1, 0.95)
"""Membranes over which a line is fitted, in thresholds from rest: a membrane that ends beyond
it fires at once or not at all."""


NO_CURRENT_A = 1e-14
"""Less than this moves a membrane of 100 fF by 0.1 uV in a microsecond."""

PUBLISHED_FIT_V = (0.46, 1.36)
"""Range of the published linear fits of lambda (arXiv 2412.09010)."""


def points(bench: Bench) -> Iterator[Point]:
    """One DC sweep of the membrane per sign and code. Raises `InputError` if the cell lacks a sign."""
    cells, steps = bench.cells(), bench.design.characterization
    for sign, role in zip(SIGNS, ("bias_n", "bias_p"), strict=True):
        if not len(cells.synapse.codes(sign, steps.codes)):
            raise InputError(
                f"synapse.pins: {role}: missing, so there is no weight of sign {sign:+d}; a hardware model needs both signs "
                "(cosim sweep measures a cell that has one)"
            )
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


def iv_table(curves: Results) -> pd.DataFrame:
    """Raw points: sign, code, membrane_v, current_a (positive towards ground)."""
    import pandas as pd

    frames = [pd.DataFrame({**{name: one.point.condition[name] for name in ("sign", "code")}, **one.row}) for one in curves.alive]
    return pd.concat(frames, ignore_index=True)


def check_currents(iv: pd.DataFrame, rest_v: float) -> None:
    """Raises `InputError` unless the current at rest grows from each code to the next, towards the rail of its sign."""
    for sign, curves in iv.groupby("sign"):
        at_rest = [
            (float(code), float(sign * np.interp(rest_v, curve.membrane_v, curve.current_a)))
            for code, curve in curves.groupby("code", sort=False)
        ]
        where = f"synapse, sign {sign:+d}: the current at rest"
        code, strongest = at_rest[-1]
        if abs(strongest) < NO_CURRENT_A:
            raise InputError(
                f"{where} is {strongest:.2g} A at code {code:g}: the membrane never moves; check pins and range of codes"
            )
        if strongest < 0:
            raise InputError(f"{where} flows the wrong way at code {code:g} ({strongest:.3g} A): exchange the two biases")
        for (before, weaker), (code, current) in pairwise(at_rest):
            if current <= weaker:
                raise InputError(
                    f"{where} does not grow with the code: {weaker:.4g} A at {before:g}, {current:.4g} A at {code:g}; "
                    "choose a range of codes over which it does"
                )


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


def _title(condition: dict[str, Any]) -> str:
    return f"synapse current, sign {condition['sign']:+d}, code {condition['code']:.4f}"


def fit_synapses(bench: Bench, iv: pd.DataFrame, membrane: Membrane) -> pd.DataFrame:
    """Per sign and code: current at rest, reversal, lambda, residual. Codes in order of increasing current."""
    import pandas as pd

    rest, unit_a = bench.design.neuron.rest_v, membrane.capacitance_f * membrane.v_th_v / bench.design.timing.phase_s
    low, high = (share * membrane.v_th_v for share in FIT_RANGE)
    rows = []
    for (sign, code), curve in iv.groupby(["sign", "code"]):
        u = membrane.displacement(curve.membrane_v.to_numpy())
        inside = (u >= low) & (u <= high)
        intercept, slope, error, residual = line_fit(u[inside], curve.current_a.to_numpy()[inside])
        lambda_per_v, lambda_error = voltage_slope(curve, rest, *PUBLISHED_FIT_V)
        rows.append(
            {
                "sign": sign, "code": code, "code_unit": bench.cells().synapse.code_unit, "current_a": sign * intercept,
                "weight": intercept / unit_a, "lambda_per_v": sign * lambda_per_v, "lambda_error_per_v": lambda_error,
                "reversal_v": sign * -intercept / slope, "reversal_error_v": abs(intercept / slope**2) * error,
                "residual_fraction": residual / abs(intercept), "intercept_a": intercept,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values(["sign", "current_a"], ascending=[False, True]).reset_index(drop=True)


def with_fit(iv: pd.DataFrame, fits: pd.DataFrame, membrane: Membrane) -> pd.DataFrame:
    table = iv.merge(fits[["sign", "code", "intercept_a", "reversal_v"]], on=["sign", "code"])
    u = membrane.displacement(table.membrane_v.to_numpy())
    fit = table.intercept_a * (1 - u / (table.sign * table.reversal_v))
    return table.assign(fit_a=fit).drop(columns=["intercept_a", "reversal_v"])
