"""Which names a netlist of a user may hold: those that schematic and layout tools write.

A name ends up in commands of ngspice, where `>` writes a file and `<` opens one; what is not on the list is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from netlists.spice_text import words_and_values

_NAME = re.compile(r"[\w.:/#$\\!~%@+\-](?:[\w.:/#$\\!~%@+\-]|\[[\w:]*\]|<\d+(?::\d+)?>)*|\[[\w:]*\]", re.ASCII)
"""Magic writes `a/b#`, `x.t0`, `net$3` and `d[3]`, KLayout `\\$1`, Virtuoso `d<3>`."""
_PARAMETER = re.compile(r"[a-z_]\w*(?:\([\w\s,]*\))?", re.IGNORECASE | re.ASCII)
_QUOTED = re.compile(r"\{[^{}]*\}|'[^']*'|\"[^\"]*\"")
_BEFORE_EQUALS = re.compile(r"(\S*[^\s=<>!])\s*=(?!=)")

# Words of an element that are names, its own counted.
_NAMED = {
    "b": 3, "c": 3, "d": 4, "e": 3, "f": 3, "g": 3, "h": 3, "i": 3, "j": 5, "k": 3, "l": 3, "m": 6, "q": 4, "r": 3, "s": 6,
    "t": 5, "v": 3, "w": 5,
}  # fmt: skip
_WITH_NAMES_ONLY = frozenset({".subckt", ".ends", ".global"})
_WITH_EXPRESSIONS = frozenset("beghf")
"""What stands behind the nodes of these elements may hold a comparison, without any marks."""


def unfit_name(text: str) -> str | None:
    """The first name on a card (one logical line) that is not on the list; None where all are."""
    return next((name for name, pattern in _names(text) if not pattern.fullmatch(name)), None)


def _names(text: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    keyword = text.split(maxsplit=1)[0].lower()
    if keyword[0] not in _WITH_EXPRESSIONS and keyword != ".func":
        for name in _parameters(text, keyword):
            yield name, _PARAMETER
    words, _ = words_and_values(text)
    if keyword not in _WITH_NAMES_ONLY and keyword[0] != "x":
        words = words[: 2 if keyword == ".model" else _NAMED.get(keyword[0], 1)]
    for name in words:
        # An element that is short of a node has its value there, which may be an expression.
        if not _QUOTED.fullmatch(name):
            yield name, _NAME


def _parameters(text: str, keyword: str) -> Iterator[str]:
    """What stands before the equals signs of a card that are not within an expression."""
    masked = _QUOTED.sub(lambda match: "#" * len(match.group()), text)
    for match in _BEFORE_EQUALS.finditer(masked):
        name = text[match.start(1) : match.end(1)]
        # The parameters of a model may stand in parentheses, `(` at once behind its type; of a function they are its own.
        yield name if keyword == ".param" else name.rpartition("(")[2].lstrip(",")
