"""What can be chosen by name and added to: each such thing registers itself where it is written, in our house or in another.

An installed package adds one by an entry point in the group of the registry. The entry point has the name of the thing, and
names the module that registers it:

    [project.entry-points."cosim.synapses"]
    tail_resistor = "my_package.tail_resistor"
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from netlists.errors import NetlistError

T = TypeVar("T")
_Registered = TypeVar("_Registered")

_LOG = logging.getLogger(__name__)


class RegistrationError(NetlistError):
    """A thing that cannot be registered, or a registry that is read while it is being filled."""


class Registry(Mapping[str, T]):
    """Things of one sort by their names, in the order of their modules, ours first.

    It is filled when it is first read. A package that cannot be loaded is left out and told of in one line, which `broken` keeps.
    """

    def __init__(self, group: str, what: str, package: str = "") -> None:
        """
        Args:
            group: of entry points, such as `cosim.synapses`.
            what: one thing, as messages call it, such as `synapse`.
            package: whose modules register ours; empty where another room sees to that.
        """
        self.group, self.what, self.package = group, what, package
        self._things: dict[str, T] = {}
        self._broken: list[str] = []
        self._filled = self._filling = False

    def register(self, name: str) -> Callable[[_Registered], _Registered]:
        """A decorator that registers what it stands on. Raises `RegistrationError` for a name that is taken."""

        def add(thing: _Registered) -> _Registered:
            self.add(name, thing)
            return thing

        return add

    def add(self, name: str, thing: Any) -> None:
        """Register a thing. Raises `RegistrationError` for a name that is taken."""
        if name in self._things:
            raise RegistrationError(
                f"{self.what} {name!r} is taken: {_module(self._things[name])} registers it; choose another name"
            )
        self._things[name] = thing

    @property
    def broken(self) -> tuple[str, ...]:
        """A line for each package whose thing could not be loaded."""
        self._fill()
        return tuple(self._broken)

    def refusal(self, name: object) -> str:
        """What is wrong with a name that nothing here has, and what would be right."""
        known = ", ".join(repr(one) for one in self)
        return "; ".join([f"must be {known}", f"it is {name!r}" if name is not None else "it is missing", *self._broken])

    def __getitem__(self, name: str) -> T:
        self._fill()
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return iter(self._things)

    def __len__(self) -> int:
        self._fill()
        return len(self._things)

    def _fill(self) -> None:
        if self._filled:
            return
        if self._filling:
            raise RegistrationError(f"the list of every {self.what} is being made: what registers one cannot ask for it")
        self._filling = True
        try:
            if self.package:
                self._import_ours()
            for entry in sorted(entry_points(group=self.group), key=lambda entry: (_package(entry), entry.name)):
                self._load(entry)
        finally:
            self._filling = False
        self._filled = True

    def _import_ours(self) -> None:
        """Import the modules of our package; what was imported before in another order is put in theirs."""
        path = importlib.import_module(self.package).__path__
        modules = [f"{self.package}.{module.name}" for module in pkgutil.iter_modules(path)]
        for module in modules:
            importlib.import_module(module)
        place = {module: k for k, module in enumerate(modules)}
        self._things = dict(sorted(self._things.items(), key=lambda item: place.get(_module(item[1]), len(place))))

    def _load(self, entry: EntryPoint) -> None:
        """Take in what an entry point registers; nothing of it where something is wrong."""
        before = dict(self._things)
        try:
            entry.load()
            if entry.name not in self._things:
                raise RegistrationError(f"it registers no {self.what} of that name")
        except Exception as error:
            self._things = before
            reason = str(error) if isinstance(error, RegistrationError) else f"{type(error).__name__}: {error}"
            line = (
                f"package {_package(entry)}: {self.what} {entry.name!r} ({entry.value}) is left out: {' '.join(reason.split())}"
            )
            self._broken.append(line)
            _LOG.warning(line)


def _module(thing: Any) -> str:
    return str(getattr(thing, "__module__", ""))


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module
