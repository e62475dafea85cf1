"""What an environment has, what it lacks, and how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cosim.pipeline.packages import extras
from cosim.runs import provenance
from cosim.version import ROOMS

LIBRARIES = {
    "libngspice": "Debian/Ubuntu: apt install libngspice0 | Fedora: dnf install libngspice | macOS: brew install libngspice | "
    "conda: conda install -c conda-forge ngspice",
    "pango": "Debian/Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0 | Fedora: dnf install pango | "
    "macOS: brew install pango | conda: conda install -c conda-forge pango",
}

NEEDED_EXTRAS = ("simulation", "training", "reports")

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy` says what to do where it is not fine; not every design needs what is `optional`."""

    what: str
    fine: bool
    detail: str
    remedy: str = ""
    optional: bool = False

    @property
    def stops(self) -> bool:
        """Whether it keeps every design from running."""
        return not (self.fine or self.optional)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def line(self) -> str:
        mark = "ok     " if self.fine else "absent " if self.optional else "MISSING"
        return f"{mark}  {self.what:<14} {self.detail}" + (f"\n         {'':<14} -> {self.remedy}" if not self.fine else "")


def examine() -> list[Finding]:
    """Look at everything that `cosim run` needs, each on its own, so that one gap does not hide the next."""
    return [
        _python(),
        *_packages(),
        _rooms(),
        _simulator(),
        _second_judge(),
        *_device_models(),
        *_gold_tools(),
        *_extensions(),
        _paper(),
        _cache(),
    ]


def _python() -> Finding:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return Finding("Python", sys.version_info >= OLDEST_PYTHON, detail, f"Python {wanted} or later is needed")


def _packages() -> Iterator[Finding]:
    if not extras():
        yield Finding("cosim", False, "not installed: what its extras bring is not known", "pip install -e . in the checkout")
    for extra in NEEDED_EXTRAS:
        for name in extras().get(extra, ()):
            version = provenance.package_version(name)
            remedy = f"pip install 'cosim[{extra}]'"
            yield Finding(name, version is not None, version or f"not installed (extra: {extra})", remedy)


def _rooms() -> Finding:
    """Packages of ours that another distribution installs too, whose files then lie among ours. A module of the user's that hides
    one of them ends every command before this (`cosim.version.collision`)."""
    owners = importlib.metadata.packages_distributions()
    shared = {room: sorted({name for name in owners.get(room, ()) if name.lower() != "cosim"}) for room in ROOMS}
    told = [f"{room} is also installed by {', '.join(others)}" for room, others in shared.items() if others]
    detail = "; ".join(told) or f"{', '.join(ROOMS)}: cosim's own"
    return Finding("names", not told, detail, "pip uninstall one of them, or give cosim an environment of its own")


def _simulator() -> Finding:
    from cosim.errors import CosimError
    from cosim.simulator import ngspice_version

    try:
        return Finding("libngspice", True, f"ngspice {ngspice_version()}")
    except CosimError as error:
        return Finding("libngspice", False, str(error), LIBRARIES["libngspice"])


def _second_judge() -> Finding:
    """Whether the other simulator is there, and starts."""
    from cosim.errors import CosimError
    from cosim.judge import EXTRA, Vacask
    from cosim.simulator import Deck, OperatingPoint

    divider = Deck("divider", "v1 a 0 1\nr1 a b 1k\nr2 b 0 1k", "", OperatingPoint(), ("v(b)",))
    try:
        judge = Vacask(jobs=1, timeout_s=60.0)
        judge.run(divider)
        return Finding("second judge", True, judge.version, optional=True)
    except CosimError as error:
        return Finding("second judge", False, str(error), f"pip install 'cosim[{EXTRA}]'", optional=True)


def _device_models() -> Iterator[Finding]:
    from cosim.design.choices import CHOICES
    from netlists.errors import PdkNotFound

    processes = CHOICES["process"]
    for key, process in processes.registry.items():
        for model_set in process.model_sets:
            name = f"{process.title} {model_set}"
            try:
                yield Finding(name, True, process.find_pdk(model_set).source)
            except PdkNotFound as error:
                yield Finding(name, False, str(error), process.remedy, optional=key != processes.default)


def _gold_tools() -> Iterator[Finding]:
    """magic, netgen and their technology files, which judge drawn cells where they are there."""
    from layouts.errors import LayoutError
    from layouts.gold import tools

    looks = (("magic", tools.found_magic), ("netgen", tools.found_netgen), ("PDK_ROOT", tools.found_technology))
    for name, look in looks:
        try:
            *_, version = look()
            yield Finding(name, True, version, optional=True)
        except LayoutError as error:
            what, _, remedy = str(error).removeprefix(f"{name}: ").partition("; ")
            yield Finding(name, False, what, remedy, optional=True)


def _extensions() -> Iterator[Finding]:
    """Packages that add cells, neurons, measurements or processes and cannot be loaded."""
    from cosim.characterize.catalogue import MEASUREMENTS
    from cosim.design.choices import CHOICES

    for registry in (*(choice.registry for choice in CHOICES.values()), MEASUREMENTS):
        for line in registry.broken:
            yield Finding("extension", False, line, "mend or uninstall that package")


def _paper() -> Finding:
    """A line of text as PDF: pango may be missing, and without fonts it crashes."""
    if importlib.util.find_spec("weasyprint") is None:
        return Finding("PDF", False, "cannot be tried without weasyprint", "pip install 'cosim[reports]'")
    from reports.errors import ReportError
    from reports.typesetting import typeset

    try:
        return Finding("PDF", True, f"typeset by pango ({len(typeset('<p>cosim</p>', 'a line'))} bytes for a line)")
    except ReportError as error:
        return Finding("PDF", False, str(error), f"{LIBRARIES['pango']}; without, the HTML comes alone", optional=True)


def _cache() -> Finding:
    if importlib.util.find_spec("platformdirs") is None:
        return Finding("model cache", False, "cannot be looked for without platformdirs", "pip install 'cosim[simulation]'")
    from netlists.models.cache import folder

    path = folder()
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    return Finding(
        "model cache", writable, _short(path), "set COSIM_CACHE to a folder that can be written (else it costs time only)"
    )


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
