"""The pages as a site, `make docs`: Sphinx with MyST, built without a network."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from cosim.version import __version__  # noqa: E402

project = "cosim"
copyright = "the cosim authors, GPL-3.0-or-later"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "cosim"
html_copy_source = False
myst_heading_anchors = 4
autodoc_default_options = {"member-order": "bysource"}
autodoc_typehints = "description"


def as_markdown(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are written as the pages are, where `x` is code and |E| a size; to Sphinx they were something else."""
    code = re.compile(r"(?<!`)`([^`]+)`(?!`)(?=(\w?))")
    lines[:] = [code.sub(lambda one: f"``{one[1]}``" + r"\ " * bool(one[2]), line).replace("|", r"\|") for line in lines]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", as_markdown)
