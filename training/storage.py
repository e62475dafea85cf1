"""Networks and checkpoints on disk: safetensors and JSON, never pickle; a file is either whole or not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.files import DIGEST, content_digest, read_bounded, read_json, why, write_whole
from training.layer import RCSpikeLayer
from training.network import RCSpikeNetwork
from training.tensors import NetworkFileError, read_tensors, write_tensors

FORMAT_VERSION = 1


def save_networks(path: Path, networks: Mapping[str, RCSpikeNetwork], metadata: Mapping[str, Any]) -> None:
    """Write weights to `path` (network.safetensors) and everything else to the JSON file of the same name beside it.

    Tensors are named `<network>.layers.<i>.weight`, [out, in]. `metadata` is anything JSON can hold (normalisation of the
    inputs, recipe, history). The JSON carries the digest of the weights, so a pair of which one was replaced is found out.
    """
    tensors = {f"{name}.{key}": value for name, network in networks.items() for key, value in network.state_dict().items()}
    digest = write_tensors(path, tensors)
    description: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "weights_sha256": digest,
        "sizes": {name: list(network.sizes) for name, network in networks.items()},
        **metadata,
    }
    text = json.dumps({**description, DIGEST: content_digest(description)}, indent=1, allow_nan=False) + "\n"
    write_whole(path.with_suffix(".json"), text.encode())


def load_description(path: Path) -> dict[str, Any]:
    """The JSON beside the weights at `path`. Raises `NetworkFileError` where it is missing, newer, damaged or of others."""
    file = path.with_suffix(".json")
    try:
        description: dict[str, Any] = read_json(file)
        digest = hashlib.sha256(read_bounded(path)).hexdigest()
    except (OSError, ValueError) as error:
        raise NetworkFileError(f"{file}: cannot be read: {why(error)}; run the training again") from error
    version = description.get("format_version") if isinstance(description, dict) else None
    if not isinstance(version, int):
        raise NetworkFileError(f"{file}: format_version: missing; this is not a network description")
    if version > FORMAT_VERSION:
        raise NetworkFileError(f"{file}: format_version: {version} is newer than {FORMAT_VERSION}, the newest this version reads")
    own = description.pop(DIGEST, None)
    if own is not None and own != content_digest(description):
        raise NetworkFileError(
            f"{file}: {DIGEST}: the content is not what it was when the file was written; run the training again"
        )
    if description.get("weights_sha256") != digest:
        raise NetworkFileError(f"{file}: weights_sha256: does not belong to {path.name}; run the training again")
    return description


def load_weights(path: Path, name: str, network: RCSpikeNetwork) -> None:
    """Load the weights called `name` into `network`, whatever its hardware. Raises `NetworkFileError` where they do not fit."""
    tensors, _ = read_tensors(path)
    for key, layer in network.named_modules():
        if isinstance(layer, RCSpikeLayer) and (links := tensors.get(f"{name}.{key}.links")) is not None:
            layer.links = links
    network.wire_lines()
    wanted = network.state_dict()
    for key, parameter in wanted.items():
        stored = tensors.get(f"{name}.{key}")
        if stored is None:
            raise NetworkFileError(f"{path}: {name}.{key}: missing; the file holds {', '.join(sorted(tensors)) or 'nothing'}")
        if stored.shape != parameter.shape:
            raise NetworkFileError(
                f"{path}: {name}.{key}: has shape {list(stored.shape)}, the network needs {list(parameter.shape)}"
            )
        if not stored.isfinite().all():
            raise NetworkFileError(f"{path}: {name}.{key}: holds values that are not finite")
    network.load_state_dict({key: tensors[f"{name}.{key}"] for key in wanted})
