"""A sweep as it is asked for, in values; what is left out is that of the design's [sweep], then the design itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.design import Design, load_design
from cosim.design.condition import Condition, Value, check_corner, parse, product, seeds
from cosim.errors import InputError
from cosim.runs.directory import RunDirectory
from cosim.runs.given_hardware import read_hardware
from cosim.runs.progress import Monitor
from cosim.simulator.pools import open_pool, processors

if TYPE_CHECKING:
    from cosim.sweep.run import SweepResult


@dataclass(frozen=True)
class SweepRequest:
    """Measurements over all combinations of what is listed, or over `conditions`, or at the one point that `only` names.

    Attributes:
        measurements: names, as `cosim cells` lists them.
        corners: names; `temperatures_c` in degrees Celsius, `supplies_v` in volts.
        parameters: values by the path of a field of the design; several numbers are a tuple.
        seeds: Monte Carlo dies.
        conditions: these, in the place of combinations.
        only: one condition or one point, as a table of failures names it.
        plain: every deck is loaded as it is: slow, to compare with.
        check_accuracy: so many points of each measurement are repeated at a tenth of the relative tolerance.
    """

    measurements: Sequence[str] = ()
    corners: Sequence[str] = ()
    temperatures_c: Sequence[float] = ()
    supplies_v: Sequence[float] = ()
    parameters: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    seeds: Sequence[int] = ()
    conditions: Sequence[Condition] = ()
    only: str = ""
    plain: bool = False
    check_accuracy: int = 0

    def conditions_for(self, design: Design) -> tuple[list[Condition], tuple[tuple[str, Value], ...]]:
        """The conditions of a design's sweep, and what a point's own condition must have. Raises `InputError`."""
        if self.only:
            self._check_alone(design)
            condition, of_point = parse(self.only, design)
            return [condition], of_point
        if self.conditions:
            return list(self.conditions), ()
        own = design.sweep
        asked = product(
            design,
            corners=[check_corner(corner, design, "corners") for corner in self.corners] or own.corners,
            temperatures_c=self.temperatures_c or own.temperatures_c,
            supplies_v=self.supplies_v or own.supplies_v,
            parameters={**own.parameters, **self.parameters},
            seeds=self.seeds or seeds(own.seeds),
        )
        return asked, ()

    def _check_alone(self, design: Design) -> None:
        """Raises `InputError` for a condition that stands beside the one that `only` names, which would be dropped."""
        beside = {
            "corners": self.corners, "temperatures": self.temperatures_c, "supplies": self.supplies_v, "seeds": self.seeds,
            "set": self.parameters, "conditions": self.conditions,
        }  # fmt: skip
        if given := [f"--{name}" for name, values in beside.items() if len(values)]:
            raise InputError(
                f"--only: names one condition, beside which {' and '.join(given)} would be dropped; say all of it there, such as "
                f"--only corner={design.process.corner},temperature_c=85,synapse.nmos.length_um=0.5,seed=17"
            )


def sweep_design(
    design_file: Path,
    request: SweepRequest,
    out: Path | None = None,
    *,
    jobs: int | None = None,
    scheduler: str = "",
    command: str = "",
    monitor: Monitor | None = None,
) -> SweepResult:
    """Do what was asked for, into sweep/*.parquet of the run directory `out`. Raises `InputError` with one line."""
    design = load_design(design_file)
    conditions, of_point = request.conditions_for(design)
    directory = RunDirectory(out or Path("runs") / design.name)
    with (
        monitor or Monitor() as watching,
        directory.open(design.name, watching.remark),
        open_pool(jobs or processors(), design.accuracy.timeout_s, scheduler, at_once=True, say=watching.remark) as pool,
    ):
        conditions = _biased(conditions, design, directory, watching)
        # The workers get ready while this imports.
        from cosim.sweep.run import SweepOptions, run_sweep

        options = SweepOptions(request.plain, request.check_accuracy, of_point, command)
        measurements = request.measurements or design.sweep.measurements
        return run_sweep(design, design_file, measurements, conditions, directory, pool, watching, options)


def _biased(conditions: list[Condition], design: Design, directory: RunDirectory, monitor: Monitor) -> list[Condition]:
    """The conditions, at the bias that the run directory's characterisation found where they say nothing of it."""
    if not any(map(_is_open, conditions)):
        return conditions
    file = directory / "hardware.json"
    middle = f"dischargers at {sum(design.neuron.discharger_bias_v) / 2:.6g} V, the middle of neuron.discharger_bias_v"
    if not file.exists():
        monitor.remark(f"{middle}: {file} is not there; cosim characterize finds the bias that fires after one phase")
        return conditions
    try:
        bias_v = read_hardware(file, design).neuron.discharger_bias.value
    except InputError as error:  # of another design: it says nothing of this one
        monitor.remark(f"{middle}: {error}")
        return conditions
    monitor.remark(f"dischargers at {bias_v:.6g} V, as {file} says")
    return [one.at_bias(bias_v) if _is_open(one) else one for one in conditions]


def _is_open(condition: Condition) -> bool:
    """Whether a condition leaves it to others what its dischargers are set to."""
    return condition.discharger_bias_v is None and "neuron.discharger_bias_v" not in dict(condition.parameters)
