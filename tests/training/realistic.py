"""A hardware model by hand from measured SKY130 numbers: V_th = 0.872 V, T = 1 us, C = 140 fF."""

from __future__ import annotations

import numpy as np

from training.hardware import NormalisedModel, NormalisedSynapse, firing_law


def _synapse(
    magnitude: list[float], reversal: list[float], off: tuple[float, float], on: float, tail: float
) -> NormalisedSynapse:
    grid = np.geomspace(magnitude[0], magnitude[-1], 129)
    level = np.log(grid / grid[0]) / np.log(grid[-1] / grid[0])
    return NormalisedSynapse(
        magnitude=grid,
        beta=1.0 / np.interp(np.log(grid), np.log(magnitude), reversal),
        kick_on=on * level,
        kick_off=off[0] + (off[1] - off[0]) * level,
        kick_off_tail=tail * level,
        load=np.zeros_like(grid),
        lift=np.zeros_like(grid),
        gamma=np.zeros_like(grid),
        leakage=np.zeros_like(grid),
        kick_off_drift=-tail / 3 * level,
        kick_line=np.zeros_like(grid),
    )


def model() -> NormalisedModel:
    """The reference circuit's current-source synapses and neuron, start-up of the sensing inverter included."""
    unit = 140e-15 * 0.872 / 1e-6
    plus_w = [i / unit for i in (2.1e-9, 30e-9, 103e-9, 316e-9, 862e-9)]
    minus_w = [i / unit for i in (2.0e-9, 12.3e-9, 27.6e-9, 60.8e-9, 133e-9)]
    v = np.linspace(-0.02, 1.02, 1032)
    law = firing_law(v, 6.5)
    return NormalisedModel(
        plus=_synapse(plus_w, [2.75, 2.81, 2.87, 3.00, 3.28], (0.004, 0.0065), 0.0006, 0.0004),
        minus=_synapse(minus_w, [-1.44, -1.49, -1.53, -1.60, -1.74], (-0.0026, -0.0032), -0.0004, -0.0002),
        firing_v=v,
        firing_t=0.04 + np.logaddexp(0.0, (law - 0.04) / 0.012) * 0.012,
        e_dis=6.5,
        v_reset=0.0004,
        idle_kick_on=0.0001,
        idle_kick_off=-0.0002,
        tail_reference=0.5,
        linear_range=(-0.4, 1.26),
    )
