"""Decks as users have them, changed at random, three ways: the fast path, the plain path, `ngspice -b` on the deck as a file.

Wrong is a number that differs from that of `ngspice -b`, and a number where it refuses the deck (`benchmarks.ngspice_batch` says
what that is). A deck that `ngspice -b` takes and the product refuses is told, and is not wrong: one line is no false number.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks import ngspice_batch
from benchmarks.deck_mutations import mutated
from benchmarks.fast_plain import ABSOLUTE, HSPICE, OPTIONS, RELATIVE, generated
from benchmarks.figure import Figure
from benchmarks.ngspice_batch import Numbers
from benchmarks.truth.cases import cases, points_of_cell
from cosim.bench.bench import Bench
from cosim.characterize.catalogue import MEASUREMENTS
from cosim.design import load_design
from cosim.errors import CosimError, InputRemark
from cosim.simulator import Deck, OperatingPoint, Point, Pool, Row, Waveforms, WorkerPool, stream
from cosim.simulator.deck import flat_deck
from netlists.errors import NetlistError, PdkNotFound

DECKS = 4000
TIMEOUT_S = 10.0
ROOT = Path(__file__).parents[2]
DESIGNS = ("iris_5_5_5", "iris_5_5_5_gf180", "iris_5_5_5_resistive")
WRITTEN = (
    # a cell with a header, parameters of the top level and a multiplier
    """\
.param vdd=1.8 wn=2u ln='1u'
.subckt inv a y vdd vss wn=1u wp={2*wn} l=1u
MP y a vdd vdd pm W=wp L=l m=2
MN y a vss vss nm W={wn} L=l
.ends inv
.model nm nmos (level=1 vto=0.5 kp=120u lambda=0.05)
.model pm pmos level=1 vto=-0.5 kp='40u*1.0' lambda=0.05
vin in 0 {vdd/2-0.05}
vsup sup 0 vdd
X1 in n1 sup 0 inv wn=wn l=ln
X2 n1 n2 sup 0 inv wn='wn*1.5'
rl n2 0 1meg""",
    # three levels, parameters handed on, a sub-circuit inside another
    """\
.param r0=1k ratio=2
.subckt top_s a b r=1k
.param half='r/2'
.subckt leaf_s p q rr=5k
R1 p q rr
.ends
X1 a k leaf_s rr={half}
X2 k b leaf_s rr='half*ratio'
.ends
vin in 0 5
X1 in n1 top_s r=r0
X2 n1 n2 top_s r={r0*ratio}
R2 n2 0 2.2K""",
    # models in a sub-circuit, diodes and a bipolar
    """\
.subckt clamp a k is=1e-14
.model dd d is={is} n=1.05 rs=2
D1 a k dd
.ends
.model q1 npn is=1e-15 bf=100 vaf=50
vin in 0 dc 3
r1 in n1 10k
X1 n1 0 clamp
X2 n1 n2 clamp is=2e-14
Q1 in n1 n2 q1
re n2 0 1k""",
    # sources that follow others
    """\
.param gain=10 off=0.1
vin in 0 0.5
E1 e 0 in 0 {gain}
r1 e n1 1k
G1 n1 0 in 0 1m
vs n1 s 0
r2 s n2 500
F1 n2 0 vs 0.5
H1 h 0 vs 100
r3 h n2 1k
B1 b 0 v='tanh(v(in)*gain)+off'
r4 b n2 2k
r5 n2 0 1k tc1=1e-3 tc2=1e-6""",
    # bins
    """\
.model nb.1 nmos level=1 lmin=0.5u lmax=2u wmin=0.5u wmax=5u vto=0.4 kp=100u
.model nb.2 nmos level=1 lmin=2u lmax=20u wmin=0.5u wmax=50u vto=0.5 kp=90u
.param w1=3u
.subckt cell d g s w=1u l=1u
m1 d g s 0 nb w=w l=l ad={w*1u} as='w*1u' pd={2*w+2u}
.ends
vin in 0 1.5
vg g 0 1.1
r1 in n1 5k
X1 n1 g n2 cell w=w1
X2 n1 g n2 cell w={w1} l=5u m=3
r2 n2 0 100""",
    # what depends on temperature
    """\
.temp 50
.param rt='1k*(1+1e-3*(temper-27))'
vin in 0 2
r1 in n1 {rt}
d1 n1 0 dt
.model dt d is=1e-14
r2 n1 n2 1k tc1=2e-3
r3 n2 0 'rt*2'""",
    # functions, conditions
    """\
.param corner=1
.func par(a,b) {a*b/(a+b)}
.if (corner==1)
.param rx=1k
.else
.param rx=2k
.endif
vin in 0 1
r1 in n1 {par(rx,2k)}
r2 n1 n2 'par(1k,1k)*2'
r3 n2 0 1k""",
    # bsim4, as a foundry's deck scales sizes
    """\
.option scale=1u
.model n4 nmos level=14 version=4.5 toxe=4n vth0=0.45 u0=0.03 voff=-0.1
.model p4 pmos level=14 version=4.5 toxe=4n vth0=-0.45 u0=0.01
.subckt dev d g s b params: w=1 l=0.25 nf=1 mult=1
m0 d g s b n4 w='w/nf' l=l ad='w*0.29' as='w*0.29' pd='2*(w+0.29)' ps='2*(w+0.29)' m='mult*nf'
.ends
vin in 0 1.8
vg g 0 0.7
r1 in n1 100k
X1 n1 g n2 0 dev w=2 l=0.5
X2 n1 g n2 0 dev w=2 l=0.5 nf=2 m=2
m9 n1 g in in p4 w=1 l=1
r2 n2 0 1k""",
    # what circuits have beside: inductors, switches, currents, a subcircuit with a global node
    """\
