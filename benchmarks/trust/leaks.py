"""What an option or a card of one deck leaves behind for the next on the same worker: nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from benchmarks.fast_plain import HSPICE
from benchmarks.figure import Figure
from cosim.simulator import Deck, OperatingPoint, Point, Waveforms, simulate

LEAKS = {
    "scale": ".option scale=1u", "parser": ".options parser scale=1u", "temp": ".option temp=90", "tnom": ".option tnom=60",
    "gmin": ".option gmin=1e-6", "reltol": ".option reltol=0.1", "cshunt": ".option cshunt=1p", "rseries": ".option rseries=1k",
    "rshunt": ".option rshunt=1k", "defw": ".option defw=5u defl=3u", "seed": ".option seed=9",
    "savecurrents": ".option savecurrents", "badmos3": ".option badmos3", "nopage": ".option nopage noacct",
    "width": ".option width=40", "numdgt": ".option numdgt=3",
    "global": ".global a", "param": ".param r=9", "func": ".func f(x) {x*3}", "nodeset": ".nodeset v(a)=3", "ic": ".ic v(b)=2",
    "model": ".model nm nmos level=1 vto=0.1", "csparam": ".csparam r=3", "probe": ".probe i(v1)",
}  # fmt: skip
VICTIM = "\n".join([
    "v1 a 0 1", "vb b 0 2", "r1 a c 1k tc1=1e-3", "d1 c 0 dm", "m1 c b 0 0 nm w=10 l=2", "r2 c 0 5k",
    ".model dm d is=1e-14", ".model nm nmos level=1 vto=0.4 kp=20u",
])  # fmt: skip


def figures(quick: bool) -> Iterator[Figure]:
    """Each option and card before a deck that has none of it, on both paths and in both dialects; in one of them if `quick`."""
    leaking: list[str] = []
    for setup in (HSPICE,) if quick else ((), HSPICE):
        victims = [
            Deck("victim", VICTIM, "", OperatingPoint(), ("i(v1)", "v(c)"), setup=setup, plain=plain) for plain in (False, True)
        ]
        alone = [simulate([Point({}, victim, Waveforms.last)], jobs=1)[0].row for victim in victims]
        order = [deck for card in LEAKS.values() for victim in victims for deck in (before(victim, card), victim)]
        found = [outcome.row for outcome in simulate([Point({}, deck, Waveforms.last) for deck in order], jobs=1)][1::2]
        leaking += [list(LEAKS)[k // 2] for k, row in enumerate(found) if row is None or row != alone[k % 2]]
    yield Figure("trust.leaks", len(leaking), "", "0", f"of {len(LEAKS)} options and cards; {', '.join(leaking) or 'none'}")


def before(victim: Deck, card: str) -> Deck:
    """The deck with a card that the victim has not; a model takes the place of its own."""
    without = VICTIM.replace(".model nm", ".model nx") if card.startswith(".model nm") else VICTIM
    return dataclasses.replace(victim, netlist=f"{without}\n{card}")
