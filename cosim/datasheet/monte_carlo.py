"""Statistics of cell parameters over Monte Carlo dies: spread, quantiles, outliers, and what of it a die shares.

Parameters that are spread over factors are judged by their logarithm: their sigma is that of ln x, dimensionless.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cosim.datasheet.parameters import all_parameters
from training.hardware import Matrix, Variation, VariedParameter

if TYPE_CHECKING:
    from cosim.datasheet.circuits import Circuit
    from netlists.process import ProcessSection

FloatArray = NDArray[np.float64]

QUANTILES = (0.00135, 0.02275, 0.15866, 0.5, 0.84134, 0.97725, 0.99865)
"""Those of a normal distribution at -3 .. 3 sigma."""

CONFIDENCE = 0.95
ROUNDING = 1e-12
"""A spread below this share of the value is that of rounding: the parameter does not vary."""

FEW = 0.02
"""A parameter that more than this share of the dies lack is no part of their joint distribution; where fewer lack it, those dies
are not (a point failed)."""

OUTLIER_SIGMAS = 4.5
"""A die this far from the median, in sigmas of its quartiles, is an outlier: one in 150 000 if parameters were normal."""


@dataclass(frozen=True)
class Spread:
    """One parameter over dies. `sigma` with its confidence interval, `quantiles` at `QUANTILES` in the parameter's unit."""

    parameter: str
    dies: int
    missing: int
    mean: float
    sigma: float
    sigma_low: float
    sigma_high: float
    quantiles: tuple[float, ...]
    sigma_die: float = float("nan")
    sigma_device: float = float("nan")


@dataclass(frozen=True)
class Outlier:
    """A die whose parameter is far from all others."""

    parameter: str
    seed: int
    value: float
    sigmas: float


def statistics_of(process: ProcessSection) -> str:
    """Whose statistics dies of a process have."""
    if process.library:
        return f"random numbers as {Path(process.library).name} draws them"
    return process.process.model_sets[process.model_set].statistics


def table(circuits: Sequence[Circuit]) -> tuple[NDArray[np.int64], dict[str, FloatArray]]:
    """Seeds in order, and the values of every parameter over them."""
    ordered = sorted((circuit for circuit in circuits if circuit.condition.seed is not None), key=_seed)
    values = {name: np.array([circuit.values[name] for circuit in ordered]) for name in all_parameters()}
    return np.array([_seed(circuit) for circuit in ordered], dtype=np.int64), values


def _seed(circuit: Circuit) -> int:
    return circuit.condition.seed or 0


def on_scale(name: str, values: FloatArray) -> FloatArray:
    """Values on the scale of their statistics; NaN where a logarithm has none."""
    if all_parameters()[name].scale == "linear":
        return values
    return np.asarray(np.log(np.where(values > 0, values, np.nan)))


def spread(name: str, values: FloatArray) -> Spread | None:
    """Statistics of one parameter; None with fewer than two dies that have it."""
    from scipy.stats import chi2

    scaled = on_scale(name, values)
    kept = np.isfinite(scaled)
    count = int(kept.sum())
    if count < 2:
        return None
    sigma, freedom = float(scaled[kept].std(ddof=1)), count - 1
    if sigma <= ROUNDING * float(np.abs(scaled[kept]).max()):
        sigma = 0.0
    # Of a normal distribution: (n - 1) s^2 / sigma^2 is chi-square.
    low, high = (
        sigma * float(np.sqrt(freedom / chi2.ppf(share, freedom))) for share in (1 - (1 - CONFIDENCE) / 2, (1 - CONFIDENCE) / 2)
    )
    mean = float(scaled[kept].mean())
    if all_parameters()[name].scale == "log":
        mean = float(np.exp(mean))
    quantiles = tuple(float(value) for value in np.quantile(values[kept], QUANTILES))
    return Spread(name, count, len(values) - count, mean, sigma, low, high, quantiles)


def outliers(name: str, seeds: NDArray[np.int64], values: FloatArray) -> Iterator[Outlier]:
    """Dies far from the median; the sigma is that of the quartiles, which outliers do not move."""
    scaled = on_scale(name, values)
    kept = np.isfinite(scaled)
    if kept.sum() < 8:
        return
    quarter, median, three_quarters = np.quantile(scaled[kept], (0.25, 0.5, 0.75))
    sigma = (three_quarters - quarter) / 1.349
    if sigma <= 0:
        return
    distance = (scaled - median) / sigma
    for index in np.flatnonzero(kept & (np.abs(np.nan_to_num(distance)) > OUTLIER_SIGMAS)):
        yield Outlier(name, int(seeds[index]), float(values[index]), float(distance[index]))


def variation(
    nominal: Mapping[str, float],
    dies: tuple[NDArray[np.int64], Mapping[str, FloatArray]],
    devices: tuple[NDArray[np.int64], Mapping[str, FloatArray]],
    source: str,
) -> Variation | None:
    """Covariances per die and per device of the parameters that all but `FEW` of the dies have, over the dies that have them all.

    Args:
        nominal: parameters without a seed.
        dies: seeds and values with everything drawn.
        devices: the same with mismatch alone; the seeds that are in both tell the two apart: the same devices, with and without
            what their die does. Taken as additive on the scale of the parameter.
        source: whose statistics these are (`statistics_of`).
    """
    in_both, with_die, alone = np.intersect1d(dies[0], devices[0], return_indices=True)
    pairs = {
        name: (on_scale(name, dies[1][name][with_die]), on_scale(name, devices[1][name][alone]))
        for name in all_parameters()
        if np.isfinite(nominal[name]) and not (all_parameters()[name].scale == "log" and nominal[name] <= 0)
    }
    there = {name: np.isfinite(pair).all(axis=0) for name, pair in pairs.items()}
    complete = [name for name, dies_with_it in there.items() if len(in_both) and dies_with_it.mean() >= 1 - FEW]
    whole = np.all([there[name] for name in complete], axis=0)
    if not complete or whole.sum() < 2:
        return None
    device = np.array([pairs[name][1][whole] for name in complete])
    die = np.array([pairs[name][0][whole] - pairs[name][1][whole] for name in complete])
    parameters = tuple(
        VariedParameter(name=name, unit=all_parameters()[name].unit, nominal=nominal[name], scale=all_parameters()[name].scale)
        for name in complete
    )
    return Variation(
        parameters=parameters, die_covariance=_covariance(die), device_covariance=_covariance(device), dies=int(whole.sum()),
        source=source,
    )  # fmt: skip


def shared(found: Sequence[Spread], split: Variation | None) -> list[Spread]:
    """The spreads with what of them is the die's and what the device's, where that is known."""
    known = set(split.names) if split else set()
    return [
        replace(one, sigma_die=split.sigma(one.parameter)[0], sigma_device=split.sigma(one.parameter)[1])
        if split and one.parameter in known
        else one
        for one in found
    ]


def _covariance(deviations: FloatArray) -> Matrix:
    matrix = np.atleast_2d(np.cov(deviations))
    return tuple(tuple(float(value) for value in row) for row in 0.5 * (matrix + matrix.T))
