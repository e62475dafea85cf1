"""What a trial is worth: its cells characterised, its networks trained, its energy, area and fidelity as the model says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosim.cost.cells import CELL_ENERGIES, CellEnergies
from cosim.cost.differentiable import energy_of_run
from cosim.cost.figures import areas
from cosim.cost.predict import predicted_energies
from cosim.design import Design, load_design
from cosim.design.cells import cells_of
from cosim.errors import CosimError
from cosim.mapping.network import map_network
from cosim.networks.training import ODE, in_double, load_networks, spike_data, train_networks
from cosim.pipeline.request import Request
from cosim.pipeline.run import carry_out
from cosim.pipeline.stages import StageName
from cosim.runs.progress import Monitor
from cosim.search.fidelity import expected_spike_error
from training.evaluation import evaluate
from training.hardware import HardwareModel, columns_of_layers
from training.network import RCSpikeNetwork
from training.unrolling import unrolled

METRIC_OF = {
    "accuracy": "training.test_accuracy", "energy": "energy.per_inference_j", "area": "cost.area_m2",
    "fidelity": "fidelity.spike_error",
}  # fmt: skip
"""Of each objective."""


class TrialFailedError(CosimError):
    """A trial has no result."""

    exit_code = 3


@dataclass(frozen=True)
class Place:
    """Where and how a trial is evaluated: its design file, its run directory, and the points that all trials share."""

    design_file: Path
    run: Path
    points: Path
    jobs: int = 1
    scheduler: str = ""


def evaluated(place: Place, networks: int, monitor: Monitor) -> list[dict[str, float]]:
    """Metrics of a trial, once for each of so many trained networks.

    Raises `CosimError`: `InputError` for a design that is refused, another where a simulation or a training gave no result.
    """
    request = Request(place.design_file, place.run, StageName.TRAIN, place.jobs, place.scheduler, points=place.points)
    base = carry_out(request, monitor).metrics
    design = load_design(place.design_file)
    hardware = HardwareModel.load(place.run / "hardware.json")
    if not (place.run / CELL_ENERGIES).is_file():
        raise TrialFailedError("the energy of its cells could not be measured")
    energies = CellEnergies.load(place.run / CELL_ENERGIES)
    found = []
    for network, of_training in _networks(place, design, hardware, networks):
        found.append({**base, **of_training, **_of_model(design, hardware, energies, network)})
    return found


def _networks(
    place: Place, design: Design, hardware: HardwareModel, count: int
) -> Iterator[tuple[RCSpikeNetwork, dict[str, float]]]:
    """The network of the run directory, and others from the seeds after its own."""
    yield load_networks(place.run)[ODE], {}
    for k in range(1, count):
        training = design.training.model_copy(update={"seed": design.training.seed + k})
        folder = place.run.parent / f"seed_{training.seed}"
        yield _trained(design.model_copy(update={"training": training}), hardware, place.run, folder)


def retrained(design: Design, run: Path, folder: Path) -> dict[str, float]:
    """Metrics of another training of a circuit that the run directory `run` has characterised; its network goes into `folder`."""
    hardware, energies = HardwareModel.load(run / "hardware.json"), CellEnergies.load(run / CELL_ENERGIES)
    network, metrics = _trained(design, hardware, run, folder)
    return {**metrics, **_of_model(design, hardware, energies, network)}


def _trained(design: Design, hardware: HardwareModel, run: Path, folder: Path) -> tuple[RCSpikeNetwork, dict[str, float]]:
    folder.mkdir(exist_ok=True)
    energy = energy_of_run(run, hardware, design.shape.crossbars) if design.training.energy_penalty else None
    trained = train_networks(design, hardware, folder, energy=energy)
    return trained.networks[ODE].double().eval(), trained.metrics


def _of_model(design: Design, hardware: HardwareModel, energies: CellEnergies, network: RCSpikeNetwork) -> dict[str, float]:
    """Energy, area and expected spike error of one network, over the test samples."""
    columns = columns_of_layers(hardware, design.shape.crossbars)
    data, network = in_double(spike_data(design.network)), unrolled(network)
    model = evaluate(network, data.test_t, data.test_labels, data.classes)
    by_group = predicted_energies(energies, columns, network, model, data.test_t.numpy())
    neurons = [(column.neuron.discharger_bias.value, column.neuron.input_delay.value) for column in columns]
    cells = [cells_of(design, bias_v, delay_s) for bias_v, delay_s in neurons]
    error = expected_spike_error(network, columns, data.test_t, data.test_labels)
    return {
        "energy.per_inference_j": float(sum(group.mean() for group in by_group.values())),
        **areas(cells, map_network(ODE, network.effective_weights(), columns)),
        "fidelity.spike_error": error,
        "fidelity.spike_error_s": error * hardware.phase_s,
        "cost.latency_s": (len(columns) + 1) * hardware.phase_s,
    }
