"""Parameters and random numbers of a deck while it is flattened."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from types import CodeType

from cosim.simulator.expressions import FUNCTIONS, compiled, evaluate, normal_deviate, uniform_deviate

Known = float | Callable[..., float]


def sign(x: float) -> float:
    return float((x > 0) - (x < 0))


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
            "agauss": lambda nominal, spread, sigmas: nominal + spread / sigmas * self._draw(normal_deviate),
            "gauss": lambda nominal, spread, sigmas: nominal * (1 + spread / sigmas * self._draw(normal_deviate)),
            "aunif": lambda nominal, spread: nominal + spread * self._draw(uniform_deviate),
            "unif": lambda nominal, spread: nominal * (1 + spread * self._draw(uniform_deviate)),
            "limit": lambda nominal, spread: nominal + spread * sign(self._draw(uniform_deviate)),
        }

    def _draw(self, deviate: Callable[..., float]) -> float:
        self._count += 1
        return self._unseeded_z if self.seed is None else deviate(self.seed, self._where, self._count)

    def note(self) -> None:
        """A parameter that depends on a draw was read."""
        self._used = True

    def evaluate(self, code: CodeType, scope: Mapping[str, Known], where: str) -> tuple[float, bool]:
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

    def _matters(self, code: CodeType, scope: Mapping[str, Known], value: float) -> bool:
        """Whether the draws in an expression count: the libraries switch most of them off by a factor of zero."""
        if self.seed is not None:
            return True
        self._unseeded_z = 1.0
        try:
            return evaluate(code, scope) != value
        finally:
            self._unseeded_z = 0.0


class Scope(dict[str, Known]):
    """The parameters of a place, each evaluated when it is first asked for.

    ngspice evaluates those of a call one after the other, and looks for a name among those before, then in the calling circuit,
    its caller, ... and at the top level: so does an expression here. At the top level they may stand in any order.
    """

    def __init__(self, draws: Draws, path: str, caller: Scope | None = None, hspice: bool = False) -> None:
        super().__init__()
        self._draws, self._path, self._caller, self._hspice = draws, path, caller, hspice
        self._given: dict[str, tuple[str, Mapping[str, Known]]] = {}
        self._place: dict[str, int] = {}
        self._random: set[str] = set()
        self._being_evaluated: set[str] = set()

    def define(self, name: str, expression: str) -> None:
        """Give a parameter its expression; a later definition replaces an earlier one. A top-level parameter sees all others."""
        self._place[name] = -1 if self._caller is None else len(self._place)
        self._given[name] = expression, self if self._caller is None else _Earlier(self, self._place[name])
        self.pop(name, None)

    def define_draw(self, name: str, expression: str) -> None:
        """A parameter that draws a random number: ngspice puts its expression wherever it is used."""
        self._place[name] = -1
        self._given[name] = expression, self
        self.pop(name, None)

    @property
    def names(self) -> Collection[str]:
        """Of the parameters that are defined here."""
        return self._given.keys()

    def expression(self, name: str) -> str:
        """What a parameter of this scope was defined as."""
        return self._given[name][0]

    def evaluate_all(self) -> None:
        """Evaluate what there is. Raises `NotEvaluable` for what cannot be evaluated."""
        for name in self._given:
            self[name]

    def is_before(self, name: str, place: int) -> bool:
        """Whether a parameter of this scope is defined by the time that the one at `place` is evaluated."""
        return self._place.get(name, place) < place

    def outside(self, name: str) -> Known:
        """What a name means in the calling circuit, its callers, at the top level, or as a function."""
        if self._caller is not None:
            return self._caller[name]
        found = self._draws.functions.get(name) or FUNCTIONS.get(name)
        if found is None:
            raise KeyError(name)  # which Python turns into a NameError, or finds elsewhere
        return found

    def __getitem__(self, name: str) -> Known:
        if name in self._random:
            self._draws.note()
        return super().__getitem__(name)

    def __missing__(self, name: str) -> Known:
        if name not in self._given:
            return self.outside(name)
        if name in self._being_evaluated:
            raise KeyError(f"{name} is defined by itself")
        expression, names = self._given[name]
        value = compiled(expression, self._hspice)
        if not isinstance(value, float):
            self._being_evaluated.add(name)
            try:
                value, random = self._draws.evaluate(value, names, self._path + name)
            finally:
                self._being_evaluated.discard(name)
            if random:
                self._random.add(name)
        self[name] = value
        return value

    def forget_draws(self) -> None:
        """What depends on a draw is evaluated anew when next asked for."""
        for name in self._random:
            self.pop(name, None)
        self._random.clear()


class _Earlier(Mapping[str, Known]):
    """What the parameter at one place of a scope can see: those before it, and what is outside."""

    def __init__(self, scope: Scope, place: int) -> None:
        self._scope, self._until = scope, place

    def __getitem__(self, name: str) -> Known:
        return self._scope[name] if self._scope.is_before(name, self._until) else self._scope.outside(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._scope.names if self._scope.is_before(name, self._until))

    def __len__(self) -> int:
        return sum(1 for _ in self)
