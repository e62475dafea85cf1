"""Netlists of every design and the settings of their decks, as the code of a known commit wrote them, to the last character.

Those of a change that is meant come with the digests of the new ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosim.bench.bench import Bench
from cosim.design import load_design
from cosim.simulator import OperatingPoint, spiceinit
from netlists.cell_testbenches import Levels, followed_device, held_neuron, resting_neuron, switched_synapse
from netlists.crossbar import Cells
from netlists.network import network_bench
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting
from netlists.testbenches import Injection, column, discharger_iv, synapse_iv

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests" / "data" / "golden_decks.json").read_text())
DESIGNS = sorted(path for path in (ROOT / "designs").rglob("*.toml") if path.stem in GOLDEN["netlists"])


def netlists(cells: Cells) -> Iterator[tuple[str, str]]:
    """One of every kind."""
    settings = [SynapseSetting(sign, float(code)) for sign in (1, -1) for code in cells.synapse.codes(sign, 3)]  # type: ignore[arg-type]
    phase = cells.timing.phase_s
    window = PhaseWindow(0.1 * phase, 1.1 * phase, 2.1 * phase)
    mixed = [settings[k % len(settings)] if k % 3 else None for k in range(5)]
    on = (0.2 * phase, 1.1 * phase)
    rows = [[settings[(3 * k + j) % len(settings)] if (k + j) % 4 else None for j in range(5)] for k in range(5)]
    yield "synapse_iv", "".join(synapse_iv(cells, setting) for setting in (None, *settings))
    yield "switched_synapse", "".join(switched_synapse(cells, one, 0.05 * phase, 0.35 * phase) for one in (None, *settings))
    yield "discharger_iv", discharger_iv(cells)
    yield "column", column(cells, mixed, [on, None, on, None, on], window, 2.2 * phase, Injection(2e-8, 2e-7, 3e-7), fan_out=5)
    yield "held_neuron", held_neuron(cells, None, Levels(phase=True), 5) + held_neuron(cells, [(0.0, 1.3)], Levels(reset=True))
    yield "pullup", followed_device(cells, "pullup")
    yield "resting_neuron", resting_neuron(cells, window, 2.2 * phase, 5)
    yield "network", network_bench([cells, cells], [rows, rows], [0.0, 0.2, 0.4, 0.6, 1.0]).netlist


@pytest.mark.parametrize("path", DESIGNS, ids=lambda path: path.stem)
def test_the_netlists_of_a_design_are_those_of_the_known_commit(path: Path) -> None:
    design = load_design(path)
    cells = Bench(design, design.process.pdk(), None).cells()
    assert {name: hashlib.sha256(text.encode()).hexdigest() for name, text in netlists(cells)} == GOLDEN["netlists"][path.stem]


def test_the_settings_of_a_deck_are_those_of_the_known_commit() -> None:
    design = load_design(ROOT / "designs" / "iris_5_5_5.toml")
    deck = Bench(design, design.process.pdk(), None).deck("one", "Vone one 0 1.0", OperatingPoint(), ["v(one)"])
    assert deck.options.cards() == GOLDEN["options"]
    assert spiceinit(deck.setup) == GOLDEN["spiceinit"]


def test_every_design_of_that_commit_is_there() -> None:
    assert set(GOLDEN["netlists"]) == {path.stem for path in DESIGNS} and len(DESIGNS) == 7
