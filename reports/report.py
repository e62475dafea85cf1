"""The report of a run: one self-contained HTML file, and the same on paper."""

from __future__ import annotations

from pathlib import Path

from reports import page
from reports.blocks import Part, assemble
from reports.run import Run, read_run
from reports.sections import (
    background,
    budget,
    calibration,
    cost,
    devices,
    explore,
    extraction,
    headline,
    layout,
    margins,
    review,
    validation,
)

SPIKES, MEMBRANES, LABELS = "validation/spikes", "validation/membranes", "validation/labels"
_CHARACTERIZATION = "characterization/"

CONTENTS: tuple[tuple[str, tuple[Part, ...]], ...] = (
    ("Result", (Part(headline.at_a_glance),)),
    ("Against the published circuit", (Part(headline.against_published),)),
    ("Limits", (Part(headline.limits),)),
    ("Membranes", (Part(validation.membranes, ("validation/waveforms", SPIKES)),)),
    (
        "Spike times",
        (Part(validation.spikes, (SPIKES,)), Part(explore.explorer, ("validation/waveforms", SPIKES)), Part(validation.failures)),
    ),
    ("Error budget", (Part(budget.error_budget, (SPIKES, MEMBRANES)),)),
    ("Margins", (Part(margins.sensitivity), Part(margins.corners))),
    ("Gain search", (Part(validation.gain_search, ("validation/gain_search",)),)),
    ("Mismatch", (Part(validation.mismatch, (SPIKES, LABELS)),)),
    ("Calibrated dies", (Part(calibration.dies),)),
    ("Other conditions", (Part(calibration.conditions),)),
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
    ("Energy, time and area", (Part(cost.energy, ("validation/energy",)), Part(cost.merit))),
    ("Cells", (Part(background.cells), Part(devices.listing))),
    ("Layout", (Part(layout.layout),)),
    ("Training and mapping", (Part(background.training, ("training",)), Part(background.mapping, ("mapping",)))),
    ("Run times and provenance", (Part(background.times), Part(background.provenance))),
    ("Design", (Part(background.design),)),
    ("Review", (Part(review.review),)),
)


def report(run_dir: Path, *, pdf: bool = True, say: page.Say | None = None) -> dict[str, bytes]:
    """The report of a run directory, ready to be written.

    Reads only files of the run directory. A table that is missing drops its part, and the report says so; the HTML file refers
    to nothing outside itself; a script in it draws what one may look into, and all that it says stands there without one.

    Args:
        run_dir: the run directory; `design.toml` must be in it.
        pdf: also typeset the page on paper (needs pango, and fonts).
        say: hears why there is no PDF, where it cannot be made; None raises instead.

    Returns:
        `report.html` and, with `pdf`, `report.pdf`, by name.

    Raises:
        ReportError: the directory, its design or a file in it cannot be read, or, without `say`, there is no PDF to be had.
    """
    return page.files("report", render(read_run(run_dir)), pdf=pdf, say=say)


def render(run: Run) -> str:
    """The whole page as HTML text."""
    sections = [section for title, parts in CONTENTS if not (section := assemble(run, title, parts)).is_empty]
    return page.html("cosim report", run, sections)
