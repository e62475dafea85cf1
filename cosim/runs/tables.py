"""The tables of a run directory: what one row is, and of each column its type, unit and meaning.

Writers are held to it (`checked`), docs/tables.md is made of it, and tests hold what the reports read against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import pyarrow as pa
from pyarrow import types


class Kind(StrEnum):
    """What the cells of a column hold."""

    NUMBER = "number"
    WHOLE = "whole number"
    TEXT = "text"


@dataclass(frozen=True)
class Column:
    """A column. Its unit is SI, empty for a number that has none; `missing` says when a cell is empty, where one may be."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    missing: str = ""


@dataclass(frozen=True)
class Table:
    """A table: these columns in this order, or where `further` says what more there are, these among others."""

    row: str
    written_by: str
    columns: tuple[Column, ...]
    further: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it always has."""
        return tuple(column.name for column in self.columns)


class TableError(TypeError):
    """A table that is not what its description says: a mistake of ours, or of a package that adds a measurement."""


def number(name: str, unit: str, meaning: str, missing: str = "") -> Column:
    return Column(name, Kind.NUMBER, unit, meaning, missing)


def whole(name: str, meaning: str, missing: str = "") -> Column:
    return Column(name, Kind.WHOLE, "", meaning, missing)


def text(name: str, meaning: str, missing: str = "") -> Column:
    return Column(name, Kind.TEXT, "", meaning, missing)


SIGN = whole("sign", "1 pulls the membrane towards the threshold, -1 away from it")
CODE = number("code", "", "what sets the weight: a bias in V, a length in um, a whole number, as `code_unit` says")
CODE_UNIT = text("code_unit", "unit of the code")
MEMBRANE = number("membrane_v", "V", "membrane")
CURRENT = number("current_a", "A", "current out of the membrane, positive towards ground")
FIT = number("fit_a", "A", "the line through it")
WEIGHT = number("weight", "", "weight: current at rest in units of C V_th / T, with its sign")
MAPPING = text("mapping", "`ode` (hardware-aware) or `conventional`")
DIE = whole("die", "seed that drew the circuit's mismatch", "the nominal circuit")
SAMPLE = whole("sample", "place in the test set")
LAYER = whole("layer", "counts from 1, the outputs last")
NEURON = whole("neuron", "place in its layer")
SPIKE = "spike after the start of the layer's firing phase; the length of the phase where there is none"
MEASUREMENT = text("measurement", "its name, as `cosim cells` lists it")
RERUN = text("rerun", "the command that simulates it again", "asked for from Python, which has no command")
PARAMETER = text("parameter", "its name, as `cosim datasheet` and limits call it")
WHAT = text("what", "the parameter in words")
UNIT = text("unit", "SI unit of the values; empty for none")
GROUP = text("group", "synapse, neuron, ...: what it is a parameter of")
MODE = text("mode", "`fixed` or `rebiased`: how biases follow the condition")
NO_MODEL = "the condition was not characterised so, or its supply ripples"
NO_WEIGHTS = "its biases do not ask for the trained weights"
CALIBRATION = text("condition", "what tells this calibration from others of the same dies")
DIE_NUMBER = whole("die", "seed that drew its mismatch; 0 is a chip on a bench")
DEVICES = (
    CALIBRATION, DIE_NUMBER, LAYER, NEURON,
    text("device", "`n N`, `p N`: memory transistors of input N; `threshold`, `discharger`, `boost`"),
    text("unit", "V for a gate shift, empty for a share"), number("value", "", "what it was found to be off by"),
    number("sigma", "", "standard deviation of that"), number("prior_sigma", "", "the same before anything was measured"),
)  # fmt: skip
FAILURE = (
    text("condition", "the point as NAME=VALUE, as `cosim sweep --only` takes it"),
    text("corner", "corner of its models", "not said by the point"),
    whole("seed", "seed that drew its models", "the nominal circuit"),
    text("reason", "`timeout`, `no_convergence`, ...: kind of failure"),
    text("message", "the error in one line"),
    RERUN,
    text("log", "what ngspice said"),
    text("deck", "the deck, as plain ngspice runs it"),
)


def _characterization(row: str, *columns: Column, further: str = "") -> Table:
    return Table(row, "characterize", columns, further)


def _datasheet(row: str, *columns: Column, further: str = "") -> Table:
    return Table(row, "datasheet", columns, further)


def _validation(row: str, *columns: Column, written_by: str = "validate") -> Table:
    return Table(row, written_by, columns)


QUANTILES = ("q0.00135", "q0.02275", "q0.15866", "q0.5", "q0.84134", "q0.97725", "q0.99865")

TABLES: Mapping[str, Table] = {
    "characterization/synapse_iv": _characterization(
        "one operating point of a synapse",
        SIGN, CODE, MEMBRANE, CURRENT, replace(FIT, meaning="the parabola through it"),
    ),
    "characterization/synapse_fit": _characterization(
        "one code of the synapse",
        SIGN, CODE, CODE_UNIT, replace(CURRENT, meaning="size of the current at rest"), WEIGHT,
        number("slope_per_v", "1/V", "slope at rest of the parabola through the current, over its value there"),
        number("slope_error_per_v", "1/V", "its standard error"),
        number("curvature_per_v2", "1/V^2", "quadratic coefficient of the parabola over the displacement, likewise"),
        number("curvature_error_per_v2", "1/V^2", "its standard error"),
        number("residual_rms", "", "rms deviation from the parabola, over the current at rest"),
        number("lambda_per_v", "1/V", "slope of the straight line through the current over its value at rest"),
        number("lambda_error_per_v", "1/V", "its standard error"),
        number("reversal_v", "V", "displacement from rest at which the line reaches zero"),
        number("reversal_error_v", "V", "its standard error"),
        number("residual_fraction", "", "worst deviation from the line, over the current at rest"),
    ),
    "characterization/discharger_iv": _characterization("one operating point of the discharger", MEMBRANE, CURRENT, FIT),
    "characterization/membrane": _characterization(
        "one point of a charge ramp",
        whole("synapses", "synapses on the column"), number("charge_c", "C", "charge taken from the membrane"), MEMBRANE,
    ),
    "characterization/firing": _characterization(
        "one firing phase",
        number("displacement_v", "V", "displacement of the membrane from rest at its start"), MEMBRANE,
        number("spike_s", "s", "output spike after its start"),
        number("law_s", "s", "what the discharger's law says"),
    ),
    "characterization/switching": _characterization(
        "one code of the synapse",
        SIGN, CODE, replace(CURRENT, meaning="size of the current at rest"), WEIGHT,
        number("charge_on_c", "C", "charge beyond the current as it switches on"),
        number("charge_off_c", "C", "the same as it switches off, to a spike at the reference time of the model"),
        number("charge_off_tail_c", "C", "how much that grows when the time to the output spike grows by a factor e"),
        number("charge_off_drift_c", "C", "how much that grows besides in each reference time of the model"),
        number("line_charge_c", "C", "charge of switching on that the line of a neuron brings beyond an input's",
               "columns whose lines no neuron sends"),
    ),
    "characterization/leakage": _characterization(
        "one device that is off, on a resting membrane",
        text("device", "neuron, idle synapse (of weight 0) or synapse"),
        replace(SIGN, meaning="sign of its weight; 0 where it has none"), CODE,
        replace(CURRENT, meaning="size of the current at rest while it is on"),
        number("leakage_a", "A", "current out of the membrane, positive towards the threshold"),
    ),
    "characterization/synapse_load": _characterization(
        "one code of a synapse whose capacitance depends on it",
        SIGN, CODE, replace(CURRENT, meaning="size of the current at rest"),
        number("capacitance_off_f", "F", "what it adds to the membrane while it is off"),
        number("capacitance_on_f", "F", "the same while it is on"),
    ),
    "characterization/published": _characterization(
        "one published value",
        text("quantity", "its symbol in the paper"), text("unit", "its unit"), number("published", "", "value in the paper"),
        number("measured", "", "value of this run"), text("remark", "where or how it was measured"),
    ),
    "characterization/failures": _characterization("one simulation that failed", *FAILURE),
    "datasheet/pvt": _datasheet(
        "one parameter of one circuit",
        MODE, text("corner", "corner of the models"), number("temperature_c", "degC", "temperature"),
        number("supply_v", "V", "supply"), text("condition", "the whole condition"), PARAMETER,
        number("value", "", "the parameter in its unit"),
    ),
    "datasheet/extremes": _datasheet(
        "one parameter in one mode",
        MODE, PARAMETER, WHAT, UNIT, GROUP, number("min", "", "least over the conditions"),
        number("typ", "", "at the design's own condition", "the nominal circuit does not have it"),
        number("max", "", "largest over the conditions"),
        text("min_at", "condition of the least"), text("max_at", "condition of the largest"),
        text("worst_at", "condition that is farthest from typical"), whole("circuits", "circuits that have it"), RERUN,
    ),
    "datasheet/unreached": _datasheet(
        "one weight that no bias gives at a condition",
        text("condition", "the condition"), text("weight", "sign and code of the weight, `discharger` or `all`"),
        number("wanted", "", "weight that the design's own condition gives"),
        number("lowest", "", "least weight there is"), number("highest", "", "largest weight there is"),
    ),
    "datasheet/dies": _datasheet(
        "one die",
        whole("seed", "seed that drew it"),
        further="one a parameter of the datasheet, in its unit; empty where it has none",
    ),
    "datasheet/statistics": _datasheet(
        "one parameter of one model set",
        text("model_set", "`continuous` or `binned`"), PARAMETER, whole("dies", "dies that have it"),
        whole("missing", "dies that do not"), number("mean", "", "mean, in the parameter's unit"),
        number("sigma", "", "standard deviation; of the logarithm where `scale` is `log`"),
        number("sigma_low", "", "lower end of its 95 % interval"), number("sigma_high", "", "upper end"),
        number("sigma_die", "", "part that all devices of a die share", "not split"),
        number("sigma_device", "", "part of each device", "not split"),
        WHAT, UNIT, GROUP, text("scale", "`linear` or `log`: what is spread"),
        *(number(name, "", f"quantile {name[1:]} of the dies") for name in QUANTILES),
    ),
    "datasheet/outliers": _datasheet(
        "one value of one die that is far out",
        PARAMETER, whole("seed", "seed that drew the die"), number("value", "", "the parameter in its unit"),
        number("sigmas", "", "distance from the median, in standard deviations of the quartiles"), RERUN,
    ),
    "datasheet/ladder": _datasheet(
        "one neuron model",
        text("rung", "what it adds to the one before"), whole("fitted_parameters", "parameters fitted to waveforms"),
        number("fit_rms_v", "V", "error on the patterns that it was fitted to"),
        number("held_out_rms_v", "V", "error on other patterns"), number("held_out_worst_v", "V", "largest of these"),
    ),
    "datasheet/failures": _datasheet("one point that failed", MEASUREMENT, *FAILURE),
    "training": Table(
        "one epoch of one network", "train",
        (
            MAPPING, whole("epoch", "from 1"), number("loss", "", "mean over the training samples"),
            number("train_accuracy", "", "share of training samples right"),
            number("test_accuracy", "", "share of test samples right", "not looked at after this epoch"),
        ),
    ),
    "mapping": Table(
        "one synapse", "map",
        (
            MAPPING, LAYER, NEURON, whole("input", "place of its input"), number("weight", "", "trained weight"),
            number("mapped_weight", "", "weight that its code gives"),
            replace(SIGN, meaning="sign of the cell; 0 where it is off"),
            replace(CODE, missing="the synapse is off"), CODE_UNIT, replace(CURRENT, meaning="size of the current at rest"),
        ),
    ),
    "devices": Table(
        "one device of a cell, in one size", "report",
        (
            text("cell", "`synapse`, `neuron`, `spike_driver`"), text("device", "its name in the cell"),
            text("model", "what it is called in the process; of a cell of your own, its sub-circuit"),
            text("role", "`nmos`, `pmos`, `capacitor`, ...; `netlist` is a cell of your own"),
            number("width_um", "um", "drawn width", "a cell of your own"),
            number("length_um", "um", "drawn length", "a cell of your own"),
            whole("units", "units of it side by side in one cell"), whole("count", "how many of it the network has"),
        ),
    ),
    "validation/spikes": _validation(
        "one neuron in one sample", MAPPING, DIE, SAMPLE, LAYER, NEURON,
        number("model_spike_s", "s", f"model's {SPIKE}"), number("circuit_spike_s", "s", f"circuit's {SPIKE}"),
        whole("simulated", "1 where it was simulated; 0 where the model calls it silent by a margin and it is taken to be"),
    ),
    "validation/membranes": _validation(
        "one simulated neuron in one sample, at the end of accumulation", MAPPING, DIE, SAMPLE, LAYER, NEURON,
        number("model_v", "V", "model's membrane"), number("circuit_v", "V", "circuit's membrane"),
    ),
    "validation/labels": _validation(
        "one sample", MAPPING, DIE, SAMPLE, whole("row", "its row in the data set"), whole("label", "its class"),
        whole("model_label", "class that spikes first in the model; -1 where it is not alone"),
        whole("circuit_label", "the same of the circuit"),
        number("model_margin_s", "s", "second spike minus first, model"), number("circuit_margin_s", "s", "the same, circuit"),
    ),
    "validation/waveforms": _validation(
        "one time point of a nominal circuit", MAPPING, SAMPLE, LAYER, NEURON,
        number("time_s", "s", "from the start of the first accumulation"),
        number("circuit_v", "V", "circuit's membrane"), number("model_v", "V", "model's membrane"),
    ),
    "validation/energy": _validation(
        "one source in one sample", MAPPING, SAMPLE, text("source", "what supplies it"),
        number("energy_j", "J", "energy of one inference, all layers, the resets included; of samples simulated whole"),
        number("model_j", "J", "the same as the model predicts it", "a mapping of which nothing is predicted"),
    ),
    "validation/attribution": _validation(
        "one term left out of the neuron model, in one layer; the weights and the circuit stay",
        text("left_out", "name of the term (`cosim.training.TERMS`); `none` is the whole model"), LAYER,
        number("spike_rmse_s", "s", "error of the layer's spikes, rms, the model end to end"),
        number("alone_rmse_s", "s", "the same behind the circuit's own spikes"),
    ),
    "validation/causes": _validation(
        "one cause of what circuit and model differ by, in one layer, in the order in which they are taken account of; over the "
        "neurons that fire in either",
        text("cause", "`ideal`: no term at all; a term of the model (`cosim.training.TERMS`); `codes`: the weights that the "
             "codes really give; `currents`: the swept currents instead of their parabolas; `numerics`: the circuit simulated "
             "more accurately, where it was; `solver`: DSTD instead of the exact solution"),
        text("kind", "`term` of the model, `measured` apart from the network and not in it, `apart`: not among the causes"),
        LAYER,
        number("spike_rmse_s", "s", "what remains of circuit minus model with this cause and those before it, rms, end to end"),
        number("alone_rmse_s", "s", "the same behind the circuit's own spikes"),
        number("alone_mean_s", "s", "its mean"),
        number("moved_s", "s", "how far the cause by itself moves the spikes end to end, rms", "the first row"),
    ),
    "validation/neurons": _validation(
        "one cause, as in `causes`, in one neuron that fires; behind the circuit's own spikes",
        text("cause", "as in `causes`"), text("kind", "`term` of the model, or `measured` apart from the network and not in it"),
        LAYER, NEURON, whole("firing", "samples for which it fires in the model or in the circuit"),
        number("alone_rmse_s", "s", "what remains with this cause and those before it, rms of these samples"),
        number("alone_mean_s", "s", "its mean"),
    ),
    "validation/sensitivity": _validation(
        "one kind of device of one layer that is off while the rest is as designed and programmed, as the model says",
        text("device", "`plus`, `minus`: currents of synapses, by sign; `threshold` of neurons; `discharger`: its current"),
        LAYER,
        number("per_percent_s", "s", "how far the output spikes move when all of them are off by 1 %, rms"),
        number("mean_per_percent_s", "s", "its mean, positive where spikes come later for 1 % more"),
        number("sigma", "", "relative standard deviation of one device by itself", "the hardware model holds no spread"),
        number("dies_rmse_s", "s", "output spikes of dies on which these devices alone are spread, rms off the nominal network",
               "the same"),
    ),
    "validation/model_dies": _validation(
        "one die of the model, which draws its own device mismatch from the spread that the datasheet found",
        whole("die", "seed that drew it; no die of the circuit has the same devices"),
        number("spike_rmse_s", "s", "output spikes against those of the nominal model, rms, on the samples simulated on dies"),
        number("label_agreement", "", "share of these samples whose label is that of the nominal model"),
        number("accuracy", "", "share of the test samples (500 at most) whose label is right"),
    ),
    "validation/second_judge": _validation(
        "one neuron in one sample that a second simulator repeated", SAMPLE, LAYER, NEURON,
        number("circuit_spike_s", "s", f"{SPIKE} in ngspice"), number("judge_spike_s", "s", f"{SPIKE} in the second simulator"),
    ),
    "validation/gain_search": _validation(
        "one point of the conventional gain search",
        number("gain_plus", "", "factor on positive weights"), number("gain_minus", "", "factor on negative weights"),
        text("stage", "`coarse` or `fine`"), number("rmse_s", "s", "rms error of the output spikes"),
        whole("samples", "training samples simulated"),
        number("refinement_gain", "", "share of the error that the last refinement took away"),
        written_by="map",
    ),
    "validation/failures": _validation(
        "one simulation that failed", text("mapping", MAPPING.meaning, "not one of a mapped network"), DIE,
        whole("sample", SAMPLE.meaning, "not one of a sample"), *FAILURE,
    ),
    "calibration/dies": Table(
        "one die in one calibration", "calibrate",
        (
            CALIBRATION, DIE_NUMBER, whole("patterns", "test patterns that were applied"),
            whole("samples", "test samples that it is judged by", "a row of before they were counted"),
            *(
                column
                for when, of in (("before", "as manufactured"), ("after", "once calibrated"))
                for column in (
                    number(f"{when}_rmse_s", "s", f"rms of its output spikes off the nominal network's model, {of}"),
                    number(f"{when}_hidden_rmse_s", "s", "the same of the layers before"),
                    number(f"{when}_labels", "", "share of the test samples with the nominal label"),
                    number(f"{when}_accuracy", "", "share of the test samples with the right label"),
                )
            ),
            number("expected_rmse_s", "s", "rms error of the outputs that the last plan expected", "the die was not identified"),
            number("used_share", "", "share of the spikes within the range of the model"),
            number("misfit", "", "rms of the residuals over the noise that is assumed"),
            number("cpu_s", "s", "processor time of the calibration, without that of the chip"),
        ),
    ),
    "calibration/programs": Table(
        "one synapse or discharger of one die", "calibrate",
        (
            CALIBRATION, DIE_NUMBER, LAYER, NEURON, text("device", "`input N` or `discharger`"),
            replace(SIGN, meaning="sign of the synapse; 0 where it is off"),
            number("code_v", "V", "gate bias that the die is set to", "the synapse is off"),
            number("nominal_v", "V", "that of the nominal network", "the synapse is off"),
        ),
    ),
    "calibration/devices": Table("one unknown of one die", "calibrate", DEVICES),
    "calibration/loop": Table(
        "one step of one die in the loop", "calibrate --loop-steps",
        (
            CALIBRATION, DIE_NUMBER, whole("step", "0 is the start"),
            number("seen_rmse_s", "s", "rms of its output spikes off the nominal network's, as they were seen"),
        ),
    ),
    "conditions/errors": Table(
        "one condition with one choice of biases", "validate --at",
        (
            text("condition", "corner, temperature, supply"),
            text("biases", "`fixed`, `replica`, `rebiased` or `calibrated` (docs/calibration.md)"),
            whole("samples", "test samples that were simulated"),
            number("rmse_s", "s", "rms of the output spikes off those of the trained model"),
            number("hidden_rmse_s", "s", "the same of the layers before"),
            number("labels", "", "share of the samples with the trained model's label"),
            number("accuracy", "", "share of the samples with the right label"),
            number("model_rmse_s", "s", "rms of the output spikes that the model expects there, off the same", NO_MODEL),
            number("unexpected_rmse_s", "s", "rms of the output spikes off those that the model expects there", NO_MODEL),
            number("out_of_range", "", "trained weights out of the range of the cells there, set to its end", NO_WEIGHTS),
            number("out_of_range_factor", "", "how many times as large as it should be the farthest of them is", NO_WEIGHTS),
        ),
    ),
    "calibration/bench_devices": Table(
        "one unknown of a chip on a bench", "calibrate --plan", DEVICES,
    ),
    "sweep/failures": Table("one point that failed", "sweep", (MEASUREMENT, *FAILURE)),
    "sweep/accuracy": Table(
        "one column of a measurement", "sweep --check-accuracy",
        (
            MEASUREMENT, text("column", "what is compared"), whole("points", "points simulated twice"),
            number("worst_relative_difference", "", "largest change at a tenth of the tolerance"),
        ),
    ),
}  # fmt: skip
"""By file in the run directory, without its ending.

