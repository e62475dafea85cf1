"""`cosim search`: designs about a design, tried one after the other, and the best of them side by side."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.design import Design, load_design
from cosim.errors import CosimError, InputError
from cosim.pipeline.packages import check_packages, one_line_errors
from cosim.runs.directory import RunDirectory
from cosim.runs.progress import Monitor
from cosim.search.evaluation import METRIC_OF, Place, evaluated
from cosim.search.sampling import next_values
from cosim.search.space import Dimension, dimensions, named_files, trial_design
from cosim.search.trials import DONE, FAILED, REFUSED, TRIAL, Trial, front, means, violations
from cosim.simulator.pools import processors
from training.files import read_toml

if TYPE_CHECKING:
    import pandas as pd

SEARCH, TABLE, TRIALS, PAGE = "search.json", "search.csv", "trials", "search.html"
POINTS = "points.sqlite"
PACKAGES = ("optuna", "torch", "safetensors", "sklearn", "numba", "PySpice", "platformdirs", "jinja2", "matplotlib")


@dataclass(frozen=True)
class SearchResult:
    """What a search has come to."""

    folder: Path
    objectives: tuple[str, ...]
    trials: tuple[Trial, ...]

    @property
    def front(self) -> list[Trial]:
        """The best: no other trial that holds the limits is as good in everything and better in something."""
        return front(self.trials, self.objectives)

    @property
    def exit_code(self) -> int:
        """0 done, 3 no trial gave a result."""
        return 0 if any(trial.state == DONE for trial in self.trials) else 3

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row a trial: what it was, what came of it, and the command that runs it to its report."""
        best = {trial.number for trial in self.front}
        for trial in self.trials:
            yield {
                "trial": trial.number,
                "state": trial.state,
                "best": trial.number in best,
                **{METRIC_OF[name]: trial.metrics.get(METRIC_OF[name]) for name in self.objectives},
                **{f"{METRIC_OF[name]} +-": trial.spread.get(METRIC_OF[name]) for name in self.objectives},
                **{
                    path: ":".join(map(str, value)) if isinstance(value, tuple) else value for path, value in trial.values.items()
                },
                **{f"circuit {name}": value for name, value in trial.circuit.items()},
                "missed": "; ".join(name for name, value in trial.violated.items() if value > 0),
                "reason": trial.reason,
                "cpu_s": round(trial.cpu_s, 2),
                "command": rerun(self.folder, trial.number),
            }

    @property
    def table(self) -> pd.DataFrame:
        """The same as a table, which is search.csv."""
        import pandas as pd

        return pd.DataFrame(list(self.rows()))

    def as_dict(self) -> dict[str, Any]:
        """All of it, by name."""
        return {"folder": str(self.folder), "objectives": self.objectives, "trials": list(self.rows())}

    def lines(self) -> Iterator[str]:
        """The same for people: the best, what was not tried to its end, and where the rest is."""
        counts = {state: sum(trial.state == state for trial in self.trials) for state in (DONE, REFUSED, FAILED)}
        said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        yield f"{len(self.trials)} trials: {said}; {len(self.front)} of them best"
        for trial in self.front:
            shown = ", ".join(f"{METRIC_OF[name]} {trial.metrics[METRIC_OF[name]]:.4g}" for name in self.objectives)
            yield f"  trial {trial.number}: {shown}"
        for trial in self.trials:
            if trial.state != DONE:
                yield f"  trial {trial.number} {trial.state}: {trial.reason}"
        yield f"table and page: {self.folder / TABLE}, {self.folder / PAGE}"


def rerun(folder: Path, number: int) -> str:
    """The command that runs a trial to its report."""
    place = folder / TRIALS / f"{number:04d}"
    return f"cosim run {place / 'design.toml'} --out {place / 'run'}"


def search_design(
    design_file: Path,
    out: Path | None = None,
    *,
    trials: int = 20,
    simulate: int = 0,
    jobs: int | None = None,
    scheduler: str = "",
    monitor: Monitor | None = None,
) -> SearchResult:
    """Bring a search to so many trials, and the best of them into the circuit with `simulate` samples each.

    Trials that are there are not done again. Raises `InputError` with one line.
    """
    from reports.search import page

    with one_line_errors():
        check_packages(PACKAGES, "search")
        design = load_design(design_file)
        space = dimensions(design)
    folder = out or Path("runs") / f"{design.name}-search"
    directory = RunDirectory(folder)
    with monitor or Monitor() as watching, directory.open(design.name, watching.remark, kind="search"):
        _check_same(directory, design_file, space)
        search = _Search(design_file, design, space, directory, jobs or processors(), scheduler, watching)
        found = search.tried(trials)
        if simulate:
            best = {trial.number for trial in front(found, design.search.objectives)}
            found = [search.simulated(trial, simulate) if trial.number in best else trial for trial in found]
        result = SearchResult(folder, design.search.objectives, tuple(found))
        directory.write(TABLE, result.table.to_csv(index=False).encode())
        directory.write(PAGE, page(directory / TABLE, design.title or design.name).encode())
        return result


