"""Trains the two networks of a design: on the extracted hardware, and the conventional one that knows nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from cosim.errors import InputError
from cosim.networks.beside import WORTH_EPOCHS, beside
from cosim.networks.given_weights import check_range, read_weights
from cosim.runs.given import GIVEN_WEIGHTS, NO_DIES
from training.checkpoint import continued
from training.data.catalogue import load_split, load_table
from training.data.files import DataFileError
from training.data.names import network_shape
from training.data.spikes import SpikeData
from training.data.table import Table
from training.energy import NetworkEnergy
from training.evaluation import Evaluation, evaluate
from training.hardware import HardwareModel, NormalisedModel, WeightRange, columns_of_layers, normalise
from training.hardware_aware.variation import DynamicMismatch, Mismatch
from training.layer import RCSpikeLayer
from training.models import shaped
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.shapes import NetworkShape, Window
from training.storage import load_description, load_weights, save_networks
from training.structures.code import Compression, save_code
from training.structures.network import assign, encode, put_structure, settle
from training.trainer import Epoch, History, Progress, train
from training.unrolling import unrolled

if TYPE_CHECKING:
    from cosim.design import Design
    from cosim.design.sections import Network, Training

ODE, CONVENTIONAL = "ode", "conventional"
WEIGHTS, CODE = "network.safetensors", "network.code.safetensors"

GAIN_HEADROOM = 1.6
"""The conventional network is trained this far below the cell's largest weights, so that its gain search has room."""


@dataclass(frozen=True)
class TrainedNetworks:
    """The networks by mapping, their histories (one row per epoch) and flat metrics."""

    networks: dict[str, RCSpikeNetwork]
    history: pd.DataFrame
    metrics: dict[str, float]


def mappings_of(design: Design) -> tuple[str, ...]:
    """The networks that a design trains and maps: what has a structure is compared with no conventional network."""
    return (ODE, CONVENTIONAL) if design.mapping.conventional and design.structure is None else (ODE,)


def spike_data(network: Network) -> SpikeData:
    """The data of a design as spike times.

    Raises `InputError` for a split that is not possible, data that cannot be read, and classes that have no output.
    """
    try:
        data = _split(network)
    except DataFileError as error:
        raise InputError(f"network.{error}" if str(error).startswith("test_samples") else f"network: {error}") from error
    inputs = network_shape(network).inputs
    if data.inputs != inputs:
        raise InputError(f"network.dataset: {network.dataset} here has {data.inputs} inputs instead of {inputs}")
    if data.classes > network.layers[-1]:
        outputs = network.layers[-1]
        raise InputError(f"network.layers: {outputs} outputs for {data.classes} classes of the data; each needs one of its own")
    return data


def _split(network: Network) -> SpikeData:
    how: dict[str, Any] = {"test_samples": network.test_samples, "split_seed": network.split_seed, "bias": network.bias}
    if network.table:
        table = network.table
        return load_table(Table(Path(table.file), table.label, table.features), **how)
    return load_split(network.dataset, network.folder or None, pool=network.pool, levels=network.levels, **how)


def in_double(data: SpikeData) -> SpikeData:
    """The same spikes in float64, for comparisons with a circuit."""
    return replace(data, train_t=data.train_t.double(), test_t=data.test_t.double())


def untrained_network(name: str, shape: NetworkShape, hardware: HardwareModel, conventional_reversal: float) -> RCSpikeNetwork:
    """A network without its weights.

    The conventional one has |E| = `conventional_reversal` and no kicks. Its weights keep away from the cell's largest by the
    headroom that the gain search needs; below the cell's smallest they are off, as in the circuit.
    """
    columns = columns_of_layers(hardware, shape.crossbars)
    if name == ODE:
        return shaped(shape, [normalise(column) for column in columns])
    model = NormalisedModel.constant(conventional_reversal, -conventional_reversal)
    network = shaped(shape, model)
    for layer, column in zip(network, columns, strict=True):
        plus, minus = ((low, high / GAIN_HEADROOM) for low, high in map(column.weight_range, (1, -1)))
        layer.bind(model, WeightRange(plus, minus))
    return network


