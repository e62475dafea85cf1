"""What decks hold of GF180MCU against the foundry's full library in plain ngspice."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit

from gf180_models.corners import Corner
from gf180_models.devices import NFET, PFET, mim_capacitor, mosfet, poly_resistor
from gf180_models.pdk import NAMES, find_pdk
from gf180_models.process import GF180
from netlists.models.pruning import device_uses, prune
from netlists.section import fet

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("ngspice") is None, reason="needs the ngspice program")]

SUPPLY_V = 3.3
# Those of the design; on the edges of bins, inside them, at the smallest size and far from it.
SIZES_UM = [(0.5, 0.5), (0.5, 1.0), (1.0, 0.28), (2.0, 0.28), (0.42, 0.28), (1.0, 1.0), (0.22, 0.28), (12.0, 7.0)]
FOUNDRY_SECTIONS = {
    Corner.TT: ("typical", "res_typical", 1.0),
    Corner.FS: ("fs", "res_typical", 1.0),
    Corner.SS_HH: ("ss", "res_ss", 1.1),
    Corner.LL: ("typical", "res_ff", 0.9),
}


def bench() -> tuple[str, list[str]]:
    """Transistors, each into a resistor and a capacitor, and a poly resistor; what to save."""
    circuit = Circuit("bench")
    for device, rail in ((NFET, "0"), (PFET, "vdd")):
        for number, (width, length) in enumerate(SIZES_UM):
            drain = f"{device.subcircuit[0]}{number}"
            mosfet(circuit, drain, device, drain, "gate", rail, rail, fet(width, length))
            circuit.R(drain, drain, "load", 10e3)
            mim_capacitor(circuit, f"c{drain}", drain, "0", 7.0, 5.0 + number)
    mosfet(circuit, "units", NFET, "units", "gate", "0", "0", fet(0.5, 0.5), units=4)
    poly_resistor(circuit, "poly", "gate", "poly", "0", 1.0, 100.0)
    for node in ("units", "poly"):
        circuit.R(node, node, "load", 10e3)
        mim_capacitor(circuit, f"c{node}", node, "0", 7.0, 7.0)
    circuit.raw_spice = (
        f"Vdd vdd 0 {SUPPLY_V}\nVload load 0 {SUPPLY_V / 2}\nVgate gate 0 dc 1.0 pulse(0 {SUPPLY_V} 1n 1n 1n 10n)\n"
    )
    nodes = [f"{kind}{number}" for kind in "np" for number in range(len(SIZES_UM))]
    return str(circuit).partition("\n")[2], [f"v({node})" for node in (*nodes, "units", "poly")]


def full_library(corner: Corner) -> str:
    """The foundry's files, without ours between."""
    root = find_pdk().root
    fets, resistors, mim = FOUNDRY_SECTIONS[corner]
    sections = "\n".join(f'.lib "{root}/sm141064.ngspice" {name}' for name in (fets, resistors, "cap_mim"))
    mim_corner = " ".join(f"mim_corner_{kind}fF={mim} mc_c_cox_{kind}fF=0" for kind in ("2p0", "1p5", "1p0"))
    return f'.include "{root}/design.ngspice"\n.param {mim_corner}\n{sections}'


def pruned(corner: Corner) -> str:
    return prune(find_pdk(), corner, device_uses(bench()[0], NAMES)).text


def simulate(folder: Path, models: str, temperature_c: float = 27.0) -> tuple[np.ndarray, np.ndarray]:
    """A sweep of the gate and a transient, in plain ngspice."""
    devices, vectors = bench()
    folder.mkdir()
    save = f"{' '.join(vectors)} i(vdd) i(vgate)"
    control = f"dc Vgate 0 {SUPPLY_V} 0.3\nwrdata sweep.txt {save}\ntran 0.2n 25n\nwrdata transient.txt {save}"
    (folder / ".spiceinit").write_text("\n".join([*GF180.setup, "set num_threads=1", ""]))
    (folder / "deck.cir").write_text(
        f"bench\n{models}\n{devices}\n.option temp={temperature_c} reltol=1e-6\n"
        f".control\nset numdgt=16\n{control}\nquit 0\n.endc\n.end\n"
    )
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1", "HOME": str(folder)}
    subprocess.run(["ngspice", "-b", "deck.cir"], cwd=folder, env=environment, check=True, capture_output=True, timeout=240)
    return np.loadtxt(folder / "sweep.txt"), np.loadtxt(folder / "transient.txt")


@pytest.mark.parametrize("corner", FOUNDRY_SECTIONS)
def test_pruned_models_give_what_the_full_library_gives(corner: Corner, tmp_path: Path) -> None:
    temperature_c = {Corner.TT: 27.0, Corner.FS: -40.0}.get(corner, 85.0)
    full = simulate(tmp_path / "full", full_library(corner), temperature_c)
    ours = simulate(tmp_path / "pruned", pruned(corner), temperature_c)
    assert full[0].shape[0] == 12 and full[1].shape[0] > 100
    assert np.ptp(full[1][:, 1::2], axis=0).min() > 1e-6  # every vector moves: a dead node would be equal too
    # Not to the last bit: a width on the edge of two bins is in the one or the other, by the rounding of the number.
    np.testing.assert_allclose(ours[0], full[0], rtol=1e-7, atol=1e-15)
    times = np.linspace(0, 25e-9, 101)
    for one, other in zip(full[1].T[1::2], ours[1].T[1::2], strict=True):
        ours_then, full_then = np.interp(times, ours[1][:, 0], other), np.interp(times, full[1][:, 0], one)
        np.testing.assert_allclose(ours_then, full_then, atol=1e-4 * np.ptp(one))


def test_corners_differ(tmp_path: Path) -> None:
    """At 0.9 V of gate the NMOS of 0.5 um / 0.5 um pulls more at ff than at ss."""
    slow, typical, fast = (
        SUPPLY_V / 2 - simulate(tmp_path / corner, pruned(corner))[0][3, 1] for corner in (Corner.SS, Corner.TT, Corner.FF)
    )
    assert 0 < slow < 0.8 * typical < 0.8 * 0.8 * fast
