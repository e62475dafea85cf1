"""What an installed cosim is, built once a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import Python, build_wheel, fresh_python


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def training_alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Python:
    """With `pip install cosim[training]` and nothing else."""
    return fresh_python(tmp_path_factory.mktemp("training_alone"), wheel, "training")
