"""Model against circuit: membranes, spikes, gain search, mismatch, labels, failures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reports.blocks import Block, Plot, Table, Text
from reports.figures import validation as figures
from reports.figures.style import NAME
from reports.formatting import MISSING, engineering, number, percent
from reports.run import Run

# Threshold spread at W/L = 1/0.15 um: 20.4 mV in a continuous set of models, 8.7 mV in the binned one of the same process.
_CONTINUOUS = "; the continuous model set of this run overstates it (2.4 times the threshold spread of the binned set)"


def membranes(run: Run) -> list[Block]:
    """Overlays of the worst, median and best sample of each mapping, by their output spike error."""
    waveforms = run.tables["validation/waveforms"]
    blocks: list[Block] = []
    for mapping, part in waveforms.groupby("mapping"):
        ranked = ranked_samples(run, str(mapping), set(part["sample"]))
        if ranked:
            errors = ", ".join(f"{rank} {engineering(error, 's')}" for rank, (_, error) in ranked.items())
            svg = figures.membrane_overlay(part, {rank: sample for rank, (sample, _) in ranked.items()}, run.phase_s)
            blocks.append(
                Plot(
                    svg,
                    f"{name_of(mapping)} mapping: circuit solid, model dashed, one colour per neuron; blue shade: accumulation, ochre: "
                    f"firing. The membrane falls as charge arrives; the closer the dashes lie on the lines, the better the model. "
                    f"Output spike error, rms: {errors}.",
                )
            )
    return blocks


def spikes(run: Run) -> list[Block]:
    """Histogram of the output errors and parity of all spikes."""
    nominal = nominal_of(run.tables["validation/spikes"])
    outputs = _of_last_layer(nominal)
    if outputs.empty:
        return [Text("This run holds no output spikes of the nominal circuit.")]
    within = {name: float(np.mean(figures.error_s(part).abs() <= 1e-9)) for name, part in outputs.groupby("mapping")}
    shares = ", ".join(f"{name_of(name)} {percent(share)}" for name, share in within.items())
    return [
        Plot(
            figures.error_histogram(outputs),
            f"Output spike-time errors on a logarithmic axis; dotted: rms. Within 1 ns: {shares}. "
            f"Errors below {engineering(figures.SMALLEST_ERROR_S, 's')} count in the first bin.",
        ),
        Plot(
            figures.parity(nominal),
            "Spike time of the circuit against the model's (filled: the last layer, open: those before it), and their difference. "
            "A perfect model puts every point on the diagonal; the scales of the two lower panels differ.",
        ),
    ]


def gain_search(run: Run) -> list[Block]:
    """Every point of the conventional mapping's search."""
    points = run.tables["validation/gain_search"]
    best = points.loc[points.rmse_s.idxmin()]
    rows = [
        [str(p.stage), number(p.gain_plus, 4), number(p.gain_minus, 4), engineering(p.rmse_s, "s"), number(p.samples)]
        for p in points.itertuples()
    ]
    return [
        Text(
            f"The conventional mapping needs two gains, searched in SPICE on training samples: {len(points)} points; the best, "
            f"{number(best.gain_plus, 4)} and {number(best.gain_minus, 4)}, leaves {engineering(best.rmse_s, 's')}. "
            "The ODE-aware mapping has nothing to search."
        ),
        Plot(
            figures.gain_search(points),
            "Error over the two gains; the ringed optimum should lie inside the cloud of points, not at its rim.",
            narrow=True,
        ),
        Table(("stage", "gain +", "gain −", "RMSE", "samples"), rows, words=("stage",), narrow=True),
    ]


def mismatch(run: Run) -> list[Block]:
    """Output error and labels per mismatch die."""
    spikes_ = run.tables["validation/spikes"]
    dies = _of_last_layer(spikes_[spikes_.die.notna()])
    if dies.empty:
        return [Text("This run simulated no mismatch dies."), *_yield(run)]
    labels = run.tables["validation/labels"]
    rows = []
    for (mapping, die), part in dies.groupby(["mapping", "die"]):
        judged = labels[(labels.mapping == mapping) & (labels.die == die)]
        agree = np.sum(judged.model_label == judged.circuit_label)
        right = np.sum(judged.circuit_label == judged.label)
        rows.append([
            name_of(mapping), number(die), number(part["sample"].nunique()), engineering(figures.rms(figures.error_s(part)), "s"),
            f"{agree} / {len(judged)}", f"{right} / {len(judged)}",
        ])  # fmt: skip
    header = ("mapping", "die", "samples", "output spike RMSE", "labels as the model's", "labels right")
    caption = (
        "Each die draws its own device mismatch; model and biases stay the nominal ones. The spread is that of the foundry's deck, not of "
        f"measured silicon{_CONTINUOUS if run.provenance.get('model_set') == 'continuous' else ''}."
    )
    return [*_predicted(run, dies), Table(header, rows, caption, words=("mapping",)), *_yield(run)]


