"""The discharger of a neuron: the bias that fires a resting membrane exactly at the end of its phase."""

from __future__ import annotations

import numpy as np

from cosim.errors import InputError


def bias_for_phase(biases_v: np.ndarray, spikes_s: np.ndarray, phase_s: float) -> float:
    """The bias whose resting column fires after exactly one phase. Raises `InputError` if the range does not hold it."""
    from scipy.interpolate import CubicSpline

    fired = np.isfinite(spikes_s)
    if fired.sum() < 2 or not spikes_s[fired].min() < phase_s < spikes_s[fired].max():
        raise InputError(
            f"neuron.discharger_bias_v: no bias between {biases_v[0]:.3f} and {biases_v[-1]:.3f} V fires a resting membrane "
            f"after {phase_s * 1e9:.0f} ns; widen the range or resize neuron.discharger"
        )
    order = np.argsort(spikes_s[fired])
    curve = CubicSpline(np.log(spikes_s[fired][order]), biases_v[fired][order])
    return float(curve(np.log(phase_s)))
