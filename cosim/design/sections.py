"""The sections of a design. Every field says its unit; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from netlists.section import Second, Section, Volt
from training.data.names import IMAGES, SetName, network_shape
from training.recipe import Recipe
from training.shapes import NetworkShape


class Accuracy(Section):
    """How ngspice integrates. `reltol` decides for current sources, the step for R-C charging."""

    reltol: float = Field(default=1e-6, gt=0.0, le=1e-2)
    max_step_s: Second = 10e-9
    timeout_s: float = Field(default=300.0, gt=0.0, description="wall time after which one simulation is given up")


class Characterization(Section):
    """How finely the cells are swept."""

    codes: int = Field(default=11, ge=4, le=200, description="gate biases (or resistors) per sign")
    membrane_points: int = Field(default=24, ge=6, le=500, description="membrane voltages per I-V curve")
    firing_points: int = Field(default=28, ge=16, le=1000, description="membrane levels of the firing-phase sweep")


class DataTable(Section):
    """Samples of your own: a row a sample, a column a feature, and one column for the label."""

    file: str = Field(description=".csv with a header, or .parquet; relative to the design file")
    label: str = Field(description="column of the class: text or whole numbers")
    features: tuple[str, ...] = Field(
        default=(), description="columns in the order of the inputs; every column but the label where none is named"
    )
    sha256: str = Field(default="", description="of the file, which must then be this very one")


class Convolution(Section):
    """A convolution before the dense layers, unrolled onto a crossbar: every neuron has the synapses of its own window and no
    others, and those of one channel are set alike. Given as `[[network.convolutions]]`, one table a layer."""

    channels: Annotated[int, Field(ge=1, le=1024, description="that come out: neurons at every position of the window")]
    kernel: Annotated[int, Field(ge=1, le=64, description="height and width of the window, in pixels")]
    stride: Annotated[int, Field(ge=1, le=64, description="by so many pixels the window moves; at most its width")] = 1
    padding: Annotated[int, Field(ge=0, description="none: at a border neurons would have fewer synapses than others")] = 0

    @model_validator(mode="after")
    def _every_neuron_alike(self) -> Convolution:
        if self.padding:
            raise ValueError(
                f"padding {self.padding}: neurons at the border would have fewer synapses and another capacitance than others, "
                "and could not share their biases; set 0, with a kernel and a stride that reach the border"
            )
        if self.stride > self.kernel:
            raise ValueError(f"stride {self.stride} skips pixels between windows of {self.kernel}; set one of at most the kernel")
        return self


OLD_LAYERS = ("inputs", "hidden", "outputs")
"""What sizes were called when there were two layers on one data set."""


class Network(Section):
    """What is computed, on which data. Inputs are the features of the data, and a bias spike; they are no layer."""

    dataset: SetName | Literal["table"] = Field(default="iris", description='a set with a name, or "table" for [network.table]')
    table: DataTable | None = None
    folder: str = Field(
        default="",
        description="official files of an image set, relative to the design file; downloaded where empty",
    )
    pool: Annotated[int, Field(ge=1, le=28)] = Field(
        default=1, description="so many by so many pixels of a picture are averaged into one input"
    )
    levels: Annotated[int, Field(ge=0, le=1024)] = Field(
        default=0,
        description="grey levels of a pixel, whose spike then comes at one of so many times, black never; 0: as the pictures "
        "have them. Column by column, inputs that spike at the same time share a line, which is faster",
    )
    bias: bool = Field(default=True, description="one more input, which spikes at the start of every phase")
    convolutions: tuple[Convolution, ...] = ()
    layers: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(5, 5), min_length=1, description="neurons of each dense layer, the outputs last"
    )
    test_samples: Annotated[int, Field(ge=1, le=100_000)] = 50
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="before")
    @classmethod
    def _no_old_names(cls, given: Any) -> Any:
        if isinstance(given, dict) and (old := [name for name in OLD_LAYERS if name in given]):
            raise ValueError(f"{old[0]} is no key any more: layers = [5, 5], the outputs last; the inputs follow from the data")
        return given

    @model_validator(mode="after")
    def _table_goes_with_its_section(self) -> Network:
        if (self.dataset == "table") != (self.table is not None):
            raise ValueError('dataset = "table" and a section [network.table] go together')
        return self

    @model_validator(mode="after")
    def _fits_the_data(self) -> Network:
        self.shape  # noqa: B018 (raises ValueError)
        if self.levels == 1 or (self.levels and self.dataset not in IMAGES):
            raise ValueError(f"levels: {self.levels} grey levels of {self.dataset}; give 2 or more, of a set of pictures")
        return self

    @property
    def shape(self) -> NetworkShape:
        """Layers on the data, every neuron on every line; as a structure wires them: `cosim.design.design.Design.shape`."""
        return network_shape(self)

    @property
    def inputs(self) -> int:
        """Spike lines into the first layer."""
        return self.shape.inputs

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lines from the inputs to the outputs, such as (5, 5, 5)."""
        return self.shape.sizes


