"""Two runs side by side: metrics, hardware parameters, limits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cosim.errors import InputError
from cosim.runs.directory import RunDirectory
from training.files import DIGEST, content_digest, read_json


@dataclass(frozen=True)
class Change:
    """One number in both runs; None where a run does not have it."""

    name: str
    before: float | None
    after: float | None

    @property
    def relative(self) -> float | None:
        """Change as a fraction of the value before."""
        if self.before is None or self.after is None or self.before == 0:
            return None
        return self.after / self.before - 1.0

    def line(self) -> str:
        shown = ["-" if value is None else f"{value:.6g}" for value in (self.before, self.after)]
        relative = f"{self.relative:+.3%}" if self.relative is not None else ""
        return f"{self.name:<52} {shown[0]:>14} {shown[1]:>14} {relative:>10}".rstrip()


@dataclass(frozen=True)
class Comparison:
    """What differs. `regressions` are limits that the first run passes and the second fails."""

    metrics: list[Change]
    hardware: list[Change]
    regressions: list[str]
    repairs: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        text = []
        for title, changes in (("metrics", self.metrics), ("hardware", self.hardware)):
            text += [f"{title}: {len(changes)} differ", *(f"  {change.line()}" for change in changes)]
        text += [f"limit now fails: {name}" for name in self.regressions]
        return text + [f"limit now passes: {name}" for name in self.repairs]


def compare(run_a: Path, run_b: Path) -> Comparison:
    """Compare two run directories. Raises `InputError` where one holds no metrics, or names them otherwise than this cosim."""
    for run in (run_a, run_b):
        directory = RunDirectory(run)
        directory.check_layout()
        for name in ("metrics.json", "limits.json"):
            directory.check_sealed(name)
    before, after = (_passed(run / "limits.json") for run in (run_a, run_b))
    shared = before.keys() & after.keys()
    return Comparison(
        metrics=_changes(_read(run_a / "metrics.json"), _read(run_b / "metrics.json")),
        hardware=_changes(*(dict(_numbers(_hardware(run / "hardware.json"))) for run in (run_a, run_b))),
        regressions=sorted(name for name in shared if before[name] and not after[name]),
        repairs=sorted(name for name in shared if after[name] and not before[name]),
    )


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    names = [*before, *(name for name in after if name not in before)]
    changes = [Change(name, before.get(name), after.get(name)) for name in names]
    return [change for change in changes if change.before != change.after]


def _numbers(record: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a hardware model by its dotted name; a curve gives its points."""
    if isinstance(record, bool):
        return
    if isinstance(record, int | float):
        yield name, float(record)
    children = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, value in children:
        yield from _numbers(value, f"{name}.{key}" if name else str(key))


def _passed(path: Path) -> dict[str, bool]:
    """Whether each limit was passed; empty where a run has none."""
    if not os.path.lexists(path):
        return {}
    try:
        return {str(verdict["name"]): bool(verdict["passed"]) for verdict in _parse(path)}
    except (TypeError, KeyError) as error:
        raise InputError(f"{path}: holds no list of limits; run the command that made it again") from error


def _read(path: Path) -> dict[str, Any]:
    content = _parse(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no named values; run the command that made it again")
    return content


def _hardware(path: Path) -> dict[str, Any]:
    content = _read(path)
    digest = content.pop(DIGEST, None)
    if digest is not None and digest != content_digest(content):
        raise InputError(f"{path}: {DIGEST}: the content is not what it was when the file was written")
    return content


def _parse(path: Path) -> Any:
    try:
        return read_json(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; give a run directory, e.g. runs/iris_5_5_5") from error
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}") from error