What was measured of the columns of a further size lies in a folder of that size, such as characterization/8x3/firing.
"""

SWEPT = Table(
    "one point of a measurement", "sweep",
    (
        text("corner", "corner of its models"), number("temperature_c", "degC", "temperature"),
        number("supply_v", "V", "supply"), whole("seed", "seed that drew its models", "the nominal circuit"),
        number("reltol", "", "relative tolerance of its simulation"),
        number("max_step_s", "s", "largest time step", "no transient"), number("cpu_s", "s", "processor time"),
    ),
    further="design fields and places of the sweep, and what the measurement gives",
)  # fmt: skip
"""Any other table of a sweep: `sweep/<measurement>`."""


_OF_COLUMN = re.compile(r"(?<=^characterization)/\d+x\d+/")
"""The size of a column that is not the first layer's (`ColumnSize.name`): its tables are as those of the first."""


def described(name: str) -> Table:
    """The table of this file (without its ending). Raises `TableError` for one that nothing describes."""
    folder, _, file = name.rpartition("/")
    plain = f"characterization/{file}" if folder.startswith("characterization/") else name
    if plain in TABLES:
        return TABLES[plain]
    if name.startswith("sweep/"):
        return SWEPT
    raise TableError(f"{name}: no such table in cosim.runs.tables")


