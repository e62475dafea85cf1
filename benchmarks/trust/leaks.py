"""What an option or a card of one deck leaves behind for the next on the same worker, and what that leaves for it: nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from benchmarks.fast_plain import HSPICE
from benchmarks.figure import Figure
from benchmarks.probes import fingerprint
from cosim.simulator import Deck, OperatingPoint, Outcome, Point, Row, SolverOptions, Transient, WorkerPool, stream
from cosim.simulator.deck import Analysis

OPTIONS = (
    "scale=1u", "parser scale=1u", "scalm=2", "temp=90", "tnom=60", "gmin=1e-6", "gshunt=1e-6", "reltol=0.1", "abstol=1e-6",
    "vntol=1e-2", "chgtol=1e-9", "trtol=1", "pivtol=1e-3", "pivrel=0.9", "itl1=20", "itl2=7", "itl3=3", "itl4=6", "itl5=500",
    "itl6=5", "srcsteps=3", "gminsteps=2", "gminfactor=3", "noopiter", "method=gear maxord=6", "maxord=1", "xmu=0.3",
    "bypass=1", "cshunt=1p", "rshunt=1k", "rseries=1k", "defw=5u defl=3u", "defad=1n defas=1n", "defm=3", "oldlimit",
    "badmos3", "minbreak=5n", "trytocompact", "keepopinfo", "copynodesets", "nodedamping", "absdv=0.01", "reldv=0.1", "noopac",
    "epsmin=1e-3", "ramptime=50n", "convlimit", "convstep=0.01", "convabsstep=0.01", "autopartial", "noopalter",
    "maxopalter=1", "maxevtiter=1", "indverbosity=0", "interp", "autostop", "savecurrents", "seed=9", "numdgt=3", "nopage noacct",
    "acct list node opts nomod", "width=40", "lvlcod=1 lvltim=1", "limpts=10", "cptime=1 limtim=1", "post=2 probe", "noinit",
    "parhier=local", "wnflag=1", "warn=1 maxwarns=2", "ngbehavior=ps", "num_threads=4", "nosuch=1",
)  # fmt: skip
"""ngspice 39's options, those that it takes and ignores, and what is a variable of its command language elsewhere."""
CARDS = (
    ".param rp=9k", ".param late=3", ".csparam rp=3", ".func sqrt(x) {x*3}", ".func f(x) {x*3}", ".global c", ".global a b",
    ".nodeset v(c)=0.9", ".ic v(c)=0.9", ".temp 90", ".model nm nmos level=1 vto=0.1", ".model dm d is=1e-9", ".model other nmos",
    ".subckt cell p q\nr1 p q 100\n.ends", ".subckt other p q\nr1 p q 1\n.ends\nxo c 0 other", ".probe i(v1)", ".save all",
    ".save v(e)", ".print tran v(e)", ".plot tran v(e)", ".four 1meg v(c)", ".meas tran late param='1+1'", ".width out=132",
    ".if (1)\nr9 c 0 1k\n.else\nr9 c 0 2k\n.endif", "r9 c 0 1k", "b9 c 0 i=v(c)*1u", ".control\nset temp=90\n.endc",
    ".title other", ".end", ".ac dec 1 1 10", "k1 l1 l2 0.9\nl2 c f 1n\nr8 f 0 1k",
)  # fmt: skip
LEAKS = (*(f".option {option}" for option in OPTIONS), *CARDS)
VICTIM = """\
.param rp={sqrt(1meg)}
v1 a 0 dc 1 pulse(0 1 1n 2n 2n 20n 60n)
vb b 0 2
r1 a c {rp} tc1=1e-3
d1 c 0 dm
m1 c b 0 0 nm w=10 l=2
r2 c 0 5k
c1 c 0 1p
l1 c e 10n
r3 e 0 2k
x1 c 0 cell
.model dm d is=1e-14 cjo=1p
.model nm nmos level=1 vto=0.4 kp=20u cgso=1n
.subckt cell p q
r1 p q 20k
.ends"""
ANALYSES: tuple[Analysis, ...] = (OperatingPoint(), Transient(100e-9, 1e-9, 5e-9))
SAVED = ("i(v1)", "v(c)", "v(e)")
SOLVED = SolverOptions(reltol=1e-4, chgtol=1e-16)


def figures(quick: bool) -> Iterator[Figure]:
    """Each of them before and after decks that have none of it; on one path and in one dialect if `quick`."""
    leaking, taken = dict[str, None](), 0
    for victim in victims((HSPICE,) if quick else ((), HSPICE), (False,) if quick else (False, True)):
        found = leaks(victim)
        leaking |= dict.fromkeys(found.leaking)
        taken = max(taken, found.taken)
    yield Figure(
        "trust.leaks", len(leaking), "", "0",
        f"of {len(LEAKS)} options and cards, {taken} of which ngspice takes, each before and after a deck without it, at the "
        f"operating point and in a transient, on both paths, in both dialects, to the last bit; {', '.join(leaking) or 'none'}",
    )  # fmt: skip


def victims(setups: Sequence[tuple[str, ...]], paths: Sequence[bool]) -> list[Deck]:
    """The deck that has none of it, in every way in which it is simulated."""
    return [
        Deck("victim", VICTIM, "", analysis, SAVED, SOLVED, setup=setup, plain=plain)
        for setup in setups
        for plain in paths
        for analysis in ANALYSES
    ]


@dataclasses.dataclass(frozen=True)
class Found:
    """What leaks, and how many of the options and cards ngspice simulates with at all."""

    leaking: list[str]
    taken: int


def leaks(victim: Deck, cards: Sequence[str] = LEAKS) -> Found:
    """The options and cards after which the victim is another, or that are themselves others after it."""
    own = [with_card(victim, card) for card in cards]
    alone = simulated([victim, *own], recycle_after=1)
    in_turn = simulated([victim, *(deck for one in own for deck in (one, victim))], recycle_after=10_000)
    leaking = [
        card
        for number, card in enumerate(cards)
        if in_turn[1 + 2 * number] != alone[1 + number] or in_turn[2 + 2 * number] != alone[0]
    ]
    return Found(leaking, sum(row is not None for row in alone[1:]))


def simulated(decks: Sequence[Deck], recycle_after: int) -> list[Row | None]:
    """The rows of decks one after the other, on workers that serve so many."""
    with WorkerPool(jobs=1 if recycle_after > 1 else 2, timeout_s=20.0, recycle_after=recycle_after) as pool:
        outcomes: dict[int, Outcome] = {}
        for outcome in stream([Point({}, deck, fingerprint) for deck in decks], None, pool):
            outcomes[outcome.index] = outcome
    return [outcomes[number].row for number in range(len(decks))]


def with_card(victim: Deck, card: str) -> Deck:
    """The deck with a card that the victim has not; what is defined by it takes the place of what the victim defines."""
    defined = card.split(maxsplit=2)[:2]
    lines = victim.netlist.splitlines()
    kept = [line for line in lines if line.split(maxsplit=2)[:2] != defined]
    if defined[0] == ".subckt" and len(kept) < len(lines):
        kept = victim.netlist.partition("\n.subckt")[0].splitlines()
    return dataclasses.replace(victim, netlist="\n".join([*kept, card]))
