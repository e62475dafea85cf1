"""Which magic, netgen and PDK there are, and what is too old."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layouts.errors import LayoutError, ToolNotFound

OLDEST_MAGIC = (8, 3, 411)
"""The first that reads today's sky130A.tech, which says so itself."""

_NETGEN_NAMES = ("netgen", "netgen-lvs")
_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class GoldTools:
    """Programs and technology files that were found, with their versions as text."""

    magic: Path
    magic_version: str
    netgen: Path
    netgen_version: str
    magic_tech: Path
    netgen_setup: Path
    tech_version: str

    def __str__(self) -> str:
        return f"magic {self.magic_version}, netgen {self.netgen_version}, open_pdks {self.tech_version}"


def found_tools() -> GoldTools:
    """All that the gold path needs. Raises `ToolNotFound` with one line for the first thing that is missing or too old."""
    magic, magic_version = found_magic()
    netgen, netgen_version = found_netgen()
    tech, setup, tech_version = found_technology()
    return GoldTools(magic, magic_version, netgen, netgen_version, tech, setup, tech_version)


def found_magic() -> tuple[Path, str]:
    """magic on the PATH and its version. Raises `ToolNotFound`."""
    if (name := shutil.which("magic")) is None:
        raise ToolNotFound(f"magic: not on the PATH; install magic {_dotted(OLDEST_MAGIC)} or later to check layouts with it too")
    said = run([name, "--version"])
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    if version is None:
        raise ToolNotFound(
            f"magic: {name} tells no version, but {said.strip()[:60]!r}; magic {_dotted(OLDEST_MAGIC)} or later is needed"
        )
    if tuple(map(int, version.groups())) < OLDEST_MAGIC:
        raise ToolNotFound(f"magic: {version[0]} cannot read sky130A.tech; {_dotted(OLDEST_MAGIC)} or later is needed")
    return Path(name), version[0]


def found_netgen() -> tuple[Path, str]:
    """netgen on the PATH, by one of its two names, and its version. Raises `ToolNotFound`."""
    for name in filter(None, map(shutil.which, _NETGEN_NAMES)):
        if version := re.search(r"Netgen (\d+\.\d+\.\d+)", run([name, "-batch", "quit"])):
            return Path(name), version[1]
    raise ToolNotFound(
        "netgen: not on the PATH; install netgen-lvs 1.5 to compare layouts by it too (netgen alone is a mesher's name too)"
    )


def found_technology() -> tuple[Path, Path, str]:
    """sky130A.tech, netgen's set-up, and the version of the first, in PDK_ROOT. Raises `ToolNotFound`."""
    if not (root := os.environ.get("PDK_ROOT")):
        raise ToolNotFound("PDK_ROOT: not set; let it name the folder that holds sky130A of open_pdks")
    libraries = Path(root) / "sky130A" / "libs.tech"
    tech, setup = libraries / "magic" / "sky130A.tech", libraries / "netgen" / "sky130A_setup.tcl"
    for path in (tech, setup):
        if not path.is_file():
            raise ToolNotFound(f"PDK_ROOT: {path} is not there; install open_pdks' sky130A, or let PDK_ROOT name where it is")
    version = re.search(r"^\s*version\s+(\S+)\s*$", tech.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return tech, setup, version[1] if version else "unknown"


def run(command: Sequence[str], folder: Path | None = None, script: str = "") -> str:
    """What a program says, both its outputs together; `script` is its input.

    Raises `ToolNotFound` where it cannot be run, `LayoutError` where it hangs.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, input=script, text=True, capture_output=True, timeout=_TIMEOUT_S, check=False, errors="replace"
        )
    except OSError as error:
        raise ToolNotFound(f"{command[0]}: cannot be run: {error.strerror}; install it anew") from None
    except subprocess.TimeoutExpired:
        raise LayoutError(f"{command[0]}: no answer within {_TIMEOUT_S:g} s; give it a smaller cell") from None
    return done.stdout + done.stderr


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
