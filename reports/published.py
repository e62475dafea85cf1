"""Published values of the reference circuit: Sakemi et al. 2025, arXiv 2412.09010. They stand here and nowhere else."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """A published value in SI units."""

    unit: str
    value: float


CELLS = {
    "lambda_N": Published("1/V", 0.41),
    "E+": Published("", 2.80),
    "lambda_P": Published("1/V", 0.75),
    "E-": Published("", -1.53),
    "lambda_dis": Published("1/V", 0.177),
    "E_dis": Published("", 6.44),
    "V_switch": Published("V", 0.428),
    "membrane capacitance": Published("F", 140e-15),
}
"""Of its cells, which characterisation measures."""

OUTPUT_SPIKES = {
    "validation.conventional.output_spike_rmse_s": Published("s", 39.04e-9),
    "validation.ode.output_spike_rmse_s": Published("s", 1.97e-9),
    "validation.error_ratio": Published("", 19.8),
}
"""Of its output spikes over 50 Iris samples, T = 1 us, by the metric that a run has for them."""
