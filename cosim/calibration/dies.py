"""Dies judged, calibrated and judged again: a row a die, what it is set to, and what is known of its devices."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cosim.bench.lines import rms
from cosim.calibration.conditions import Elsewhere, carried_over
from cosim.calibration.nominal import Nominal
from cosim.calibration.replica import Replicas
from cosim.design.sections import Calibration
from training.calibration.calibrate import Calibrated, Settings, calibrate
from training.calibration.chip import Chip, NoisyChip
from training.calibration.program import Program
from training.calibration.reach import Freedom
from training.hardware import FloatArray


def settings_of(section: Calibration, own_biases: bool, phase_s: float) -> Settings:
    """The section of a design as the calibration takes it, in phases."""
    return Settings(
        rounds=section.patterns,
        boost_v=section.boost_v,
        jitter=section.jitter_s / phase_s,
        model_error=section.model_error_s / phase_s,
        pattern_step=section.pattern_step,
        freedom=Freedom(own_biases, section.code_step_v, section.code_margin_v),
        loop=section.loop_steps,
        identified=section.identify,
    )


@dataclass(frozen=True)
class Judged:
    """A die on the test inputs: rms of the outputs and of all other layers against the nominal network (s), share of the labels
    that are its, and that are right."""

    rmse_s: float
    hidden_rmse_s: float
    labels: float
    accuracy: float

    @classmethod
    def of(cls, spikes: Sequence[FloatArray], nominal: Nominal) -> Judged:
        misses = [own - wanted for own, wanted in zip(spikes, nominal.wanted, strict=True)]
        hidden = np.concatenate([miss.ravel() for miss in misses[:-1]]) if len(misses) > 1 else np.zeros(0)
        own, wanted = (x[:, : nominal.classes].argmin(1) for x in (spikes[-1], nominal.wanted[-1]))
        return cls(
            rms(misses[-1]) * nominal.phase_s,
            rms(hidden) * nominal.phase_s if len(hidden) else 0.0,
            float((own == wanted).mean()),
            float((own == nominal.labels).mean()),
        )


@dataclass(frozen=True)
class CalibratedDie:
    """One die: its row, and what it took."""

    row: dict[str, Any]
    calibrated: Calibrated


@dataclass(frozen=True, eq=False)
class Moved:
    """The same die at another condition: with the circuit's biases as they are, and as they are set there, by the
    characterisation of that condition or by replicas."""

    elsewhere: Elsewhere | Replicas
    as_is: Chip
    chip: Chip

    def program(self, own: Program, found: Calibrated, nominal: Nominal, freedom: Freedom) -> Program:
        """What a die that is set to `own` is set to there; nothing of it is measured there."""
        if isinstance(self.elsewhere, Replicas):
            return self.elsewhere.program(own)
        there = carried_over(found.estimates, nominal.circuits, self.elsewhere.nominal.circuits)
        return self.elsewhere.program(there, nominal, freedom)


def calibrated_die(
    chip: Chip, number: int, nominal: Nominal, settings: Settings, condition: str, moved: Moved | None = None
) -> CalibratedDie:
    """Calibrate a die, and judge it before and after.

    Args:
        number: of the die; also seeds the jitter.
        condition: what tells this calibration from others of the same dies.
        moved: then the calibrated die, at another condition, before and after it is set for that.
    """
    seen = NoisyChip(chip, settings.jitter, number) if settings.jitter else chip
    timed = _Timed(seen)
    started = time.process_time()
    found = calibrate([timed], nominal.circuits, nominal.program, nominal.samples, settings)
    own_s = time.process_time() - started - timed.cpu_s
    own, chips = tuple(layer.die(0) for layer in found.program), (chip, chip)
    if moved is None:
        programs = (nominal.program, own)
    else:
        chips, programs = (moved.as_is, moved.chip), (own, moved.program(own, found, nominal, settings.freedom))
    before, after = (
        Judged.of(one.observe(program, nominal.tests), nominal) for one, program in zip(chips, programs, strict=True)
    )
    return CalibratedDie(_row(number, condition, before, after, found, nominal, own_s), found)


@dataclass
class _Timed:
    """A chip that counts what it takes of this process, which is not the calibration's."""

    chip: Chip
    cpu_s: float = 0.0

    def observe(self, program: Program, patterns: FloatArray) -> list[FloatArray]:
        started = time.process_time()
        spikes = self.chip.observe(program, patterns)
        self.cpu_s += time.process_time() - started
        return spikes


