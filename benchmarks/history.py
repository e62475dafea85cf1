"""What an image leaves behind for the next one: a column that fires after a reset, against one at which nothing arrived before.

In the first cycle half of the synapses, of both signs in turn, switch on in the middle of accumulation and off at its end, and
the neuron fires; then comes a reset, and in the second cycle a charge on the membrane alone, which leads to a spike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure
from cosim.bench.bench import Bench, with_bias
from cosim.design import Design, load_design
from cosim.simulator import Point, Transient, Waveforms
from netlists.crossbar import Cells, Sources, attach_biases, attach_supplies, neuron_nodes
from netlists.neuron import SpikeLine
from netlists.spice import in_parallel, netlist_text, new_circuit
from netlists.stimulus import current_pulse, line_pair, release_lead_s
from netlists.synapse import SynapseNodes
from netlists.testbenches import standing

PACKAGES = ("PySpice", "sky130")
DESIGNS = Path(__file__).parents[1] / "designs"
CASES = {"iris_5_5_5": 0.561, "digits_64_32_10": 0.5925}
"""Designs, and a discharger bias (V) with which their resting neurons fire after about a phase."""

RESETS = (0.1, 0.25, 0.5, 1.0)
"""Phases between the end of firing and the next accumulation."""

DISPLACEMENT = 0.3
SETTLE = 0.5


def figures(quick: bool) -> Iterator[Figure]:
    """By design and reset; with `quick` the reference design and the shortest reset alone."""
    for name in list(CASES)[: 1 if quick else None]:
        design = load_design(DESIGNS / f"{name}.toml")
        bench = Bench(design, design.process.pdk(), None, jobs=2)
        cells = with_bias(bench.cells(), CASES[name])
        resets = RESETS[: 1 if quick else None]
        points = {(reset, before): _point(bench, design, cells, reset, before) for reset in resets for before in (False, True)}
        results = bench.run(points.values())
        for reset in resets:
            after, alone = (results.row(points[reset, before]) for before in (True, False))
            if after and alone:
                yield Figure(
                    f"history.{name}.reset_{reset:g}_s", after["spike_s"] - alone["spike_s"], "s", "",
                    f"spike at {alone['spike_s']:.3g} s after a reset of {reset:g} phases, image before less none",
                )  # fmt: skip


def _point(bench: Bench, design: Design, cells: Cells, reset: float, before: bool) -> Point:
    """Two cycles of a column; `before`: synapses switch in the first."""
    phase, count = cells.timing.phase_s, design.network.inputs
    starts = [SETTLE * phase, (SETTLE + 2 + reset) * phase]
    fires = [start + phase for start in starts]
    stop, lead = fires[1] + 0.98 * phase, release_lead_s(cells.timing)
    circuit, sources = new_circuit("history"), Sources()
    attach_supplies(circuit, cells, sources)
    attach_biases(circuit, cells, sources)
    line_pair(circuit, "column_phase", cells.supply_v, [(fire, fire + phase) for fire in fires], cells.timing.edge_s)
    released = [(0.0, starts[0] - lead), (fires[0] + phase + lead, starts[1] - lead), (fires[1] + phase + lead, stop + phase)]
    line_pair(circuit, "column_reset", cells.supply_v, released, cells.timing.edge_s)
    nodes = neuron_nodes("column", "membrane", SpikeLine("spike", "spike_bar"))
    cells.neuron.attach(circuit, "neuron", nodes)
    line_pair(circuit, "line", cells.supply_v, [(starts[0] + phase / 2, fires[0])] if before else [], cells.timing.edge_s)
    wires = {True: ("line", "line_bar"), False: ("0", "supply")}
    settings = standing(cells, count)
    for switched, own in ((True, settings[: count // 2]), (False, settings[count // 2 :])):
        crossing = SynapseNodes("membrane", *wires[switched], "supply")
        for k, (setting, alike) in enumerate(Counter(own).items()):
            attach = partial(cells.synapse.attach, circuit, f"synapse_{switched:d}_{k}", crossing, setting)
            in_parallel(circuit, alike, attach)
    charge_c = DISPLACEMENT * cells.neuron.drawn_capacitance_f * cells.neuron.rest_v
    for number, start in enumerate(starts):
        pulse = (charge_c / (0.2 * phase), start + 0.1 * phase, start + 0.3 * phase)
        current_pulse(circuit, f"charge_{number}", "membrane", *pulse, cells.timing.edge_s)
    transient = Transient(stop, phase / 100, bench.fine.max_step_s)
    deck = bench.deck(f"history, reset {reset:g}, {before}", netlist_text(circuit), transient, ["v(spike)"], bench.fine)
    return Point({"reset": reset, "before": before}, deck, partial(second_spike, fire_s=fires[1], level_v=cells.supply_v / 2))


def second_spike(waveforms: Waveforms, fire_s: float, level_v: float) -> dict[str, Any]:
    """Output spike of the second cycle after the start of its firing phase (s)."""
    return {"spike_s": float(waveforms.crossings("v(spike)", level_v, rising=True, after=fire_s)[0] - fire_s)}
