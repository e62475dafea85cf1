"""What an installed cosim is: the wheel, and a Python that has it with one of its extras and nothing else."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, with what is not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, folder / "source"]
    subprocess.run(command, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


@dataclass(frozen=True)
class Python:
    """An interpreter with packages of its own."""

    executable: Path

    def run(self, *words: object, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`python WORDS` in a folder, without the paths of the Python that tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        command = [str(self.executable), *map(str, words)]
        environment = {**kept, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done


def fresh_python(folder: Path, wheel: Path, extra: str) -> Python:
    """What `pip install cosim[EXTRA]` makes of a fresh environment, the packages linked from this one."""
    venv.create(folder, with_pip=False, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        listed = re.findall(r"^Requires-Dist: (.*)$", archive.read(metadata).decode(), re.MULTILINE)
    for distribution in _closure(_asked_for(listed, extra)):
        for name in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (packages / name).exists():
                (packages / name).symlink_to(Path(str(distribution.locate_file(name))).resolve())
    return Python(folder / "bin" / "python")


def _asked_for(requirements: Iterable[str], extra: str) -> Iterator[Requirement]:
    """Those that hold here, with an extra asked for or with none ("")."""
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def _closure(requirements: Iterable[Requirement]) -> Iterator[importlib.metadata.Distribution]:
    """The distributions that pip would install for requirements, each once or once an extra."""
    waiting, seen = list(requirements), set()
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *requirement.extras):
            if (key := (requirement.name.lower(), extra)) not in seen:
                seen.add(key)
                distribution = importlib.metadata.distribution(requirement.name)
                waiting += _asked_for(distribution.requires or (), extra)
                yield distribution
