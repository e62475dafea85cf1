"""The wheel installs the seven rooms and what they read, nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

ROOMS = {"cosim", "netlists", "sky130_models", "gf180_models", "training", "layouts", "reports"}
READ = {
    "reports/templates/report.html",
    "reports/templates/report.css",
    "reports/templates/explore.js",
    "reports/templates/uplot.css",
    "reports/templates/uplot.js",
    "training/hardware/reference.json",
    "cosim/simulator/start/.spiceinit",
    "gf180_models/gf180.lib.spice",
}


@pytest.mark.slow
def test_wheel_content(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith("/METADATA")]
        license_line = "License-Expression: GPL-3.0-or-later"
        assert license_line in archive.read(metadata).decode()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == ROOMS
    assert {*READ, "cosim/simulator/worker.py"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
