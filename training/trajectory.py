"""The model's membrane over time, to lay beside a circuit's waveform."""

from __future__ import annotations

import math

import numpy as np

from training.hardware import FloatArray, NormalisedModel, SynapseTable


def trajectory(model: NormalisedModel, weights: FloatArray, spike_times: FloatArray, times: FloatArray) -> FloatArray:
    """Membrane v of one layer for one sample, over accumulation (times 0 .. 1) and firing (1 .. 2).

    Accumulation is the exact solution. At t = 1 the synapses that were on add `kick_off`. In the firing phase the discharger
    drives the membrane, dv/ds = -ln(1 - b) (1 - b v)/b with b = 1/e_dis and s the time in the phase: the equation whose crossing
    of v = 1 is `training.hardware.firing_law`; tail and start-up of the sensing inverter are in the spike time alone. After its
    own crossing, where the model says nothing more, a membrane is NaN.

    Args:
        weights: effective weights, [out, in]; `OutOfRange` where the cell cannot do one.
        spike_times: of the inputs in phases, [in]; >= 1: none.
        times: in phases, 0 .. 2, [n] in any order.

    Returns:
        v, [n, out].
    """
    times = np.asarray(times, dtype=float)
    if times.size and not 0.0 <= times.min() <= times.max() <= 2.0:
        raise ValueError(f"times: {times.min():.6g} .. {times.max():.6g} must lie in 0 .. 2 phases")
    _, _, kick_off, _, load, lift = SynapseTable.of(model)(weights)
    capacitance, on = 1.0 + load.sum(1), spike_times < 1.0
    end = accumulation(model, weights, spike_times, np.ones(1))[0] * (1.0 - lift[:, on].sum(1) / capacitance)
    end += kick_off[:, on].sum(1) / capacitance
    firing = times >= 1.0
    v = np.empty((len(times), len(weights)))
    v[~firing] = accumulation(model, weights, spike_times, times[~firing])
    v[firing] = _discharge(end, (times[firing, None] - 1.0) / capacitance, model.e_dis)
    return v


def accumulation(model: NormalisedModel, weights: FloatArray, spike_times: FloatArray, times: FloatArray) -> FloatArray:
    """Membrane v [n, out] at `times` [n] in 0 .. 1, before the synapses switch off; arguments as in `trajectory`."""
    beta, kick, _, _, load, lift = SynapseTable.of(model)(weights)
    capacitance = 1.0 + load.sum(1)
    v = np.full((len(times), len(weights)), model.v_reset)
    now = np.full(len(weights), model.v_reset)
    drive, conductance = np.zeros(len(weights)), np.zeros(len(weights))
    order = np.argsort(spike_times, kind="stable")
    arriving = order[spike_times[order] < 1.0]
    ends = np.append(spike_times[arriving[1:]], np.inf)
    for j, end in zip(arriving, ends, strict=True):
        now = now + kick[:, j] / capacitance
        drive, conductance = drive + weights[:, j], conductance + beta[:, j] * weights[:, j]
        capacitance = capacitance - lift[:, j]
        inside = (times >= spike_times[j]) & (times < end)
        v[inside] = _step(now, drive, conductance, (times[inside, None] - spike_times[j]) / capacitance)
        now = _step(now, drive, conductance, (np.minimum(end, 1.0) - spike_times[j]) / capacitance)
    return v


def _step(v: FloatArray, drive: FloatArray, conductance: FloatArray, d: FloatArray | float) -> FloatArray:
    """Exact step of dv/dt = drive - conductance v over a time d."""
    x = conductance * d
    phi1 = np.divide(-np.expm1(-x), x, out=np.ones_like(x), where=x != 0.0)
    stepped: FloatArray = v + d * phi1 * (drive - conductance * v)
    return stepped


def _discharge(v: FloatArray, s: FloatArray, e_dis: float) -> FloatArray:
    """Membrane [n, out] a time s [n, 1] into the firing phase, from v [out] at its start; NaN past the threshold."""
    risen = v + s if math.isinf(e_dis) else e_dis - (e_dis - v) * np.exp(s * math.log1p(-1.0 / e_dis))
    return np.where(risen <= 1.0, risen, np.nan)
