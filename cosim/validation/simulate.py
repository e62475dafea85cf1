"""Model against circuit: the whole network in ngspice, sample by sample, beside the model that was trained.

End to end: both start from the same input spikes; the model's output layer gets the model's own hidden spikes, the circuit's the
circuit's. No spike counts as the end of the phase on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from cosim.bench.bench import Accuracy, Bench
from cosim.cost.cells import CellEnergies
from cosim.cost.figures import cost_metrics
from cosim.cost.predict import predicted_energies
from cosim.design import Design
from cosim.mapping.circuit import output_spikes, sample_point, stand_alone
from cosim.mapping.engine import Engine, engine_of, is_small, simulate_networks
from cosim.mapping.network import MappedNetwork, NetworkRun
from cosim.simulator import Pool, Row
from cosim.validation.attribution import attribution_table
from cosim.validation.causes import Case, CauseTables, cause_tables, unexplained_metrics
from cosim.validation.currents import SweptCurrents
from cosim.validation.metrics import error_metrics, membrane_metrics, model_metrics, numerical_metrics
from cosim.validation.mismatch import model_dies
from cosim.validation.sensitivity import sensitivity_table
from cosim.validation.silent import left_out, silent_metrics, surely_silent
from cosim.validation.tables import (
    ODE,
    Run,
    energy_table,
    failure_table,
    label_table,
    membrane_table,
    second_judge_table,
    spike_table,
    waveform_table,
)
from netlists.crossbar import Cells
from netlists.network import layer_name
from training.data.spikes import SpikeData
from training.evaluation import Evaluation, evaluate
from training.hardware import HardwareModel
from training.network import RCSpikeNetwork

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Validation:
    """Tables (validation/NAME.parquet) and flat metrics in SI units."""

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, float]


@dataclass(frozen=True, eq=False)
class _Task:
    """What to simulate: one sample of a mapping, on the nominal circuit (no die) or with the mismatch that a seed draws."""

    mapped: MappedNetwork
    sample: int
    accuracy: Accuracy
    engine: Engine
    die: int | None = None
    silent: Sequence[BoolArray] | None = None


def validate(
    bench: Bench,
    cells: Sequence[Cells],
    columns: Sequence[HardwareModel],
    networks: dict[str, RCSpikeNetwork],
    mapped: dict[str, MappedNetwork],
    data: SpikeData,
    samples: int,
    dies: int,
    second: Pool | None = None,
    progress: Callable[[str], None] = lambda _: None,
    rerun: str = "",
    energies: CellEnergies | None = None,
    currents: SweptCurrents | None = None,
    population: SpikeData | None = None,
) -> Validation:
    """Simulate the test samples with every mapping, mismatch dies of the ODE-aware one, and a few again: more accurately,
    and in another simulator.

    Args:
        cells, columns: of each layer.
        networks, mapped: by mapping, `ode` and, where there is one, `conventional`; networks in float64.
        samples: test samples, the first of `data`.
        dies: mismatch dies (device mismatch drawn by ngspice, process nominal).
        second: another simulator, which repeats `validation.judge_samples` of the ODE-aware samples.
        rerun: the command that tries failed simulations again.
        energies: what the cells of each layer cost; without it no energy is predicted.
        currents: of the synapses as they were swept; without it they are no cause of what model and circuit differ by.
        population: the whole test set, which dies of the model classify; `data` where None.
    """
    inputs = data.test_t[:samples].numpy()
    models = {name: evaluate(network, data.test_t[:samples], data.test_labels[:samples], data.classes)
              for name, network in networks.items() if name in mapped}  # fmt: skip
    failed_before = len(bench.failures)
    how = "column by column" if engine_of(bench.design) == "columns" else "transistor-level simulation"
    progress(f"{how}: {samples} samples, {' and '.join(mapped)}, and {dies} mismatch dies")
    silent = _silent(bench.design, networks[ODE], data.test_t[:samples], models[ODE])
    judged, runs = _simulate(
        bench, cells, inputs, _judging_tasks(bench, mapped, samples), _validation_tasks(bench, mapped, samples, dies, silent)
    )
    seconds = _second_opinion(bench, second, cells, mapped[ODE], inputs, progress)
    causes = _causes(runs, judged, networks[ODE], mapped[ODE], columns, inputs, currents)
    tables = {
        "spikes": spike_table(runs, models, columns),
        "membranes": membrane_table(runs, models, columns),
        "labels": label_table(runs, models, data, columns),
        "waveforms": waveform_table(runs, networks, models, inputs, columns),
        "energy": energy_table(runs, _predicted_energies(energies, columns, networks[ODE], models[ODE], inputs)),
        "attribution": _attribution(runs, networks[ODE], inputs, columns[0].phase_s),
        "causes": causes.layers,
        "neurons": causes.neurons,
        "second_judge": second_judge_table(runs, seconds, len(columns)),
        "failures": failure_table(bench.failures[failed_before:], rerun),
    }
    on_dies = data.test_t[: _samples_on_dies(bench, samples)]
    on_model = model_dies(networks[ODE], on_dies, population or data, columns[0], bench.design.validation.good_accuracy)
    tables |= {"model_dies": on_model.table, "sensitivity": sensitivity_table(networks[ODE], on_dies, columns[0])}
    metrics = {
        **error_metrics(tables, columns[0].phase_s),
        **numerical_metrics(runs, judged, tables["second_judge"], output_spikes(len(columns))),
        **_engine_metrics(bench.design, runs, judged, len(columns)),
        **silent_metrics(tables["spikes"], silent, columns[0].phase_s),
        **model_metrics(models[ODE]),
        **membrane_metrics(tables["membranes"], cells[0].supply_v),
        **on_model.metrics,
        **unexplained_metrics(tables["causes"]),
        "validation.samples": float(samples),
        "validation.mismatch_dies": float(dies),
        "validation.failed_simulations": float(len(tables["failures"])),
    }
    metrics |= _cost_metrics(cells, mapped[ODE], inputs, runs, metrics)
    return Validation({name: table for name, table in tables.items() if len(table)}, metrics)


def _predicted_energies(
    energies: CellEnergies | None,
    columns: Sequence[HardwareModel],
    network: RCSpikeNetwork,
    model: Evaluation,
    inputs: FloatArray,
) -> dict[tuple[str, str], FloatArray]:
    """Of the ODE-aware network, by mapping and source, [samples]; nothing where it is not known what the cells cost."""
    if energies is None:
        return {}
    return {(ODE, group): own for group, own in predicted_energies(energies, columns, network, model, inputs).items()}


def _cost_metrics(
    cells: Sequence[Cells], mapped: MappedNetwork, inputs: FloatArray, runs: list[Run], metrics: dict[str, float]
) -> dict[str, float]:
    """Figures of merit of the ODE-aware network, over the samples all of whose neurons were simulated: their energy is known."""
    alive = [
        (run.sample, run.row)
        for run in runs
        if run.mapping == ODE and run.die is None and run.row is not None and not np.isnan(run.row["supply_energy_j"])
    ]
    if not alive:
        return {}
    spikes = [np.stack([row[f"{layer_name(layer)}_spike_s"] for _, row in alive]) for layer in range(1, len(cells) + 1)]
    return cost_metrics(cells, mapped, inputs[[sample for sample, _ in alive]], spikes, metrics)


def _second_opinion(
    bench: Bench,
    second: Pool | None,
    cells: Sequence[Cells],
    mapped: MappedNetwork,
    inputs: FloatArray,
    progress: Callable[[str], None],
) -> list[Run]:
    """The first samples again, as accurately as ngspice did them, in the other simulator."""
    if second is None:
        return []
    samples = min(bench.design.validation.judge_samples, len(inputs))
    progress(f"{samples} samples again, in the second simulator")
    tasks = [_Task(mapped, sample, bench.network, engine_of(bench.design)) for sample in range(samples)]
    return _simulate(replace(bench, pool=second), cells, inputs, tasks)[0]


def _judge(bench: Bench, mapping: str) -> tuple[Accuracy, Engine]:
    """How a few samples of a mapping are simulated again: more accurately, and as one circuit where that can be."""
    return (bench.judging if mapping == ODE else bench.network), ("flat" if is_small(bench.design) else engine_of(bench.design))


def _engine_metrics(design: Design, runs: list[Run], judged: list[Run], layers: int) -> dict[str, float]:
    """Whether samples are simulated column by column, and how far these are from one circuit, of all spikes the largest (s)."""
    by_columns = engine_of(design) == "columns"
    metrics = {"validation.by_columns": float(by_columns)}
    rows = {run.sample: run.row for run in runs if run.mapping == ODE and run.die is None}
    both = [(one.row, rows[one.sample]) for one in judged if one.mapping == ODE and is_small(design) and by_columns]
    names = [f"{layer_name(layer)}_spike_s" for layer in range(1, layers + 1)]
    away = [np.abs(flat[name] - row[name]).max() for flat, row in both if flat and row for name in names]
    return metrics | ({"validation.columns_vs_flat_s": float(max(away))} if away else {})


def _attribution(runs: list[Run], network: RCSpikeNetwork, inputs: FloatArray, phase_s: float) -> pd.DataFrame:
    """What each term of the model is worth on the samples that were simulated."""
    done = [(run.sample, run.row) for run in runs if run.mapping == ODE and run.die is None and run.row is not None]
    return attribution_table(network, inputs[[sample for sample, _ in done]], [row for _, row in done], phase_s)


def _causes(
    runs: list[Run],
    judged: list[Run],
    network: RCSpikeNetwork,
    mapped: MappedNetwork,
    columns: Sequence[HardwareModel],
    inputs: FloatArray,
    currents: SweptCurrents | None,
) -> CauseTables:
    """Where circuit and model differ from, on the samples that were simulated."""
    done = [(run.sample, run.row) for run in runs if run.mapping == ODE and run.die is None and run.row is not None]
    again = {run.sample: run.row for run in judged if run.mapping == ODE and run.row is not None}
    phase_s, layers = columns[0].phase_s, range(1, len(columns) + 1)

    def spikes(rows: Sequence[Row | None], layer: int) -> FloatArray:
        name = f"{layer_name(layer)}_spike_s"
        silent = np.full(len(mapped.settings[layer - 1]), np.nan)
        return np.stack([silent if row is None else row[name] for row in rows]) / phase_s

    if not done:
        return CauseTables(pd.DataFrame(), pd.DataFrame())
    circuit = [spikes([row for _, row in done], layer) for layer in layers]
    repeated = [spikes([again.get(sample) for sample, _ in done], layer) for layer in layers]
    case = Case(network, mapped, columns, inputs[[sample for sample, _ in done]], circuit, repeated, currents)
    return cause_tables(case, phase_s)


def _samples_on_dies(bench: Bench, samples: int) -> int:
    """How many of the samples, the first ones, each mismatch die gets."""
    return min(bench.design.validation.mismatch_samples, samples)


def _judging_tasks(bench: Bench, mapped: dict[str, MappedNetwork], samples: int) -> list[_Task]:
    """Samples repeated more accurately: they tell the numerical error of each mapping."""
    few = range(min(bench.design.validation.accuracy_samples, samples))
    return [_Task(network, sample, *_judge(bench, name)) for name, network in mapped.items() for sample in few]


def _silent(design: Design, network: RCSpikeNetwork, t: Tensor, model: Evaluation) -> list[BoolArray]:
    """Of each layer [samples, neurons]: what the model calls silent by a margin; empty where all is simulated."""
    skips = design.validation.skip_silent and engine_of(design) == "columns"
    return surely_silent(network, t, model) if skips else []


def _first_whole(design: Design) -> int:
    """So many samples, the first ones, are simulated whole: those that are repeated."""
    settings = design.validation
    return max(settings.accuracy_samples, settings.judge_samples if settings.judge != "none" else 0)


def _validation_tasks(
    bench: Bench, mapped: dict[str, MappedNetwork], samples: int, dies: int, silent: list[BoolArray]
) -> list[_Task]:
    """The nominal circuits on all samples, and the dies on a few."""
    settings, engine = bench.design.validation, engine_of(bench.design)
    whole = _first_whole(bench.design) if silent else samples
    few, others = range(_samples_on_dies(bench, samples)), [network for name, network in mapped.items() if name != ODE]
    return [
        *(
            _Task(mapped[ODE], sample, bench.network, engine, silent=left_out(silent, sample) if sample >= whole else None)
            for sample in range(samples)
        ),
        *(_Task(network, sample, bench.coarse, engine) for network in others for sample in range(samples)),
        *(_Task(mapped[ODE], sample, bench.coarse, engine, settings.mismatch_seed + k) for k in range(dies) for sample in few),
    ]


def _simulate(bench: Bench, cells: Sequence[Cells], inputs: FloatArray, *groups: list[_Task]) -> list[list[Run]]:
    """All groups, what is one circuit in one batch, the longest simulations first, so that no processor waits for another."""
    tasks = [task for group in groups for task in group]
    rows: dict[_Task, Row | None] = {}
    for engine in get_args(Engine):
        own = [task for task in tasks if task.engine == engine]
        found = simulate_networks(bench, cells, [_run(bench, task, inputs[task.sample]) for task in own], engine)
        rows |= zip(own, found, strict=True)
    return [[Run(task.mapped.name, task.die, task.sample, rows[task]) for task in group] for group in groups]


def _run(bench: Bench, task: _Task, t: FloatArray) -> NetworkRun:
    corner = str(bench.design.process.corner)
    condition = {"sample": task.sample, "die": task.die, "corner": corner, "reltol": task.accuracy.reltol}
    keep = task.sample == 0 and task.die is None
    return NetworkRun(task.mapped, t, condition, task.accuracy, task.die, task.silent, keep_start=keep)


def example_decks(bench: Bench, cells: Sequence[Cells], mapped: dict[str, MappedNetwork], data: SpikeData) -> dict[str, str]:
    """The first test sample of each mapping for plain ngspice, the whole network in one deck, and where it starts.

    It is one that was simulated; a network that is too large to be starts from what ngspice finds.
    """
    t = data.test_t[0].numpy()
    points = {
        name: sample_point(bench, cells, _run(bench, _Task(network, 0, *_one_circuit(bench, name)), t))
        for name, network in mapped.items()
    }
    results = bench.run(points.values() if is_small(bench.design) else ())  # which the store knows
    return {f"{name}_sample_0": stand_alone(point, results.known(point)) for name, point in points.items()}


def _one_circuit(bench: Bench, mapping: str) -> tuple[Accuracy, Engine]:
    """How the first sample of a mapping was simulated as one circuit."""
    if engine_of(bench.design) == "columns":
        return _judge(bench, mapping)
    return (bench.network if mapping == ODE else bench.coarse), "flat"
