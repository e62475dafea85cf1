"""What a benchmark says: named numbers with their unit and what they should be."""

from __future__ import annotations

import csv
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured number. `target` is in words ("at least 150"), `detail` says of what and how it was measured; `is_stored`: it
    was measured some other day."""

    name: str
    value: float
    unit: str = ""
    target: str = ""
    detail: str = ""
    is_stored: bool = False


def machine(packages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Where the numbers come from: processor, cores, revision, versions of what was compared."""
    yield "processor", processor()
    yield "cores", str(os.cpu_count())
    yield "python", platform.python_version()
    yield "revision", _revision()
    for package in packages:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, "not installed"


def processor() -> str:
    """What the processor calls itself."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _revision() -> str:
    try:
        found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


RESULTS = Path(__file__).parent / "results"


def stored(name: str) -> Iterator[Figure]:
    """What a benchmark found where it was measured last; each figure tells at which revision, and when that was stored."""
    file = RESULTS / f"{name}.csv"
    head, *lines = file.read_text(encoding="utf-8").splitlines()
    revision = found[1] if (found := re.search(r"revision (\S+?)(,|$)", head)) else "unknown"
    told = f"stored {_stored_on(file)}, revision {revision}"
    for row in csv.DictReader(lines):
        yield Figure(row["figure"], float(row["measured"]), row["unit"], row["target"], f"{row['how']}; {told}", is_stored=True)


def _stored_on(file: Path) -> str:
    """The day of the commit that last changed a file."""
    command = ["git", "log", "-1", "--format=%cs", "--", str(file)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=file.parent)
    except (OSError, subprocess.CalledProcessError):
        return "some day"
    return found.stdout.strip() or "today"