def _yield(run: Run) -> list[Block]:
    """Accuracy of the classifier over dies of the model, with those that were simulated."""
    table = run.tables.get("validation/model_dies")
    if table is None or table.empty:
        return []
    labels = run.tables["validation/labels"]
    simulated = labels[labels.die.notna()]
    right = [float((part.circuit_label == part.label).mean()) for _, part in simulated.groupby("die")]
    nominal = run.metrics.get("training.test_accuracy")
    share, worst, good = (
        run.metrics.get(f"validation.mismatch.predicted_{name}", float("nan"))
        for name in ("yield", "worst_accuracy", "good_from")
    )
    caption = (
        f"Test accuracy of {len(table)} dies of the model: {percent(float(table.accuracy.mean()))} on average, "
        f"{percent(worst)} at worst; {percent(share)} reach {percent(good)}. Dashed: the nominal network."
        + (" Ticks: dies that were simulated, on their few samples." if right else "")
    )
    return [Plot(figures.model_dies(table, nominal, right), caption, narrow=True)]


def _predicted(run: Run, dies: pd.DataFrame) -> list[Block]:
    """All dies beside what the model expects, where the hardware model holds a spread."""
    expected = run.metrics.get("validation.mismatch.predicted_spike_rmse_s")
    if expected is None:
        return []
    labels = [run.metrics[f"validation.mismatch.{name}label_agreement"] for name in ("", "predicted_")]
    return [
        Text(
            f"Over all dies the outputs are {engineering(figures.rms(figures.error_s(dies)), 's')} off the nominal model, and "
            f"{percent(labels[0])} of the labels are its own. The model with synapses and neurons drawn from the Monte Carlo dies of "
            f"the datasheet expects {engineering(expected, 's')} and {percent(labels[1])}."
        )
    ]


def classification(run: Run) -> list[Block]:
    """Accuracy of model and circuit, and the samples on which they disagree."""
    nominal = nominal_of(run.tables["validation/labels"])
    rows = [
        [name_of(mapping), *(f"{np.sum(hits)} / {len(part)}" for hits in _hits(part))]
        for mapping, part in nominal.groupby("mapping")
    ]
    table = Table(("mapping", "model right", "circuit right", "circuit's label is the model's"), rows, words=("mapping",))
    differing = nominal[nominal.model_label != nominal.circuit_label]
    if differing.empty:
        return [table, Text("On every sample the circuit gives the label that its model gives.")]
    listing = [
        [name_of(r.mapping), number(r.sample), number(r.label), number(r.model_label), number(r.circuit_label),
         engineering(r.model_margin_s, "s"), engineering(r.circuit_margin_s, "s")]
        for r in differing.itertuples()
    ]  # fmt: skip
    header = ("mapping", "sample", "label", "model's", "circuit's", "model's margin", "circuit's margin")
    caption = "Samples whose labels differ. The margin is the time between the first and the second class output."
    return [table, Table(header, listing, caption, words=("mapping",))]


def failures(run: Run) -> list[Block]:
    """Simulations that failed, each with its seed and reason; nothing where none did. The next run tries them again."""
    table = run.tables.get("validation/failures")
    if table is None or table.empty:
        return []
    header = ("mapping", "die", "sample", "corner", "seed", "reason", "message")
    rows = [[_word(r[column]) for column in header] for _, r in table.iterrows()]
    return [
        Text(f"{len(table)} simulations failed and are missing above; running the same command again tries just these."),
        Table(header, rows, words=header),
    ]


def ranked_samples(run: Run, mapping: str, drawn: set[int]) -> dict[str, tuple[int, float]]:
    """Worst, median and best of the samples that have waveforms: rank -> (sample, rms error in seconds)."""
    outputs = _outputs(run)
    part = outputs[(outputs.mapping == mapping) & outputs["sample"].isin(drawn)]
    if part.empty:
        return {}
    errors = figures.error_s(part).groupby(part["sample"]).agg(figures.rms).sort_values(ascending=False)
    places = {"worst": 0, "median": len(errors) // 2, "best": len(errors) - 1}
    unique = {place: rank for rank, place in reversed(places.items())}
    return {rank: (int(errors.index[place]), float(errors.iloc[place])) for place, rank in sorted(unique.items())}


def _outputs(run: Run) -> pd.DataFrame:
    nominal = nominal_of(run.tables["validation/spikes"])
    return _of_last_layer(nominal)


def nominal_of(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the nominal circuit."""
    return table[table.die.isna()]


def _of_last_layer(spikes_: pd.DataFrame) -> pd.DataFrame:
    """The spikes of the outputs."""
    return spikes_[spikes_.layer == spikes_.layer.max()]


def _hits(part: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    return part.model_label == part.label, part.circuit_label == part.label, part.model_label == part.circuit_label


def name_of(mapping: object) -> str:
    """What a mapping is called."""
    return NAME.get(str(mapping), str(mapping))


def _word(value: Any) -> str:
    return MISSING if pd.isna(value) else str(value)
