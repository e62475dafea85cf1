"""Sweeps of the testbenches -> characterization/*.parquet, hardware.json, cell_energies.json. No weight or sample goes in."""

from __future__ import annotations

import statistics
import warnings
from typing import TYPE_CHECKING

from cosim.cost.cells import CELL_ENERGIES
from cosim.errors import InputRemark
from cosim.pipeline.workspace import Workspace
from cosim.runs.failures import failure_row
from cosim.runs.given import GIVEN_HARDWARE
from cosim.runs.given_hardware import read_hardware

if TYPE_CHECKING:
    from cosim.bench.bench import Bench
    from training.hardware import HardwareModel


def work(space: Workspace) -> dict[str, float]:
    """Characterise; where the run was given a hardware model, take that one instead."""
    given = space.is_given(GIVEN_HARDWARE)
    hardware = read_hardware(space.run / GIVEN_HARDWARE, space.design) if given else _characterized(space)
    hardware.save(space.run / "hardware.json")
    return hardware_metrics(hardware)


def _characterized(space: Workspace) -> HardwareModel:
    from cosim.characterize.extract import characterize
    from cosim.pipeline.work.simulating import bench_of

    with bench_of(space) as bench:
        try:
            result = characterize(bench, space.monitor.activity)
            _measure_costs(space, bench, result.hardware)
        finally:
            if bench.failures:
                import pandas as pd

                failed = [failure_row(outcome, space.command, space.design.process.corner) for outcome in bench.failures]
                space.run.write_table("characterization/failures.parquet", pd.DataFrame(failed))
    for name, table in result.tables.items():
        space.run.write_table(f"characterization/{name}.parquet", table)
    return result.hardware


def _measure_costs(space: Workspace, bench: Bench, hardware: HardwareModel) -> None:
    """Write what the cells cost; where that cannot be measured the run goes on, and predicts no energy."""
    from cosim.cost.measure import CostError, cell_energies

    space.monitor.activity("energy of neurons, synapses and spike lines")
    space.run.remove([CELL_ENERGIES])
    try:
        cell_energies(bench, hardware, space.design.shape).save(space.run / CELL_ENERGIES)
    except CostError as error:
        warnings.warn(f"no energy is predicted: {error}", InputRemark, stacklevel=2)


def hardware_metrics(hardware: HardwareModel) -> dict[str, float]:
    """Medians over the codes of each sign; the rest as it is."""
    neuron, plus, minus = hardware.neuron, hardware.plus, hardware.minus
    return {
        "characterization.e_plus": statistics.median(plus.reversal.y) / neuron.v_th_v,
        "characterization.e_minus": -statistics.median(minus.reversal.y) / neuron.v_th_v,
        "characterization.e_dis": neuron.discharger_reversal.value / neuron.v_th_v,
        "characterization.lambda_n": plus.lambda_per_v.value,
        "characterization.lambda_p": minus.lambda_per_v.value,
        "characterization.capacitance_f": neuron.capacitance_f,
        "characterization.threshold_v": neuron.threshold.value,
    }
