"""A ladder of neuron models, each with one more term, and what each misses on spike patterns that it has not seen.

The lower rungs are fitted to waveforms of spike patterns; the currents at rest are those of the cell's own I-V curves. The last
two are not fitted to any waveform: they are the extracted hardware model, and the same with the parabolas of the cell's own I-V
curves in the place of those that it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cosim.bench.bench import Bench
from cosim.bench.lines import rms
from cosim.fits.ladder_rungs import EVERY_SAMPLE, FITTED, CurrentCurves, RungForm, current_curves, in_linear_range
from cosim.fits.membrane_model import FloatArray, NeuronParameters, Stimuli, Trace, displacement
from cosim.fits.patterns import SYNAPSES, Pattern, random_patterns, simulate_patterns, with_synapses
from netlists.synapse import SIGNS
from training.hardware import HardwareModel

if TYPE_CHECKING:
    import pandas as pd

EXTRACTED, AS_MEASURED = "hardware model", "hardware model, currents as measured"
TRAINING_SEED, HELD_OUT_SEED, PATTERNS = 11, 22, 8
"""Seeds of the patterns that are fitted and judged, and how many there are of each."""


def ladder(bench: Bench, hardware: HardwareModel, fit_on: Sequence[Pattern], judged_on: Sequence[Pattern]) -> pd.DataFrame:
    """Simulate both sets of patterns and climb the ladder.

    Args:
        hardware: extracted at the bench's corner.
        fit_on, judged_on: patterns of one size (`random_patterns`), the latter held out.

    Returns:
        One row a rung: `rung, fitted_parameters, fit_rms_v, held_out_rms_v, held_out_worst_v` of the membrane over the samples in
        the linear range. Raises `PatternError`.
    """
    loaded = with_synapses(hardware, len(fit_on[0].weights))
    fitting, held_out = (_simulated(bench, loaded, chosen) for chosen in (fit_on, judged_on))
    return climb(loaded, fitting, held_out, current_curves(bench, loaded), bench.cells().neuron.drawn_capacitance_f)


def climb(
    loaded: HardwareModel, fitting: Simulated, held_out: Simulated, curves: Mapping[int, CurrentCurves], drawn_f: float
) -> pd.DataFrame:
    """The table of `ladder` from waveforms that are there; `drawn_f` is the drawn capacitance (F)."""
    import pandas as pd

    rows, x = [], np.zeros(0)
    for rung in FITTED:
        form = RungForm(rung, loaded, fitting.currents_a(loaded), drawn_f, curves)
        x = form.fitted(fitting.traces, x)
        judged = replace(form, currents_a=held_out.currents_a(loaded))
        rows.append(_row(rung, len(x), form.error_v(x, fitting.traces), judged.error_v(x, held_out.traces)))
    for rung, used in ((EXTRACTED, None), (AS_MEASURED, curves)):
        rows.append(_row(rung, 0, *(extracted_error_v(loaded, part, used) for part in (fitting, held_out))))
    return pd.DataFrame(rows)


def holdout_membrane_rms_v(bench: Bench, hardware: HardwareModel, count: int = PATTERNS, seed: int = HELD_OUT_SEED) -> float:
    """Rms error (V) of the extracted model with currents as measured, the top rung, over random patterns at the corner."""
    loaded = with_synapses(hardware, SYNAPSES)
    held_out = _simulated(bench, loaded, random_patterns(hardware, count, seed))
    return rms(extracted_error_v(loaded, held_out, current_curves(bench, loaded)))


@dataclass(frozen=True)
class Simulated:
    """Patterns and their waveforms."""

    patterns: Sequence[Pattern]
    traces: Sequence[Trace]

    def currents_a(self, hardware: HardwareModel) -> FloatArray:
        """Signed currents at rest of all synapses, as the spikes of the traces number them."""
        return np.concatenate([pattern.weights for pattern in self.patterns]) * hardware.unit_current_a


def _simulated(bench: Bench, loaded: HardwareModel, patterns: Sequence[Pattern]) -> Simulated:
    return Simulated(patterns, simulate_patterns(bench, loaded, patterns))


def _row(rung: str, fitted: int, fit_error_v: FloatArray, held_out_error_v: FloatArray) -> dict[str, float | str]:
    return {
        "rung": rung, "fitted_parameters": fitted, "fit_rms_v": rms(fit_error_v), "held_out_rms_v": rms(held_out_error_v),
        "held_out_worst_v": float(np.abs(held_out_error_v).max()),
    }  # fmt: skip


def extracted_error_v(hardware: HardwareModel, part: Simulated, curves: Mapping[int, CurrentCurves] | None) -> FloatArray:
    """Hardware model minus circuit at every sample of the linear range, with the currents of `curves` if there are any."""
    stimuli = Stimuli(part.traces, sum(len(p.weights) for p in part.patterns), EVERY_SAMPLE)
    u = displacement(extracted_parameters(hardware, part.currents_a(hardware), curves), stimuli)[:, 0].real
    inside = in_linear_range(hardware, stimuli.sample_v)
    curve = hardware.neuron.membrane
    return np.asarray(curve(np.clip(u[inside], curve.x[0], curve.x[-1])) - stimuli.sample_v[inside])


def extracted_parameters(
    hardware: HardwareModel, currents_a: FloatArray, curves: Mapping[int, CurrentCurves] | None
) -> NeuronParameters:
    """The hardware model as parameters of the equation, for synapses of these signed currents at rest."""
    size = np.abs(currents_a)
    current, beta, curvature, kick = size.copy(), np.zeros_like(size), np.zeros_like(size), np.zeros_like(size)
    for sign in SIGNS:
        own, cell = currents_a * sign > 0, hardware.synapse(sign)
        kick[own] = cell.charge_on(size[own])
        beta[own], curvature[own] = cell.slope_and_curvature(size[own])
        if curves is not None:
            current[own], beta[own], curvature[own] = curves[sign](size[own])
    signs = np.sign(currents_a)
    zero = np.zeros(1)
    return NeuronParameters(
        np.array([hardware.neuron.capacitance_f]), np.array([hardware.neuron.reset_error.value]), zero, zero,
        current_a=(signs * current)[None], beta_per_v=(signs * beta)[None], curvature_per_v2=curvature[None],
        charge_on_c=kick[None], charge_off_c=np.zeros((1, len(size))),
    )  # fmt: skip
