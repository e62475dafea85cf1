"""Stimuli: digital lines with finite edges and current pulses, as exact PWL cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netlists.spice import Circuit, pwl
from netlists.timing import Timing


@dataclass(frozen=True)
class PhaseWindow:
    """When one layer is reset, accumulates and fires (seconds of simulated time)."""

    accumulate_s: float
    fire_s: float
    end_s: float

    @classmethod
    def regular(cls, accumulate_s: float, timing: Timing) -> PhaseWindow:
        """Accumulation and firing of one phase each."""
        return cls(accumulate_s, accumulate_s + timing.phase_s, accumulate_s + 2 * timing.phase_s)


def release_lead_s(timing: Timing) -> float:
    """The reset ends this long before accumulation starts, so that a spike at time zero meets a released membrane."""
    return 5 * timing.edge_s


def digital_line(
    circuit: Circuit, node: str, supply_v: float, high: Sequence[tuple[float, float]], edge_s: float, inverted: bool = False
) -> str:
    """Add a source that is high during the given (start, end) windows, each edge centred on its time; returns its name."""
    low_v, high_v = (supply_v, 0.0) if inverted else (0.0, supply_v)
    points: list[tuple[float, float]] = []
    for start, end in high:
        if start <= 0.0:
            points += [(0.0, high_v)]
        else:
            points += [(start - edge_s / 2, low_v), (start + edge_s / 2, high_v)]
        points += [(end - edge_s / 2, high_v), (end + edge_s / 2, low_v)]
    if not points or points[0][0] > 0.0:
        points.insert(0, (0.0, low_v))
    circuit.V(node, node, 0, pwl(points))
    return f"V{node}"


def line_pair(circuit: Circuit, node: str, supply_v: float, high: Sequence[tuple[float, float]], edge_s: float) -> list[str]:
    """A line and its complement `<node>_bar`; returns the names of both sources."""
    return [
        digital_line(circuit, node, supply_v, high, edge_s),
        digital_line(circuit, f"{node}_bar", supply_v, high, edge_s, inverted=True),
    ]


def control_lines(circuit: Circuit, layer: str, supply_v: float, window: PhaseWindow, timing: Timing, stop_s: float) -> list[str]:
    """`<layer>_phase` and `<layer>_reset` with their complements: reset, accumulation, firing, reset."""
    lead = release_lead_s(timing)
    phase = [(window.fire_s, window.end_s)]
    reset = [(0.0, window.accumulate_s - lead), (window.end_s + lead, stop_s + timing.phase_s)]
    return line_pair(circuit, f"{layer}_phase", supply_v, phase, timing.edge_s) + line_pair(
        circuit, f"{layer}_reset", supply_v, reset, timing.edge_s
    )


def current_pulse(circuit: Circuit, name: str, node: str, current_a: float, start_s: float, end_s: float, edge_s: float) -> None:
    """An ideal current drawn out of a node; its charge is current * (end - start)."""
    points = [
        (0.0, 0.0), (start_s - edge_s / 2, 0.0), (start_s + edge_s / 2, current_a),
        (end_s - edge_s / 2, current_a), (end_s + edge_s / 2, 0.0),
    ]  # fmt: skip
    circuit.I(name, node, 0, pwl(points))
