"""What a run says of itself in words while it goes on: what it is about to do, and what each stage has found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cosim.pipeline.stages import Stage, StageName
from cosim.pipeline.workspace import Workspace
from reports.formatting import engineering, metric, number

DOES = {
    StageName.CHARACTERIZE: "sweeps the cells in SPICE and extracts a neuron model: hardware.json",
    StageName.TRAIN: "trains a network on it",
    StageName.MAP: "weights to codes of the cells, and the gains of the conventional mapping",
    StageName.VALIDATE: "simulates the trained network, transistor by transistor",
    StageName.DATASHEET: "every parameter over corners, temperatures, supplies and dies",
    StageName.REPORT: "curves, tables and a page to sign: report.html",
}

_SIGNS = {1: "w > 0", -1: "w < 0"}


def plan(space: Workspace, stages: Sequence[Stage]) -> Iterator[str]:
    """What will be done, a line a stage; nothing where all is up to date."""
    if stages:
        yield f"{space.design.name}: {len(stages)} {'stage' if len(stages) == 1 else 'stages'} to do, into {space.run.path}"
        yield from (f"{stage.name:<13} {DOES[stage.name]}" for stage in stages)


def found(space: Workspace, stage: Stage, metrics: Mapping[str, float]) -> Iterator[str]:
    """The first numbers that a stage gives, in a line or two."""
    match stage.name:
        case StageName.CHARACTERIZE:
            yield from _currents(space.run / "characterization" / "synapse_fit.parquet")
            yield from _named(
                metrics,
                {"E+": "characterization.e_plus", "E-": "characterization.e_minus", "E_dis": "characterization.e_dis"},
                " thresholds",
            )
            yield from _named(
                metrics, {"threshold": "characterization.threshold_v", "membrane": "characterization.capacitance_f"}
            )
        case StageName.TRAIN:
            yield from _named(metrics, {"test accuracy of the model": "training.test_accuracy"})
        case StageName.VALIDATE:
            yield from _named(
                metrics,
                {
                    "output spikes of the circuit off the model's, rms": "validation.ode.output_spike_rmse_s",
                    "circuit's accuracy": "circuit.test_accuracy",
                },
            )


def _currents(file: Path) -> Iterator[str]:
    """The ends of the I-V of either sign: what the weakest and the strongest code draw at rest."""
    if not file.is_file():
        return
    import pandas as pd

    for sign, own in pd.read_parquet(file).groupby("sign", sort=False):
        ends = own.loc[[own.current_a.abs().idxmin(), own.current_a.abs().idxmax()]]
        told = [f"{engineering(row.current_a, 'A')} at {number(row.code)} {row.code_unit}" for row in ends.itertuples()]
        yield f"synapse, {_SIGNS[int(str(sign))]}: {' to '.join(told)}"


def _named(metrics: Mapping[str, float], names: Mapping[str, str], unit: str = "") -> Iterator[str]:
    """Those that there are, side by side."""
    told = [f"{word} {metric(name, metrics[name])}" for word, name in names.items() if name in metrics]
    if told:
        yield f"{', '.join(told)}{unit}"
