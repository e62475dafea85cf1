"""The reference network in a second process: its cells, measured as they are in the first."""

from __future__ import annotations

import statistics

import pytest
from installed import ROOT

from cosim.bench.bench import Bench
from cosim.characterize.extract import characterize
from cosim.design import load_design


@pytest.mark.slow
def test_the_cells_of_the_reference_network_in_gf180() -> None:
    """Against what the whole loop gave, 0.32 ns from the circuit. Synapses of twice the width gave, with devices written by hand,
    E+ 5.42, E- -11.9, E_dis 13.0, 143.8 fF, 0.575 V."""
    design = load_design(ROOT / "designs" / "iris_5_5_5_gf180.toml")
    hardware = characterize(Bench(design, design.process.pdk(), None)).hardware
    neuron = hardware.neuron
    assert (hardware.model_set, hardware.corner) == ("3v3", "tt")
    assert neuron.threshold.value == pytest.approx(0.575, abs=1e-3)
    assert neuron.capacitance_f == pytest.approx(141.9e-15, rel=1e-3)
    assert statistics.median(hardware.plus.reversal.y) / neuron.v_th_v == pytest.approx(5.89, rel=0.01)
    assert -statistics.median(hardware.minus.reversal.y) / neuron.v_th_v == pytest.approx(-12.1, rel=0.01)
    assert neuron.discharger_reversal.value / neuron.v_th_v == pytest.approx(13.0, rel=0.02)
    assert neuron.delay.value == pytest.approx(7.8e-9, rel=0.02)
    assert neuron.reset_error.value == pytest.approx(-2.4e-3, rel=0.05)
