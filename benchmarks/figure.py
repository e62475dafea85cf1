"""What a benchmark says: named numbers with their unit and what they should be."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured number. `target` is in words ("at least 150"), `detail` says of what and how it was measured."""

    name: str
    value: float
    unit: str = ""
    target: str = ""
    detail: str = ""


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
