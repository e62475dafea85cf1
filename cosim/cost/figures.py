"""Figures of merit of a network in its circuit: energy per event and operation, time, throughput, drawn area."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.mapping.network import MappedNetwork
from netlists.areas import DrawnArea, neuron_area, synapse_area
from netlists.crossbar import Cells
from netlists.network import SETTLE_PHASES
from netlists.synapse import SIGNS

FloatArray = NDArray[np.float64]

UM2 = 1e-12
"""m^2."""

LEAST_ERROR_S = 1e-15
"""No spike time is known more closely."""


def cost_metrics(
    cells: Sequence[Cells],
    mapped: MappedNetwork,
    inputs: FloatArray,
    spikes_s: Sequence[FloatArray],
    metrics: Mapping[str, float],
) -> dict[str, float]:
    """What follows from the energy of an inference and from the sizes of the network (docs/cost.md).

    Args:
        cells: of each layer.
        inputs: spikes of the inputs in phases, [samples, inputs].
        spikes_s: of the circuit's neurons after the start of their firing phase, of each layer [samples, neurons].
        metrics: `energy.per_inference_j`, and the error of the output spikes, also on mismatch dies if some were simulated.
    """
    phase = cells[0].timing.phase_s
    energy, synapses = metrics["energy.per_inference_j"], sum(len(row) for layer in mapped.settings for row in layer)
    events = synaptic_events(mapped, [inputs, *(layer / phase for layer in spikes_s[:-1])])
    time_bits = effective_bits(metrics["validation.ode.output_spike_rmse_s"], phase)
    on_dies = metrics.get("validation.mismatch.output_spike_rmse_s")
    period = (2 + 2 * SETTLE_PHASES) * phase
    return {
        "energy.synaptic_events": events,
        **({"energy.per_synaptic_event_j": energy / events} if events else {}),
        "energy.per_operation_j": energy / (2 * synapses),
        **efficiencies(synapses, energy, time_bits, code_bits(cells[0])),
        **({} if on_dies is None else {"energy.time_bits_on_dies": effective_bits(on_dies, phase)}),
        "cost.latency_s": (len(cells) + 1) * phase,
        "cost.first_output_s": len(cells) * phase + float(spikes_s[-1].min(1).mean()),
        "cost.period_s": period,
        "cost.inferences_per_s": 1 / period,
        "cost.power_w": energy / period,
        "cost.bias_lines": float(
            sum(bias_lines(own, len(layer), sum(map(len, layer))) for own, layer in zip(cells, mapped.settings, strict=True))
        ),
        **areas(cells, mapped),
    }


def bias_lines(cells: Cells, neurons: int, synapses: int) -> int:
    """Lines of a layer that hold an analog level: of its synapses, of its neurons together, and of each discharger by itself."""
    each = sum(cells.synapse.bias_source("synapse", sign) is not None for sign in SIGNS)
    own = neurons - 1 if cells.neuron.dimensions.own_discharger_bias else 0
    return each * synapses + len(cells.neuron.bias_lines) + own


def synaptic_events(mapped: MappedNetwork, arriving: Sequence[FloatArray]) -> float:
    """Spikes that arrive at synapses which are not off, mean over the samples.

    `arriving` are the spikes on the lines of each layer in phases, [samples, lines]; 1 or more never arrives.
    """
    found = 0.0
    for times, layer, lines in zip(arriving, mapped.settings, mapped.lines, strict=True):
        on = np.array([[setting is not None for setting in row] for row in layer])
        counts = np.bincount(np.array(lines)[on], minlength=times.shape[1])
        found += float(((times < 1.0) @ counts).mean())
    return found


def effective_bits(rmse_s: float, phase_s: float) -> float:
    """Of spike times whose error is that of a quantiser of so many bits over a phase: its steps have an rms of 1/sqrt(12)."""
    return max(math.log2(phase_s / (math.sqrt(12.0) * max(rmse_s, LEAST_ERROR_S))), 0.0)


def code_bits(cells: Cells) -> float | None:
    """Of a weight with its sign, in a cell whose codes are steps; None where a code is any number."""
    synapse = cells.synapse
    if not synapse.code_step:
        return None
    levels = [np.ptp(synapse.codes(sign, 2)) / synapse.code_step + 1 for sign in (1, -1)]
    return math.log2(sum(levels) + 1)


def efficiencies(synapses: int, energy_j: float, time_bits: float, weight_bits: float | None) -> dict[str, float]:
    """Operations per joule in the three ways in which they are stated, an operation being a multiplication or an addition.

    As they are; times the bits of the weight; times those of input and weight, as if the circuit worked bit by bit. A weight that
    can be any number counts with the bits of the spike times that come of it.
    """
    weight = time_bits if weight_bits is None else weight_bits
    per_w = 2 * synapses / energy_j * 1e-12
    return {
        "energy.time_bits": time_bits,
        "energy.weight_bits": weight,
        "energy.tops_per_w": per_w,
        "energy.tops_per_w_weight_bits": per_w * weight,
        "energy.tops_per_w_normalised": per_w * weight * time_bits,
    }


def areas(cells: Sequence[Cells], mapped: MappedNetwork) -> dict[str, float]:
    """Drawn areas (m^2) of all synapses and all neurons, as far as the schematic knows them; nothing where it does not."""
    synapses, neurons, known = DrawnArea(), DrawnArea(), {}
    for own, layer in zip(cells, mapped.settings, strict=True):
        for setting in (setting for row in layer for setting in row):
            if setting not in known:
                known[setting] = synapse_area(own, setting)
            synapses += known[setting]
        for _ in layer:
            neurons += neuron_area(own)
    if not synapses.total_um2:
        return {}
    return {
        "cost.synapse_area_m2": synapses.total_um2 * UM2,
        "cost.neuron_area_m2": neurons.total_um2 * UM2,
        "cost.capacitor_area_m2": (synapses + neurons).capacitor_um2 * UM2,
        "cost.area_m2": (synapses + neurons).total_um2 * UM2,
    }
