"""The measured curves of a synapse over displacement, per sign and code: as a parabola, which the neuron model takes, and as the
straight line that reversal and lambda are published of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cosim.bench.bench import Bench
from cosim.bench.lines import PARABOLA_THRESHOLDS, SYNAPSE_THRESHOLDS, dwelling, lambda_line, line_within, parabola_within
from cosim.bench.results import Measured
from cosim.characterize.measurements import synapse_current
from cosim.characterize.membrane import Membrane
from cosim.errors import InputError
from cosim.simulator import Point
from netlists.synapse import SIGNS, SynapseSetting

if TYPE_CHECKING:
    import pandas as pd

NO_CURRENT_A = 1e-14
"""Less than this moves a membrane of 100 fF by 0.1 uV in a microsecond."""


def points(bench: Bench) -> Iterator[Point]:
    """`synapse_current` as finely as the design's characterisation asks. Raises `InputError` if the cell lacks a sign."""
    cells, steps = bench.cells(), bench.design.characterization
    for sign, role in zip(SIGNS, ("bias_n", "bias_p"), strict=True):
        if not len(cells.synapse.codes(sign, steps.codes)):
            raise InputError(
                f"synapse.pins: {role}: missing, so there is no weight of sign {sign:+d}; a hardware model needs both signs "
                "(cosim sweep measures a cell that has one)"
            )
    for sign in SIGNS:
        settings = [(None, SynapseSetting(sign, float(code))) for code in cells.synapse.codes(sign, steps.codes)]
        yield from synapse_current.points(bench, settings, steps.membrane_points - 1)


def iv_table(curves: list[Measured]) -> pd.DataFrame:
    """Raw points: sign, code, membrane_v, current_a (positive towards ground)."""
    import pandas as pd

    frames = [
        pd.DataFrame(
            {
                **{name: one.point.condition[name] for name in ("sign", "code")},
                "membrane_v": one.row["membrane_v"],
                "current_a": one.row["membrane_current_a"],
            }
        )
        for one in curves
    ]
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


def fit_synapses(bench: Bench, iv: pd.DataFrame, membrane: Membrane) -> pd.DataFrame:
    """Per sign and code: current at rest, slope and curvature of the parabola; reversal, lambda and residual of the line.

    The parabola is the nearest where membranes that fire are most of the time. Codes in order of increasing current.
    """
    import pandas as pd

    rest, unit_a = bench.design.neuron.rest_v, membrane.capacitance_f * membrane.v_th_v / bench.design.timing.phase_s
    rows = []
    for (sign, code), curve in iv.groupby(["sign", "code"]):
        volts, current = curve.membrane_v.to_numpy(), curve.current_a.to_numpy()
        u, unit = membrane.displacement(volts), membrane.v_th_v
        line = line_within(u, current, SYNAPSE_THRESHOLDS.times(unit))
        parabola = parabola_within(u, current, PARABOLA_THRESHOLDS.times(unit), dwelling(u, unit))
        published = lambda_line(volts, current, rest)
        rows.append(
            {
                "sign": sign, "code": code, "code_unit": bench.cells().synapse.code_unit, "current_a": sign * parabola.at_zero,
                "weight": parabola.at_zero / unit_a, "slope_per_v": -sign * parabola.slope,
                "slope_error_per_v": parabola.slope_error, "curvature_per_v2": parabola.curvature,
                "curvature_error_per_v2": parabola.curvature_error, "residual_rms": parabola.relative_rms,
                "lambda_per_v": sign * published.relative_slope,
                "lambda_error_per_v": published.relative_slope_error, "reversal_v": sign * line.zero,
                "reversal_error_v": line.zero_error, "residual_fraction": line.relative_residual,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values(["sign", "current_a"], ascending=[False, True]).reset_index(drop=True)


def current_of(iv: pd.DataFrame, sign: int, code: float, membrane: Membrane) -> Callable[[float], float]:
    """Displacement (V) -> current (A) of one code as it was measured."""
    from scipy.interpolate import CubicSpline

    curve = iv[(iv.sign == sign) & (iv.code == code)].sort_values("membrane_v", ascending=False)
    measured = CubicSpline(membrane.displacement(curve.membrane_v.to_numpy()), curve.current_a)
    return lambda displacement_v: float(measured(displacement_v))


def with_fit(iv: pd.DataFrame, fits: pd.DataFrame, membrane: Membrane) -> pd.DataFrame:
    """The raw points beside the parabola of their code."""
    of_fit = ["slope_per_v", "curvature_per_v2"]
    table = iv.merge(fits.rename(columns={"current_a": "at_rest_a"})[["sign", "code", "at_rest_a", *of_fit]], on=["sign", "code"])
    u = membrane.displacement(table.membrane_v.to_numpy())
    fit = table.sign * table.at_rest_a * (1 - table.sign * table.slope_per_v * u + table.curvature_per_v2 * u * u)
    return table.assign(fit_a=fit).drop(columns=["at_rest_a", *of_fit])
