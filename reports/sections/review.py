"""The page that a reviewer signs: what is claimed, on what evidence, what it does not say, and what it was made with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reports.blocks import Block, Cell, Form, Points, Table, Text
from reports.figures.validation import rms
from reports.formatting import engineering, metric, number, percent
from reports.remarks import remarks
from reports.run import Run
from reports.sections import provenance
from reports.sections.headline import ODE, bound_of, judged, verdict_of

MOST_LIMITS = 8
"""Of more, those that do not pass come first, and the rest is counted: the page is one."""


def review(run: Run) -> list[Block]:
    """Claim, evidence, limits of the claim, provenance, and the place to sign; nothing where nothing was validated."""
    if run.metric(ODE) is None:
        return []
    return [
        Text(_claim(run)),
        Table(("evidence", "value", "asked for", "verdict", "from"), [*_limits(run), *_evidence(run)],
              words=("evidence", "asked for", "verdict", "from")),
        Points("Not claimed", list(_not_claimed(run))),
        *provenance.made_with(run),
        Form(("accepted", "accepted with remarks", "not accepted"), ("reviewer", "date", "signature"), "remarks"),
    ]  # fmt: skip


def _claim(run: Run) -> str:
    process, ran = _section(run.design, "process"), run.provenance
    where = ", ".join(
        f"{what} {value}{unit}"
        for what, value, unit in (
            ("corner", ran.get("corner", process.get("corner")), ""),
            ("at", ran.get("temperature_c", process.get("temperature_c")), " °C"),
            ("supply", process.get("supply_v"), " V"),
        )
        if value is not None
    )
    drawn = "extracted from its layout" if process.get("layout") is True else "as its schematic"
    return (
        f"Claim: of the design “{run.title}”, {drawn}{f' ({where})' if where else ''}, the trained model predicts the output spikes "
        f"of the transistor netlist to {engineering(run.metric(ODE), 's')} rms on {number(run.metric('validation.samples'))} test "
        f"samples, and {percent(run.metric('circuit.test_accuracy'))} of the circuit's labels are right."
    )


def _limits(run: Run) -> list[list[str | Cell]]:
    """The limits of the design, those that are not passed first."""
    verdicts = {name: verdict_of(run, name, limit) for name, limit in judged(run).items()}
    ordered = sorted(verdicts, key=lambda name: verdicts[name].mark == "pass")
    rows: list[list[str | Cell]] = [
        [name, metric(name, run.metric(name)), _asked(name, run.limits[name]), verdicts[name], "metrics.json"]
        for name in ordered[:MOST_LIMITS]
    ]
    if rest := len(ordered) - MOST_LIMITS if len(ordered) > MOST_LIMITS else 0:
        rows.append([f"{rest} more limits", "", "", "see Limits", ""])
    return rows


def _asked(name: str, limit: Any) -> str:
    known = [(sign, bound) for key, sign in (("min", "≥"), ("max", "≤")) if (bound := bound_of(limit, key)) is not None]
    return ", ".join(f"{sign} {metric(name, bound)}" for sign, bound in known)


def _evidence(run: Run) -> Iterator[list[str | Cell]]:
    """What else was measured, as far as the run has it."""
    for what, name in (
        ("largest error of an output spike", "validation.ode.largest_spike_error_s"),
        ("numerical error of the simulations", "validation.numerical_error_s"),
        ("columns against the network as one circuit, at most", "validation.columns_vs_flat_s"),
        ("second simulator against ngspice, rms", "validation.second_judge_rmse_s"),
        ("energy predicted, rms error", "energy.prediction_error"),
        ("dies with mismatch, output spikes", "validation.mismatch.output_spike_rmse_s"),
        ("dies with mismatch, labels as the model's", "validation.mismatch.label_agreement"),
    ):
        if (value := run.metric(name)) is not None:
            yield [what, percent(value, 2) if name.startswith("energy") else metric(name, value), "", "", "metrics.json"]
    if (table := run.tables.get("conditions/errors")) is not None and len(table):
        worst = table.loc[table.rmse_s.idxmax()]
        yield [f"worst of {len(table)} other conditions: {worst.condition}, {worst.biases}", engineering(worst.rmse_s, "s"),
               "", "", "conditions/errors.parquet"]  # fmt: skip
    if (table := run.tables.get("calibration/dies")) is not None and len(table):
        yield [f"{table.die.nunique()} dies once calibrated, rms", engineering(rms(table.after_rmse_s), "s"), "", "",
               "calibration/dies.parquet"]  # fmt: skip
    cells = [cell for cell in _listed(run.layout.get("cells")) if isinstance(cell, Mapping)]
    if cells:
        broken = sum(len(_listed(cell.get("drc_violations"))) for cell in cells)
        alike = sum(cell.get("lvs_match") is True for cell in cells)
        fine = not broken and alike == len(cells)
        yield ["layout: rules broken; cells that match their netlist", f"{broken}; {alike} / {len(cells)}", "0; all",
               Cell("✓ pass", "pass") if fine else Cell("✗ fail", "fail"), "layout/layout.json"]  # fmt: skip


def _not_claimed(run: Run) -> Iterator[str]:
    """What a reader may not take from the claim."""
    neuron, process = _section(run.design, "neuron"), _section(run.design, "process")
    if process.get("layout") is not True:
        wire = neuron.get("wire_capacitance_f")
        lump = f"{engineering(float(wire), 'F')} on every membrane" if isinstance(wire, int | float) else "nothing"
        yield f"Wires: the circuit is a schematic in which {lump} stands for them; no resistance, no coupling."
    if "conditions/errors" not in run.tables:
        yield "Other corners, temperatures and supplies: the network was simulated at one (cosim validate --at asks for more)."
    if dies := run.metric("validation.mismatch_dies"):
        yield f"Yield: dies with the foundry deck's mismatch that were simulated: {number(dies)}; none was measured."
    else:
        yield "Mismatch: no die was simulated."
    yield "Silicon: " + _silicon(run)
    if run.metric("validation.second_judge_rmse_s") is None:
        yield "A second simulator: every waveform is ngspice's, with the options below."
    if share := run.metric("validation.silent_skipped_share"):
        yield f"All neurons: {percent(share)} of them, silent in the model by a margin, were not simulated."
    if failed := run.metric("simulation.failed_points"):
        yield f"All points: {number(failed)} simulations failed and are missing."
    yield "Bias generators and control drivers: they are ideal sources, and their energy and area are not counted."
    for remark in remarks(run.metrics, run.mapping):
        yield f"{remark[0].upper()}{remark[1:]}."


def _silicon(run: Run) -> str:
    source = run.provenance.get("hardware")
    if source in (None, "simulated"):
        return "every parameter was simulated, none measured on a chip."
    return f"the parameters are {source}; no network was run on a chip."


def _section(design: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = design.get(name)
    return section if isinstance(section, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
