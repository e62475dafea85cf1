"""What stands on the pages of a PDF, and where."""

from __future__ import annotations

import re
import subprocess
from html import unescape
from pathlib import Path

import numpy as np

WIDTH_PT, MARGIN_PT = 210 / 25.4 * 72, 17 / 25.4 * 72
"""Of A4, and what report.css leaves on either side."""

Words = list[tuple[str, float, float]]
"""Words of a page with their left and right (pt)."""


def words_of(pdf: Path) -> list[Words]:
    """Of each page."""
    text = subprocess.run(["pdftotext", "-bbox", str(pdf), "-"], capture_output=True, text=True, check=True, timeout=60).stdout
    word = r'<word xMin="([\d.-]+)" yMin="[\d.-]+" xMax="([\d.-]+)" yMax="[\d.-]+">(.*?)</word>'
    return [
        [(unescape(w), float(left), float(right)) for left, right, w in re.findall(word, page)]
        for page in text.split("<page ")[1:]
    ]


def filled_of(pdf: Path, folder: Path) -> list[float]:
    """How far down each page is written on, without its number."""
    subprocess.run(["pdftoppm", "-r", "20", "-gray", str(pdf), str(folder / "page")], check=True, timeout=60)
    found = []
    for path in sorted(folder.glob("page-*.pgm")):
        _, size, _, pixels = path.read_bytes().split(b"\n", 3)
        width, height = map(int, size.split())
        grey = np.frombuffer(pixels, np.uint8).reshape(height, width)[: int(0.935 * height)]
        found.append(float(np.flatnonzero(grey.min(1) < 200).max(initial=0)) / height)
    return found


def outside_margins(pages: list[Words]) -> list[tuple[int, str]]:
    """Words that reach beyond the margins, with the number of their page."""
    return [
        (number, word)
        for number, words in enumerate(pages, 1)
        for word, left, right in words
        if left < MARGIN_PT - 1 or right > WIDTH_PT - MARGIN_PT + 1
    ]
