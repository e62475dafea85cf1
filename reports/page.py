"""Sections as one self-contained HTML page, and the same typeset on paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import templates
from reports.blocks import Explorer, Section
from reports.errors import ReportError
from reports.typesetting import typeset

Say = Callable[[str], None]


def files(name: str, page: str, *, pdf: bool, say: Say | None = None) -> dict[str, bytes]:
    """The files of a page by their names: NAME.html and, with `pdf`, NAME.pdf.

    Where it cannot be typeset, `say` hears why and the HTML comes alone; without `say` that raises `ReportError`.
    """
    made = {f"{name}.html": page.encode("utf-8")}
    if not pdf:
        return made
    try:
        return made | {f"{name}.pdf": typeset(page, f"{name}.pdf")}
    except ReportError as error:
        if say is None:
            raise
        say(str(error))
        return made


def html(kind: str, run: Any, sections: Sequence[Section]) -> str:
    """A self-contained page of sections; `run` has a title."""
    loader = PackageLoader(templates.__name__, "")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)

    def source(name: str) -> Markup:
        return Markup(loader.get_source(environment, name)[0])

    script = None
    if any(isinstance(block, Explorer) for section in sections for block in section.blocks):
        code = Markup("\n").join(map(source, ("uplot.js", "explore.js")))
        script = {"style": source("uplot.css"), "code": code}
    return environment.get_template("report.html").render(
        kind=kind, run=run, sections=sections, style=source("report.css"), script=script
    )
