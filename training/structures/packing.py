"""Whole numbers of a few bits each, one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.unsignedinteger]
Bytes = NDArray[np.uint8]


def packed(values: NDArray[np.integer], bits: int) -> Bytes:
    """Numbers 0 .. 2^bits - 1 as bytes, filled up with zeros at the end. Raises ValueError for a number that needs more bits."""
    flat = np.ascontiguousarray(values).reshape(-1)
    if flat.size and not 0 <= int(flat.min()) <= int(flat.max()) < 1 << bits:
        raise ValueError(f"{flat.min()} .. {flat.max()} do not fit into {bits} bits")
    if bits in (8, 16, 32):
        return flat.astype(f"<u{bits // 8}").view(np.uint8)
    wide = flat.astype(_wide(bits))[:, None].view(np.uint8)
    return np.packbits(np.unpackbits(wide, axis=1, count=bits, bitorder="little"), bitorder="little")


def unpacked(content: Bytes, count: int, bits: int) -> Whole:
    """The inverse of `packed`. Raises ValueError for content of another length, or with bits set behind the last number."""
    if content.size != length(count, bits):
        raise ValueError(f"has {content.size} bytes, {count} numbers of {bits} bits have {length(count, bits)}")
    if bits in (8, 16, 32):
        return np.ascontiguousarray(content).view(f"<u{bits // 8}")
    every = np.unpackbits(content, bitorder="little")
    if every[count * bits :].any():
        raise ValueError("holds more than its numbers")
    wide = np.dtype(_wide(bits))
    bytes_ = np.packbits(every[: count * bits].reshape(count, bits), axis=1, bitorder="little")
    whole = np.zeros((count, wide.itemsize), np.uint8)
    whole[:, : bytes_.shape[1]] = bytes_
    return whole.view(wide).reshape(count)


def length(count: int, bits: int) -> int:
    """Bytes of so many numbers."""
    return (count * bits + 7) // 8


def bits_for(count: int) -> int:
    """Bits that tell so many things apart."""
    return max((count - 1).bit_length(), 0)


def _wide(bits: int) -> str:
    return "<u1" if bits <= 8 else "<u2" if bits <= 16 else "<u4"
