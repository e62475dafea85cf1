"""What an inference costs: energy by source beside the model's prediction, time, area, operations per watt."""

from __future__ import annotations

import pandas as pd

from reports.blocks import Block, Plot, Table, Text
from reports.figures import validation as figures
from reports.figures.style import NAME
from reports.formatting import MISSING, engineering, number, percent
from reports.published import EFFICIENCIES
from reports.run import Run

AREAS = (
    ("cost.synapse_area_m2", "synapses"),
    ("cost.neuron_area_m2", "neurons"),
    ("cost.capacitor_area_m2", "capacitors among them"),
    ("cost.area_m2", "all"),
)


def energy(run: Run) -> list[Block]:
    """Mean energy per inference of each source, by mapping, and as the model predicts it."""
    table = run.tables["validation/energy"]
    mean = table.pivot_table(index="source", columns="mapping", values="energy_j", aggfunc="mean")
    mean = mean.reindex(mean.abs().max(axis=1).sort_values(ascending=False).index)
    columns = {NAME.get(str(name), str(name)): mean[name] for name in mean.columns}
    if "model_j" in table and table.model_j.notna().any():  # runs of before the prediction lack it
        columns["predicted by the model"] = table.dropna(subset="model_j").groupby("source").model_j.mean().reindex(mean.index)
    if (events := run.metric("energy.synaptic_events")) and "ode" in mean:
        columns["per synaptic event"] = mean["ode"] / events
    shown = pd.DataFrame(columns)
    rows = [
        [str(source).replace("_", " "), *(engineering(value, "J") for value in values)]
        for source, values in zip(shown.index, shown.to_numpy(), strict=True)
    ]
    rows.append(["total", *(engineering(value, "J") for value in shown.sum())])
    samples = table["sample"].nunique()
    caption = f"Energy delivered by each source, mean over {samples} sample{'s' if samples != 1 else ''}; a negative value was taken up."
    return [
        *_prediction(run),
        Plot(figures.energy(mean), "Where the energy of an inference comes from.", narrow=True),
        Table(("source", *shown.columns), rows, caption, words=("source",), narrow=True),
    ]


def _prediction(run: Run) -> list[Block]:
    error = run.metric("energy.prediction_error")
    if error is None:
        return []
    return [
        Text(
            f"The model predicts the energy of a sample to {percent(error, 2)} rms, from what single cells cost, its own spikes and "
            "its own membranes; nothing is fitted to the network. Control lines and biases are ideal sources, which take back what "
            "the gates return; circuits that make them are not in the sum."
        )
    ]


def merit(run: Run) -> list[Block]:
    """Time, throughput, area, operations per watt, and what is published of circuits of the kind."""
    if run.metric("energy.tops_per_w") is None:
        return []
    return [
        Table(("quantity", "value", "what it is"), _merits(run), words=("quantity", "what it is")),
        Table(
            ("circuit", "stated", "how it was found"),
            [["this run", f"{number(run.metric('energy.tops_per_w'))} TOPS/W", "simulated, schematic"], *map(list, EFFICIENCIES)],
            "As the publications state them: precision, process and what is counted differ.",
            words=("circuit", "how it was found"),
        ),
    ]


def _merits(run: Run) -> list[list[str]]:
    def value(name: str, unit: str) -> str:
        return engineering(run.metric(name), unit)

    def area(name: str) -> str:
        found = run.metric(name)
        return MISSING if found is None else f"{number(found * 1e12)} um²"

    on_dies = run.metric("energy.time_bits_on_dies")
    bits, weight_bits = (number(run.metric(f"energy.{name}_bits")) for name in ("time", "weight"))
    return [
        ["energy per synaptic event", value("energy.per_synaptic_event_j", "J"), "a spike at a synapse that is not off"],
        ["energy per operation", value("energy.per_operation_j", "J"), "two operations a synapse and inference"],
        ["latency", value("cost.latency_s", "s"), "input, then a firing phase a layer"],
        ["first output spike", value("cost.first_output_s", "s"), "mean; it decides the class"],
        ["time from inference to inference", value("cost.period_s", "s"), "a layer accumulates, fires and is reset; layers side by side"],
        ["power at that rate", value("cost.power_w", "W"), ""],
        *([f"drawn area, {what}", area(name), "transistors with drain and source, plates, resistors; no wires"] for name, what in AREAS),
        ["TOPS/W", number(run.metric("energy.tops_per_w")), "an operation whatever its bits"],
        ["TOPS/W times weight bits", number(run.metric("energy.tops_per_w_weight_bits")), f"{weight_bits} bits"],
        [
            "TOPS/W, 1 bit by 1 bit", number(run.metric("energy.tops_per_w_normalised")),
            f"times {weight_bits} bits of the weight, {bits} of a spike time (nominal circuit, against the model"
            + (")" if on_dies is None else f"; on dies that are not calibrated {number(on_dies)})"),
        ],
    ]  # fmt: skip
