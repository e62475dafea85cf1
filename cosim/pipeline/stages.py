"""The five stages of a run: what each reads, what decides its result, what it writes."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cosim.design import Design
from cosim.runs.directory import DESIGN, RunDirectory
from cosim.runs.effort import Effort
from cosim.runs.failures import failure_row
from cosim.runs.given import GIVEN_HARDWARE, GIVEN_WEIGHTS
from cosim.runs.progress import Monitor

if TYPE_CHECKING:
    from cosim.bench.monitored import MonitoredBench
    from cosim.simulator import Pool
    from training.hardware import HardwareModel


class StageName(StrEnum):
    """Stages in their order."""

    CHARACTERIZE = "characterize"
    TRAIN = "train"
    MAP = "map"
    VALIDATE = "validate"
    REPORT = "report"


@dataclass
class Workspace:
    """What a stage works with."""

    design: Design
    run: RunDirectory
    monitor: Monitor
    jobs: int = 1
    pdf: bool = True
    scheduler: str = ""
    command: str = ""
    """What the run was asked for with; the same again tries what failed."""
    effort: Effort = field(default_factory=Effort)

    def pool(self) -> contextlib.AbstractContextManager[Pool]:
        """Who simulates."""
        from cosim.simulator.pools import open_pool

        return open_pool(self.jobs, self.design.accuracy.timeout_s, self.scheduler)

    @contextlib.contextmanager
    def bench(self) -> Iterator[MonitoredBench]:
        """A bench for the design's corner, over the points that the run directory knows."""
        from cosim.bench.monitored import MonitoredBench
        from cosim.simulator import Store

        pdk = self.design.process.pdk()
        with Store(self.run / "points.sqlite") as store, self.pool() as pool:
            yield MonitoredBench(self.design, pdk, store, self.jobs, pool=pool, monitor=self.monitor, effort=self.effort)


@dataclass(frozen=True)
class Stage:
    """A stage is up to date as long as nothing of this has changed since it ran, and its outputs are as it left them.

    `sections` is what of the design decides its result, `code` the source (below the rooms' folder), `inputs` the files of the
    run directory. `metrics` are the prefixes of the metrics that it gives.
    """

    name: StageName
    work: Callable[[Workspace], dict[str, float]]
    sections: dict[str, Any]
    code: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    packages: tuple[str, ...]
    metrics: tuple[str, ...] = ()
    simulates: bool = False


def characterize_stage(space: Workspace) -> dict[str, float]:
    """Sweeps of the testbenches -> characterization/*.parquet, hardware.json. Neither a weight nor a data sample goes in.

    Where the run was given a hardware model, that one instead.
    """
    from cosim.runs.given import read_hardware

    given = space.run / GIVEN_HARDWARE
    hardware = read_hardware(given, space.design) if given.exists() else _characterized(space)
    hardware.save(space.run / "hardware.json")
    return hardware_metrics(hardware)


def _characterized(space: Workspace) -> HardwareModel:
    from cosim.characterize.extract import characterize

    with space.bench() as bench:
        try:
            result = characterize(bench, space.monitor.activity)
        finally:
            if bench.failures:
                import pandas as pd

                failed = [failure_row(outcome, space.command, space.design.process.corner) for outcome in bench.failures]
                space.run.write_table("characterization/failures.parquet", pd.DataFrame(failed))
    for name, table in result.tables.items():
        space.run.write_table(f"characterization/{name}.parquet", table)
    return result.hardware


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


def train_stage(space: Workspace) -> dict[str, float]:
    """hardware.json -> network.safetensors, network.json, training.parquet."""
    from cosim.networks.training import MAPPINGS, train_networks
    from training.hardware import HardwareModel
    from training.trainer import Epoch

    space.monitor.expect(len(MAPPINGS) * space.design.training.epochs)

    def progress(name: str, epoch: Epoch) -> None:
        space.monitor.doing = f"{name} network, loss {epoch.loss:.3f}"
        space.monitor.step()

    trained = train_networks(space.design, HardwareModel.load(space.run / "hardware.json"), space.run.path, progress)
    if len(trained.history):  # weights from elsewhere have none
        space.run.write_table("training.parquet", trained.history)
    return trained.metrics


def map_stage(space: Workspace) -> dict[str, float]:
    """Weights to codes: as they are (ODE-aware), and with two gains searched in SPICE on training samples (conventional)."""
    import pandas as pd

    from cosim.mapping.codes import with_gains
    from cosim.mapping.gain_search import search_gains
    from cosim.mapping.network import map_network, mapping_table
    from cosim.networks.training import in_double, load_networks, spike_data
    from training.hardware import HardwareModel

    hardware = HardwareModel.load(space.run / "hardware.json")
    networks = load_networks(space.run.path)
    with space.bench() as bench:
        cells, data = bench.cells(hardware), in_double(spike_data(space.design.network))
        gains = search_gains(bench, cells, hardware, networks["conventional"], data, space.monitor.activity)
    trained = {name: network.effective_weights() for name, network in networks.items()}
    to_map = {**trained, "conventional": with_gains(trained["conventional"], gains.gain_plus, gains.gain_minus, hardware)}
    mapped = {name: map_network(name, weights, hardware) for name, weights in to_map.items()}
    space.run.write_table("validation/gain_search.parquet", gains.table)
    space.run.write_table(
        "mapping.parquet", pd.concat([mapping_table(mapped[name], trained[name], hardware) for name in mapped], ignore_index=True)
    )
    return {"mapping.gain_plus": gains.gain_plus, "mapping.gain_minus": gains.gain_minus}


