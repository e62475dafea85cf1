"""The schema of a study: what is trained, over which grid, and what is measured of the solvers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from training.data.names import SetName
from training.errors import TrainingError, first_problem
from training.files import read_toml
from training.hardware_aware.methods import Method
from training.hardware_aware.variation import Mismatch
from training.recipe import Recipe

Whole = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Some = Field(min_length=1)
Pool = Literal["earliest", "average"]


def _reversal(value: object) -> object:
    """Refuses what is no reversal, in one line instead of one for each kind that there is."""
    pair = value if isinstance(value, list | tuple) else (value, -1.0)
    numbers = len(pair) == 2 and all(isinstance(one, int | float) for one in pair)
    if value != "reference" and not (numbers and pair[0] > 0.0 > pair[1]):
        raise ValueError('must be |E|, greater than 0, a pair [E+, E-] with E+ > 0 > E-, or "reference"')
    return value


Reversal = Annotated[float | tuple[float, float] | Literal["reference"], BeforeValidator(_reversal)]


class StudyError(TrainingError):
    """A study cannot be read or run. One line: file, field, what is wrong."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SolverPlan(_Section):
    """Errors and costs of the solvers on random layers, w ~ N(0, 1/N), t ~ U(0, 1); nothing is trained."""

    reversal: Annotated[list[Positive], Some] = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0]
    steps: Annotated[list[Whole], Some] = [2, 4, 10, 20, 40]
    inputs: Annotated[list[Whole], Some] = [10, 100, 1000]
    samples: Whole = 64
    seed: int = 0


class Study(_Section):
    """One study. The grid is every method at every reversal (or hardware), solver, noise and seed.

    `steps` 0 is the exact solver, M > 0 is DSTD on M cells, narrower at the end of the phase where `late` is above 1, with
    random offset; `reversal` is |E| = E+ = -E-, a pair [E+, E-], or "reference", those of the reference cell in the middle of
    its range; `hardware` names hardware.json files, relative to the study, called in the table as the folder of their run is;
    their mismatch is that of their Monte Carlo dies where they hold any and there is no [mismatch]. `train_samples` 0 takes
    all; `gamma` is the power of a pixel's brightness that becomes its spike. `channels` and `pool` are of a convolutional
    network, a pooling after each group of 3x3 convolutions, and `last_pool` over what is left of the image; `normalise` is
    batch normalisation of the drives, in training; `hidden` are the dense layers before the output.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    dataset: SetName = "digits"
    network: Literal["fc", "cnn"] = "fc"
    hidden: list[Whole] = [64]
    channels: list[list[Whole]] = [[64, 64], [128, 128], [256, 256]]
    pool: Pool = "earliest"
    last_pool: Pool | None = None
    normalise: bool = False
    late: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = 1.0
    train_samples: Annotated[int, Field(ge=0)] = 0
    gamma: Positive = 1.0
    methods: Annotated[list[Method], Some] = [Method.IDEAL, Method.SCALED, Method.ODE]
    reversal: list[Reversal] = []
    hardware: list[Path] = []
    steps: Annotated[list[Annotated[int, Field(ge=0)]], Some] = [0]
    noise: Annotated[list[Share], Some] = [0.01]
    seeds: Annotated[list[int], Some] = [0]
    dies: Annotated[int, Field(ge=0, le=1000)] = 0
    noise_share: Share = 0.05
    recipe: Recipe = Recipe()
    mismatch: Mismatch = Mismatch()
    solvers: SolverPlan | None = None

    @model_validator(mode="after")
    def _check(self) -> Study:
        if not (self.reversal or self.hardware or self.solvers):
            raise ValueError("give reversal (a list of |E|), hardware (a list of hardware.json), or a section [solvers]")
        for name, grid in (("seed", "seeds"), ("spike_time_noise", "noise")):
            if name in self.recipe.model_fields_set:
                raise ValueError(f"recipe.{name} is of the grid; give {grid}, a list, at the top of the study")
        return self


def load_study(path: Path) -> Study:
    """Read a study file. Raises `StudyError` with one line: file, field, what is wrong."""
    try:
        content: dict[str, Any] = read_toml(path)
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror}; give the path of a study (TOML)") from error
    except ValueError as error:
        raise StudyError(f"{path}: not valid TOML: {error}") from error
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise StudyError(f"{path}: {first_problem(error, 'study')}") from error
    hardware = [path.parent / file for file in study.hardware]
    names: dict[str, Path] = {}
    for file in hardware:
        other = names.setdefault(hardware_name(file), file)
        if other != file:
            raise StudyError(f"{path}: hardware: {other} and {file} are both called {hardware_name(file)!r}; rename a folder")
    return study.model_copy(update={"hardware": hardware})


def hardware_name(file: Path) -> str:
    """What a hardware model is called in a table: as the folder of its run, or as the file where that has a name of its own."""
    own = [part for part in file.with_suffix("").parts if part not in ("hardware", "datasheet", "..")]
    return own[-1] if own else file.stem
