"""Binary result files as SPICE simulators write them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def read_raw(content: bytes) -> dict[str, FloatArray]:
    """Real vectors [points] by name. Raises ValueError for a file that is no such thing, or is cut off."""
    header, binary, data = content.partition(b"Binary:\n")
    lines = header.decode("ascii", errors="replace").splitlines()
    said = {key.strip().lower(): value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}
    if not binary or said.get("flags") != "real":
        raise ValueError("not a binary file of real vectors")
    names = [line.split()[1] for line in lines[lines.index("Variables:") + 1 :]]
    points = int(said["no. points"])
    if len(data) != 8 * points * len(names):
        raise ValueError(f"{len(data)} bytes for {points} points of {len(names)} vectors")
    values = np.frombuffer(data, dtype="<f8").reshape(points, len(names))
    return {name: values[:, column].copy() for column, name in enumerate(names)}
