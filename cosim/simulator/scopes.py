"""Parameters and random numbers of a deck while it is flattened."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType

from cosim.simulator.expressions import FUNCTIONS, compiled, evaluate, normal_deviate, uniform_deviate

Known = float | Callable[..., float]


class Draws:
    """The random functions of a deck for one seed; without a seed every draw is its nominal value.

    A draw depends on the seed, on the parameter or device in whose expression it stands and on its place there, and on nothing
    else: a device more or less, or another order, leaves all other draws as they are.
    """

    def __init__(self) -> None:
        self.seed: int | None = None
        self._used = False
        self._where, self._count = "", 0
        self._unseeded_z = 0.0
        self.functions: dict[str, Callable[..., float]] = {
            # ngspice manual, chapter 2.9.5: absolute or relative to the nominal value; the spread is at so many sigmas
            "agauss": lambda nominal, spread, sigmas=1.0: nominal + spread / sigmas * self._draw(normal_deviate),
            "gauss": lambda nominal, spread, sigmas=1.0: nominal * (1 + spread / sigmas * self._draw(normal_deviate)),
            "aunif": lambda nominal, spread: nominal + spread * self._draw(uniform_deviate),
            "unif": lambda nominal, spread: nominal * (1 + spread * self._draw(uniform_deviate)),
        }

    def _draw(self, deviate: Callable[..., float]) -> float:
        self._count += 1
        return self._unseeded_z if self.seed is None else deviate(self.seed, self._where, self._count)

    def note(self) -> None:
        """A parameter that depends on a draw was read."""
        self._used = True

    def evaluate(self, code: CodeType, scope: Scope, where: str) -> tuple[float, bool]:
        """The value of an expression that stands at `where`, and whether it depends on a draw."""
        outside = self._where, self._count, self._used
        self._where, self._count, self._used = where, 0, False
        try:
            value = evaluate(code, scope)
            random = self._used or (self._count > 0 and self._matters(code, scope, value))
        finally:
            self._where, self._count, self._used = outside
        self._used |= random
        return value, random

    def _matters(self, code: CodeType, scope: Scope, value: float) -> bool:
        """Whether the draws in an expression count: the libraries switch most of them off by a factor of zero."""
        if self.seed is not None:
            return True
        self._unseeded_z = 1.0
        try:
            return evaluate(code, scope) != value
        finally:
            self._unseeded_z = 0.0


class Scope(dict[str, Known]):
    """Parameters by name, each evaluated when it is first asked for; those outside are those of the library."""

    def __init__(self, draws: Draws, path: str, outer: Scope | None = None) -> None:
        super().__init__()
        self._draws, self._path, self._outer = draws, path, outer
        self._given: dict[str, tuple[str, Scope]] = {}
        self._random: set[str] = set()

    def define(self, name: str, expression: str, read_in: Scope | None = None) -> None:
        """Give a parameter its expression, read in this scope or in the caller's; a later definition replaces an earlier one."""
        # An empty scope is false, as any empty dictionary is.
        self._given[name] = expression, self if read_in is None else read_in
        self.pop(name, None)

    def __getitem__(self, name: str) -> Known:
        if name in self._random:
            self._draws.note()
        return super().__getitem__(name)

    def __missing__(self, name: str) -> Known:
        if name not in self._given:
            return self._elsewhere(name)
        expression, scope = self._given[name]
        value = compiled(expression)
        if not isinstance(value, float):
            value, random = self._draws.evaluate(value, scope, self._path + name)
            if random:
                self._random.add(name)
        self[name] = value
        return value

    def _elsewhere(self, name: str) -> Known:
        if self._outer is not None:
            return self._outer[name]
        found = self._draws.functions.get(name) or FUNCTIONS.get(name)
        if found is None:
            raise KeyError(name)  # which Python turns into a NameError, or finds elsewhere
        return found

    def forget_draws(self) -> None:
        """What depends on a draw is evaluated anew when next asked for."""
        for name in self._random:
            self.pop(name, None)
        self._random.clear()