.global vcc
.subckt bias out
i1 vcc out dc 10u
r1 out 0 50k
.ends
vcc vcc 0 3
vin in 0 pulse(1 2 0 1n 1n 1u 2u)
l1 in n1 1u
l2 n2 n3 1u
k1 l1 l2 0.5
r1 n1 n2 1k
c1 n1 0 1p ic=0.2
s1 n2 0 in 0 sw1 on
.model sw1 sw vt=0.5 ron=1k roff=1meg
r3 n3 0 10
X1 n2 bias
r9 n2 n1 r=2k""",
)
"""Small circuits with what netlists of people hold; each is asked for `SAVED`."""
SAVED = ("v(n1)", "v(n2)", "i(vin)")


class Origin(NamedTuple):
    """A deck to be changed, and how often it is taken."""

    deck: Deck
    weight: float


class Judged(NamedTuple):
    """A changed deck; the numbers of the fast and of the plain path; those of `ngspice -b`, or its refusal."""

    deck: Deck
    fast: Row | None
    plain: Row | None
    batch: Numbers | str
    flat: bool

    @property
    def fault(self) -> str:
        """What is wrong; empty if nothing is."""
        for path, row in (("fast", self.fast), ("plain", self.plain)):
            if row is None:
                continue
            if isinstance(self.batch, str):
                return f"the {path} path takes what ngspice -b refuses ({self.batch})"
            far = [name for name, right in self.batch.items() if _differ(float(row[name]), right)]
            if far:
                return f"{far[0]} is {row[far[0]]!r} on the {path} path, {self.batch[far[0]]!r} by ngspice -b"
        return ""


def _differ(found: float, right: float) -> bool:
    """A number is rounded once more or less on the way into the same solver: 1e-15, and what a circuit makes of it."""
    return abs(found - right) > ABSOLUTE + RELATIVE * abs(right)


def judged(decks: Iterable[Deck], pool: Pool) -> Iterator[Judged]:
    """Each deck three ways."""
    read = [(deck, flat_deck(deck.base) is not None) for deck in decks]
    with ThreadPoolExecutor(2) as threads:
        batch = threads.map(ngspice_batch.operating_point, [deck for deck, _ in read], itertools.repeat(TIMEOUT_S))
        # What is not flat is read by ngspice on either path.
        points = [
            Point({"deck": number}, dataclasses.replace(deck, plain=plain), Waveforms.last)
            for number, (deck, flat) in enumerate(read)
            for plain in ((False, True) if flat else (True,))
        ]
        rows = {(one.point.condition["deck"], one.point.deck.plain): one.row for one in stream(points, None, pool)}
        for number, ((deck, flat), said) in enumerate(zip(read, batch, strict=True)):
            plain = rows[number, True]
            yield Judged(deck, rows[number, False] if flat else plain, plain, said, flat)


def changed(number: int, origins: list[Origin]) -> Deck:
    """The deck of a number: every time the same."""
    random = Random(number)
    if random.random() < 0.4:
        origin = generated(random)
    else:
        (origin,) = random.choices([one.deck for one in origins], [one.weight for one in origins])
    return dataclasses.replace(mutated(origin, random), title=f"mutated {number}")


def written() -> list[Origin]:
    """The decks of this module, in both dialects."""
    return [
        Origin(Deck("written", netlist, "", OperatingPoint(), SAVED, OPTIONS, setup=setup), 0.5)
        for netlist in WRITTEN
        for setup in ((), HSPICE)
    ]


def of_the_project() -> Iterator[Origin]:
    """Synapses with the models of their process, and the cells that users have sent; of the processes that are installed."""
    for name in DESIGNS:
        design = load_design(ROOT / f"designs/{name}.toml")
        with contextlib.suppress(PdkNotFound):
            bench = Bench(design, design.process.pdk(), None)
            for measurement in ("synapse_current", "leakage"):
                point = list(MEASUREMENTS[measurement].points(bench))[-1]
                yield Origin(_at_rest(point.deck), 0.6)
    for case in cases():
        if case.simulates and "refused" not in case.expected:
            with warnings.catch_warnings(), contextlib.suppress(CosimError, NetlistError):
                warnings.simplefilter("ignore", InputRemark)
                yield Origin(_at_rest(points_of_cell(case)[0].deck), 0.15)


def _at_rest(deck: Deck) -> Deck:
    """The operating point of a deck, at options at which it is exact."""
    return dataclasses.replace(deck, analysis=OperatingPoint(), options=OPTIONS)


def figures(quick: bool) -> Iterator[Figure]:
    """4000 changed decks; a twentieth of them if `quick`."""
    origins = [*written(), *of_the_project()]
    decks = (changed(number, origins) for number in range(DECKS // (20 if quick else 1)))
    with WorkerPool(jobs=2, timeout_s=TIMEOUT_S) as pool:
        found = list(judged(decks, pool))
    wrong = [one for one in found if one.fault]
    yield Figure("trust.mutated_decks", len(found), "", str(DECKS), _counts(found))
    yield Figure(
        "trust.mutated_wrong", len(wrong), "", "0",
        "; ".join(f"{one.deck.title}: {one.fault}" for one in wrong)[:400] or "another number, or one where ngspice -b has none",
    )  # fmt: skip


def _counts(found: list[Judged]) -> str:
    solved = [one for one in found if not isinstance(one.batch, str)]
    fast = sum(one.flat and one.fast is not None for one in solved)
    plain = sum(one.plain is not None for one in solved)
    left = sum(one.fast is None for one in solved)
    return (
        f"{ngspice_batch.version()} -b gives numbers for {len(solved)}, refuses {len(found) - len(solved)}; of the solved "
        f"{fast} on the fast path, {plain} on the plain path, {left} refused here"
    )
