"""Thousands of small simulations of one synapse, against plain PySpice and `ngspice -b`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.figure import Figure
from benchmarks.peers import simulators
from benchmarks.probes import current_at_rest, process_cpu_s, resident_mb
from cosim.bench.bench import Bench
from cosim.design import load_design
from cosim.simulator import Deck, OperatingPoint, Point, Store, Transient, WorkerPool, stream
from netlists.synapse import SynapseSetting
from netlists.testbenches import synapse_iv
from sky130_models.corners import ModelSet
from sky130_models.devices import Fet
from sky130_models.pdk import find_pdk

PACKAGES = ("PySpice", "sky130")
DESIGN = Path(__file__).parents[1] / "designs" / "iris_5_5_5.toml"
BIAS = "vsynapse_n_bias"


def figures(quick: bool) -> Iterator[Figure]:
    """Every figure; the slow peers are measured on a few points and scaled, as each figure's detail says."""
    count = 100 if quick else 1000
    with tempfile.TemporaryDirectory() as folder:
        for model_set in ModelSet:
            yield from _speedups(model_set, count, Path(folder))
        yield from _transient_speedups(count, Path(folder))
        yield from _throughput(count, Path(folder))
        yield _overhead(count, Path(folder))
        yield _memory_growth(500 if quick else 10_000)
        yield _first_result(1 if quick else 3)


def cell(model_set: ModelSet, mismatch: bool = False) -> Deck:
    """One synapse at rest, its NMOS on at 0.5 V: an operating point."""
    design = load_design(DESIGN)
    design = design.model_copy(update={"process": design.process.model_copy(update={"model_set": model_set})})
    bench = Bench(design, find_pdk(model_set), None)
    netlist = synapse_iv(bench.cells(), SynapseSetting(1, 0.5))
    return bench.deck("one synapse", netlist, OperatingPoint(), ["i(vmembrane)"], mismatch_seed=0 if mismatch else None)


def bias_sweep(deck: Deck, count: int) -> Iterator[Point]:
    return (Point({"bias_v": float(v)}, deck.with_values({BIAS: v}), current_at_rest) for v in np.linspace(0.4, 0.65, count))


def dies(deck: Deck, count: int) -> Iterator[Point]:
    return (Point({"seed": seed}, deck.with_seed(seed), current_at_rest) for seed in range(count))


def transients(deck: Deck, count: int, transistors: int) -> Iterator[Point]:
    """About 1000 time points each: a synapse at several biases, or its selector alone at several membranes."""
    pulse = "Vspike spike 0 PULSE(0 1.8 1e-8 1e-9 1e-9 4e-7 1e-6)"
    analysis = Transient(1e-6, 1e-9, 1e-9)
    if transistors > 1:
        return bias_sweep(replace(deck, netlist=deck.netlist.replace("Vspike spike 0 1.8", pulse), analysis=analysis), count)
    size = "w=1 l=0.25 ad=0.29 as=0.29 pd=2.58 ps=2.58"
    netlist = f"{pulse}\nVmembrane membrane 0 1.3\nXselector membrane spike 0 0 {Fet.NFET} {size}"
    selector = replace(deck, netlist=netlist, analysis=analysis)
    voltages = np.linspace(0.4, 1.4, count)
    return (Point({"membrane_v": float(v)}, selector.with_values({"vmembrane": v}), current_at_rest) for v in voltages)


def cpu_s(points: Iterable[Point], folder: Path, jobs: int = 1) -> float:
    """CPU time of this process and its workers, store and all, from the first deck to the last row."""
    with Store(Path(tempfile.mkstemp(suffix=".sqlite", dir=folder)[1])) as store:
        before = process_cpu_s()
        with WorkerPool(jobs=jobs) as pool:
            for outcome in stream(points, store, pool):
                if outcome.error:
                    raise outcome.error
        return process_cpu_s() - before


def _speedups(model_set: ModelSet, count: int, folder: Path) -> Iterator[Figure]:
    """Sweep, Monte Carlo and transients against a tool that reads the whole library for each."""
    repetitions, slow = 3, 3 if model_set is ModelSet.CONTINUOUS else 2
    targets = {ModelSet.CONTINUOUS: "at least 300", ModelSet.BINNED: "at least 2000"}
    ours: dict[str, Callable[[], Iterator[Point]]] = {
        "sweep": lambda: bias_sweep(cell(model_set), count),
        "montecarlo": lambda: dies(cell(model_set, mismatch=True), count),
    }
    pdk, cells = find_pdk(model_set), load_design(DESIGN)
    plain = simulators.pyspice_operating_point(pdk, cells, slow)
    peers = {"plain PySpice, full library": plain}
    peers["ngspice -b, full library"] = simulators.ngspice_batch(cell(model_set), pdk, slow)
    peers["ngspice -b, pruned library"] = simulators.ngspice_batch(cell(model_set), None, 20)
    for name, points in ours.items():
        one = median(cpu_s(points(), folder) for _ in range(repetitions)) / count
        for peer, peer_s in peers.items():
            key = f"{name}_speedup_{model_set}" if peer.startswith("plain") else f"{name}_speedup_{model_set}_{_key(peer)}"
            yield Figure(
                key, peer_s / one, "", targets[model_set] if peer.startswith("plain") else "",
                f"CPU: {peer} {peer_s * 1e3:.1f} ms a point (a few, scaled), here {one * 1e3:.3f} ms ({count} points)",
            )  # fmt: skip


