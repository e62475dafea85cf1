"""Current of a synapse over its membrane, per code: the curve, current at rest, lambda, curvature, how far the line holds.

Testbench: one synapse switched on, its membrane held and swept. docs/physics.md: I(V) = I(V0) [1 -+ lambda (V - V0)].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from cosim.bench.bench import Bench
from cosim.bench.results import Measured
from cosim.characterize.catalogue import NAN, Parameter, measurement
from cosim.characterize.held_membrane import SWEEP_STEPS, curve_and_line, rail_to_rail
from cosim.characterize.named_weights import CODE_NAMES, GROUPS, SIDES, STRONG, named_settings
from cosim.design import Design
from cosim.simulator import Point, Waveforms
from netlists.cell_testbenches import MEMBRANE_SOURCE
from netlists.synapse import SIGNS, Sign, SynapseSetting
from netlists.testbenches import synapse_iv
from training.hardware.variation import MIDDLE, SWING, current_at_rest

Named = tuple[str | None, SynapseSetting]
"""A setting and the name of its weight, where it has one."""


@measurement("synapse_current", "current of the synapse over the membrane, for each sign and code (DC)")
def synapse_current(bench: Bench) -> Iterator[Point]:
    """One DC sweep of the membrane per sign and code, one synapse on."""
    for sign in SIGNS:
        yield from points(bench, _all_settings(bench, sign))


def named_points(bench: Bench) -> Iterator[Point]:
    """Those of the weights that a datasheet names."""
    for sign in SIGNS:
        yield from points(bench, named_settings(bench, sign))


def points(bench: Bench, settings: Iterable[Named], steps: int = SWEEP_STEPS) -> Iterator[Point]:
    """The membrane of one active synapse held and swept from rail to rail, in so many steps, for each setting."""
    cells = bench.cells()
    sweep, extract = rail_to_rail(cells, steps), partial(over_membrane, rest_v=cells.neuron.rest_v)
    for name, setting in settings:
        title = f"synapse current, sign {setting.sign:+d}, code {setting.code:.4f}"
        deck = bench.deck(title, synapse_iv(cells, setting), sweep, [MEMBRANE_SOURCE])
        yield Point({"sign": setting.sign, "weight": name, "code": setting.code}, deck, extract)


def _all_settings(bench: Bench, sign: Sign) -> list[Named]:
    """The codes of the design's characterisation and the named ones, from the weakest to the strongest."""
    codes = [float(code) for code in bench.cells().synapse.codes(sign, bench.design.characterization.codes)]
    named: list[Named] = list(named_settings(bench, sign))
    known = [setting.code for _, setting in named]
    others: list[Named] = [(None, SynapseSetting(sign, code)) for code in codes if not np.isclose(code, known).any()]
    return sorted([*named, *others], key=lambda one: one[1].code, reverse=bool(codes) and codes[0] > codes[-1])


def over_membrane(waveforms: Waveforms, rest_v: float) -> dict[str, Any]:
    """The current drawn out of a held membrane at each voltage, and its line (`curve_and_line`)."""
    return curve_and_line(waveforms.axis, -waveforms[MEMBRANE_SOURCE], rest_v)


def _parameters(sign: Sign) -> Iterator[Parameter]:
    side, group = SIDES[sign], GROUPS[sign]
    for code in CODE_NAMES:
        point = (("sign", sign), ("weight", code))
        yield Parameter(current_at_rest(sign, code), f"current at rest, {code}", "A", point, "log", group)
        yield Parameter(f"weight_{side}_{code}", f"|weight| I T/(C V_th), {code}", "", point, "log", group)
        yield Parameter(f"e_{side}_{code}", f"reversal potential E, {code}", "", point, group=group)
    strong, middle = (("sign", sign), ("weight", STRONG)), (("sign", sign), ("weight", MIDDLE))
    yield Parameter(f"lambda_{side}_middle_per_v", "slope over current at rest, middle", "1/V", middle, group=group)
    yield Parameter(f"residual_{side}_share", "worst deviation from the line", "", strong, group=group)
    yield Parameter(f"curvature_{side}_per_v2", "curvature beyond the line, strong", "1/V2", strong, group=group)
    yield Parameter(f"linear_{side}_low_v", "line holds within 2 % from", "V", strong, group=group)
    yield Parameter(f"linear_{side}_high_v", "line holds within 2 % up to", "V", strong, group=group)


@synapse_current.gives(
    *_parameters(1), *_parameters(-1), needs=("capacitance_f", SWING), points=named_points
)  # fmt: skip
def parameters(measured: Sequence[Measured], design: Design, known: Mapping[str, float]) -> dict[str, float]:
    """docs/physics.md, equation 2: E = 1/(V_th lambda), w = I(V0) T/(C V_th)."""
    values: dict[str, float] = {}
    for sign in SIGNS:
        lines = {one.point.condition["weight"]: one.row for one in measured if one.point.condition["sign"] == sign}
        values |= _of_one_sign(sign, lines, design, known)
    return values


def _of_one_sign(
    sign: Sign, lines: Mapping[str, Mapping[str, Any]], design: Design, known: Mapping[str, float]
) -> dict[str, float]:
    side, unit_a = SIDES[sign], known["capacitance_f"] * known[SWING] / design.timing.phase_s
    values: dict[str, float] = {}
    for code, row in lines.items():
        current = abs(float(row["current_a"]))
        slope = float(row["lambda_per_v"]) * known[SWING]
        values |= {
            current_at_rest(sign, code): current, f"weight_{side}_{code}": current / unit_a,
            f"e_{side}_{code}": 1.0 / slope if slope else NAN,
        }  # fmt: skip
    if MIDDLE in lines:
        values[f"lambda_{side}_middle_per_v"] = float(lines[MIDDLE]["lambda_per_v"])
    if lines:
        values |= {
            f"residual_{side}_share": max(float(row["residual_fraction"]) for row in lines.values()),
            f"curvature_{side}_per_v2": float(lines[STRONG]["curvature_per_v2"]) if STRONG in lines else NAN,
            f"linear_{side}_low_v": max(float(row["linear_low_v"]) for row in lines.values()),
            f"linear_{side}_high_v": min(float(row["linear_high_v"]) for row in lines.values()),
        }
    return values