class Training(Recipe, Section):
    """How both networks are trained: a recipe (`cosim.training.Recipe`), by default the published one (arXiv 2412.09010)."""

    conventional_reversal: float = Field(default=100.0, gt=1.0, description="|E| of the conventional network")
    mismatch: bool = Field(
        default=False,
        description="train the hardware-aware network on another die for every batch, drawn as the hardware model's dies spread",
    )


class GainSearch(Section):
    """The two-gain search in SPICE that the conventional mapping needs."""

    samples: Annotated[int, Field(ge=1, le=10)] = Field(default=4, description="training samples per point")
    gain_plus: tuple[float, float] = Field(default=(0.9, 1.5), description="range of the gain of positive weights")
    gain_minus: tuple[float, float] = Field(default=(0.5, 1.1), description="range of the gain of negative weights")

    @model_validator(mode="after")
    def _ordered(self) -> GainSearch:
        for name, (low, high) in (("gain_plus", self.gain_plus), ("gain_minus", self.gain_minus)):
            if not 0.1 <= low < high <= 10.0:
                raise ValueError(f"{name} must rise within 0.1 .. 10")
        return self


class WeightMapping(Section):
    """How trained weights become codes."""

    conventional: bool = Field(
        default=True,
        description="beside the ODE-aware network also train, map and simulate the conventional one, to compare with",
    )


class Validation(Section):
    """What is simulated at transistor level."""

    samples: Annotated[int, Field(ge=1, le=100_000)] = 50
    hardest: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0,
        description="of the samples, those whose label the model is least sure of, so many, and the others at random; the first "
        "samples of the test set where 0",
    )
    mismatch_dies: Annotated[int, Field(ge=0, le=1000)] = 4
    mismatch_samples: Annotated[int, Field(ge=1, le=100)] = 10
    mismatch_seed: int = Field(default=1, ge=0, description="seed of the first mismatch die; a die is called by its seed")
    good_accuracy: float = Field(
        default=0.95, gt=0.0, le=1.0, description="test accuracy from which on a die of the model counts in the yield"
    )
    accuracy_samples: Annotated[int, Field(ge=0, le=100)] = Field(
        default=2, description="samples repeated at a tenth of reltol: the numerical error"
    )
    reltol: float | None = Field(
        default=None,
        gt=0.0,
        le=1e-2,
        description="relative tolerance of the networks' simulations where it is not that of the characterisation",
    )
    engine: Literal["auto", "flat", "columns"] = Field(
        default="auto",
        description="the network as one circuit, or column by column with recorded spike lines, which is faster; the "
        "`accuracy_samples` of a network that is small enough are one circuit in any case",
    )
    skip_silent: bool = Field(
        default=False,
        description="column by column, leave out neurons of the ODE-aware network that the model calls silent by a margin of a "
        "twentieth of a phase, but for a twentieth of them; the first `accuracy_samples` are simulated whole",
    )
    judge: Literal["none", "vacask"] = Field(
        default="none", description="a second simulator, which repeats samples too (`pip install 'cosim[judge]'`)"
    )
    judge_samples: Annotated[int, Field(ge=1, le=100)] = Field(default=3, description="samples that it repeats, the first ones")
    gain_search: GainSearch = GainSearch()

    @model_validator(mode="after")
    def _skipping(self) -> Validation:
        if self.skip_silent and self.engine == "flat":
            raise ValueError("skip_silent: only where a network is simulated column by column; set engine to 'columns' or 'auto'")
        if self.skip_silent and not self.accuracy_samples:
            raise ValueError(
                "skip_silent: needs an accuracy_samples of at least 1, which are simulated whole: energy and numerical error"
            )
        return self


