"""The verdict at a glance, the comparison with the published circuit, and the limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from reports.baseline import is_of_baseline
from reports.blocks import Block, Cell, Figures, Table, Text
from reports.formatting import MISSING, engineering, metric, number, percent
from reports.published import OUTPUT_SPIKES
from reports.remarks import remarks
from reports.run import Run

ODE, CONVENTIONAL = "validation.ode.output_spike_rmse_s", "validation.conventional.output_spike_rmse_s"
RATIO = "validation.error_ratio"

REMARKS = {
    CONVENTIONAL: ("output spike-time RMSE, conventional mapping", "two gains searched in SPICE, there and here"),
    ODE: ("output spike-time RMSE, ODE-aware mapping", "published after a gain search in SPICE; no gain is searched here"),
    RATIO: ("conventional error / ODE-aware error", "39.04 / 1.97"),
}
"""What a published metric is called, and what to know of it."""


def at_a_glance(run: Run) -> list[Block]:
    """The five numbers of the headline and the verdict in a sentence."""
    passed, judged = limit_count(run)
    accuracy = _circuit_accuracy(run)
    baseline = [
        (engineering(run.metric(CONVENTIONAL), "s"), "conventional error", "after its gain search" + _beside(run, CONVENTIONAL)),
        (number(run.metric(RATIO)), "ratio", "conventional / ODE-aware" + _beside(run, RATIO)),
    ]
    conventional = f"; conventional {percent(run.metric('circuit.conventional_test_accuracy'))}"
    return [
        Figures([
            (engineering(run.metric(ODE), "s"), "ODE-aware error", "output spike-time RMSE" + _beside(run, ODE)),
            *([] if run.without_baseline else baseline),
            (percent(accuracy), "circuit accuracy", "ODE-aware" + ("" if run.without_baseline else conventional)),
            (f"{passed} / {judged}" if judged else MISSING, "limits passed", _missed(run)),
        ]),
        Text(_verdict(run, passed, judged)),
        *(Text(f"{remark[0].upper()}{remark[1:]}.") for remark in remarks(run.metrics, run.mapping)),
    ]  # fmt: skip


def _beside(run: Run, metric_name: str) -> str:
    """The published value to lay beside a figure, where the run is of the published circuit."""
    if not run.is_published_circuit:
        return ""
    value = OUTPUT_SPIKES[metric_name].value
    return f"; published {value:g}" if metric_name == RATIO else f"; published {value / 1e-9:.4g} ns"


def against_published(run: Run) -> list[Block]:
    """Published value, value of this run, and their ratio, quantity by quantity; nothing for another circuit."""
    if not run.is_published_circuit:
        return []
    rows = [
        [name, _in_unit(published, unit), _in_unit(measured, unit), _ratio(measured, published), remark]
        for name, unit, published, measured, remark in _published(run)
    ]
    kind, told = _simulated(run)
    header = ("quantity", "published (post-layout)", f"this run ({kind})", "this run / published", "remark")
    return [
        Text(
            "The published values (Sakemi et al. 2025, arXiv 2412.09010) come from a post-layout simulation, with parasitics extracted "
            f"from a drawn layout, after a search of gains in SPICE. {told}"
        ),
        Table(header, rows, words=("quantity", "remark")),
    ]


def _simulated(run: Run) -> tuple[str, str]:
    """What this run simulates, in two words and beside the published simulation."""
    process = run.design.get("process")
    if isinstance(process, dict) and process.get("layout") is True:
        return "post-layout", (
            "So does this run, of its own drawing and with its own extraction; it searches no gain for the ODE-aware mapping."
        )
    return "schematic + wire", (
        f"This run simulates the schematic{_wire(run)} on the membrane as a stand-in for wiring, and searches no gain for the "
        "ODE-aware mapping. The two columns are therefore not like for like."
    )


def limits(run: Run) -> list[Block]:
    """Pass or fail of every limit in the design."""
    if not run.limits:
        return [Text("The design sets no limits.")]
    rows: list[list[str | Cell]] = []
    for name, limit in run.limits.items():
        mark = verdict_of(run, name, limit) if name in judged(run) else Cell("not judged")
        bounds = (metric(name, bound_of(limit, key)) for key in ("min", "typ", "max"))
        rows.append([name, *bounds, metric(name, run.metric(name)), mark])
    return [Table(("metric", "min", "typ", "max", "this run", "verdict"), rows, words=("metric", "verdict"))]


def verdict_of(run: Run, name: str, limit: Any) -> Cell:
    """Whether a metric keeps a limit."""
    marks = {True: Cell("✓ pass", "pass"), False: Cell("✗ fail", "fail"), None: Cell("not measured")}
    return marks[_passes(run.metric(name), limit)]


def limit_count(run: Run) -> tuple[int, int]:
    """How many limits passed, and how many were judged; one that was not measured has not passed."""
    verdicts = [_passes(run.metric(name), limit) for name, limit in judged(run).items()]
    return verdicts.count(True), len(verdicts)


def judged(run: Run) -> dict[str, Any]:
    """The limits but for those on a conventional mapping that the run is without."""
    return {name: limit for name, limit in run.limits.items() if not (run.without_baseline and is_of_baseline(name))}


def bound_of(limit: Any, key: str) -> float | None:
    """The `min`, `typ` or `max` of a limit; None where it has none."""
    value = limit.get(key) if isinstance(limit, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _passes(value: float | None, limit: Any) -> bool | None:
    if value is None:
        return None
    low, high = bound_of(limit, "min"), bound_of(limit, "max")
    return (low is None or value >= low) and (high is None or value <= high)


def _missed(run: Run) -> str:
    """The limits that did not pass, with what was measured."""
    missed = [name for name, limit in judged(run).items() if not _passes(run.metric(name), limit)]
    return "missed: " + ", ".join(f"{name} ({metric(name, run.metric(name))})" for name in missed) if missed else "from [limits]"


def _verdict(run: Run, passed: int, judged: int) -> str:
    if run.metric(ODE) is None:
        return "This run has not been validated at transistor level yet; the sections below show what it holds so far."
    ratio = run.metric(RATIO)
    samples = f" on {number(run.metric('validation.samples'))} test samples" if run.metric("validation.samples") else ""
    comparison = f", {number(ratio)} times closer than the conventional mapping after its gain search" if ratio else ""
    firing, share = run.metric("validation.ode.firing_spike_rmse_s"), run.metric("validation.firing_share")
    only = (
        f" Among the {percent(share)} of outputs that fire before the phase ends: {engineering(firing, 's')}."
        if firing and share
        else ""
    )
    failed = judged - passed
    outcome = "" if not judged else " All limits pass." if not failed else f" {failed} of {judged} limits do not pass."
    return (
        f"The trained ODE model predicts the output spikes of the transistor netlist to {engineering(run.metric(ODE), 's')} rms"
        f"{samples}{comparison}, with every parameter taken from characterisation.{only}{_doubt(run)}{outcome}"
    )


def _doubt(run: Run) -> str:
    """Who judged the circuit's spikes, and how far apart the judges are."""
    numerical = run.metric("validation.numerical_error_s")
    second, both = run.metric("validation.second_judge_rmse_s"), run.metric("validation.both_judges_error_s")
    said = _columns(run)
    said += f" The simulator's own error is {engineering(numerical, 's')}." if numerical is not None else ""
    if (conventional := run.metric("validation.conventional.numerical_error_s")) is not None:
        said += f" The conventional circuit was simulated more coarsely, to {engineering(conventional, 's')}."
    if second is not None:
        judge, samples = _second_judge(run), number(run.metric("validation.second_judge_samples"))
        said += (
            f" A second simulator ({judge}), which starts from an operating point of its own, differs from ngspice by "
            f"{engineering(second, 's')} on {samples} samples."
        )
    return said + (f" Both together: {engineering(both, 's')}." if both is not None else "")


