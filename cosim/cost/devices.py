"""The device list of a mapped network: every kind of device, its drawn size, and how many there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import pandas as pd

from cosim.mapping.network import MappedNetwork
from netlists.crossbar import Cells
from netlists.devices import Device, driver_devices, drivers_of_a_neuron, neuron_devices, synapse_devices
from netlists.neuron import SUBCIRCUITS

SYNAPSE = "synapse"
NEURON, DRIVER = SUBCIRCUITS

COLUMNS = ["cell", "device", "model", "role", "width_um", "length_um", "units", "count"]


def device_table(cells: Cells, mapped: MappedNetwork, inputs: int) -> pd.DataFrame:
    """One row a device of each cell and size: `count` of them are in the network, each of `units` side by side.

    `inputs` are those of the network, each behind a driver of its spike line.
    """
    settings = Counter(setting for layer in mapped.settings for row in layer for setting in row)
    neurons = sum(map(len, mapped.settings))
    count = Counter[tuple[str, Device]]()
    for setting, crossings in settings.items():
        for device in synapse_devices(cells, setting):
            count[SYNAPSE, device] += crossings
    for device in neuron_devices(cells):
        count[NEURON, device] += neurons
    for device in driver_devices(cells):
        count[DRIVER, device] += inputs + neurons * drivers_of_a_neuron(cells)
    return pd.DataFrame([_row(cell, device, many) for (cell, device), many in count.items()], columns=COLUMNS)


def _row(cell: str, device: Device, count: int) -> dict[str, object]:
    row = asdict(device)
    return {"cell": cell, "device": row.pop("name"), **row, "role": str(device.role or "netlist"), "count": count}
