"""What a training step asks of a GPU, counted on meta tensors (`benchmarks.operations`)."""

from __future__ import annotations

import torch

from benchmarks.operations import Tallies, counted


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
    assert batch.bytes_moved == 48 + 48 + 4 + 52
    assert loss.operations == {"sum": 1, "_local_scalar_dense": 1} and loss.bytes_moved == 32
    assert loss.waits == {"sum": 0, "_local_scalar_dense": 1, "tensor": 1}
    assert (tallies.operations, tallies.waits, tallies.bytes_moved) == (6, 2, 184)


def test_what_runs_backward_is_counted_there_and_an_optimiser_for_all_weights_reads_and_writes_each() -> None:
    tallies = Tallies()
    with counted(tallies):
        weight = torch.zeros(10, device="meta", requires_grad=True)
        (weight * weight).sum().backward()
        tallies.stage = "optimiser"
        torch._foreach_add_([weight.detach(), weight.detach()], 1.0)
    assert tallies.stages["backward"].operations["mul"] == 2
    assert tallies.stages["optimiser"].bytes_moved == 4 * 40