def validate_stage(space: Workspace) -> dict[str, float]:
    """The mapped networks at transistor level, sample by sample, beside the model that was trained."""
    import pandas as pd

    from cosim.mapping.network import mapped_networks
    from cosim.networks.training import in_double, load_networks, spike_data
    from cosim.simulator import SPICEINIT
    from cosim.validation.simulate import example_decks, validate
    from training.hardware import HardwareModel

    design, run = space.design, space.run
    hardware = HardwareModel.load(run / "hardware.json")
    data = in_double(spike_data(design.network))
    mapped = mapped_networks(pd.read_parquet(run / "mapping.parquet"))
    with space.bench() as bench:
        cells = bench.cells(hardware)
        result = validate(
            bench, cells, hardware, load_networks(run.path), mapped, data,
            design.validation.samples, design.validation.mismatch_dies, space.monitor.activity, space.command,
        )  # fmt: skip
        decks = example_decks(bench, cells, mapped, data)
    for name, table in result.tables.items():
        run.write_table(f"validation/{name}.parquet", table)
    run.write("netlist/.spiceinit", SPICEINIT.encode())
    for name, deck in decks.items():
        run.write(f"netlist/{name}.spice", deck.text().encode())
    return result.metrics


def report_stage(space: Workspace) -> dict[str, float]:
    """Everything in the run directory -> drawings/*.svg, report.html, report.pdf."""
    from cosim.design.cells import cells_of
    from netlists.drawings import drawings
    from netlists.network import LAYERS
    from reports.report import write_report

    network = space.design.network
    layers = dict(zip(LAYERS, (network.hidden, network.outputs), strict=True))
    for name, svg in drawings(cells_of(space.design), network.inputs, layers).items():
        space.run.write(f"drawings/{name}.svg", svg.encode())
    space.monitor.activity("report.html and report.pdf" if space.pdf else "report.html")
    write_report(space.run.path, pdf=space.pdf)
    return {}


_CIRCUIT = {"name": True, "process": True, "synapse": True, "neuron": True, "timing": True, "accuracy": {"reltol", "max_step_s"}}
_SIMULATION_CODE = (
    "sky130_models", "netlists", "cosim/simulator", "cosim/bench/bench.py", "cosim/mapping/circuit.py", "cosim/mapping/codes.py",
)  # fmt: skip
_SIMULATION_PACKAGES = ("PySpice", "platformdirs")
_TRAINING_PACKAGES = ("torch", "safetensors", "sklearn", "numba")
_VALIDATION_TABLES = tuple(
    f"validation/{name}.parquet" for name in ("spikes", "membranes", "labels", "waveforms", "energy", "failures")
)
_TRAINED = ("hardware.json", "network.safetensors", "network.json")

STAGES = (
    Stage(
        StageName.CHARACTERIZE,
        characterize_stage,
        sections={**_CIRCUIT, "characterization": True, "network": {"inputs", "hidden", "outputs"}},
        code=(
            "sky130_models", "netlists", "cosim/simulator", "cosim/characterize", "cosim/runs/given.py",
            "training/hardware",
        ),
        inputs=(GIVEN_HARDWARE,),
        outputs=("characterization", "hardware.json"),
        packages=_SIMULATION_PACKAGES,
        metrics=("characterization.",),
        simulates=True,
    ),
    Stage(
        StageName.TRAIN,
        train_stage,
        sections={"network": True, "training": True},
        code=("training", "cosim/networks/training.py", "cosim/networks/given_weights.py"),
        inputs=("hardware.json", GIVEN_WEIGHTS),
        outputs=("network.safetensors", "network.json", "training.parquet"),
        packages=_TRAINING_PACKAGES,
        metrics=("training.",),
    ),
    Stage(
        StageName.MAP,
        map_stage,
        sections={**_CIRCUIT, "network": True, "validation": {"gain_search"}},
        code=(*_SIMULATION_CODE, "training", "cosim/mapping/gain_search.py", "cosim/networks/training.py"),
        inputs=_TRAINED,
        outputs=("validation/gain_search.parquet", "mapping.parquet"),
        packages=_SIMULATION_PACKAGES + _TRAINING_PACKAGES,
        metrics=("mapping.",),
        simulates=True,
    ),
    Stage(
        StageName.VALIDATE,
        validate_stage,
        sections={
            **_CIRCUIT, "network": True,
            "validation": {"samples", "mismatch_dies", "mismatch_samples", "mismatch_seed", "accuracy_samples"},
        },
        code=(
            *_SIMULATION_CODE, "training", "cosim/validation", "cosim/networks/training.py",
        ),
        inputs=(*_TRAINED, "mapping.parquet"),
        outputs=(*_VALIDATION_TABLES, "netlist"),
        packages=_SIMULATION_PACKAGES + _TRAINING_PACKAGES,
        metrics=("validation.", "circuit.", "energy."),
        simulates=True,
    ),
    Stage(
        StageName.REPORT,
        report_stage,
        sections={**_CIRCUIT, "title": True, "network": {"inputs", "hidden", "outputs"}, "limits": True},
        code=("reports", "netlists/drawings.py"),
        # The tables and records of the stages before are held together by the digests of those stages.
        inputs=(DESIGN,),
        outputs=("report.html", "report.pdf", "drawings"),
        packages=("jinja2", "matplotlib", "weasyprint"),
    ),
)  # fmt: skip
