"""Sections as one self-contained HTML page, and the same typeset on paper."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import templates
from reports.blocks import Section
from reports.errors import ReportError


def files(name: str, page: str, *, pdf: bool) -> dict[str, bytes]:
    """The files of a page by their names: NAME.html and, with `pdf`, NAME.pdf. Raises `ReportError` without pango."""
    made = {f"{name}.html": page.encode("utf-8")}
    return made | {f"{name}.pdf": typeset(page, f"{name}.pdf")} if pdf else made


def html(kind: str, run: Any, sections: Sequence[Section]) -> str:
    """A self-contained page of sections; `run` has a title."""
    loader = PackageLoader(templates.__name__, "")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source, _, _ = loader.get_source(environment, "report.css")
    return environment.get_template("report.html").render(kind=kind, run=run, sections=sections, style=Markup(source))


def typeset(page: str, name: str) -> bytes:
    """The page as PDF. Raises `ReportError` without pango."""
    try:
        from weasyprint import HTML
    except OSError as error:  # weasyprint loads pango when it is imported
        reason = str(error).splitlines()[0]
        raise ReportError(f"{name}: pango is missing (Debian: apt install libpango-1.0-0 libpangoft2-1.0-0): {reason}") from error
    # it warns of every presentation attribute of an inline figure that has no meaning on paper
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    document: bytes = HTML(string=page).write_pdf()
    return document