def train_networks(
    design: Design,
    hardware: HardwareModel,
    run: Path,
    progress: Callable[[str, Epoch], None] = lambda name, epoch: None,
    energy: NetworkEnergy | None = None,
    jobs: int = 1,
) -> TrainedNetworks:
    """Train the networks of a design and write network.safetensors and network.json into the folder `run`.

    `energy` is what the cells cost, for an energy penalty on the hardware-aware network; the conventional one has none. With
    more `jobs` than one the two are trained side by side, where there are epochs enough.
    Checkpoints in `run`/checkpoints let an interrupted training go on where it was. `progress` hears of every epoch. Where the
    run was given weights, all networks get those, and nothing is trained. Raises `InputError` where the design trains for
    mismatch and the hardware model holds no Monte Carlo dies.
    """
    # Layers of a few neurons are too small for threads.
    torch.set_num_threads(1)
    data, recipe = spike_data(design.network), recipe_of(design.training)
    shape = network_shape(design.network, design.structure)
    (run / "checkpoints").mkdir(exist_ok=True)
    networks = {
        name: untrained_network(name, shape, hardware, design.training.conventional_reversal) for name in mappings_of(design)
    }
    if design.structure is not None:
        for network in networks.values():
            put_structure(network, design.structure)
    mismatch = None
    if (run / GIVEN_WEIGHTS).exists():
        given = read_weights(run / GIVEN_WEIGHTS, design.network)
        check_range(run, given, columns_of_layers(hardware, shape.crossbars))
        for network in networks.values():
            _take(network, given)
        histories: dict[str, History] = {name: [] for name in networks}
    else:
        mismatch = mismatch_of(hardware) if design.training.mismatch else None
        histories = _trained(networks, data, recipe, run / "checkpoints", progress, mismatch, energy, jobs)
        assign(networks[ODE], data.train_t, recipe.seed)
    stored = _stored(networks[ODE], run / CODE) if design.structure is not None else {}
    save_networks(run / WEIGHTS, networks, _description(design, data, recipe, mismatch, histories))
    return TrainedNetworks(networks, _history_table(histories), _metrics(networks, data, recipe.seed) | stored)


def _trained(
    networks: Mapping[str, RCSpikeNetwork],
    data: SpikeData,
    recipe: Recipe,
    checkpoints: Path,
    progress: Callable[[str, Epoch], None],
    mismatch: Mismatch | None,
    energy: NetworkEnergy | None,
    jobs: int,
) -> dict[str, History]:
    """Train the networks in place; the conventional one knows of no mismatch and no energy."""
    # A checkpoint that is there may be of the design or the hardware that this run directory held before.
    files = {name: checkpoints / f"{name}.safetensors" for name in networks}
    tell = {name: partial(progress, name) for name in networks}
    plain, dies = recipe.but(energy_penalty=0.0), DynamicMismatch(mismatch) if mismatch else None

    def ode(tell: Progress) -> History:
        return continued(lambda: train(networks[ODE], data, recipe, tell, files[ODE], variation=dies, energy=energy), files[ODE])

    def conventional() -> History:
        file = files[CONVENTIONAL]
        return continued(lambda: train(networks[CONVENTIONAL], data, plain, tell[CONVENTIONAL], file), file)

    if CONVENTIONAL not in networks:
        return {ODE: ode(tell[ODE])}
    if jobs == 1 or recipe.epochs < WORTH_EPOCHS:
        return {ODE: ode(tell[ODE]), CONVENTIONAL: conventional()}
    with beside(networks[CONVENTIONAL], data, plain, files[CONVENTIONAL], tell[CONVENTIONAL]) as other:

        def tell_of_both(epoch: Epoch) -> None:
            tell[ODE](epoch)
            other.hear()

        done = ode(tell_of_both)
        other.wait()
    return {ODE: done, CONVENTIONAL: conventional()}


def _stored(network: RCSpikeNetwork, path: Path) -> dict[str, float]:
    """Write the code of a network, and leave it as a plain one of these weights; what the code takes."""
    codes = encode(network)
    settle(network)
    save_code(path, codes)
    took = Compression.of(codes)
    return {
        "training.bits_per_weight": took.bits_per_weight,
        "training.compression": took.ratio,
        "training.compression_with_table": took.ratio_with_table,
        "training.whole_network_compression": took.whole_ratio,
        "training.devices": float(sum(layer.weight.numel() for layer in unrolled(network))),
    }


