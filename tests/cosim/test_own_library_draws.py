"""Random numbers of a model library that a user names: nominal without a seed, dies that differ with one, else refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.design import load_design
from cosim.simulator import Point, simulate
from netlists.errors import DeviceModelError
from netlists.models.pruning import device_uses, prune

DESIGN = """name = "own"
[process]
{process}
library = "small.lib"
sections = {{ tt = "TT" }}
[synapse]
kind = "netlist"
file = "cell.spice"
subcircuit = "c"
pins = {{ membrane = "MEM", spike = "SP", spike_bar = "SPB", bias_n = "NB", bias_p = "PB", supply = "VDD", ground = "VSS" }}
bias_n_v = [0.20, 0.30]
bias_p_v = [1.60, 1.50]
[neuron]
rest_v = 1.3
"""
SKY130, GF180 = 'name = "sky130"', 'name = "gf180"\nsupply_v = 1.8'
LIBRARY = """* its switch is on unless told otherwise
.lib TT
.param sw_stat_mismatch = 1
.subckt nfet d g s b w=1e-6 l=0.25e-6 as=0 ad=0 nf=1 m=1
.param
+ sig_vth='0.01'
+ mis_vth=agauss(0,sqrt(sig_vth*sig_vth),1)
m0 d g s b nch w=w l=l as=as ad=ad delvto='mis_vth*sw_stat_mismatch'
.ends
.subckt pfet d g s b w=1e-6 l=0.25e-6 as=0 ad=0 nf=1 m=1
m0 d g s b pch w=w l=l as=as ad=ad delvto='(0.001 + AGAUSS(0,0.01,1))*sw_stat_mismatch'
.ends
.model nch nmos level=14 version=4.5 toxe=3n vth0=0.4
.model pch pmos level=14 version=4.5 toxe=3n vth0=-0.4
.endl TT
"""
CELL = """.subckt c MEM SP SPB NB PB VDD VSS
XM1 MEM NB nt VSS nfet L=0.25u W=1u nf=1{areas} m=1
XM2 nt SP VSS VSS nfet L=0.25u W=1u nf=1 m=1
XM3 MEM PB pt VDD pfet L=0.25u W=1u nf=1 m=1
XM4 pt SPB VDD VDD pfet L=0.25u W=1u nf=1 m=1
.ends
"""
SCHEMATIC_AREAS = " ad='int((nf+1)/2) * W/nf * 0.18u' as='int((nf+2)/2) * W/nf * 0.18u'"
"""As xschem exports them; such a deck only ngspice itself understands."""


def bench(folder: Path, process: str, areas: str = "", library: str = LIBRARY, statistics: bool = False) -> Bench:
    (folder / "small.lib").write_text(library)
    (folder / "cell.spice").write_text(CELL.format(areas=areas))
    (folder / "own.toml").write_text(DESIGN.format(process=process))
    design = load_design(folder / "own.toml")
    return Bench(design, design.process.pdk(), None, statistics=statistics)


def currents(made: Bench, seed: int | None = None) -> np.ndarray:
    points = list(MEASUREMENTS["synapse_current"].points(made))
    seeded = [Point(point.condition, point.deck.with_seed(seed), point.extract) for point in points]
    return np.array([outcome.row["current_a"] for outcome in simulate(seeded, None, 1, 60.0)])


@pytest.mark.parametrize("process", [SKY130, GF180])
def test_nothing_is_drawn_without_a_seed(process: str, tmp_path: Path) -> None:
    made = bench(tmp_path, process)
    text = prune(made.pdk, "tt", device_uses(CELL, made.pdk.names)).text
    assert "mis_vth=agauss(0,0,1)" in text and "delvto='(0.001 + agauss(0,0,1))*sw_stat_mismatch'" in text
    assert f"sw_stat_mismatch = {0 if process == GF180 else 1}" in text
    drawn = prune(made.pdk, "tt", device_uses(CELL, made.pdk.names), mismatch=True).text
    assert "agauss(0,sqrt(sig_vth*sig_vth),1)" in drawn and "sw_stat_mismatch = 1" in drawn


def test_random_numbers_that_come_to_nothing_are_refused(tmp_path: Path) -> None:
    off = LIBRARY.replace("sw_stat_mismatch = 1", "sw_stat_mismatch = 0")
    points = MEASUREMENTS["synapse_current"].points
    assert list(points(bench(tmp_path, SKY130, library=off)))
    assert list(points(bench(tmp_path, GF180, library=off, statistics=True))), "a switch that the process knows is set"
    with pytest.raises(
        DeviceModelError, match=r"small.lib: a seed changes nothing: the random numbers .* are switched off"
    ) as told:
        list(points(bench(tmp_path, SKY130, library=off, statistics=True)))
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("process", [SKY130, GF180])
def test_the_nominal_current_is_the_same_however_the_deck_is_read(process: str, tmp_path: Path) -> None:
    flat, nested = (currents(bench(tmp_path, process, areas)) for areas in ("", SCHEMATIC_AREAS))
    np.testing.assert_allclose(nested, flat, rtol=1e-4)
    quiet = LIBRARY.replace("AGAUSS(0,0.01,1)", "0").replace("agauss(0,sqrt(sig_vth*sig_vth),1)", "0")
    one, other = (currents(bench(tmp_path, process, statistics=True), seed) for seed in (1, 2))
    assert (np.abs(one / other - 1) > 1e-2).all()
    if process == SKY130:  # the switch stays on, and with it the 1 mV that is no random number
        np.testing.assert_allclose(currents(bench(tmp_path, process, library=quiet)), flat, rtol=1e-6)
