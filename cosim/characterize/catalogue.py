"""What can be measured: the one catalogue that extraction, sweeps and datasheets take from.

A measurement is one file: a generator of points, a pure function from waveforms to a row of numbers, a line that says what it is,
and what a datasheet reads off its rows. It registers itself where it is written:

    @measurement("leakage", "current through a synapse whose weight is zero (DC)")
    def leakage(bench: Bench) -> Iterator[Point]:
        yield Point({}, bench.deck(...), current_of_membrane)

    @leakage.gives(Parameter("leakage_a", "current of a synapse of weight 0", "A", group=SYNAPSE))
    def parameters(measured, design, known):
        return of_one_point(measured, {"leakage_a": "leakage_a"})

Ours are the modules of `cosim.characterize.measurements`; an installed package adds its own by entry points in the group
`cosim.measurements`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cosim.bench.bench import Bench
from cosim.bench.results import Measured
from cosim.design import Design
from cosim.simulator import Point
from netlists.registry import Registry

NAN = float("nan")
SYNAPSE, NEURON = "synapse", "neuron"
"""Groups of parameters on a datasheet, beside those of each sign of the synapse."""

Points = Callable[[Bench], Iterator[Point]]
Read = Callable[[Sequence[Measured], Design, Mapping[str, float]], Mapping[str, float]]
"""From what was measured of one circuit, its design, and the parameters that are known before, to parameters by name.

What could not be measured is absent or NaN.
"""


@dataclass(frozen=True)
class Parameter:
    """One line of a datasheet. `point` is what the condition of its measurement's point must hold, beside that of the circuit.

    `scale` is log where it is spread over factors: its statistics are those of its logarithm. `measurement` is filled in.
    """

    name: str
    what: str
    unit: str
    point: tuple[tuple[str, Any], ...] = ()
    scale: Literal["linear", "log"] = "linear"
    group: str = NEURON
    measurement: str = ""


class Measurement:
    """Something to measure on the cells of a design: `points` makes the decks of one condition."""

    def __init__(self, name: str, what: str, points: Points) -> None:
        self.__module__ = points.__module__  # where it is registered, which the catalogue is ordered by
        self.name, self.what, self.points = name, what, points
        self.parameters: tuple[Parameter, ...] = ()
        """What a datasheet reads off it."""
        self.datasheet_points: Points = points
        """The points that these are read from."""
        self.needs: tuple[str, ...] = ()
        """Parameters of other measurements that they follow from."""
        self.place = 0
        self.read: Read = lambda measured, design, known: {}

    def gives(
        self, *parameters: Parameter, needs: Iterable[str] = (), points: Points | None = None, place: int = 0
    ) -> Callable[[Read], Read]:
        """A decorator for the function that reads these parameters off what was measured.

        Args:
            needs: parameters of other measurements that it takes from `known`.
            points: those that they are read from; all of the measurement where None.
            place: where they stand in their group of a datasheet; the lower, the earlier.
        """
        self.parameters = tuple(replace(one, measurement=self.name) for one in parameters)
        self.needs, self.datasheet_points, self.place = tuple(needs), points or self.points, place

        def take(read: Read) -> Read:
            self.read = read
            return read

        return take


MEASUREMENTS: Registry[Measurement] = Registry("cosim.measurements", "measurement", "cosim.characterize.measurements")
"""All measurements by name."""


def measurement(name: str, what: str) -> Callable[[Points], Measurement]:
    """A decorator that puts a generator of points into the catalogue. Raises `RegistrationError` for a name that is taken."""

    def register(points: Points) -> Measurement:
        made = Measurement(name, what, points)
        MEASUREMENTS.add(name, made)
        return made

    return register


def of_one_point(measured: Sequence[Measured], columns: Mapping[str, str]) -> dict[str, float]:
    """Columns of a measurement of one point, by the parameter's name; NaN where that point failed."""
    row = measured[0].row if measured else None
    return {name: NAN if row is None else float(row[column]) for name, column in columns.items()}
