"""A design with its run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.api.functions import load_networks
from cosim.design import Design, load_design
from cosim.errors import InputError
from cosim.pipeline.freshness import check_recorded
from cosim.pipeline.packages import one_line_errors
from cosim.pipeline.run import run
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor, TerminalMonitor

if TYPE_CHECKING:
    import pandas as pd

    from cosim.design.condition import Condition, Value
    from cosim.pipeline.result import RunResult
    from cosim.silicon.command import FitResult
    from cosim.sweep.run import SweepResult
    from training.hardware import HardwareModel
    from training.network import RCSpikeNetwork


class Project:
    """A design and its run directory: the whole loop step by step, and what has come of it.

    A method does what its step needs and is not done yet, and nothing twice; an interrupted one goes on where it stopped. All
    values are SI, temperatures in degrees Celsius.

    Args:
        design: the design file (TOML).
        out: the run directory; runs/<name of the design> where None.
        samples: test samples to simulate, instead of validation.samples of the design.
        dies: mismatch dies to simulate, instead of validation.mismatch_dies.
        judge: a second simulator ("vacask"), instead of validation.judge.
        structure: of the weights, by its name, instead of the section of the design.
        jobs: simulator processes; one per processor where None.
        scheduler: address of a Dask scheduler that simulates instead.
        progress: show a bar on the terminal.

    Attributes:
        file: the design file.
        design: what it says (`Design`).
        directory: the run directory (`Path`).

    Raises:
        InputError: the design cannot be read. Every method raises it for bad input, in one line, and `CosimError` where a step
            cannot give its result.

    Example:
        import cosim

        project = cosim.Project("designs/iris_5_5_5.toml", out="runs/mine")
        print(project.design.timing.phase_s, project.directory)
    """

    def __init__(
        self,
        design: Path | str,
        out: Path | str | None = None,
        *,
        samples: int | None = None,
        dies: int | None = None,
        judge: str | None = None,
        structure: str | None = None,
        jobs: int | None = None,
        scheduler: str = "",
        progress: bool = False,
    ) -> None:
        self.file = Path(design)
        self.design: Design = load_design(self.file)
        self.directory = Path(out) if out is not None else Path("runs") / self.design.name
        self._asked: dict[str, Any] = {
            "samples": samples, "dies": dies, "judge": judge, "structure": structure, "jobs": jobs, "scheduler": scheduler,
        }  # fmt: skip
        self._progress = progress

    def __repr__(self) -> str:
        return f"Project({str(self.file)!r}, out={str(self.directory)!r})"

    def run(self, *, pdf: bool = True) -> RunResult:
        """All steps, to report.html, and report.pdf unless `pdf` is False.

        Example, with a simulator:
            import cosim

            result = cosim.Project("designs/iris_5_5_5.toml", samples=2, dies=0).run(pdf=False)
            print(result.metrics["validation.ode.output_spike_rmse_s"], result.exit_code)
        """
        return self._until("report", pdf=pdf)

    def characterize(self) -> RunResult:
        """Sweep the cells; `hardware` is the model that comes of it.

        Example, with a simulator:
            import cosim

            project = cosim.Project("designs/iris_5_5_5.toml")
            print(project.characterize().metrics["characterization.e_plus"])
            print(project.hardware.neuron.capacitance_f, project.table("characterization/synapse_fit").columns)
        """
        return self._until("characterize")

    def datasheet(self, *, pdf: bool = True) -> RunResult:
        """What [datasheet] asks for, corners, dies and limits: datasheet.html, and datasheet.pdf unless `pdf` is False.

        Example, with a simulator:
            import cosim

            project = cosim.Project("designs/iris_5_5_5.toml")
            print([verdict.passed for verdict in project.datasheet(pdf=False).verdicts])
            print(project.table("datasheet/extremes")[["parameter", "min", "max", "worst_at"]])
        """
        return self._until("datasheet", pdf=pdf)

    def train(self, *, hardware: Path | str | None = None) -> RunResult:
        """Train the networks of the design on its hardware model, or on that of the file `hardware`.

        The run directory keeps the file; with one, neither PDK nor simulator is needed.

        Example:
            import cosim

            cosim.HardwareModel.reference().save("reference.json")
            project = cosim.Project("designs/iris_5_5_5.toml", out="runs/trained")
            print(project.train(hardware="reference.json").metrics["training.test_accuracy"])
            print(project.networks["ode"].effective_weights()[0].shape, project.table("training").columns)
        """
        return self._until("train", hardware=hardware)

    def map(self, *, weights: Path | str | None = None) -> RunResult:
        """Turn the trained weights, or those of the safetensors file `weights`, into codes of cells.

        The run directory keeps the file.

        Example, with a simulator:
            import cosim

            project = cosim.Project("designs/iris_5_5_5.toml")
            project.map()
            print(project.table("mapping")[["layer", "neuron", "input", "weight", "code", "code_unit"]])
        """
        return self._until("map", weights=weights)

    def validate(self) -> RunResult:
        """Simulate the mapped networks transistor by transistor beside their models.

        Example, with a simulator:
            import cosim

            project = cosim.Project("designs/iris_5_5_5.toml", samples=2, dies=0)
            print(project.validate().metrics["validation.ode.output_spike_rmse_s"])
            print(project.table("validation/spikes")[["sample", "layer", "neuron", "model_spike_s", "circuit_spike_s"]])
        """
        return self._until("validate")

    def sweep(
        self,
        measurements: Sequence[str] = (),
        *,
        corners: Sequence[str] = (),
        temperatures_c: Sequence[float] = (),
        supplies_v: Sequence[float] = (),
        parameters: Mapping[str, Sequence[Value]] | None = None,
        seeds: Sequence[int] = (),
        conditions: Sequence[Condition] = (),
        only: str = "",
        plain: bool = False,
        check_accuracy: int = 0,
    ) -> SweepResult:
        """Measure cells over all combinations of what is listed; what is left out is that of [sweep], then of the design.

        Args:
            measurements: names, as `cosim cells` lists them.
            corners: such as "ss"; `temperatures_c` in degrees Celsius, `supplies_v` in volts.
            parameters: values by the path of a field of the design; several numbers are a tuple.
            seeds: Monte Carlo dies, such as range(200).
            conditions: these, in the place of combinations.
            only: one condition or one point, as a table of failures names it.
            plain: load every deck as it is, without the engine's short cuts.
            check_accuracy: repeat so many points of each measurement at a tenth of the relative tolerance.

        Example, with a simulator:
            import cosim

            project = cosim.Project("designs/iris_5_5_5.toml")
            lengths = {"synapse.nmos.length_um": [0.25, 0.5]}
            found = project.sweep(["discharger_current"], corners=["tt", "ss"], parameters=lengths)
            print(found.tables["discharger_current"], len(found.failures))
        """
        with one_line_errors():
            from cosim.sweep.request import SweepRequest, sweep_design

            request = SweepRequest(
                measurements,
                corners,
                temperatures_c,
                supplies_v,
                parameters or {},
                seeds,
                conditions,
                only,
                plain,
                check_accuracy,
            )
            return sweep_design(
                self.file, request, self.directory, jobs=self._asked["jobs"], scheduler=self._asked["scheduler"],
                monitor=self._monitor(),
            )  # fmt: skip

    def fit(self, measured: Sequence[Path | str], *, hardware: Path | str | None = None) -> FitResult:
        """Fit measured I-V tables and membrane waveforms, into silicon/hardware.json and silicon/parameters.csv.

        Args:
            measured: the CSV files (docs/silicon.md).
            hardware: the model of what was not measured; that of the run directory where None.

        A file that cannot be used is in `refused` of the result, one line each; the others are fitted all the same.

        Example:
            import cosim

            cosim.HardwareModel.reference().save("reference.json")
            project = cosim.Project("designs/iris_5_5_5.toml", out="runs/silicon")
            found = project.fit(["bench/iv.csv"], hardware="reference.json")
            print(found.table, found.refused, found.hardware.provenance)
        """
        with one_line_errors():
            from cosim.silicon.command import run_fit

            base = Path(hardware) if hardware is not None else self.directory / "hardware.json"
            return run_fit([Path(file) for file in measured], self.file, base, self.directory / "silicon")

    @property
    def hardware(self) -> HardwareModel:
        """The hardware model of the run directory. Raises `InputError` where there is none yet.

        Example, with a simulator:
            import cosim

            project = cosim.Project("designs/iris_5_5_5.toml")
            project.characterize()
            print(project.hardware.weight_range(1), project.hardware.neuron.v_th_v)
        """
        self._needs("hardware.json", "characterize()")
        with one_line_errors():
            from training.hardware import HardwareModel

            return HardwareModel.load(self.directory / "hardware.json")

    @property
    def networks(self) -> dict[str, RCSpikeNetwork]:
        """The trained networks in float64, by mapping. Raises `InputError` where there are none yet.

        Example:
            import cosim

            cosim.HardwareModel.reference().save("reference.json")
            project = cosim.Project("designs/iris_5_5_5.toml", out="runs/trained")
            project.train(hardware="reference.json")
            print({name: network.sizes for name, network in project.networks.items()})
        """
        self._needs("network.safetensors", "train()")
        return load_networks(self.directory)

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the steps that are done, by flat names, in SI units; empty before the first.

        Example:
            import cosim

            print(cosim.Project("designs/iris_5_5_5.toml", out="runs/none_yet").metrics)
        """
        finished = self._finished()
        finished.check_sealed("metrics.json")
        return finished.read_json("metrics.json")

    @property
    def tables(self) -> list[str]:
        """Names of the tables that there are, for `table`.

        Example:
            import cosim

            print(cosim.Project("designs/iris_5_5_5.toml", out="runs/none_yet").tables)
        """
        self._finished()
        found = (path.relative_to(self.directory).with_suffix("") for path in self.directory.rglob("*.parquet"))
        return sorted(path.as_posix() for path in found)

    def table(self, name: str) -> pd.DataFrame:
        """A table of the run directory; docs/tables.md has the columns.

        Raises `InputError` where there is none, and for one that is not as cosim wrote it.

        Example:
            import cosim

            cosim.HardwareModel.reference().save("reference.json")
            project = cosim.Project("designs/iris_5_5_5.toml", out="runs/trained")
            project.train(hardware="reference.json")
            print(project.table("training").groupby("mapping").loss.min())
        """
        if name not in self.tables:
            there = ", ".join(self.tables) or "no table yet"
            raise InputError(f"{self.directory}: table {name!r} is not there; there is {there}")
        import pandas as pd

        check_recorded(RunDirectory(self.directory), f"{name}.parquet")
        return pd.read_parquet(self.directory / f"{name}.parquet")

    def _until(self, stage: str, **how: Any) -> RunResult:
        return run(self.file, self.directory, until=stage, monitor=self._monitor(), **self._asked, **how)

    def _monitor(self) -> Monitor:
        return TerminalMonitor() if self._progress else Monitor()

    def _finished(self) -> RunDirectory:
        """The run directory, to read. Raises `InputError` for that of another cosim, which names things otherwise."""
        directory = RunDirectory(self.directory)
        directory.check_layout()
        return directory

    def _needs(self, name: str, step: str) -> None:
        self._finished()
        if not (self.directory / name).exists():
            raise InputError(f"{self.directory / name}: not there yet; {step} makes it")
