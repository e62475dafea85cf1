"""A datasheet and the limits of a run in one page of Markdown, for a CI job: what holds, by how much, and what has moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from reports import files
from reports.errors import ReportError
from reports.formatting import engineering, metric
from reports.sheet import Sheet, read_sheet

MOST_MOVED = 15
"""Rows of what moved; the rest is counted."""

_LEFT_OUT = ("time.", "simulation.", "datasheet.")
"""Metrics that another machine or a second run changes, and those that the datasheet has."""


@dataclass(frozen=True)
class Limit:
    """A limit as judged, its numbers as people read them. `was`: whether it passed before, None where it was not judged."""

    name: str
    value: str
    low: str
    high: str
    at: str
    passed: bool
    was: bool | None = None

    @property
    def verdict(self) -> str:
        word = "pass" if self.passed else "**FAIL**"
        return word if self.was in (None, self.passed) else f"{word} (was {'pass' if self.was else 'fail'})"


@dataclass(frozen=True)
class Moved:
    """A number that is not what it was; `relative` is the change as a fraction of its size before, None where that was zero."""

    name: str
    before: str
    after: str
    relative: float | None

    @property
    def change(self) -> str:
        return "from zero" if self.relative is None else f"{100 * self.relative:+.3g} %"


@dataclass(frozen=True)
class Summary:
    """What a job's page says. `before` is the name of the run it is compared with, empty where there is none."""

    title: str
    limits: Sequence[Limit]
    parameters: Sequence[tuple[str, ...]]
    """Rows of the datasheet: mode, parameter, least, typical, largest, where it is farthest from typical."""
    before: str = ""
    moved: Sequence[Moved] = field(default=())

    @property
    def failed(self) -> list[str]:
        """Names of the limits that are not met."""
        return [limit.name for limit in self.limits if not limit.passed]

    def as_dict(self) -> dict[str, Any]:
        keys = ("mode", "parameter", "min", "typ", "max", "worst_at")
        return {
            "title": self.title,
            "limits": [vars(limit) for limit in self.limits],
            "parameters": [dict(zip(keys, row, strict=True)) for row in self.parameters],
            "before": self.before,
            "moved": [vars(one) for one in self.moved],
        }

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        width = max((len(limit.name) for limit in self.limits), default=0)
        for limit in self.limits:
            word, place = "ok    " if limit.passed else "FAILED", f"  at {limit.at}" if limit.at else ""
            yield f"{word}  {limit.name:{width}}  {limit.value} ({limit.low} .. {limit.high}){place}"
        yield from (f"moved  {one.name}: {one.before} -> {one.after} ({one.change})" for one in self.moved)
        yield f"limits passed {len(self.limits) - len(self.failed)} of {len(self.limits)}"

    def markdown(self) -> str:
        """GitHub's and GitLab's Markdown."""
        return "\n".join(self._blocks()) + "\n"

    def _blocks(self) -> Iterator[str]:
        passed = len(self.limits) - len(self.failed)
        yield f"## {_cell(self.title)}: " + (f"{passed} of {len(self.limits)} limits passed" if self.limits else "no limits")
        if self.limits:
            rows = ([one.name, one.value, one.low, one.high, one.at, one.verdict] for one in self.limits)
            yield from _table(("limit", "value", "min", "max", "worst at", ""), rows)
        if self.before:
            yield from self._what_moved()
        if self.parameters:
            yield f"\n<details><summary>Datasheet: {len(self.parameters)} parameters</summary>\n"
            yield from _table(("mode", "parameter", "min", "typ", "max", "farthest at"), self.parameters)
            yield "\n</details>"

    def _what_moved(self) -> Iterator[str]:
        if not self.moved:
            yield f"\nNothing moved against {_cell(self.before)}."
            return
        yield f"\n### Moved against {_cell(self.before)}: {len(self.moved)}"
        rows = ([one.name, one.before, one.after, one.change] for one in self.moved[:MOST_MOVED])
        yield from _table(("", "before", "now", "change"), rows)
        if len(self.moved) > MOST_MOVED:
            yield f"\nand {len(self.moved) - MOST_MOVED} that moved less"


