"""What moves the result: devices that are off, and conditions that are not the design's."""

from __future__ import annotations

import pandas as pd

from reports.blocks import Block, Table
from reports.formatting import MISSING, engineering, number, percent
from reports.run import Run
from reports.sections.datasheet import value

DEVICES = {
    "plus": "synapses of w > 0, current", "minus": "synapses of w < 0, current", "threshold": "neurons, threshold",
    "discharger": "dischargers, current",
}  # fmt: skip
MOST_PARAMETERS = 20
MODES = {"rebiased": "gate biases follow the condition", "fixed": "every bias as in the design"}
"""The modes of a datasheet, the one that a circuit would be used in first."""


def sensitivity(run: Run) -> list[Block]:
    """How far outputs move when a kind of device is off; runs of before have no such table."""
    table = run.tables.get("validation/sensitivity")
    if table is None or table.empty:
        return []
    spread = bool(table.sigma.notna().any())
    rows = [
        [
            DEVICES.get(str(row.device), str(row.device)), number(row.layer), engineering(row.per_percent_s, "s"),
            engineering(row.mean_per_percent_s, "s"),
            *([percent(row.sigma), engineering(row.dies_rmse_s, "s")] if spread else []),
        ]
        for row in table.sort_values("dies_rmse_s" if spread else "per_percent_s", ascending=False).itertuples()
    ]  # fmt: skip
    header = (
        "devices",
        "of layer",
        "1 % more moves outputs",
        "on average",
        *(("one device, sigma", "dies with it alone") if spread else ()),
    )
    caption = (
        "Output spikes of the trained network when all devices of a kind in a layer are off by the same 1 % and the rest is as designed "
        "and programmed, rms, as the model says."
        + (" Last: dies on which these devices alone have the spread of the datasheet, each by itself." if spread else "")
    )
    return [Table(header, rows, caption, words=("devices",))]


def corners(run: Run) -> list[Block]:
    """The condition at which each parameter is farthest from typical, those that move most first; nothing without a datasheet."""
    table = run.tables.get("datasheet/extremes")
    mode = None if table is None else next((mode for mode in MODES if (table["mode"] == mode).any()), None)
    if table is None or mode is None:
        return []
    rows = table[(table["mode"] == mode) & table.typ.notna()]
    rows = rows.assign(worst=rows["min"].where(rows.worst_at == rows.min_at, rows["max"]))
    rows = rows.assign(moved=(rows.worst - rows.typ) / rows.typ.abs().where(rows.typ != 0))
    rows = rows[rows.moved.abs() > 0].sort_values("moved", key=abs, ascending=False)
    shown = [
        [row.parameter, row.what, value(row.typ, row.unit), value(row.worst, row.unit), _change(row.moved), row.worst_at]
        for row in rows.head(MOST_PARAMETERS).itertuples()
    ]
    if not shown:
        return []
    header = ("parameter", "", "typical", "worst", "change", "at")
    caption = (
        f"Worst condition of each parameter of the cells ({MODES[mode]}), those that move most first: {len(shown)} of {len(rows)}; "
        "datasheet.html has all."
    )
    return [Table(header, shown, caption, words=("parameter", "", "at"))]


def _change(moved: float) -> str:
    return MISSING if pd.isna(moved) else f"{100 * moved:+.0f} %".replace("-", "\N{MINUS SIGN}")
