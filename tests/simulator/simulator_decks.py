"""Small decks with known answers, decks that break ngspice, and the extractions that run on them in workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from cosim.simulator import DcSweep, Deck, OperatingPoint, Reason, SolverOptions, Transient, Waveforms

RC_S = 1e-6
STEP = OperatingPoint()


def rc(resistance_ohm: float = 1e3, stop_s: float = 10e-6, max_step_s: float = 10e-9, title: str = "rc") -> Deck:
    """1 V through a resistor onto 1 nF, from 0 V."""
    netlist = f"v1 in 0 dc 1\nr1 in out {resistance_ohm!r}\nc1 out 0 1n ic=0"
    analysis = Transient(stop_s, max_step_s, max_step_s, use_initial_conditions=True)
    return Deck(title, netlist, "", analysis, ("v(out)", "i(v1)"))


def endless() -> Deck:
    """A transient of 10^9 steps."""
    return rc(stop_s=1.0, max_step_s=1e-9, title="endless")


def divider(analysis: OperatingPoint | DcSweep = STEP, node: str = "mid", title: str = "divider") -> Deck:
    """1 V (v1) over 1 kohm and 3 kohm; v2 (0 V) below the lower one."""
    netlist = f"v1 in 0 1\nv2 low 0 0\nr1 in {node} 1k\nr2 {node} low 3k"
    return Deck(title, netlist, "", analysis, (f"v({node})", "i(v1)"))


def random_divider(seed: int | None) -> Deck:
    """A divider whose upper resistor is drawn by ngspice."""
    netlist = ".param draw=agauss(0,1,1)\nv1 in 0 1\nr1 in mid {1k*(1+0.1*draw)}\nr2 mid 0 1k"
    return Deck(f"random {seed}", netlist, "", STEP, ("v(mid)",), seed=seed)


def diode() -> Deck:
    """A diode whose model is given at the nominal temperature, which the deck leaves to the settings."""
    return Deck("diode", "v1 a 0 0.6\nd1 a 0 dm\n.model dm d is=1e-14", "", STEP, ("i(v1)",))


def fets(count: int = 64) -> Deck:
    """BSIM4 transistors, which ngspice evaluates with OpenMP."""
    cards = [f"m{k} d g 0 0 n w=1u l=0.2u" for k in range(count)]
    netlist = "\n".join(["vd d 0 1", "vg g 0 1", *cards, ".model n nmos level=14 version=4.5"])
    return Deck("fets", netlist, "", DcSweep("vd", 0.0, 1.0, 0.05), ("i(vd)",))


def follower(bias_v: float = 0.6, reltol: float = 1e-6) -> Deck:
    """A transistor that discharges a capacitor from its operating point, at a tolerance tighter than that of the point itself."""
    netlist = (
        f"vg g 0 {bias_v!r}\nvd d 0 1\nr1 d out 100k\nm1 out g 0 0 n w=1u l=0.2u\nc1 out 0 10f\n"
        "i1 out 0 pulse(0 1u 1n 1n 1n 20n 100n)\n.model n nmos level=14 version=4.5"
    )
    return Deck(f"follower {bias_v}", netlist, "", Transient(50e-9, 1e-9, 1e-9), ("v(out)",), SolverOptions(reltol=reltol))


def floating() -> Deck:
    """A net that hangs on capacitors alone, as layout extraction leaves them."""
    netlist = "v1 a 0 1\nr1 a b 1k\nr2 b 0 1k\nc1 lost 0 1f\nc2 lost b 1f"
    return Deck("floating", netlist, "", STEP, ("v(b)",))


def broken() -> dict[str, tuple[Deck, Reason]]:
    """Decks that fail, and how."""
    good = "v1 a 0 1\nr1 a b 1k\nr2 b 0 1k"
    jump = "b1 b 0 i=time>2u ? (v(b)>0.5 ? 1e9 : -1e9) : 0\nc1 b 0 1p"
    netlists = {
        "unknown_subcircuit": ("v1 b 0 1\nx1 b 0 nosuch", Reason.UNKNOWN_SUBCIRCUIT),
        "endless_subcircuit": (".subckt s p\nx1 p s\n.ends\nv1 b 0 1\nx1 b s", Reason.UNKNOWN_SUBCIRCUIT),
        "too_many_pins": (".subckt s p q\nr1 p q 1k\n.ends\nv1 b 0 1\nx1 b 0 b s", Reason.LOAD),
        "open_subcircuit": (".subckt s p q\nr1 p q 1k\nv1 b 0 1\nx1 b 0 s", Reason.LOAD),
        "undefined_parameter": ("v1 b 0 1\nr1 b 0 {2*nosuch}", Reason.UNDEFINED_PARAMETER),
        "bad_expression": ("v1 b 0 1\nr1 b 0 {1+*2}", Reason.LOAD),
        "missing_include": (".include /nowhere/cell.spice\nv1 b 0 1", Reason.MISSING_INCLUDE),
        "missing_library": (".lib /nowhere/all.lib tt\nv1 b 0 1", Reason.MISSING_INCLUDE),
        "unknown_model": ("v1 b 0 1\nd1 b 0 nosuch", Reason.UNKNOWN_MODEL),
        "no_bin_fits": (
            "v1 b 0 1\nm1 b b 0 0 n w=1u l=1u\n.model n.1 nmos level=14 lmin=2u lmax=3u wmin=1u wmax=2u",
            Reason.UNKNOWN_MODEL,
        ),
        "foreign_device": (".subckt s p\nn1 p 0 m1\n.ends\nv1 b 0 1\nx1 b s", Reason.LOAD),
        "foreign_model": ("v1 b 0 1\nm1 b b 0 0 n w=1u l=1u\n.model n psp103va type=1", Reason.UNKNOWN_MODEL),
        "unknown_device_parameter": ("v1 b 0 1\nr1 b 0 1k nosuch=3", Reason.LOAD),
        "duplicate_device": (good + "\nr2 b 0 2k", Reason.LOAD),
        "unknown_card": (good + "\n.nosuch", Reason.LOAD),
        "bad_option": (good + "\n.options vntol=abc", Reason.LOAD),
        "loop_of_sources": ("v1 b 0 1\nv2 b 0 2\nr1 b 0 1k", Reason.SINGULAR_MATRIX),
        "no_solution": ("v1 a 0 1\nr1 a b 1\nb1 b 0 i=v(b)>0.5 ? 1e9 : -1e9", Reason.NO_CONVERGENCE),
        "overflows": ("v1 a 0 1\ne1 b 0 a 0 1e400", Reason.NOT_FINITE),
        "another_analysis": (good + "\n.tran 1n 10n", Reason.PARTIAL),
        "another_title": (good + "\n.title other", Reason.STALE),
        "quits": (good + "\n.control\nquit\n.endc", Reason.LOAD),
    }
    decks = {name: (Deck(name, netlist, "", STEP, ("v(b)",)), reason) for name, (netlist, reason) in netlists.items()}
    autostop = "v1 a 0 1\nr1 a b 1k\nc1 b 0 1p ic=0\n.options autostop\n.meas tran half when v(b)=0.5"
    stops_unnoticed = Deck("stops_unnoticed", autostop, "", Transient(1e-6, 1e-9, 1e-9, use_initial_conditions=True), ("v(b)",))
    stops_early = Deck("stops_early", f"v1 a 0 1\nr1 a b 1\n{jump}", "", Transient(5e-6, 1e-8, 1e-8), ("v(b)",))
    return decks | {
        "stops_unnoticed": (stops_unnoticed, Reason.PARTIAL),
        "stops_early": (stops_early, Reason.NO_CONVERGENCE),
        "missing_vector": (Deck("missing_vector", good, "", STEP, ("v(b)", "v(nosuch)")), Reason.MISSING_VECTOR),
        "only_missing_vectors": (Deck("only_missing_vectors", good, "", STEP, ("v(nosuch)",)), Reason.MISSING_VECTOR),
        "missing_sweep_source": (divider(DcSweep("vnosuch", 0.0, 1.0, 0.1)), Reason.LOAD),
    }


def everything(waveforms: Waveforms) -> dict[str, object]:
    row: dict[str, object] = {"axis": waveforms.axis, "pid": os.getpid()}
    return row | {name: waveforms[name] for name in waveforms.names}


def starting_point(waveforms: Waveforms) -> dict[str, object]:
    return dict(waveforms.start)


def last_value(waveforms: Waveforms, name: str) -> dict[str, float]:
    return {"value": waveforms[name][-1]}


def missing_name(waveforms: Waveforms) -> dict[str, object]:
    return {"value": waveforms["v(elsewhere)"]}


def fails(waveforms: Waveforms) -> dict[str, float]:
    raise ZeroDivisionError("of purpose")


def kills_worker(waveforms: Waveforms) -> dict[str, float]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def read_raw(path: Path) -> dict[str, np.ndarray]:
    """Vectors of a binary raw file of ngspice with real data, by name."""
    header, _, data = path.read_bytes().partition(b"Binary:\n")
    lines = header.decode().splitlines()
    names = [line.split()[1] for line in lines[lines.index("Variables:") + 1 :]]
    values = np.frombuffer(data, dtype="<f8").reshape(-1, len(names))
    return {name: values[:, column] for column, name in enumerate(names)}


def bulky(waveforms: Waveforms) -> dict[str, object]:
    """A row far larger than what a socket buffers."""
    return {"bulk": np.resize(waveforms.axis, 200_000)}