def _row(
    number: int, condition: str, before: Judged, after: Judged, found: Calibrated, nominal: Nominal, own_s: float
) -> dict[str, Any]:
    return {
        "condition": condition,
        "die": number,
        "patterns": sum(one.shape[1] for one in found.patterns),
        "samples": len(nominal.tests),
        **{f"before_{name}": value for name, value in vars(before).items()},
        **{f"after_{name}": value for name, value in vars(after).items()},
        **told(found, nominal),
        "cpu_s": own_s,
    }


def told(found: Calibrated, nominal: Nominal) -> dict[str, float]:
    """What a calibration of one die says of itself: what its plans expected of the outputs, share of the observations of the
    first and the last layer that count, and misfit."""
    ends = found.estimates[-1], found.estimates[0]
    return {
        "expected_rmse_s": float(found.expected[-1][0, -1, -1]) * nominal.phase_s if found.expected else float("nan"),
        "used_share": float(np.mean([one.used for one in ends])),
        "misfit": float(np.sqrt(np.mean([one.misfit**2 for one in found.estimates]))),
    }


def program_table(number: int, condition: str, program: Program, nominal: Program) -> pd.DataFrame:
    """One row a synapse, and one a discharger: what it is set to, and what the nominal network's is."""
    rows = list[dict[str, Any]]()
    for layer, (own, designed) in enumerate(zip(program, nominal, strict=True), 1):
        for k, j in np.ndindex(*designed.sign.shape):
            sign = int(own.sign[0, k, j])
            codes = (float(x) if sign else float("nan") for x in (own.code_v[0, k, j], designed.code_v[k, j]))
            rows.append(_setting(condition, number, layer, k, f"input {j}", sign, *codes))
        for k, bias in enumerate(own.bias_v[0]):
            rows.append(_setting(condition, number, layer, k, "discharger", 1, float(bias), float(designed.bias_v[k])))
    return pd.DataFrame(rows)


def _setting(
    condition: str, die: int, layer: int, neuron: int, device: str, sign: int, code: float, nominal: float
) -> dict[str, Any]:
    return {
        "condition": condition, "die": die, "layer": layer, "neuron": neuron, "device": device, "sign": sign, "code_v": code,
        "nominal_v": nominal,
    }  # fmt: skip


def device_table(number: int, condition: str, found: Calibrated, nominal: Nominal) -> pd.DataFrame:
    """One row an unknown: what it was found to be, and how well that is known."""
    rows = list[dict[str, Any]]()
    for layer, (circuit, estimate) in enumerate(zip(nominal.circuits, found.estimates, strict=True), 1):
        n = circuit.inputs
        names = [*(f"n {j}" for j in range(n)), *(f"p {j}" for j in range(n)), "threshold", "discharger", "boost"]
        units = [*["V"] * (2 * n), "", "V", ""]
        sigma = np.sqrt(np.einsum("kii->ki", estimate.covariance[0])) * circuit.sigma
        value = estimate.unknown[0] * circuit.sigma
        rows += [
            {
                "condition": condition, "die": number, "layer": layer, "neuron": k, "device": name, "unit": unit,
                "value": float(value[k, i]), "sigma": float(sigma[k, i]), "prior_sigma": float(circuit.sigma[i]),
            }
            for k in range(len(value))
            for i, (name, unit) in enumerate(zip(names, units, strict=True))
        ]  # fmt: skip
    return pd.DataFrame(rows)


def loop_table(number: int, condition: str, found: Calibrated, nominal: Nominal) -> pd.DataFrame:
    """One row a step of a die that was in the loop; none where it was not."""
    seen = found.loop_rmse[0] if found.loop_rmse else ()
    rows = [
        {"condition": condition, "die": number, "step": step, "seen_rmse_s": rmse * nominal.phase_s}
        for step, rmse in enumerate(seen)
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Yield:
    """How many of so many dies meet a limit, and the 95 % interval of their share (Clopper and Pearson)."""

    passed: int
    dies: int
    low: float
    high: float

    @classmethod
    def of(cls, passed: Sequence[bool]) -> Yield:
        from scipy.stats import binomtest

        count = sum(map(bool, passed))
        interval = binomtest(count, len(passed)).proportion_ci()
        return cls(count, len(passed), float(interval.low), float(interval.high))


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Over the dies of one condition: rms of the errors, worst die, share of labels."""
    return {
        "dies.count": float(len(rows)),
        "dies.patterns": float(rows.patterns.max()),
        "dies.before_rmse_s": rms(rows.before_rmse_s),
        "dies.before_labels": float(rows.before_labels.mean()),
        "dies.after_rmse_s": rms(rows.after_rmse_s),
        "dies.after_worst_die_s": float(rows.after_rmse_s.max()),
        "dies.after_labels": float(rows.after_labels.mean()),
        "dies.cpu_s": float(rows.cpu_s.mean()),
    }