def _check_same(directory: RunDirectory, design_file: Path, space: list[Dimension]) -> None:
    """Raises `InputError` for a folder whose trials are of another design, of another file that it names, or of another space."""
    content = {name: value for name, value in read_toml(design_file).items() if name not in ("title", "datasheet", "sweep")}
    asked = {one.path: one.varied.model_dump() for one in space}
    digest = hashlib.sha256(json.dumps([content, asked], sort_keys=True, default=str).encode())
    for file in named_files(content, design_file.parent):
        digest.update(file.read_bytes())
    record = {"design": design_file.name, "digest": digest.hexdigest(), "space": asked}
    known = directory.read_json(SEARCH)
    if known and known.get("digest") != record["digest"]:
        raise InputError(f"{directory.path}: holds a search about another {design_file.name}; choose another folder with --out")
    if not known:
        directory.write_json(SEARCH, record)


class _Inner(Monitor):
    """What a trial says of itself, as the activity of the search."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._outer = tell

    def _show(self) -> None:
        self._outer(self.summary())


@dataclass
class _Search:
    design_file: Path
    design: Design
    space: list[Dimension]
    directory: RunDirectory
    jobs: int
    scheduler: str
    monitor: Monitor

    def tried(self, count: int) -> list[Trial]:
        """The first `count` trials; those that are there are read."""
        self.monitor.begin("search")
        self.monitor.expect(count)
        found: list[Trial] = []
        while len(found) < count:
            folder = self.directory / TRIALS / f"{len(found):04d}"
            if (folder / TRIAL).exists():
                found.append(Trial.load(folder))
                self.monitor.known(1)
                continue
            found.append(self._new(found))
            self.monitor.failed += found[-1].state != DONE
            self.monitor.step()
        self.monitor.end()
        return found

    def _new(self, before: list[Trial]) -> Trial:
        own = self.design.search
        values = next_values(self.space, own.objectives, before, own.startup, own.seed)
        trial = Trial(len(before), values)
        folder = self.directory / TRIALS / f"{trial.number:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        raw = read_toml(self.design_file)
        name = f"{self.design.name}-{trial.number:04d}"
        text = trial_design(raw, self.design_file.parent, self.design, values, name)
        self.directory.write(f"{TRIALS}/{folder.name}/design.toml", text.encode())
        started = _cpu_s()
        trial = self._evaluated(trial, folder)
        trial = dataclasses.replace(trial, cpu_s=_cpu_s() - started)
        trial.save(folder)
        return trial

    def _place(self, folder: Path) -> Place:
        return Place(folder / "design.toml", folder / "run", self.directory / POINTS, self.jobs, self.scheduler)

    def _evaluated(self, trial: Trial, folder: Path) -> Trial:
        """The trial with its result, or why it has none: that costs this trial only."""
        try:
            load_design(folder / "design.toml")
        except CosimError as error:
            return dataclasses.replace(trial, state=REFUSED, reason=_told(error, folder))
        try:
            with one_line_errors():
                found = evaluated(self._place(folder), self.design.search.networks, self._inner(trial.number))
        except CosimError as error:
            state = REFUSED if isinstance(error, InputError) else FAILED
            return dataclasses.replace(trial, state=state, reason=_told(error, folder))
        metrics, spread = means(found)
        lacking = [name for name in self.design.search.objectives if METRIC_OF[name] not in metrics]
        if lacking:
            return dataclasses.replace(trial, state=FAILED, reason=f"has no {lacking[0]}", metrics=metrics)
        return dataclasses.replace(trial, metrics=metrics, spread=spread, violated=violations(self._limits(metrics), metrics))

    def _limits(self, metrics: Mapping[str, float]) -> dict[str, Any]:
        """Of [limits], those that a trial has; all of [search.limits]. Raises `InputError` for one that no trial has."""
        if unknown := [name for name in self.design.search.limits if name not in metrics]:
            raise InputError(
                f"{self.design_file}: search.limits: {unknown[0]!r} is no metric of a trial; one of {', '.join(metrics)}"
            )
        return {**self.design.limits, **self.design.search.limits}

    def simulated(self, trial: Trial, samples: int) -> Trial:
        """The trial with so many samples of its network in the circuit; as it is where it has them."""
        from cosim.pipeline.request import Request
        from cosim.pipeline.run import carry_out
        from cosim.pipeline.stages import StageName

        if trial.circuit.get("samples") == samples:
            return trial
        folder = self.directory / TRIALS / f"{trial.number:04d}"
        place = self._place(folder)
        request = Request(
            place.design_file, place.run, StageName.VALIDATE, place.jobs, place.scheduler, samples, 0, points=place.points
        )
        with one_line_errors():
            metrics = carry_out(request, self._inner(trial.number)).metrics
        shown = {
            "spike_error_s": metrics["validation.ode.output_spike_rmse_s"],
            "energy_j": metrics["energy.per_inference_j"],
            "accuracy": metrics["circuit.test_accuracy"],
        }
        simulated = dataclasses.replace(trial, circuit={"samples": samples, **shown})
        simulated.save(folder)
        return simulated

    def _inner(self, number: int) -> Monitor:
        said = [0.0]

        def tell(line: str) -> None:
            if time.monotonic() - said[0] > 0.2:
                said[0] = time.monotonic()
                self.monitor.activity(f"trial {number}: {line}")

        return _Inner(tell)


def _cpu_s() -> float:
    """CPU time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _told(error: CosimError, folder: Path) -> str:
    """The one line of an error, without the folder that all lines of a trial have in common."""
    return str(error).replace(f"{folder}/", "").splitlines()[0]
