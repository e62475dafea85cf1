"""Tensors on disk: safetensors, never pickle; a file is either whole or not there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from training.errors import TrainingError
from training.files import DIGEST, check_readable, content_digest, why, write_whole


class NetworkFileError(TrainingError):
    """A network file cannot be read or does not fit. One line: file, tensor, what is wrong."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> str:
    """Write a safetensors file, which carries a digest of all that is in it; returns the sha256 of the file."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    described = dict(metadata or {})
    content = save(whole, {**described, DIGEST: _digest(whole, described)})
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file; one of another program carries no digest, and is taken as it is.

    Raises `NetworkFileError`, also for what is not as `write_tensors` wrote it.
    """
    try:
        check_readable(path)
        with safe_open(path, framework="pt") as file:
            tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise NetworkFileError(f"{path}: cannot be read as safetensors: {why(error)}") from error
    digest = metadata.pop(DIGEST, None)
    if digest is not None and digest != _digest(tensors, metadata):
        raise NetworkFileError(
            f"{path}: {DIGEST}: the content is not what it was when the file was written; make or copy it again"
        )
    return tensors, metadata


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(content_digest(dict(metadata)).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
