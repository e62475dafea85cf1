"""Triton kernels of what a layer does to every weight and every membrane by itself (`elementwise`).

Triton's compiler reads the annotations too, and takes none but those of its own language.
"""

from __future__ import annotations

import triton  # type: ignore[import-not-found,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,unused-ignore]


@triton.jit  # type: ignore[untyped-decorator]
def clipped(
    weight: tl.tensor, result: tl.tensor, n: tl.tensor,
    most_minus: tl.tensor, least_minus: tl.tensor, least_plus: tl.tensor, most_plus: tl.tensor, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Weights within the cell's range, off where none of its codes is as small; what is no number stays none."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    w = tl.load(weight + i, inside, 0.0)
    within = tl.where(w == w, tl.minimum(tl.maximum(w, most_minus), most_plus), w)  # noqa: PLR0124 (NaN shows)
    tl.store(result + i, tl.where((within > least_minus) & (within < least_plus), 0.0, within), inside)


@triton.jit  # type: ignore[untyped-decorator]
def _segment(u: tl.tensor, curve_v: tl.tensor, segments: tl.tensor, LEVELS: tl.constexpr) -> tl.tensor:
    """Number of the segment that each membrane lies on, by halving; the first and the last go on beyond their ends."""
    k = tl.zeros_like(u).to(tl.int32)
    for level in tl.static_range(LEVELS):
        further = k + (1 << (LEVELS - 1 - level))
        reached = (further < segments) & (u >= tl.load(curve_v + tl.minimum(further, segments - 1)))
        k = tl.where(reached, further, k)
    return k


@triton.jit  # type: ignore[untyped-decorator]
def fired(
    v: tl.tensor, curve_v: tl.tensor, curve_t: tl.tensor, curve_slope: tl.tensor, spikes: tl.tensor, n: tl.tensor,
    segments: tl.tensor, t_min: tl.tensor, t_max: tl.tensor, LEVELS: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Spike times of membranes on a curve of straight segments, held in t_min .. t_max."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    u = tl.load(v + i, inside, 0.0)
    k = _segment(u, curve_v, segments, LEVELS)
    t = tl.load(curve_t + k) + tl.load(curve_slope + k) * (u - tl.load(curve_v + k))
    tl.store(spikes + i, tl.where(t == t, tl.minimum(tl.maximum(t, t_min), t_max), t), inside)  # noqa: PLR0124 (NaN shows)


@triton.jit  # type: ignore[untyped-decorator]
def fired_back(
    v: tl.tensor, grad: tl.tensor, curve_v: tl.tensor, curve_t: tl.tensor, curve_slope: tl.tensor, v_grad: tl.tensor,
    n: tl.tensor, segments: tl.tensor, t_min: tl.tensor, t_max: tl.tensor, leak_slope: tl.tensor,
    LEVELS: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Adjoint of `fired`: the curve's slope, but never flatter than the leak."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    u = tl.load(v + i, inside, 0.0)
    k = _segment(u, curve_v, segments, LEVELS)
    slope = tl.load(curve_slope + k)
    t = tl.load(curve_t + k) + slope * (u - tl.load(curve_v + k))
    by_v = tl.minimum(tl.where((t > t_min) & (t < t_max), slope, 0.0), -leak_slope)
    tl.store(v_grad + i, by_v * tl.load(grad + i, inside, 0.0), inside)


@triton.jit  # type: ignore[untyped-decorator]
def jittered(
    t: tl.tensor, noise: tl.tensor, moved: tl.tensor, n: tl.tensor, sigma: tl.tensor, BLOCK: tl.constexpr
) -> None:  # fmt: skip
    """Spike times with noise on the spikes there are, held in their phase."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    when = tl.load(t + i, inside, 0.0)
    late = tl.minimum(tl.maximum(when + sigma * tl.load(noise + i, inside, 0.0), 0.0), 1.0)
    tl.store(moved + i, tl.where(when < 1.0, late, when), inside)
