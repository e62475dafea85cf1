"""The firing phase: output spike time against the membrane's displacement when the phase starts.

Testbench: a column whose membrane an ideal current charges during accumulation; no synapse takes part. The curve holds the
discharger's finite resistance, the switching threshold, the delay of the output logic and the start-up of the phase all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.characterize.measurements.firing_time import first_spike
from cosim.characterize.membrane import Membrane
from cosim.characterize.switching import more_on_lines
from cosim.simulator import Point, Transient
from netlists.crossbar import Cells
from netlists.stimulus import PhaseWindow
from netlists.testbenches import MEMBRANE, SPIKE, Injection, column
from training.hardware import Curve, NeuronHardware, firing_law

if TYPE_CHECKING:
    import pandas as pd

SPIKE_LINES = ("column_spike_0", "column_spike_0_bar")

FIRE_PHASES = 1.25
"""The testbench fires this long, so that the curve runs on past the end of a real phase."""


def points(
    bench: Bench,
    cells: Cells,
    column_size: ColumnSize,
    charges_c: np.ndarray,
    static_threshold_v: float,
    more_f: tuple[float, float] = (0.0, 0.0),
) -> Iterator[Point]:
    """One firing phase per charge (C, positive towards the threshold) put on the membrane before.

    `more_f`: capacitance (F) on either line of the spike to ground, and between the two.
    """
    phase = cells.timing.phase_s
    window = PhaseWindow(0.1 * phase, 1.1 * phase, (1.1 + FIRE_PHASES) * phase)
    start, end = window.accumulate_s + 0.1 * phase, window.fire_s - 0.2 * phase
    for charge in charges_c:
        injection = Injection(float(charge) / (end - start), start, end)
        stop = window.end_s - 0.02 * phase
        netlist = column(
            cells, *column_size.standing(cells), window, stop, injection, column_size.fan_out, merged=bench.nominal
        )  # fmt: skip
        condition = {"measurement": "firing_phase", "charge_c": float(charge), "fan_out": column_size.fan_out}
        if any(more_f):
            condition |= dict(zip(("line_f", "pair_f"), more_f, strict=True))
            netlist += more_on_lines(SPIKE_LINES, *more_f)
        deck = bench.deck(
            f"firing phase after a charge of {charge:.6e} C",
            netlist,
            Transient(stop, phase / 100, bench.fine.max_step_s),
            [MEMBRANE, SPIKE],
        )
        extract = partial(first_spike, fire_s=window.fire_s, level_v=cells.supply_v / 2, static_threshold_v=static_threshold_v)
        yield Point(condition, deck, extract)


def charge_grid_c(full_swing_c: float, count: int) -> np.ndarray:
    """Charges from a little above rest to beyond the threshold, denser where the firing phase starts up."""
    coarse = count * 3 // 5
    grid = np.concatenate([np.linspace(-0.15, 0.85, coarse, endpoint=False), np.linspace(0.85, 1.3, count - coarse)])
    return grid * full_swing_c


def firing_curve(fired: pd.DataFrame, membrane: Membrane) -> Curve:
    """Displacement at the start of firing -> output spike, of the columns that fired."""
    spiked = fired[np.isfinite(fired.spike_s)].sort_values("before_v", ascending=False)
    return Curve(
        x=tuple(membrane.displacement(spiked.before_v.to_numpy())), y=tuple(spiked.spike_s), interpolant="cubic",
        x_name="displacement at the start of firing", x_unit="V", y_name="output spike", y_unit="s", source="firing",
    )  # fmt: skip


def inverse(curve: Curve, slower: float = 1.0) -> Callable[[float], float]:
    """Output spike -> displacement it was fired from; read off the curve itself, so that both directions agree.

    `slower`: how many times as long the discharger takes, on a membrane of so many times the capacitance. The neuron's own delay,
    the earliest spike, is as it was.
    """
    u = np.linspace(curve.x[0], curve.x[-1], 20001)
    earliest = min(curve.y)
    spikes = earliest + slower * (curve(u) - earliest)
    return lambda spike_s: float(np.interp(-spike_s, -spikes, u))


def firing_table(fired: pd.DataFrame, membrane: Membrane, neuron: NeuronHardware, phase_s: float) -> pd.DataFrame:
    """Spike time per displacement beside the closed law of a discharger with the extracted reversal (docs/physics.md)."""
    import pandas as pd

    u = membrane.displacement(fired.before_v.to_numpy())
    e_dis = neuron.discharger_reversal.value / membrane.v_th_v
    law = firing_law(u / membrane.v_th_v, e_dis) * phase_s
    table = pd.DataFrame({"displacement_v": u, "membrane_v": fired.before_v, "spike_s": fired.spike_s, "law_s": law})
    return table.sort_values("displacement_v").reset_index(drop=True)
