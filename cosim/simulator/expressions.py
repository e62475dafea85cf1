"""Arithmetic of SPICE parameters, as ngspice's numparam does it (manual, chapter 2.9), in Python.

Expressions are translated to Python once and evaluated many times. What this module does not know raises `NotEvaluable`: the deck
is then left to ngspice.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from keyword import iskeyword
from statistics import NormalDist
from types import CodeType
from typing import Any

from netlists.spice_text import NUMBER, SCALE, SCALE_FACTOR

_TOKEN = re.compile(
    rf"\s*(?:(?P<number>{NUMBER})(?P<factor>{SCALE_FACTOR})?[a-z]*"
    r"|(?P<name>[a-z_]\w*(?![\w.#]))|(?P<operator>\*\*|==|!=|<>|<=|>=|&&|\|\||[-+*/^()<>!,?:]))",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b(?P<probe>[vi])\s*\((?P<nodes>[^()]*)\)|(?<![\w.])(?P<name>[a-z_]\w*)\b(?!\s*\()", re.IGNORECASE)
OF_THE_RUN = frozenset({"temper", "time", "hertz"})
"""What only the running simulation knows, beside v() and i()."""

_OPERATORS = {"^": "**", "&&": " and ", "||": " or ", "!": " not ", "<>": "!="}


class NotEvaluable(Exception):
    """An expression or statement that only ngspice itself understands."""


def _power(x: float, y: float) -> float:
    return math.copysign(abs(x) ** y, x)


FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "exp": math.exp, "ln": math.log, "log": math.log, "log10": math.log10, "abs": abs, "min": min, "max": max,
    "pow": lambda x, y: abs(x) ** y, "pwr": _power, "int": math.trunc, "floor": math.floor, "ceil": math.ceil,
    "sgn": lambda x: float((x > 0) - (x < 0)), "sqr": lambda x: x * x, "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh, "arctan": math.atan, "atan": math.atan,
}  # fmt: skip


def unquoted(text: str) -> str:
    """An expression without the braces or quotes around it and its parts."""
    return re.sub(r"[{}'\"]", lambda mark: {"{": "(", "}": ")"}.get(mark[0], " "), text).strip()


@functools.lru_cache(maxsize=65536)
def compiled(text: str) -> CodeType | float:
    """A number, or code to evaluate with `evaluate`. Raises `NotEvaluable`."""
    source = _python(unquoted(text).lower()).strip()
    try:
        code = compile(source, text, "eval")
    except SyntaxError:
        raise NotEvaluable(text) from None
    return code if code.co_names else float(evaluate(code, {}))


def evaluate(code: CodeType, names: Mapping[str, Any]) -> float:
    """The value of compiled code; `names` gives parameters and the random functions. Raises `NotEvaluable`."""
    try:
        return float(eval(code, {"__builtins__": {}, "names": names}, names))  # made of the tokens above only
    except (ArithmeticError, ValueError, TypeError, NameError) as error:
        raise NotEvaluable(str(error)) from None


def _python(text: str) -> str:
    parts, position = [], 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotEvaluable(text)
        parts.append(_token(match))
        position = match.end()
    return "".join(parts)


def _token(match: re.Match[str]) -> str:
    if number := match["number"]:
        # Always a float: whole numbers would be Python's own, of any length.
        return f" {float(number) * SCALE[(match['factor'] or '').lower()]!r} "
    if name := match["name"]:
        # A diffusion area is called `as`, and a lambda would be one in Python too.
        return f' names["{name}"] ' if iskeyword(name) else f" {name} "
    if match["operator"] in "?:":  # no model of the libraries we know uses the conditional
        raise NotEvaluable(match["operator"])
    return _OPERATORS.get(match["operator"], match["operator"])


def parts(text: str, node: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """An expression that ngspice evaluates during the run, in parts (text, name of a parameter); one of the two is empty.

    `node` renames the nodes inside v() and i(); functions and what only the run knows stay text.
    """
    position = 0
    for match in _NAME.finditer(text):
        yield text[position : match.start()], ""
        if match["probe"]:
            yield f"{match['probe']}({','.join(node(name.strip()) for name in match['nodes'].split(','))})", ""
        elif match["name"].lower() in OF_THE_RUN:
            yield match["name"], ""
        else:
            yield "", match["name"].lower()
        position = match.end()
    yield text[position:], ""


def normal_deviate(*name: object) -> float:
    """A draw from N(0, 1) that depends on its name alone: the same for any order, any other draw left out or added."""
    digest = hashlib.blake2b("/".join(map(str, name)).encode(), digest_size=8).digest()
    return _NORMAL.inv_cdf((int.from_bytes(digest, "big") + 0.5) / 2**64)


def uniform_deviate(*name: object) -> float:
    """The same from U(-1, 1)."""
    digest = hashlib.blake2b("/".join(map(str, name)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**63 - 1.0


_NORMAL = NormalDist()