def summarise(run_dir: Path, earlier: Path | None = None) -> Summary:
    """What a run directory holds of limits and datasheet, and what moved since an earlier one. Raises `ReportError`."""
    now, before = _Run(run_dir), None if earlier is None else _Run(earlier)
    was = {} if before is None else {str(row["name"]): bool(row["passed"]) for row in before.limits}
    return Summary(
        now.title,
        [_limit(row, now, was.get(str(row["name"]))) for row in now.limits],
        [_parameter(row, now) for row in now.extremes.itertuples()],
        "" if earlier is None else str(earlier),
        [] if before is None else _moved(before, now),
    )


class _Run:
    """What is read of a run directory."""

    def __init__(self, folder: Path) -> None:
        has_sheet = (folder / "datasheet" / "limits.json").exists()
        if not has_sheet and not (folder / "metrics.json").exists():
            raise ReportError(f"{folder}: holds neither metrics nor a datasheet; give a run directory, such as runs/iris_5_5_5")
        self.sheet: Sheet | None = read_sheet(folder) if has_sheet else None
        self.metrics = {name: value for name, value in files.record(folder / "metrics.json").items() if _is_number(value)}
        of_run = files.json_of(folder / "limits.json") if (folder / "limits.json").exists() else []
        self.limits: list[dict[str, Any]] = _checked(folder / "limits.json", of_run)
        if self.sheet:
            self.limits += _checked(folder / "datasheet" / "limits.json", self.sheet.limits)
        design = files.settings(folder / "design.toml") if (folder / "design.toml").exists() else {}
        self.title = self.sheet.title if self.sheet else str(design.get("title") or design.get("name") or folder.name)

    @property
    def extremes(self) -> pd.DataFrame:
        columns = ["mode", "parameter", "unit", "min", "typ", "max", "worst_at"]
        empty = pd.DataFrame(columns=columns)
        return empty if self.sheet is None else self.sheet.tables.get("extremes", empty)

    def shown(self, name: str, value: float | None) -> str:
        """A value of a metric, or of a parameter of the datasheet (MODE.PARAMETER)."""
        parameter = name.partition(".")[2]
        known = self.sheet is not None and parameter in set(self.extremes.parameter)
        return engineering(value, self.sheet.unit(parameter)) if known and self.sheet else metric(name, value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _checked(path: Path, rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) and {"name", "value", "passed"} <= row.keys() for row in rows):
        raise ReportError(f"{path}: holds no list of limits; run the command that made it again")
    return list(rows)


def _limit(row: Mapping[str, Any], run: _Run, was: bool | None) -> Limit:
    name = str(row["name"])
    value, low, high = (run.shown(name, row.get(key)) for key in ("value", "min", "max"))
    return Limit(name, value, low, high, str(row.get("at", "")), bool(row["passed"]), was)


def _parameter(row: Any, run: _Run) -> tuple[str, ...]:
    return (row.mode, row.parameter, *(engineering(value, row.unit) for value in (row.min, row.typ, row.max)), row.worst_at)


def _moved(before: _Run, now: _Run) -> list[Moved]:
    """Metrics, and least, typical and largest values of the datasheet, by how much they moved."""
    found = [
        Moved(name, now.shown(name, was), now.shown(name, value), _relative(was, value))
        for name, value in now.metrics.items()
        if not name.startswith(_LEFT_OUT) and (was := before.metrics.get(name)) is not None and was != value
    ]
    keys = ["mode", "parameter"]
    both = now.extremes.merge(before.extremes, on=keys, suffixes=("", "_before"))
    for row in both.to_dict("records"):
        for which in ("min", "typ", "max"):
            value, was = row[which], row[f"{which}_before"]
            if pd.notna(value) and pd.notna(was) and value != was:
                old, new = (engineering(one, row["unit"]) for one in (was, value))
                found.append(Moved(f"{row['mode']}.{row['parameter']} ({which})", old, new, _relative(was, value)))
    return sorted(found, key=lambda one: -abs(one.relative) if one.relative is not None else -float("inf"))


def _relative(before: float, after: float) -> float | None:
    return (after - before) / abs(before) if before else None


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(text: str) -> str:
    """Text that no table and no page takes for its own marks."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
