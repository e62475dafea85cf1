"""A hardware model with one thing wrong in it: refused, or proven harmless because every number that a network is built on stays.

What slips in a file that people pass around: a unit (with or without its values), a sign, a prefix, a key that is missing or
misspelt, one digit of a curve.
"""

from __future__ import annotations

import copy
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figure import Figure
from training.files import DIGEST
from training.hardware import FloatArray, HardwareModel, HardwareModelError, normalise

PACKAGES = ("PySpice", "sky130")

SEED, COUNT = 13, 200
PREFIXES = {"m": 1e3, "u": 1e6, "n": 1e9, "k": 1e-3}
FACTORS = (1e-6, 1e-3, 1e3, 1e6)
WEIGHTS = 33
"""Weights of either sign whose codes are compared."""

Where = tuple[str | int, ...]


@dataclass(frozen=True)
class Mutation:
    """A changed file, and what was changed in it."""

    what: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Accepted:
    """A mutation that was read without a word; harmless where every number of a network is what it was."""

    what: str
    harmless: bool


def figures(quick: bool) -> Iterator[Figure]:
    """How many were tried, and how many changed a number unseen."""
    count = 40 if quick else COUNT
    yield Figure(
        "truth.hardware_mutations", count, "", "", "units, signs, magnitudes, missing and unknown keys of a hardware.json"
    )
    silent = [one.what for one in accepted(mutations(count)) if not one.harmless]
    yield Figure("truth.hardware_mutations_accepted", len(silent), "", "0", "read, and not harmless: " + _listed(silent))
    silent = [one.what for one in accepted(mutations(count, by_hand=True)) if not one.harmless]
    yield Figure(
        "truth.hardware_mutations_by_hand_accepted", len(silent), "", "",
        "the same in files without a digest, which units and physics alone hold: " + _listed(silent),
    )  # fmt: skip


def _listed(silent: list[str]) -> str:
    return "; ".join(silent) or "none"


def accepted(tried: list[Mutation]) -> list[Accepted]:
    """Those of the mutations that `HardwareModel.load` takes."""
    taken = []
    before = network_numbers(HardwareModel.reference())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hardware.json"
        for mutation in tried:
            file.write_text(json.dumps(mutation.content))
            try:
                model = HardwareModel.load(file)
            except HardwareModelError:
                continue
            after = network_numbers(model)
            taken.append(Accepted(mutation.what, len(before) == len(after) and bool(np.array_equal(before, after))))
    return taken


def network_numbers(model: HardwareModel) -> FloatArray:
    """Everything that a training, a mapping or a validation takes from a model, in one row."""
    parts: list[Any] = [model.phase_s, model.unit_current_a, model.neuron.discharger_bias.value, model.neuron.input_delay.value]
    normalised = normalise(model)
    parts += [part for synapse in (normalised.plus, normalised.minus) for part in astuple(synapse)]
    parts += [part for part in astuple(normalised)[2:] if part is not None]  # the reference has no places
    for synapse in (model.plus, model.minus):
        parts += [synapse.code(np.geomspace(*synapse.current_range_a, WEIGHTS)), synapse.code_step]
    parts.append(model.neuron.membrane(np.linspace(model.neuron.membrane.x[0], model.neuron.membrane.x[-1], WEIGHTS)))
    return np.concatenate([np.atleast_1d(np.asarray(part, dtype=float)) for part in parts])


def mutations(count: int, seed: int = SEED, *, by_hand: bool = False) -> list[Mutation]:
    """So many, drawn evenly over the kinds, and within a kind over the places.

    Of a file as `HardwareModel.save` writes it; `by_hand`: of one without its digest.
    """
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hardware.json"
        HardwareModel.reference().save(file)
        content = json.loads(file.read_text())
    if by_hand:
        del content[DIGEST]
    kinds: list[tuple[str, list[Where], Callable[[dict[str, Any], Where, random.Random], str]]] = [
        ("unit", list(_places(content, _is_unit)), _another_unit),
        ("sign", list(_places(content, _is_measured)), _another_sign),
        ("magnitude", list(_places(content, _is_measured)), _another_magnitude),
        ("missing", list(_places(content, lambda where, value: True)), _without),
        ("extra", list(_places(content, lambda where, value: isinstance(value, dict))), _with_another_key),
    ]
    made = []
    for number in range(count):
        kind, places, change = kinds[number % len(kinds)]
        where, changed = draw.choice(places), copy.deepcopy(content)
        how = change(changed, where, draw)
        made.append(Mutation(f"{kind}: {'.'.join(map(str, where))}: {how}", changed))
    return made


def _places(content: Any, wanted: Callable[[Where, Any], bool], above: Where = ()) -> Iterator[Where]:
    """Paths of the values, whole curves included, that a mutation can be at."""
    for key, value in content.items():
        where = (*above, key)
        if wanted(where, value):
            yield where
        if isinstance(value, dict):
            yield from _places(value, wanted, where)


def _is_unit(where: Where, value: Any) -> bool:
    return str(where[-1]) in ("unit", "x_unit", "y_unit", "code_unit")


def _is_measured(where: Where, value: Any) -> bool:
    """A number but zero, or the numbers of a curve; not how well it was measured, nor which version this is."""
    numbers = isinstance(value, float | list | int) and not isinstance(value, bool) and bool(value)
    return numbers and where[-1] not in ("standard_error", "residual", "schema_version")


def _another_unit(content: dict[str, Any], where: Where, draw: random.Random) -> str:
    holder, key = _holder(content, where), str(where[-1])
    before = holder[key]
    if draw.random() < 0.3:
        holder[key] = "bananas"
        return "bananas"
    prefix = draw.choice(list(PREFIXES))
    holder[key] = prefix + before
    values = {"unit": "value", "x_unit": "x", "y_unit": "y"}.get(key, "")
    if not values or draw.random() < 0.5:
        return f"{holder[key]}, the values as they were"
    holder[values] = _times(holder[values], PREFIXES[prefix])
    return f"{holder[key]}, the values too"


def _another_sign(content: dict[str, Any], where: Where, draw: random.Random) -> str:
    holder, key = _holder(content, where), where[-1]
    holder[key] = _times(holder[key], -1)
    return "the other sign"


def _another_magnitude(content: dict[str, Any], where: Where, draw: random.Random) -> str:
    holder, key, factor = _holder(content, where), where[-1], draw.choice(FACTORS)
    if isinstance(holder[key], list) and draw.random() < 0.3:
        point = draw.randrange(len(holder[key]))
        holder[key][point] *= factor
        return f"point {point} times {factor:g}"
    holder[key] = _times(holder[key], factor)
    return f"times {factor:g}"


def _without(content: dict[str, Any], where: Where, draw: random.Random) -> str:
    del _holder(content, where)[where[-1]]
    return "gone"


def _with_another_key(content: dict[str, Any], where: Where, draw: random.Random) -> str:
    place = _holder(content, (*where, ""))
    name = draw.choice(list(place))
    place[f"{name}_"] = place[name]
    return f"{name}_ beside {name}"


def _holder(content: dict[str, Any], where: Where) -> Any:
    place: Any = content
    for key in where[:-1]:
        place = place[key]
    return place


def _times(value: Any, factor: float) -> Any:
    return [one * factor for one in value] if isinstance(value, list) else value * factor
