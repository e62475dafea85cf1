"""Every table of a run is described once: writers are held to it, the page is made of it, and reports read nothing else."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from cosim.runs.directory import RunDirectory
from cosim.runs.tables import TABLES, Kind, TableError, checked, described
from cosim.runs.tables_page import PAGE, page
from reports.tables import CURVES, DATASHEET, RUN, Columns

READ = {**RUN, **{f"datasheet/{name}": columns for name, columns in DATASHEET.items()}}
ENERGY = pd.DataFrame({"mapping": ["ode"], "sample": [3], "source": ["Vdd"], "energy_j": [1e-12], "model_j": [2e-12]})


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m cosim.runs.tables_page"


@pytest.mark.parametrize("name", READ)
def test_what_reports_read_is_described(name: str) -> None:
    kinds = {column.name: column.kind for column in TABLES[name].columns}
    read: Columns = READ[name]
    assert set(read.words) | set(read.numbers) <= set(kinds)
    assert all(kinds[column] != Kind.TEXT for column in read.numbers)
    assert all(kinds[column] == Kind.TEXT for column in read.words if column != "seed")


def test_reports_show_curves_of_tables_that_there_are() -> None:
    assert {f"characterization/{name}" for name in CURVES} < set(TABLES)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (ENERGY.drop(columns="source"), "lacks source"),
        (ENERGY.assign(power_w=1.0), "has undescribed power_w"),
        (ENERGY[["sample", "mapping", "source", "energy_j", "model_j"]], "another order: sample, mapping"),
        (ENERGY.assign(energy_j="much"), "energy_j: holds .*string, must hold number"),
        (ENERGY.assign(sample=0.5), "sample: holds double, must hold whole number"),
        (ENERGY.assign(mapping=7), "mapping: holds int64, must hold text"),
        (ENERGY.assign(sample=pd.array([None], dtype="Int64")), "sample: 1 of 1 cells are empty"),
    ],
)
def test_a_writer_is_held_to_the_description(changed: pd.DataFrame, complaint: str, tmp_path: object) -> None:
    energy = pa.Table.from_pandas(ENERGY)
    assert checked("validation/energy", energy) is energy
    with pytest.raises(TableError, match=rf"validation/energy: .*{complaint}"):
        checked("validation/energy", pa.Table.from_pandas(changed))


def test_a_run_directory_writes_described_tables_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    directory = RunDirectory(tmp_path)
    directory.write_table("validation/energy.parquet", ENERGY)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "validation/energy.parquet"), ENERGY, check_dtype=False)
    directory.write_table("validation/failures.parquet", pd.DataFrame([]))
    assert tuple(pd.read_parquet(tmp_path / "validation/failures.parquet").columns) == TABLES["validation/failures"].names
    with pytest.raises(TableError, match="validation/power: no such table"):
        directory.write_table("validation/power.parquet", ENERGY)
    assert not (tmp_path / "validation/power.parquet").exists()
    with pytest.raises(TableError, match=r"validation/energy\.parquet: "):
        directory.write_table("validation/energy.parquet", pd.concat([ENERGY, ENERGY.assign(mapping=7)]))


def test_the_nominal_circuit_has_no_die_and_a_sweep_may_have_columns_of_its_own() -> None:
    spikes = pd.DataFrame(
        {"mapping": "ode", "die": pd.array([None, 4], dtype="Int64"), "sample": 0, "layer": 1, "neuron": [0, 1],
         "model_spike_s": 1e-6, "circuit_spike_s": 1e-6, "simulated": 1}
    )  # fmt: skip
    assert checked("validation/spikes", pa.Table.from_pandas(spikes))["die"].to_pylist() == [None, 4]
    swept = {"corner": "tt", "temperature_c": 27.0, "supply_v": 1.8, "seed": None, "leakage_a": 1e-15, "cpu_s": 0.1}
    row = pd.DataFrame([{**swept, "reltol": 1e-4, "max_step_s": None}])
    assert len(checked("sweep/leakage", pa.Table.from_pandas(row))) == 1
    charge = pa.table({"synapses": [3], "charge_c": [1e-14], "membrane_v": [1.2]})
    assert checked("characterization/8x3/membrane", charge) is charge
    with pytest.raises(TableError, match="characterization/8x3/membranes: no such table"):
        checked("characterization/8x3/membranes", charge)
    with pytest.raises(TableError, match="sweep/leakage: lacks cpu_s"):
        checked("sweep/leakage", pa.Table.from_pandas(row.drop(columns="cpu_s")))


def test_the_tables_of_another_column_are_those_of_the_first() -> None:
    assert described("characterization/8x3/firing") is described("characterization/firing")
    with pytest.raises(TableError, match="characterization/8x3/nothing: no such table"):
        described("characterization/8x3/nothing")