def _columns(run: Run) -> str:
    """That the samples were simulated column by column, and how far that is from the network as one circuit."""
    if not run.metric("validation.by_columns"):
        return ""
    away = run.metric("validation.columns_vs_flat_s")
    beside = (
        ""
        if away is None
        else f"; as one circuit no spike of those that were repeated is more than {engineering(away, 's')} away"
    )
    return f" The transistors were simulated column by column, each neuron behind recorded spike lines{beside}." + _skipped(run)


def _skipped(run: Run) -> str:
    """Which neurons were not simulated, and what came of those that were although the model called them silent."""
    if not run.metric("validation.silent_skipped"):
        return ""
    share, checked = run.metric("validation.silent_skipped_share"), number(run.metric("validation.silent_checked"))
    fired = number(run.metric("validation.silent_checked_firing"))
    return (
        f" {percent(share)} of the neurons were not: the model calls them silent by a margin. {checked} more of that kind, drawn at "
        f"random, were simulated; of these {fired} fired."
    )


def _second_judge(run: Run) -> str:
    """Its name and version, as the validation recorded it."""
    stages = run.provenance.get("stages")
    record = stages.get("validate") if isinstance(stages, dict) else None
    return str(record.get("second_judge", MISSING)) if isinstance(record, dict) else MISSING


def _circuit_accuracy(run: Run) -> float | None:
    stated = run.metric("circuit.test_accuracy")
    if stated is not None or "validation/labels" not in run.tables:
        return stated
    labels = run.tables["validation/labels"]
    nominal = labels[(labels.mapping == "ode") & labels.die.isna()]
    return float(np.mean(nominal.circuit_label == nominal.label)) if len(nominal) else None


def _published(run: Run) -> list[tuple[str, str, float | None, float | None, str]]:
    """(quantity, unit, published, measured, remark): spike times, then what characterisation wrote."""
    rows: list[tuple[str, str, float | None, float | None, str]] = [
        (REMARKS[source][0], unit, value, run.metric(source), REMARKS[source][1])
        for source, (unit, value) in OUTPUT_SPIKES.items()
    ]
    table = run.tables.get("characterization/published")
    if table is not None:
        rows += [(str(r.quantity), str(r.unit), r.published, r.measured, str(r.remark)) for r in table.itertuples()]
    return rows


def _in_unit(value: float | None, unit: str, digits: int = 4) -> str:
    return number(value) if unit in ("", "1") else engineering(value, "/V" if unit == "1/V" else unit, digits)


def _ratio(measured: float | None, published: float | None) -> str:
    return number(measured / published) if measured is not None and published else MISSING


def _wire(run: Run) -> str:
    neuron = run.design.get("neuron")
    wire = neuron.get("wire_capacitance_f") if isinstance(neuron, dict) else None
    known = f"{engineering(wire, 'F')} of" if isinstance(wire, int | float) else "a"
    return f" with {known} lumped wire capacitance"
