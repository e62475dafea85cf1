"""The event walk through a convolution, compiled. An image is sorted once: each spike goes to the few neurons that see its pixel.

Neurons of all channels at one position are a row: they share the time up to which they have lived. A pixel beyond the border
never spikes.
"""

from __future__ import annotations

import numpy as np

from training.solvers.compilation import Array, compiled, inlined
from training.solvers.phi_kernels import halvings
from training.solvers.scratch import aligned
from training.solvers.walk_kernels import largest_conductance
from training.solvers.walk_steps import advance, begin, begin_back, late_slope, retreat, step, unstep


@inlined
def seen(pixel: int, kernel: int, stride: int, padding: int, positions: int) -> tuple[int, int]:
    """Positions first .. last (not included) along one axis whose window holds the pixel."""
    first = max(0, (pixel + padding - kernel + stride) // stride)
    return first, min(positions, (pixel + padding) // stride + 1)


@compiled
def walk(
    times: Array, order: Array, weight: Array, conductance: Array, kick: Array, bias: Array, leak: Array, v_reset: float,
    shape: tuple[int, int], window: tuple[int, int, int, int], positions: tuple[int, int],
    v: Array, g: Array, f: Array, first: int, last: int,
) -> None:  # fmt: skip
    """State of images first .. last at t = 1.

    times, order [batch, channels height width]: spike times in order, and the flat index of their pixel. weight, conductance,
    kick [channels kernel kernel, outputs]; bias, leak [outputs]. shape: height, width; window: kernel height and width, stride,
    padding; positions: height and width of the output. v, g, f [batch, positions, outputs] are written.
    """
    one, count = times.dtype.type(1), weight.shape[1]
    (height, width), (k_height, k_width, stride, padding) = shape, window
    bound = largest_conductance(weight, conductance, leak, leak, leak, 0)
    now, work = np.empty(v.shape[1], v.dtype), aligned(3, count, v)
    for sample in range(first, last):
        v_now, g_now, f_now = v[sample], g[sample], f[sample]
        for row in range(v.shape[1]):
            begin(v_now, g_now, f_now, row, v_reset, bias, leak, 0, count)
            now[row] = 0
        for event in range(times.shape[1]):
            t = times[sample, event]
            if t >= one:
                break
            channel, pixel = divmod(order[sample, event], height * width)
            y, x = divmod(pixel, width)
            top, bottom = seen(y, k_height, stride, padding, positions[0])
            left, right = seen(x, k_width, stride, padding, positions[1])
            for row_y in range(top, bottom):
                tap = (channel * k_height + y + padding - row_y * stride) * k_width + x + padding
                for row_x in range(left, right):
                    row, j = row_y * positions[1] + row_x, tap - row_x * stride
                    d = t - now[row]
                    step(v_now, g_now, f_now, row, d, halvings(d * bound), weight, conductance, leak, leak, kick, j, count, work)
                    now[row] = t
        for row in range(v.shape[1]):
            advance(v_now, g_now, f_now, row, one - now[row], halvings((one - now[row]) * bound), count, work)


@compiled
def walk_back(
    times: Array, order: Array, weight: Array, conductance: Array, kick: Array, leak: Array,
    shape: tuple[int, int], window: tuple[int, int, int, int], positions: tuple[int, int],
    v: Array, g: Array, f: Array, v_grad: Array,
    weight_grad: Array, conductance_grad: Array, kick_grad: Array, bias_grad: Array, leak_grad: Array, time_grad: Array,
    late: bool, first: int, last: int,
) -> None:  # fmt: skip
    """Adjoint of `walk`: adds to all gradients; `time_grad` [batch, channels height width] is in the order of the pixels.

    If `late`, a pixel at t = 1 exactly gets the time gradient from below; one beyond it gets none.
    """
    one, count, rows = times.dtype.type(1), weight.shape[1], v.shape[1]
    (height, width), (k_height, k_width, stride, padding) = shape, window
    bound = largest_conductance(weight, conductance, leak, leak, leak, 0)
    now, work = np.empty(rows, v.dtype), aligned(3, count, v)
    g_now, f_now, lam = aligned(rows, count, v), aligned(rows, count, v), aligned(rows, count, v)
    y_now, p, q = aligned(rows, count, v), aligned(rows, count, v), aligned(rows, count, v)
    for sample in range(first, last):
        for row in range(rows):
            begin_back(
                g_now, f_now, lam, y_now, p, q, row, v[sample], g[sample], f[sample], v_grad[sample], row, 0, count
            )  # fmt: skip
            now[row] = 1
        for event in range(times.shape[1] - 1, -1, -1):
            t, source = times[sample, event], order[sample, event]
            if t > one or (t == one and not late):
                continue
            channel, pixel = divmod(source, height * width)
            y, x = divmod(pixel, width)
            top, bottom = seen(y, k_height, stride, padding, positions[0])
            left, right = seen(x, k_width, stride, padding, positions[1])
            slope = v.dtype.type(0)
            for row_y in range(top, bottom):
                tap = (channel * k_height + y + padding - row_y * stride) * k_width + x + padding
                for row_x in range(left, right):
                    row, j = row_y * positions[1] + row_x, tap - row_x * stride
                    if t == one:
                        slope += late_slope(lam, y_now, row, weight, conductance, leak, leak, j, count)
                        continue
                    d = now[row] - t
                    slope += unstep(
                        g_now, f_now, lam, y_now, p, q, row, d, halvings(d * bound),
                        weight, conductance, leak, leak, kick, weight_grad, conductance_grad, leak_grad, leak_grad, kick_grad,
                        j, count, work,
                    )  # fmt: skip
                    now[row] = t
            time_grad[sample, source] += slope
        for row in range(rows):
            retreat(g_now, f_now, lam, y_now, p, q, row, now[row], halvings(now[row] * bound), count, work)
        for row in range(rows):
            for i in range(count):
                bias_grad[i] += p[row, i]
                leak_grad[i] -= q[row, i]
