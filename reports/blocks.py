"""What a section is made of. The template knows how each block looks; the sections know what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup

from reports.run import Run


@dataclass(frozen=True)
class Text:
    """A paragraph, plain text (the template escapes it)."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Plot:
    """An inline SVG with a caption that says what one should see. A `narrow` plot takes half the column where there is room."""

    kind: ClassVar[str] = "plot"
    svg: Markup
    caption: str
    narrow: bool = False


@dataclass(frozen=True)
class Drawing:
    """A drawing kept in the run directory; embedded as an image, so that nothing in it can act on the page."""

    kind: ClassVar[str] = "drawing"
    data_uri: str
    caption: str


@dataclass(frozen=True)
class Cell:
    """A table cell with a verdict: `mark` is pass, fail or none."""

    text: str
    mark: str = "none"


@dataclass(frozen=True)
class Table:
    """A table; columns named in `words` are text, flush left, the others numbers. A `narrow` table may stand beside a plot."""

    kind: ClassVar[str] = "table"
    header: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    caption: str = ""
    words: Sequence[str] = ()
    narrow: bool = False


@dataclass(frozen=True)
class Listing:
    """Preformatted text, e.g. the design file; the PDF has only the caption of one that is not `on_paper`."""

    kind: ClassVar[str] = "listing"
    text: str
    caption: str = ""
    on_paper: bool = True


@dataclass(frozen=True)
class Figures:
    """The few numbers of the headline, large: (value, name, remark)."""

    kind: ClassVar[str] = "figures"
    items: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Explorer:
    """Numbers (JSON) that the page's script draws; without one, and on paper, nothing is shown."""

    kind: ClassVar[str] = "explorer"
    content: str
    caption: str


@dataclass(frozen=True)
class Points:
    """A list of statements under a few words."""

    kind: ClassVar[str] = "points"
    name: str
    items: Sequence[str]


@dataclass(frozen=True)
class Form:
    """To be filled in by hand: boxes of which one is ticked, lines for short words, and one with room."""

    kind: ClassVar[str] = "form"
    choices: Sequence[str]
    lines: Sequence[str]
    room: str


Block = Text | Plot | Drawing | Table | Listing | Figures | Explorer | Points | Form


@dataclass(frozen=True)
class Part:
    """Blocks of a section that need certain tables of the run."""

    build: Callable[[Run], list[Block]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A titled section, ready for the template. `missing` names the files without which parts of it were left out; on paper one
    that is a `page` begins anew."""

    title: str
    anchor: str
    blocks: list[Block] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    page: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.blocks and not self.missing


def assemble(run: Run, title: str, parts: Sequence[Part]) -> Section:
    """Build the parts whose tables the run has, and name the tables of the others."""
    blocks: list[Block] = []
    missing: dict[str, None] = {}
    for part in parts:
        absent = [name for name in part.needs if name not in run.tables or run.tables[name].empty]
        if absent:
            missing.update(dict.fromkeys(f"{name}.parquet" for name in absent))
        else:
            blocks += part.build(run)
    return Section(
        title, "-".join(title.lower().split()), blocks, list(missing), any(isinstance(block, Form) for block in blocks)
    )
