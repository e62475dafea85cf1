"""Digits networks with a structure in their circuits: `python -m benchmarks.structure_circuits NAME... --hardware FILE`.

designs/digits_64_32_10.toml with 60 epochs and nothing simulated twice; each structure adds a line to
benchmarks/results/structures.circuits.csv, and the same command goes on where it was stopped. The hardware model is that of
`cosim characterize designs/digits_64_32_10.toml`; columns of fewer synapses follow from it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cosim
from training.study.table import GrowingTable

ROOT = Path(__file__).parents[1]
DESIGN = ROOT / "designs" / "digits_64_32_10.toml"
TABLE = Path(__file__).parent / "results" / "structures.circuits.csv"
CHANGES = {
    "epochs = 200": "epochs = 60",
    "accuracy_samples = 1": "accuracy_samples = 0",
    "hardest = 7": "hardest = 0",
    "skip_silent = true": "skip_silent = false",
}
METRICS = {
    "test_accuracy": "training.test_accuracy", "label_agreement": "validation.label_agreement",
    "output_spike_rmse_s": "validation.ode.output_spike_rmse_s", "devices": "training.devices", "area_m2": "cost.area_m2",
    "energy_per_inference_j": "energy.per_inference_j", "bits_per_weight": "training.bits_per_weight",
    "compression": "training.compression",
}  # fmt: skip
COLUMNS = ("structure", "network", "images", *METRICS, "command")


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structure_circuits", description=__doc__)
    parser.add_argument("structures", nargs="+", metavar="NAME", help="as --structure names them; dense for none")
    parser.add_argument("--images", type=int, default=2, help="simulated of each")
    parser.add_argument("--hardware", type=Path, help="hardware.json of the design; characterised where not given")
    parser.add_argument("--runs", type=Path, default=Path("runs/structures"), help="run directories")
    parser.add_argument("--table", type=Path, default=TABLE, help="where lines are added")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args(words)
    table = GrowingTable(arguments.table, COLUMNS)
    for name in arguments.structures:
        if not any((row["structure"], row["images"]) == (name, str(arguments.images)) for row in table.rows()):
            table.append(_line(name, arguments))
    return 0


def _line(name: str, arguments: argparse.Namespace) -> dict[str, object]:
    """Train, map and simulate one network."""
    design = arguments.runs / "digits.toml"
    design.parent.mkdir(parents=True, exist_ok=True)
    text = DESIGN.read_text()
    for old, new in CHANGES.items():
        assert old in text, old
        text = text.replace(old, new)
    design.write_text(text)
    result = cosim.run(
        design, arguments.runs / f"digits_{name}", until="validate", structure=name, samples=arguments.images, dies=0,
        hardware=arguments.hardware, jobs=arguments.jobs,
    )  # fmt: skip
    found = {column: result.metrics.get(metric) for column, metric in METRICS.items()}
    own = {"structure": name, "network": "64-32-10", "images": arguments.images}
    return {**own, **found, "command": f"python -m benchmarks.structure_circuits {name} --images {arguments.images}"}


if __name__ == "__main__":
    sys.exit(main())