class Calibration(Section):
    """How dies are measured by their spikes and programmed anew (`cosim calibrate`)."""

    patterns: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        default=(10, 6), min_length=1, description="test patterns of each round, with all dischargers raised in the first"
    )
    boost_v: float = Field(default=14e-3, ge=0.0, le=0.2, description="by which dischargers are raised in the first round")
    jitter_s: float = Field(default=0.0, ge=0.0, le=1e-3, description="rms noise with which spikes are seen")
    model_error_s: float = Field(default=0.5e-9, gt=0.0, le=1e-3, description="rms of what the neuron model is off")
    pattern_step: float = Field(
        default=1e-3, ge=1e-6, le=0.25,
        description="share of a phase to which the spikes of test patterns are rounded; the fewer different times, the fewer "
        "steps ngspice takes for a column of a die",
    )  # fmt: skip
    code_step_v: float = Field(default=0.0, ge=0.0, le=0.1, description="steps of codes and biases; 0 where any number will do")
    code_margin_v: float = Field(
        default=0.0, ge=0.0, le=0.2, description="by which a code may leave the range that was characterised"
    )
    loop_steps: int = Field(
        default=0, ge=0, le=1000, description="steps of fine-tuning with the chip in the loop, once it is calibrated"
    )
    identify: bool = Field(
        default=True, description="find the devices of a die first; if not, the loop goes by the model of the nominal network"
    )
    process_draws: bool = Field(default=False, description="dies differ in their process too, not in mismatch alone")
    samples: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description="test samples on which a die is judged before and after"
    )
    reltol: float = Field(default=1e-4, gt=0.0, le=1e-2, description="relative tolerance of a die's simulations")
    line_tolerance: float = Field(
        default=1.0, ge=1.0, le=20.0,
        description="so many times as far as usual may spike lines of a die be from those that were recorded: with many inputs "
        "ngspice takes fewer steps",
    )  # fmt: skip
    limit_rmse_s: float | None = Field(
        default=None, gt=0.0, description="rms error of the output spikes that a die may have: `cosim calibrate` tells the yield"
    )

    @model_validator(mode="after")
    def _does_something(self) -> Calibration:
        if not (self.identify or self.loop_steps):
            raise ValueError("identify = false needs loop_steps: without either nothing is calibrated")
        if self.loop_steps and self.code_step_v:
            raise ValueError("loop_steps: codes leave the steps of code_step_v there; leave out one of them")
        return self


class Sweep(Section):
    """Conditions of `cosim sweep`: all combinations of what is listed here; what is left out stays as the design has it."""

    measurements: tuple[str, ...] = Field(default=("synapse_current",), description="names as `cosim cells` lists them")
    corners: tuple[str, ...] = Field(default=(), description="of the process, as `cosim cells` lists them")
    temperatures_c: tuple[Annotated[float, Field(ge=-55.0, le=175.0)], ...] = ()
    supplies_v: tuple[Volt, ...] = ()
    parameters: dict[str, tuple[float | str, ...]] = Field(
        default_factory=dict, description='values of any field of the design by its path, e.g. "synapse.nmos.length_um"'
    )
    seeds: int | str = Field(default=0, description="Monte Carlo dies: how many, or FIRST:END")


