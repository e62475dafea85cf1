"""Writes the report of a run: one self-contained HTML file, and the same on paper."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import templates
from reports.blocks import Part, Section, assemble
from reports.errors import ReportError
from reports.run import Run, read_run
from reports.sections import background, extraction, headline, validation

SPIKES, MEMBRANES, LABELS = "validation/spikes", "validation/membranes", "validation/labels"
_CHARACTERIZATION = "characterization/"

CONTENTS: tuple[tuple[str, tuple[Part, ...]], ...] = (
    ("Result", (Part(headline.at_a_glance),)),
    ("Against the published circuit", (Part(headline.against_published),)),
    ("Limits", (Part(headline.limits),)),
    ("Membranes", (Part(validation.membranes, ("validation/waveforms", SPIKES)),)),
    ("Spike times", (Part(validation.spikes, (SPIKES,)), Part(validation.failures))),
    ("Error budget", (Part(validation.error_budget, (SPIKES, MEMBRANES)),)),
    ("Gain search", (Part(validation.gain_search, ("validation/gain_search",)),)),
    ("Mismatch", (Part(validation.mismatch, (SPIKES, LABELS)),)),
    ("Classification", (Part(validation.classification, (LABELS,)),)),
    (
        "Extraction",
        (
            Part(extraction.synapse_iv, (f"{_CHARACTERIZATION}synapse_iv",)),
            Part(extraction.synapse_fit, (f"{_CHARACTERIZATION}synapse_fit",)),
            Part(extraction.code_curve, (f"{_CHARACTERIZATION}synapse_fit",)),
            Part(extraction.membrane, (f"{_CHARACTERIZATION}membrane",)),
            Part(extraction.discharger, (f"{_CHARACTERIZATION}discharger_iv",)),
            Part(extraction.firing, (f"{_CHARACTERIZATION}firing",)),
            Part(extraction.switching, (f"{_CHARACTERIZATION}switching",)),
        ),
    ),
    ("Energy", (Part(validation.energy, ("validation/energy",)),)),
    ("Cells", (Part(background.cells),)),
    ("Training and mapping", (Part(background.training, ("training",)), Part(background.mapping, ("mapping",)))),
    ("Run times and provenance", (Part(background.times), Part(background.provenance))),
    ("Design", (Part(background.design),)),
)


def write_report(run_dir: Path, *, pdf: bool = True) -> list[Path]:
    """Write `report.html` and, with `pdf`, `report.pdf` into a run directory.

    Reads only files of the run directory. A table that is missing drops its part, and the report says so; the HTML file refers
    to nothing outside itself and needs no script.

    Args:
        run_dir: the run directory; `design.toml` must be in it.
        pdf: also typeset the page on paper (needs pango).

    Returns:
        The files written.

    Raises:
        ReportError: the directory, its design or a file in it cannot be read or written, or pango is missing.
    """
    run = read_run(run_dir)
    html = render(run)
    written = [replace_file(run_dir / "report.html", html.encode("utf-8"))]
    if pdf:
        written.append(replace_file(run_dir / "report.pdf", typeset(html)))
    return written


def render(run: Run) -> str:
    """The whole page as HTML text."""
    sections = [section for title, parts in CONTENTS if not (section := assemble(run, title, parts)).is_empty]
    return page("cosim report", run, sections)


def page(kind: str, run: Any, sections: Sequence[Section]) -> str:
    """A self-contained page of sections; `run` has a title."""
    loader = PackageLoader(templates.__name__, "")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source, _, _ = loader.get_source(environment, "report.css")
    return environment.get_template("report.html").render(kind=kind, run=run, sections=sections, style=Markup(source))


def typeset(html: str, name: str = "report.pdf") -> bytes:
    """The page as PDF. Raises `ReportError` without pango."""
    try:
        from weasyprint import HTML
    except OSError as error:  # weasyprint loads pango when it is imported
        reason = str(error).splitlines()[0]
        raise ReportError(f"{name}: pango is missing (Debian: apt install libpango-1.0-0 libpangoft2-1.0-0): {reason}") from error
    # it warns of every presentation attribute of an inline figure that has no meaning on paper
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    document: bytes = HTML(string=html).write_pdf()
    return document


def replace_file(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ReportError(f"{path}: cannot be written: {error.strerror}") from error
    return path