def _transient_speedups(count: int, folder: Path) -> Iterator[Figure]:
    """About 1000 points each: one switching transistor, and the whole synapse, whose four transistors are ngspice's own time."""
    pdk, design, slow = find_pdk(ModelSet.CONTINUOUS), load_design(DESIGN), 3
    for transistors, suffix in ((1, ""), (4, "_synapse")):
        one = cpu_s(transients(cell(ModelSet.CONTINUOUS), count, transistors), folder) / count
        peer_s = simulators.pyspice_transient(pdk, design, slow, transistors)
        yield Figure(
            f"transient_speedup_continuous{suffix}", peer_s / one, "", "" if suffix else "at least 200",
            f"CPU, {transistors} transistor(s): plain PySpice {peer_s * 1e3:.0f} ms ({slow} of them), here {one * 1e3:.2f} ms",
        )  # fmt: skip


def _key(peer: str) -> str:
    return peer.replace(" -", "_").replace(", ", "_").replace(" ", "_")


def _throughput(count: int, folder: Path) -> Iterator[Figure]:
    deck = cell(ModelSet.CONTINUOUS)
    detail = "per core: points over the CPU time of all processes, store and all"
    transient_s = median(cpu_s(transients(deck, count, 1), folder) for _ in range(3)) / count
    yield Figure("transients_per_minute", 60 / transient_s, "1/min", "at least 5000", f"a transistor, 1000 points each; {detail}")
    many = 10 * count
    op_s = median(cpu_s(bias_sweep(deck, many), folder) for _ in range(3)) / many
    yield Figure("op_per_minute", 60 / op_s, "1/min", "at least 100000", f"by alter, {many} points; {detail}")


def _overhead(count: int, folder: Path) -> Figure:
    """The engine against the bare library that runs the same circuit from its C interface."""
    netlist = "v1 in 0 1\nr1 in out 1k\nc1 out 0 1n"
    deck = Deck("10 ms", netlist, "", Transient(3e-7, 1e-9, 1e-10), ("v(out)",))
    ratios = []
    for _ in range(3):
        bare = simulators.bare_library(deck, "r1", count)
        points = (Point({"k": k}, deck.with_values({"r1": 1e3 + k}), current_at_rest) for k in range(count))
        ratios.append(cpu_s(points, folder) / count / bare - 1)
    return Figure(
        "overhead_fraction", median(ratios), "", "at most 0.15",
        f"CPU, decks of {bare * 1e3:.1f} ms in the bare library, {count} of them; worker start included",
    )  # fmt: skip


def _memory_growth(count: int) -> Figure:
    """A tenth of the usual transient, so that ten thousand take a minute; what leaks does so for each simulation."""
    selector = next(transients(cell(ModelSet.CONTINUOUS), 1, 1)).deck
    short = replace(selector, analysis=Transient(1e-7, 1e-9, 1e-9))
    points = [Point({}, short.with_values({"vmembrane": float(v)}), resident_mb) for v in np.linspace(0.4, 1.4, count + 100)]
    with WorkerPool(jobs=1, recycle_after=10**9) as pool:
        sizes = [outcome.row["resident_mb"] for outcome in sorted(pool.map(points), key=lambda o: o.index) if outcome.row]
    return Figure(
        "memory_growth_mb_per_simulation", (sizes[-1] - sizes[100]) / count, "MB", "at most 0.01",
        f"resident, one worker, {count} transients",
    )  # fmt: skip


def _first_result(repetitions: int) -> Figure:
    """From the start of the command to the first outcome of a 4000-point set, nothing cached."""
    times = []
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable, "-m", "benchmarks.first_result", str(DESIGN), folder,
            ]  # fmt: skip
            environment = {**os.environ, "COSIM_CACHE": f"{folder}/cache"}
            started = time.time()
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            answer = json.loads(done.stdout)
            times.append(answer["first_unix_s"] - started)
    return Figure(
        "first_result_s", median(times), "s", "less than 2",
        f"wall from the start of Python, nothing cached, {answer['points']} points: corners, temperatures, supplies, dies",
    )  # fmt: skip
