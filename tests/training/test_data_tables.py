"""A user's table as spikes: what is read, what is learnt on the training part alone, what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data import DataFileError, Table, iris, load, load_table, wine

FLOWERS = pd.DataFrame({"a": np.arange(12.0), "b": np.arange(12.0)[::-1] ** 2, "kind": ["x", "y", "z"] * 4})


def written(folder: Path, frame: pd.DataFrame, name: str = "flowers.csv") -> Table:
    file = folder / name
    frame.to_parquet(file) if file.suffix == ".parquet" else frame.to_csv(file, index=False)
    return Table(file, "kind")


@pytest.mark.parametrize("name", ["flowers.csv", "flowers.parquet"])
def test_a_table_is_read_as_spike_times(tmp_path: Path, name: str) -> None:
    data = load_table(written(tmp_path, FLOWERS, name), test_samples=3, split_seed=1)
    assert data.train_t.shape == (9, 3) and data.test_t.shape == (3, 3) and data.class_names == ("x", "y", "z")
    assert sorted(data.train_rows + data.test_rows) == list(range(12))
    assert [int(label) for label in data.train_labels] == [row % 3 for row in data.train_rows]
    a = np.arange(12.0)[data.train_rows]
    np.testing.assert_allclose(data.train_t[:, 0], (a - a.min()) / (a.max() - a.min()), rtol=1e-6)
    assert (data.train_t[:, 2] == 0).all() and (data.test_t[:, 2] == 0).all()  # the bias spike


def test_ranges_are_learnt_on_the_training_part(tmp_path: Path) -> None:
    data = load_table(written(tmp_path, FLOWERS), test_samples=3, split_seed=1)
    frame = FLOWERS.copy()
    frame.loc[data.test_rows, "a"] = 1e6
    far = load_table(written(tmp_path, frame), test_samples=3, split_seed=1)
    assert far.train_t.tolist() == data.train_t.tolist() and (far.test_t[:, 0] == 1.0).all()


def test_columns_can_be_chosen_and_the_bias_left_out(tmp_path: Path) -> None:
    table = written(tmp_path, FLOWERS.assign(remark="text"))
    data = load_table(Table(table.file, "kind", ("b", "a")), test_samples=3, bias=False)
    both = load_table(Table(table.file, "kind", ("a", "b")), test_samples=3, bias=False)
    assert data.inputs == 2 and data.train_t[:, 0].tolist() == both.train_t[:, 1].tolist()


def test_iris_as_a_table_is_iris(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris

    found = load_iris()
    frame = pd.DataFrame(found.data, columns=found.feature_names).assign(kind=found.target)
    data, own = load_table(written(tmp_path, frame), test_samples=50, split_seed=2), iris(50, 2)
    assert data.train_t.tolist() == own.train_t.tolist() and data.test_labels.tolist() == own.test_labels.tolist()


def test_wine_is_thirteen_features_and_a_bias_spike() -> None:
    data = wine()
    assert data.inputs == 14 and data.classes == 3 and len(data.test_labels) == 59 and len(data.train_labels) == 119
    assert load("wine").train_t.tolist() == data.train_t.tolist()
    assert wine(bias=False).inputs == 13


@pytest.mark.parametrize(
    ("change", "table", "message"),
    [
        ({}, {"label": "sort"}, r"flowers\.csv: has no column 'sort'; it has a, b, kind"),
        ({}, {"features": ("a", "c")}, r"has no column 'c'"),
        ({}, {"features": ("a", "kind")}, r"'kind' is the label and a feature"),
        ({}, {"features": ("a", "a")}, r"a feature is listed twice"),
        ({"a": ["one", *range(1, 12)]}, {}, r"column 'a': sample 1 holds 'one', which is no finite number"),
        ({"a": [*range(11), None]}, {}, r"column 'a': sample 12 is empty"),
        ({"a": [*range(11), "inf"]}, {}, r"column 'a': sample 12 holds"),
        ({"a": [5.0] * 12}, {}, r"feature 'a' is the same in every training sample"),
        ({"kind": ["x"] * 12}, {}, r"all samples are of one class"),
        ({"kind": ["x"] * 11 + ["odd"]}, {}, r"class 'odd' has one sample only"),
        ({"kind": [None] + ["x", "y"] * 5 + ["x"]}, {}, r"column 'kind': sample 1 has no label"),
        ({"kind": [0.5, 1.5] * 6}, {}, r"column 'kind': holds fractions"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(
    tmp_path: Path, change: dict[str, list[object]], table: dict[str, object], message: str
) -> None:
    made = written(tmp_path, FLOWERS.assign(**change))
    with pytest.raises(DataFileError, match=message) as caught:
        load_table(Table(**{"file": made.file, "label": "kind", **table}), test_samples=3)  # type: ignore[arg-type]
    assert str(made.file) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("samples", [2, 10])
def test_a_split_needs_every_class_on_both_sides(tmp_path: Path, samples: int) -> None:
    with pytest.raises(DataFileError, match=rf"test_samples: {samples} must lie in 3 \.\. 9"):
        load_table(written(tmp_path, FLOWERS), test_samples=samples)


def test_a_file_that_is_no_table_is_one_line(tmp_path: Path) -> None:
    for name, content in (
        ("gone.csv", None),
        ("empty.csv", b""),
        ("header.csv", b"a,kind\n"),
        ("x.parquet", b"PAR"),
        ("x.xls", b""),
    ):
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(DataFileError, match=name) as caught:
            load_table(Table(file, "kind"), test_samples=3)
        assert "\n" not in str(caught.value)


@settings(max_examples=40)
@given(st.lists(st.floats(-1e6, 1e6), min_size=12, max_size=12, unique=True), st.integers(0, 1000))
def test_spike_times_lie_in_a_phase_and_keep_the_order(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], seed: int
) -> None:
    frame = FLOWERS.assign(a=values)
    data = load_table(written(tmp_path_factory.mktemp("t"), frame), test_samples=3, split_seed=seed, bias=False)
    t = data.train_t[:, 0].double().numpy()
    assert t.min() == 0.0 and t.max() == 1.0
    order = np.argsort(np.array(values)[data.train_rows], kind="stable")
    assert (np.diff(t[order]) >= 0).all()
