"""The board that a network stands on: sources and loads that are not ideal, of which no characterisation knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from netlists.section import Section

if TYPE_CHECKING:
    from netlists.crossbar import Sources
    from netlists.neuron import SpikeLine


class Environment(Section):
    """What a board adds to the circuit of a network. Cells are characterised on ideal sources, so that all of it is an error."""

    bias_step_v: float = Field(default=0.0, ge=0.0, le=0.1, description="steps of the converters that set codes and biases")
    source_resistance_ohm: float = Field(default=0.0, ge=0.0, le=1e9, description="in front of each bias line")
    source_capacitance_f: float = Field(default=0.0, ge=0.0, le=1e-6, description="of each bias line to ground, behind it")
    ripple_v: float = Field(default=0.0, ge=0.0, le=1.0, description="amplitude of a sine on the supply")
    ripple_hz: float = Field(default=10e6, gt=0.0, le=1e10, description="its frequency")
    rest_shift_v: float = Field(default=0.0, ge=-0.5, le=0.5, description="by which the rest level is off")
    line_load_f: float = Field(default=0.0, ge=0.0, le=1e-9, description="on the spike line of each neuron and its complement")
    output_load_f: float = Field(
        default=0.0, ge=0.0, le=1e-9, description="on those of the outputs besides: pads, and what the board reads them with"
    )

    @property
    def is_shared(self) -> bool:
        """Whether neurons meet on the board: the phase of a ripple, the impedance of a line that several are on."""
        return bool(self.ripple_v or self.source_resistance_ohm)

    @property
    def delays(self) -> bool:
        """Whether it delays every spike: impedances before the biases, loads on the spike lines."""
        return bool(self.source_resistance_ohm or self.line_load_f)

    def of_layer(self, is_last: bool) -> Environment:
        """As the neurons of a layer see it: what loads the outputs is on their lines, and on no other."""
        load_f = self.line_load_f + self.output_load_f * is_last
        return self.model_copy(update={"line_load_f": load_f, "output_load_f": 0.0})

    def loads(self, lines: Iterable[SpikeLine]) -> dict[str, float]:
        """What is on each of the spike lines of a layer (F), by node; nothing where that is none."""
        return {node: self.line_load_f for line in lines for node in (line.true, line.bar)} if self.line_load_f else {}

    def on_step(self, bias_v: float) -> float:
        """What a converter makes of a bias (V) that is not at its rail."""
        return float(f"{round(bias_v / self.bias_step_v) * self.bias_step_v:.12g}") if self.bias_step_v else bias_v

    def around(self, netlist: str, sources: Sources, loads: Mapping[str, float], supply_v: float) -> str:
        """A circuit on the board.

        Args:
            netlist: a card a line, as it was made with ideal sources.
            loads: on its nodes (F).
            supply_v: as designed. A bias that is off sits at a rail and on no step.
        """
        if self == IDEAL and not loads:
            return netlist
        cards = netlist.splitlines()
        copies = dict(_copies(cards))
        found = list[str]()
        for card in cards:
            name = card.partition(" ")[0]
            if name in sources.bias:
                found += self._bias(card, copies, supply_v)
            elif name in sources.rest:
                found.append(_at_level(card, _level(card) + self.rest_shift_v))
            elif self.ripple_v and name in (*sources.supply, "Vspike_supply"):
                line = card.split()[1]
                found.append(f"{name} {line} 0 SIN({_level(card)!r} {self.ripple_v!r} {self.ripple_hz!r})")
            else:
                found.append(card)
        found += [f"C{node}_load {node} 0 {farad!r}" for node, farad in loads.items()]
        return "".join(f"{card}\n" for card in found)

    def _bias(self, card: str, copies: dict[str, int], supply_v: float) -> Iterator[str]:
        """A bias on its step, behind its impedance; what stands for several lines that are alike is all of them in parallel."""
        name, line = card.split()[:2]
        level = _level(card)
        if level not in (0.0, supply_v):
            level = self.on_step(level)
        count = copies.get(line, 1)
        if self.source_resistance_ohm:
            yield f"{name} {line}_source 0 {level!r}"
            yield f"R{line} {line}_source {line} {self.source_resistance_ohm / count!r}"
        else:
            yield f"{name} {line} 0 {level!r}"
        if self.source_capacitance_f:
            yield f"C{line} {line} 0 {self.source_capacitance_f * count!r}"


IDEAL = Environment()


def _level(card: str) -> float:
    return float(card.split()[3])


def _at_level(card: str, volts: float) -> str:
    return " ".join([*card.split()[:3], repr(volts)])


def _copies(cards: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The nodes of cells that stand for several, and for how many."""
    for card in cards:
        if card.startswith("X") and (last := card.split()[-1]).startswith("m="):
            yield from ((word, int(last[2:])) for word in card.split()[1:-1])
