"""Sections of a datasheet: what its tables say, in the order a circuit designer reads them."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks import Block, Cell, Figures, Listing, Plot, Table, Text
from reports.figures import datasheet as figures
from reports.figures import extraction
from reports.figures.ladder import ladder as ladder_figure
from reports.figures.style import svg
from reports.formatting import MISSING, engineering, number
from reports.sheet import Sheet

MODE_NAME = {
    "fixed": "Fixed bias: every bias as in the design, referenced to ground",
    "rebiased": "Re-biased: gate biases from each condition's own curves, for the same weights and the same phase",
    "monte_carlo": "Monte Carlo dies at the design's condition",
}
SHOWN = (
    "current_plus_middle_a", "e_plus_middle", "current_minus_middle_a", "e_minus_middle", "capacitance_f", "threshold_v",
    "sensing_delay_s", "e_dis", "spike_s",
)  # fmt: skip
MOST_OUTLIERS = 20
TAIL = 0.00135
"""Share of a normal distribution beyond 3 σ, on either side."""
FEWEST_FOR_QUANTILE = 741
"""With fewer dies than 1 / TAIL even the outermost one lies inside."""
_UNITS = {"1/V": "/V", "1/V2": "/V²"}


def value(number_or_none: float | None, unit: str) -> str:
    """With its unit and an engineering prefix; one that is missing is a dash."""
    if number_or_none is None or not np.isfinite(number_or_none):
        return MISSING
    if unit == "V/s":
        return engineering(number_or_none, "V/s")
    return engineering(number_or_none, _UNITS.get(unit, unit)) if unit else number(number_or_none)


def at_a_glance(sheet: Sheet) -> list[Block]:
    """The few numbers that come first."""
    record, passed = sheet.record, sum(bool(limit["passed"]) for limit in sheet.limits)
    items = [
        (str(record.get("conditions", 0)), "conditions", "corner, temperature, supply"),
        (str(record.get("dies", 0)), "Monte Carlo dies", "process and mismatch"),
        (f"{passed} of {len(sheet.limits)}", "limits passed", "on the worst circuit each"),
        (str(record.get("failed_points", 0)), "failed points", f"of {record.get('points', 0)}"),
    ]
    return [Figures(items)]


def limits(sheet: Sheet) -> list[Block]:
    """Limits with verdict, margin and where the worst value comes from."""
    if not sheet.limits:
        return [Text("The design sets no limits on this datasheet: [datasheet.limits].")]
    rows = [_limit_row(sheet, limit) for limit in sheet.limits]
    header = ("limit", "min", "typ", "max", "worst", "margin", "where", "verdict")
    return [Table(header, rows, "The worst value is the one nearest to, or farthest beyond, a bound.", words=("limit", "where"))]


def _limit_row(sheet: Sheet, limit: dict[str, Any]) -> list[str | Cell]:
    unit = sheet.unit(str(limit["name"]).partition(".")[2])
    numbers = [value(limit[name], unit) for name in ("min", "typ", "max", "value", "margin")]
    verdict = Cell("pass", "pass") if limit["passed"] else Cell("fail", "fail")
    return [str(limit["name"]), *numbers, str(limit["at"]) or MISSING, verdict]


def parameters(sheet: Sheet) -> list[Block]:
    """min / typ / max of every parameter, mode by mode and group by group."""
    blocks: list[Block] = []
    header = ("parameter", "", "min", "typ", "max", "worst at")
    for mode, part in sheet.tables["extremes"].groupby("mode", sort=False):
        for group, rows in part.groupby("group", sort=False):
            cells = [
                [
                    row.parameter,
                    row.what,
                    value(row.min, row.unit),
                    value(row.typ, row.unit),
                    value(row.max, row.unit),
                    row.worst_at,
                ]
                for row in rows.itertuples()
            ]
            caption = f"{MODE_NAME[str(mode)]}. {str(group).capitalize()}."
            blocks.append(Table(header, cells, caption, words=("parameter", "", "worst at")))
    return blocks


def unreached(sheet: Sheet) -> list[Block]:
    """Weights that no bias gives at a condition."""
    rows = [
        [row.condition, row.weight, number(row.wanted), number(row.lowest), number(row.highest)]
        for row in sheet.tables["unreached"].itertuples()
    ]
    caption = (
        "No gate bias gives this weight there; the row says which |weight| there is. 'discharger': its current as a weight. "
        "'all': the neuron never fires."
    )
    return [Table(("condition", "weight", "wanted", "from", "to"), rows, caption, words=("condition", "weight"))]


def over_conditions(sheet: Sheet) -> list[Block]:
    """Parameters against temperature, a colour a corner."""
    blocks: list[Block] = []
    for mode, part in sheet.tables["pvt"].groupby("mode", sort=False):
        there = {name: sheet.unit(name) for name in SHOWN if (part.parameter == name).any()}
        if part.condition.nunique() > 1 and there:
            caption = f"{MODE_NAME[str(mode)]}; a dot a supply and resistor/capacitor corner, a colour a transistor corner."
            blocks.append(Plot(figures.over_conditions(part, there), caption))
    return blocks


def typical(sheet: Sheet) -> list[Block]:
    """Curves of the design's own condition, as characterisation measured them."""
    wide = {
        "synapse_iv": (extraction.synapse_iv, "Synapse: current against membrane, measured and line, per code."),
        "switching": (extraction.switching, "Charges of switching a synapse on and off, by weight."),
    }
    narrow = {
        "discharger_iv": (extraction.discharger, "Discharger: current against membrane and its line."),
        "firing": (extraction.firing, "Output spike against displacement, and the discharger's law."),
        "membrane": (extraction.membrane_charge, "Membrane voltage against charge."),
    }
    return [
        Plot(draw(sheet.tables[f"characterization/{name}"]), caption, narrow=makers is narrow)
        for makers in (wide, narrow)
        for name, (draw, caption) in makers.items()
        if f"characterization/{name}" in sheet.tables
    ]


