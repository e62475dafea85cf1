"""Steps that are recorded and replayed. The recorder of the tests records a call and repeats it: a GPU's is `CudaGraphs`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.operations import count_step
from training.captured import WARM_UP, CapturedStep, CaptureRefused, Results, fixed_of
from training.data import SpikeData, load
from training.data.spikes import reduced
from training.hardware import NormalisedModel
from training.learner import Learner
from training.models import convolutional
from training.network import RCSpikeNetwork
from training.recipe import Augmentation, Recipe
from training.structures.network import put_structure
from training.structures.plan import TernaryPlan


class Recording:
    """Counts recordings and replays; the `refuses`th recording fails. No replay may find changed what a network held fixed."""

    network: RCSpikeNetwork | None = None

    def __init__(self, refuses: int | None = None) -> None:
        self.recorded = self.replayed = self.aside_ = 0
        self.refuses = refuses

    def aside(self, run: Callable[[], Results]) -> Results:
        self.aside_ += 1
        return run()

    def record(self, run: Callable[[], Results], generator: torch.Generator) -> Callable[[], Results]:
        self.recorded += 1
        if self.recorded == self.refuses:
            raise CaptureRefused("operation not permitted when stream is capturing")

        held = self.network and fixed_of(self.network)

        def replay() -> Results:
            self.replayed += 1
            assert held == (self.network and fixed_of(self.network))
            return run()

        return replay


RECIPE = Recipe(
    epochs=4, batch=10, learning_rate=5e-3, optimiser="sgd", ema=0.9, mixup=0.2, coarse_share=0.5, schedule="linear",
    augmentation=Augmentation(alternating_flip=True, crop_pixels=1, cutout_pixels=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def data() -> SpikeData:
    return reduced(load("digits"), 55).as_images()


def trained(
    data: SpikeData, recorder: Recording | None, structure: TernaryPlan | None = None
) -> tuple[list[Tensor], list[float]]:
    torch.set_num_threads(1)
    network = convolutional(
        (1, 8, 8), 10, NormalisedModel.constant(3.3, -3.3), channels=[[2]], hidden=[], solver="dstd", steps=3, random_offset=True
    )
    if structure is not None:
        put_structure(network, structure)
    if recorder is not None:
        recorder.network = network
    generator = torch.Generator().manual_seed(0)
    network.reset_parameters(generator, 0.7)
    learner = Learner(network.train(), data, RECIPE, generator, evaluate_every=4, recorder=recorder)
    losses = [learner.train_epoch().loss for _ in range(RECIPE.epochs)]
    learner.settle()
    return [one.detach().clone() for one in network.parameters()], losses


def test_a_training_of_replayed_steps_ends_in_the_same_bits(data: SpikeData) -> None:
    """Four epochs of five full mini-batches and one of five samples; half way the coarse steps end: another recording."""
    recorder = Recording()
    expected, losses = trained(data, None)
    found, same = trained(data, recorder)
    assert same == losses and all(map(torch.equal, found, expected))
    assert recorder.recorded == 2 and recorder.replayed == 4 * 5 - 2 * WARM_UP
    assert recorder.aside_ == 2 * WARM_UP + 4


def test_a_structure_that_is_pruned_is_recorded_anew_as_its_links_go(data: SpikeData) -> None:
    """From 8 links of 8 to 1: in the first epochs other ones in almost every step, in the last none go any more."""
    plan = TernaryPlan(layers="all", block=8, nonzeros=1, pruned_at=1.0)
    expected, losses = trained(data, None, plan)
    recorder = Recording()
    found, same = trained(data, recorder, plan)
    assert same == losses and all(map(torch.equal, found, expected))
    assert recorder.recorded >= 1 and 0 < recorder.replayed < 2 * 5


def test_a_step_that_cannot_be_recorded_is_told_once_and_changes_nothing(data: SpikeData) -> None:
    expected, losses = trained(data, None)
    with pytest.warns(UserWarning, match="is no CUDA graph and goes on .*: operation not permitted when") as told:
        found, same = trained(data, Recording(refuses=1))
    assert len(told) == 1 and same == losses and all(map(torch.equal, found, expected))


def test_what_a_recording_holds_fixed_is_compared() -> None:
    network = RCSpikeNetwork((5, 4, 3), NormalisedModel.constant(2.8, -1.5), solver="dstd", steps=3)
    first = fixed_of(network)
    with torch.no_grad():
        network.layers[0].weight.add_(1.0)
    assert fixed_of(network) == first
    changes: list[Callable[[RCSpikeNetwork], Any]] = [
        lambda own: setattr(own.layers[0], "steps", 4),
        lambda own: own.coarsen(True),
        lambda own: own.bind(NormalisedModel.constant(2.0, -1.5)),
    ]
    for change in changes:
        before = fixed_of(network)
        change(network)
        assert fixed_of(network) != before


def test_samples_of_a_replay_are_those_that_are_given() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step = CapturedStep(lambda rows: (rows.sum(), rows.amax()), 2, lambda: 0, torch.Generator(), Recording())
        found = [[int(one) for one in step(torch.tensor(rows))] for rows in ([1, 2], [3, 4], [5, 6], [7, 8], [9, 3], [4])]
    assert found == [[3, 2], [7, 4], [11, 6], [15, 8], [12, 9], [4, 4]]


def test_nothing_in_a_step_waits_for_the_host() -> None:
    """Counted on meta tensors, which take a GPU's way (`benchmarks.operations`)."""
    everything = RECIPE.but(optimiser="adamw", weight_decay=1e-3, label_smoothing=0.1, initial_spread=0.7)
    assert count_step(everything, batch=4, channels=[[2]]).waits == 0
