"""The tables of a datasheet, as data frames, and how its limits are judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.datasheet.circuits import Circuit, Extremes, extremes
from cosim.datasheet.monte_carlo import QUANTILES, Outlier, Spread, outliers, spread
from cosim.datasheet.parameters import all_parameters
from cosim.datasheet.pvt import PvtResult
from cosim.design.condition import Condition, PointCondition, text
from cosim.design.sections import Limit
from cosim.runs.failures import sweep_command
from cosim.runs.limits import Verdict

if TYPE_CHECKING:
    import pandas as pd

MONTE_CARLO = "monte_carlo"


@dataclass(frozen=True)
class Rerun:
    """How the point behind a row is simulated again."""

    design_file: str
    folder: str

    def command(self, parameter: str, condition: Condition) -> str:
        """The shell command for one parameter at one condition (and seed)."""
        described = all_parameters()[parameter]
        point = PointCondition(described.measurement, condition, dict(described.point))
        return sweep_command(self.design_file, described.measurement, text(point), self.folder)


def short(condition: Condition) -> str:
    """Corner, temperature, supply and seed of a condition, for people."""
    seed = "" if condition.seed is None else f", die {condition.seed}"
    return f"{condition.corner}, {condition.temperature_c:g} C, {condition.supply_v:g} V{seed}"


def long_table(circuits: Iterable[Circuit]) -> pd.DataFrame:
    """One row a circuit and parameter: mode, corner, temperature_c, supply_v, parameter, value (absent where NaN)."""
    import pandas as pd

    rows = [
        {
            "mode": circuit.mode, "corner": str(circuit.condition.corner), "temperature_c": circuit.condition.temperature_c,
            "supply_v": circuit.condition.supply_v, "condition": str(circuit.condition), "parameter": name, "value": value,
        }
        for circuit in circuits
        for name, value in circuit.values.items()
        if np.isfinite(value)
    ]  # fmt: skip
    columns = ["mode", "corner", "temperature_c", "supply_v", "condition", "parameter", "value"]
    return pd.DataFrame(rows, columns=columns)


def extremes_table(result: PvtResult, rerun: Rerun) -> pd.DataFrame:
    """One row a mode and parameter: typical, least, largest, where, and the command for the worst."""
    import pandas as pd

    return pd.DataFrame([_extremes_row(one, rerun) for one in extremes(result.circuits, result.nominal)])


def _extremes_row(one: Extremes, rerun: Rerun) -> dict[str, Any]:
    described = all_parameters()[one.parameter]
    return {
        "mode": one.mode, "parameter": one.parameter, "what": described.what, "unit": described.unit, "group": described.group,
        "min": one.least, "typ": one.typical, "max": one.largest, "min_at": short(one.least_at), "max_at": short(one.largest_at),
        "worst_at": short(one.worst), "circuits": one.circuits, "rerun": rerun.command(one.parameter, one.worst),
    }  # fmt: skip


def unreached_table(result: PvtResult) -> pd.DataFrame:
    """One row a weight that a condition cannot reach: condition, weight, wanted, lowest, highest |weight|."""
    import pandas as pd

    columns = ["condition", "weight", "wanted", "lowest", "highest"]
    rows = [[short(one.condition), one.weight, one.wanted, one.lowest, one.highest] for one in result.unreached]
    return pd.DataFrame(rows, columns=columns)


def spreads(values: Mapping[str, np.ndarray]) -> list[Spread]:
    """Of every parameter that two or more dies have."""
    return [found for name in all_parameters() if (found := spread(name, values[name])) is not None]


def spread_table(found: Sequence[Spread], model_set: str) -> pd.DataFrame:
    """One row a parameter: dies, mean, sigma with its confidence interval, quantiles, share of die and device."""
    import pandas as pd

    rows = []
    for one in found:
        described, content = all_parameters()[one.parameter], asdict(one)
        quantiles = dict(zip([f"q{share:g}" for share in QUANTILES], content.pop("quantiles"), strict=True))
        words = {"what": described.what, "unit": described.unit, "group": described.group, "scale": described.scale}
        rows.append({"model_set": model_set, **content, **words, **quantiles})
    return pd.DataFrame(rows)


def outlier_table(seeds: np.ndarray, values: Mapping[str, np.ndarray], own: Condition, rerun: Rerun) -> pd.DataFrame:
    """One row a die that is far out in one parameter: parameter, seed, value, sigmas, the command that runs it again."""
    import dataclasses

    import pandas as pd

    found: list[Outlier] = [one for name in all_parameters() for one in outliers(name, seeds, values[name])]
    rows = [{**asdict(one), "rerun": rerun.command(one.parameter, dataclasses.replace(own, seed=one.seed))} for one in found]
    return pd.DataFrame(rows, columns=["parameter", "seed", "value", "sigmas", "rerun"])


@dataclass(frozen=True)
class Judged:
    """One limit of the datasheet: what it was judged on, the margin to the nearer bound (negative: failed), and where that is."""

    verdict: Verdict
    margin: float | None
    at: str
    rerun: str


def judge(limits: Mapping[str, Limit], circuits: Sequence[Circuit], rerun: Rerun) -> list[Judged]:
    """Every limit on all circuits of its mode. It fails where one of them lacks the parameter: it never fires, say."""
    return [_judge(name, limit, circuits, rerun) for name, limit in limits.items()]


def _judge(name: str, limit: Limit, circuits: Sequence[Circuit], rerun: Rerun) -> Judged:
    mode, _, parameter = name.partition(".")
    here = [one for one in circuits if one.mode == mode]
    lacking = next((one for one in here if not np.isfinite(one.values.get(parameter, np.nan))), None)
    if lacking or not here:
        place = (short(lacking.condition), rerun.command(parameter, lacking.condition)) if lacking else ("", "")
        return Judged(Verdict(name, None, limit.min, limit.typ, limit.max, False), None, *place)
    worst = min(here, key=lambda one: _margin(one.values[parameter], limit))
    value, margin = worst.values[parameter], _margin(worst.values[parameter], limit)
    verdict = Verdict(name, value, limit.min, limit.typ, limit.max, margin >= 0)
    return Judged(verdict, margin, short(worst.condition), rerun.command(parameter, worst.condition))


def _margin(value: float, limit: Limit) -> float:
    """Distance to the nearer bound, negative beyond it; bounds are inclusive."""
    below = value - limit.min if limit.min is not None else np.inf
    above = limit.max - value if limit.max is not None else np.inf
    return float(min(below, above))


def judged_row(judged: Judged) -> dict[str, Any]:
    """For datasheet/limits.json."""
    return {**asdict(judged.verdict), "margin": judged.margin, "at": judged.at, "rerun": judged.rerun}


def relative(path: Path) -> str:
    """A path as a command would name it: relative to where we stand where that is possible."""
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else str(path)
