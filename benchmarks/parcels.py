"""Files packed for a small transfer, each with a digest of itself: batches of CIFAR-10 without loss, everything else as it is.

A batch becomes the residuals of its planes G, R - G and B - G from the median edge detector (Weinberger, Seroussi and Sapiro,
"The LOCO-I lossless image compression algorithm", IEEE Trans. Image Process. 9 (2000) 1309), then LZMA: a little over half of it.
Needs Python's own library and numpy.
"""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.files import read_bounded, why, write_whole

Bytes = NDArray[np.uint8]
Signed = NDArray[np.int16]

MAGIC = b"cosim parcel 1\n"
AS_IT_IS, BATCH = b"0", b"1"
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
"""Bytes of a picture of CIFAR-10's binary version: its label and the planes R, G and B."""
MIDDLE = 128
_HEADER = len(MAGIC) + 1 + hashlib.sha256().digest_size
# Residuals are noise without alignment: neighbours say something of a byte, its position nothing.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 4, "lp": 0, "pb": 0}]


class ParcelError(TrainingError):
    """A parcel that is not what it was when it was packed, or one that is missing. One line."""


def pack(content: bytes, batch: bool) -> bytes:
    """The parcel of a file; of a `batch` of CIFAR-10, whole records, a smaller one. Raises `ParcelError` for other bytes."""
    body = _squeezed(content) if batch else content
    return MAGIC + (BATCH if batch else AS_IT_IS) + hashlib.sha256(content).digest() + body


def unpack(parcel: bytes) -> bytes:
    """The very bytes that were packed. Raises `ParcelError`."""
    kind, body = parcel[len(MAGIC) : len(MAGIC) + 1], parcel[_HEADER:]
    if not parcel.startswith(MAGIC) or kind not in (AS_IT_IS, BATCH):
        raise ParcelError("is no parcel of this version; pack it again")
    try:
        content = _restored(body) if kind == BATCH else body
    except (lzma.LZMAError, EOFError, ValueError):
        content = None
    if content is None or hashlib.sha256(content).digest() != parcel[len(MAGIC) + 1 : _HEADER]:
        raise ParcelError("is damaged; copy it again")
    return content


def unpack_file(parcel: Path, path: Path) -> None:
    """Write the content of a parcel to `path`, whole or not at all. Raises `ParcelError`, which names the parcel."""
    try:
        write_whole(path, unpack(read_bounded(parcel)))
    except (ParcelError, OSError) as error:
        raise ParcelError(f"{parcel}: {why(error)}") from None


def _squeezed(content: bytes) -> bytes:
    if len(content) % RECORD:
        raise ParcelError(f"holds {len(content)} bytes, a batch of CIFAR-10's binary version holds a multiple of {RECORD}")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    residuals = _residuals(_differences(records[:, 1:].reshape(-1, *SHAPE)))
    return lzma.compress(records[:, 0].tobytes() + residuals.swapaxes(0, 1).tobytes(), check=lzma.CHECK_NONE, filters=_FILTERS)


def _restored(body: bytes) -> bytes:
    content = np.frombuffer(lzma.decompress(body), np.uint8)
    planes, height, width = SHAPE
    labels, residuals = np.split(content, [len(content) // RECORD])
    pictures = _colours(_predicted_back(residuals.reshape(planes, -1, height, width).swapaxes(0, 1)))
    return np.column_stack([labels, pictures.reshape(-1, RECORD - 1)]).tobytes()


def _differences(pictures: Bytes) -> Bytes:
    """Planes G, R - G and B - G, modulo 256, of planes R, G and B [n, 3, height, width]; the differences about 128."""
    red, green, blue = pictures.swapaxes(0, 1)
    return np.stack([green, red - green + np.uint8(MIDDLE), blue - green + np.uint8(MIDDLE)], axis=1)


def _colours(planes: Bytes) -> Bytes:
    """What `_differences` was made of."""
    green, red, blue = planes.swapaxes(0, 1)
    return np.stack([red + green - np.uint8(MIDDLE), green, blue + green - np.uint8(MIDDLE)], axis=1)


def _median_edge(left: Signed, above: Signed, corner: Signed) -> Signed:
    """What a pixel should be after its neighbours: the median of left, above and left + above - corner."""
    predicted: Signed = np.clip(left + above - corner, np.minimum(left, above), np.maximum(left, above))
    return predicted


def _residuals(planes: Bytes) -> Bytes:
    """Pixels less their predictions, modulo 256; beyond the edge all is 0."""
    x = np.pad(planes.astype(np.int16), ((0, 0), (0, 0), (1, 0), (1, 0)))
    predicted = _median_edge(x[..., 1:, :-1], x[..., :-1, 1:], x[..., :-1, :-1])
    return (planes - predicted).astype(np.uint8)


def _predicted_back(residuals: Bytes) -> Bytes:
    """What `_residuals` was made of: pixel after pixel, of all pictures at once."""
    count, channels, height, width = residuals.shape
    r = np.ascontiguousarray(residuals.reshape(count * channels, height, width).transpose(1, 2, 0)).astype(np.int16)
    x = np.zeros((height + 1, width + 1, count * channels), np.int16)
    for i in range(height):
        for j in range(width):
            x[i + 1, j + 1] = (_median_edge(x[i + 1, j], x[i, j + 1], x[i, j]) + r[i, j]) & 255
    return x[1:, 1:].astype(np.uint8).transpose(2, 0, 1).reshape(residuals.shape)