def ladder(sheet: Sheet) -> list[Block]:
    """What each term of the neuron model buys on spike patterns that it was not fitted to."""
    table = sheet.tables["ladder"]
    rows = [
        [
            row.rung,
            str(row.fitted_parameters),
            value(row.held_out_rms_v, "V"),
            value(row.held_out_worst_v, "V"),
            value(row.fit_rms_v, "V") if row.fitted_parameters else MISSING,
        ]
        for row in table.itertuples()
    ]
    caption = (
        "Membrane of the model minus that of the circuit, within the linear range. Each rung adds its terms to the rung before and "
        "is fitted to random spike patterns, half of the synapses of either sign; what counts is the error on other patterns. The "
        "hardware model is the extracted one that training uses, fitted to no pattern; at last it has the cell's own I-V curves."
    )
    header = ("model", "fitted parameters", "held out, rms", "held out, worst", "fitted patterns, rms")
    return [Plot(svg(ladder_figure)(table), caption), Table(header, rows, words=("model",))]


def statistics(sheet: Sheet) -> list[Block]:
    """Spread of every parameter over dies, a table a model set."""
    said = (str(sheet.record.get(name, "")) for name in ("statistics", "remarks"))
    blocks: list[Block] = [Text(f"{words[0].upper()}{words[1:]}.") for words in said if words]
    header = ("parameter", "mean", "σ", "95 % of σ", "σ die", "σ device", "−3 σ", "median", "+3 σ", "without")
    for model_set, part in sheet.tables["statistics"].groupby("model_set", sort=False):
        columns = len(header) if part.missing.any() else len(header) - 1
        rows = [_spread_row(row)[:columns] for row in part.to_dict("records")]
        caption = (
            f"{model_set} models, {part.dies.max()} dies. σ of a parameter spread over factors is that of its logarithm (ln). Its "
            f"interval is that of a normal distribution. ±3 σ: {_of_three_sigma(int(part.dies.max()))}, with the 95 % interval "
            "that so many dies leave of it."
        )
        if part.missing.any():
            caption += " Without: dies that do not have the parameter, such as a neuron that does not fire."
        blocks.append(Table(header[:columns], rows, caption, words=("parameter",)))
    return blocks


def _spread_row(row: dict[str, Any]) -> list[str]:
    unit, logarithmic = str(row["unit"]), row["scale"] == "log"

    def sigma(name: str) -> str:
        return (f"{number(row[name])} ln" if np.isfinite(row[name]) else MISSING) if logarithmic else value(row[name], unit)

    interval = MISSING
    if row["sigma"] > 0:
        below, above = (100 * (row[name] / row["sigma"] - 1) for name in ("sigma_low", "sigma_high"))
        interval = f"−{-below:.0f} +{above:.0f} %"
    return [
        str(row["parameter"]), value(row["mean"], unit), sigma("sigma"), interval,
        sigma("sigma_die"), sigma("sigma_device"), _three_sigma(row, -1), value(row["q0.5"], unit), _three_sigma(row, 1),
        str(row["missing"] or ""),
    ]  # fmt: skip


def _three_sigma(row: dict[str, Any], side: int) -> str:
    """The parameter at -3 or +3 σ (side), and how far it may be off: the normal approximation of the order statistics where the dies
    have such a quantile, and of mean and σ where they are too few for one."""
    unit, dies, logarithmic = str(row["unit"]), float(row["dies"]), row["scale"] == "log"
    if dies < 2 or not np.isfinite(row["sigma"]):
        return MISSING
    if dies >= FEWEST_FOR_QUANTILE:
        at, off = float(row["q0.00135" if side < 0 else "q0.99865"]), np.sqrt(TAIL * (1 - TAIL) / dies) / NormalDist().pdf(3.0)
    else:
        beyond = 3 * side * row["sigma"]
        at = row["q0.5"] * np.exp(beyond) if logarithmic else row["mean"] + beyond
        off = np.sqrt(1 / dies + 9 / (2 * (dies - 1)))
    half = 1.96 * off * row["sigma"]
    return f"{value(at, unit)} {f'×÷ {number(float(np.exp(half)))}' if logarithmic else f'± {value(half, unit)}'}"


