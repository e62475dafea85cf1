"""What a training step asks of a GPU, counted on meta tensors (`benchmarks.operations`)."""

from __future__ import annotations

import pytest
import torch

from benchmarks.accuracy_rows import CIFAR
from benchmarks.operations import Tallies, count_step, counted
from training.recipe import Recipe


def test_operations_bytes_and_waits_are_counted_and_views_are_not() -> None:
    tallies = Tallies()
    with counted(tallies):
        t = torch.ones(4, 3, device="meta")  # 48 bytes written
        half = t[:2].view(6) * 2.0  # 24 read, 24 written
        half.add_(t.new_zeros(()).expand(6))  # 4 written; 24 and an expanded element of 4 read, 24 written
        tallies.stage = "loss"
        assert 0.0 < float(half.sum()) < 1.0  # 24 read, 4 written; 4 read
        torch.tensor(1.0, device="meta")
    batch, loss = tallies.stages["batch"], tallies.stages["loss"]
    assert batch.operations == {"ones": 1, "mul": 1, "new_zeros": 1, "add_": 1} and batch.waits.total() == 0
    assert batch.bytes_moved == {"ones": 48, "mul": 48, "new_zeros": 4, "add_": 52}
    assert loss.operations == {"sum": 1, "_local_scalar_dense": 1} and loss.bytes_moved.total() == 32
    assert loss.waits == {"sum": 0, "_local_scalar_dense": 1, "tensor": 1}
    assert (tallies.operations, tallies.waits, tallies.bytes_moved) == (6, 2, 184)


def test_convolutions_of_meta_tensors_are_laid_out_as_those_of_a_device() -> None:
    weight = torch.zeros(4, 3, 3, 3).contiguous(memory_format=torch.channels_last)
    of_processor = torch.conv2d(torch.zeros(2, 3, 8, 8), weight)
    with counted(Tallies()):
        assert torch.conv2d(torch.zeros(2, 3, 8, 8, device="meta"), weight.to("meta")).stride() == of_processor.stride()
        plain = torch.conv2d(torch.zeros(2, 3, 8, 8, device="meta"), weight.to("meta").contiguous())
    assert plain.is_contiguous() and not of_processor.is_contiguous()


def test_what_runs_backward_is_counted_there_and_an_optimiser_for_all_weights_reads_and_writes_each() -> None:
    tallies = Tallies()
    with counted(tallies):
        weight = torch.zeros(10, device="meta", requires_grad=True)
        (weight * weight).sum().backward()
        tallies.stage = "optimiser"
        torch._foreach_add_([weight.detach(), weight.detach()], 1.0)
    assert tallies.stages["backward"].operations["mul"] == 2
    assert tallies.stages["optimiser"].bytes_moved.total() == 4 * 40


def test_a_step_of_the_published_network_keeps_to_its_limits() -> None:
    """With a loop over the cells and cache blocking it was 78 526 operations, 109 GB and 24 waits."""
    step = count_step(Recipe.model_validate(CIFAR))
    assert step.operations <= 400 and step.bytes_moved <= 12e9 and step.waits == 0
    weights = 9 * (3 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256) + 4096 * 512 + 512 * 10
    both_ways = 2 * 4 * 4 * weights  # weight, two moments and, as the schema of the fused operation has it, the gradient
    assert step.stages["optimiser"].bytes_moved.total() == pytest.approx(both_ways, rel=1e-5)
    assert step.stages["forward"].operations["convolution"] == 6
    assert step.stages["backward"].operations["convolution_backward"] == 6
