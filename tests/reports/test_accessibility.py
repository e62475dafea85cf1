"""What the usual checks of accessibility look at: texts for pictures, headings, contrast, tables, scrolling by keyboard."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reports import templates
from reports.report import render
from reports.run import read_run

CSS = (Path(templates.__path__[0]) / "report.css").read_text()
LEAST_CONTRAST = 4.5
"""Of text of ordinary size (WCAG 2.2, 1.4.3)."""


class Page(HTMLParser):
    """The tags of a page with their attributes, and the text in each heading."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[int, str]] = []
        self._heading = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch(r"h\d", tag):
            self._heading = int(tag[1])
            self.headings.append((self._heading, ""))

    def handle_endtag(self, tag: str) -> None:
        if re.fullmatch(r"h\d", tag):
            self._heading = 0

    def handle_data(self, data: str) -> None:
        if self._heading:
            level, text = self.headings.pop()
            self.headings.append((level, text + data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(run_dir: Path) -> Page:
    """A report with tables, without the plots that take seconds to draw; one of them stays."""
    for path in run_dir.rglob("*.parquet"):
        if path.stem not in ("published", "energy", "labels"):
            path.unlink()
    return Page(render(read_run(run_dir)))


def test_language_title_and_view(page: Page) -> None:
    assert page.of("html")[0]["lang"] == "en" and page.of("title") and len(page.of("main")) == 1
    [view] = [one for one in page.of("meta") if one.get("name") == "viewport"]
    assert "user-scalable=no" not in str(view["content"])


def test_every_picture_has_a_text(page: Page) -> None:
    pictures = [attributes["alt"] for attributes in page.of("img")]
    plots = [attributes.get("aria-label") for name, attributes in page.tags if attributes.get("role") == "img"]
    assert len(pictures) + len(plots) >= 2
    assert all(text and len(text) > 10 for text in [*pictures, *plots])


def test_headings_begin_with_one_and_leave_out_no_level(page: Page) -> None:
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(text.strip() for _, text in page.headings)


def test_heads_of_tables_say_what_they_are_of(page: Page) -> None:
    assert page.of("th") and all(one.get("scope") in ("col", "row") for one in page.of("th"))


def test_what_scrolls_is_reached_by_keyboard_and_has_a_name(page: Page) -> None:
    scrolled = [attributes for name, attributes in page.tags if "scroll" in (attributes.get("class") or "").split()]
    assert scrolled and all(one.get("tabindex") == "0" for one in scrolled if one.get("role"))
    assert all(one.get("role") and one.get("aria-label") for one in scrolled if one.get("tabindex"))


def test_names_are_given_once_and_links_lead_somewhere(page: Page) -> None:
    ids = [str(attributes["id"]) for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(link["href"]).removeprefix("#") for link in page.of("a") if str(link["href"]).startswith("#")} <= set(ids)


@pytest.mark.parametrize("name", ["ink", "muted", "accent", "bad", "good"])
@pytest.mark.parametrize("ground", ["#ffffff", "shade"])
def test_text_stands_out_from_its_ground(name: str, ground: str) -> None:
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", CSS))
    behind = ground if ground.startswith("#") else colours[ground]
    assert contrast(colours[name], behind) >= LEAST_CONTRAST


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def contrast(one: str, other: str) -> float:
    """Ratio of relative luminances (WCAG 2.2)."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    shares = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
