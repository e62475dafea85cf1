"""What was extracted from the cells, with fits and residuals."""

from __future__ import annotations

from typing import Any

from reports.blocks import Block, Plot, Table
from reports.figures import extraction as figures
from reports.figures.style import SIGN_NAME
from reports.formatting import engineering, number, percent
from reports.run import Run

_LAMBDA = {1: "lambda_n", -1: "lambda_p"}


def synapse_iv(run: Run) -> list[Block]:
    """I-V curves, fits, residuals."""
    caption = (
        "Current of a synapse against the membrane voltage: points measured, lines the parabolas fitted between rest and threshold, "
        "dark to light from the lowest to the highest code; below, the residual of each fit. A straight line would make the neuron's "
        "equation linear in v; a parabola leaves it exactly solvable."
    )
    return [Plot(figures.synapse_iv(run.tables["characterization/synapse_iv"]), caption)]


def synapse_fit(run: Run) -> list[Block]:
    """Reversal potential and code against weight, and the range of each sign in a table."""
    fit = run.tables["characterization/synapse_fit"]
    rows = []
    for sign, part in fit.groupby("sign"):
        magnitude = part.weight.abs()
        unit = str(part.code_unit.iloc[0])
        rows.append([
            SIGN_NAME[int(sign)], number(len(part)), f"{_span(part.code)} {unit}", f"{_span(magnitude)}",
            f"{engineering(part.current_a.abs().min(), 'A')} – {engineering(part.current_a.abs().max(), 'A')}",
            _span(part.lambda_per_v), percent(part.residual_fraction.abs().max(), 2),
        ])  # fmt: skip
    header = ("sign", "codes", "code", "|weight|", "current at rest", "λ (1/V)", "worst residual")
    return [
        Plot(
            figures.reversal(fit, _published_lambda(run)),
            "Left: the slope λ over the current at rest; right: the displacement at which the current would vanish. Both drift with "
            "the weight; the published model has one constant per sign (dotted).",
        ),
        Table(header, rows, words=("sign",)),
    ]


def code_curve(run: Run) -> list[Block]:
    """What the mapping inverts."""
    caption = "The code of each weight: monotone, so that the mapping has an inverse."
    return [Plot(figures.code_curve(run.tables["characterization/synapse_fit"]), caption, narrow=True)]


def discharger(run: Run) -> list[Block]:
    """The current that drives the membrane to the threshold."""
    caption = "The discharger's current and its linear fit; below, the residual on the scale of the range that was fitted."
    return [Plot(figures.discharger(run.tables["characterization/discharger_iv"]), caption, narrow=True)]


def membrane(run: Run) -> list[Block]:
    """Charge on the membrane against its voltage: the loaded capacitance."""
    neuron = run.hardware.get("neuron", {})
    alone, each = _value(neuron, "capacitance_neuron"), _value(neuron, "capacitance_synapse")
    numbers = (
        f" Extracted: {engineering(alone, 'F', 4)} for the neuron and {engineering(each, 'F', 4)} per synapse."
        if alone and each
        else ""
    )
    caption = f"Charge against membrane voltage with the column attached: the slope is one over the loaded capacitance.{numbers}"
    return [Plot(figures.membrane_charge(run.tables["characterization/membrane"]), caption, narrow=True)]


def firing(run: Run) -> list[Block]:
    """Membrane to spike time."""
    points = run.tables["characterization/firing"]
    earliest = engineering(points.spike_s.min(), "s")
    caption = (
        f"Spike time against the displacement at the start of the firing phase. The law of a linear discharger holds until the "
        f"sensing inverter needs time to start: no spike comes before {earliest}."
    )
    return [Plot(figures.firing(points), caption, narrow=True)]


def switching(run: Run) -> list[Block]:
    """Charges of switching a synapse."""
    caption = (
        "Charge that a synapse adds when its input arrives and when its spike line falls at the end of accumulation, against its weight. "
        "The latter is the larger and reaches into the firing phase (tail)."
    )
    return [Plot(figures.switching(run.tables["characterization/switching"]), caption)]


def _span(values: Any) -> str:
    return f"{number(values.min())} – {number(values.max())}"


def _value(record: Any, name: str) -> float | None:
    quantity = record.get(name) if isinstance(record, dict) else None
    value = quantity.get("value") if isinstance(quantity, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _published_lambda(run: Run) -> dict[int, float]:
    table = run.tables.get("characterization/published")
    if table is None:
        return {}
    published = {str(row.quantity).lower(): float(row.published) for row in table.itertuples()}
    return {sign: published[name] for sign, name in _LAMBDA.items() if name in published}
