"""The mapped networks at transistor level, sample by sample, beside the model that was trained -> validation/*.parquet."""

from __future__ import annotations

from cosim.cost.cells import CELL_ENERGIES, CellEnergies
from cosim.pipeline.workspace import Workspace


def check(space: Workspace) -> None:
    """Raises `InputError` for a second judge that is not installed, before anything runs."""
    from cosim.judge import second_judge

    second_judge(space.design.validation.judge)


def work(space: Workspace) -> dict[str, float]:
    """Simulate the test samples; keep the decks of the first one for plain ngspice."""
    import pandas as pd

    from cosim.judge import second_judge
    from cosim.mapping.network import mapped_networks
    from cosim.networks.training import in_double, load_networks, spike_data
    from cosim.pipeline.work.simulating import bench_of
    from cosim.simulator import spiceinit
    from cosim.validation.currents import SweptCurrents
    from cosim.validation.samples import chosen
    from cosim.validation.simulate import example_decks, validate
    from training.hardware import HardwareModel, columns_of_layers
    from training.unrolling import unrolled

    design, run = space.design, space.run
    hardware = HardwareModel.load(run / "hardware.json")
    networks = {name: unrolled(network) for name, network in load_networks(run.path).items()}
    population = in_double(spike_data(design.network))
    data = chosen(population, networks["ode"], design.validation)
    mapped = mapped_networks(pd.read_parquet(run / "mapping.parquet"))
    energies = CellEnergies.load(run / CELL_ENERGIES) if (run / CELL_ENERGIES).is_file() else None
    sweeps = run / "characterization/synapse_iv.parquet"
    currents = SweptCurrents(pd.read_parquet(sweeps)) if sweeps.is_file() else None
    with bench_of(space) as bench:
        columns = columns_of_layers(hardware, design.shape.crossbars)
        cells = bench.cells_of_layers(hardware)
        result = validate(
            bench, cells, columns, networks, mapped, data,
            design.validation.samples, design.validation.mismatch_dies,
            second_judge(design.validation.judge, space.jobs, design.accuracy.timeout_s), space.monitor.activity, space.command,
            energies, currents, population,
        )  # fmt: skip
        decks = example_decks(bench, cells, mapped, data)
    for name, table in result.tables.items():
        run.write_table(f"validation/{name}.parquet", table)
    run.write("netlist/.spiceinit", spiceinit(design.technology.setup).encode())
    for name, deck in decks.items():
        run.write(f"netlist/{name}.spice", deck.encode())
    return result.metrics
