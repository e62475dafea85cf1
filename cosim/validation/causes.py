"""Where the difference between circuit and model comes from, cause after cause, until what is left is called unexplained.

It begins with the ideal multiply-accumulate, adds the model's terms one by one, and then what was measured apart from the
network and is not in the model: the weights that the codes really give, the currents as they were swept instead of their
parabolas, and the circuit's own numerical error. Nothing is fitted to the network, and nothing is simulated for it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.bench.lines import rms
from cosim.mapping.codes import weight_of_setting
from cosim.mapping.network import MappedNetwork
from cosim.validation.attribution import without
from cosim.validation.currents import SweptCurrents
from cosim.validation.metrics import FIRING_BEFORE
from training.hardware import HardwareModel
from training.network import RCSpikeNetwork
from training.solvers.connection import Dense, Wired

FloatArray = NDArray[np.float64]

IDEAL = "ideal"
"""The first row: no term at all."""

TERM_ORDER = (
    "reversal", "reversal_by_weight", "kick_off", "tail", "firing_curve", "load_delay", "kick_on", "line", "curvature", "reset",
    "capacitance_by_weight", "leakage", "capacitance_by_place", "kick_by_place",
    "kick_off_by_place", "delay_by_place", "coupling", "drop",
)  # fmt: skip
"""In which the terms of `training.hardware.TERMS` are added. Up to the first it is the published model, equations (1) to (3)."""

PUBLISHED = TERM_ORDER[0]
CODES, CURRENTS, NUMERICS, SOLVER = "codes", "currents", "numerics", "solver"
TERM, MEASURED, APART = "term", "measured", "apart"
"""Kinds of rows: a term of the model; a cause that is not in it; what would be there with another way to solve the model."""

Respond = Callable[[int, FloatArray], FloatArray]
"""Spikes [samples, neurons] (phases) of a layer, counted from 0, for the spikes that it is sent."""


@dataclass(frozen=True)
class Case:
    """A network and what its circuit did, all times in phases.

    Attributes:
        columns: hardware model of each layer.
        inputs: [samples, inputs].
        circuit: spikes of each layer, [samples, neurons].
        repeated: the same where samples were simulated again more accurately, else NaN; None where none was.
        currents: of the cells as they were swept; None where that is not known.
    """

    network: RCSpikeNetwork
    mapped: MappedNetwork
    columns: Sequence[HardwareModel]
    inputs: FloatArray
    circuit: Sequence[FloatArray]
    repeated: Sequence[FloatArray] | None = None
    currents: SweptCurrents | None = None


@dataclass(frozen=True)
class Step:
    """A cause, and how the network responds once it and all before it are taken account of."""

    cause: str
    kind: str
    respond: Respond
    circuit: Sequence[FloatArray]


class CauseTables(NamedTuple):
    """What remains as cause after cause is taken account of: of layers, and of each neuron."""

    layers: pd.DataFrame
    neurons: pd.DataFrame


def cause_tables(case: Case, phase_s: float) -> CauseTables:
    """One row per cause and layer, in their order: what remains of circuit minus model (s) with this cause and those before it;
    and the same of each neuron that fires, behind the circuit's own spikes.

    `spike_rmse_s`: end to end; `alone_rmse_s`, `alone_mean_s`: each layer behind the circuit's own spikes; `moved_s`: how far the
    cause by itself moves the spikes end to end, rms. Causes that change nothing have no row; the last row that is not `apart` is
    what is unexplained. The row `solver` says what DSTD would give in the place of the exact solution, which all others are of.
    """
    firing = _firing(case)
    rows: list[tuple[object, ...]] = []
    neurons: list[tuple[object, ...]] = []
    before: list[FloatArray] = []
    for step in _steps(case):
        found = _end_to_end(step, case.inputs)
        if before and step.cause != NUMERICS and all(np.array_equal(a, b) for a, b in zip(before, found, strict=True)):
            continue
        alone = _alone(step, case)
        rows += _rows(step, case, found, before, firing, alone)
        neurons += _neuron_rows(step, alone, firing)
        before = found
    whole = _responding(case.network)
    solved = Step(SOLVER, APART, _responding(_by_dstd(case.network)), case.circuit)
    exact = _end_to_end(Step(SOLVER, APART, whole, case.circuit), case.inputs)
    rows += _rows(solved, case, _end_to_end(solved, case.inputs), exact, firing, _alone(solved, case))
    left = ["alone_rmse_s", "alone_mean_s"]
    return CauseTables(
        _in_seconds(rows, ["cause", "kind", "layer"], ["spike_rmse_s", *left, "moved_s"], phase_s),
        _in_seconds(neurons, ["cause", "kind", "layer", "neuron", "firing"], left, phase_s),
    )


def _in_seconds(rows: list[tuple[object, ...]], keys: list[str], times: list[str], phase_s: float) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=[*keys, *times])
    return table.assign(**{name: table[name] * phase_s for name in times})


def unexplained_metrics(table: pd.DataFrame) -> dict[str, float]:
    """What no cause explains: of each layer behind the circuit's own spikes (s), and of the outputs end to end as a share, of the
    error of the published model and of that of the whole model."""
    explained = table[table.kind != APART]
    last = explained[explained.layer == explained.layer.max()].set_index("cause")
    left = explained.groupby("layer").last()
    terms = last[last.kind == TERM].spike_rmse_s
    metrics = {f"validation.layer_{layer}_unexplained_s": float(row.alone_rmse_s) for layer, row in left.iterrows()}
    shares = {"fraction": terms.get(PUBLISHED, terms.iloc[0]), "of_model_error": terms.iloc[-1]}
    output = float(last.spike_rmse_s.iloc[-1])
    return metrics | {f"validation.unexplained_{name}": output / float(error) for name, error in shares.items() if error > 0}


def _alone(step: Step, case: Case) -> list[FloatArray]:
    """Circuit minus model of each layer behind the circuit's own spikes, [samples, neurons]."""
    sent = [case.inputs, *step.circuit[:-1]]
    return [circuit - step.respond(number, sent[number]) for number, circuit in enumerate(step.circuit)]


