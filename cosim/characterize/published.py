"""Published values of the reference circuit (`reports.published`) beside the measured ones."""

from __future__ import annotations

import pandas as pd

from cosim.bench.lines import lambda_line
from netlists.synapse import SIGNS
from reports.published import CELLS
from training.hardware import ColumnHardware


def published_comparison(column: ColumnHardware, fits: pd.DataFrame, discharger_iv: pd.DataFrame) -> pd.DataFrame:
    """One row a published value: quantity, unit, published, measured (median over the codes), remark."""
    neuron = column.neuron
    lambda_dis = lambda_line(
        discharger_iv.membrane_v.to_numpy(), discharger_iv.current_a.to_numpy(), neuron.rest.value
    ).relative_slope  # fmt: skip
    measured: dict[str, tuple[float, str]] = {}
    for sign, slope, reversal in zip(SIGNS, ("lambda_N", "lambda_P"), ("E+", "E-"), strict=True):
        own = fits[fits.sign == sign]
        measured[slope] = _over_codes(own.lambda_per_v, 3)
        measured[reversal] = _over_codes(sign * own.reversal_v / neuron.v_th_v, 2)
    measured |= {
        "lambda_dis": (lambda_dis, f"at a bias of {neuron.discharger_bias.value:.3f} V"),
        "E_dis": (neuron.discharger_reversal.value / neuron.v_th_v, ""),
        "V_switch": (neuron.threshold.value, "membrane at the output spike"),
        "membrane capacitance": (neuron.capacitance_f, "as loaded in the array"),
    }
    rows = [(name, CELLS[name].unit, CELLS[name].value, value, remark) for name, (value, remark) in measured.items()]
    return pd.DataFrame(rows, columns=["quantity", "unit", "published", "measured", "remark"])


def _over_codes(values: pd.Series, digits: int) -> tuple[float, str]:
    """Median, and what it is at either end."""
    ends = f"{values.iloc[0]:.{digits}f} at the smallest weight to {values.iloc[-1]:.{digits}f} at the largest"
    return float(values.median()), ends
