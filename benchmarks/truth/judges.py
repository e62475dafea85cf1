"""The reference design from sweep to validation: operating points that are none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import cosim
from benchmarks.figure import Figure

DESIGN = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"
SAMPLES = 3


def figures(quick: bool) -> Iterator[Figure]:
    """Of one run of all stages as far as the validation."""
    samples = 1 if quick else SAMPLES
    with tempfile.TemporaryDirectory() as folder:
        found = cosim.run(DESIGN, Path(folder) / "run", until="validate", samples=samples, dies=0).metrics
    yield Figure(
        "truth.operating_point_fallbacks", found["simulation.operating_point_fallbacks"], "", "0",
        f"of {found['simulation.points']:.0f} simulations of the reference design, {samples} samples validated",
    )  # fmt: skip
