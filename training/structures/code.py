"""The weights of a network as they are stored: fields of few bits, reals, and what follows from a rule; and as a file.

A code file is safetensors: the packed fields and the reals of every layer, and as metadata a version, a digest of all of it, and
what each layer is. It is whole or not there, and no content of it is run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.files import why
from training.structures.packing import Whole, packed, unpacked
from training.tensors import NetworkFileError, read_tensors, write_tensors

FORMAT, VERSION = "cosim code", 1
FLOAT_BITS, SEED_BITS = 32, 32
MOST_WEIGHTS = 1 << 28
"""Of a layer; a file that says more is none of ours."""

DENSE = "dense"
"""The kind of a layer that has no structure: its weights as they are."""


class CodeFileError(NetworkFileError):
    """A code file cannot be read, or is none. One line: file, layer, what is wrong."""


@dataclass(frozen=True, eq=False)
class Field:
    """Numbers of `bits` bits each."""

    values: Whole
    bits: int


@dataclass(frozen=True, eq=False)
class LayerCode:
    """The weights of one layer.

    Attributes:
        kind: the structure that decodes it.
        shape: of the weights, [out, in, ...].
        rule: what decides the rest: settings and seeds, as JSON has them.
        seeds: how many of the numbers of the rule are seeds, which are of this network and stored.
        fields, reals: by name; reals are float32.
        table_bits: of the table that decodes it and follows from the rule: not in the file, but in the hardware.
    """

    kind: str
    shape: tuple[int, ...]
    rule: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 0
    fields: Mapping[str, Field] = field(default_factory=dict)
    reals: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    table_bits: int = 0

    @property
    def weights(self) -> int:
        return prod(self.shape)

    @property
    def parts(self) -> dict[str, int]:
        """Bits by what they store."""
        return {
            **{name: one.values.size * one.bits for name, one in self.fields.items()},
            **{name: FLOAT_BITS * one.size for name, one in self.reals.items()},
            **({"seeds": SEED_BITS * self.seeds} if self.seeds else {}),
        }

    @property
    def bits(self) -> int:
        """All that is stored, without the table."""
        return sum(self.parts.values())


def dense_code(weight: NDArray[np.float32]) -> LayerCode:
    """Of a layer without a structure."""
    return LayerCode(DENSE, weight.shape, reals={"weight": weight.reshape(-1)})


@dataclass(frozen=True)
class Compression:
    """What a code takes: of the layers that have a structure, and of the whole network, both against float32.

    Attributes:
        coded_weights, weights: how many there are, of the layers coded and of all.
        coded_bits, bits: what they take without decode tables; `table_bits` is the largest table, which all layers share.
    """

    coded_weights: int
    weights: int
    coded_bits: int
    bits: int
    table_bits: int

    @classmethod
    def of(cls, layers: list[LayerCode]) -> Compression:
        coded = [layer for layer in layers if layer.kind != DENSE]
        return cls(
            sum(layer.weights for layer in coded),
            sum(layer.weights for layer in layers),
            sum(layer.bits for layer in coded),
            sum(layer.bits for layer in layers),
            max((layer.table_bits for layer in coded), default=0),
        )

    @property
    def bits_per_weight(self) -> float:
        """Of the layers coded."""
        return self.coded_bits / self.coded_weights

    @property
    def ratio(self) -> float:
        """How much smaller the layers coded are than in float32."""
        return FLOAT_BITS / self.bits_per_weight

    @property
    def whole_ratio(self) -> float:
        """How much smaller the whole network is."""
        return FLOAT_BITS * self.weights / self.bits

    @property
    def ratio_with_table(self) -> float:
        return FLOAT_BITS * self.coded_weights / (self.coded_bits + self.table_bits)


def save_code(path: Path, layers: list[LayerCode]) -> None:
    """Write a code file. Raises `OSError`."""
    tensors, described = {}, []
    for number, layer in enumerate(layers):
        for name, one in layer.fields.items():
            tensors[f"layers.{number}.{name}"] = torch.from_numpy(packed(one.values, one.bits).copy())
        for name, reals in layer.reals.items():
            tensors[f"layers.{number}.{name}"] = torch.from_numpy(np.ascontiguousarray(reals, np.float32))
        described.append(
            {
                "kind": layer.kind, "shape": list(layer.shape), "rule": dict(layer.rule), "seeds": layer.seeds,
                "fields": {name: [one.values.size, one.bits] for name, one in layer.fields.items()},
                "reals": list(layer.reals), "table_bits": layer.table_bits,
            }
        )  # fmt: skip
    write_tensors(path, tensors, {"format": FORMAT, "version": str(VERSION), "layers": json.dumps(described)})


def load_code(path: Path) -> list[LayerCode]:
    """The layers of a code file. Raises `CodeFileError` for what is none, is cut short or of another version."""
    try:
        tensors, metadata = read_tensors(path)
    except NetworkFileError as error:
        raise CodeFileError(str(error)) from error
    if metadata.get("format") != FORMAT:
        raise CodeFileError(f"{path}: format: is no code file; cosim train --structure NAME writes one")
    if metadata.get("version") != str(VERSION):
        raise CodeFileError(f"{path}: version: {metadata.get('version')!r} is not {VERSION}, the one that is read here")
    try:
        described = json.loads(metadata["layers"])
        return [_layer(path, number, said, tensors) for number, said in enumerate(described)]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, CodeFileError):
            raise
        raise CodeFileError(f"{path}: layers: is not as a code file has it: {why(error)}") from error


def _layer(path: Path, number: int, said: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> LayerCode:
    shape = tuple(map(int, said["shape"]))
    if len(shape) < 2 or min(shape) < 1 or prod(shape) > MOST_WEIGHTS:
        raise CodeFileError(f"{path}: layers.{number}: shape {list(shape)} is none of a layer")
    fields = {}
    for name, (count, bits) in said["fields"].items():
        try:
            fields[name] = Field(unpacked(tensors[f"layers.{number}.{name}"].numpy(), int(count), int(bits)), int(bits))
        except ValueError as error:
            raise CodeFileError(f"{path}: layers.{number}.{name}: {error}") from error
    reals = {name: tensors[f"layers.{number}.{name}"].numpy() for name in said["reals"]}
    for name, one in reals.items():
        if one.dtype != np.float32 or not np.isfinite(one).all():
            raise CodeFileError(f"{path}: layers.{number}.{name}: holds what are no finite float32")
    return LayerCode(str(said["kind"]), shape, dict(said["rule"]), int(said["seeds"]), fields, reals, int(said["table_bits"]))
