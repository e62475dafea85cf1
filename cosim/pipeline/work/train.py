"""hardware.json -> network.safetensors, network.json, training.parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.errors import InputError
from cosim.pipeline.workspace import Workspace
from cosim.runs.given import GIVEN_HARDWARE, GIVEN_WEIGHTS, NO_DIES

if TYPE_CHECKING:
    from training.trainer import Epoch


def check(space: Workspace) -> None:
    """A circuit that is characterised on the way to its training has no dies to train for: `InputError` before it is."""
    given = space.is_given(GIVEN_HARDWARE) or space.is_given(GIVEN_WEIGHTS)
    if space.design.training.mismatch and not given:
        raise InputError(NO_DIES)
    if space.design.training.energy_penalty and space.design.network.convolutions:
        raise InputError("training.energy_penalty: is for networks of dense layers; leave out network.convolutions")
    if space.design.training.energy_penalty and space.is_given(GIVEN_HARDWARE):
        raise InputError(
            "training.energy_penalty: the energy of cells is measured where they are characterized; give no hardware"
        )


def work(space: Workspace) -> dict[str, float]:
    """Train the networks of the design, or take the weights that the run was given."""
    from cosim.cost.differentiable import energy_of_run
    from cosim.networks.training import mappings_of, train_networks
    from training.data.names import network_shape
    from training.hardware import HardwareModel

    space.monitor.expect(len(mappings_of(space.design)) * space.design.training.epochs)

    def progress(name: str, epoch: Epoch) -> None:
        space.monitor.doing = f"{name} network, loss {epoch.loss:.3f}"
        space.monitor.step()

    hardware = HardwareModel.load(space.run / "hardware.json")
    wanted = space.design.training.energy_penalty > 0
    crossbars = network_shape(space.design.network, space.design.structure).crossbars
    energy = energy_of_run(space.run.path, hardware, crossbars) if wanted else None
    trained = train_networks(space.design, hardware, space.run.path, progress, energy, space.jobs)
    if len(trained.history):  # weights from elsewhere have none
        space.run.write_table("training.parquet", trained.history)
    return trained.metrics
