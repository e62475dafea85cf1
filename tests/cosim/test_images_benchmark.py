"""Images of a classifier in the circuit: which of its columns are asked for, of the nominal network and of a die."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from benchmarks.images import Classifier, image_row


def _classifier() -> Classifier:
    spikes = [torch.tensor([[0.5, 1.0]]), torch.tensor([[0.25, 0.75]])]
    model = SimpleNamespace(layers=[SimpleNamespace(spike_times=own) for own in spikes])
    data = SimpleNamespace(test_t=torch.zeros(1, 3), test_rows=np.array([7]), test_labels=torch.tensor([0]))
    silent = [np.array([[False, True]]), np.array([[False, False]])]
    return Classifier("small", "abc", None, data, model, silent, 1e-6)  # type: ignore[arg-type]


def test_a_die_is_simulated_whole_where_the_nominal_network_leaves_out_what_its_model_calls_silent() -> None:
    bench: Any = SimpleNamespace(cpu_s=0.0, network="accuracy")
    asked: list[Any] = []

    def circuit(bench: object, cells: object, run: Any) -> dict[str, np.ndarray]:
        asked.append(run)
        return {"layer_1_spike_s": np.array([0.51e-6, 1e-6]), "layer_2_spike_s": np.array([0.25e-6, 0.75e-6])}

    nominal, die = (image_row(bench, [None] * 2, one, 0, circuit) for one in (_classifier(), _classifier().made(3)))  # type: ignore[list-item]
    assert nominal and die and [run.die for run in asked] == [None, 3]
    assert [run.condition for run in asked] == [{"image": 7, "die": None}, {"image": 7, "die": 3}]
    assert (nominal["network"], die["network"]) == ("abc", "abc, die 3")
    assert (nominal["left_out"], nominal["simulated"]) == (1, 3) and (die["left_out"], die["simulated"]) == (0, 4)
    assert np.isclose(nominal["hidden_rms_s"], 10e-9, rtol=1e-4, atol=0.0) and nominal["output_rms_s"] < 1e-12
