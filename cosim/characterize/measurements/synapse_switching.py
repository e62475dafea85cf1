"""One synapse switched on and off on a held membrane: its charges, its lag, and what its spike lines have to drive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Accuracy, Bench
from cosim.bench.results import Measured
from cosim.characterize.catalogue import NAN, SYNAPSE, Parameter, measurement
from cosim.characterize.held_membrane import integral
from cosim.characterize.named_weights import GROUPS, SIDES, STRONG, named_settings
from cosim.design import Design
from cosim.simulator import Point, Transient, Waveforms
from netlists.cell_testbenches import LINE_CURRENTS, MEMBRANE_SOURCE, switched_synapse
from netlists.synapse import SIGNS, Sign
from training.hardware.variation import MIDDLE

EXTRACTOR_VERSION = 2
"""To be raised when what is read off waveforms changes: the store keeps rows by it."""

SETTLED_FROM = 0.5
"""From this share of its on-time a synapse's current counts as settled."""

TRANSIENT = Accuracy(1e-5, 1e-17, 4e-9)
"""Of these transients; `cosim sweep --check-accuracy` says what a tenth of the tolerance changes."""


@measurement("synapse_switching", "charges of a synapse that switches on a held membrane, load of its lines (transient)")
def synapse_switching(bench: Bench) -> Iterator[Point]:
    """The middle and the strongest code of each sign, switched by ideal edges."""
    cells, phase = bench.cells(), bench.design.timing.phase_s
    on, off, stop = 0.05 * phase, 0.35 * phase, 0.85 * phase
    for sign in SIGNS:
        for name, setting in named_settings(bench, sign)[1:]:
            deck = bench.deck(
                f"synapse switched, sign {sign:+d}, {name}", switched_synapse(cells, setting, on, off),
                Transient(stop, phase / 100, TRANSIENT.max_step_s), [MEMBRANE_SOURCE, *LINE_CURRENTS], TRANSIENT,
            )  # fmt: skip
            extract = partial(switching_charges, on_s=on, off_s=off, edge_s=cells.timing.edge_s, supply_v=cells.supply_v)
            yield Point({"sign": sign, "weight": name, "code": setting.code}, deck, extract)


def switching_charges(waveforms: Waveforms, on_s: float, off_s: float, edge_s: float, supply_v: float) -> dict[str, Any]:
    """Charges beyond the current of a synapse that is switched on and off (C, positive towards the threshold).

    `charge_on_c` holds the lag of the current behind its line, `charge_off_c` the tail to the end of the waveform; `line_true_f`,
    `line_bar_f`: charge of a line's edge over the supply.
    """
    time, current = waveforms.axis, -waveforms[MEMBRANE_SOURCE]
    before_on, before_off = on_s - 4 * edge_s, off_s - 4 * edge_s
    # A mean, because the current into an ideal source rings from step to step while its integral does not.
    window = on_s + SETTLED_FROM * (off_s - on_s), before_off
    settled = integral(time, current, *window) / (window[1] - window[0])
    idle = float(np.interp(before_on, time, current))
    on = integral(time, current, before_on, before_off) - idle * (on_s - before_on) - settled * (before_off - on_s)
    off = integral(time, current, before_off, time[-1]) - settled * (off_s - before_off) - idle * (time[-1] - off_s)
    true_f, bar_f = (abs(integral(time, waveforms[name], before_on, 0.5 * (on_s + off_s))) / supply_v for name in LINE_CURRENTS)
    return {"current_a": settled, "charge_on_c": on, "charge_off_c": off, "line_true_f": true_f, "line_bar_f": bar_f}


def _parameters(sign: Sign) -> Iterator[Parameter]:
    side, group = SIDES[sign], GROUPS[sign]
    strong, middle = (("sign", sign), ("weight", STRONG)), (("sign", sign), ("weight", MIDDLE))
    yield Parameter(f"kick_{side}_c", "charge of switching on, without lag", "C", middle, group=group)
    yield Parameter(f"delay_{side}_s", "lag of the current at switching on", "s", strong, group=group)
    yield Parameter(f"charge_off_{side}_c", "charge of switching off, middle", "C", middle, group=group)


@synapse_switching.gives(
    *_parameters(1), *_parameters(-1),
    Parameter("line_true_f", "input capacitance, true line", "F", group=SYNAPSE),
    Parameter("line_bar_f", "input capacitance, complement", "F", group=SYNAPSE),
    place=1,
)  # fmt: skip
def parameters(measured: Sequence[Measured], design: Design, known: Mapping[str, float]) -> dict[str, float]:
    """Two codes tell kick and lag apart: the charge of switching on is kick - I * delay."""
    values = {line: max((float(one.row[line]) for one in measured), default=NAN) for line in ("line_true_f", "line_bar_f")}
    for sign in SIGNS:
        switched = {one.point.condition["weight"]: one.row for one in measured if one.point.condition["sign"] == sign}
        side = SIDES[sign]
        if MIDDLE in switched:
            values[f"charge_off_{side}_c"] = float(switched[MIDDLE]["charge_off_c"])
        if {MIDDLE, STRONG} <= switched.keys():
            (small, large), (less, more) = (
                [float(switched[code][column]) for code in (MIDDLE, STRONG)] for column in ("current_a", "charge_on_c")
            )
            delay = -(more - less) / (large - small) if large != small else NAN
            values |= {f"delay_{side}_s": delay, f"kick_{side}_c": less + delay * small}
    return values