def _rows(
    step: Step,
    case: Case,
    found: Sequence[FloatArray],
    before: Sequence[FloatArray],
    firing: Sequence[NDArray[np.bool_]],
    alone: Sequence[FloatArray],
) -> Iterator[tuple[object, ...]]:
    for number, (own, circuit, counts) in enumerate(zip(found, step.circuit, firing, strict=True)):
        moved, left = _moved(step, case, number, own, before, counts), alone[number][counts]
        yield step.cause, step.kind, number + 1, rms((circuit - own)[counts]), rms(left), float(left.mean()), moved


def _neuron_rows(step: Step, alone: Sequence[FloatArray], firing: Sequence[NDArray[np.bool_]]) -> Iterator[tuple[object, ...]]:
    """Of the neurons that fire for some sample."""
    for number, (error, counts) in enumerate(zip(alone, firing, strict=True)):
        for neuron in np.flatnonzero(counts.any(0)):
            left = error[counts[:, neuron], neuron]
            yield step.cause, step.kind, number + 1, int(neuron), len(left), rms(left), float(left.mean())


def _moved(
    step: Step, case: Case, number: int, own: FloatArray, before: Sequence[FloatArray], counts: NDArray[np.bool_]
) -> float:
    """How far a step moves the spikes of a layer; numerics move those of the circuit, of the samples that were repeated."""
    if step.cause == NUMERICS:
        known = counts & np.isfinite(_repeated(case)[number])
        return rms((step.circuit[number] - case.circuit[number])[known])
    return rms((own - before[number])[counts]) if before else float("nan")


def _firing(case: Case) -> list[NDArray[np.bool_]]:
    """Which spikes count, of each layer; all of them where none fires."""
    model = _end_to_end(Step(IDEAL, TERM, _responding(case.network), case.circuit), case.inputs)
    # No spike is the end of the phase on both sides, with no error.
    early = [np.minimum(a, b) < FIRING_BEFORE for a, b in zip(model, case.circuit, strict=True)]
    return [one if one.any() else np.ones_like(one) for one in early]


def _end_to_end(step: Step, inputs: FloatArray) -> list[FloatArray]:
    found: list[FloatArray] = []
    for number in range(len(step.circuit)):
        found.append(step.respond(number, found[-1] if found else inputs))
    return found


def _steps(case: Case) -> Iterator[Step]:
    """Every cause, each on top of those before it."""
    for k, cause in enumerate((IDEAL, *TERM_ORDER)):
        network = without(case.network, *TERM_ORDER[k:])
        yield Step(cause, TERM, _responding(network), case.circuit)
    network, mapped = case.network, _mapped_weights(case)
    if mapped is not None:
        network = _with_weights(case.network, mapped)
        yield Step(CODES, MEASURED, _responding(network), case.circuit)
    respond = _responding(network)
    if case.currents is not None and mapped is not None:
        respond = case.currents.correcting(network, mapped, case.columns, respond)
        yield Step(CURRENTS, MEASURED, respond, case.circuit)
    if case.repeated is not None:
        better = [np.where(np.isfinite(again), again, own) for again, own in zip(_repeated(case), case.circuit, strict=True)]
        yield Step(NUMERICS, MEASURED, respond, better)


def _repeated(case: Case) -> Sequence[FloatArray]:
    assert case.repeated is not None
    return case.repeated


def _by_dstd(network: RCSpikeNetwork) -> RCSpikeNetwork:
    """The same layers solved on their grid of time cells."""
    other = copy.deepcopy(network)
    for layer in other:
        layer.solver, layer.random_offset, layer.spike_time_noise = "dstd", False, 0.0
        layer.train()
    return other


def _mapped_weights(case: Case) -> list[FloatArray] | None:
    """What the codes of every layer really give; None where the crossbars are not the layers' own."""
    known: dict[tuple[int, object], float] = {}

    def weight(column: HardwareModel, number: int, setting: object) -> float:
        if (number, setting) not in known:
            known[number, setting] = weight_of_setting(setting, column)  # type: ignore[arg-type]
        return known[number, setting]

    found = []
    for number, (layer, settings, column) in enumerate(zip(case.network, case.mapped.settings, case.columns, strict=True)):
        matrix = np.array([[weight(column, number, setting) for setting in row] for row in settings])
        if not isinstance(layer.connection, Dense | Wired) or layer.bias is not None or matrix.shape != tuple(layer.weight.shape):
            return None
        found.append(matrix)
    return found


def _with_weights(network: RCSpikeNetwork, weights: Sequence[FloatArray]) -> RCSpikeNetwork:
    other = copy.deepcopy(network)
    for layer, matrix in zip(other, weights, strict=True):
        layer.gain = None
        layer.weight = torch.nn.Parameter(torch.as_tensor(matrix, dtype=layer.weight.dtype))
    return other


def _responding(network: RCSpikeNetwork) -> Respond:
    layers = list(network)

    @torch.no_grad()
    def respond(number: int, t: FloatArray) -> FloatArray:
        found: Tensor = layers[number](torch.as_tensor(t, dtype=torch.float64)).spike_times
        return np.asarray(found.numpy())

    return respond
