"""The surface that the gain search follows."""

import numpy as np
import pytest

from cosim.mapping.gain_search import _minimum, _stratified_rows


class _Simulated:
    """Points whose spike errors are known: they vanish at the gains (1.17, 0.93)."""

    def __init__(self, gains: list[tuple[float, float]]) -> None:
        self.gains = gains
        x = np.log(np.array(gains)) - np.log([1.17, 0.93])
        self.errors = list(np.column_stack([x @ [300.0, -80.0], x @ [40.0, 200.0], x @ [100.0, 60.0] + 30 * x[:, 0] ** 2]))
        self.best = int(np.argmin([np.mean(e**2) for e in self.errors]))


def test_one_refinement_finds_the_minimum_of_a_quadratic_surface() -> None:
    grid = [(p, m) for p in (0.9, 1.2, 1.5) for m in (0.5, 0.8, 1.1)]
    found = _minimum(_Simulated(grid), (0.9, 1.5), (0.5, 1.1))  # type: ignore[arg-type]
    assert found == pytest.approx((1.17, 0.93), rel=0.01)


def test_samples_are_drawn_from_every_class() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    rows = _stratified_rows(labels, 5)
    assert sorted(labels[rows]) == [0, 0, 1, 1, 2]
    assert len(set(rows)) == 5
