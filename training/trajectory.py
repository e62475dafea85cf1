"""The model's membrane over time, to lay beside a circuit's waveform."""

from __future__ import annotations

import math

import numpy as np

from training.hardware import FloatArray, NormalisedModel, NormalisedPlaces, SynapseTable
from training.hardware.normalised import POWERS, UNDER_WAY


def trajectory(model: NormalisedModel, weights: FloatArray, spike_times: FloatArray, times: FloatArray) -> FloatArray:
    """Membrane v of one layer for one sample, over accumulation (times 0 .. 1) and firing (1 .. 2).

    Accumulation is the exact solution. At t = 1 the synapses that were on add `kick_off`. In the firing phase the discharger
    drives the membrane, dv/ds = -ln(1 - b) (1 - b v)/b with b = 1/e_dis and s the time in the phase: the equation whose crossing
    of v = 1 is `training.hardware.firing_law`; tail, leakage and start-up of the sensing inverter are in the spike time alone.
    After its own crossing, where the model says nothing more, a membrane is NaN.

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
    _, _, kick_off, _, load, lift, *_ = SynapseTable.of(model)(weights)
    places, on = places_of(model, weights), spike_times < 1.0
    capacitance = 1.0 + load.sum(1) + places.capacitance
    end = accumulation(model, weights, spike_times, np.ones(1))[0]
    falling = np.select([weights > 0, weights < 0], list(places.off), 0.0) @ places.fallen(on.astype(float))
    moved = ((kick_off - places.kick)[:, on].sum(1) + falling - end * lift[:, on].sum(1)) / capacitance
    end = end + places.mixing(capacitance) @ (moved + dropped(model, weights, spike_times, end, capacitance) / capacitance)
    firing = times >= 1.0
    v = np.empty((len(times), len(weights)))
    v[~firing] = accumulation(model, weights, spike_times, times[~firing])
    v[firing] = _discharge(end, (times[firing, None] - 1.0) / capacitance, model.e_dis)
    return v


def accumulation(model: NormalisedModel, weights: FloatArray, spike_times: FloatArray, times: FloatArray) -> FloatArray:
    """Membrane v [n, out] at `times` [n] in 0 .. 1, before the synapses switch off; arguments as in `trajectory`."""
    beta, kick, _, _, load, lift, gamma, leakage, _ = SynapseTable.of(model)(weights)
    places = places_of(model, weights)
    capacitance = 1.0 + load.sum(1) + places.capacitance
    mixing, kick = places.mixing(capacitance), kick + places.kick
    v = np.full((len(times), len(weights)), model.v_reset)
    now = np.full(len(weights), model.v_reset)
    drive = model.leakage + leakage.sum(1)
    conductance, bend = np.zeros(len(weights)), np.zeros(len(weights))
    order = np.argsort(spike_times, kind="stable")
    arriving = [int(j) for j in order if spike_times[j] < 1.0]
    starts, ends = [0.0, *spike_times[arriving]], [*spike_times[arriving], np.inf]
    for j, start, end in zip([None, *arriving], starts, ends, strict=True):
        if j is not None:
            now = now + mixing @ (kick[:, j] / capacitance)
            drive, conductance = drive + weights[:, j] - leakage[:, j], conductance + beta[:, j] * weights[:, j]
            bend, capacitance = bend + gamma[:, j] * weights[:, j], capacitance - lift[:, j]
        inside = (times >= start) & (times < end)
        v[inside] = _mixed_step(now, drive, conductance, bend, (times[inside, None] - start) / capacitance, mixing)
        now = _mixed_step(now, drive, conductance, bend, (np.minimum(end, 1.0) - start) / capacitance, mixing)
    return v


def dropped(
    model: NormalisedModel, weights: FloatArray, spike_times: FloatArray, end: FloatArray, capacitance: FloatArray
) -> FloatArray:
    """What the lines that feed the rows take off the charge of each membrane, [out]: `training.drop`, neuron by neuron.

    `end` are membranes at the end of accumulation, `capacitance` of the neurons over that of the column, [out].
    """
    lost, drop = np.zeros(len(weights)), places_of(model, weights).drop
    if not drop.any():
        return lost
    beta, on = SynapseTable.of(model)(weights)[0], np.maximum(1.0 - spike_times, 0.0)
    currents, together = weights * (1.0 - UNDER_WAY * beta * end[:, None]), np.minimum.outer(on, on)
    for k, flowing in enumerate((beta * weights)[:, on > 0.0].sum(1) / capacitance):
        powers = [(-flowing) ** n / math.factorial(n + 1) * together ** (n + 1) for n in range(POWERS)]
        for lines, sign, side in zip(drop, (1.0, -1.0), (model.plus, model.minus), strict=True):
            drawn = np.maximum(sign * currents, 0.0)
            weaker = drawn[k] * np.interp(np.abs(weights[k]), side.magnitude, side.per_volt)
            lost[k] -= sign * weaker @ sum(powers) @ (lines[k] @ drawn)
    return lost


def places_of(model: NormalisedModel, weights: FloatArray) -> NormalisedPlaces:
    """Those of a model for the neurons of weights [out, in]; all alike where it has none."""
    if model.places is not None:
        return model.places
    neurons, inputs = weights.shape
    of_neurons, of_inputs, of_signs = np.zeros(neurons), np.zeros(inputs), np.zeros(2)
    between, crosstalk = np.zeros((neurons, neurons)), np.zeros((inputs, inputs))
    return NormalisedPlaces(of_neurons, between, np.zeros(weights.shape), of_neurons, of_inputs, crosstalk, of_signs, of_signs)


def _mixed_step(
    v: FloatArray, drive: FloatArray, conductance: FloatArray, bend: FloatArray, d: FloatArray, mixing: FloatArray
) -> FloatArray:
    """`_step`, with what it moves the neighbours by, as `solvers.autograd_walk` has it."""
    later = _step(v, drive, conductance, bend, d)
    own = later - v
    return later + np.exp(-(conductance - bend * (v + later)) * d / 2) * (own @ mixing.T - own)


def _step(v: FloatArray, drive: FloatArray, conductance: FloatArray, bend: FloatArray, d: FloatArray | float) -> FloatArray:
    """Exact step of dv/dt = drive - conductance v + bend v^2 over a time d (`solvers.riccati`); NaN once it runs away."""
    if bend.any():
        root = np.sqrt(np.asarray(conductance**2 / 4 - bend * drive, dtype=complex))
        x = root * d
        tau = np.real(d * np.divide(np.tanh(x), x, out=np.ones_like(x), where=x != 0.0))
        below = 1.0 + tau * (conductance / 2 - bend * v)
        return np.where(below > 0.0, v + tau * (drive - conductance * v + bend * v * v) / below, np.nan)
    x = conductance * d
    phi1 = np.divide(-np.expm1(-x), x, out=np.ones_like(x), where=x != 0.0)
    return np.asarray(v + d * phi1 * (drive - conductance * v))


def _discharge(v: FloatArray, s: FloatArray, e_dis: float) -> FloatArray:
    """Membrane [n, out] a time s [n, 1] into the firing phase, from v [out] at its start; NaN past the threshold."""
    risen = v + s if math.isinf(e_dis) else e_dis - (e_dis - v) * np.exp(s * math.log1p(-1.0 / e_dis))
    return np.where(risen <= 1.0, risen, np.nan)
