"""Weights to codes -> mapping.parquet, mapping.json: as they are (ODE-aware), with two gains searched in SPICE (conventional).

The conventional mapping is there to compare with: where its gains are not found the run goes on without it, and mapping.json says
why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.pipeline.workspace import Workspace
from reports.baseline import LEFT_OUT, NOTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cosim.mapping.gain_search import GainSearch
    from training.hardware import FloatArray, HardwareModel
    from training.network import RCSpikeNetwork


def work(space: Workspace) -> dict[str, float]:
    """Search the gains on training samples, and map the networks."""
    import pandas as pd

    from cosim.mapping.codes import with_gains
    from cosim.mapping.gain_search import GainSearchError
    from cosim.mapping.network import map_network, mapping_table
    from cosim.networks.training import CONVENTIONAL, load_networks
    from training.hardware import HardwareModel, columns_of_layers
    from training.unrolling import unrolled

    hardware = HardwareModel.load(space.run / "hardware.json")
    columns = columns_of_layers(hardware, space.design.shape.crossbars)
    networks = {name: unrolled(network) for name, network in load_networks(space.run.path).items()}
    lines = [layer.lines for layer in networks["ode"]]
    trained = {name: network.effective_weights() for name, network in networks.items()}
    weights, metrics, notes = dict(trained), dict[str, float](), dict[str, str]()
    if CONVENTIONAL in networks:
        try:
            gains = _gains(space, hardware, columns, networks[CONVENTIONAL])
        except GainSearchError as error:
            notes[LEFT_OUT] = str(error)
            del weights[CONVENTIONAL]
        else:
            metrics = {"mapping.gain_plus": gains.gain_plus, "mapping.gain_minus": gains.gain_minus}
            weights[CONVENTIONAL] = with_gains(weights[CONVENTIONAL], gains.gain_plus, gains.gain_minus, columns)
    elif space.design.structure is not None:
        notes[LEFT_OUT] = "the weights of the design have a structure"
    else:
        notes[LEFT_OUT] = "mapping.conventional of the design is false"
    mapped = {name: map_network(name, matrices, columns, lines) for name, matrices in weights.items()}
    tables = [mapping_table(mapped[name], trained[name], columns) for name in mapped]
    space.run.write_table("mapping.parquet", pd.concat(tables, ignore_index=True))
    space.run.write_json(NOTES, notes)
    return metrics | _off(networks, weights)


def _gains(space: Workspace, hardware: HardwareModel, columns: Sequence[HardwareModel], network: RCSpikeNetwork) -> GainSearch:
    """The gains of the conventional mapping; its table is written whether they are found or not."""
    from cosim.mapping.gain_search import GainSearchError, search_gains
    from cosim.networks.training import in_double, spike_data
    from cosim.pipeline.work.simulating import bench_of

    with bench_of(space) as bench:
        cells, data = bench.cells_of_layers(hardware), in_double(spike_data(space.design.network))
        try:
            found = search_gains(bench, cells, columns, network, data, space.monitor.activity)
        except GainSearchError as error:
            space.run.write_table("validation/gain_search.parquet", error.table)
            raise
    space.run.write_table("validation/gain_search.parquet", found.table)
    return found


def _off(networks: Mapping[str, RCSpikeNetwork], mapped: Mapping[str, Sequence[FloatArray]]) -> dict[str, float]:
    """How many synapses of each network the mapping leaves off though their trained weight is not zero."""
    metrics = {"mapping.synapses": float(sum(matrix.size for matrix in mapped["ode"]))}
    for name, matrices in mapped.items():
        stored = [layer.weight.detach().numpy() for layer in networks[name]]
        off = sum(int(((done == 0) & (weight != 0)).sum()) for done, weight in zip(matrices, stored, strict=True))
        metrics[f"mapping.{'' if name == 'ode' else f'{name}_'}off_synapses"] = float(off)
    return metrics
