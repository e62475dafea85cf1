"""Where the error sits: by layer, term by term, cause by cause, neuron by neuron."""

from __future__ import annotations

import pandas as pd

from reports.blocks import Block, Plot, Table
from reports.figures import validation as figures
from reports.formatting import engineering, number, percent
from reports.run import Run
from reports.sections.validation import name_of, nominal_of

MOST_NEURONS = 12
"""The worst ones are shown; validation/neurons.parquet has all."""


def error_budget(run: Run) -> list[Block]:
    """RMS and worst errors of spikes and membranes, by mapping and layer."""
    spike = _rms_by_layer(nominal_of(run.tables["validation/spikes"]), "circuit_spike_s", "model_spike_s")
    membrane = _rms_by_layer(nominal_of(run.tables["validation/membranes"]), "circuit_v", "model_v")
    rows = []
    for mapping, layer in spike.index.union(membrane.index):
        pairs, s_rms, s_worst = _row(spike, (mapping, layer))
        _, v_rms, v_worst = _row(membrane, (mapping, layer))
        rows.append([
            name_of(mapping), str(layer), number(pairs), engineering(s_rms, "s"), engineering(s_worst, "s"),
            engineering(v_rms, "V"), engineering(v_worst, "V"),
        ])  # fmt: skip
    header = ("mapping", "layer", "pairs", "spike RMSE", "worst spike", "membrane RMSE", "worst membrane")
    nonlinear = run.metric("validation.nonlinear_share")
    left = "" if nonlinear is None else f" {percent(nonlinear)} of the membranes leave the range in which the cells are linear."
    past = run.metric("validation.past_supply_share")
    left += "" if past is None else f" {percent(past)} of the model's pass ground or supply, where the circuit's cannot follow."
    caption = (
        "Membranes are compared at the end of accumulation. The model runs end to end: the error of its hidden spikes enters its output "
        f"layer. No spike counts as one at the end of the phase.{left}"
    )
    return [Table(header, rows, caption, words=("mapping", "layer")), *_attribution(run), *_causes(run), *_neurons(run)]


def _attribution(run: Run) -> list[Block]:
    """What each term of the model is worth; runs of before have no such table."""
    table = run.tables.get("validation/attribution")
    if table is None:
        return []
    caption = (
        "What each term of the neuron model is worth: error of the output spikes with that term left out, the weights and the circuit "
        "being the same. Dashed: the whole model. No term is fitted to the network."
    )
    return [Plot(figures.attribution(table, "none"), caption)]


def _causes(run: Run) -> list[Block]:
    """Cause after cause until the rest is unexplained; runs of before have no such table."""
    table = run.tables.get("validation/causes")
    if table is None or table.empty:
        return []
    share, of_model = (run.metric(f"validation.unexplained_{name}") for name in ("fraction", "of_model_error"))
    left = "" if share is None else f" Unexplained is {percent(share)} of the outputs' error under the published equations"
    left += "" if share is None or of_model is None else f", {percent(of_model)} of that of the whole model"
    solver = table[(table.kind == "apart") & (table.layer == table.layer.max())].moved_s
    caption = (
        "What remains of circuit minus model, cause after cause in this order: the ideal multiply-accumulate, each term of the model "
        "(up to the reversal it is the published model), and dark what was measured apart from the network and is not in the model; "
        "bars end to end, ticks behind the circuit's own spikes, over the neurons that fire. Nothing is fitted to the network."
        f"{left}{'.' if left else ''}"
    )
    told = (
        f" DSTD instead of the exact solution would move the outputs by {engineering(float(solver.iloc[0]), 's')}."
        if len(solver)
        else ""
    )
    return [Plot(figures.causes(table), caption + told)]


def _neurons(run: Run) -> list[Block]:
    """The neurons with the largest errors, and what is left of them as what was measured is taken account of."""
    table = run.tables.get("validation/neurons")
    if table is None or table.empty:
        return []
    measured = list(dict.fromkeys(table[table.kind == "measured"].cause))
    left = table.pivot_table(index=["layer", "neuron"], columns="cause", values="alone_rmse_s", sort=False)
    terms = [cause for cause in dict.fromkeys(table[table.kind == "term"].cause) if cause in left]
    model = table[table.cause == terms[-1]].set_index(["layer", "neuron"])
    worst = model.alone_rmse_s.sort_values(ascending=False).index[:MOST_NEURONS]
    rows = [
        [
            f"{layer}.{neuron}", number(model.firing[layer, neuron]), engineering(model.alone_rmse_s[layer, neuron], "s"),
            engineering(model.alone_mean_s[layer, neuron], "s"),
            *(engineering(left[cause][layer, neuron], "s") for cause in measured),
            _most(left.loc[(layer, neuron), terms]),
        ]
        for layer, neuron in worst
    ]  # fmt: skip
    header = ("neuron", "fires", "error, rms", "mean", *(f"after {cause}" for cause in measured), "term it needs most")
    few = f"The {len(worst)} worst of {len(model)} neurons that fire" if len(model) > len(worst) else "Every neuron that fires"
    caption = (
        f"{few} (layer.neuron), behind the circuit's own spikes: error of the model, then what remains as each cause measured apart is "
        "taken account of; the last of these is unexplained. The term whose addition takes the most of a neuron's error away is "
        "the one that it needs most."
    )
    return [Table(header, rows, caption, words=("neuron", "term it needs most"))]


def _most(left: pd.Series) -> str:
    """The term that takes the most away, of errors in the order in which terms are added."""
    gained = -left.pow(2).diff().iloc[1:]
    return str(gained.idxmax()).replace("_", " ") if len(gained) else ""


def _rms_by_layer(table: pd.DataFrame, circuit: str, model: str) -> pd.DataFrame:
    """Rows (pairs, rms, worst) of circuit - model, by mapping and layer."""
    error = (table[circuit] - table[model]).groupby([table.mapping, table.layer])
    return pd.DataFrame({"pairs": error.size(), "rms": error.agg(figures.rms), "worst": error.agg(lambda e: e.abs().max())})


def _row(table: pd.DataFrame, key: tuple[str, str]) -> tuple[float | None, float | None, float | None]:
    if key not in table.index:
        return None, None, None
    row = table.loc[key]
    return float(row.pairs), float(row.rms), float(row.worst)
