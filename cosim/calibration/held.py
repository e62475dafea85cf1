"""Biases at a condition with which devices do what they do as designed: keep their current, or fire after one phase."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.characterize.discharger import bias_for_phase
from cosim.characterize.measurements import firing_time
from cosim.characterize.measurements.bias_curves import bias_curves
from cosim.errors import CosimError, InputError
from training.hardware import FloatArray

AROUND_V = (40e-3 * np.linspace(-1.0, 1.0, 5), 3e-3 * np.linspace(-1.0, 1.0, 3))
"""Biases at which a resting neuron is fired: about the one that keeps its current, then about what these say. Where its
threshold moves too, they are 20 mV apart (ff, 85 C)."""

TINY_A = 1e-18
"""Below it a current is leakage and says nothing of a bias."""

Curve = tuple[FloatArray, FloatArray]
"""Gate bias (V) and current (A)."""


class HeldError(CosimError):
    """No bias near keeps the current of a device, or the time of a resting neuron, at a condition."""

    exit_code = 3


def held(here: Mapping[str, Curve], there: Mapping[str, Curve], device: str, bias_v: float) -> float:
    """The bias (V) that gives a device there the current that it has here at `bias_v`. Raises `HeldError`."""
    from scipy.interpolate import PchipInterpolator
    from scipy.optimize import brentq

    own, other = (PchipInterpolator(*_in_logs(curves[device])) for curves in (here, there))
    wanted, ends = float(own(bias_v)), (float(other.x[0]), float(other.x[-1]))
    miss = [float(other(end)) - wanted for end in ends]
    if miss[0] * miss[1] > 0:
        raise HeldError(f"{device}: no gate bias between {ends[0]:g} and {ends[1]:g} V keeps {np.exp(wanted):.3g} A")
    return float(brentq(lambda bias: float(other(bias)) - wanted, *ends, xtol=1e-7))


def _in_logs(curve: Curve) -> Curve:
    """Where there is a current."""
    bias, current = curve
    tells = current > TINY_A
    return bias[tells], np.log(current[tells])


def curves_of(bench: Bench) -> dict[str, Curve]:
    points = list(bias_curves.points(bench))
    results = bench.run(points)
    rows = {str(point.condition["device"]): results.row(point) for point in points}
    if lost := [device for device, row in rows.items() if row is None]:
        raise HeldError(f"{lost[0]}: its current over its gate bias could not be simulated")
    return {device: (np.asarray(row["bias_v"]), np.asarray(row["current_a"])) for device, row in rows.items() if row}


def fires_after_a_phase(bench: Bench, about_v: float) -> float:
    """The discharger's bias of the first layer's neuron at rest. Raises `HeldError` where none near fires it so."""
    for around in AROUND_V:
        biases = about_v + around
        points = list(firing_time.points(bench, ColumnSize.in_use(bench.design.shape)[0], biases))
        results = bench.run(points)
        rows = [results.row(point) for point in points]
        spikes = np.array([np.nan if row is None else row["spike_s"] for row in rows])
        try:
            about_v = bias_for_phase(biases, spikes, bench.design.timing.phase_s)
        except InputError:
            raise HeldError(
                f"discharger: with {biases[0]:.3f} to {biases[-1]:.3f} V a resting neuron does not fire after one phase"
            ) from None
    return about_v
