"""Arithmetic of SPICE parameters as ngspice 39 does it (its numparam, `xpressn.c`), in Python.

Expressions are translated to Python once and evaluated many times. The grammar is that of numparam where it makes sense: every
operator associates to the left (`2**3**2` is 64), `!` binds closest, a sign after an operator belongs to the number behind it
(`2*-3^2` is 18), a scale factor is one of `t g meg k m u n p f` (`1mil` is 1e-3, `1a` is 1). What numparam misreads (`a*-b+3`
negates the 3), what it refuses, and what this module does not know raises `NotEvaluable`: the deck is then left to ngspice.
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

from netlists.spice_text import DRAWING, NUMBER

_TOKEN = re.compile(
    rf"\s*(?:(?P<number>{NUMBER})(?P<unit>[a-z_]*)(?![\w.\[\]])|(?P<name>[a-z_]\w*)(?![\w.\[\]])"
    r"|(?P<operator>\*\*|==|!=|<>|<=|>=|&&|\|\||[-+*/%^()<>!,]))"
)
_NAME = re.compile(r"\b(?P<probe>[vi])\s*\((?P<nodes>[^()]*)\)|(?<![\w.])(?P<name>[a-z_]\w*)(?P<call>\s*\()?", re.IGNORECASE)
OF_THE_RUN = frozenset({"temper", "time", "hertz", "pi", "e"})
"""What an expression of the running simulation knows by itself, beside v() and i()."""

_FUNCTIONS_OF_THE_RUN = frozenset({
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "exp", "floor", "ln", "log", "log10", "max",
    "min", "nint", "pow", "pwr", "sgn", "sin", "sinh", "sqrt", "tan", "tanh", "u", "uramp",
})  # fmt: skip
_FACTORS = {"t": 1e12, "g": 1e9, "k": 1e3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
_LEVELS = (("^", "**"), ("*", "/", "%"), ("+", "-"), ("==", "!=", "<>", "<", ">", "<=", ">="), ("&&",), ("||",))
"""Binary operators, the closest first; all associate to the left."""
_DEEPEST = 60


class NotEvaluable(Exception):
    """An expression or statement that only ngspice itself understands."""


def _power(x: float, y: float) -> float:
    return math.pow(abs(x), y)


def _power_of_hspice(x: float, y: float) -> float:
    if x < 0:
        return math.pow(x, math.copysign(math.floor(abs(y) + 0.5), y))
    return math.pow(x, y) if x else 0.0


def _remainder(x: float, y: float) -> float:
    return x - y * float(math.trunc(x / y))


# Names that no expression has: they are in capitals.
_OPERATORS: dict[str, Callable[..., float]] = {
    "POWER": _power, "POWER_OF_HSPICE": _power_of_hspice, "REMAINDER": _remainder,
    "EQUAL": lambda x, y: float(x == y), "UNEQUAL": lambda x, y: float(x != y),
    "LESS": lambda x, y: float(x < y), "MORE": lambda x, y: float(x > y),
    "AT_MOST": lambda x, y: float(x <= y), "AT_LEAST": lambda x, y: float(x >= y),
    "BOTH": lambda x, y: float(x != 0 and y != 0), "EITHER": lambda x, y: float(x != 0 or y != 0), "NOT": lambda x: float(x == 0),
}  # fmt: skip
_OPERATOR_NAMES = {
    "%": "REMAINDER", "==": "EQUAL", "!=": "UNEQUAL", "<>": "UNEQUAL", "<": "LESS", ">": "MORE", "<=": "AT_MOST",
    ">=": "AT_LEAST", "&&": "BOTH", "||": "EITHER",
}  # fmt: skip

_OF_ONE: dict[str, Callable[[float], float]] = {
    "sqr": lambda x: x * x, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "exp": math.exp, "ln": math.log, "log": math.log,
    "log10": math.log10, "arctan": math.atan, "abs": abs, "int": lambda x: float(math.trunc(x)), "sinh": math.sinh,
    "cosh": math.cosh, "tanh": math.tanh, "sgn": lambda x: float((x > 0) - (x < 0)), "ceil": lambda x: float(math.ceil(x)),
    "floor": lambda x: float(math.floor(x)), "asin": math.asin, "acos": math.acos, "atan": math.atan, "asinh": math.asinh,
    "acosh": math.acosh, "atanh": math.atanh, "tan": math.tan, "nint": lambda x: float(round(x)),
}  # fmt: skip
_OF_TWO: dict[str, Callable[[float, float], float]] = {"pow": math.pow, "pwr": _power, "min": min, "max": max}
FUNCTIONS: dict[str, Callable[..., float]] = {**_OPERATORS, **_OF_ONE, **_OF_TWO}
_ARITY = {**dict.fromkeys(_OF_ONE, 1), **dict.fromkeys(_OF_TWO, 2), **DRAWING}


@functools.lru_cache(maxsize=65536)
def compiled(text: str, hspice: bool = False) -> CodeType | float:
    """A number, or code to evaluate with `evaluate`; `text` stands without the braces or quotes around it.

    `hspice`: whether ngspice's compatibility with HSPICE is on, which says what a power of a negative number is.
    Raises `NotEvaluable`.
    """
    source = _Translation(text.lower(), hspice).python()
    try:
        code = compile(source, text, "eval")
    except (SyntaxError, MemoryError, RecursionError):
        raise NotEvaluable(text) from None
    return code if set(code.co_names) - FUNCTIONS.keys() else evaluate(code, FUNCTIONS)


def evaluate(code: CodeType, names: Mapping[str, Any]) -> float:
    """The value of compiled code; `names` gives parameters and functions. Raises `NotEvaluable`."""
    try:
        value = float(eval(code, {"__builtins__": {}, "NAMES": names}, names))  # made of the tokens above only
    except (ArithmeticError, ValueError, TypeError, LookupError, NameError, RecursionError) as error:
        raise NotEvaluable(str(error)) from None
    if not math.isfinite(value):
        raise NotEvaluable(f"{code.co_filename} is not finite")
    return value


class _Translation:
    """One expression on its way to Python."""

    def __init__(self, text: str, hspice: bool) -> None:
        self.text = text
        self.power = "POWER_OF_HSPICE" if hspice else "POWER"
        self.tokens = list(_tokens(text))
        self.at = self.depth = 0

    def python(self) -> str:
        source = self._whole()
        if self.at < len(self.tokens):
            raise NotEvaluable(self.text)
        return source

    def _whole(self) -> str:
        """An expression from its start, where a sign stands for a sum with nothing before it."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise NotEvaluable(f"{self.text[:60]} is nested too deep")
        sign = self._next("+", "-")
        source = self._binary(len(_LEVELS) - 1, sign)
        self.depth -= 1
        return source

    def _binary(self, level: int, sign: str | None = None) -> str:
        """Operands of one level and its operators, from the left."""
        if level < 0:
            return self._operand()
        is_sum, is_product = _LEVELS[level] == ("+", "-"), "*" in _LEVELS[level]
        if is_sum and sign:
            left, joined = f"0.0 {sign} {self._binary(level - 1)}", True
        else:
            left, joined = self._binary(level - 1, sign), False
        while operator := self._next(*_LEVELS[level]):
            right = self._binary(level - 1)
            if is_sum or (is_product and operator != "%"):
                left, joined = f"{left} {operator} {right}", True
            else:
                left, joined = f"{_OPERATOR_NAMES.get(operator, self.power)}({left}, {right})", False
        return f"({left})" if joined else left

    def _operand(self) -> str:
        if self._next("!"):
            if self._peek() == "-":
                raise NotEvaluable(self.text)
            return f"NOT({self._operand()})"
        # Behind an operator numparam takes a sign for that of the next number, wherever that stands.
        sign = self._next("-") or "" if self._after_operator() else ""
        if self._next("("):
            source = f"({self._whole()})"
            self._expect(")")
        else:
            kind, word = self._take()
            if kind == "name":
                source = self._call(word) if self._next("(") else self._parameter(word)
            elif kind == "number":
                return f"({sign}{word})" if sign else word
            else:
                raise NotEvaluable(self.text)
        if sign:
            raise NotEvaluable(f"ngspice misreads the sign in {self.text}")
        return source

    def _call(self, name: str) -> str:
        arguments = [self._whole()]
        while self._next(","):
            arguments.append(self._whole())
        self._expect(")")
        if _ARITY.get(name) != len(arguments):
            raise NotEvaluable(f"{name} of {len(arguments)} in {self.text}")
        return f"{name}({', '.join(arguments)})"

    def _parameter(self, name: str) -> str:
        if name in _ARITY or name == "ternary_fcn":
            raise NotEvaluable(f"{name} is a function")
        # A diffusion area is called `as`, and a lambda would be one in Python too.
        return f'NAMES["{name}"]' if iskeyword(name) else name

    def _after_operator(self) -> bool:
        before = self.tokens[self.at - 1] if self.at else ("", "(")
        return before[0] == "operator" and before[1] not in ("(", ")", ",", "!")

    def _peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def _next(self, *operators: str) -> str | None:
        """The next token, taken, if it is one of these operators."""
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "operator" and self._peek() in operators:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def _expect(self, operator: str) -> None:
        if not self._next(operator):
            raise NotEvaluable(self.text)

    def _take(self) -> tuple[str, str]:
        if self.at == len(self.tokens):
            raise NotEvaluable(self.text)
        self.at += 1
        return self.tokens[self.at - 1]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(text.rstrip())
    if not end:
        raise NotEvaluable("nothing is no number")
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotEvaluable(text)
        if match["number"]:
            yield "number", _number(match["number"], match["unit"])
        elif match["name"]:
            yield "name", match["name"]
        else:
            yield "operator", match["operator"]
        position = match.end()


