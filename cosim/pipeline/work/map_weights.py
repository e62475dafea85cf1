"""Weights to codes -> mapping.parquet: as they are (ODE-aware), and with two gains searched in SPICE (conventional)."""

from __future__ import annotations

from cosim.pipeline.workspace import Workspace


def work(space: Workspace) -> dict[str, float]:
    """Search the gains on training samples, and map both networks."""
    import pandas as pd

    from cosim.mapping.codes import with_gains
    from cosim.mapping.gain_search import search_gains
    from cosim.mapping.network import map_network, mapping_table
    from cosim.networks.training import in_double, load_networks, spike_data
    from cosim.pipeline.work.simulating import bench_of
    from training.hardware import HardwareModel, columns_of_layers

    hardware = HardwareModel.load(space.run / "hardware.json")
    networks = load_networks(space.run.path)
    with bench_of(space) as bench:
        columns = columns_of_layers(hardware, space.design.network.sizes)
        cells, data = [bench.cells(column) for column in columns], in_double(spike_data(space.design.network))
        gains = search_gains(bench, cells, columns, networks["conventional"], data, space.monitor.activity)
    trained = {name: network.effective_weights() for name, network in networks.items()}
    to_map = {**trained, "conventional": with_gains(trained["conventional"], gains.gain_plus, gains.gain_minus, columns)}
    mapped = {name: map_network(name, weights, columns) for name, weights in to_map.items()}
    space.run.write_table("validation/gain_search.parquet", gains.table)
    space.run.write_table(
        "mapping.parquet", pd.concat([mapping_table(mapped[name], trained[name], columns) for name in mapped], ignore_index=True)
    )
    return {"mapping.gain_plus": gains.gain_plus, "mapping.gain_minus": gains.gain_minus}
