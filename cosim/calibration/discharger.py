"""What a discharger's current does with its bias, from when a resting column fires: what a calibration may set it to."""

from __future__ import annotations

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.characterize.measurements.firing_time import points
from cosim.errors import CosimError
from training.hardware import FloatArray, HardwareModel

OFFSETS_V = np.array([-0.045, -0.03, -0.015, 0.0, 0.014, 0.03, 0.045, 0.06])
"""About the nominal bias; the lowest still fires within the three phases of the testbench."""


class DischargerError(CosimError):
    """The current of the discharger over its bias could not be measured."""

    exit_code = 3


def discharger_current(bench: Bench, hardware: HardwareModel) -> FloatArray:
    """ln of the current at `OFFSETS_V` over that at the nominal bias: the time to the threshold, without start-up, goes as 1/d.

    Raises `DischargerError` where a column does not fire.
    """
    biases = hardware.neuron.discharger_bias.value + OFFSETS_V
    wanted = list(points(bench, ColumnSize.in_use(bench.design.shape)[0], biases))
    results = bench.run(wanted)
    rows = [results.row(point) for point in wanted]
    spikes = np.array([np.nan if row is None else row["spike_s"] for row in rows])
    if not np.isfinite(spikes).all():
        silent = ", ".join(f"{bias:.4f} V" for bias in biases[~np.isfinite(spikes)])
        raise DischargerError(f"a resting column does not fire with its discharger at {silent}")
    took = spikes - hardware.neuron.earliest_spike.value
    return np.asarray(np.log(took[OFFSETS_V == 0.0] / took))