def _number(digits: str, unit: str) -> str:
    """A number as Python writes it: always a float, whole numbers would be of any length."""
    if unit[:1] == "e":  # an exponent without digits, which is no number to ngspice
        raise NotEvaluable(f"{digits}{unit}")
    factor = 1e6 if unit.startswith("meg") else 1e-3 if unit.startswith("m") else _FACTORS.get(unit[:1], 1.0)
    value = float(digits) * factor
    if not math.isfinite(value):
        raise NotEvaluable(f"{digits}{unit}")
    return repr(value)


def parts(text: str, node: Callable[[str], str], source: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """An expression that ngspice evaluates during the run, in parts (text, name of a parameter); one of the two is empty.

    `node` renames the nodes inside v(), `source` the element inside i(); functions and what only the run knows stay text.
    Raises `NotEvaluable` for a function that ngspice does not know while it runs.
    """
    position = 0
    for match in _NAME.finditer(text):
        if match.start() < position:
            continue
        yield text[position : match.start()], ""
        if match["probe"]:
            rename = node if match["probe"].lower() == "v" else source
            yield f"{match['probe']}({','.join(rename(name.strip()) for name in match['nodes'].split(','))})", ""
        elif match["call"]:
            if match["name"].lower() not in _FUNCTIONS_OF_THE_RUN:
                raise NotEvaluable(f"{match['name']}() in {text}")
            yield match[0], ""
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