def _take(network: RCSpikeNetwork, weights: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for layer, weight in zip(network, weights, strict=True):
            layer.set_weight(weight)


def load_networks(run: Path | str) -> dict[str, RCSpikeNetwork]:
    """The trained networks of a run directory, by mapping, in float64, on the hardware they were trained for.

    Raises `NetworkFileError` or `HardwareModelError` with one line where a file is missing or does not fit.
    """
    path = Path(run)
    hardware = HardwareModel.load(path / "hardware.json")
    description = load_description(path / WEIGHTS)
    networks = {}
    for name, sizes in description["sizes"].items():
        network = untrained_network(name, _shape(description, sizes), hardware, description["conventional_reversal"])
        load_weights(path / WEIGHTS, name, network)
        networks[name] = network.double().eval()
    return networks


def _shape(description: Mapping[str, Any], sizes: Sequence[int]) -> NetworkShape:
    """The shape of a network that was described; one of dense layers alone by its sizes."""
    if not (windows := [Window(**window) for window in description.get("convolutions", [])]):
        return NetworkShape(sizes[0], tuple(sizes[1:]), linked=tuple(description.get("linked", ())))
    channels, height, width = description["image"]
    return NetworkShape(sizes[0], tuple(sizes[1 + len(windows) :]), (channels, height, width), tuple(windows))


def recipe_of(training: Training) -> Recipe:
    """The section of a design as the training room's recipe."""
    return Recipe.model_validate(training.model_dump(include=set(Recipe.model_fields)))


def mismatch_of(hardware: HardwareModel) -> Mismatch:
    """The spread of a circuit's Monte Carlo dies. Raises `InputError` where its hardware model holds none."""
    if hardware.variation is None:
        raise InputError(NO_DIES)
    return replace(Mismatch.of(hardware.variation), by_gate=hardware.plus.code_unit == "V")


def _description(
    design: Design, data: SpikeData, recipe: Recipe, mismatch: Mismatch | None, histories: Mapping[str, History]
) -> dict[str, Any]:
    minimum, maximum, shape = data.minimum.tolist(), data.maximum.tolist(), network_shape(design.network, design.structure)
    convolutions = {"image": shape.image, "convolutions": [window._asdict() for window in shape.windows]}
    return {
        **(convolutions if shape.windows else {}),
        **({"linked": shape.linked} if shape.linked else {}),
        "structure": design.structure and design.structure.model_dump(),
        "conventional_reversal": design.training.conventional_reversal,
        "normalisation": {"minimum": minimum, "maximum": maximum, "coding": "t = scaled feature; bias spike at 0"},
        "recipe": recipe.model_dump(),
        "mismatch": mismatch and asdict(mismatch),
        "split": {
            "dataset": design.network.dataset,
            "seed": design.network.split_seed,
            "train_rows": data.train_rows,
            "test_rows": data.test_rows,
        },
        "last_epoch": {name: _row(history[-1]) for name, history in histories.items() if history},
    }


def _history_table(histories: Mapping[str, History]) -> pd.DataFrame:
    rows = [{"mapping": name, **_row(epoch)} for name, history in histories.items() for epoch in history]
    return pd.DataFrame(rows, columns=["mapping", *(field.name for field in fields(Epoch) if field.name != "seconds")])


def _row(epoch: Epoch) -> dict[str, float]:
    """What is the same whenever the training is repeated: all but the time it took."""
    return {name: value for name, value in asdict(epoch).items() if name != "seconds"}


def _metrics(networks: Mapping[str, RCSpikeNetwork], data: SpikeData, seed: int) -> dict[str, float]:
    networks = {name: unrolled(network) for name, network in networks.items()}

    def evaluated(name: str) -> Evaluation:
        noise = torch.Generator().manual_seed(seed)  # drawn only where the recipe has noise in inference
        return evaluate(networks[name], data.test_t, data.test_labels, data.classes, generator=noise)

    ode = evaluated(ODE)
    silent = [int((layer.spike_times >= 1.0).all(0).sum()) for layer in ode.layers]
    off = [_off(layer) for layer in networks[ODE]]
    metrics = {
        "training.test_accuracy": ode.accuracy,
        "training.chance_accuracy": float(torch.bincount(data.test_labels).max()) / len(data.test_labels),
        "training.firing_share": ode.firing_share,
        "training.late_share": ode.late_share,
        "training.drive": max(ode.drive),
        "training.silent_neurons": float(sum(silent)),
        "training.dead_layers": float(
            sum(count == len(layer.weight) for count, layer in zip(silent, networks[ODE], strict=True))
        ),
        "training.synapses": float(sum(layer.weight.numel() for layer in networks[ODE])),
        "training.off_synapses": float(sum(off)),
    }
    if CONVENTIONAL in networks:
        metrics["training.conventional_test_accuracy"] = evaluated(CONVENTIONAL).accuracy
    return metrics


def _off(layer: RCSpikeLayer) -> int:
    """How many synapses are off because their weight, which is not zero, lies below the smallest code of the cell."""
    return int(((layer.effective_weight() == 0) & (layer.weight != 0)).sum())
