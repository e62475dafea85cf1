"""What the benchmark compares with computes the same thing."""

from __future__ import annotations

import torch

from benchmarks.peers import published_exact
from training.solvers.autograd_walk import accumulate as reference


def test_published_exact_form_is_the_reference_with_all_its_gradients() -> None:
    g = torch.Generator().manual_seed(0)
    t = torch.rand(3, 20, generator=g, dtype=torch.float64)
    t[0, :3] = torch.tensor([0.0, 0.5, 0.5])
    weight = torch.randn(4, 20, generator=g, dtype=torch.float64)
    beta = torch.where(weight >= 0.0, 0.5, -0.7).double().requires_grad_()
    leaves = (t.requires_grad_(), weight.requires_grad_(), beta)
    found, expected = published_exact.accumulate(*leaves), reference(*leaves)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    row = torch.randn(3, 4, generator=g, dtype=torch.float64)
    pairs = zip(
        torch.autograd.grad((found * row).sum(), leaves), torch.autograd.grad((expected * row).sum(), leaves), strict=True
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
        assert float(b.abs().max()) > 1e-2
