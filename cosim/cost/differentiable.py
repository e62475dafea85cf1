"""What the cells of a network cost, as its training takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cosim.bench.membrane import membrane_voltage
from cosim.cost.cells import CELL_ENERGIES, CellEnergies, LayerEnergy
from training import energy
from training.hardware import HardwareModel, columns_of_layers
from training.shapes import Crossbar

MEMBRANES = np.linspace(-0.55, 1.3, 371)
"""In thresholds: 4 mV apart at the threshold of the reference circuit."""


def energy_of_run(run: Path, hardware: HardwareModel, crossbars: Sequence[Crossbar]) -> energy.NetworkEnergy | None:
    """What the cells cost that a run directory has measured; None where it was given its hardware model, and has not.

    `crossbars` are those of the network's layers, all dense.
    """
    file = run / CELL_ENERGIES
    return network_energy(CellEnergies.load(file), columns_of_layers(hardware, crossbars)) if file.is_file() else None


def network_energy(energies: CellEnergies, columns: Sequence[HardwareModel]) -> energy.NetworkEnergy:
    """The part of an inference's energy that follows from weights and membranes; `columns` are of each layer."""
    return energy.NetworkEnergy(
        tuple(_layer(energies.supply_v, layer, own) for layer, own in zip(energies.layers, columns, strict=True))
    )


def _layer(supply_v: float, layer: LayerEnergy, own: HardwareModel) -> energy.LayerEnergy:
    volts = membrane_voltage(MEMBRANES, own)
    cost = sum(curve(np.clip(volts, curve.x[0], curve.x[-1])) for curve in layer.neuron.values())
    full_j = supply_v * own.neuron.capacitance_f * own.neuron.v_th_v
    return energy.LayerEnergy(
        membrane=tuple(MEMBRANES.tolist()),
        neuron_j=tuple(np.asarray(cost).tolist()),
        plus_j=layer.plus.share * full_j,
        minus_j=layer.minus.share * full_j,
    )