def checked(name: str, table: pa.Table) -> pa.Table:
    """The table, if it is what its description says; one without rows gets its columns. Raises `TableError`."""
    wanted, found = described(name), table.column_names
    if not len(table) and not found:
        return pa.table({column: pa.nulls(0) for column in wanted.names})
    lacking = [column for column in wanted.names if column not in found]
    unknown = [] if wanted.further else [column for column in found if column not in wanted.names]
    if lacking or unknown:
        raise TableError(f"{name}: {_listed('lacks', lacking)}{_listed('has undescribed', unknown)}")
    if not wanted.further and found != list(wanted.names):
        raise TableError(f"{name}: its columns stand in another order: {', '.join(found)}")
    for column in wanted.columns:
        _check_cells(name, column, table[column.name])
    return table


def _listed(what: str, columns: Iterable[str]) -> str:
    names = ", ".join(columns)
    return f"{what} {names}; " if names else ""


def _check_cells(name: str, column: Column, cells: pa.ChunkedArray) -> None:
    there, kind = cells.drop_null(), cells.type
    if len(there) < len(cells) and not column.missing and column.kind != Kind.NUMBER:  # a number may be no number
        raise TableError(f"{name}: {column.name}: {len(cells) - len(there)} of {len(cells)} cells are empty")
    holds = {
        Kind.NUMBER: types.is_floating(kind) or types.is_integer(kind),
        Kind.WHOLE: types.is_integer(kind) or (types.is_floating(kind) and all(cell.is_integer() for cell in there.to_pylist())),
        Kind.TEXT: types.is_string(kind) or types.is_large_string(kind),
    }
    if len(there) and not holds[column.kind]:
        raise TableError(f"{name}: {column.name}: holds {kind}, must hold {column.kind}")
