"""The wheel installs the five rooms and what the report needs, nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {"cosim", "netlists", "sky130_models", "training", "reports"}


@pytest.mark.slow
def test_wheel_content(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, source]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith("/METADATA")]
        license_line = "License-Expression: GPL-3.0-or-later"
        assert license_line in archive.read(metadata).decode()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == ROOMS
    assert {"reports/templates/report.html", "reports/templates/report.css", "cosim/simulator/worker.py"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
