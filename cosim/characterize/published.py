"""Published values of the reference circuit beside the measured ones."""

from __future__ import annotations

import pandas as pd

from cosim.characterize.synapse_current import PUBLISHED_FIT_V, voltage_slope
from training.hardware import HardwareModel

PUBLISHED_SYNAPSES = ((1, "lambda_N", "E+", 0.41, 2.80), (-1, "lambda_P", "E-", 0.75, -1.53))
"""Sign, names and published values (arXiv 2412.09010)."""


def published_comparison(hardware: HardwareModel, fits: pd.DataFrame, discharger_iv: pd.DataFrame) -> pd.DataFrame:
    """Published values of the reference circuit beside the measured ones (median over the codes)."""
    v_th = hardware.neuron.v_th_v
    lambda_dis, _ = voltage_slope(discharger_iv, hardware.neuron.rest.value, *PUBLISHED_FIT_V)
    rows = []
    for sign, name, symbol, published_lambda, published_e in PUBLISHED_SYNAPSES:
        values = fits[fits.sign == sign].lambda_per_v
        remark = f"{values.iloc[0]:.3f} at the smallest weight to {values.iloc[-1]:.3f} at the largest"
        rows.append((name, "1/V", published_lambda, float(values.median()), remark))
        e = sign * fits[fits.sign == sign].reversal_v / v_th
        rows.append(
            (
                symbol,
                "",
                published_e,
                float(e.median()),
                f"{e.iloc[0]:.2f} at the smallest weight to {e.iloc[-1]:.2f} at the largest",
            )
        )
    rows.append(("lambda_dis", "1/V", 0.177, lambda_dis, f"at a bias of {hardware.neuron.discharger_bias.value:.3f} V"))
    rows.append(("E_dis", "", 6.44, hardware.neuron.discharger_reversal.value / v_th, ""))
    rows.append(("V_switch", "V", 0.428, hardware.neuron.threshold.value, "membrane at the output spike"))
    rows.append(("membrane capacitance", "F", 140e-15, hardware.neuron.capacitance_f, "as loaded in the array"))
    return pd.DataFrame(rows, columns=["quantity", "unit", "published", "measured", "remark"])
