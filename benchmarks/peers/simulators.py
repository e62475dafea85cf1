"""PySpice as its documentation shows it, `ngspice -b`, and libngspice called directly. All times are CPU seconds a simulation."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosim.design import Design
from cosim.simulator import Deck, spiceinit
from netlists.models.pdk import Pdk
from netlists.synapse.current_source import CurrentSourceSection


def pyspice_operating_point(pdk: Pdk, design: Design, count: int) -> float:
    """One synapse, `simulator.operating_point()` for each bias."""
    return _in_fresh_process(_pyspice, pdk, design, count, False)


def pyspice_transient(pdk: Pdk, design: Design, count: int, transistors: int) -> float:
    """`simulator.transient()` of about 1000 points for each bias: a whole synapse, or its selector alone."""
    return _in_fresh_process(_pyspice, pdk, design, count, True, transistors)


def bare_library(deck: Deck, element: str, count: int) -> float:
    """libngspice holding the circuit: alter, run, destroy, nothing else."""
    return _in_fresh_process(_bare, deck, element, count)


def ngspice_batch(deck: Deck, pdk: Pdk | None, count: int) -> float:
    """`ngspice -b` on a deck file, with the library of `pdk` in place of the deck's own models where it is given."""
    if pdk is not None:
        deck = replace(deck, library=f'.lib "{pdk.library}" tt')
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deck.spice").write_text(deck.text(), encoding="utf-8")
        Path(folder, ".spiceinit").write_text(spiceinit(deck.setup), encoding="ascii")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(count):
            subprocess.run(["ngspice", "-b", "-r", "out.raw", "deck.spice"], cwd=folder, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / count


def _in_fresh_process(function: Callable[..., float], *arguments: Any) -> float:
    """libngspice keeps what it has loaded: each peer gets a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, *arguments))
    process.start()
    answer: float = receiver.recv()
    process.join()
    return answer


def _answer(sender: Any, function: Callable[..., float], *arguments: Any) -> None:
    sender.send(function(*arguments))


def _pyspice(pdk: Pdk, design: Design, count: int, transient: bool, transistors: int = 4) -> float:
    from PySpice.Spice.Netlist import Circuit
    from PySpice.Spice.NgSpice.Shared import NgSpiceShared

    from cosim.simulator.session import _find_library

    NgSpiceShared.LIBRARY_PATH = _find_library()
    for line in spiceinit(design.technology.setup).splitlines():
        if line.startswith("set "):
            NgSpiceShared.new_instance().exec_command(line)
    size = design.synapse
    assert isinstance(size, CurrentSourceSection)
    started = time.process_time()
    for k in range(count):
        circuit = Circuit("one synapse")
        circuit.lib(str(pdk.library), "tt")
        circuit.V("membrane", "membrane", circuit.gnd, 1.3)
        if transient:
            circuit.PulseVoltageSource("spike", "spike", circuit.gnd, 0, 1.8, 4e-7, 1e-6, 1e-8, 1e-9, 1e-9)
        else:
            circuit.V("spike", "spike", circuit.gnd, 1.8)
        circuit.V("bias", "bias", circuit.gnd, 0.4 + 0.01 * k)
        circuit.V("supply", "supply", circuit.gnd, 1.8)
        devices = (
            ("n_selector", "n", ("n_middle" if transistors > 1 else "membrane", "spike", circuit.gnd, circuit.gnd), size.nmos),
            ("n_memory", "n", ("membrane", "bias", "n_middle", circuit.gnd), size.nmos),
            ("p_memory", "p", ("membrane", "supply", "p_middle", "supply"), size.pmos),
            ("p_selector", "p", ("p_middle", "supply", "supply", "supply"), size.pmos),
        )
        for name, kind, nodes, fet in devices[:transistors]:
            circuit.X(name, f"sky130_fd_pr__{kind}fet_01v8", *nodes, w=fet.width_um, l=fet.length_um)
        simulator = circuit.simulator(temperature=27, nominal_temperature=27)
        if transient:
            simulator.transient(step_time=1e-9, end_time=1e-6, max_time=1e-9)
        else:
            simulator.operating_point()
    return (time.process_time() - started) / count


def _bare(deck: Deck, element: str, count: int) -> float:
    from PySpice.Spice.NgSpice.Shared import NgSpiceShared

    from cosim.simulator.session import _find_library

    NgSpiceShared.LIBRARY_PATH = _find_library()
    shared = NgSpiceShared.new_instance()
    shared.exec_command("set num_threads=1")
    shared.load_circuit(deck.text())
    started = time.process_time()
    for k in range(count):
        shared.exec_command(f"alter {element} = {1e3 + k!r}")
        shared.run()
        shared.destroy()
    return (time.process_time() - started) / count