class Limit(Section):
    """Pass or fail of one metric. At least one of min and max."""

    min: float | None = None
    typ: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Limit:
        if self.min is None and self.max is None:
            raise ValueError("a limit needs min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self


Objective = Literal["accuracy", "energy", "area", "fidelity"]


class Varied(Section):
    """What a search sets one field of the design to: any number from `low` to `high`, or one of `choices`."""

    low: float | None = None
    high: float | None = None
    log: bool = Field(default=False, description="equal ratios are equally far apart")
    step: float | None = Field(default=None, gt=0.0, description="only values so far apart, from low on")
    choices: tuple[float | str | tuple[float, ...], ...] = Field(default=(), description="values, in the place of a range")

    @model_validator(mode="after")
    def _a_range_or_choices(self) -> Varied:
        if bool(self.choices) == (self.low is not None or self.high is not None):
            raise ValueError("give low and high, or choices")
        if not self.choices:
            if self.low is None or self.high is None or not self.low < self.high:
                raise ValueError("a range rises from low to high")
            if self.log and self.step:
                raise ValueError("a range with log = true has no step")
            if self.log and self.low <= 0:
                raise ValueError("a range with log = true is positive")
        return self


class Search(Section):
    """What `cosim search` varies, and what it looks for."""

    vary: dict[str, Varied] = Field(
        default_factory=dict,
        description='fields of the design by their path, such as "timing.phase_s", "network.layers.0" (its first entry) or '
        '"neuron.membrane_capacitor_um" (all entries alike); cell sizes, capacitor, phase, bias ranges and hidden neurons about '
        "the design's own where none is named",
    )
    objectives: tuple[Objective, ...] = Field(
        default=("accuracy", "energy", "area", "fidelity"), min_length=2, description="all of them at once"
    )
    limits: dict[str, Limit] = Field(
        default_factory=dict, description="on metrics of a trial, beside those of [limits] that a trial has"
    )
    networks: Annotated[int, Field(ge=1, le=100)] = Field(
        default=2, description="trained for each trial, from seeds on; it counts with its mean, worse by their standard deviation"
    )
    startup: Annotated[int, Field(ge=2, le=1000)] = Field(default=8, description="trials spread evenly before the search learns")
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _objectives_once(self) -> Search:
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("objectives: one stands there twice")
        return self


class Datasheet(Section):
    """What a datasheet of the cells holds: all combinations of the conditions, Monte Carlo dies, limits.

    A design with this section gets its datasheet with `cosim run`; `cosim characterize` makes one for any design, of its own
    condition alone where there is no section.
    """

    run: bool = Field(default=True, description="whether `cosim run` makes it too; if not, `cosim characterize` alone does")
    corners: tuple[str, ...] = Field(default=(), description="of the process, as `cosim cells` lists them")
    temperatures_c: tuple[Annotated[float, Field(ge=-55.0, le=175.0)], ...] = ()
    supplies_v: tuple[Volt, ...] = ()
    modes: tuple[Literal["fixed", "rebiased"], ...] = Field(
        default=("fixed", "rebiased"), description="biases of the design, and biases that give the same weights at each condition"
    )
    dies: Annotated[int, Field(ge=0, le=100_000)] = Field(default=0, description="Monte Carlo dies at the design's condition")
    split_dies: Annotated[int, Field(ge=2, le=100_000)] = Field(
        default=250, description="dies repeated with mismatch alone, to tell die from device"
    )
    compared_dies: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0, description="dies of the other model set, to compare with"
    )
    spike_patterns: Annotated[int, Field(ge=0, le=100)] = Field(
        default=8, description="random spike patterns to fit the ladder of neuron models to, and as many to judge it on"
    )
    limits: dict[str, Limit] = Field(
        default_factory=dict, description='by mode and parameter: "fixed.e_dis", "rebiased.threshold_v", "monte_carlo.spike_s"'
    )
