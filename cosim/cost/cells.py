"""What the cells of a network cost, one by one (`cell_energies.json`): a neuron by its membrane, a synapse by its current.

Nothing of it is fitted to a network, and no trained weight goes in.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from cosim.errors import InputError
from training.errors import first_problem
from training.files import read_json, why, write_whole
from training.hardware.curve import Curve, Record

SCHEMA_VERSION = 1

CELL_ENERGIES = "cell_energies.json"
"""In a run directory; one that was given its hardware model has none."""


class SynapseEnergy(Record):
    """Synapses of one sign."""

    share: float
    """Of the current that a synapse puts on the membrane, what the supply gives: 1 for one to the supply, 0 for one to ground."""
    charge: Curve
    """Current at rest (A) -> what it takes from the supply beyond that, each time that it is switched on and off (C)."""


class LayerEnergy(Record):
    """The cells of a layer, on lines that are loaded as they are in the network."""

    synapses: int
    fan_out: int
    neuron: dict[str, Curve]
    """By group of sources: membrane at the start of firing (V) -> energy of a reset, an accumulation and a firing phase (J), with
    the spike line and what it drives."""
    plus: SynapseEnergy
    minus: SynapseEnergy
    idle_charge_c: float
    """What a synapse of weight 0 takes from the supply each time that its line rises and falls."""

    def synapse(self, sign: int) -> SynapseEnergy:
        return self.plus if sign > 0 else self.minus


class CellEnergies(Record):
    """The cells of a network, layer by layer, and the drivers of its inputs."""

    schema_version: int = SCHEMA_VERSION
    supply_v: float
    layers: tuple[LayerEnergy, ...]
    input_fired_j: float
    """Of the driver of an input that spikes once."""
    input_silent_j: float

    def save(self, path: Path) -> None:
        write_whole(path, (json.dumps(self.model_dump(mode="json"), indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> CellEnergies:
        """Read a cell_energies.json. Raises `InputError` with one line for what is wrong with it."""
        try:
            return cls.model_validate(read_json(path))
        except (OSError, ValueError) as error:
            problem = first_problem(error, "energies") if isinstance(error, ValidationError) else why(error)
            raise InputError(f"{path}: {problem}; remove it, and cosim characterize writes it anew") from error
