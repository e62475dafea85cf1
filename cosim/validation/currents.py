"""The currents of the synapses as they were swept, integrated along the membrane: what their parabolas leave out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from training.hardware import HardwareModel, SynapseTable
from training.hardware.normalised import NormalisedModel
from training.network import RCSpikeNetwork
from training.wiring import by_blocks

FloatArray = NDArray[np.float64]
Respond = Callable[[int, FloatArray], FloatArray]
Law = Callable[[FloatArray], FloatArray]
"""Drive [neurons] (thresholds a phase) over their membranes."""

RANGE = (-0.6, 1.6)
"""Membranes (thresholds) that are tabulated; beyond them a current is as at the end."""
GRID = 221
STEPS = 30
"""Of the integration, a phase, at least; the same for both laws, so that its error cancels."""


@dataclass(frozen=True)
class SweptCurrents:
    """The sweeps of every code (`synapse_iv` of a characterisation: sign, code, membrane_v, current_a towards ground)."""

    sweeps: pd.DataFrame

    def correcting(
        self, network: RCSpikeNetwork, weights: Sequence[FloatArray], columns: Sequence[HardwareModel], respond: Respond
    ) -> Respond:
        """The responses of a network, moved by what the swept currents do to the membranes beyond their parabolas.

        Args:
            weights: what is mapped, [out, in] of each layer.
            respond: spikes of a layer of the network, counted from 0.
        """
        layers = list(network)
        beyond = [
            self.beyond_parabolas(column, layer.model, matrix)
            for column, layer, matrix in zip(columns, layers, weights, strict=True)
        ]
        known: dict[tuple[int, bytes], FloatArray] = {}

        def moved(number: int, t: FloatArray) -> FloatArray:
            model, own, curves = layers[number].model, weights[number], beyond[number]
            return by_blocks(layers[number].lines, lambda some, lines: moved_membranes(model, own[some], curves[some], t[lines]))

        @torch.no_grad()
        def corrected(number: int, t: FloatArray) -> FloatArray:
            layer, key = layers[number], (number, t.tobytes())
            if key not in known:
                known[key] = np.stack([moved(number, one) for one in t])
            switched = layer(torch.as_tensor(t, dtype=torch.float64)).switched_membrane
            later = layer.fire(switched + torch.as_tensor(known[key])) - layer.fire(switched)
            return np.asarray(np.clip(respond(number, t) + later.numpy(), 0.0, 1.0))

        return corrected

    def beyond_parabolas(self, column: HardwareModel, model: NormalisedModel, weights: FloatArray) -> FloatArray:
        """What the swept current of each synapse has beyond its parabola, over its value at rest, [out, in, `GRID`].

        Known for the codes that were swept; between them linear over the logarithm of the current.
        """
        from scipy.interpolate import CubicSpline

        neuron, v = column.neuron, _grid()
        u = np.clip(v * neuron.v_th_v, neuron.membrane.x[0], neuron.membrane.x[-1])
        volts = np.clip(neuron.membrane(u), self.sweeps.membrane_v.min(), self.sweeps.membrane_v.max())
        found = np.zeros((*weights.shape, GRID))
        for sign in (1, -1):
            own, code = self.sweeps[self.sweeps.sign == sign], column.synapse(sign).code
            weight = sign * np.array(code.x) / column.unit_current_a
            beta, gamma = (SynapseTable.of(model)(weight)[k][:, None] for k in (0, 6))
            curves = [own[np.isclose(own.code, y, rtol=1e-9)].sort_values("membrane_v") for y in code.y]
            swept = np.stack([CubicSpline(curve.membrane_v, curve.current_a)(volts) for curve in curves])
            beyond = sign * swept / np.array(code.x)[:, None] - (1.0 - beta * v + gamma * v * v)
            here = np.sign(weights) == sign
            place = np.interp(np.log(np.abs(weights[here])), np.log(np.abs(weight)), np.arange(len(weight)))
            below = np.minimum(place.astype(int), len(weight) - 2)
            share = (place - below)[:, None]
            found[here] = beyond[below] * (1 - share) + beyond[below + 1] * share
        return found


def moved_membranes(model: NormalisedModel, weights: FloatArray, beyond: FloatArray, spike_times: FloatArray) -> FloatArray:
    """How far the membranes of one sample end beyond where the parabolas of its synapses take them, [out], in thresholds.

    Args:
        weights: [out, in].
        beyond: of `SweptCurrents.beyond_parabolas`.
        spike_times: of the inputs, [in], in phases.
    """
    beta, kick, _, _, load, lift, gamma, leakage, _ = SynapseTable.of(model)(weights)
    v = _grid()
    parabola = 1.0 - beta[..., None] * v + gamma[..., None] * v * v
    ends = []
    for shape in (parabola + beyond, parabola):
        now = np.full(len(weights), model.v_reset)
        events = np.unique(np.concatenate([[0.0], spike_times[spike_times < 1.0], [1.0]]))
        for start, end in pairwise(events):
            on, capacitance = spike_times <= start, 1.0 + load.sum(1)
            capacitance = capacitance - lift[:, on].sum(1)
            now = now + kick[:, spike_times == start].sum(1) / capacitance
            drive = np.einsum("oi,oig->og", weights[:, on], shape[:, on]) + leakage[:, ~on].sum(1)[:, None] + model.leakage
            now = _integrated(now, _law(drive / capacitance[:, None]), end - start)
        ends.append(now)
    return np.asarray(ends[0] - ends[1])


def _grid() -> FloatArray:
    return np.linspace(*RANGE, GRID)


def _law(drive: FloatArray) -> Law:
    """Linear between the points of the grid [neurons, `GRID`]."""
    rows, (low, high) = np.arange(len(drive)), RANGE

    def at(v: FloatArray) -> FloatArray:
        place = np.clip((v - low) / (high - low) * (GRID - 1), 0.0, GRID - 1)
        below = np.minimum(place.astype(int), GRID - 2)
        left, right = drive[rows, below], drive[rows, below + 1]
        return np.asarray(left + (place - below) * (right - left))

    return at


def _integrated(v: FloatArray, law: Law, time: float) -> FloatArray:
    """Membranes a time later (Runge and Kutta's fourth order)."""
    steps = max(1, int(np.ceil(time * STEPS)))
    h = time / steps
    for _ in range(steps):
        k1 = law(v)
        k2 = law(v + h / 2 * k1)
        k3 = law(v + h / 2 * k2)
        v = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + law(v + h * k3))
    return v
