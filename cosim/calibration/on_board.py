"""What the model expects of a network on its board.

Steps of the converters are other codes, and a rest level that is off is where membranes start. What impedances before the biases
and loads on the spike lines do is one time a layer, by which every neuron is late: a resting column that is fired on the board
says it. Of a ripple on the supply the model knows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cosim.bench.bench import Bench, ColumnSize
from cosim.characterize.measurements import firing_time
from cosim.errors import CosimError
from netlists.board import IDEAL, Environment
from training.calibration.chip import ideal
from training.calibration.circuit import LayerCircuit
from training.calibration.program import LayerProgram, Program
from training.hardware import FloatArray


class BoardError(CosimError):
    """A resting column could not be fired on the board."""

    exit_code = 3


def spikes_on_board(
    bench: Bench, circuits: Sequence[LayerCircuit], program: Program, patterns: FloatArray, threshold_v: float
) -> list[FloatArray] | None:
    """Spikes of every layer of a network that is set to `program`, [patterns, out] in phases; None on a supply that ripples.

    Args:
        bench: its design has the board.
        circuits: the model of the cells where the bench is.
        patterns: input spikes, [patterns, in] in phases.
        threshold_v: of the neurons, below rest (V).

    Raises `BoardError`.
    """
    board = bench.design.environment
    if board.ripple_v:
        return None
    own = bench.design.neuron.own_discharger_bias
    found = []
    for number, (circuit, layer) in enumerate(zip(circuits, program, strict=True), 1):
        of_layer = board.of_layer(number == len(program))
        late = lateness(bench, circuit.discharger.nominal_v, of_layer, 1 if own else len(layer.bias_v))
        start, model = -board.rest_shift_v / threshold_v, circuit.model
        found.append(replace(circuit, model=replace(model, v_reset=model.v_reset + start, firing_t=model.firing_t + late)))
    return ideal(found, tuple(_stepped(layer, board) for layer in program), patterns)


def lateness(bench: Bench, bias_v: float, board: Environment, neurons: int) -> float:
    """By how much later (phases) a resting neuron fires behind the board's impedances and with its loads.

    Of a line that several `neurons` are on, each has its share: so many times the resistance, and that part of the capacitance.

    Raises `BoardError`.
    """
    if not board.delays:
        return 0.0
    share = IDEAL.model_copy(
        update={
            "source_resistance_ohm": board.source_resistance_ohm * neurons,
            "source_capacitance_f": board.source_capacitance_f / neurons,
            "line_load_f": board.line_load_f,
        }
    )
    size = ColumnSize.in_use(bench.design.shape)[0]
    points = [point for one in (IDEAL, share) for point in firing_time.points(bench, size, [bias_v], one)]
    results = bench.run(points)
    spikes = [np.nan if (row := results.row(point)) is None else row["spike_s"] for point in points]
    if not np.isfinite(spikes).all():
        raise BoardError(f"a resting column does not fire on the board, its discharger at {bias_v:.4f} V")
    return float(spikes[1] - spikes[0]) / bench.design.timing.phase_s


def _stepped(layer: LayerProgram, board: Environment) -> LayerProgram:
    """What converters make of codes and biases; a code that is off stays at its rail."""
    on_step = np.vectorize(board.on_step, otypes=[float])
    return replace(layer, code_v=np.where(layer.sign == 0, layer.code_v, on_step(layer.code_v)), bias_v=on_step(layer.bias_v))
