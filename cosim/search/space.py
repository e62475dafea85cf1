"""What a search varies: fields of a design, and the values that each may take."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.design import Design
from cosim.design.sections import Varied
from cosim.design.writing import toml
from cosim.errors import InputError

Value = float | int | str | tuple[float, ...]
Values = dict[str, Value]

DRAWN_UM = 0.005
"""Grid that sizes are drawn on."""

DIGITS = 6
"""Significant digits of any other number."""

FILES = (("process", "library"), ("synapse", "file"), ("network", "folder"))
"""Fields that say where a file lies as seen from the design."""


@dataclass(frozen=True)
class Dimension:
    """A field of a design by its path and what it may be; `own` is what the design has there."""

    path: str
    varied: Varied
    own: Any

    @property
    def is_whole(self) -> bool:
        return isinstance(self.own, int)

    @property
    def own_value(self) -> Value | None:
        """The design's own value, if the search may take it."""
        if self.varied.choices:
            return next((one for one in self.varied.choices if _same(one, self.own)), None)
        numbers = set(self.own) if isinstance(self.own, tuple) else {self.own}
        inside = len(numbers) == 1 and self.low <= min(numbers) <= self.high
        return min(numbers) if inside else None

    @property
    def low(self) -> float:
        assert self.varied.low is not None
        return math.ceil(self.varied.low) if self.is_whole else self.varied.low

    @property
    def high(self) -> float:
        assert self.varied.high is not None
        return math.floor(self.varied.high) if self.is_whole else self.varied.high

    def at(self, share: float) -> Value:
        """The value at a share, 0 .. 1, of the range, on the grid that values have."""
        if self.varied.choices:
            return self.varied.choices[min(int(share * len(self.varied.choices)), len(self.varied.choices) - 1)]
        if self.varied.step:
            steps = int((self.high - self.low) / self.varied.step + 1e-9) + 1
            return self.on_grid(self.low + min(int(share * steps), steps - 1) * self.varied.step)
        if self.is_whole:
            return min(int(self.low + share * (self.high - self.low + 1)), int(self.high))
        if self.varied.log:
            return self.on_grid(self.low * (self.high / self.low) ** share)
        return self.on_grid(self.low + share * (self.high - self.low))

    def on_grid(self, value: float) -> float | int:
        """The value as it is written: a size on the grid that is drawn on, any other number to `DIGITS` digits."""
        if self.varied.step:
            value = self.low + round((value - self.low) / self.varied.step) * self.varied.step
        elif self.path.endswith("_um") or "_um." in self.path:
            value = round(round(value / DRAWN_UM) * DRAWN_UM, 6)
        written = min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)
        return int(written) if self.is_whole else written


def dimensions(design: Design) -> list[Dimension]:
    """Those of [search], or those about the design's own values. Raises `InputError` for a field that it does not have."""
    content = design.model_dump()
    given = design.search.vary or _about(design, content)
    found = [Dimension(path, varied, _get(content, path)) for path, varied in given.items()]
    for one in found:
        numbers = one.own if isinstance(one.own, tuple) else (one.own,)
        if not one.varied.choices and not all(isinstance(number, int | float) for number in numbers):
            raise InputError(f"search.vary: {one.path}: holds {one.own!r}, no number; give choices")
        if not one.varied.choices and one.low > one.high:
            raise InputError(f"search.vary: {one.path}: takes whole numbers, and none lies from low to high")
    return found


def _about(design: Design, content: Mapping[str, Any]) -> dict[str, Varied]:
    """About the design's own values: phase, capacitor, widths of the synapse, strongest biases, hidden neurons."""
    phase = design.timing.phase_s
    found = {"timing.phase_s": Varied(low=phase / 2, high=2 * phase, log=True)}
    plate = content["neuron"].get("membrane_capacitor_um")
    if plate is not None and plate[0] == plate[1]:
        found["neuron.membrane_capacitor_um"] = Varied(low=0.6 * plate[0], high=1.4 * plate[0])
    for device in ("nmos", "pmos"):
        if size := content["synapse"].get(device):
            width = size["width_um"]
            found[f"synapse.{device}.width_um"] = Varied(low=width / 2, high=2 * width, log=True)
        if bias := content["synapse"].get(f"{device}_bias_v"):
            reach = abs(bias[1] - bias[0]) / 4
            found[f"synapse.{device}_bias_v.1"] = Varied(low=bias[1] - reach, high=bias[1] + reach)
    if len(design.network.layers) > 1:
        hidden = design.network.layers[0]
        found["network.layers.0"] = Varied(low=max(hidden // 2, 1), high=2 * hidden)
    return found


def trial_design(raw: Mapping[str, Any], folder: Path, design: Design, values: Mapping[str, Value], name: str) -> str:
    """The design file of a trial.

    Args:
        raw: what the design file says, and `folder` where it lies.
        values: by path, what the trial sets.
    """
    own, content = design.model_dump(), copy.deepcopy(dict(raw))
    for path, value in values.items():
        section, field, *_ = path.split(".")
        _put(own, path.split("."), value)
        content.setdefault(section, {})[field] = own[section][field]
    for naming, key in _naming_files(content):
        naming[key] = str((folder / naming[key]).resolve())
    content.pop("search", None)
    if "datasheet" in content:
        content["datasheet"]["run"] = False
    content["mapping"] = {**content.get("mapping", {}), "conventional": False}
    return toml({**content, "name": name})


def named_files(raw: Mapping[str, Any], folder: Path) -> list[Path]:
    """The files that a design names, which lies in `folder`; not what is in a folder that it names."""
    return [file for section, field in _naming_files(raw) if (file := folder / section[field]).is_file()]


def _naming_files(content: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The sections of a design that say where a file lies, and their fields."""
    places = [(content.get(section), field) for section, field in FILES]
    for section, field in [*places, (content.get("network", {}).get("table"), "file")]:
        if isinstance(section, dict) and section.get(field):
            yield section, field


def _get(content: Any, path: str) -> Any:
    """What a design has at a path. Raises `InputError` where it has no such field."""
    place = content
    for part in path.split("."):
        try:
            place = place[int(part)] if isinstance(place, tuple | list) else place[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise InputError(f"search.vary: {path}: the design has no such field; see docs/design.md") from None
    if path.count(".") < 1 or isinstance(place, Mapping):
        raise InputError(f"search.vary: {path}: names no field, such as timing.phase_s")
    return place


def _put(content: Any, parts: Sequence[str], value: Value) -> None:
    """Set a field of a design in place: a number where there is a list is every entry of it."""
    first, *rest = parts
    key: Any = int(first) if isinstance(content, list) else first
    if isinstance(content[key], tuple):
        content[key] = list(content[key])
    if rest:
        _put(content[key], rest, value)
    elif isinstance(content[key], list) and not isinstance(value, tuple):
        content[key] = [value] * len(content[key])
    else:
        was_whole = isinstance(content[key], int)
        content[key] = int(value) if was_whole and isinstance(value, float) and value.is_integer() else value


def _same(one: Value, other: Any) -> bool:
    return tuple(one) == tuple(other) if isinstance(one, tuple) and isinstance(other, tuple) else one == other
