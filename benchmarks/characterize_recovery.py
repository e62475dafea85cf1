"""Figures of the fits: recovery of an ideal deck, honesty of the stated errors, membrane of the model on held-out patterns."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure
from cosim.bench.bench import Bench
from cosim.fits.ideal_recovery import Recovery, recover, simulated_traces, truth
from cosim.fits.ladder import PATTERNS, holdout_membrane_rms_v
from cosim.fits.membrane_model import Trace
from cosim.silicon.files import read_columns
from training.hardware import HardwareModel

NOISE_V = 1e-3


def recovery_figures(traces: Sequence[Trace] | None = None) -> Iterable[Figure]:
    """Worst error of a parameter of the ideal deck, and the worst error that the fit states, both relative."""
    found = recover(traces or simulated_traces())
    worst, stated = max(found, key=lambda one: one.relative_error), max(found, key=_stated)
    yield Figure(
        "recovery_worst_relative_error", worst.relative_error, "", "at most 0.005",
        f"{len(found)} parameters of an ideal deck in ngspice; the worst is {worst.name}",
    )  # fmt: skip
    yield Figure("recovery_worst_stated_error", _stated(stated), "", "at most 0.005", f"standard error of {stated.name}")


def _stated(one: Recovery) -> float:
    return one.standard_error / abs(one.true)


@dataclass(frozen=True)
class Honesty:
    """Of one parameter over many noisy draws: share within two stated sigma, mean stated sigma over the scatter."""

    name: str
    coverage: float
    sigma_ratio: float


def noisy_recovery(draws: int, traces: Sequence[Trace] | None = None) -> list[Honesty]:
    """The waveforms of the ideal deck as CSV files with white noise of 1 mV, read and fitted anew for each draw."""
    exact, generator = traces or simulated_traces(), np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        found = [recover([_through_csv(one, generator, Path(folder) / "trace.csv") for one in exact]) for _ in range(draws)]
    return [_honesty(name, [one for draw in found for one in draw if one.name == name]) for name in truth()]


def _through_csv(trace: Trace, generator: np.random.Generator, path: Path) -> Trace:
    noisy = trace.membrane_v + NOISE_V * generator.standard_normal(len(trace.membrane_v))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time_s", "membrane_v"])
        writer.writerows(zip(trace.time_s, noisy, strict=True))
    columns = read_columns(path)
    return replace(trace, time_s=columns["time_s"].values, membrane_v=columns["membrane_v"].values)


def _honesty(name: str, own: Sequence[Recovery]) -> Honesty:
    errors = np.array([one.estimate - one.true for one in own])
    stated = np.array([one.standard_error for one in own])
    return Honesty(name, float(np.mean(np.abs(errors) < 2 * stated)), float(stated.mean() / errors.std()))


def noisy_recovery_figures(draws: int, traces: Sequence[Trace] | None = None) -> Iterable[Figure]:
    """Coverage of two sigma and stated sigma over scatter, of the parameter that is furthest from what they should be."""
    found = noisy_recovery(draws, traces)
    coverage = max(found, key=lambda one: abs(one.coverage - 0.9545))
    ratio = max(found, key=lambda one: abs(np.log(one.sigma_ratio)))
    detail = f"of {len(found)} parameters, {draws} draws of CSV files with {1e3 * NOISE_V:g} mV of noise; the worst is"
    yield Figure("noisy_recovery_coverage", coverage.coverage, "", "0.90 to 0.99", f"two sigma, {detail} {coverage.name}")
    yield Figure(
        "noisy_recovery_sigma_ratio", ratio.sigma_ratio, "", "0.8 to 1.25", f"stated over scatter, {detail} {ratio.name}"
    )


def holdout_figures(
    typical: tuple[Bench, HardwareModel], corners: Sequence[tuple[Bench, HardwareModel]], patterns: int = PATTERNS
) -> Iterable[Figure]:
    """Membrane error of the top rung on held-out patterns, at tt and at the worst of other corners.

    Args:
        typical, corners: a bench at each corner with the hardware extracted there; its patterns are re-biased by its curves.
    """
    how = f"{patterns} held-out patterns of 8 spikes, both signs; hardware model with curvature"
    yield Figure(
        "holdout_membrane_rms_v_tt", holdout_membrane_rms_v(*typical, patterns), "V", "at most 0.5e-3", how
    )  # fmt: skip
    if corners:
        at = {str(bench.design.process.corner): holdout_membrane_rms_v(bench, found, patterns) for bench, found in corners}
        worst = max(at, key=lambda name: at[name])
        every = ", ".join(f"{name} {1e3 * value:.2f} mV" for name, value in at.items())
        yield Figure("holdout_membrane_rms_v_worst_corner", at[worst], "V", "at most 1e-3", f"{how}, re-biased: {every}")
