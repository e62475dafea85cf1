"""Everything in the run directory -> drawings/*.svg, devices.parquet, report.html, report.pdf."""

from __future__ import annotations

from cosim.pipeline.workspace import Workspace


def work(space: Workspace) -> dict[str, float]:
    """Draw the cells, list the devices of the network, and write the report."""
    from cosim.design.cells import cells_of
    from netlists.drawings import drawings
    from reports.report import report

    network = space.design.network
    _list_devices(space)
    layers = {f"layer {k}": neurons for k, neurons in enumerate(network.sizes[1:], 1)}
    wired = zip(layers, space.design.shape.crossbars, network.sizes, strict=False)
    synapses = {name: own.synapses for name, own, lines in wired if own.synapses < lines}
    for name, svg in drawings(cells_of(space.design), network.inputs, layers, synapses).items():
        space.run.write(f"drawings/{name}.svg", svg.encode())
    space.monitor.activity("report.html and report.pdf" if space.pdf else "report.html")
    for name, content in report(space.run.path, pdf=space.pdf, say=space.monitor.remark).items():
        space.run.write(name, content)
    return {}


def _list_devices(space: Workspace) -> None:
    """Of the network that is trained on the circuit's own equation, where it is mapped: a report tells what there is."""
    import pandas as pd

    from cosim.cost.devices import device_table
    from cosim.design.cells import cells_of
    from cosim.mapping.network import mapped_networks

    if not (space.run / "mapping.parquet").exists():
        return
    mapped = mapped_networks(pd.read_parquet(space.run / "mapping.parquet"))["ode"]
    space.run.write_table("devices.parquet", device_table(cells_of(space.design), mapped, space.design.network.inputs))