def _of_three_sigma(dies: int) -> str:
    if dies >= FEWEST_FOR_QUANTILE:
        return f"the quantiles {TAIL} and {1 - TAIL} of the dies"
    return f"median or mean and 3 times σ, for {dies} dies have no quantile {TAIL}"


def compared(sheet: Sheet) -> list[Block]:
    """What differs between the two model sets."""
    table = sheet.tables["statistics"]
    sets = list(table.model_set.unique())
    if len(sets) < 2:
        return []
    one, other = (table[table.model_set == name].set_index("parameter") for name in sets[:2])
    rows = [
        [name, value(one["mean"][name], one.unit[name]), value(other["mean"][name], one.unit[name])]
        + [_ratio(one[column][name], other[column][name]) for column in ("sigma", "sigma_die", "sigma_device")]
        for name in one.index.intersection(other.index, sort=False)
    ]
    caption = (
        f"{sets[0]} against {sets[1]}: means, and σ of the first over σ of the second: all of it, of the die, of the device. "
        "Their mismatch differs, and the continuous set has hardly any process variation of transistors and none of resistors."
    )
    header = ("parameter", f"mean, {sets[0]}", f"mean, {sets[1]}", "σ ratio", "die", "device")
    return [Table(header, rows, caption, words=("parameter",))]


def _ratio(first: float, second: float) -> str:
    return number(first / second) if second else MISSING


def distributions(sheet: Sheet) -> list[Block]:
    """Quantile plots and correlations over the dies."""
    dies, scales = sheet.tables["dies"], sheet.tables["statistics"].drop_duplicates("parameter").set_index("parameter").scale
    shown = {
        name: (sheet.unit(name), scales[name] == "log") for name in SHOWN if name in scales.index and dies[name].notna().sum() > 2
    }
    blocks: list[Block] = [
        Plot(figures.normal_quantiles(dies, shown), "Sorted dies against normal quantiles; the line goes through ±1 σ.")
    ]
    names, matrix = _correlation(dies, scales)
    if len(names) > 1:
        blocks.append(
            Plot(figures.correlations(matrix, names), "Correlation over the dies, logarithms where σ is one.", narrow=True)
        )
    return blocks


def _correlation(dies: pd.DataFrame, scales: pd.Series) -> tuple[list[str], Any]:
    columns = {name: np.log(dies[name]) if scales[name] == "log" else dies[name] for name in SHOWN if name in scales.index}
    found = pd.DataFrame(columns).corr().dropna(how="all").dropna(axis=1, how="all")
    return list(found.columns), found.to_numpy()


def outliers(sheet: Sheet) -> list[Block]:
    """Dies that are far out, with the command that runs them again."""
    table = sheet.tables["outliers"]
    farthest = table.reindex(table.sigmas.abs().sort_values(ascending=False).index)
    rows = [
        [row.parameter, str(row.seed), value(row.value, sheet.unit(row.parameter)), number(row.sigmas)]
        for row in farthest.head(MOST_OUTLIERS).itertuples()
    ]
    caption = (
        f"{len(table)} values lie beyond 4.5 σ of the quartiles; the farthest {len(rows)}. Commands: datasheet/outliers.parquet."
    )
    return [
        Table(("parameter", "die", "value", "σ from the median"), rows, caption, words=("parameter",)),
        Listing("\n".join(farthest.head(5).rerun), "Runs the farthest again."),
    ]


def failures(sheet: Sheet) -> list[Block]:
    """Points that failed: each costs its own row only."""
    table = sheet.tables["failures"]
    rows = [[str(row.measurement), str(row.condition), str(row.reason)] for row in table.itertuples()]
    # A run directory of an earlier version has no such column for some points, or for any.
    reruns = dict.fromkeys(table["rerun"].dropna()) if "rerun" in table else {}
    commands = "\n".join(rerun for rerun in reruns if rerun)
    return [
        Table(("measurement", "condition", "reason"), rows, "", words=("measurement", "condition", "reason")),
        *([Listing(commands, "Tries them again.", on_paper=False)] if commands else []),
    ]


def commands(sheet: Sheet) -> list[Block]:
    """The command that simulates the worst condition of each parameter again."""
    caption = (
        "One line a row of the parameters: it simulates the worst point again. They are in datasheet.html, to be copied, and in "
        "datasheet/extremes.parquet, column rerun."
    )
    return [Listing("\n".join(_commands(sheet.tables["extremes"])), caption, on_paper=False)]


def _commands(table: pd.DataFrame) -> Iterator[str]:
    for mode, part in table.groupby("mode", sort=False):
        yield f"# {mode}"
        for row in part.itertuples():
            yield f"{row.rerun}  # {row.parameter}"


def environment(sheet: Sheet) -> list[Block]:
    """Versions, models, settings."""
    flat = {name: content for name, content in sheet.record.items() if not isinstance(content, dict)}
    versions = sheet.record.get("versions", {})
    rows = [[name, str(content)] for name, content in {**flat, **versions}.items() if content not in (None, "")]
    return [Table(("what", "value"), rows, "", words=("what", "value"))]
