"""Measured I-V curves: a straight line through each, and the synapse that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.bench.lines import SYNAPSE_THRESHOLDS, line_fit
from cosim.errors import InputError
from cosim.fits.membrane_model import FloatArray
from cosim.silicon.files import IvTable
from netlists.synapse import SIGNS, Sign
from training.hardware import Curve, HardwareModel, SynapseHardware

MOST_TIMES_SIMULATED = 300.0
"""Corners and supplies move subthreshold currents by less; the next unit is a factor of 1000."""

FEWEST_POINTS = 4
"""Points of a curve between rest and threshold."""


@dataclass(frozen=True)
class MeasuredCurve:
    """One I-V curve of silicon: current at rest (A, > 0) and reversal (V, > 0) with standard errors; worst residual (share)."""

    source: str
    sign: Sign
    bias_v: float
    current_a: float
    current_error_a: float
    reversal_v: float
    reversal_error_v: float
    lambda_per_v: float
    residual_fraction: float


def curves_of(table: IvTable, base: HardwareModel) -> list[MeasuredCurve]:
    """A straight line through each I-V curve over displacement, with the covariance of its two numbers.

    Raises `InputError` for a curve with too few points between rest and threshold, a current of the wrong sign or in another
    unit, and for a cell that is not set by a gate bias.
    """
    u, found = _displacement(base, table.membrane_v), []
    low, high = SYNAPSE_THRESHOLDS.times(base.neuron.v_th_v)
    for sign in SIGNS:
        cell = base.synapse(sign)
        if cell.code_name != "gate_bias" and (table.sign == sign).any():
            raise InputError(
                f"{table.source}: bias_v: the weight of the design's cell is its {cell.code_name}, not a gate bias; measure "
                "waveforms"
            )
        for bias in np.unique(table.bias_v[table.sign == sign]):
            own = (table.sign == sign) & (table.bias_v == bias) & (u >= low) & (u <= high)
            if own.sum() < FEWEST_POINTS:
                raise InputError(
                    f"{table.source}: sign {sign:+d}, bias_v {bias:g}: {own.sum()} points between rest and threshold; "
                    f"needs {FEWEST_POINTS}"
                )
            found.append(_line(table, sign, float(bias), own, u, base))
    return found


def _displacement(base: HardwareModel, voltage_v: FloatArray) -> FloatArray:
    """Displacement by the base's membrane, straight on where it ends."""
    to_u = base.neuron.membrane.inverse()
    inside = np.clip(voltage_v, to_u.x[0], to_u.x[-1])
    return np.asarray(to_u(inside) - (voltage_v - inside))


def _line(table: IvTable, sign: Sign, bias_v: float, own: NDArray[np.bool_], u: FloatArray, base: HardwareModel) -> MeasuredCurve:
    current = sign * table.current_a[own]
    line = line_fit(u[own], current)
    at_rest, slope = line.intercept, line.slope
    if at_rest <= 0:
        raise InputError(
            f"{table.source}: sign {sign:+d}, bias_v {bias_v:g}: current_a is {sign * at_rest:.3g} A at rest; it counts positive "
            "out of the membrane, towards ground, so its sign must be that of the weight"
        )
    if (times := at_rest / _simulated_a(base.synapse(sign), bias_v)) > MOST_TIMES_SIMULATED:
        raise InputError(
            f"{table.source}: sign {sign:+d}, bias_v {bias_v:g}: current_a is {at_rest:.3g} A at rest, {times:.0f} times the "
            "simulated cell's; must be in amperes"
        )
    if slope * sign >= 0:
        raise InputError(
            f"{table.source}: sign {sign:+d}, bias_v {bias_v:g}: the current must fall towards its rail; check membrane_v"
        )
    # reversal = -I/slope: relative errors of both, and that they go together
    relative = np.array([1 / at_rest, -1 / slope])
    error = at_rest / abs(slope) * float(np.sqrt(relative @ line.covariance @ relative))
    over_membrane = line_fit(table.membrane_v[own] - base.neuron.rest.value, current)
    return MeasuredCurve(
        table.source, sign, bias_v, at_rest, line.intercept_error, at_rest / abs(slope), error,
        abs(over_membrane.slope / at_rest), line.relative_residual,
    )  # fmt: skip


def _simulated_a(cell: SynapseHardware, bias_v: float) -> float:
    """The simulated current at rest at a bias; at the nearest one where that was not simulated."""
    order = np.argsort(cell.code.y)
    return float(np.exp(np.interp(bias_v, np.asarray(cell.code.y)[order], np.log(cell.code.x)[order])))


def resampled(cell: SynapseHardware, rows: Sequence[MeasuredCurve], source: str) -> SynapseHardware:
    """The synapse with measured bias and reversal; its charges, simulated, are taken at the measured currents.

    Outside the simulated currents a charge keeps the value at the nearest end.
    """
    x = tuple(one.current_a for one in rows)

    def curve(old: Curve, y: Sequence[float], **more: Any) -> Curve:
        return old.model_copy(update={"x": x, "y": tuple(y), **more})

    def charge(old: Curve) -> Curve:
        return curve(old, [float(value) for value in old(np.clip(x, old.x[0], old.x[-1]))])

    error = max(one.reversal_error_v for one in rows)
    return cell.model_copy(
        update={
            "code": curve(cell.code, [one.bias_v for one in rows], interpolant="pchip", source=source),
            "reversal": curve(
                cell.reversal, [one.reversal_v for one in rows], source=source, standard_error=error,
                residual=max(one.residual_fraction for one in rows),
            ),
            # A line was measured, so the current is one; what leaks is simulated, as the charges are.
            "slope": None, "curvature": None, "leakage": cell.leakage and charge(cell.leakage),
            "charge_on": charge(cell.charge_on), "charge_off": charge(cell.charge_off),
            "charge_off_tail": charge(cell.charge_off_tail),
            **{name: (old := getattr(cell, name)) and charge(old) for name in ("charge_off_drift", "line_charge")},
            "lambda_per_v": cell.lambda_per_v.model_copy(
                update={"value": float(np.median([one.lambda_per_v for one in rows])), "standard_error": 0.0, "source": source}
            ),
        }
    )  # fmt: skip
