"""The energy of an inference by source, as the neuron model predicts it: its spikes and membranes, and what cells cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.bench.membrane import membrane_voltage
from cosim.cost.cells import CellEnergies, LayerEnergy
from cosim.mapping.circuit import ENERGY_GROUPS
from training.evaluation import Evaluation
from training.hardware import Curve, HardwareModel, NormalisedModel, SynapseTable
from training.layer import LayerOutput
from training.network import RCSpikeNetwork
from training.trajectory import accumulation
from training.wiring import Lines, blocks, by_blocks

FloatArray = NDArray[np.float64]

TIMES = np.linspace(0.0, 1.0, 201)
"""Where the membrane is looked at over an accumulation phase."""


def predicted_energies(
    energies: CellEnergies,
    columns: Sequence[HardwareModel],
    network: RCSpikeNetwork,
    model: Evaluation,
    inputs: FloatArray,
) -> dict[str, FloatArray]:
    """Energy of each inference from each group of sources (J), [samples].

    Args:
        energies, columns: of each layer.
        model: what the network does with `inputs`, the layers kept.
        inputs: spike times [samples, inputs], in phases.
    """
    spikes = [inputs, *(layer.spike_times.numpy() for layer in model.layers)]
    found = {group: np.zeros(len(inputs)) for group in ENERGY_GROUPS}
    fired = (inputs < 1.0).sum(1)
    found["spike_lines"] += fired * energies.input_fired_j + (inputs.shape[1] - fired) * energies.input_silent_j
    weights, layers = network.effective_weights(), list(network)
    for k, (layer, own) in enumerate(zip(energies.layers, columns, strict=True)):
        normalised, lines = layers[k].model, layers[k].lines
        fired_from = fired_membranes(normalised, weights[k], spikes[k], model.layers[k], lines)
        for group in ENERGY_GROUPS:
            found[group] += _within(layer.neuron[group], membrane_voltage(fired_from, own)).sum(1)
        for block in blocks(lines):
            of_block, reached = weights[k][block.neurons], spikes[k][:, block.lines]
            charges = [supplied_charge(layer, own, normalised, of_block, times) for times in reached]
            found["supply"] += energies.supply_v * np.array(charges)
    return found


def fired_membranes(
    model: NormalisedModel, weights: FloatArray, times: FloatArray, layer: LayerOutput, lines: Lines
) -> FloatArray:
    """The membranes of idle columns that would fire as these do, [samples, out]: with the tails of the synapses that were on.

    A neuron whose membrane is about at rest costs 50 fJ a millivolt: the phase ends as its inverter starts.

    Args:
        weights: effective weights, [out, synapses].
        times: spikes of the inputs in phases, [samples, in].
        layer: what the layer did.
        lines: the input of every synapse, [out, synapses].
    """
    _, _, _, tail, load, _, _, leakage, drift = SynapseTable.of(model)(weights)
    fired, arrived = np.maximum(layer.spike_times.numpy(), 1e-3), (times < 1.0).astype(float)
    after = fired / model.tail_reference
    slow, steady = (_of_arrived(charge, arrived, lines) for charge in (tail, drift))
    tails = slow * np.log(after) + steady * (after - 1.0)
    leaked = (leakage - model.idle_leakage).sum(1) * fired
    return np.asarray(layer.switched_membrane.numpy() + (tails + leaked) / (1.0 + load.sum(1)))


def _of_arrived(charge: FloatArray, arrived: FloatArray, lines: Lines) -> FloatArray:
    """Sum of a charge of each synapse [out, synapses] over the inputs that arrived [samples, in]."""
    return by_blocks(lines, lambda own, reached: arrived[:, reached] @ charge[own].T)


def supplied_charge(
    layer: LayerEnergy, hardware: HardwareModel, model: NormalisedModel, weights: FloatArray, times: FloatArray
) -> float:
    """What the synapses of a dense crossbar take from the supply in one sample (C).

    Args:
        weights: effective weights, [out, in].
        times: spikes of the inputs in phases, [in].
    """
    on = times < 1.0
    currents = _currents(model, weights, times)[:, on] * hardware.unit_current_a * hardware.phase_s
    charge = float((weights[:, on] == 0.0).sum()) * layer.idle_charge_c
    for sign in (1, -1):
        of_sign = np.sign(weights[:, on]) == sign
        at_rest = np.abs(weights[:, on][of_sign]) * hardware.unit_current_a
        cell = layer.synapse(sign)
        charge += float((cell.share * np.abs(currents[of_sign]) + _within(cell.charge, at_rest)).sum())
    return charge


def _currents(model: NormalisedModel, weights: FloatArray, times: FloatArray) -> FloatArray:
    """Currents integrated over the time for which each synapse is on, over the unit current and a phase, [out, in]."""
    v = np.nan_to_num(accumulation(model, weights, times, TIMES))
    beta, *_, gamma, _, _ = SynapseTable.of(model)(weights)
    integrals = [_remaining(moment, times) for moment in (np.ones_like(v), v, v * v)]
    return np.asarray(weights * (integrals[0] - beta * integrals[1] + gamma * integrals[2]))


def _remaining(values: FloatArray, times: FloatArray) -> FloatArray:
    """Integrals of curves [times, out] from times [in] to the end of the phase, [out, in]."""
    steps = np.diff(TIMES)[:, None] * (values[1:] + values[:-1]) / 2
    so_far = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(steps, axis=0)])
    started = np.clip(times, 0.0, 1.0)
    return np.stack([own[-1] - np.interp(started, TIMES, own) for own in so_far.T])


def _within(curve: Curve, x: FloatArray) -> FloatArray:
    """A curve, continued at its ends by the values there."""
    return curve(np.clip(x, curve.x[0], curve.x[-1]))
