"""What a result was made with, as a reviewer wants it: code, simulator and its options, models, seeds, decks by their digests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reports.blocks import Block, Cell, Table
from reports.formatting import MISSING, number
from reports.run import Run

MOST_DECKS, MOST_OPTIONS = 2, 6
SHOWN_OPTIONS = ("reltol", "abstol", "vntol", "chgtol", "gmin", "method", "temp")
"""Of ngspice, a column each; what else a simulation was told stands in a column of its own."""


def made_with(run: Run) -> list[Block]:
    """Versions and seeds, the simulator's options as every stage set them, and the decks that come along."""
    return [Table(("made with", ""), _table(run), words=("made with", "")), *_options(run), *_decks(run)]


def _table(run: Run) -> list[list[str | Cell]]:
    ran, stages = run.provenance, run.stages
    rows = [
        ("command", ran.get("command")),
        ("code", _together(stages, "git_revision")),
        ("versions", _together(stages, "versions") or ran.get("cosim")),
        ("simulator", _simulator(run)),
        ("device models", _together(stages, "device_models") or ran.get("model_set")),
        ("their SHA-256", ran.get("model_library_sha256")),
        ("seeds", _flat(ran.get("seeds"))),
        ("simulations", _points(run)),
        ("result", f"metrics.json, SHA-256 {run.metrics_sha256}" if run.metrics_sha256 else None),
    ]
    return [[what, str(value)] for what, value in rows if value]


def _simulator(run: Run) -> str:
    version = _together(run.stages, "ngspice") or _flat(run.provenance.get("ngspice"))
    told = [line for line in run.simulator_setup.splitlines() if line and not line.startswith("*")]
    return f"ngspice {version}" + (f"; {'; '.join(told)}" if told else "") if version else ""


def _points(run: Run) -> str:
    known = ("points", "cached_points", "failed_points", "operating_point_fallbacks")
    values = [run.metric(f"simulation.{name}") for name in known]
    if values[0] is None:
        return ""
    points, stored, failed, fallbacks = map(number, values)
    return f"{points}, of which {stored} from the store; {failed} failed, {fallbacks} fell back to a pseudo-transient"


def _options(run: Run) -> list[Block]:
    """What every stage set the simulator to, once where stages share it, as its decks have it."""
    users: dict[str, list[str]] = {}
    for stage, record in run.stages.items():
        for cards in _listed(record.get("solver_options")):
            users.setdefault(str(cards), []).append(stage)
    found = [(stages, _parsed(cards)) for cards, stages in users.items()]
    if not found:
        return []
    names = [name for name in SHOWN_OPTIONS if any(name in options for _, options in found)]
    further = any(set(options) - set(SHOWN_OPTIONS) for _, options in found)
    rows = [
        [", ".join(stages), *(_option(options.get(name)) for name in names), *([_rest(options)] if further else [])]
        for stages, options in found[:MOST_OPTIONS]
    ]
    header = ("stages", *names, *(["others"] if further else []))
    caption = "Options of the simulator as the decks set them; what they do not name is ngspice's default."
    if len(found) > MOST_OPTIONS:
        caption += f" {len(found) - MOST_OPTIONS} more sets stand under Run times and provenance."
    return [Table(header, rows, caption, words=("stages", "others"))]


def _parsed(cards: str) -> dict[str, str]:
    """Options of a deck by their names; `.temp T` is one of them."""
    found = dict(re.findall(r"(\w+)=(\S+)", cards))
    flags = [word for line in re.findall(r"\.options?((?:\s+[^.\s]\S*)*)", cards) for word in line.split() if "=" not in word]
    temperature = re.search(r"\.temp\s+(\S+)", cards)
    return {**dict.fromkeys(flags, "on"), **found, **({"temp": temperature[1]} if temperature else {})}


def _option(text: str | None) -> str:
    try:
        return MISSING if text is None else f"{float(text):.4g}"
    except ValueError:
        return str(text)


def _rest(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {_option(value)}" for name, value in options.items() if name not in SHOWN_OPTIONS)


def _decks(run: Run) -> list[Block]:
    """All decks of each stage together, and those that come along, by which anyone repeats a sample."""
    names = sorted(run.decks)
    rows = [
        [f"all {record.get('points', MISSING)} of {stage}", str(record["decks_sha256"])]
        for stage, record in run.stages.items()
        if record.get("decks_sha256")
    ]
    rows += [[name, run.decks[name]] for name in names[:MOST_DECKS]]
    caption = (
        "Of many decks, the sum of their digests. Those in netlist/ repeat a sample with ngspice -b, beside their .spiceinit."
    )
    if len(names) > MOST_DECKS:
        caption += f" {len(names) - MOST_DECKS} more lie there."
    return [Table(("deck", "SHA-256"), rows, caption, words=("deck", "SHA-256"))] if rows else []


def _together(stages: Mapping[str, Mapping[str, Any]], key: str) -> str:
    """What the stages say, each thing once."""
    return "; ".join(dict.fromkeys(str(record[key]) for record in stages.values() if record.get(key)))


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_flat(one)}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
