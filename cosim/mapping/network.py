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
from training.wiring import Lines

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Setting = SynapseSetting | None


@dataclass(frozen=True)
class MappedNetwork:
    """Synapse settings of a network, [layer][neuron][synapse]; None is off. Where a neuron has no synapse there is no device.

    Attributes:
        lines: the input line of every synapse, shaped as `settings`; left out where every neuron is on every line.
        biases_v: of the dischargers, [layer][neuron], where each has its own; None: one a layer, that of its cells.
    """

    name: str
    settings: tuple[tuple[tuple[Setting, ...], ...], ...]
    lines: tuple[tuple[tuple[int, ...], ...], ...] = ()
    biases_v: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        if not self.lines:
            every = tuple(tuple(tuple(range(len(row))) for row in layer) for layer in self.settings)
            object.__setattr__(self, "lines", every)

    def on_line(self, layer: int, line: int) -> dict[int, Setting]:
        """The synapses of a layer, counted from 0, that hang on one of its input lines, by neuron; none behind the outputs."""
        if layer == len(self.settings):
            return {}
        rows = zip(self.settings[layer], self.lines[layer], strict=True)
        return {k: row[lines.index(line)] for k, (row, lines) in enumerate(rows) if line in lines}


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """One sample of a mapped network, to be simulated.

    Attributes:
        times: arrival of each input, [inputs], in phases.
        condition: what identifies it for people.
        die: the seed of its mismatch; None is the nominal circuit.
        silent: the neurons of each layer that are known to be silent and are not simulated, column by column; none where None.
        loosely: column by column, of a die: so many times as far as usual may its lines be from those that were recorded.
        keep_start: where the whole network is one circuit, also keep what its nodes start from, for a deck that shall run by
            itself.
    """

    mapped: MappedNetwork
    times: FloatArray
    condition: Mapping[str, Any]
    accuracy: Accuracy
    die: int | None = None
    silent: Sequence[BoolArray] | None = None
    loosely: float = 1.0
    keep_start: bool = False

    def simulates(self, layer: int, neuron: int) -> bool:
        """Whether the column of a neuron of a layer, counted from 1, is simulated."""
        return self.silent is None or not self.silent[layer - 1][neuron]


def map_network(
    name: str, weights: Sequence[FloatArray], columns: Sequence[HardwareModel], lines: Sequence[Lines] = ()
) -> MappedNetwork:
    """Settings of all layers; `weights` is one [neurons, synapses] array per layer, `columns` the hardware model of each, and
    `lines` the input lines of the synapses, shaped as the weights; left out where every neuron is on every line."""
    crossings = tuple(tuple(map(tuple, own.tolist())) for own in lines or [_every_line(matrix) for matrix in weights])
    layers = enumerate(zip(weights, columns, crossings, strict=True), 1)
    settings = tuple(
        tuple(
            tuple(
                setting_of_weight(float(weight), column, f"{name}: layer {layer}, neuron {k}, input {line}")
                for weight, line in zip(row, own, strict=True)
            )
            for k, (row, own) in enumerate(zip(matrix, of_layer, strict=True))
        )
        for layer, (matrix, column, of_layer) in layers
    )
    return MappedNetwork(name, settings, crossings)


def _every_line(matrix: FloatArray) -> Lines:
    return np.tile(np.arange(matrix.shape[1]), (len(matrix), 1))


def mapping_table(mapped: MappedNetwork, weights: Sequence[FloatArray], columns: Sequence[HardwareModel]) -> pd.DataFrame:
    """One row a synapse: trained weight, what the code gives, sign, code, current at rest. Layers are counted from 1."""
    rows = []
    for layer, (matrix, settings, hardware) in enumerate(zip(weights, mapped.settings, columns, strict=True), 1):
        for (k, j), weight in np.ndenumerate(matrix):
            setting = settings[k][j]
            done = weight_of_setting(setting, hardware)
            rows.append(
                {
                    "mapping": mapped.name, "layer": layer, "neuron": k, "input": mapped.lines[layer - 1][k][j],
                    "weight": float(weight),
                    "mapped_weight": done, "sign": setting.sign if setting else 0,
                    "code": setting.code if setting else float("nan"),
                    "code_unit": hardware.plus.code_unit,
                    "current_a": abs(done) * hardware.unit_current_a,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def mapped_networks(table: pd.DataFrame) -> dict[str, MappedNetwork]:
    """The settings that mapping.parquet holds, by mapping."""

    def settings(neuron: pd.DataFrame) -> tuple[Setting, ...]:
        return tuple(SynapseSetting(row.sign, row.code) if row.sign else None for row in neuron.itertuples())

    found = {}
    for name, part in table.groupby("mapping", sort=False):
        ordered = part.sort_values(["layer", "neuron", "input"])
        layers = [[own for _, own in layer.groupby("neuron")] for _, layer in ordered.groupby("layer")]
        lines = tuple(tuple(tuple(own.input.tolist()) for own in layer) for layer in layers)
        found[name] = MappedNetwork(name, tuple(tuple(map(settings, layer)) for layer in layers), lines)
    return found
