"""A trained network as synapse settings, and as the table of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.bench.bench import Accuracy
from cosim.mapping.codes import setting_of_weight, weight_of_setting
from netlists.synapse import SynapseSetting
from training.hardware import HardwareModel

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class MappedNetwork:
    """Synapse settings of a network, [layer][out][in]; None is off."""

    name: str
    settings: tuple[tuple[tuple[SynapseSetting | None, ...], ...], ...]


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """One sample of a mapped network, to be simulated.

    Attributes:
        times: arrival of each input, [inputs], in phases.
        condition: what identifies it for people.
        die: the seed of its mismatch; None is the nominal circuit.
        silent: the neurons of each layer that are known to be silent and are not simulated, column by column; none where None.
        keep_start: where the whole network is one circuit, also keep what its nodes start from, for a deck that shall run by
            itself.
    """

    mapped: MappedNetwork
    times: FloatArray
    condition: Mapping[str, Any]
    accuracy: Accuracy
    die: int | None = None
    silent: Sequence[BoolArray] | None = None
    keep_start: bool = False

    def simulates(self, layer: int, neuron: int) -> bool:
        """Whether the column of a neuron of a layer, counted from 1, is simulated."""
        return self.silent is None or not self.silent[layer - 1][neuron]


def map_network(name: str, weights: Sequence[FloatArray], columns: Sequence[HardwareModel]) -> MappedNetwork:
    """Settings of all layers; `weights` is one [out, in] array per layer, `columns` the hardware model of each."""
    return MappedNetwork(
        name,
        tuple(
            tuple(
                tuple(
                    setting_of_weight(float(weight), column, f"{name}: layer {layer}, neuron {k}, input {j}")
                    for j, weight in enumerate(row)
                )
                for k, row in enumerate(matrix)
            )
            for layer, (matrix, column) in enumerate(zip(weights, columns, strict=True), 1)
        ),
    )


def mapping_table(mapped: MappedNetwork, weights: Sequence[FloatArray], columns: Sequence[HardwareModel]) -> pd.DataFrame:
    """One row a synapse: trained weight, what the code gives, sign, code, current at rest. Layers are counted from 1."""
    rows = []
    for layer, (matrix, settings, hardware) in enumerate(zip(weights, mapped.settings, columns, strict=True), 1):
        for (k, j), weight in np.ndenumerate(matrix):
            setting = settings[k][j]
            done = weight_of_setting(setting, hardware)
            rows.append(
                {
                    "mapping": mapped.name, "layer": layer, "neuron": k, "input": j, "weight": float(weight),
                    "mapped_weight": done, "sign": setting.sign if setting else 0,
                    "code": setting.code if setting else float("nan"),
                    "code_unit": hardware.plus.code_unit,
                    "current_a": abs(done) * hardware.unit_current_a,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def mapped_networks(table: pd.DataFrame) -> dict[str, MappedNetwork]:
    """The settings that mapping.parquet holds, by mapping."""

    def settings(rows: pd.DataFrame) -> tuple[tuple[SynapseSetting | None, ...], ...]:
        ordered = rows.sort_values(["neuron", "input"])
        return tuple(
            tuple(SynapseSetting(row.sign, row.code) if row.sign else None for row in neuron.itertuples())
            for _, neuron in ordered.groupby("neuron")
        )

    return {
        name: MappedNetwork(name, tuple(settings(rows) for _, rows in part.groupby("layer")))
        for name, part in table.groupby("mapping", sort=False)
    }
