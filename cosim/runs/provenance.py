"""What a result came from: versions, digests of code and models, git revision."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import subprocess
from typing import Any

from cosim.version import ROOT, __version__

RECORDED_PACKAGES = ("numpy", "scipy", "pandas", "torch", "PySpice", "scikit-learn")


def package_version(name: str) -> str | None:
    """Version of an installed package, found without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """cosim, Python and the packages that decide numbers."""
    found = {name: version for name in RECORDED_PACKAGES if (version := package_version(name))}
    return {"cosim": __version__, "python": platform.python_version(), **found}


@functools.cache
def git_revision() -> str | None:
    """Commit of the checkout that this code runs from, with `-dirty` where it was edited; None outside a checkout."""
    if not (ROOT / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()


def content_digest(content: Any) -> str:
    """SHA-256 of JSON-able content."""
    import json

    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
