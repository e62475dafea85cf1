"""The datasheet of a run directory: an HTML file, and the same on paper, from datasheet/* alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reports import page
from reports.blocks import Block, Section
from reports.sections import datasheet as sections
from reports.sheet import Sheet, read_sheet

CONTENTS: tuple[tuple[str, tuple[tuple[Callable[[Sheet], list[Block]], tuple[str, ...]], ...]], ...] = (
    ("Datasheet", ((sections.at_a_glance, ()),)),
    ("Limits", ((sections.limits, ()),)),
    ("Parameters", ((sections.parameters, ("extremes",)),)),
    ("Weights out of reach", ((sections.unreached, ("unreached",)),)),
    ("Over the conditions", ((sections.over_conditions, ("pvt",)),)),
    ("Typical curves", ((sections.typical, ()),)),
    ("Choice of the neuron model", ((sections.ladder, ("ladder",)),)),
    (
        "Monte Carlo",
        (
            (sections.statistics, ("statistics",)),
            (sections.distributions, ("dies", "statistics")),
            (sections.compared, ("statistics",)),
            (sections.outliers, ("outliers",)),
        ),
    ),
    ("Points that failed", ((sections.failures, ("failures",)),)),
    ("To run a row again", ((sections.commands, ("extremes",)),)),
    ("Environment", ((sections.environment, ()),)),
)


def datasheet(run_dir: Path, *, pdf: bool = True, say: page.Say | None = None) -> dict[str, bytes]:
    """The datasheet of a run directory, ready to be written: `datasheet.html` and, with `pdf`, `datasheet.pdf`, by name.

    `say` hears why there is no PDF, where it cannot be made. Raises `ReportError`: datasheet/datasheet.json is missing, a file
    cannot be read, or, without `say`, there is no PDF to be had.
    """
    return page.files("datasheet", render(read_sheet(run_dir)), pdf=pdf, say=say)


def render(sheet: Sheet) -> str:
    """The whole page as HTML text."""
    found = [
        Section(
            title,
            "-".join(title.lower().split()),
            [block for part, needs in parts if _has(sheet, needs) for block in part(sheet)],
        )
        for title, parts in CONTENTS
    ]
    return page.html("cosim datasheet", sheet, [section for section in found if not section.is_empty])


def _has(sheet: Sheet, needs: tuple[str, ...]) -> bool:
    return all(name in sheet.tables for name in needs)
