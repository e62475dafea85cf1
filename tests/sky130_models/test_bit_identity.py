"""A pruned library against the full one, to the last bit: operating points, DC sweeps, transients and the dies of a seed."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit

from netlists.models.pruning import device_uses, prune
from netlists.section import fet
from sky130_models.corners import Corner, ModelSet
from sky130_models.devices import POLY_WIDTHS_UM, Fet, mim_capacitor, mosfet, poly_resistor
from sky130_models.pdk import NAMES, find_pdk

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("ngspice") is None, reason="needs the ngspice program")]

SETTINGS = "set ngbehavior=hsa\nset ng_nomodcheck\nset num_threads=1\n"
SUPPLY_V = 1.8
# On the edges of bins, inside them, at the smallest size and far from it; first the one that the reference circuit uses.
SIZES_UM = {
    Fet.NFET: [(1.0, 0.25), (0.42, 0.15), (1.0, 0.5), (3.3, 8.0)],
    Fet.NFET_LVT: [(1.0, 0.15), (0.55, 1.7)],
    Fet.PFET: [(1.0, 0.25), (0.42, 0.15), (2.0, 0.15), (5.0, 4.0)],
    Fet.PFET_LVT: [(1.0, 0.35), (1.26, 2.0)],
    Fet.PFET_HVT: [(1.0, 0.35), (1.0, 0.15)],
}
RESISTORS_UM = [(POLY_WIDTHS_UM[0], 105.0), (POLY_WIDTHS_UM[2], 12.5)]
CAPACITORS_UM = [(7.0, 7.0), (3.0, 4.5)]


@dataclass(frozen=True)
class Results:
    """The data of one ngspice run: rows of points, scale columns included."""

    sweep: np.ndarray
    transient: np.ndarray


def _bench(sizes_each: int = 4) -> tuple[str, list[str]]:
    """The devices, by the wrappers, each into a resistor and a capacitor (`sizes_each` of a flavour), and what to save."""
    circuit = Circuit("bench")
    vectors = []
    for flavour, sizes in SIZES_UM.items():
        rail = "vdd" if flavour.name.startswith("P") else "0"
        for number, (width, length) in enumerate(sizes[:sizes_each]):
            drain = f"{flavour.name.lower()}{number}"
            mosfet(circuit, drain, flavour, drain, "gate", rail, rail, fet(width, length))
            circuit.R(drain, drain, "load", 10e3)
            mim_capacitor(circuit, f"c{drain}", drain, "0", *CAPACITORS_UM[number % 2])
            vectors.append(f"v({drain})")
    circuit.X("fingers", str(Fet.NFET), "fingers", "gate", "0", "0", w=4, l=0.15, nf=8)
    circuit.R("fingers", "fingers", "load", 10e3)
    vectors.append("v(fingers)")
    for number, (width, length) in enumerate(RESISTORS_UM):
        node = f"poly{number}"
        poly_resistor(circuit, node, "gate", node, "0", width, length)
        mim_capacitor(circuit, f"c{node}", node, "0", *CAPACITORS_UM[number])
        circuit.R(node, node, "load", 500e3)
        vectors.append(f"v({node})")
    circuit.raw_spice = (
        f"Vdd vdd 0 {SUPPLY_V}\nVload load 0 {SUPPLY_V / 2}\nVgate gate 0 dc 0.7 pulse(0 {SUPPLY_V} 1n 1n 1n 10n)\n"
    )
    return str(circuit).partition("\n")[2], vectors


def _run(folder: Path, deck: str, control: str) -> None:
    folder.mkdir()
    (folder / ".spiceinit").write_text(SETTINGS)
    (folder / "deck.cir").write_text(f"bench\n{deck}\n.control\nset numdgt=16\n{control}\nquit 0\n.endc\n.end\n")
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1", "HOME": str(folder)}
    subprocess.run(["ngspice", "-b", "deck.cir"], cwd=folder, env=environment, check=True, capture_output=True, timeout=240)


def _simulate(folder: Path, models: str, temperature_c: float = 27.0, seed: int = 7, sizes_each: int = 4) -> Results:
    devices, vectors = _bench(sizes_each)
    save = f"{' '.join(vectors)} i(vdd) i(vgate)"
    control = f"dc Vgate 0 {SUPPLY_V} 0.15\nwrdata sweep.txt {save}\ntran 0.2n 25n\nwrdata transient.txt {save}"
    _run(folder, f"{models}\n{devices}\n.option temp={temperature_c} seed={seed}", control)
    return Results(np.loadtxt(folder / "sweep.txt"), np.loadtxt(folder / "transient.txt"))


def _pruned(model_set: ModelSet, corner: Corner, mismatch: bool = False) -> str:
    return prune(find_pdk(model_set), corner, device_uses(_bench()[0], NAMES), mismatch).text


def _assert_same_bits(full: Results, pruned: Results) -> None:
    assert full.sweep.shape[0] == 13
    assert full.transient.shape[0] > 100
    assert np.ptp(full.transient[:, 1::2], axis=0).min() > 1e-6  # every vector moves: a dead node would be equal too
    np.testing.assert_array_equal(pruned.sweep, full.sweep)
    np.testing.assert_array_equal(pruned.transient, full.transient)


@pytest.mark.parametrize(
    ("corner", "temperature_c", "mismatch"),
    [
        (Corner.TT, 27.0, False),
        (Corner.SS, 85.0, False),
        (Corner.HL, -40.0, False),
        (Corner.FF, 27.0, True),
    ],
)
def test_continuous_models(corner: Corner, temperature_c: float, mismatch: bool, tmp_path: Path) -> None:
    section = f"{corner}_mm" if mismatch else corner
    full = _simulate(tmp_path / "full", f'.lib "{find_pdk().library}" {section}', temperature_c)
    pruned = _simulate(tmp_path / "pruned", _pruned(ModelSet.CONTINUOUS, corner, mismatch), temperature_c)
    _assert_same_bits(full, pruned)


def test_binned_models_with_mismatch(tmp_path: Path) -> None:
    """One load and few devices, for it takes half a minute: with mismatch, whose draws stand inside the bins of this set."""
    full = _simulate(tmp_path / "full", f'.lib "{find_pdk(ModelSet.BINNED).library}" fs_mm', sizes_each=1)
    pruned = _simulate(tmp_path / "pruned", _pruned(ModelSet.BINNED, Corner.FS, mismatch=True), sizes_each=1)
    _assert_same_bits(full, pruned)


@pytest.mark.parametrize("model_set", ModelSet)
def test_a_die_depends_on_its_seed_and_on_nothing_else(model_set: ModelSet, tmp_path: Path) -> None:
    nominal = _pruned(model_set, Corner.TT)
    dies = _pruned(model_set, Corner.TT, mismatch=True)
    decks = {"one": (dies, 1), "again": (dies, 1), "two": (dies, 2), "nominal_one": (nominal, 1), "nominal_two": (nominal, 2)}
    runs = {name: _simulate(tmp_path / name, models, seed=seed).sweep for name, (models, seed) in decks.items()}
    np.testing.assert_array_equal(runs["one"], runs["again"])
    np.testing.assert_array_equal(runs["nominal_one"], runs["nominal_two"])
    nodes = np.abs(runs["two"] - runs["one"]).max(axis=0)[1:-4:2]
    assert nodes.min() > 1e-6
    assert nodes.max() < 0.5


def test_corners_and_model_sets_differ(tmp_path: Path) -> None:
    """At 0.75 V of gate the 1/0.25 NMOS pulls more at ff than at ss, and the sets differ by some percent."""

    def pull_v(model_set: ModelSet, corner: Corner) -> float:
        sweep = _simulate(tmp_path / f"{model_set}_{corner}", _pruned(model_set, corner), sizes_each=1).sweep
        return float(SUPPLY_V / 2 - sweep[5, 1])

    slow, typical, fast = (pull_v(ModelSet.CONTINUOUS, corner) for corner in (Corner.SS, Corner.TT, Corner.FF))
    assert 0 < slow < 0.8 * typical < 0.8 * 0.8 * fast
    assert 0.002 < abs(pull_v(ModelSet.BINNED, Corner.TT) / typical - 1) < 0.15


@pytest.mark.parametrize(
    ("model_set", "resistance_ohm", "capacitance_f"),
    # 2 fF/um^2 on a plate 0.15 um larger than drawn; and on one 0.025 um smaller, with 0.19 fF/um around it.
    [(ModelSet.CONTINUOUS, 774e3, 2e-15 * 7.15**2), (ModelSet.BINNED, 600e3, 2e-15 * 6.975**2 + 0.19e-15 * 4 * 6.975)],
)
def test_passive_devices_have_their_values(
    model_set: ModelSet, resistance_ohm: float, capacitance_f: float, tmp_path: Path
) -> None:
    circuit = Circuit("values")
    poly_resistor(circuit, "r", "a", "0", "0", 0.35, 105.0)
    mim_capacitor(circuit, "c", "b", "0", 7.0, 7.0)
    circuit.raw_spice = "Va a 0 1.2\nVb b 0 0 ac 1\n"
    control = "op\nwrdata op.txt i(va)\nac lin 1 1e6 1e6\nwrdata ac.txt i(vb)"
    models = prune(find_pdk(model_set), Corner.TT, device_uses(str(circuit), NAMES)).text
    _run(tmp_path / "values", f"{models}\n{str(circuit).partition(chr(10))[2]}", control)
    current_a = float(np.loadtxt(tmp_path / "values" / "op.txt").flat[1])
    admittance_s = float(np.loadtxt(tmp_path / "values" / "ac.txt").flat[2])
    assert -1.2 / current_a == pytest.approx(resistance_ohm, rel=2e-3)
    assert -admittance_s / (2e6 * np.pi) == pytest.approx(capacitance_f, rel=1e-4)
