"""Dies measured by their spikes and programmed anew, and finished weights at other conditions; nothing where none were asked for."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pandas as pd

from reports.blocks import Block, Plot, Table, Text
from reports.figures import calibration as figures
from reports.figures.validation import rms
from reports.formatting import engineering, number, percent
from reports.run import Run


def dies(run: Run) -> list[Block]:
    """Every calibration of `cosim calibrate`: a picture and a row a die."""
    table = run.tables.get("calibration/dies")
    if table is None or table.empty:
        return []
    of_each = list(table.groupby("condition", sort=False))
    found = [block for condition, rows in of_each for block in _calibration(str(condition), rows)]
    return [*([_overview(of_each)] if len(of_each) > 1 else []), *found, *_loops(run)]


def _overview(of_each: Sequence[tuple[Hashable, pd.DataFrame]]) -> Block:
    """One row a calibration, over its dies."""
    rows = [
        [
            str(condition), number(len(own)), engineering(rms(own.before_rmse_s), "s"), percent(float(own.before_labels.mean())),
            engineering(rms(own.after_rmse_s), "s"), engineering(own.after_rmse_s.max(), "s"),
            percent(float(own.after_labels.mean())),
        ]
        for condition, own in of_each
    ]  # fmt: skip
    header = ("calibration", "dies", "before", "labels", "after", "worst die", "labels then")
    return Table(header, rows, "Output spikes of the dies of each calibration off the nominal network's.", words=("calibration",))


def _loops(run: Run) -> list[Block]:
    """Dies that were fine-tuned with their own spikes, step by step."""
    table = run.tables.get("calibration/loop")
    if table is None or table.empty:
        return []
    rows = [
        [str(condition), number(die), ", ".join(number(1e9 * rmse) for rmse in own.sort_values("step").seen_rmse_s)]
        for (condition, die), own in table.groupby(["condition", "die"], sort=False)
    ]
    caption = (
        "A chip in the loop: output spikes off the nominal network's on 16 training inputs, at the start and after each step."
    )
    return [Table(("condition", "die", "rms, ns"), rows, caption, words=("condition", "rms, ns"))]


def _calibration(condition: str, rows: pd.DataFrame) -> list[Block]:
    before, after = (engineering(rms(rows[f"{when}_rmse_s"]), "s") for when in ("before", "after"))
    labels = [percent(float(rows[f"{when}_labels"].mean())) for when in ("before", "after")]
    listing = [
        [
            number(row.die), engineering(row.before_rmse_s, "s"), percent(row.before_labels), engineering(row.after_rmse_s, "s"),
            engineering(row.after_hidden_rmse_s, "s"), percent(row.after_labels), number(row.misfit), number(row.cpu_s),
        ]
        for row in rows.itertuples()
    ]  # fmt: skip
    header = ("die", "before", "labels", "after", "hidden", "labels then", "misfit", "CPU s")
    return [
        Text(
            f"{condition}: {len(rows)} dies, {number(rows.patterns.max())} test patterns each, of which spike times alone were seen. Output "
            f"spikes off the nominal network: {before} before, {after} after, at worst {engineering(rows.after_rmse_s.max(), 's')}; "
            f"labels as it has them: {labels[0]} before, {labels[1]} after."
        ),
        Plot(figures.dies(rows), "Output spikes of each die off the nominal network's model, before and after."),
        Table(
            header, listing, "Misfit: rms of the residuals over the noise that was assumed; well above 1 the model does not hold."
        ),
    ]


def conditions(run: Run) -> list[Block]:
    """What `cosim validate --at` found."""
    table = run.tables.get("conditions/errors")
    if table is None or table.empty:
        return []
    rows = [
        [
            str(row.condition), str(row.biases), number(row.samples), engineering(row.rmse_s, "s"),
            engineering(row.model_rmse_s, "s"), engineering(row.unexpected_rmse_s, "s"), percent(row.labels), percent(row.accuracy),
            number(row.out_of_range),
        ]
        for row in table.itertuples()
    ]  # fmt: skip
    header = ("condition", "biases", "samples", "circuit", "model", "between them", "labels", "accuracy", "weights out")
    caption = (
        "The finished weights at other conditions and on other boards, without mismatch: output spikes of the circuit off the "
        "trained model, those that the model expects there, and how far apart the two are (–: there is no model of it); labels "
        "as the trained model gives them; weights that the cells have not there and that are set to the nearest (–: biases do "
        "not ask for them)."
    )
    return [Table(header, rows, caption, words=("condition", "biases"))]
